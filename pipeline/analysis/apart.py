"""Measures how far each image of one checkpoint lies from every class, as a multiple of what is
usual among the members of that class. It names no groups (`groups`) and reads no other checkpoint.

A class stands for itself by a sample of its members, drawn by the hashes of the images, so that
the cost grows with the number of images alone and no result depends on their order. Products in
float32 propose the classes that may be the nearest of an image; what counts is computed in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.nearest.magnitude import unit_rows

SAMPLE = 2000
"""Images that stand for all classes together; each class has at least `LEAST_OF_CLASS` of them."""

LEAST_OF_CLASS = 10

FEWEST = 3
"""Members without which a class is none to be near to."""

SHARE = 0.2
"""Share of a class's sample that an image is compared with: the nearest ones."""

CLUSTERS = 10
"""Clusters that take the place of classes where there are neither labels nor predictions."""

ROUNDS = 20
"""Of the search for them; they change little after a few."""

SMALLEST_LENGTH = 1e-30
"""Shorter vectors are not brought to unit length."""

SMALLEST_DISTANCE = 1e-12
"""What is usual in a class whose members are all at one point."""

BLOCK_VALUES = 1 << 21
"""Distances that are computed at once: 8 MiB of float32."""

KEPT_VALUES = 1 << 22
"""Numbers of all samples up to which these are kept in float64: 32 MiB."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Samples:
    """The members by which each class is represented."""

    rows: tuple[NDArray[np.int64], ...]
    """One array a class, of rows in the order of their hashes; empty for a class of fewer than
    `FEWEST` images."""
    ranks: NDArray[np.int64]
    """Shape (N,): rank of each image's hash among all; copies of a file share one."""

    @classmethod
    def draw(cls, classes: Array, ranks: Array, *, count: int, size: int = SAMPLE) -> Samples:
        """Draw them. ``classes``, shape (N,): index below ``count``, -1 for none; ``ranks``, shape
        (N,): rank of the hash. Of several copies of a file one may be drawn."""
        order = np.lexsort((ranks, classes))
        order = order[classes[order] >= 0]
        pairs = np.stack([classes[order], ranks[order]])
        new = np.ones(len(order), dtype=bool)
        new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
        order = order[new]
        bounds = np.searchsorted(classes[order], np.arange(count + 1))
        drawn = []
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            drawn.append(order[start : start + _drawn_of(stop - start, count, size)])
        return cls(tuple(drawn), np.asarray(ranks, dtype=np.int64))

    @property
    def block(self) -> int:
        """Rows that are compared with all samples at once: a power of two, so that parts of a
        result begin where blocks do."""
        total = max(1, sum(map(len, self.rows)))
        return 1 << int(np.clip(np.log2(max(1, BLOCK_VALUES // total)), 5, 10))

    def nearest_of(self, label: int) -> int:
        """How many of the nearest of a class count."""
        size = len(self.rows[label])
        return min(max(2, int(np.ceil(SHARE * size))), size - 1)


def _drawn_of(members: int, classes: int, size: int) -> int:
    """How many of the members of a class are drawn."""
    if members < FEWEST:
        return 0
    return (
        members if members * classes <= size else min(members, max(LEAST_OF_CLASS, size // classes))
    )


def as_bytes(texts: Sequence[str]) -> NDArray[np.bytes_ | np.str_]:
    """Texts as an array that orders like them, shape (N,): ASCII in a byte a letter, which takes a
    quarter of the memory and of the time to sort."""
    try:
        return np.array(texts, dtype=np.bytes_)
    except UnicodeEncodeError:
        return np.array(texts, dtype=np.str_)


def hash_ranks(hashes: Sequence[str]) -> NDArray[np.int64]:
    """Rank of each image's hash among all, shape (N,); equal for equal ones."""
    return np.unique(as_bytes(hashes), return_inverse=True)[1].astype(np.int64)


# -- how far images are from classes


@dataclass(frozen=True)
class Usual:
    """What is usual at a checkpoint, of which the distances of images are multiples."""

    distance: NDArray[np.float64]
    """One a class: median of the distance of its members to it; NaN for a class that is none."""
    weight: float
    """How much the checkpoint counts, in [0, 1]: the squared accuracy of the vote of an image's
    neighbours, beyond chance."""


@dataclass(frozen=True)
class OwnClass:
    """What of some rows goes into `Usual`; the sum of two is that of the rows of both."""

    classes: Array
    """Shape (R,): the class of each, -1 for none."""
    distances: NDArray[np.float64]
    """Shape (R,): distance to it; NaN for none."""
    right: int
    """Images whose neighbours vote for their class."""
    count: int
    """Number of classes."""

    def __add__(self, other: OwnClass) -> OwnClass:
        """Of the rows of both."""
        return OwnClass.sum_of([self, other])

    @classmethod
    def sum_of(cls, parts: Sequence[OwnClass]) -> OwnClass:
        """Of the rows of all, at least one part, each copied once."""
        return cls(
            np.concatenate([one.classes for one in parts]),
            np.concatenate([one.distances for one in parts]),
            sum(one.right for one in parts),
            parts[0].count,
        )

    def usual(self) -> Usual:
        """Of all rows."""
        order = np.argsort(self.classes, kind="stable")
        bounds = np.searchsorted(self.classes[order], np.arange(self.count + 1))
        distance = np.full(self.count, np.nan)
        for label in range(self.count):
            members = self.distances[order[bounds[label] : bounds[label + 1]]]
            if len(members) and not np.isnan(members).any():
                distance[label] = max(float(np.median(members)), SMALLEST_DISTANCE)
        known = int((self.classes >= 0).sum())
        return Usual(distance, _weight(self.right / known if known else 0.0, self.count))


def _weight(accuracy: float, classes: int) -> float:
    chance = 1 / max(1, classes)
    return max(0.0, (accuracy - chance) / (1 - chance)) ** 2 if classes > 1 else 1.0


@dataclass(frozen=True)
class Space:
    """The embeddings of one checkpoint and the classes of their images."""

    embeddings: Array
    """Shape (N, D)."""
    classes: Array
    """Shape (N,): class index, -1 for none."""
    samples: Samples

    def own_class(self, rows: slice, neighbors: Array) -> OwnClass:
        """Of some rows; ``neighbors``, shape (N, k)."""
        parts = []
        for block in self._blocks(rows):
            classes = self.classes[block]
            distances = np.full(len(classes), np.nan)
            vectors = unit(self.embeddings[block])
            for label in np.unique(classes[classes >= 0]).tolist():
                here = np.flatnonzero(classes == label)
                distances[here] = self._exact(vectors[here], block.start + here, label)
            votes = _votes(self.classes[np.asarray(neighbors[block])], len(self.samples.rows))
            right = int(((votes == classes) & (classes >= 0)).sum())
            parts.append(OwnClass(classes, distances, right, len(self.samples.rows)))
        return OwnClass.sum_of(parts)

    def apart(self, rows: slice, usual: Usual) -> NDArray[np.float32]:
        """Of some rows, shape (R,), >= 0: the smallest multiple of the usual distance at which a
        class lies. NaN where there is no class."""
        found = [self._of_block(block, usual) for block in self._blocks(rows)]
        return np.concatenate(found).astype(np.float32)

    def _blocks(self, rows: slice) -> Iterator[slice]:
        step = self.samples.block
        for start in range(rows.start, rows.stop, step):
            yield slice(start, min(start + step, rows.stop))

    def _of_block(self, block: slice, usual: Usual) -> NDArray[np.float64]:
        vectors = unit(self.embeddings[block])
        best = np.full(len(vectors), np.nan)
        proposed = self._proposed(vectors, np.arange(block.start, block.stop), usual)
        for label, here in proposed:
            ratio = self._exact(vectors[here], block.start + here, label) / usual.distance[label]
            best[here] = np.fmin(best[here], ratio)
        return best

    def _proposed(
        self, vectors: Array, rows: NDArray[np.int64], usual: Usual
    ) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each class, and the vectors of which it may be the nearest by float32 products."""
        labels = np.flatnonzero(~np.isnan(usual.distance))
        if not len(labels):
            return
        near = self._estimated(vectors.astype(np.float32), rows)[:, labels].astype(np.float64)
        room = 4 * np.finfo(np.float32).eps * np.sqrt(vectors.shape[1])
        scale = usual.distance[labels]
        limit = ((near + room) / scale).min(axis=1, keepdims=True)
        possible = (near - room) / scale <= limit
        for position, label in enumerate(labels.tolist()):
            here = np.flatnonzero(possible[:, position])
            if len(here):
                yield label, here

    def _estimated(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> Array:
        """Distances to all classes by float32 products, shape (B, C)."""
        packed = self._packed
        distances = vectors @ packed.vectors.T
        np.subtract(1, distances, out=distances)
        self._leave_out(distances, rows, packed.ranks, packed.order)
        found = np.full((len(vectors), len(self.samples.rows)), np.inf, dtype=np.float32)
        for run in packed.runs:
            some = distances[:, run.start : run.stop].reshape(len(vectors), -1, run.size)
            found[:, run.labels] = _nearest_mean(some, run.nearest)
        return found

    def _leave_out(self, distances: Array, rows: Array, ranks: Array, order: Array) -> None:
        """Take the image itself, and copies of its file, out of what it is compared with."""
        own = self.samples.ranks[rows]
        left = np.searchsorted(ranks, own, side="left", sorter=order)
        right = np.searchsorted(ranks, own, side="right", sorter=order)
        for row in np.flatnonzero(right > left).tolist():
            distances[row, order[left[row] : right[row]]] = np.inf

    def _exact(self, vectors: Array, rows: NDArray[np.int64], label: int) -> NDArray[np.float64]:
        """Mean cosine distance of some vectors, in float64, to the nearest of a class; NaN where
        the class is none."""
        members = self.samples.rows[label]
        if not len(members):
            return np.full(len(vectors), np.nan)
        distances = vectors @ self._members(label).T
        np.subtract(1, distances, out=distances)
        ranks = self.samples.ranks[members]
        self._leave_out(distances, rows, ranks, np.arange(len(ranks)))
        found: NDArray[np.float64] = _nearest_mean(distances, self.samples.nearest_of(label))
        return found

    def _members(self, label: int) -> NDArray[np.float64]:
        """The sample of a class at unit length, kept where all of them are few numbers."""
        if label in self._kept_members:
            return self._kept_members[label]
        vectors = unit(self.embeddings[self.samples.rows[label]])
        if sum(map(len, self.samples.rows)) * self.embeddings.shape[1] <= KEPT_VALUES:
            self._kept_members[label] = vectors
        return vectors

    @cached_property
    def _kept_members(self) -> dict[int, NDArray[np.float64]]:
        return {}

    @cached_property
    def _packed(self) -> _Packed:
        return _Packed.of(self)


@dataclass(frozen=True)
class _Run:
    """Neighbouring classes with samples of one size."""

    labels: NDArray[np.int64]
    start: int
    stop: int
    size: int
    nearest: int


@dataclass(frozen=True)
class _Packed:
    """All samples below each other, those of one size together."""

    vectors: NDArray[np.float32]
    ranks: NDArray[np.int64]
    order: NDArray[np.int64]
    """That sorts the ranks."""
    runs: list[_Run]

    @classmethod
    def of(cls, space: Space) -> _Packed:
        samples = space.samples
        sizes = np.array([len(one) for one in samples.rows])
        runs, rows, start = [], [np.zeros(0, dtype=np.int64)], 0
        for size in np.unique(sizes[sizes > 0]).tolist():
            labels = np.flatnonzero(sizes == size)
            stop = start + size * len(labels)
            runs.append(_Run(labels, start, stop, size, samples.nearest_of(int(labels[0]))))
            rows.extend(samples.rows[label] for label in labels.tolist())
            start = stop
        chosen = np.concatenate(rows)
        vectors = unit(space.embeddings[chosen]).astype(np.float32)
        ranks = samples.ranks[chosen]
        return cls(vectors, ranks, np.argsort(ranks, kind="stable"), runs)


def _nearest_mean(distances: Array, count: int) -> Array:
    """Mean of the smallest along the last axis, which is put into another order."""
    distances.partition(count - 1, axis=-1)
    return np.asarray(distances[..., :count].mean(axis=-1))


def _votes(near: Array, classes: int) -> NDArray[np.int64]:
    """The class that most of the neighbours have, of shape (R, k) with -1 for none; the first of
    several, and of all where none has one."""
    counts = np.zeros((len(near), classes), dtype=np.int32)
    rows, columns = np.nonzero(near >= 0)
    np.add.at(counts, (rows, near[rows, columns]), 1)
    return np.asarray(counts.argmax(axis=1))


def unit(vectors: Array) -> NDArray[np.float64]:
    """The same vectors in float64 with length 1, but for those that have none."""
    return unit_rows(vectors, least=SMALLEST_LENGTH)


# -- in place of labels


def cluster(embeddings: Array, ranks: Array) -> NDArray[np.int64]:
    """The cluster of each image, shape (N,): spherical k-means on a sample, both begun from the
    images of the lowest hashes, so that the order of the images does not matter."""
    drawn = np.unique(ranks, return_index=True)[1][:SAMPLE]
    vectors = unit(embeddings[drawn])
    centers = vectors[: max(1, min(CLUSTERS, len(vectors) // CLUSTERS))]
    for _ in range(ROUNDS):
        near = (vectors @ centers.T).argmax(axis=1)
        sums = [vectors[near == one].sum(axis=0) for one in range(len(centers))]
        centers = unit(np.stack(sums))
    step = max(1, BLOCK_VALUES // embeddings.shape[1])
    starts = range(0, len(embeddings), step)
    found = [(unit(embeddings[one : one + step]) @ centers.T).argmax(axis=1) for one in starts]
    return np.concatenate(found).astype(np.int64)
