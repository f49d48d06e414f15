"""Owns ``history.json``: what is known of a training and of each checkpoint as a whole, which often
comes after the checkpoint and outlives it. Reads no record of a trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from review_embeddings.pipeline.run.files import read_record, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import FORMAT, as_json, unknown_keys

HISTORY_FORMAT = 1
"""Raised when an older version could no longer read ``history.json``."""

Rows = list[dict[str, float]]
"""What was logged: one dict a step, ascending, with ``step`` and whatever was logged at it."""


@dataclass(frozen=True)
class CheckpointRecord:
    """What is known of a checkpoint beside its weights. In no fingerprint of embeddings."""

    epoch: float | None = None
    loss: float | None = None
    """Training loss last logged up to its step."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the evaluation at its step: ``eval_loss``, ``eval_accuracy`` and so on."""
    step_known: bool = True
    """False for a final model of which nothing says at which step it was saved."""


@dataclass(frozen=True)
class StateSummary:
    """A ``trainer_state.json`` as it was read last."""

    stamp: list[int]
    """Its size in bytes and its time in nanoseconds."""
    global_step: int | None = None
    max_steps: int | None = None
    """Steps that were planned."""
    epoch: float | None = None
    best_step: int | None = None
    """The checkpoint that evaluated best so far."""


@dataclass(frozen=True)
class Mixture:
    """A model of which some tensors are one checkpoint's and the others are not."""

    best: int
    """Step of the one."""
    of_best: int
    """How many tensors are only that one's."""
    other: int | None
    """Step of the checkpoint that the others are of; None where that was not saved."""
    of_other: int
    named: bool
    """Whether the Trainer's record names the first as the best."""


@dataclass(frozen=True)
class Comparison:
    """The weights of the final model beside those of the checkpoints."""

    key: str
    """Fingerprint of what was compared."""
    sha256: str
    """Of the final model's weights."""
    same_as: int | None = None
    """Step of a checkpoint that is the same model."""
    mixture: Mixture | None = None
    different: list[int] = field(default_factory=list)
    """Steps whose tensors could be compared and are others."""


@dataclass(frozen=True)
class TrainingHistory:
    """The contents of ``history.json``."""

    root: str = ""
    """Folder of the checkpoints, as ``run.json`` names it."""
    checkpoints: dict[str, CheckpointRecord] = field(default_factory=dict)
    """By step."""
    log: dict[str, list[float | None]] = field(default_factory=dict)
    """The Trainer's ``log_history`` by columns of one length; null where nothing was logged."""
    states: dict[str, StateSummary] = field(default_factory=dict)
    """By the folder below the root: empty for that of the final model."""
    final: Comparison | None = None
    guessed: list[int] = field(default_factory=list)
    """Steps of stored embeddings that are of the final model and stand at a step that an earlier
    build has guessed."""
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""

    def at(self, step: int) -> CheckpointRecord:
        """What is known of a checkpoint."""
        return self.checkpoints.get(str(step), CheckpointRecord())

    def with_record(self, step: int, record: CheckpointRecord) -> TrainingHistory:
        """The same with another record of a checkpoint."""
        if self.at(step) == record:
            return self
        return replace(self, checkpoints={**self.checkpoints, str(step): record})

    @property
    def newest(self) -> StateSummary | None:
        """The record that the training wrote last: the final model's, unless a checkpoint is
        later."""
        known = sorted(self.states.items(), key=lambda item: item[0] == "")
        states = [state for _, state in known]
        return max(reversed(states), key=lambda state: state.global_step or 0, default=None)

    @property
    def best(self) -> int | None:
        """Step of the checkpoint that evaluated best; None where the run does not say."""
        return None if self.newest is None else self.newest.best_step

    def rows(self) -> Rows:
        """The log, one dict a step."""
        names = list(self.log)
        lines = zip(*self.log.values(), strict=False)
        rows = (dict(zip(names, line, strict=True)) for line in lines)
        return [
            {name: value for name, value in row.items() if value is not None}
            for row in rows
            if row.get("step") is not None
        ]


def read_history(run: RunFolder) -> TrainingHistory:
    """What the run folder has; empty where there is none. Raises RunError for a damaged or newer
    file."""
    if not run.history.is_file():
        return TrainingHistory()
    return read_record(run.history, TrainingHistory, known_format=HISTORY_FORMAT, shared=True)


def write_history(run: RunFolder, history: TrainingHistory) -> None:
    """Write it, whole."""
    write_json(run.history, {FORMAT: HISTORY_FORMAT, **as_json(history)})


def columns_of(rows: Rows) -> dict[str, list[float | None]]:
    """Rows by columns, ``step`` first."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in {"step": None, **names}}
