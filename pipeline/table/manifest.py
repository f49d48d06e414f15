"""The manifest of the table, written last: what it does not name is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import TypeAlias

from review_embeddings.pipeline.errors import CheckpointError, RunError, SettingsError
from review_embeddings.pipeline.models.checkpoints import BEST, select
from review_embeddings.pipeline.models.trainerstate import history_of, number_of
from review_embeddings.pipeline.run.checksums import read_once
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import read_json, read_record, record_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import CheckpointRecord, TrainingHistory
from review_embeddings.pipeline.run.inside import is_within
from review_embeddings.pipeline.run.records import RecordError, record_of
from review_embeddings.pipeline.text import visible

MAX_NAME = 40
"""Characters of a checkpoint's name that a message repeats."""

STEP_NOT_KNOWN = "(final, step not known)"
"""Stands behind the number of a final model that was saved at no step that anything tells."""


@dataclass(frozen=True)
class CheckpointSummary:
    """What is known of a checkpoint as a whole."""

    step: int
    file: str
    """Parquet file in the run's table folder."""
    epoch: float | None
    loss: float | None
    """Training loss last logged up to this step."""
    dimension: int
    """D, the length of an embedding."""
    explained_variance: list[float] | None
    """Share of the embedding's variance along x and y before the turn, in [0, 1]; None for a map
    without such axes (UMAP)."""
    scale: float
    """Factor from the units of the embedding to those of x and y."""
    disparity: float
    """Procrustes disparity to the reference, in [0, 1]; 0 is a perfect match."""
    trustworthiness: float
    """In [0, 1]; low where images lie near each other on the map that are not alike."""
    continuity: float
    """In [0, 1]; low where images that are alike lie apart on the map."""
    map_kept: float
    """Mean share of the nearest neighbours in the embedding that the map keeps, in [0, 1]."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with its embeddings, made by an earlier version and not to be computed again
    because its weights are gone."""
    step_known: bool = True
    """False for a final model of which nothing says at which step it was saved: it stands one after
    the last checkpoint."""
    matched: float | None = None
    """Share of the labelled images whose label is predicted, in [0, 1]; None without labels or
    head, and in tables of earlier versions."""

    @property
    def name(self) -> str:
        """The step, for people."""
        return str(self.step) if self.step_known else f"{self.step} {STEP_NOT_KNOWN}"

    @property
    def variance_text(self) -> str:
        """The share of variance that the map holds, in percent; empty for a map that has none."""
        return (
            "" if self.explained_variance is None else f"{100 * sum(self.explained_variance):.0f} %"
        )


@dataclass(frozen=True)
class Manifest:
    """Which files make up the table, and what was done to each checkpoint."""

    fingerprint: str
    align_to: str
    scaling: str
    map: str
    """Kind of the map, one of `settings.MAPS`."""
    classes: list[str] | None
    """Classes of the labels."""
    prediction_classes: list[str] | None
    """Classes of the predictions: those of the labels and any others the heads know."""
    checkpoints: list[CheckpointSummary]
    """In the order of training."""
    images: str
    """Parquet file in the run's table folder with the columns that are about images over all
    checkpoints."""
    rank_correlation: list[list[float]]
    """Spearman correlation of the OOD ranks for each pair of checkpoints."""
    outlier_overlap: list[list[float]]
    """Share of the worst images of one checkpoint that are among the worst of the other, for each
    pair."""
    best: int | None = None
    """Step of the checkpoint that evaluated best; None where the run does not say."""
    checksums: dict[str, str] = field(default_factory=dict)
    """Of each of the files (`run.checksums`); none in tables of earlier versions."""

    @property
    def files(self) -> list[str]:
        """All Parquet files of the table, by their names."""
        return [self.images, *(one.file for one in self.checkpoints)]

    def check(self) -> None:
        """Raise RecordError where there is no checkpoint, or a matrix that is not of all pairs."""
        if not self.checkpoints:
            raise RecordError("is empty", "checkpoints")
        for name in (self.images, *(one.file for one in self.checkpoints)):
            if not is_within(name):
                raise RecordError(f"{name[:40]!r} leads out of the run folder")
        count = len(self.checkpoints)
        for name in ("rank_correlation", "outlier_overlap"):
            if [len(row) for row in getattr(self, name)] != [count] * count:
                raise RecordError(f"is no matrix of {count} times {count} numbers", name)

    @property
    def steps(self) -> list[int]:
        return [one.step for one in self.checkpoints]


