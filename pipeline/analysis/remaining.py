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

GRADUAL = 0.93
"""How much is expected of lists in which the odds fall steadily, as in lists of planted wrong
labels; the rest, of those curves."""

BEGINS = tuple(np.linspace(-6, 7, 53).tolist())
FALLS = tuple(np.linspace(0, 8, 33).tolist())
"""Of steady ones: the logarithm of the odds at the begin, and by how much it falls to the end."""

USUAL_BEGIN, USUAL_FALL = (0.0, 3.0), (2.0, 1.25)
"""Mean and standard deviation of each: what fits planted lists, whole and with most of the wrong
labels taken out (`tests.benchmarks.planted`)."""

LEAST_ODDS = 1e-7
"""Of a label score: what is lower counts as this."""

PARTS = 200
"""Groups of images by how far their scores are from a tie, in which it is counted how often the
given label loses."""

LARGEST_NOISE = 0.35
"""Share of the labels that seem wrong at random, from which nothing can be told: it is about a
half of scores that know nothing."""

LEAST_KNOWN = 2.0
"""Logarithm of the odds that a large lead is worth, below which the scores know too little."""


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
    thousand curves, which are weighted by their likelihood given the verdicts; most is expected of
    lists in which it falls steadily. What breaks off beyond all that was decided is not foreseen.
    The number among the undecided is that
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
    position = (np.arange(bins) + 0.5) / bins
    kinds = ((_steady(position), GRADUAL), (_with_ends(position), 1 - GRADUAL))
    chances = np.concatenate([curves for (curves, _), _ in kinds])
    prior = [log - np.logaddexp.reduce(log) + np.log(share) for (_, log), share in kinds]
    return chances.clip(1e-4, 1 - 1e-4), np.concatenate(prior)


