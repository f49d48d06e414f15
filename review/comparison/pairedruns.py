"""Opens runs on overlapping images and gives what each of them says of the images that all have.

Images are matched by the hash of their bytes, by their decoded pixels, or as copies that were
encoded again with loss; classes by their names.
Everything is read when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis import pairs
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.stages.heads import (
    outputs_of_head,
    stored_head,
)
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table.manifest import steps_named
from review_embeddings.review.comparison.pixelkeys import lossy_keys, pixel_keys
from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.lists.derived import LETTERS

if TYPE_CHECKING:
    import pandas as pd

Run: TypeAlias = RunFolder | str | os.PathLike[str]

MatchBy = Literal["content", "pixels", "lossy"]

MATCH_BY: tuple[MatchBy, ...] = ("content", "pixels", "lossy")
"""By the bytes of the files; by what they show, for copies that were encoded again without loss; or
with loss, as JPEG, too."""

LAST = "last"
"""The checkpoint of each run that is compared where none is named."""

ENOUGH = 0.9
"""Share of each run's images that must be common for a comparison that nobody is asked about."""


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs, at one checkpoint."""

    run: RunFolder
    letter: str
    """``A`` for the first."""
    images: RunImages
    """All of its images."""
    manifest: table.Manifest
    step: int

    @property
    def name(self) -> str:
        """The folder, for people."""
        return self.run.path.resolve().name

    @property
    def suffix(self) -> str:
        """What the names of its columns end in: nothing for the first, ``__b`` for the second."""
        return "" if self.letter == LETTERS[0] else f"__{self.letter.lower()}"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Of its stored embeddings. Raises RunError where they are not there."""
        found = self.run.result_metadata("embeddings", self.step)
        if found is None:
            raise RunError(
                f"Run {self.run} has no embeddings of checkpoint {self.step} any more. "
                f"`{build_command(self.run)}` makes them."
            )
        return found

    @cached_property
    def outputs(self) -> list[str] | None:
        """The class of each output of its head; None without one that says one class an image."""
        head = stored_head(self.metadata)
        if head is None or not head.is_of_one_label:
            return None
        return outputs_of_head(self.images, self.step, self.metadata)

    @cached_property
    def embeddings(self) -> NDArray[np.floating]:
        """Shape (N, D), memory-mapped: of all of its images."""
        return self.run.read_array("embeddings", self.step)

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of the table at this checkpoint, of all of its images."""
        return table.read(self.run, checkpoints=[self.step], columns=list(columns))


@dataclass(frozen=True)
class PairedRuns:
    """Two or more runs, and the M images that all of them have, in the order of the first run."""

    runs: tuple[ComparedRun, ...]
    matching: pairs.Matching
    match_by: MatchBy = "content"
    recoded: int = 0
    """How many common images of other runs are known to be those of the first by what JPEG makes of
    these, not by the same pixels."""
    _spaces: dict[int, pairs.CommonSpace] = field(default_factory=dict, repr=False)
    _neighbors: dict[int, NDArray[np.int32]] = field(default_factory=dict, repr=False)
    _moved: dict[int, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """M, the number of common images."""
        return len(self.matching)

    def rows(self, run: int) -> NDArray[np.intp]:
        """Row of each common image in a run, shape (M,)."""
        return np.asarray(self.matching.rows[run])

    def share(self, run: int) -> float:
        """Share of a run's images that are common, in [0, 1]."""
        return self.matching.share(run)

    def unmatched(self, run: int) -> NDArray[np.intp]:
        """Rows of a run's images that not all others have, ascending."""
        return self.matching.unmatched[run]

    def check_unchanged(self) -> None:
        """Raise RunError where a run was built anew since it was opened."""
        for one in self.runs:
            now = table.read_manifest(one.run)
            if now is None or now.fingerprint != one.manifest.fingerprint:
                raise RunError(f"Run {one.run} was built anew meanwhile. Compare it again.")

    @property
    def is_enough(self) -> bool:
        """Whether at least `ENOUGH` of every run's images are common."""
        return all(self.share(run) >= ENOUGH for run in range(len(self.runs)))

    @cached_property
    def label_classes(self) -> tuple[str, ...]:
        """The classes of all labels: those of the first run, then those that others add."""
        return tuple(
            dict.fromkeys(name for run in self.runs for name in run.manifest.classes or ())
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes of all labels, then those that only heads know."""
        known = [name for run in self.runs for name in run.manifest.prediction_classes or ()]
        return tuple(dict.fromkeys([*self.label_classes, *known]))

    def classes_only_in(self, run: int) -> list[str]:
        """Classes of a run's labels that no other run has."""
        others = {
            name
            for number, one in enumerate(self.runs)
            for name in one.manifest.classes or ()
            if number != run
        }
        return [name for name in self.runs[run].manifest.classes or () if name not in others]

    # -- values of the common images, shape (M,) or (M, ...)

    def column(self, run: int, name: str) -> NDArray[Any]:
        """A column of a run's table."""
        return self._columns[run][name].to_numpy()[self.rows(run)]

    def frame(self, run: int, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of a run's table, in the order of the common images."""
        return self.runs[run].read(columns).iloc[self.rows(run)].reset_index(drop=True)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Shape (K, M): index into `classes`; -1 without a label."""
        return np.stack([self._codes(run, c.LABEL) for run in range(len(self.runs))])

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """Shape (K, M): index into `classes`; -1 without a head."""
        return np.stack([self._codes(run, c.PREDICTION) for run in range(len(self.runs))])

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """Shape (K, M): probability of the prediction; NaN without a head."""
        return np.stack(
            [self.column(run, c.CONFIDENCE).astype(np.float64) for run in range(len(self.runs))]
        )

    @cached_property
    def _columns(self) -> list[pd.DataFrame]:
        return [one.read([c.LABEL, c.PREDICTION, c.CONFIDENCE, c.X, c.Y]) for one in self.runs]

    def _codes(self, run: int, column: str) -> NDArray[np.int64]:
        """A category of a run's table as indices into `classes`."""
        cells = self._columns[run][column].cat
        numbers = {name: number for number, name in enumerate(self.classes)}
        codes = np.array([*(numbers[name] for name in cells.categories), -1], dtype=np.int64)
        return codes[cells.codes.to_numpy()[self.rows(run)]]

    def embeddings(self, run: int) -> NDArray[np.floating]:
        """Shape (M, D); a view of the stored ones where all are common and in this order."""
        stored, rows = self.runs[run].embeddings, self.rows(run)
        return stored if np.array_equal(rows, np.arange(len(stored))) else stored[rows]

    def probabilities(self, run: int, some: slice = slice(None)) -> NDArray[np.float64]:
        """Of all `classes`, shape (M, C), rows sum to 1; of ``some`` of the common images. Classes
        that the head does not know have 0. Raises RunError without a head of one class an image."""
        one = self.runs[run]
        if one.outputs is None:
            raise RunError(f"Run {one.run} has no head that says one class an image.")
        stored = one.run.read_array("probabilities", one.step)[self.rows(run)[some]]
        numbers = {name: number for number, name in enumerate(self.classes)}
        shares = np.zeros((len(stored), len(self.classes)))
        np.add.at(shares.T, [numbers[name] for name in one.outputs], stored.T.astype(np.float64))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    @property
    def have_heads(self) -> bool:
        """Whether every run has a head that says one class an image."""
        return all(one.outputs is not None for one in self.runs)

    @cached_property
    def disagreement(self) -> NDArray[np.float64]:
        """Shape (M,): `pairs.disagreement` of all runs; NaN where not all have such a head."""
        found = np.full(len(self), np.nan)
        if not self.have_heads:
            return found
        size = max(1, BLOCK_VALUES // max(1, len(self.classes)))
        for start in range(0, len(self), size):
            some = slice(start, start + size)
            shares = [self.probabilities(run, some) for run in range(len(self.runs))]
            found[some] = pairs.disagreement(shares)
        return found

    def space(self, run: int) -> pairs.CommonSpace:
        """The space of a run turned onto that of the first, by the common images."""
        if run not in self._spaces:
            self._spaces[run] = pairs.align_spaces(self.embeddings(0), self.embeddings(run))
        return self._spaces[run]

    def neighbors(self, run: int) -> NDArray[np.int32]:
        """Shape (M, k): the nearest common images of each in a run, by its own embedding."""
        if run not in self._neighbors:
            stored = self._stored_neighbors(run)
            near = pairs.neighbors_among(self.embeddings(run)) if stored is None else stored
            self._neighbors[run] = near
        return self._neighbors[run]

    def _stored_neighbors(self, run: int) -> NDArray[np.int32] | None:
        """Those that the run has worked out, as far as all of its images are common and they are
        enough; else None."""
        one, rows = self.runs[run], self.rows(run)
        wanted = min(pairs.NEAR, len(rows) - 1)
        if len(self.unmatched(run)) or one.run.result_metadata("neighbors", one.step) is None:
            return None
        stored = one.run.read_array("neighbors", one.step)
        if stored.shape[1] < wanted:
            return None
        positions = np.empty(len(rows), dtype=np.int32)
        positions[rows] = np.arange(len(rows), dtype=np.int32)
        return np.asarray(positions[stored[rows, :wanted]])

    def shared_neighbors(self, run: int) -> NDArray[np.float64]:
        """Shape (M,): share of the nearest neighbours in the first run that are so in another."""
        return pairs.shared_neighbors(self.neighbors(0), self.neighbors(run))

    def moved(self, run: int) -> NDArray[np.float64]:
        """Shape (M,), >= 0: how far an image lies in a run from where the first has it, against its
        neighbours there (`pairs.moved_between`)."""
        if run not in self._moved:
            self._moved[run] = pairs.moved_between(
                self.space(run), self.embeddings(0), self.embeddings(run), self.neighbors(0)
            ).apart
        return self._moved[run]

    def map_of(self, run: int) -> NDArray[np.float32]:
        """Shape (M, 2): the map of the run's own table, turned or flipped, scaled and shifted onto
        that of the first run."""
        points = np.stack([self.column(run, c.X), self.column(run, c.Y)], axis=1)
        return points if run == 0 else self.map_fit(run).apply(points)

    def map_fit(self, run: int) -> pairs.Similarity:
        """How the map of a run gets onto that of the first."""
        own, first = (
            np.stack([self.column(one, c.X), self.column(one, c.Y)], axis=1) for one in (run, 0)
        )
        return pairs.align_maps(own, first)

    def common_maps(self, run: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The first run and another on one plane, both spaces aligned: shape (M, 2) each."""
        return self.space(run).maps(self.embeddings(0), self.embeddings(run))

    def beside(self, *, positions: bool = True) -> RunsBeside:
        """What all runs say of the N images of the first one, for the lists; without ``positions``
        embeddings are not compared."""
        rows, total = self.rows(0), len(self.runs[0].images)
        moved = np.full(len(self), np.nan)
        if positions:
            moved = np.max([self.moved(run) for run in range(1, len(self.runs))], axis=0)

        def of_all(values: NDArray[Any], missing: float) -> NDArray[Any]:
            spread = np.full((*values.shape[:-1], total), missing, dtype=values.dtype)
            spread[..., rows] = values
            return spread

        return RunsBeside(
            common=of_all(np.ones(len(self), dtype=bool), False),
            classes=self.classes,
            labels=of_all(self.labels, -1),
            predictions=of_all(self.predictions, -1),
            confidence=of_all(self.confidence, np.nan),
            disagreement=of_all(self.disagreement, np.nan),
            moved=of_all(moved, np.nan),
        )


BLOCK_VALUES = 4_000_000
"""Probabilities of a run that are looked at together: 32 MB."""


def pair_runs(
    runs: Sequence[Run],
    *,
    checkpoints: str | int | Sequence[str | int] = LAST,
    match_by: MatchBy = "content",
    progress: Progress = SILENT,
) -> PairedRuns:
    """Open two or more runs and match their images.

    ``checkpoints``: a step, ``first``, ``last`` or ``best`` for all runs, or one of these for each.
    Raises RunError for a run without a table or without this checkpoint, SettingsError for less
    than two runs, too many, or runs without a common image.
    """
    if not 2 <= len(runs) <= len(LETTERS):
        raise SettingsError(f"{len(runs)} runs: name two, or up to {len(LETTERS)}.")
    if match_by not in MATCH_BY:
        raise SettingsError(f"Unknown matching {match_by!r}; there are {', '.join(MATCH_BY)}.")
    names = _each(checkpoints, len(runs))
    opened = tuple(
        _open(run, letter, name) for run, letter, name in zip(runs, LETTERS, names, strict=False)
    )
    found = _paired(opened, match_by, progress)
    if not len(found):
        raise SettingsError(_nothing_in_common(found))
    return found


def _paired(runs: tuple[ComparedRun, ...], match_by: MatchBy, progress: Progress) -> PairedRuns:
    """The runs with their images matched."""
    images = [one.images for one in runs]
    if match_by == "lossy":
        keys, copies = lossy_keys(images, progress)
        found = pairs.match(*keys)
        return PairedRuns(runs, found, match_by, _recoded(found, copies))
    of_each = [one.hashes if match_by == "content" else pixel_keys(one, progress) for one in images]
    return PairedRuns(runs, pairs.match(*of_each), match_by)


def _recoded(found: pairs.Matching, copies: Sequence[Collection[int]]) -> int:
    """How many of the common images are copies with loss in some run."""
    several = [np.isin(rows, [*own]) for rows, own in zip(found.rows, copies, strict=True)]
    return int(np.any(several, axis=0).sum())


def _each(checkpoints: str | int | Sequence[str | int], count: int) -> list[str | int]:
    if isinstance(checkpoints, (str, int)):
        return [checkpoints] * count
    names = list(checkpoints)
    if len(names) == 1:
        return names * count
    if len(names) != count:
        raise SettingsError(
            f"{len(names)} checkpoints for {count} runs: name one for all, or one for each."
        )
    return names


def _open(run: Run, letter: str, checkpoint: str | int) -> ComparedRun:
    folder = run if isinstance(run, RunFolder) else run_at(run)
    manifest, images = table.read_manifest(folder), read_images(folder)
    if manifest is None or images is None:
        raise RunError(f"Run {folder} has no table yet. Run: {build_command(folder)}")
    steps = steps_named(folder, manifest, [checkpoint])
    if len(steps) != 1:
        raise SettingsError(f"Checkpoint {checkpoint} names {len(steps)} of {folder}: name one.")
    return ComparedRun(folder, letter, images, manifest, steps[0])


def _nothing_in_common(found: PairedRuns) -> str:
    names = " and ".join(str(one.run) for one in found.runs)
    cure = (
        "Compare runs on the same images"
        if found.match_by == "lossy"
        else "Where one has copies that were encoded again, --match pixels looks at what they show,"
        " --match lossy also at what JPEG has changed"
    )
    return f"{names} have no image in common. {cure}."
