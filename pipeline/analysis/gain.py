"""How likely each image of a list is a real find, by its position, by what the scores let expect of
the first ones and by what was decided so far: what an order by expected gain needs. Knows no list
and no decision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.remaining import BINS, NOT_REAL, REAL, curves

DEVIATION = 0.12
"""What a number of real finds that the scores let expect is off, as a share of the images."""


def chances_along(
    verdicts: NDArray[np.integer], expected: float | None = None, first: int = 100
) -> NDArray[np.float64]:
    """The probability of being real for each of the equal parts of a list, shape (bins,), at most
    `BINS` and one an image; in [0, 1], falling.

    ``verdicts``, shape (n,), in the order of the list, which falls in suspicion. ``expected`` of
    the ``first`` images are real by the scores; None where these cannot tell. The mean of the
    curves of `remaining`, weighted by their likelihood given both.
    """
    verdicts = np.asarray(verdicts)
    bins = min(len(verdicts), BINS)
    if not bins:
        return np.zeros(0)
    chances, weight = curves(bins)
    part = part_of(np.arange(len(verdicts)), len(verdicts))
    real, kept = (
        np.bincount(part[verdicts == verdict], minlength=bins).astype(np.float64)
        for verdict in (REAL, NOT_REAL)
    )
    weight = weight + np.log(chances) @ real + np.log1p(-chances) @ kept
    if expected is not None:
        count = min(first, len(verdicts))
        images = np.bincount(part[:count], minlength=bins)
        weight = weight - ((chances @ images - expected) / (DEVIATION * count)) ** 2 / 2
    weights = np.exp(weight - weight.max())
    found: NDArray[np.float64] = weights @ chances / weights.sum()
    return found


def part_of(position: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """In which part of a list of so many images a position is."""
    return position * min(count, BINS) // max(count, 1)


def by_gain(
    verdicts: NDArray[np.integer], settles: NDArray[np.integer], expected: float | None = None
) -> NDArray[np.intp]:
    """Positions of a list in the order of the gain to be expected: the probability that an image is
    a real find times how many images one decision about it settles, ``settles``, shape (n,). Equal
    ones as they are."""
    count = len(settles)
    chances = chances_along(verdicts, expected)[part_of(np.arange(count), count)]
    return np.argsort(-chances * settles, kind="stable")
