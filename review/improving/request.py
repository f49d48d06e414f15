"""What is to be proved, and how. Checks numbers, reads nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError

DEFAULT_SEEDS = 3
"""Trainings of each way: the fewest that give a usable estimate of the noise between them."""


@dataclass(frozen=True)
class ImproveRequest:
    """What is to be proved, and how."""

    out: Path
    decisions: str | None = None
    """A list, another run or its ``decisions.jsonl``; None for the run's own."""
    seeds: int = DEFAULT_SEEDS
    eval_split: str | None = None
    """None for the one that the run was evaluated on."""
    limit: int | None = None
    """Train on so many images only."""
    explain: bool = False
    """Whether to train without each kind of change, too."""
    corrected: bool = False
    """Whether to show the evaluation split with the decisions applied, too."""
    baseline: Path | None = None
    """An earlier folder whose trainings before the decisions count here, too."""
    device: str | None = None
    skip_unreadable: bool = False
    disputed: str | None = None
    """What counts where reviewers differ, one of `kinds.DISPUTED`; None to refuse it."""

    def check(self) -> None:
        """Raise SettingsError for numbers out of range."""
        if self.seeds < 1:
            raise SettingsError(f"--seeds {self.seeds} is out of range. Use 1 or more.")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise SettingsError("This runs in one process. Start it without torchrun.")
        if self.limit is not None and self.limit < 2:
            raise SettingsError(f"--limit {self.limit} is out of range. Use 2 or more.")
