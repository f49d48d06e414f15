"""Finds the groups among the images that stand apart: those that are each other's neighbours at all
checkpoints, and whose border is where the neighbours say, not where the score does.

From the images above some score that are mutual neighbours a set grows, whatever the score of the
others: an image belongs to it once enough of its nearest images do. What lies in the region between
two classes grows into them, and is no group. A closed set counts where its labels name no class
(they are mixed, and near ones agree no more than any), or where it is cut off from all others and
stands far apart. In what counts, the images at the border are settled by neighbours and score
together. It knows no images, and no embeddings but those of one group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import unit
from review_embeddings.pipeline.analysis.groups import NEAR, SMALLEST_DEVIATION

Array = NDArray[Any]

LEVELS = (13.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.5)
"""Scores above which mutual neighbours are looked for: a group is seen at one of them at least."""

SHARES = (0.25, 0.3, 0.4)
"""Of an image's nearest, how many must be in a set for it to be in it, too."""

WORTH_ADDING = 0.365
"""Of two closed sets of which one holds the other the larger one is taken where as large a share of
the nearest of what it adds is inside."""

SCORE_COUNTS = 0.6
"""At the border of a group, what a score as high as that of its core counts for, against 1 for an
image all of whose nearest are in it."""

WORTH_KEEPING = 0.75
"""The sum of both from which an image belongs to a group."""

LEAST_NEAR = 0.2
"""Share of its nearest without which it does not, whatever its score."""

CORE = 0.6
"""Share of its nearest from which an image is of the core of a group."""

ROUNDS = 12
"""In which a set grows; one that is no region is closed after a few."""

FEWEST = 5
"""Images of a group."""

LARGEST = 10
"""One of so many images: what is larger is no group but a class."""


@dataclass(frozen=True)
class Standard:
    """What a set has to be, to be a group."""

    inside: float
    """Mean share of the nearest of its images that are in it."""
    score: float
    """Median group score of its images."""
    agreement: float
    """At most how much more two of its labels agree than two of any images, in [-1, 1]."""


MIXED = Standard(inside=0.5, score=3.5, agreement=0.12)
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

    def settled(self, members: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.int64]:
        """The same group with its border settled: without images of a low score of which few of
        the nearest are in it, and with those of which both are high enough."""
        for _ in range(ROUNDS):
            near = self.shares(members)
            core = members[near[members] >= CORE]
            usual = float(np.median(score[core if len(core) else members]))
            likely = near + SCORE_COUNTS * np.clip(score / max(usual, SMALLEST_DEVIATION), 0, 1)
            kept = np.flatnonzero((near >= LEAST_NEAR) & (likely >= WORTH_KEEPING))
            if not FEWEST <= len(kept) <= len(self) // LARGEST:
                break
            if len(kept) == len(members) and (kept == members).all():
                break
            members = kept
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
    score: NDArray[np.float64],
    graph: NeighborGraph,
    labels: Array | None,
    hash_ranks: NDArray[np.int64],
) -> list[NDArray[np.int64]]:
    """The rows of each group, ascending; no image is in two. ``score`` is the group score, shape
    (N,), ``labels`` of shape (N,), -1 without one, or None; ``hash_ranks`` settle ties."""
    standards = (UNLABELLED,) if labels is None else (MIXED, ALONE)
    found = [
        one
        for one in _candidates(score, graph, labels)
        if any(one.meets(standard) for standard in standards)
    ]
    found.sort(key=lambda one: (-one.quality, int(hash_ranks[one.members].min())))
    taken, groups = np.zeros(len(score), dtype=bool), []
    for one in found:
        if taken[one.members].any():
            continue
        members = graph.settled(one.members, score)
        members = members[~taken[members]]
        if len(members) >= FEWEST:
            taken[members] = True
            groups.append(members)
    return groups


def _candidates(
    score: NDArray[np.float64], graph: NeighborGraph, labels: Array | None
) -> Iterator[_Candidate]:
    """Every set that is closed, from the highest score down."""
    for share in SHARES:
        known, regions = set(), np.zeros(len(score), dtype=bool)
        for level in LEVELS:
            for seeds in graph.components(score > level):
                if regions[seeds].any():
                    continue  # what grew on from some of them does so from more
                members = graph.closed(seeds, share)
                regions[seeds] = len(members) == 0
                if len(members) and members.tobytes() not in known:
                    known.add(members.tobytes())
                    yield _judged(members, score, graph, labels)


def _judged(
    members: NDArray[np.int64], score: NDArray[np.float64], graph: NeighborGraph, labels: Any
) -> _Candidate:
    inside = float(graph.shares(members)[members].mean())
    middle = float(np.median(score[members]))
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
