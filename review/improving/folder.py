"""Owns the folder of a proof: its lists, the runs of its trainings, ``improve.json``, which says
what is compared, so that the same command goes on, and the results. Trains nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.run.files import read_record, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import FORMAT, as_json, unknown_keys
from review_embeddings.pipeline.training.options import FineTuning

IMPROVE_FORMAT = 1
"""Raised when an older version could no longer read ``improve.json``."""

BEFORE, AFTER, WITHOUT = "before", "after", "without-"
"""Names of the ways of training: with the labels as they were, with all decisions, and ``WITHOUT``
one kind of them."""

CORRECTED = "corrected"
"""The list of the evaluation split with the decisions applied."""

EVALUATION = "evaluation"
"""The evaluation split as it is, among the digests."""

LISTS = "lists"
"""Folder of the lists."""

LOCK = ".improve.lock"
"""Held by the process that works on a proof."""

NEW_OUT = "Name a new folder with --out"


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of a training."""

    step: int | None = None
    """Of its final model; None until it is finished."""
    seconds: float = 0.0
    """How long it took, all starts that ended in good order together."""


@dataclass(frozen=True)
class ProofRecord:
    """The contents of ``improve.json``."""

    run: str
    """The run whose settings are used, as an absolute path."""
    request: FineTuning
    """How it was trained."""
    train_split: str
    eval_split: str
    decisions: str
    """Where they come from, for people."""
    decisions_as_of: str
    images: int
    """Training images before."""
    evaluated: int
    """Images of the evaluation split."""
    digests: dict[str, str]
    """SHA-256 (hex) of each list, and of the evaluation split."""
    counts: dict[str, int]
    """Training images that each of `selection.KINDS` changes."""
    about_evaluation: int = 0
    """Decisions about images of the evaluation split, which stays as it is."""
    elsewhere: int = 0
    """Decisions about images that are in neither."""
    limit: int | None = None
    """Trained on so many images only, for a quick look."""
    of_images: int = 0
    """Training images without the limit."""
    leaked: int = 0
    """Images of the evaluation split that are among the training images, too."""
    baseline: str | None = None
    """Folder whose trainings before the decisions are used, too."""
    trainings: dict[str, TrainingRecord] = field(default_factory=dict)
    """Those that were begun, by the name of their folder."""
    looks: list[int] = field(default_factory=list)
    """Numbers of seeds at which results were looked at, in the order in which that was done."""
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""

    def training(self, name: str) -> TrainingRecord:
        """What is known of a training."""
        return self.trainings.get(name, TrainingRecord())

    def looked_at(self, seeds: int) -> ProofRecord:
        """The same once results of so many seeds are looked at; one shows nothing."""
        is_new = seeds > 1 and seeds not in self.looks
        return replace(self, looks=[*self.looks, seeds]) if is_new else self

    def look(self, seeds: int) -> int:
        """Which look it is at so many seeds, from 1 on; the same however often it is made."""
        return self.looks.index(seeds) + 1 if seeds in self.looks else 1


@dataclass(frozen=True)
class ProofFolder:
    """Where everything of a proof lies."""

    path: Path

    @property
    def record(self) -> Path:
        """See `ProofRecord`."""
        return self.path / "improve.json"

    @property
    def result(self) -> Path:
        """All numbers."""
        return self.path / "result.json"

    @property
    def report(self) -> Path:
        """What the terminal shows."""
        return self.path / "report.txt"

    @property
    def predictions(self) -> Path:
        """What each model says of each image of the evaluation split."""
        return self.path / "predictions.parquet"

    @property
    def changes(self) -> Path:
        """The training images that the decisions change."""
        return self.path / "changes.csv"

    def list(self, name: str) -> Path:
        """The rows and labels of a way of training."""
        return self.path / LISTS / f"{name}.parquet"

    def run(self, name: str, seed: int) -> RunFolder:
        """The run of a training."""
        return RunFolder(self.path / arm_name(name, seed))

    def read(self) -> ProofRecord | None:
        """What is compared here; None where nothing was begun. Raises RunError."""
        if not self.record.is_file():
            return None
        return read_record(
            self.record,
            ProofRecord,
            cure=f"{NEW_OUT}.",
            known_format=IMPROVE_FORMAT,
            shared=True,
        )

    def write(self, record: ProofRecord) -> None:
        """Write what is compared. Raises StorageError."""
        write_json(self.record, {FORMAT: IMPROVE_FORMAT, **as_json(record)})


def arm_name(name: str, seed: int) -> str:
    """The name of a training's folder."""
    return f"{name}-seed{seed}"
