"""Finds the nearest neighbours of every image in embedding space, exactly, once for everything that needs them.

A blocked matrix product proposes a few more candidates than are wanted, and their distances are computed anew from the
differences of the vectors in float64: late in a fine-tuning the images of a class lie almost on one point, and the
difference of two nearly equal products has no correct digits left there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPARE_CANDIDATES = 22
"""Candidates beyond the wanted neighbours; they absorb the rounding of the float32 product."""

BLOCK_VALUES = 1 << 23
"""Values of the block of products held at once: 32 MiB of float32."""

EUCLIDEAN_UP_TO = 3
"""Dimensions up to which cleanlab measures Euclidean distances; above it, cosine distances."""


@dataclass(frozen=True)
class Neighbors:
    """The k nearest other images of each image, nearest first; equal distances by image order."""

    indices: NDArray[np.int32]
    """Shape (N, k): rows of the embeddings, never the image itself."""
    distances: NDArray[np.float32]
    """Shape (N, k), >= 0."""
    metric: str
    """``cosine`` (1 - cosine similarity, in [0, 2]) or ``euclidean``, chosen by dimension as cleanlab does."""


def nearest_neighbors(embeddings: NDArray[np.floating], k: int, *, device: str | None = None) -> Neighbors:
    """Exact neighbours of each row among the others; k is lowered to N - 1 where there are fewer.

    ``embeddings``: shape (N, D), finite. A zero vector has cosine distance 1 to every other vector and 0 to another zero vector.
    """
    total, dimensions = embeddings.shape
    k = max(0, min(k, total - 1))
    metric = "cosine" if dimensions > EUCLIDEAN_UP_TO else "euclidean"
    if k == 0:
        return Neighbors(np.empty((total, 0), np.int32), np.empty((total, 0), np.float32), metric)
    points = _unit_vectors(embeddings) if metric == "cosine" else _Points(embeddings, np.ones(total), np.zeros(total, bool))
    indices = np.empty((total, k), dtype=np.int32)
    distances = np.empty((total, k), dtype=np.float32)
    for start, stop, candidates in _candidates(points, min(k + SPARE_CANDIDATES, total - 1), device):
        squared = _squared_distances(points, start, stop, candidates)
        order = np.lexsort((candidates, squared))[:, :k]
        indices[start:stop] = np.take_along_axis(candidates, order, axis=1)
        nearest = np.take_along_axis(squared, order, axis=1)
        distances[start:stop] = nearest / 2 if metric == "cosine" else np.sqrt(nearest)
    return Neighbors(indices, distances, metric)


@dataclass(frozen=True)
class _Points:
    """Vectors with the factors that give them unit length; zero vectors are marked and stay apart from all others."""

    vectors: NDArray[np.floating]
    factors: NDArray[np.float64]
    zero: NDArray[np.bool_]

    def rows(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float64]:
        """The scaled vectors in float64, with one more coordinate that is 1 for zero vectors where there are any."""
        scaled = self.vectors[rows].astype(np.float64) * self.factors[rows][..., None]
        if not self.zero.any():
            return scaled
        return np.concatenate([scaled, self.zero[rows].astype(np.float64)[..., None]], axis=-1)


def _unit_vectors(embeddings: NDArray[np.floating]) -> _Points:
    total = len(embeddings)
    lengths = np.empty(total)
    block = max(1, BLOCK_VALUES // embeddings.shape[1])
    for start in range(0, total, block):
        rows = embeddings[start : start + block].astype(np.float64)
        lengths[start : start + block] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    zero = lengths == 0
    return _Points(embeddings, 1.0 / np.where(zero, 1.0, lengths), zero)


def _candidates(points: _Points, count: int, device: str | None):  # type: ignore[no-untyped-def]
    """Yield (start, stop, rows of the nearest candidates (stop - start, count)) block by block."""
    import torch

    total = len(points.vectors)
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    everything = torch.empty((total, points.rows(slice(0, 1)).shape[1]), dtype=torch.float32, device=target)
    block = max(1, BLOCK_VALUES // everything.shape[1])
    for start in range(0, total, block):
        rows = points.rows(slice(start, start + block))
        everything[start : start + block] = torch.from_numpy(rows.astype(np.float32)).to(target)
    squares = (everything * everything).sum(dim=1)
    block = max(1, BLOCK_VALUES // total)
    with torch.inference_mode():
        for start in range(0, total, block):
            stop = min(start + block, total)
            # Nearness that orders like the distance: the point's own length is the same for all candidates and left out.
            nearness = torch.addmm(squares[None, :], everything[start:stop], everything.T, beta=-1, alpha=2)
            rows = torch.arange(start, stop, device=target)
            nearness[rows - start, rows] = -torch.inf
            yield start, stop, torch.topk(nearness, count, dim=1, sorted=False).indices.cpu().numpy()


def _squared_distances(points: _Points, start: int, stop: int, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Squared Euclidean distances of the (scaled) rows start..stop to their candidates, from differences in float64."""
    squared = np.empty(candidates.shape)
    width = points.vectors.shape[1]
    block = max(1, BLOCK_VALUES // (2 * candidates.shape[1] * width))
    for first in range(start, stop, block):
        last = min(first + block, stop)
        chosen = candidates[first - start : last - start]
        differences = points.rows(chosen) - points.rows(slice(first, last))[:, None, :]
        squared[first - start : last - start] = np.einsum("nkd,nkd->nk", differences, differences)
    return squared
