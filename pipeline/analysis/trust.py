"""Measures how far a 2-D map can be trusted: whether what is near on it is near in the embedding,
and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.neighbors import Neighbors
from review_embeddings.pipeline.analysis.project import in_blocks

NEAR = 15
"""Neighbours that are compared."""

SAMPLE = 1000
"""Images whose ranks are worked out for trustworthiness and continuity; where there are more, a
seeded sample of so many."""


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
    near = neighbors.indices[:, :k].astype(np.int64)
    on_map = _nearest_on_map(flat, k)
    kept = (near[:, :, None] == on_map[:, None, :]).any(axis=2).mean(axis=1).astype(np.float32)
    rows = _sample(total, sample, seed)
    intruders = missed = 0.0
    unit = neighbors.metric == "cosine"
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        intruders += _excess(_distances(embeddings, some, unit=unit), some, on_map[some], k)
        missed += _excess(_distances(flat, some, unit=False), some, near[some], k)
    worst = len(rows) * k * (2 * total - 3 * k - 1) / 2
    return MapTrust(
        kept, *(float(np.clip(1 - excess / worst, 0, 1)) for excess in (intruders, missed))
    )


def _sample(total: int, size: int, seed: int) -> NDArray[np.int64]:
    """Indices of all images, or of a seeded sample of them, ascending."""
    if total <= size:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False))


def _nearest_on_map(points: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """The k nearest other points of each point, shape (N, k)."""
    from scipy.spatial import cKDTree

    found: NDArray[np.int64] = np.asarray(cKDTree(points).query(points, k=k + 1)[1], dtype=np.int64)
    own = found == np.arange(len(points))[:, None]
    # of many points at one position the own one may not be among those found
    own[~own.any(axis=1), -1] = True
    others: NDArray[np.int64] = found[~own].reshape(len(points), k)
    return others


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1.0, lengths)


def _distances(
    vectors: NDArray[np.floating], rows: NDArray[np.int64], *, unit: bool
) -> NDArray[np.float64]:
    """Something that orders like the distance from some rows to all, shape (R, N); of all at
    ``unit`` length if asked for."""
    own = np.asarray(vectors[rows], dtype=np.float64)
    own = _unit(own) if unit else own
    distances, start = np.empty((len(rows), len(vectors))), 0
    for block in in_blocks(vectors):
        block = _unit(block) if unit else block
        squares = np.einsum("nd,nd->n", block, block)
        distances[:, start : start + len(block)] = squares[None, :] - 2.0 * own @ block.T
        start += len(block)
    return distances


def _excess(
    distances: NDArray[np.float64], rows: NDArray[np.int64], others: NDArray[np.int64], k: int
) -> float:
    """By how many ranks the ``others`` of each row lie beyond its k nearest, summed."""
    distances[np.arange(len(rows)), rows] = np.inf
    theirs = np.take_along_axis(distances, others, axis=1)
    nearer = [np.count_nonzero(distances < column[:, None], axis=1) for column in theirs.T]
    return float(sum(np.maximum(count + 1 - k, 0).sum() for count in nearer))
