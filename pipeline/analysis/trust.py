"""Measures how far a 2-D map can be trusted: whether what is near on it is near in the embedding,
and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.nearest.magnitude import unit_rows
from review_embeddings.pipeline.analysis.neighbors import Neighbors
from review_embeddings.pipeline.analysis.trajectories import overlap

NEAR = 15
"""Neighbours that are compared."""

SAMPLE = 1000
"""Images whose ranks are worked out for trustworthiness and continuity; where there are more, a
seeded sample of so many."""


BLOCK_VALUES = 1 << 22
"""Distances that are worked on at once: 32 MiB of float64."""

MANY = 0.05
"""Share of the distances below the largest limit, from which all are put into order."""

HELD_VALUES = 10_000_000
"""Distances that are kept for the second look at them: 80 MB; more are computed twice."""

QUERIED = 1 << 16
"""Points of a map whose neighbours are looked up at once."""


@dataclass(frozen=True)
class MapTrust:
    """How a map keeps the neighbours of the embedding."""

    kept: NDArray[np.float32]
    """Shape (N,): share of each image's nearest neighbours in the embedding that are also its
    nearest on the map, in [0, 1]."""
    trustworthiness: float
    """In [0, 1]; low where images lie near each other on the map that are not alike."""
    continuity: float
    """In [0, 1]; low where images that are alike lie apart on the map."""

    @property
    def mean_kept(self) -> float:
        """Mean of ``kept``; 1 for no images."""
        return float(self.kept.mean()) if len(self.kept) else 1.0


def map_trust(
    embeddings: NDArray[np.floating],
    neighbors: Neighbors,
    points: NDArray[np.floating],
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> MapTrust:
    """Compare the neighbours in the embedding with those on a map.

    ``embeddings``: shape (N, D); ``neighbors``: theirs, of which at most `NEAR` count; ``points``:
    shape (N, 2). The shares are of all images, trustworthiness and continuity the mean over a
    seeded sample of them, each with its true ranks among all images. Source: Venna and Kaski 2001,
    "Neighborhood preservation in nonlinear projection methods"; with all images in the sample,
    trustworthiness equals scikit-learn's.
    """
    total = len(points)
    k = min(NEAR, neighbors.indices.shape[1], max(0, (2 * total - 2) // 3))
    if k == 0:
        return MapTrust(np.ones(total, dtype=np.float32), 1.0, 1.0)
    flat = np.asarray(points, dtype=np.float64)
    near = neighbors.indices[:, :k]
    on_map = _nearest_on_map(flat, k)
    kept = overlap(near, on_map).astype(np.float32)
    rows = _sample(total, sample, seed)
    unit = neighbors.metric == "cosine"
    intruders = _excess(_Distances(embeddings, rows, unit=unit), on_map[rows])
    missed = _excess(_Distances(flat, rows, unit=False), near[rows])
    worst = len(rows) * k * (2 * total - 3 * k - 1) / 2
    return MapTrust(
        kept, *(float(np.clip(1 - excess / worst, 0, 1)) for excess in (intruders, missed))
    )


def _sample(total: int, size: int, seed: int) -> NDArray[np.int64]:
    """Indices of all images, or of a seeded sample of them, ascending."""
    if total <= size:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False))


def _nearest_on_map(points: NDArray[np.float64], k: int) -> NDArray[np.int32]:
    """The k nearest other points of each point, shape (N, k)."""
    from scipy.spatial import cKDTree

    tree, others = cKDTree(points), np.empty((len(points), k), dtype=np.int32)
    for start in range(0, len(points), QUERIED):
        rows = np.arange(start, min(start + QUERIED, len(points)))
        found = np.asarray(tree.query(points[rows], k=k + 1)[1])
        own = found == rows[:, None]
        # of many points at one position the own one may not be among those found
        own[~own.any(axis=1), -1] = True
        others[rows] = found[~own].reshape(len(rows), k)
    return others


class _Distances:
    """Something that orders like the distance from some rows to all; of all at ``unit`` length if
    asked for."""

    def __init__(
        self, vectors: NDArray[np.floating], rows: NDArray[np.int64], *, unit: bool
    ) -> None:
        self._vectors, self._rows, self._unit = vectors, rows, unit

    def held(self) -> Iterable[tuple[int, NDArray[np.float64]]]:
        """All `blocks`, computed once if they are few."""
        few = len(self._rows) * len(self._vectors) <= HELD_VALUES
        return list(self.blocks()) if few else ()

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The first of some of all, and the distances to these, shape (R, B); infinite to the row
        itself. The same bits each time."""
        own = -2.0 * self._exact(self._rows)
        size = max(1, BLOCK_VALUES // max(len(own), own.shape[1]))
        for start in range(0, len(self._vectors), size):
            block = self._exact(slice(start, start + size))
            distances = own @ block.T
            distances += np.einsum("nd,nd->n", block, block)
            here = np.flatnonzero((self._rows >= start) & (self._rows < start + size))
            distances[here, self._rows[here] - start] = np.inf
            yield start, distances

    def _exact(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        return unit_rows(self._vectors[rows]) if self._unit else self._vectors[rows].astype(float)


def _excess(distances: _Distances, others: NDArray[np.integer]) -> float:
    """By how many ranks the ``others`` of each row, shape (R, k), lie beyond its k nearest,
    summed."""
    k, theirs, held = others.shape[1], np.empty(others.shape), distances.held()
    for start, block in held or distances.blocks():
        row, column = np.nonzero((others >= start) & (others < start + block.shape[1]))
        theirs[row, column] = block[row, others[row, column] - start]
    nearer = np.zeros(others.shape, dtype=np.int64)
    for _, block in held or distances.blocks():
        nearer += _nearer(block, theirs)
    return float(np.maximum(nearer + 1 - k, 0).sum())


def _nearer(block: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many distances of each row, shape (R, B), are below each of its limits, shape (R, k); the
    rows may be put into order."""
    below = block < theirs.max(axis=1, keepdims=True)
    if np.count_nonzero(below) > MANY * below.size:
        block.sort(axis=1)
        counts = [np.searchsorted(*row) for row in zip(block, theirs, strict=True)]
        return np.stack(counts)
    row, column = np.nonzero(below)
    near, size = block[row, column], len(block)
    counts = [np.bincount(row[near < limit[row]], minlength=size) for limit in theirs.T]
    return np.stack(counts, axis=1)
