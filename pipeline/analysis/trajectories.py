"""What became of each image over all checkpoints of a run: its label, its position in the
embedding, its rank as an outlier.

The checkpoints come one after the other and each is read once, so that memory does not grow with
their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.categories import LIVES
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.analysis.project import block_rows

NEAR_VALUES = 1 << 16
"""Numbers of the ways that are worked on at once: half a MiB of float64 stays near the
processor."""

HELD_VALUES = 10_000_000
"""Numbers of all vectors up to which these are kept in float64: 80 MB a checkpoint."""

LEAST = 2.0**-149
"""The smallest probability in float32: what was stored as 0 counts as this in logarithms."""


OVERLAP_ROWS = 1 << 14
"""Images whose neighbours are compared at once: 4 MB for 15 of each."""


@dataclass(frozen=True)
class CheckpointValues:
    """What was found about all images at one checkpoint."""

    step: int
    percentile: NDArray[np.floating]
    """Shape (N,): ood_percentile; lower is more atypical."""
    outlier: NDArray[np.bool_]
    """Shape (N,): among the worst of this checkpoint."""
    neighbors: NDArray[np.integer]
    """Shape (N, k)."""
    moved: NDArray[np.floating] | None = None
    """Shape (N,): how far each image moved from the checkpoint before (`movement`); None at
    the first."""
    kept: NDArray[np.floating] | None = None
    """Shape (N,): share of its neighbours that stayed since then (`overlap`); None at the first."""
    probabilities: ClassProbabilities | None = None
    """Of the classes of the labels, in their order; None without a head."""
    apart: NDArray[np.floating] | None = None
    """Shape (N,): how far each image moved against its neighbours; None at the first."""


@dataclass(frozen=True)
class Trajectories:
    """One value an image, shape (N,) each.

    Those about labels are NaN (or -1) for images without one, and those about predictions in runs
    without heads; those that compare the classes of one label, in runs where an image may have
    several.
    """

    mean_percentile: NDArray[np.float32]
    consensus_rank: NDArray[np.int32]
    life: NDArray[np.int8]
    """Index into `LIVES`."""
    life_step: NDArray[np.int64]
    """Step from which a resolved one is no outlier any more, an emergent one always; -1 for the
    others."""
    drift: NDArray[np.float32]
    """Distance moved in the embedding over all checkpoints, each aligned to the one before; the
    root mean square length of a vector is 1."""
    drift_from_neighbors: NDArray[np.float32]
    """The same seen from the image's neighbours: each time those of the checkpoint before, whose
    mean movement is taken away (`Movement.apart`); NaN with one checkpoint."""
    neighbors_kept: NDArray[np.float32]
    """Share of the nearest neighbours that stay from one checkpoint to the next, the mean over all
    steps, in [0, 1]."""
    neighbors_kept_ends: NDArray[np.float32]
    """Share of the first checkpoint's nearest neighbours that are so at the last one too."""
    label_mean: NDArray[np.float32]
    """Mean probability of the given label ("confidence" of Swayamdipta et al. 2020, "Dataset
    Cartography")."""
    label_variability: NDArray[np.float32]
    """Its standard deviation ("variability", ibid.)."""
    aum: NDArray[np.float32]
    """Mean of logit of the given label minus the largest other logit (Pleiss et al. 2020, "Area
    Under the Margin"), from float32 probabilities: a margin is exact up to 87 and at most 103."""
    learnt_at: NDArray[np.int64]
    """First step from which the prediction is the given label at every later checkpoint; -1 for
    never."""
    forgotten: NDArray[np.int32]
    """How often a right prediction turned wrong from one checkpoint to the next (Toneva et al.
    2019)."""
    flips: NDArray[np.int32]
    """How often the prediction changed."""
    steps: list[int] = field(default_factory=list)
    correlation: list[list[float]] = field(default_factory=list)
    """Spearman correlation of the OOD ranks for each pair of checkpoints."""
    overlap: list[list[float]] = field(default_factory=list)
    """Share of the outliers of one that are so at the other, for each pair."""


