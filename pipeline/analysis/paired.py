"""Whether one way of training is better than another, from models of both that were trained with
the same seeds and evaluated on the same images. Knows no disk and trains nothing.

The images are a sample of all that could be evaluated, the seeds one of all trainings that could
be made: both are noise. Each seed is a cluster of paired differences, and so is each image, since
all models see the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAIN, LOSS, NOISE, UNDECIDABLE = "gain", "loss", "noise", "undecidable"
"""The whole interval lies above 0, below 0, neither; or there is one seed only."""

LEVEL = 0.95
"""Of an interval that stands alone."""

POWER = 0.8
"""Chance with which a difference of the size `PairedDifference.detectable` is found."""

MAX_SEEDS = 50
"""More seeds than these nobody trains: they are not recommended."""

FEW_DISCORDANT = 25
"""Below so many images on which the models differ the exact sign test has to agree: the usual bound
under which McNemar's test takes the binomial distribution."""


@dataclass(frozen=True)
class PairedDifference:
    """How much more accurate the second models are than the first ones."""

    difference: float
    """Mean over seeds and images, in [-1, 1]; higher is better for the second."""
    low: float
    """End of the interval."""
    high: float
    level: float
    """Of the interval, in (0, 1)."""
    by_seed: tuple[float, ...]
    """The difference of each seed."""
    standard_error: float
    degrees_of_freedom: float
    """Of Student's t distribution, at least 1; infinite for one seed."""
    images: int
    better: int
    """Images that the second models get right more often than the first."""
    worse: int
    verdict: str
    """`GAIN`, `LOSS`, `NOISE` or `UNDECIDABLE`."""
    detectable: float
    """The least true difference that is found with a chance of `POWER`, at this noise: never less
    than what convinces the exact sign test. Above 1 where none is found."""


def paired_difference(
    before: NDArray[np.bool_], after: NDArray[np.bool_], *, level: float = LEVEL
) -> PairedDifference:
    """Compare models of S seeds on N images.

    ``before`` and ``after`` have the shape (S, N): whether the model of a seed is right about an
    image. With d = after - before, seeds and images are crossed random effects of an analysis of
    variance with one value a cell: the variance of the mean of d is (MS_seed + MS_image - MS_rest)
    / (S N), never less than the larger of the first two alone, its degrees of freedom those of
    Satterthwaite, the interval that of Student's t (`scipy.stats.t`), cut at -1 and 1. Where d is
    the same everywhere the reach is that of the rule of three. Of one seed the interval knows the
    images only. Sources: Satterthwaite 1946, Biometrics Bulletin 2(6); Searle, Casella and
    McCulloch 1992, Variance Components, chapter 4; Hanley and Lippman-Hand 1983, JAMA 249(13).
    Raises ValueError for other shapes or no image.
    """
    if before.shape != after.shape or before.ndim != 2 or not before.size:
        raise ValueError(f"before {before.shape} and after {after.shape} are no (S, N) alike")
    d = after.astype(np.float64) - before.astype(np.float64)
    variance, freedom = _variance_of_mean(d)
    mean, error = float(d.mean()), float(np.sqrt(variance))
    of_images = d.mean(axis=0)
    better, worse = int((of_images > 0).sum()), int((of_images < 0).sum())
    quantile = _quantile((1 + level) / 2, freedom)
    reach = quantile * error if error > 0 else _rule_of_three(d.shape[1], level)
    low, high = max(-1.0, mean - reach), min(1.0, mean + reach)
    return PairedDifference(
        difference=mean,
        low=low,
        high=high,
        level=level,
        by_seed=tuple(float(one) for one in d.mean(axis=1)),
        standard_error=error,
        degrees_of_freedom=freedom,
        images=d.shape[1],
        better=better,
        worse=worse,
        verdict=_verdict(low, high, len(d), better, worse, level),
        detectable=max(
            (quantile + _quantile(POWER, freedom)) * error, _convincing(level) / d.shape[1]
        ),
    )


def shared_level(intervals: int) -> float:
    """The level of each of so many intervals that together hold with the chance `LEVEL`."""
    return 1 - (1 - LEVEL) / max(1, intervals)


def seeds_needed(found: PairedDifference, wanted: float) -> int | None:
    """About how many seeds find a true difference ``wanted`` with the chance `POWER`, if the noise
    of the images allows it; None where `MAX_SEEDS` do not. ``found`` gives the noise."""
    seeds = len(found.by_seed)
    if seeds < 2:
        return None
    of_seeds = float(np.var(found.by_seed, ddof=1))
    of_images = max(found.standard_error**2 - of_seeds / seeds, 0.0)
    for count in range(seeds + 1, MAX_SEEDS + 1):
        factor = _quantile((1 + found.level) / 2, count - 1) + _quantile(POWER, count - 1)
        if factor * np.sqrt(of_seeds / count + of_images) <= wanted:
            return count
    return None


def _variance_of_mean(d: NDArray[np.float64]) -> tuple[float, float]:
    """The variance of the mean of (S, N) differences, and its degrees of freedom."""
    seeds, images = d.shape
    of_seeds, of_images, mean = d.mean(axis=1), d.mean(axis=0), d.mean()
    image = seeds * float(((of_images - mean) ** 2).sum()) / max(images - 1, 1)
    if seeds == 1:
        return image / images, float("inf")
    seed = images * float(((of_seeds - mean) ** 2).sum()) / (seeds - 1)
    if images == 1:
        return seed / seeds, float(seeds - 1)
    rest = d - of_seeds[:, None] - of_images[None, :] + mean
    both = (seeds - 1) * (images - 1)
    left = float((rest**2).sum()) / both
    total = max(seed + image - left, seed, image)
    parts: Sequence[tuple[float, int]] = ((seed, seeds - 1), (image, images - 1), (left, both))
    spread = sum(part**2 / freedom for part, freedom in parts)
    freedom = total**2 / spread if spread > 0 else float("inf")
    return total / d.size, max(1.0, freedom)


def _quantile(chance: float, freedom: float) -> float:
    from scipy import stats

    return float(stats.t.ppf(chance, freedom))


def _rule_of_three(images: int, level: float) -> float:
    """The largest share of images that may be otherwise of which so many images show none."""
    return float(1 - (1 - level) ** (1 / images))


def _verdict(low: float, high: float, seeds: int, better: int, worse: int, level: float) -> str:
    if seeds < 2:
        return UNDECIDABLE
    if low <= 0 <= high or not _agrees(better, worse, level):
        return NOISE
    return GAIN if low > 0 else LOSS


def _convincing(level: float) -> int:
    """The fewest discordant images, all in one direction, that the exact sign test takes for more
    than luck: 2 / 2 ** n is below 1 - level."""
    return math.floor(math.log2(2 / (1 - level))) + 1


def _agrees(better: int, worse: int, level: float) -> bool:
    """Whether so few discordant images are more than luck, by the exact sign test."""
    from scipy import stats

    discordant = better + worse
    if not 0 < discordant < FEW_DISCORDANT:
        return discordant > 0
    return bool(stats.binomtest(better, discordant).pvalue < 1 - level)
