"""Estimates how many images of a list are real finds: before any decision from the scores that made
the list, later from what was decided about some of its images. Knows no list and no decision."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOT_DECIDED, NOT_REAL, REAL = -1, 0, 1
"""Verdicts."""

LEAST_DECIDED = 30
"""Verdicts from which an estimate is given: with fewer its interval says nothing."""

COVERAGE = 0.9
"""Share of the intervals that hold the truth."""

BINS = 200
"""Parts of a list whose images count as equally likely: each image one, up to that many."""

TOPS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99)
BOTTOMS = (0.005, *TOPS[:-2])
ENDS_AT = tuple(np.linspace(-0.1, 1.3, 15).tolist())
STEEPNESS = (3.0, 6.0, 12.0, 40.0)
"""What a curve of probabilities can be: from a top to a bottom, around a position in the list (its
length is 1), slowly or as an edge."""

LEAST_FITTING = 0.8
"""Share of the labels that the scores must take for right, for these to say how many are wrong: by
a model that has learnt little most of what it contradicts is right."""

NEAR_EVEN = 0.2
"""Share of the images, those nearest to a tie, by which it is seen what a score is worth."""


@dataclass(frozen=True)
class Remaining:
    """What is to be expected of the images of a list that nobody has decided about."""

    decided: int
    """Images with a verdict."""
    real: int
    """How many of them were real finds."""
    left: float
    """Expected number of real ones among the others."""
    low: int
    high: int
    """Their number lies between, ends included, with a probability of `COVERAGE`."""

    @property
    def precision(self) -> float:
        """Share of real finds among the decided, in [0, 1]."""
        return self.real / self.decided if self.decided else 0.0


def remaining(verdicts: NDArray[np.integer]) -> Remaining | None:
    """The estimate for a list whose images have these verdicts, shape (n,), in its order; None
    where fewer than `LEAST_DECIDED` are decided, whichever they are.

    Bayesian, with nothing drawn: the probability of being real falls along the list by one of some
    thousand curves, which are weighted by their likelihood given the verdicts; lists that end in
    nothing and have an edge are expected more than others. The number among the undecided is that
    of independent events of a curve's probabilities, by the normal approximation.
    """
    verdicts = np.asarray(verdicts)
    decided = verdicts != NOT_DECIDED
    if int(decided.sum()) < LEAST_DECIDED:
        return None
    bins = min(len(verdicts), BINS)
    chances, prior = curves(bins)
    part = np.arange(len(verdicts)) * bins // len(verdicts)
    real, kept, open_ = (
        np.bincount(part[verdicts == verdict], minlength=bins).astype(np.float64)
        for verdict in (REAL, NOT_REAL, NOT_DECIDED)
    )
    likelihood = prior + np.log(chances) @ real + np.log1p(-chances) @ kept
    weights = np.exp(likelihood - likelihood.max())
    counts = _Counts(weights / weights.sum(), chances @ open_, (chances * (1 - chances)) @ open_)
    total = int(open_.sum())
    tail = (1 - COVERAGE) / 2
    return Remaining(
        int(decided.sum()),
        int(real.sum()),
        counts.mean,
        counts.quantile(tail, total),
        counts.quantile(1 - tail, total),
    )


@functools.cache
def curves(bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities along a list by each curve, shape (curves, bins), and the logarithm of what is
    expected of each before anything is seen."""
    shapes = np.array(
        [one for one in itertools.product(TOPS, BOTTOMS, ENDS_AT, STEEPNESS) if one[1] <= one[0]]
    )
    top, bottom, ends_at, steepness = shapes.T[:, :, None]
    position = (np.arange(bins) + 0.5) / bins
    falling = 1 / (1 + np.exp(steepness * (position - ends_at)))
    chances = np.clip(bottom + (top - bottom) * falling, 1e-4, 1 - 1e-4)
    edge = np.where(steepness[:, 0] == max(STEEPNESS), 0.7, 0.0)
    return chances, edge - 0.5 * np.log(bottom[:, 0])