class TrajectoryBuilder:
    """Takes the checkpoints in order of training, then gives the trajectories."""

    def __init__(self, labels: NDArray[np.integer], ids: NDArray[np.integer] | None = None) -> None:
        """``labels``, shape (N,): class index, -1 without one. ``ids``, shape (N,): what images of
        equal values are ranked by; None for their order."""
        self._ids = np.arange(len(labels)) if ids is None else np.asarray(ids)
        self._labels = np.asarray(labels, dtype=np.int64)
        total = len(labels)
        self._known = self._labels >= 0
        self._steps: list[int] = []
        self._percentiles: list[NDArray[np.float32]] = []
        self._outliers: list[NDArray[np.bool_]] = []
        self._drift, self._apart = np.zeros(total), np.zeros(total)
        self._kept = np.zeros(total)
        self._ends: list[NDArray[np.integer]] = []
        self._sum, self._squares, self._margins = np.zeros(total), np.zeros(total), np.zeros(total)
        self._headed = 0
        self._one_label = True
        self._learnt = np.full(total, -1, dtype=np.int64)
        self._forgotten, self._flips = (
            np.zeros(total, dtype=np.int32),
            np.zeros(total, dtype=np.int32),
        )
        self._prediction: NDArray[np.int64] | None = None

    def add(self, seen: CheckpointValues) -> None:
        """The next checkpoint."""
        self._steps.append(seen.step)
        self._percentiles.append(np.asarray(seen.percentile, dtype=np.float32))
        self._outliers.append(seen.outlier)
        if seen.moved is not None and seen.kept is not None:
            self._drift += seen.moved
            self._apart += 0 if seen.apart is None else seen.apart
            self._kept += seen.kept
        self._ends = [*(self._ends or [seen.neighbors])[:1], seen.neighbors]
        if not self._known.any():
            return
        likely = seen.probabilities
        if likely is not None:
            self._one_label = self._one_label and likely.one_label
            self._add_predictions(seen.step, likely)

    def _add_predictions(self, step: int, likely: ClassProbabilities) -> None:
        rows, given = np.arange(len(self._labels)), np.where(self._known, self._labels, 0)
        own, prediction = likely.stated[rows, given], likely.predicted
        right = self._known & (prediction == given)
        self._sum += own
        self._squares += own**2
        logs = np.log(np.maximum(likely.shares, LEAST))
        self._margins += margins(
            logs, given
        )  # differences of log-probabilities are those of logits
        if self._prediction is not None:
            self._flips += prediction != self._prediction
            self._forgotten += (self._prediction == given) & ~right
        self._learnt = np.where(right, np.where(self._learnt < 0, step, self._learnt), -1)
        self._prediction = prediction
        self._headed += 1

    def finish(self) -> Trajectories:
        """The trajectories over what was added; at least one checkpoint."""
        assert self._ends, "no checkpoint was added"
        percentiles = np.stack(self._percentiles)
        mean = np.round(percentiles.mean(axis=0, dtype=np.float64), 6)
        life, life_step = lives(np.stack(self._outliers), self._steps)
        passes = max(1, len(self._steps) - 1)
        kept = self._kept / passes if len(self._steps) > 1 else np.ones(len(self._labels))
        return Trajectories(
            mean_percentile=mean.astype(np.float32),
            consensus_rank=ranks_of(mean, self._ids),
            life=life,
            life_step=life_step,
            drift=self._drift.astype(np.float32),
            drift_from_neighbors=(
                self._apart if len(self._steps) > 1 else np.full(len(self._labels), np.nan)
            ).astype(np.float32),
            neighbors_kept=kept.astype(np.float32),
            neighbors_kept_ends=overlap(self._ends[0], self._ends[-1]).astype(np.float32),
            **self._of_predictions(),
            flips=self._flips,
            steps=list(self._steps),
            correlation=_correlations(percentiles),
            overlap=_overlaps(np.stack(self._outliers)),
        )

    def _of_predictions(self) -> dict[str, NDArray[Any]]:
        """The fields that are about the predictions of the given labels."""
        judged = self._known & (self._headed > 0)
        count = max(1, self._headed)
        mean = self._sum / count
        values = {
            "label_mean": mean,
            "label_variability": np.sqrt(np.maximum(self._squares / count - mean**2, 0)),
            "aum": self._margins / count if self._one_label else np.full_like(mean, np.nan),
        }
        return {
            **{
                name: np.where(judged, value, np.nan).astype(np.float32)
                for name, value in values.items()
            },
            "learnt_at": np.where(judged, self._learnt, -1),
            "forgotten": self._forgotten * judged,
        }


