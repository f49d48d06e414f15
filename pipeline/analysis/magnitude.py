"""Brings vectors of any magnitude near 1 before they are squared, exactly: by a power of two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
