"""Says on which side of a moving point its number stands, so that it covers nothing else that is
read. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ON_THE_WAY = np.array([0, 0.25, 0.5, 0.75, 1])
"""Where it is looked at on the way from one checkpoint to the next."""

AWAY = np.inf
"""Middle of a box that is not there."""


class Taken(NamedTuple):
    """A box that should be kept free, on the way to the next checkpoint."""

    middles: NDArray[np.float64]
    """Shape (E, 2): at each of `ON_THE_WAY`; `AWAY` where it is not there."""
    size: NDArray[np.float64]
    """Width and height."""
    weight: int = 1
    """How bad it is to cover it."""


def on_the_way(ends: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where points are on their way: from shape (2, N, 2) to (N, E, 2)."""
    share = ON_THE_WAY[None, :, None]
    first, last = np.asarray(ends, dtype=np.float64)[:, :, None]
    return np.asarray((1 - share) * first + share * last)


def best_side(
    boxes: Sequence[NDArray[np.float64]],
    size: NDArray[np.float64],
    taken: Sequence[Taken],
    *,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> int:
    """Which of some positions covers least on the whole way; of equal ones the first.

    ``boxes``: the middle of the number, shape (E, 2), at each position, of ``size``; ``low`` and
    ``high`` are the corners within which it has to lie, where it can.
    """

    def cost(middles: NDArray[np.float64]) -> tuple[int, int]:
        inside = (middles - size / 2 >= low).all() and (middles + size / 2 <= high).all()
        covered = (int(covers(middles, size, one).sum()) * one.weight for one in taken)
        return int(not inside), sum(covered)

    costs = [cost(middles) for middles in boxes]
    return costs.index(min(costs))


def covers(
    middles: NDArray[np.float64], size: NDArray[np.float64], other: Taken
) -> NDArray[np.bool_]:
    """At which moments a box of ``size`` lies over another, shape (E,)."""
    apart = np.abs(middles - other.middles)
    return np.asarray((apart < (size + other.size) / 2).all(axis=1))