def ranks_of(values: NDArray[np.floating], ids: NDArray[np.integer]) -> NDArray[np.int32]:
    """Rank of each value, shape (N,), 1 for the lowest; equal ones by their ids."""
    ranks = np.empty(len(values), dtype=np.int32)
    ranks[np.lexsort((ids, values))] = np.arange(1, len(values) + 1)
    return ranks


def margins(values: NDArray[np.float64], given: NDArray[np.integer]) -> NDArray[np.float64]:
    """Value of the given class minus the largest other one, of values of shape (N, C); shape (N,),
    0 where there is one class."""
    rows = np.arange(len(given))
    if values.shape[1] < 2:
        return np.zeros(len(given))
    others = values.copy()
    others[rows, given] = -np.inf
    return np.asarray(values[rows, given] - others.max(axis=1))


@dataclass(frozen=True)
class Movement:
    """How far each image moved between two checkpoints, in units of the root mean square length."""

    moved: NDArray[np.float64]
    """Shape (N,), >= 0."""
    apart: NDArray[np.float64]
    """Shape (N,), >= 0: length of its movement minus the mean of those of its neighbours. An image
    that moves with them scores 0 however far they go; one without neighbours, like ``moved``."""


def movement(
    before: NDArray[np.floating], after: NDArray[np.floating], neighbors: NDArray[np.integer]
) -> Movement:
    """How each vector moved between two checkpoints that may be turned against each other.

    ``before``, ``after``: shape (N, D); ``neighbors``, shape (N, k): those of each ``before``.
    Both are centred and brought to a root mean square length of 1, then the earlier is turned onto
    the later in the full space (orthogonal Procrustes, SciPy's). Checkpoints of different dimension
    cannot be compared: no movement.
    """
    ways = _ways(before, after)
    if ways is None:
        return Movement(np.zeros(len(before)), np.zeros(len(before)))
    moved, apart = np.empty(len(before)), np.empty(len(before))
    size = max(1, NEAR_VALUES // before.shape[1])
    theirs = np.empty((size, before.shape[1]), ways.dtype)
    for start in range(0, len(before), size):
        rows = slice(start, start + size)
        own = ways[rows].astype(np.float64)
        moved[rows] = np.linalg.norm(own, axis=1)
        for column in neighbors[rows].T:
            one = np.take(ways, column, axis=0, out=theirs[: len(own)], mode="clip")
            one /= neighbors.shape[1]
            own -= one
        apart[rows] = np.linalg.norm(own, axis=1)
    return Movement(moved, apart)


def _ways(
    before: NDArray[np.floating], after: NDArray[np.floating]
) -> NDArray[np.float32 | np.float64] | None:
    """The way of each vector, shape (N, D), of the type of the vectors; None where nothing can be
    said."""
    from scipy.linalg import svd

    if before.shape[1] != after.shape[1]:
        return None
    both = [_Standardised.of(vectors) for vectors in (before, after)]
    if not all(one.size for one in both):
        return None
    dimension = before.shape[1]
    products = np.zeros((dimension, dimension))
    for one, other in zip(*both, strict=True):
        products += one.T @ other
    left, _, right = svd(products)
    rotation = left @ right  # as SciPy's orthogonal_procrustes has it
    ways = np.empty(before.shape, dtype=np.result_type(before.dtype, np.float32))
    turned = np.empty((min(len(before), block_rows(dimension)), dimension))
    start = 0
    for one, other in zip(*both, strict=True):
        np.matmul(one, rotation, out=turned[: len(one)])
        way = ways[start : start + len(one)]
        np.subtract(other, turned[: len(one)], out=way, dtype=np.float64, casting="same_kind")
        start += len(one)
    return ways


@dataclass(frozen=True)
class _Standardised:
    """Vectors, shape (N, D), seen from their mean and in units of their root mean square length, in
    float64."""

    vectors: NDArray[np.floating]
    middle: NDArray[np.float64]
    size: float
    """Root mean square length, seen from the mean."""
    held: list[NDArray[np.float64]]
    """All of them, once they were asked for and are few."""

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> _Standardised:
        middle, squares = np.asarray(np.mean(vectors, axis=0, dtype=np.float64)), 0.0
        room = np.empty((min(len(vectors), block_rows(vectors.shape[1])), vectors.shape[1]))
        for block in _blocks_of(vectors):
            seen = room[: len(block)]
            for some in _parts_of(block):
                part = np.subtract(block[some], middle, out=seen[some])
                np.square(part, out=part)
            squares += float(seen.sum())
        return cls(vectors, middle, float(np.sqrt(squares / len(vectors))), [])

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Blocks of rows, which are not to be changed."""
        if self.held:
            yield from self.held
            return
        for block in _blocks_of(self.vectors):
            seen = np.empty(block.shape)
            for some in _parts_of(block):
                part = np.subtract(block[some], self.middle, out=seen[some])
                part /= self.size
            if self.vectors.size <= HELD_VALUES:
                self.held.append(seen)
            yield seen


def _blocks_of(vectors: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Rows that are looked at together, some after the other."""
    size = block_rows(vectors.shape[1])
    return (vectors[start : start + size] for start in range(0, len(vectors), size))


def _parts_of(block: NDArray[np.floating]) -> Iterator[slice]:
    """Rows of it that stay near the processor."""
    size = max(1, NEAR_VALUES // block.shape[1])
    return (slice(start, start + size) for start in range(0, len(block), size))


def overlap(one: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of the neighbours in each row of one that are in the same row of the other, shape (N,);
    1 where there are none."""
    if one.shape[1] == 0:
        return np.ones(len(one))
    found = np.empty(len(one))
    for start in range(0, len(one), OVERLAP_ROWS):
        rows = slice(start, start + OVERLAP_ROWS)
        same = np.asarray(one[rows])[:, :, None] == np.asarray(other[rows])[:, None, :]
        found[rows] = same.any(axis=2).mean(axis=1)
    return found


def lives(
    outliers: NDArray[np.bool_], steps: list[int]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Life of each image as an outlier and the step at which it was decided; ``outliers`` of shape
    (K, N)."""
    first, last = outliers[0], outliers[-1]
    life = np.where(outliers.any(axis=0), LIVES.index("passing"), LIVES.index("never"))
    life[first & ~last] = LIVES.index("resolved")
    life[~first & last] = LIVES.index("emergent")
    life[first & last] = LIVES.index("persistent")
    changed = outliers[1:] != outliers[:-1]
    # the last change of each image: what it is from there on, it stays
    at = (
        len(steps) - 1 - np.argmax(changed[::-1], axis=0)
        if len(steps) > 1
        else np.zeros(outliers.shape[1], dtype=np.int64)
    )
    decided = np.isin(life, [LIVES.index("resolved"), LIVES.index("emergent")])
    return life.astype(np.int8), np.where(decided, np.array(steps, dtype=np.int64)[at], -1)


def _correlations(percentiles: NDArray[np.float32]) -> list[list[float]]:
    """Percentiles are ranks, so their correlation is Spearman's; 1 with itself, 0 where all are
    equal."""
    centred = percentiles.astype(np.float64) - percentiles.mean(
        axis=1, dtype=np.float64, keepdims=True
    )
    lengths = np.linalg.norm(centred, axis=1)
    unit = centred / np.where(lengths == 0, 1.0, lengths)[:, None]
    correlation = (unit @ unit.T).clip(-1, 1)
    np.fill_diagonal(correlation, 1.0)
    return [[round(float(value), 4) for value in row] for row in correlation]


def _overlaps(outliers: NDArray[np.bool_]) -> list[list[float]]:
    """1 of a checkpoint without outliers, of which none is lost."""
    common = outliers.astype(np.float64) @ outliers.T.astype(np.float64)
    counts = outliers.sum(axis=1)
    common[counts == 0] = 1.0
    return [
        [round(float(value), 4) for value in row] for row in common / np.maximum(counts, 1)[:, None]
    ]