def _steady(position: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The odds fall by the same factor everywhere."""
    begin, fall = np.array([*itertools.product(BEGINS, FALLS)]).T[:, :, None]
    chances = 1 / (1 + np.exp(fall * position - begin))
    from_begin = (begin[:, 0] - USUAL_BEGIN[0]) / USUAL_BEGIN[1]
    from_fall = (fall[:, 0] - USUAL_FALL[0]) / USUAL_FALL[1]
    return chances, -0.5 * (from_begin**2 + from_fall**2)


def _with_ends(position: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From a top to a bottom; edges and ends in nothing are expected more."""
    shapes = np.array(
        [one for one in itertools.product(TOPS, BOTTOMS, ENDS_AT, STEEPNESS) if one[1] <= one[0]]
    )
    top, bottom, ends_at, steepness = shapes.T[:, :, None]
    falling = 1 / (1 + np.exp(steepness * (position - ends_at)))
    edge = np.where(steepness[:, 0] == max(STEEPNESS), 0.7, 0.0)
    return bottom + (top - bottom) * falling, edge - 0.5 * np.log(bottom[:, 0])


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

LEARNT = "no estimate: the model was trained on these labels, and has learnt wrong ones too"

NO_MEASURE = "no estimate: the most atypical images of a clean data set score as low as faulty ones"

PURITY = 0.9
"""Share of foreign images among those of named groups, where some were planted."""


def expected_labels(
    scores: NDArray[np.floating], count: int, *, trained_on: NDArray[np.bool_] | None = None
) -> Expectation:
    """Of the ``count`` labels that fit worst; ``scores`` as in `expected_wrong`. ``trained_on``,
    shape (N,): what was trained on fits better than its label deserves, and says nothing."""
    if not np.isfinite(scores).any():
        return Expectation(None)
    if trained_on is not None and trained_on.any():
        return Expectation(None, LEARNT)
    expected = expected_wrong(scores, count)
    return Expectation(expected, TOO_MANY if expected is None else "")


def expected_outliers(scores: NDArray[np.floating], count: int) -> Expectation:
    """Of the ``count`` most atypical images, at one checkpoint or over all; ``scores``, shape (N,),
    lower is more atypical, NaN for none."""
    return Expectation(None, NO_MEASURE if np.isfinite(scores).any() else "")


def expected_in_groups(groups: NDArray[np.integer], count: int) -> Expectation:
    """Of the first ``count`` images of the list of groups; ``groups``, shape (N,), -1 for an image
    in none. As many as of planted groups were foreign."""
    listed = int((np.asarray(groups) >= 0).sum())
    return Expectation(PURITY * min(count, listed)) if listed else Expectation(None)


def scores_can_tell(scores: NDArray[np.floating]) -> bool:
    """Whether label scores, as in `expected_wrong`, can say how many are wrong."""
    return _noise_of(scores) is not None


def expected_wrong(scores: NDArray[np.floating], count: int) -> float | None:
    """How many of the ``count`` lowest label scores are expected to be of wrong labels, by the
    scores alone; None where they cannot tell.

    ``scores``, shape (N,), in [0, 1], NaN for none, of images that were not trained on: how the
    given label does against the best other one, 0.5 is a tie. The log-odds say how far one of the
    two leads. A right label loses a lead of t with a probability of 1 / (1 + exp(rate t)); a wrong
    one, which takes the place of the label that leads, with the rest of it; and a share of all is
    wrong at random. Rate and share are those that make wins and losses most likely.
    """
    noise = _noise_of(scores)
    if noise is None:
        return None
    odds = np.sort(_log_odds(scores))[:count]
    return float(noise.wrong_among_lost(-odds[odds < 0]).sum())


@dataclass(frozen=True)
class _Noise:
    """How labels win and lose against the best other class."""

    rate: float
    share: float

    def lost(self, lead: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely the given label is behind by a lead, rather than ahead."""
        right = 1 / (1 + np.exp(np.minimum(self.rate * lead, 700)))
        return np.asarray((1 - self.share) * right + self.share * (1 - right))

    def wrong_among_lost(self, lead: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely a label that is behind by a lead is wrong."""
        right = 1 / (1 + np.exp(np.minimum(self.rate * lead, 700)))
        lost = np.maximum(self.lost(lead), np.finfo(np.float64).tiny)
        return np.asarray(self.share * (1 - right) / lost)


def _log_odds(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    known = np.asarray(scores, dtype=np.float64)
    known = known[np.isfinite(known)].clip(LEAST_ODDS, 1 - LEAST_ODDS)
    return np.asarray(np.log(known) - np.log1p(-known))


def _noise_of(scores: NDArray[np.floating]) -> _Noise | None:
    """What is most likely, None where that says nothing."""
    from scipy.optimize import minimize

    odds = _log_odds(scores)
    if not len(odds):
        return None
    parts = np.array_split(np.abs(odds)[order := np.argsort(np.abs(odds))], PARTS)
    behind = np.array_split(odds[order] < 0, PARTS)
    lead = np.array([part.mean() for part in parts if len(part)])
    lost = np.array([part.sum() for part in behind if len(part)])
    won = np.array([len(part) for part in parts if len(part)]) - lost

    def noise(values: NDArray[np.float64]) -> _Noise:
        rate, share = np.exp(values[0]), 0.5 / (1 + np.exp(-values[1]))
        return _Noise(float(rate), float(share))

    def loss(values: NDArray[np.float64]) -> float:
        likely = noise(values).lost(lead).clip(1e-12, 1 - 1e-12)
        return -float(lost @ np.log(likely) + won @ np.log1p(-likely))

    bounds = [(np.log(0.01), np.log(50)), (-12.0, 6.0)]
    starts = [(0.0, -3.0), (-0.5, -6.0), (-1.0, -2.0)]
    fits = [minimize(loss, start, method="Nelder-Mead", bounds=bounds) for start in starts]
    found = noise(min(fits, key=lambda fit: float(fit.fun)).x)
    known = found.rate * float(np.quantile(lead, 0.9)) >= LEAST_KNOWN
    return found if known and found.share <= LARGEST_NOISE else None
