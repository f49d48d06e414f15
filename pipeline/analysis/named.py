"""Finds the groups among the images that stand apart: those that are each other's neighbours at all
checkpoints, with the border where a judge puts it to which the group is a class of its own.

From the images above some evidence that are mutual neighbours a set grows, whatever the evidence of
the others: an image belongs to it once enough of its nearest images do. What lies in the region
between two classes grows into them, and is no group. A closed set is a core where its labels name
no class (they are mixed, and near ones agree no more than any), or where it is cut off from all
others and stands far apart. A ridge regression then tells the core from the images without
evidence, at several checkpoints, and what it takes for the group is the group where it meets the
same standard. It knows no images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import unit
from review_embeddings.pipeline.analysis.groups import NEAR

Array = NDArray[Any]

LEVELS = (13.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.5)
"""Evidence above which mutual neighbours are looked for: a group is seen at one of them."""

SHARES = (0.25, 0.3, 0.4)
"""Of an image's nearest, how many must be in a set for it to be in it, too."""

WORTH_ADDING = 0.365
"""Of two closed sets of which one holds the other the larger one is taken where as large a share of
the nearest of what it adds is inside."""

ROUNDS = 12
"""In which a set grows; one that is no region is closed after a few."""

FEWEST = 5
"""Images of a group."""

LARGEST = 10
"""One of so many images: what is larger is no group but a class."""

WITHOUT_EVIDENCE = 3.0
"""Evidence up to which an image is of no group; a border is told from such ones."""

SHRINKAGE = 0.1
"""Ridge penalty in units of the mean power of the embedding's axes."""

BORDER_ROUNDS = 2
"""Once from the core, once from what was found by it; more of them take in what is alike."""

BORDER_CHECKPOINTS = 5
"""At most so many, evenly from the first to the last, say where a border is."""

LEAST_SPREAD = 1e-12
"""Standard deviation that counts for a number of the embedding that does not vary."""

BLOCK_VALUES = 2_000_000
"""Numbers of one array of a block: 16 MB of float64."""


@dataclass(frozen=True)
class Standard:
    """What a set has to be, to be a group."""

    inside: float
    """Mean share of the nearest of its images that are in it."""
    score: float
    """Median evidence of its images."""
    agreement: float
    """At most how much more two of its labels agree than two of any images, in [-1, 1]."""


MIXED = Standard(inside=0.4, score=3.5, agreement=0.12)
"""Where labels say nothing, which they do of no region of clean data."""

ALONE = Standard(inside=0.95, score=10.0, agreement=1.0)
"""Where labels agree: a rare but right kind of image is no group unless it is far away."""

UNLABELLED = Standard(inside=0.8, score=6.0, agreement=1.0)
"""Where there are no labels."""


