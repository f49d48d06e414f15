"""Compares two runs on the images that both have: which row is which, how alike their embeddings
are, and how certain a difference between their accuracies is. Arrays in, arrays out.

Row i of every array about common images is the same image in all runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.project import (
    RANGE,
    Moments,
    block_rows,
    fit_onto,
    in_blocks,
)
from review_embeddings.pipeline.analysis.trajectories import Movement, movement, overlap

Vectors: TypeAlias = NDArray[np.floating]

NEAR = 15
"""Neighbours that are compared, as for the trust in a map."""

CONFIDENCE = 0.95
"""Of all intervals."""


# -- which image is which


@dataclass(frozen=True)
class Matching:
    """The images that all of K runs have."""

    rows: NDArray[np.intp]
    """Shape (K, M): row of each common image in each run, in the order of the first one."""
    unmatched: tuple[NDArray[np.intp], ...]
    """Rows of each run that not all others have, ascending."""
    repeated: int
    """How many of the common images have a key that some run holds more than once."""

    def __len__(self) -> int:
        return int(self.rows.shape[1])

    def share(self, run: int) -> float:
        """Share of the images of a run that are common, in [0, 1]; 1 of a run without any."""
        total = len(self) + len(self.unmatched[run])
        return len(self) / total if total else 1.0


def match(*keys: Sequence[str | None]) -> Matching:
    """Match the rows of runs that have the same key, such as the hash of an image.

    Where a run holds a key several times, the first occurrence in one run is the first in the
    others, and so on; what only some have is unmatched. A key of None matches nothing.
    """
    indices = [_by_occurrence(one) for one in keys]
    common = [key for key in indices[0] if all(key in other for other in indices[1:])]
    rows = np.array([[one[key] for key in common] for one in indices], dtype=np.intp)
    rows = rows.reshape(len(keys), len(common))
    several = {key for one in indices for key, number in one if number}
    unmatched = tuple(
        np.setdiff1d(np.arange(len(one)), matched) for one, matched in zip(keys, rows, strict=True)
    )
    return Matching(rows, unmatched, sum(key in several for key, _ in common))


def _by_occurrence(keys: Sequence[str | None]) -> dict[tuple[str, int], int]:
    """The row of each key and number of its occurrence, in the order of the rows."""
    seen: defaultdict[str, int] = defaultdict(int)
    rows = {}
    for row, key in enumerate(keys):
        if key is not None:
            rows[key, seen[key]] = row
            seen[key] += 1
    return rows


# -- how alike embeddings are


@dataclass(frozen=True)
class Likeness:
    """How alike two embeddings of the same N images are, whatever their dimensions."""

    disparity: float
    """Share of the first one's spread that the second, turned onto it in a common dimension, does
    not match, in [0, 1]; 0 is a perfect match (orthogonal Procrustes analysis)."""
    cka: float
    """Linear centred kernel alignment, in [0, 1]; 1 is a perfect match up to a turn and a scale
    (Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited")."""
    disparity_by_chance: float
    """The same with the images of the second one shuffled once (seeded)."""
    cka_by_chance: float
    """The same with the images of the second one shuffled once (seeded)."""


@dataclass(frozen=True)
class RunSpace:
    """How the embeddings of one run get into the common space: ``(rows - mean) @ axes``."""

    mean: NDArray[np.float64]
    """Shape (D,): of the common images."""
    axes: NDArray[np.float64]
    """Shape (D, d): the axes of its PCA, turned and scaled."""
    kept: float
    """Share of the variance that d dimensions hold, in [0, 1]."""

    def coordinates(self, rows: Vectors, count: int | None = None) -> NDArray[np.float32]:
        """Shape (N, d) or (N, ``count``), the first ones, of rows of shape (N, D), which may be of
        other images too."""
        axes = self.axes[:, :count]
        parts = [((block - self.mean) @ axes).astype(np.float32) for block in in_blocks(rows)]
        return np.concatenate(parts) if parts else np.empty((0, axes.shape[1]), np.float32)


@dataclass(frozen=True)
class CommonSpace:
    """Two embedding spaces turned onto each other by the images that both have."""

    first: RunSpace
    """That of the first run: its PCA, scaled to a root mean square length of 1."""
    second: RunSpace
    """That of the second run: its PCA, turned onto the first and scaled likewise."""
    likeness: Likeness

    @property
    def dimension(self) -> int:
        """d: that of the smaller space, at most N - 1."""
        return int(self.first.axes.shape[1])

    def maps(
        self, first: Vectors, second: Vectors
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both embeddings on one plane, the principal one of the first run: shape (N, 2) each, in
        one range [-RANGE, RANGE]. Rows may be of other images too."""
        points = [
            _plane(space.coordinates(rows, 2))
            for space, rows in ((self.first, first), (self.second, second))
        ]
        largest = max((float(np.abs(one).max(initial=0.0)) for one in points), default=0.0)
        factor = RANGE / largest if largest else 1.0
        one, other = ((one * factor).clip(-RANGE, RANGE).astype(np.float32) for one in points)
        return one, other


def align_spaces(first: Vectors, second: Vectors, *, seed: int = 0) -> CommonSpace:
    """Turn the space of one run onto that of another by their common images.

    ``first``, ``second``: shape (N, D) each, D may differ; row i is the same image. Both are
    centred, reduced by PCA to the dimension of the smaller one (at most N - 1) and brought to a
    root mean square length of 1; then the second is turned or flipped onto the first (Schonemann
    1966, "A generalized solution of the orthogonal Procrustes problem"; SciPy's). All products in
    float64. Raises ValueError for different numbers of images, or none.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} rows are not the same images")
    sides = [_Side.of(first), _Side.of(second)]
    dimension = max(1, min(len(first) - 1, *(len(one.mean) for one in sides)))
    shuffled = np.random.default_rng(seed).permutation(len(second))
    products = [_cross(sides, first, second, order) for order in (None, shuffled)]
    spaces = [one.space(dimension) for one in sides]
    turned = [_turn(spaces, one) for one in products]
    likeness = Likeness(
        turned[0][1],
        _cka(sides, products[0]),
        turned[1][1],
        _cka(sides, products[1]),
    )
    own, other = spaces
    return CommonSpace(own, RunSpace(other.mean, other.axes @ turned[0][0], other.kept), likeness)


def linear_cka(first: Vectors, second: Vectors) -> float:
    """Linear centred kernel alignment of two embeddings of the same images, shape (N, D) each, in
    [0, 1]: ``|X'Y|^2 / (|X'X| |Y'Y|)`` of centred X and Y (Kornblith et al. 2019). 0 where one of
    them is constant."""
    sides = [_Side.of(first), _Side.of(second)]
    return _cka(sides, _cross(sides, first, second, None))


def shared_neighbors(
    first: NDArray[np.integer], second: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Share of each image's nearest neighbours in one run that are so in the other, shape (N,), in
    [0, 1]. ``first``, ``second``: shape (N, k), among the common images. By chance it is k /
    (N - 1)."""
    return overlap(first, second)


def neighbors_among(vectors: Vectors, k: int = NEAR) -> NDArray[np.int32]:
    """The k nearest others of each of some images, shape (N, min(k, N - 1)), nearest first."""
    return nearest_neighbors(vectors, k).indices


def moved_between(
    space: CommonSpace, first: Vectors, second: Vectors, neighbors: NDArray[np.integer]
) -> Movement:
    """How far each common image lies from where the first run has it, and how far against its
    ``neighbors`` there, shape (N, k): `trajectories.movement` in the common space."""
    own, other = space.first.coordinates(first), space.second.coordinates(second)
    return movement(own, other, neighbors)


@dataclass(frozen=True)
class _Side:
    """The second moments of one embedding."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    """Shape (D, D)."""

    @classmethod
    def of(cls, rows: Vectors) -> _Side:
        moments = Moments.of(rows, rows[0])
        return cls(moments.origin + moments.total / moments.count, moments.covariance)

    def space(self, dimension: int) -> RunSpace:
        """Its PCA, scaled to a root mean square length of 1."""
        from scipy.linalg import eigh

        width = len(self.mean)
        along, axes = eigh(self.covariance, subset_by_index=[width - dimension, width - 1])
        along, axes = along[::-1].clip(0), axes[:, ::-1]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
        kept, total = float(along.sum()), float(np.trace(self.covariance))
        axes = axes * np.where(largest < 0, -1.0, 1.0)
        if kept <= 0:
            return RunSpace(self.mean, axes, 0.0)
        return RunSpace(self.mean, axes / np.sqrt(kept), min(1.0, kept / total))


def _cross(
    sides: Sequence[_Side],
    first: Vectors,
    second: Vectors,
    order: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Mean of the products of each two columns, shape (D of the first, D of the second), the images
    of the second in another order if asked for."""
    products = np.zeros((len(sides[0].mean), len(sides[1].mean)))
    for rows in _blocks(first, second):
        theirs = second[rows] if order is None else second[order[rows]]
        own = np.asarray(first[rows], dtype=np.float64) - sides[0].mean
        products += own.T @ (np.asarray(theirs, dtype=np.float64) - sides[1].mean)
    return products / len(first)


def _blocks(first: Vectors, second: Vectors) -> Iterator[slice]:
    size = block_rows(max(first.shape[1], second.shape[1], 1))
    return (slice(start, start + size) for start in range(0, len(first), size))


def _turn(
    spaces: Sequence[RunSpace], products: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The turn of the second space onto the first, and the disparity that is left."""
    from scipy.linalg import orthogonal_procrustes

    between = spaces[1].axes.T @ products.T @ spaces[0].axes
    if not spaces[0].kept or not spaces[1].kept:
        alike = not spaces[0].kept and not spaces[1].kept
        return np.eye(len(between)), 0.0 if alike else 1.0
    rotation, similarity = orthogonal_procrustes(np.eye(len(between)), between)
    return np.asarray(rotation, dtype=np.float64), float(np.clip(1 - similarity**2, 0, 1))


def _cka(sides: Sequence[_Side], products: NDArray[np.float64]) -> float:
    sizes = [float(np.linalg.norm(one.covariance)) for one in sides]
    if not all(sizes):
        return 0.0
    return float(np.clip(float(np.linalg.norm(products)) ** 2 / (sizes[0] * sizes[1]), 0, 1))


def _plane(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """With a second column of 0 where there is one dimension."""
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


# -- maps


@dataclass(frozen=True)
class Similarity:
    """A turn or flip, a scale and a shift of maps: ``scale * points @ rotation + shift``."""

    rotation: NDArray[np.float64]
    """Orthogonal matrix of shape (2, 2)."""
    scale: float
    """> 0."""
    shift: NDArray[np.float64]
    """Shape (2,)."""
    disparity: float
    """Share of the reference's spread that is not matched, in [0, 1]; 0 is a perfect match."""

    def apply(self, points: Vectors) -> NDArray[np.float32]:
        """Shape (N, 2), of points that may be of other images too."""
        moved = self.scale * np.asarray(points, dtype=np.float64) @ self.rotation + self.shift
        return np.asarray(moved, dtype=np.float32)


def align_maps(points: Vectors, reference: Vectors) -> Similarity:
    """Turn or flip, scale and shift one map onto another by their common images, as the checkpoints
    of a run are aligned: shape (N, 2) each."""
    own, other = (np.asarray(one, dtype=np.float64) for one in (points, reference))
    middles = own.mean(axis=0), other.mean(axis=0)
    fit = fit_onto(own - middles[0], other - middles[1])
    size = float(np.linalg.norm(other - middles[1]))
    scale = fit.scale * size if size else fit.scale
    shift = middles[1] - scale * middles[0] @ fit.rotation
    return Similarity(fit.rotation, scale, shift, fit.disparity)


# -- how certain a difference is


@dataclass(frozen=True)
class Share:
    """A count of N images, with the interval of the share that it estimates."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """In [0, 1]; NaN of no images."""
        return self.count / self.total if self.total else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval of 95 % (SciPy's `binomtest`); (0, 1) of no images."""
        from scipy.stats import binomtest

        if not self.total:
            return 0.0, 1.0
        found = binomtest(self.count, self.total).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class PairedCounts:
    """How two runs are right about the same N images."""

    both_right: int
    only_first: int
    """Right in the first run, wrong in the second."""
    only_second: int
    """Wrong in the first run, right in the second."""
    both_wrong: int
    total: int = field(init=False)

    def __post_init__(self) -> None:
        counts = (self.both_right, self.only_first, self.only_second, self.both_wrong)
        object.__setattr__(self, "total", sum(counts))

    @classmethod
    def of(cls, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedCounts:
        """Of what is right in each run, shape (N,) each."""
        return cls(
            int((first & second).sum()),
            int((first & ~second).sum()),
            int((~first & second).sum()),
            int((~first & ~second).sum()),
        )

    @property
    def first(self) -> Share:
        """The accuracy of the first run."""
        return Share(self.both_right + self.only_first, self.total)

    @property
    def second(self) -> Share:
        """The accuracy of the second run."""
        return Share(self.both_right + self.only_second, self.total)

    @property
    def difference(self) -> float:
        """Accuracy of the second run minus that of the first, in [-1, 1]; NaN of no images."""
        if not self.total:
            return float("nan")
        return (self.only_second - self.only_first) / self.total

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test, two-sided: of the images that only one run has right, each is as
        likely to be the one's as the other's (McNemar 1947; SciPy's `binomtest`). 1 where there are
        none."""
        from scipy.stats import binomtest

        unequal = self.only_first + self.only_second
        return float(binomtest(self.only_second, unequal).pvalue) if unequal else 1.0

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Of the difference, 95 %: the hybrid score interval for paired proportions (Newcombe 1998,
        "Improved confidence intervals for the difference between binomial proportions based on
        paired data", method 10). (-1, 1) of no images."""
        if not self.total:
            return -1.0, 1.0
        shares = (self.second, self.first)
        down, up = ([abs(one.value - one.interval[end]) for one in shares] for end in (0, 1))
        correlation = self._correlation()
        low = _hybrid(down[0], up[1], correlation)
        high = _hybrid(up[0], down[1], correlation)
        return max(-1.0, self.difference - low), min(1.0, self.difference + high)

    def _correlation(self) -> float:
        """Phi of the four counts, with Newcombe's correction for continuity."""
        first, second = self.first.count, self.second.count
        spread = float(first) * (self.total - first) * second * (self.total - second)
        if not spread:
            return 0.0
        product = self.both_right * self.both_wrong - self.only_first * self.only_second
        if product > 0:
            return float(max(product - self.total / 2, 0.0) / np.sqrt(spread))
        return float(product / np.sqrt(spread))


def _hybrid(one: float, other: float, correlation: float) -> float:
    return float(np.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values of several tests, corrected so that the chance of any false one stays what it says
    (Holm 1979, "A simple sequentially rejective multiple test procedure"), in [0, 1], in order."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    weights = len(values) - np.arange(len(values))
    corrected[order] = np.maximum.accumulate(values[order] * weights).clip(max=1)
    return [float(one) for one in corrected]


# -- how much runs disagree


def disagreement(probabilities: Sequence[Vectors]) -> NDArray[np.float64]:
    """How much K runs disagree about each image, shape (N,), in [0, 1]; higher is more.

    The mutual information between the class and the run that is asked, ``H(mean) - mean H``,
    divided by its largest possible value log(min(K, C)): 0 where all runs give the same
    probabilities, 1 where each is certain of a class of its own (or, with K > C, they are certain
    and evenly spread over all classes). Source: Houlsby et al. 2011, "Bayesian Active Learning for
    Classification and Preference Learning"; Smith and Gal 2018 for ensembles.

    ``probabilities``: one array of shape (N, C) a run, rows sum to 1. 0 for one run or one class.
    Raises ValueError for different shapes.
    """
    shapes = {one.shape for one in probabilities}
    if len(shapes) != 1:
        raise ValueError(f"probabilities of the same images and classes, not {sorted(shapes)}")
    ((total, classes),) = shapes
    found = np.zeros(total)
    most = min(len(probabilities), classes)
    if most < 2:
        return found
    start = 0
    for blocks in zip(*map(in_blocks, probabilities), strict=True):
        mean = np.mean(blocks, axis=0)
        own = np.mean([_entropy(block) for block in blocks], axis=0)
        found[start : start + len(mean)] = (_entropy(mean) - own) / np.log(most)
        start += len(mean)
    return found.clip(0, 1)


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """In nats, of each row."""
    from scipy.special import entr

    return np.asarray(entr(shares).sum(axis=1))
