"""Finds the nearest neighbours of every image in embedding space, exactly, once for everything that needs them.

A blocked float32 product proposes a few more candidates than are wanted, and their distances are computed anew in float64. Late in a
fine-tuning the images of a class lie almost on one point, and the difference of two nearly equal products has no correct digits left:
distances that small come from the differences of the vectors, and rows whose candidates float32 cannot be trusted with are proposed again
in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

SPARE_CANDIDATES = 22
"""Candidates beyond the wanted neighbours; they absorb the rounding of the float32 product."""

BLOCK_VALUES = 1 << 23
"""Values of the block of products held at once: 32 MiB of float32."""

NEARLY_EQUAL = 1e-6
"""Squared distances of unit vectors below it come from differences; above it a float64 product has seven digits or more."""

EUCLIDEAN_UP_TO = 3
"""Dimensions up to which cleanlab measures Euclidean distances; above it, cosine distances."""


@dataclass(frozen=True)
class Neighbors:
    """The k nearest other images of each image, nearest first; distances that are equal in float32 by image order."""

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
    points = _unit_vectors(embeddings) if metric == "cosine" else _Points(embeddings, np.ones(total), np.zeros(total, bool), False)
    indices = np.empty((total, k), dtype=np.int32)
    distances = np.empty((total, k), dtype=np.float32)
    search = _Search(points, min(k + SPARE_CANDIDATES, total - 1), torch_device(device))
    for start in range(0, total, search.block):
        rows = np.arange(start, min(start + search.block, total))
        candidates, beyond = search.in_float32(rows)
        nearest, squared = _nearest(points, rows, candidates, k)
        unsettled = squared[:, -1] > beyond
        if unsettled.any():
            candidates = search.in_float64(rows[unsettled])
            nearest[unsettled], squared[unsettled] = _nearest(points, rows[unsettled], candidates, k)
        indices[rows] = nearest
        distances[rows] = squared / 2 if metric == "cosine" else np.sqrt(squared)
    return Neighbors(indices, distances, metric)


def torch_device(name: str | None) -> torch.device:
    """The device named, or a GPU where there is one."""
    import torch

    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


@dataclass(frozen=True)
class _Points:
    """Vectors with the factors that give them unit length; zero vectors are marked and stay apart from all others."""

    vectors: NDArray[np.floating]
    factors: NDArray[np.float64]
    zero: NDArray[np.bool_]
    of_unit_length: bool

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
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
    return _Points(embeddings, 1.0 / np.where(zero, 1.0, lengths), zero, True)


class _Search:
    """Proposes candidates for blocks of rows by matrix products with all rows."""

    def __init__(self, points: _Points, count: int, device: torch.device) -> None:
        import torch

        self._points, self._count, self._device = points, count, device
        self._total = len(points.vectors)
        self.block = max(1, BLOCK_VALUES // self._total)
        self._float32 = self._all_rows(torch.float32, device)
        self._squares = (self._float32 * self._float32).sum(dim=1)
        self._float64: torch.Tensor | None = None
        # Rounding of a float32 product of such vectors: it grows with the root of the dimension, the factor leaves room.
        self._rounding = 16 * 2.0**-24 * float(np.sqrt(self._float32.shape[1])) * float(self._squares.max())

    def _all_rows(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        import torch

        width = self._points.rows(np.arange(1)).shape[1]
        everything = torch.empty((self._total, width), dtype=dtype, device=device)
        step = max(1, BLOCK_VALUES // width)
        for start in range(0, self._total, step):
            rows = self._points.rows(np.arange(start, min(start + step, self._total)))
            everything[start : start + step] = torch.from_numpy(rows).to(device=device, dtype=dtype)
        return everything

    def in_float32(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Candidates (R, count) of consecutive rows, and for each row the squared distance below which none was missed."""
        import torch

        start, stop = int(rows[0]), int(rows[-1]) + 1
        with torch.inference_mode():
            # Nearness that orders like the distance: the row's own length is the same for all candidates and left out.
            nearness = torch.addmm(self._squares[None, :], self._float32[start:stop], self._float32.T, beta=-1, alpha=2)
            places = torch.arange(start, stop, device=self._device)
            nearness[places - start, places] = -torch.inf
            best = torch.topk(nearness, self._count, dim=1, sorted=False)
            beyond = self._squares[start:stop] - best.values.min(dim=1).values
        if self._count == self._total - 1:  # every other row is a candidate
            return best.indices.cpu().numpy(), np.full(len(rows), np.inf)
        return best.indices.cpu().numpy(), beyond.cpu().numpy().astype(np.float64) - self._rounding

    def in_float64(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Candidates (R, count) of any rows; on the CPU, because not every accelerator has float64."""
        import torch

        if self._float64 is None:
            self._float64 = self._all_rows(torch.float64, torch.device("cpu"))
        chosen = torch.from_numpy(rows)
        with torch.inference_mode():
            squares = (self._float64 * self._float64).sum(dim=1)
            nearness = torch.addmm(squares[None, :], self._float64[chosen], self._float64.T, beta=-1, alpha=2)
            nearness[torch.arange(len(rows)), chosen] = -torch.inf
            return torch.topk(nearness, self._count, dim=1, sorted=False).indices.numpy()


def _nearest(
    points: _Points, rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest candidates of each row, nearest first, and their squared distances in float64."""
    squared = _from_products(points, rows, candidates)
    row, column = np.nonzero(squared < (NEARLY_EQUAL if points.of_unit_length else np.inf))
    step = max(1, BLOCK_VALUES // (4 * points.vectors.shape[1]))
    for start in range(0, len(row), step):
        some = slice(start, start + step)
        differences = points.rows(candidates[row[some], column[some]]) - points.rows(rows[row[some]])
        squared[row[some], column[some]] = np.einsum("nd,nd->n", differences, differences)
    order = np.lexsort((candidates, squared.astype(np.float32)))[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(squared, order, axis=1)


def _from_products(points: _Points, rows: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Squared distances of unit vectors as 2 - 2 cosine; of other vectors zeros, which stand for: not known."""
    import torch

    squared = np.zeros(candidates.shape)
    step = max(1, BLOCK_VALUES // (2 * candidates.shape[1] * points.vectors.shape[1]))
    for start in range(0, len(rows) if points.of_unit_length else 0, step):
        part = slice(start, start + step)
        own = torch.from_numpy(points.vectors[rows[part]]).double()
        others = torch.from_numpy(points.vectors[candidates[part]]).double()
        cosines = torch.bmm(others, own[:, :, None])[:, :, 0].numpy() * points.factors[rows[part], None] * points.factors[candidates[part]]
        both_zero = points.zero[rows[part], None] & points.zero[candidates[part]]
        squared[part] = np.where(both_zero, 0.0, np.maximum(2.0 - 2.0 * cosines, 0.0))
    return squared