@dataclass(frozen=True)
class NeighborGraph:
    """Which images are among the nearest of which, at all checkpoints together."""

    neighbors: Sequence[Array]
    """One of shape (N, k) a checkpoint."""
    sources: NDArray[np.int32]
    """The images whose nearest an image is among, of one image after the other."""
    order: NDArray[np.int8]
    """Which of the nearest it is of each of these, from 0."""
    starts: NDArray[np.int64]
    """Shape (N + 1,): where those of each image begin."""

    @classmethod
    def of(cls, neighbors: Sequence[Array]) -> NeighborGraph:
        """From the neighbours at each checkpoint, nearest first."""
        near = [np.asarray(one)[:, :NEAR].astype(np.int32) for one in neighbors]
        total, count = near[0].shape
        targets = np.concatenate([one.ravel() for one in near])
        place = np.argsort(targets, kind="stable")
        starts = np.searchsorted(targets[place], np.arange(total + 1))
        sources = (place // max(1, count) % total).astype(np.int32)
        return cls(near, sources, (place % max(1, count)).astype(np.int8), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def shares(self, members: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each image, the share of its nearest that are among some, shape (N,): the mean over
        the checkpoints. The fewer they are, the fewer of the nearest count."""
        lengths = self.starts[members + 1] - self.starts[members]
        ends = np.cumsum(lengths)
        at = np.arange(lengths.sum()) + np.repeat(self.starts[members] - (ends - lengths), lengths)
        counted = int(np.clip(len(members) // 4, 3, NEAR))
        sources = self.sources[at[self.order[at] < counted]]
        found = np.bincount(sources, minlength=len(self))
        return np.asarray(found / (counted * len(self.neighbors)))

    def closed(self, members: NDArray[np.int64], share: float) -> NDArray[np.int64]:
        """The set that some images grow to; empty for one that is no group, because it vanishes or
        grows on."""
        for _ in range(ROUNDS):
            grown = np.flatnonzero(self.shares(members) >= share)
            if not FEWEST <= len(grown) <= len(self) // LARGEST:
                return grown[:0]
            if len(grown) == len(members) and (grown == members).all():
                break
            members = grown
        return members

    def components(self, chosen: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """Images among the chosen ones that are mutual neighbours at the last checkpoint, or hang
        together by such, at least `FEWEST` of them each."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        rows = np.flatnonzero(chosen)
        index = np.full(len(chosen), -1)
        index[rows] = np.arange(len(rows))
        near = index[self.neighbors[-1][rows]]
        start, column = np.nonzero(near >= 0)
        pairs = (start, near[start, column])
        links = csr_matrix((np.ones(len(start)), pairs), shape=(len(rows), len(rows)))
        _, part = connected_components(links.multiply(links.T), directed=False)
        sizes = np.bincount(part, minlength=1)
        return [rows[part == one] for one in np.flatnonzero(sizes >= FEWEST).tolist()]


class Border:
    """Where groups end: ridge regressions, left out of which each image of a group is judged, tell
    them from the images without evidence."""

    def __init__(
        self,
        embeddings: Sequence[Array],
        evidence: NDArray[np.float64],
        hash_ranks: NDArray[np.int64],
    ) -> None:
        """``embeddings``: one of shape (N, D) a checkpoint; ``evidence``: shape (N,);
        ``hash_ranks``: sums are made in their order."""
        last = len(embeddings) - 1
        chosen = np.unique(np.linspace(0, last, BORDER_CHECKPOINTS).round().astype(int))
        self._embeddings = [embeddings[one] for one in chosen.tolist()]
        self._open = evidence > WITHOUT_EVIDENCE
        self._order = np.argsort(hash_ranks, kind="stable")
        self._others = np.flatnonzero(~self._open)

    @cached_property
    def sides(self) -> list[BorderSide]:
        """The checkpoints that say where it is."""
        return [BorderSide.of(one, self._order, self._open) for one in self._embeddings]

    def around(self, cores: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """The rows of the group of each core, ascending; none where it becomes too small or too
        large. An image is of it from halfway between the middle of the core and of the others."""
        if not cores or not len(self._others):
            return [core[:0] for core in cores]
        found = list(cores)
        for _ in range(BORDER_ROUNDS):
            kept = [number for number, members in enumerate(found) if len(members)]
            values = sum(side.values([found[number] for number in kept]) for side in self.sides)
            for number, value in zip(kept, np.asarray(values).T, strict=True):
                found[number] = self._inside(found[number], value)
        return found

    def _inside(self, members: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int64]:
        halfway = (np.median(value[members]) + np.median(value[self._others])) / 2
        inside = np.flatnonzero(self._open & (value > halfway))
        return inside if FEWEST <= len(inside) <= len(value) // LARGEST else inside[:0]


@dataclass(frozen=True)
class BorderSide:
    """One checkpoint as a border sees it: its embeddings less a mean and divided by a spread."""

    embeddings: Array
    order: NDArray[np.int64]
    """Rows in the order of sums."""
    open: NDArray[np.bool_]
    """Which images may be of a group."""
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    total: NDArray[np.float64]
    """Shape (D,): sum over the images that are of none."""
    products: NDArray[np.float64]
    """Shape (D, D): sum of their products."""

    @classmethod
    def of(
        cls, embeddings: Array, order: NDArray[np.int64], open_: NDArray[np.bool_]
    ) -> BorderSide:
        count, dimension = embeddings.shape
        step = max(1, BLOCK_VALUES // dimension)
        parts = [order[start : start + step] for start in range(0, count, step)]
        mean = sum(embeddings[part].sum(axis=0, dtype=np.float64) for part in parts) / count
        squares = sum(np.square(embeddings[part] - mean).sum(axis=0) for part in parts)
        spread = np.maximum(np.sqrt(squares / count), LEAST_SPREAD)
        total, products = np.zeros(dimension), np.zeros((dimension, dimension))
        for part in parts:
            block = (embeddings[part[~open_[part]]] - mean) / spread
            total += block.sum(axis=0)
            products += block.T @ block
        return cls(embeddings, order, open_, mean, spread, total, products)

    def values(self, sets: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        """That each image is of each set, shape (N, S): near 1 for one of it, near 0 for another;
        an image of it is left out of its own regression."""
        fits = [self._fit(members) for members in sets]
        slopes = np.stack([slope for slope, _, _ in fits], axis=1)
        starts = np.array([start for _, start, _ in fits])
        values = np.empty((len(self.order), len(sets)))
        step = max(1, BLOCK_VALUES // len(self.mean))
        for first in range(0, len(self.order), step):
            rows = self.order[first : first + step]
            values[rows] = self._standardised(rows) @ slopes + starts
        for column, (members, (_, _, leverage)) in enumerate(zip(sets, fits, strict=True)):
            values[members, column] = (values[members, column] - leverage) / (1 - leverage)
        return values

    def _standardised(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((self.embeddings[rows] - self.mean) / self.spread)

    def _fit(
        self, members: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        """Slope (D,) and start of the regression of a set, and the leverage of its images."""
        from scipy.linalg import cho_solve, solve_triangular

        in_order = self.order[np.isin(self.order, members)]
        inside = self._standardised(in_order)
        added = inside[self.open[in_order]]
        count = int((~self.open).sum()) + len(added)
        middle = (self.total + added.sum(axis=0)) / count
        products = self.products + added.T @ added - count * np.outer(middle, middle)
        penalty = SHRINKAGE * np.trace(products) / len(products)
        products[np.diag_indices_from(products)] += max(penalty, LEAST_SPREAD)
        factor = np.linalg.cholesky(products)
        centred = self._standardised(members) - middle
        slope = cho_solve((factor, True), (inside - middle).sum(axis=0))
        whitened = solve_triangular(factor, centred.T, lower=True)
        leverage = np.square(whitened).sum(axis=0) + 1 / count
        share = len(members) / count
        return slope, float(share - middle @ slope), np.minimum(leverage, 1 - LEAST_SPREAD)


@dataclass(frozen=True)
class _Candidate:
    """A closed set."""

    members: NDArray[np.int64]
    inside: float
    score: float
    mixture: float
    """How much more two of its labels agree than two of any images."""
    near: float
    """Likewise two labels of images that are near each other."""

    def meets(self, standard: Standard) -> bool:
        """Whether it is a group."""
        agreement = max(self.mixture, self.near)
        return (
            self.inside >= standard.inside
            and self.score >= standard.score
            and agreement <= standard.agreement
        )

    @property
    def quality(self) -> float:
        """By which one of two sets that overlap is chosen."""
        return (self.inside - WORTH_ADDING) * len(self.members)


def named_groups(
    evidence: NDArray[np.float64],
    graph: NeighborGraph,
    labels: Array | None,
    hash_ranks: NDArray[np.int64],
    embeddings: Sequence[Array],
) -> list[NDArray[np.int64]]:
    """The rows of each group, ascending; no image is in two. ``evidence``: shape (N,), of
    `groups.evidence`; ``labels``: shape (N,), -1 without one, or None; ``hash_ranks`` settle ties;
    ``embeddings``: one of shape (N, D) a checkpoint."""
    standards = (UNLABELLED,) if labels is None else (MIXED, ALONE)

    def is_group(one: _Candidate) -> bool:
        return any(one.meets(standard) for standard in standards)

    cores = [one for one in _candidates(evidence, graph, labels) if is_group(one)]
    cores.sort(key=lambda one: (-one.quality, int(hash_ranks[one.members].min())))
    border = Border(embeddings, evidence, hash_ranks)
    taken, groups = np.zeros(len(evidence), dtype=bool), []
    for core, whole in zip(cores, border.around([one.members for one in cores]), strict=True):
        members = whole[~taken[whole]]
        if 2 * taken[core.members].sum() > len(core.members) or len(members) < FEWEST:
            continue
        if is_group(_judged(members, evidence, graph, labels)):
            taken[members] = True
            groups.append(members)
    return groups


def _candidates(
    evidence: NDArray[np.float64], graph: NeighborGraph, labels: Array | None
) -> Iterator[_Candidate]:
    """Every set that is closed, from the most evidence down."""
    for share in SHARES:
        known, regions = set(), np.zeros(len(evidence), dtype=bool)
        for level in LEVELS:
            for seeds in graph.components(evidence > level):
                if regions[seeds].any():
                    continue  # what grew on from some of them does so from more
                members = graph.closed(seeds, share)
                regions[seeds] = len(members) == 0
                if len(members) and members.tobytes() not in known:
                    known.add(members.tobytes())
                    yield _judged(members, evidence, graph, labels)


def _judged(
    members: NDArray[np.int64], evidence: NDArray[np.float64], graph: NeighborGraph, labels: Any
) -> _Candidate:
    inside = float(graph.shares(members)[members].mean())
    middle = float(np.median(evidence[members]))
    if labels is None:
        return _Candidate(members, inside, middle, 1.0, 1.0)
    usual = _agreement(labels[labels >= 0])
    mixture = _beyond(_agreement(labels[members][labels[members] >= 0]), usual)
    return _Candidate(
        members, inside, middle, mixture, _beyond(_near(members, graph, labels), usual)
    )


def _agreement(labels: Array) -> float:
    """How likely two labels are the same, in [0, 1]; 1 for fewer than two."""
    counts = np.bincount(labels).astype(np.float64)
    pairs = len(labels) * (len(labels) - 1)
    return float((counts * (counts - 1)).sum() / pairs) if pairs else 1.0


def _near(members: NDArray[np.int64], graph: NeighborGraph, labels: Array) -> float:
    """How likely two of some images have the same label of which one is among the nearest of the
    other, over all checkpoints; 1 where there are none."""
    inside = np.zeros(len(labels), dtype=bool)
    inside[members] = labels[members] >= 0
    same, pairs = 0, 0
    for neighbors in graph.neighbors:
        near = neighbors[members]
        both = inside[near] & inside[members][:, None]
        same += int(((labels[near] == labels[members][:, None]) & both).sum())
        pairs += int(both.sum())
    return same / pairs if pairs else 1.0


def _beyond(agreement: float, usual: float) -> float:
    """An agreement beyond what is usual, as a share of what is possible."""
    return (agreement - usual) / (1 - usual) if usual < 1 else 1.0


def central_image(
    embeddings: Array, members: NDArray[np.int64], hash_ranks: NDArray[np.int64]
) -> int:
    """The row among some whose embedding is nearest to all of theirs on average, by cosine
    distance; of equal ones the one of the lowest hash."""
    vectors = unit(embeddings[members])
    nearness = np.round(vectors @ vectors.mean(axis=0), 9)
    return int(members[np.lexsort((hash_ranks[members], -nearness))[0]])