def read_manifest(run: RunFolder) -> Manifest | None:
    """The table's manifest; None where the run has no table yet, or one that an earlier version
    made and `build` makes anew."""
    if not run.table_manifest.is_file():
        return None
    manifest = read_once(run.table_manifest, _manifest_at)
    return None if manifest is None else _with_history(manifest, history_of(run))


def _manifest_at(path: Path) -> Manifest | None:
    """As it is in a file of a run."""
    cure = _cure(RunFolder(path.parent.parent))
    content = read_json(path, cure=cure)
    if not {"images", "map"} <= content.keys():
        return None
    with record_errors(path, cure=cure):
        manifest = record_of(Manifest, content)
        manifest.check()
    return manifest


def _with_history(manifest: Manifest, history: TrainingHistory) -> Manifest:
    """With what is known of the checkpoints now: some of it comes after the table."""
    return replace(
        manifest,
        checkpoints=[_recorded(one, history.at(one.step)) for one in manifest.checkpoints],
        best=history.best,
    )


def _recorded(one: CheckpointSummary, record: CheckpointRecord) -> CheckpointSummary:
    return replace(
        one,
        epoch=number_of(one.epoch) if record.epoch is None else record.epoch,
        loss=number_of(one.loss) if record.loss is None else record.loss,
        step_known=one.step_known and record.step_known,
    )


def known_steps(run: RunFolder) -> list[int]:
    """The checkpoints that the table holds, even if an earlier version made it; none where there is
    no table."""
    if not run.table_manifest.is_file():
        return []
    manifest = read_record(run.table_manifest, _Steps, cure=_cure(run))
    return [checkpoint.step for checkpoint in manifest.checkpoints]


def named_files(run: RunFolder) -> set[str]:
    """The files of the table that is there now; none of one that cannot be read."""
    try:
        manifest = read_manifest(run)
    except RunError:
        return set()
    return set() if manifest is None else set(manifest.files)


def _cure(run: RunFolder) -> str:
    return f"Delete it and run: {build_command(run)}"


def written_records(run: RunFolder) -> dict[int, CheckpointRecord]:
    """What was known of each checkpoint when the table was written."""
    if not run.table_manifest.is_file():
        return {}
    manifest = read_record(run.table_manifest, _Steps, cure=_cure(run))
    return {one.step: CheckpointRecord(one.epoch, one.loss) for one in manifest.checkpoints}


@dataclass(frozen=True)
class _Step:
    step: int
    epoch: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class _Steps:
    """What the manifests of all versions have in common."""

    checkpoints: list[_Step] = field(default_factory=list)


Checkpoints: TypeAlias = int | str | Sequence[int | str]
"""A step, ``first``, ``last``, ``best``, a range such as ``0-100``, or several of these."""


def steps_named(run: RunFolder, manifest: Manifest, checkpoints: Checkpoints | None) -> list[int]:
    """The steps of a run's table that are named, ascending; None for all. Raises RunError for those
    that it does not hold and CheckpointError where the best one is not known."""
    if checkpoints is None:
        return manifest.steps
    if isinstance(checkpoints, (str, int, Integral)):  # integers of numpy, too
        checkpoints = [str(checkpoints)]
    names = [str(one) for one in checkpoints]
    if not names:
        raise SettingsError("No checkpoint was named. Name some, or leave that out for all.")
    steps: set[int] = set()
    for name in names:
        try:
            steps |= set(select(manifest.steps, [name], best=manifest.best))
        except CheckpointError as error:
            if name == BEST and manifest.best is None:
                raise
            raise RunError(_not_held(run, manifest, name)) from error
    return sorted(steps)


def _not_held(run: RunFolder, manifest: Manifest, name: str) -> str:
    which = f"{name} (step {manifest.best})" if name == BEST else visible(name[:MAX_NAME])
    return (
        f"The table of {run} has no checkpoint {which}; it has "
        f"{', '.join(map(str, manifest.steps))}. Name a step, first, last, best or a range such as "
        f"0-100; `{build_command(run)}` adds others that the run has."
    )


def manifest_with(run: RunFolder, checkpoints: Checkpoints | None) -> Manifest:
    """The manifest of a table that holds these checkpoints. Raises RunError where it does not."""
    manifest = read_manifest(run)
    if manifest is None and not run.path.is_dir():
        raise RunError(f"There is no run {run}: no such folder. Name one that was built.")
    if manifest is None:
        raise RunError(f"Run {run} has no table yet. `{build_command(run)}` makes it.")
    steps_named(run, manifest, checkpoints)
    return manifest
