"""Brings vectors of any magnitude near 1 before they are squared, exactly: by a power of two; and
measures distances of vectors so scaled in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR_VALUES = 1 << 18
"""Values that are worked on at once where no product is: 2 MiB of float64 stay near the
processor."""

NEARLY_EQUAL = 1e-6
"""Squared distances of unit vectors below it come from differences; above it a float64 product has
seven digits or more."""


def exponent_of(vectors: NDArray[Any]) -> int:
    """The power of two of the largest magnitude, which lies in [1/2, 1) times it; 0 where all are 0
    or there are none."""
    largest = max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))
    return math.frexp(largest)[1]


def near_one(vectors: NDArray[np.floating]) -> tuple[NDArray[Any], int]:
    """Vectors of shape (N, D) divided by that power of two, float32 or wider, and its exponent.

    No digit changes, so that results are those of the vectors themselves up to the power, but for
    squares that would have left the range of float32.
    """
    exponent = exponent_of(vectors)
    wide = np.asarray(vectors, dtype=np.result_type(vectors.dtype, np.float32))
    return np.ldexp(wide, -exponent), exponent


def unit_rows(vectors: NDArray[np.floating], *, least: float = 0.0) -> NDArray[np.float64]:
    """The same vectors, shape (N, D), in float64 with length 1. Those of length 0 stay 0; with a
    ``least`` length, shorter ones are divided by that."""
    rows = np.empty(vectors.shape)
    step = max(1, NEAR_VALUES // max(1, vectors.shape[1]))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        some[:] = vectors[start : start + step]
        lengths = np.linalg.norm(some, axis=1, keepdims=True)
        some /= np.maximum(lengths, least) if least else np.where(lengths == 0, 1.0, lengths)
    return rows


# -- distances


@dataclass(frozen=True)
class ScaledVectors:
    """Vectors with the factors that give them unit length, or one for all that brings them near 1;
    zero vectors of unit length are marked and stay apart from all others."""

    vectors: NDArray[np.floating]
    factors: NDArray[np.float64]
    zero: NDArray[np.bool_]
    of_unit_length: bool

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The scaled vectors in float64, with one more coordinate that is 1 for zero vectors where
        there are any."""
        scaled = self.vectors[rows].astype(np.float64) * self.factors[rows][..., None]
        if not self.zero.any():
            return scaled
        return np.concatenate([scaled, self.zero[rows].astype(np.float64)[..., None]], axis=-1)


def unit_vectors_of(embeddings: NDArray[np.floating]) -> ScaledVectors:
    """Those of embeddings, shape (N, D), brought to unit length."""
    total = len(embeddings)
    lengths = np.empty(total)
    block = max(1, NEAR_VALUES // embeddings.shape[1])
    for start in range(0, total, block):
        rows = embeddings[start : start + block].astype(np.float64)
        lengths[start : start + block] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    zero = lengths == 0
    return ScaledVectors(embeddings, 1.0 / np.where(zero, 1.0, lengths), zero, True)


def scaled_for(embeddings: NDArray[np.floating], metric: str) -> ScaledVectors:
    """Embeddings, shape (N, D), as a metric of `neighbors.Neighbors` compares them."""
    if metric == "cosine":
        return unit_vectors_of(embeddings)
    factors = np.full(len(embeddings), 2.0 ** -exponent_of(embeddings))
    return ScaledVectors(embeddings, factors, np.zeros(len(embeddings), bool), False)


def nearest_candidates(
    points: ScaledVectors, rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest candidates of each row, nearest first, and their squared distances in
    float64."""
    squared = _from_products(points, rows, candidates)
    row, column = np.nonzero(squared < (NEARLY_EQUAL if points.of_unit_length else np.inf))
    step = max(1, NEAR_VALUES // points.vectors.shape[1])
    for start in range(0, len(row), step):
        some = slice(start, start + step)
        differences = points.rows(candidates[row[some], column[some]]) - points.rows(
            rows[row[some]]
        )
        squared[row[some], column[some]] = np.einsum("nd,nd->n", differences, differences)
    order = np.lexsort((candidates, squared.astype(np.float32)))[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(squared, order, axis=1)


def _from_products(
    points: ScaledVectors, rows: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Squared distances of unit vectors as 2 - 2 cosine; of other vectors zeros, which stand for:
    not known."""
    import torch

    squared = np.zeros(candidates.shape)
    vectors = np.asarray(points.vectors)
    step = max(1, NEAR_VALUES // (candidates.shape[1] * vectors.shape[1]))
    for start in range(0, len(rows) if points.of_unit_length else 0, step):
        part = slice(start, start + step)
        own = torch.from_numpy(vectors[rows[part]]).double()
        others = torch.from_numpy(vectors.take(candidates[part], axis=0)).double()
        cosines = (
            torch.bmm(others, own[:, :, None])[:, :, 0].numpy()
            * points.factors[rows[part], None]
            * points.factors[candidates[part]]
        )
        both_zero = points.zero[rows[part], None] & points.zero[candidates[part]]
        squared[part] = np.where(both_zero, 0.0, np.maximum(2.0 - 2.0 * cosines, 0.0))
    return squared