@dataclass(frozen=True)
class _Counts:
    """A number that is normal around one of some means."""

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """What is expected."""
        return float(self.weights @ self.means)

    def quantile(self, share: float, total: int) -> int:
        """The least number from 0 to ``total`` that is not exceeded with this probability."""
        low, high = 0, total
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._below(middle) >= share else (middle + 1, high)
        return low

    def _below(self, number: int) -> float:
        """Probability of at most so many."""
        from scipy.special import ndtr

        deviations = np.sqrt(self.variances) + 1e-9
        return float(self.weights @ ndtr((number + 0.5 - self.means) / deviations))


@dataclass(frozen=True)
class Expectation:
    """How many of the first images of a list are real finds, before anybody decided."""

    real: float | None
    """None where nothing can tell."""
    why: str = ""
    """Why that is not known, for people; empty where it is, or there is nothing to say it of."""


TOO_MANY = "no estimate: too many labels do not fit (the model may have learnt too little)"

NO_MEASURE = "no estimate: the most atypical images of a clean data set score as low as faulty ones"


def expected_labels(scores: NDArray[np.floating], count: int) -> Expectation:
    """Of the ``count`` labels that fit worst; ``scores`` as in `expected_wrong`."""
    if not np.isfinite(scores).any():
        return Expectation(None)
    if not scores_can_tell(scores):
        return Expectation(None, TOO_MANY)
    return Expectation(expected_wrong(scores, count))


def expected_outliers(scores: NDArray[np.floating], count: int) -> Expectation:
    """Of the ``count`` most atypical images, at one checkpoint or over all; ``scores``, shape (N,),
    lower is more atypical, NaN for none."""
    return Expectation(None, NO_MEASURE if np.isfinite(scores).any() else "")


def expected_in_groups(groups: NDArray[np.integer], count: int) -> Expectation:
    """Of the first ``count`` images of the list of groups; ``groups``, shape (N,), -1 for an image
    in none. As many as of planted groups were foreign."""
    listed = int((np.asarray(groups) >= 0).sum())
    return Expectation(PURITY * min(count, listed)) if listed else Expectation(None)


PURITY = 0.9
"""Share of foreign images among those of named groups, where some were planted."""


def scores_can_tell(scores: NDArray[np.floating]) -> bool:
    """Whether label scores, shape (N,), in [0, 1], NaN for none, take enough labels for right to
    say how many are wrong."""
    known = scores[np.isfinite(scores)]
    return bool(len(known)) and float((known > 0.5).mean()) >= LEAST_FITTING


def expected_wrong(scores: NDArray[np.floating], count: int) -> float | None:
    """How many of the ``count`` lowest label scores are expected to be of wrong labels, by the
    scores alone; None where they cannot tell.

    ``scores``, shape (N,), in [0, 1], NaN for none: how the given label does against the best other
    one, 0.5 is a tie. Were all labels right, a tie would be lost by the given label about as often
    as won, and a lead that is lost the less often, the larger it is: the odds fall exponentially,
    at a rate that is fitted to the images nearest to a tie. What is lost beyond that, and its
    deviation, is wrong. A guess: of 100, 8 to 13 off on average.
    """
    known = np.asarray(scores, dtype=np.float64)
    known = known[np.isfinite(known)].clip(1e-6, 1 - 1e-6)
    if not scores_can_tell(known):
        return None
    odds = np.log(known) - np.log1p(-known)
    lost = np.sort(-odds[odds < 0])[::-1][:count]
    if not len(lost):
        return 0.0
    won = np.sort(odds[odds > 0])
    counted = np.cumsum(np.exp(-_rate(odds) * won)[::-1])[::-1]
    as_often = np.append(counted, 0.0)[np.searchsorted(won, lost)]
    surplus = np.arange(1, len(lost) + 1) - as_often - np.sqrt(as_often)
    return max(0.0, float(surplus.max()))


def _rate(odds: NDArray[np.float64]) -> float:
    """By how much the logarithm of the odds that a lead is won grows with it, in [0, 3]."""
    from scipy.optimize import minimize_scalar

    lead = np.abs(odds)
    near = lead <= np.quantile(lead, NEAR_EVEN)
    won = np.where(odds[near] > 0, 1.0, -1.0)

    def loss(rate: float) -> float:
        return float(np.logaddexp(0, -rate * won * lead[near]).sum())

    return float(minimize_scalar(loss, bounds=(0, 3), method="bounded").x)
