"""Puts what two judges say of the classes of an image, the model's head and the leave-one-out
regression, at one checkpoint or at all, into one label score; the choices by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-12
"""Probabilities below it count as this in logarithms."""

LEAST_DOUBT = 0.005
"""Share of the labels that a checkpoint always counts as not fitted yet."""

LEAST_ERROR = 1e-4
"""Share of the labels that a checkpoint always counts as taken wrong."""

STEEPNESS = 16
"""Power of the odds that a label is taken right: of 80 and 78 %, 1 and 0.15; a checkpoint that is
much better than all others counts alone, some that are as good count together."""

NEGLIGIBLE = 0.01
"""Of the largest weight; smaller ones are none, and what a checkpoint says is not computed."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PoolingRule:
    """How the label of an image is scored."""

    checkpoints: Literal["last", "all"]
    """Which have a say."""
    mean: Literal["arithmetic", "geometric"]
    """Of the judges, and of the checkpoints."""
    weights: Literal["equal", "skill", "skill and doubt", "odds"]
    """Of the checkpoints, from the leave-one-out accuracy: equal; by a steep power of its odds, so
    that only the best ones count; by what it is beyond chance (skill); by skill times the share of
    the labels that do not fit yet, for a checkpoint that agrees with all labels tells nothing of
    them, and one that agrees with none knows nothing."""
    margin: Literal["log", "root", "self-confidence"]
    """By which the given class is compared with the best other one."""


RULES: Mapping[bool, PoolingRule] = {
    False: PoolingRule("all", "geometric", "odds", "log"),
    True: PoolingRule("all", "geometric", "skill and doubt", "log"),
}
"""By whether an image was trained on. On images that were not, worse checkpoints only do harm; one
that was is learnt by heart in the end, and there all of them help (`tests.benchmarks.planted`)."""


@dataclass(frozen=True)
class PooledLabels:
    """What all judges together say of labels."""

    score: Array
    """Shape (M,), in [0, 1]: lower is more likely wrong, 0.5 a tie with the best other class; NaN
    without a label."""
    suggested: NDArray[np.int32]
    """Shape (M,): the best class other than the label, of all classes without one; -1 where there
    is no other."""


@dataclass(frozen=True)
class Opinions:
    """What is said of some images at a checkpoint."""

    skill: float
    """Leave-one-out accuracy beyond chance, in [0, 1]."""
    accuracy: float
    """The same as it is, in [0, 1]."""
    shares: Iterable[Array]
    """Class probabilities of one judge after the other, shape (M, C)."""


def pooled(rule: PoolingRule, checkpoints: Sequence[Opinions]) -> Array:
    """Class probabilities of all judges together, shape (M, C), rows sum to 1: the mean over the
    checkpoints of the mean over the judges of each."""
    weights = weights_of(
        rule, [one.skill for one in checkpoints], [one.accuracy for one in checkpoints]
    )
    parts = (
        weight * _mean(rule, one.shares)
        for weight, one in zip(weights, checkpoints, strict=True)
        if weight
    )
    shares = reduce(np.add, parts)
    if rule.mean == "geometric":
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _mean(rule: PoolingRule, shares: Iterable[Array]) -> Array:
    """Of the judges of a checkpoint, or of the logarithms of what they say."""
    logs = rule.mean == "geometric"
    values = [np.log(np.maximum(one, LEAST)) if logs else one for one in shares]
    return np.asarray(reduce(np.add, values) / len(values))


def weights_of(rule: PoolingRule, skills: Sequence[float], accuracies: Sequence[float]) -> Array:
    """Of the checkpoints, shape (K,), with sum 1, from how well their judges do (`Opinions`); equal
    where none has any skill."""
    weights, wrong = np.array(skills, dtype=np.float64), 1 - np.array(accuracies)
    if rule.weights == "skill and doubt":
        weights *= np.maximum(wrong, LEAST_DOUBT)
    elif rule.weights == "odds":
        wrong = np.maximum(wrong, LEAST_ERROR)
        weights = np.where(weights > 0, (1 - wrong) / wrong, 0.0)
        weights = (weights / max(weights.max(initial=0.0), LEAST)) ** STEEPNESS
        weights[weights < NEGLIGIBLE] = 0.0
    if rule.weights == "equal" or not weights.any():
        weights = np.ones(len(weights))
    return np.asarray(weights / weights.sum())


def judged_labels(rule: PoolingRule, shares: Array, labels: NDArray[np.integer]) -> PooledLabels:
    """Score and suggestion of labels, shape (M,) of class indices or -1, from class probabilities
    of shape (M, C)."""
    rows, known = np.arange(len(labels)), labels >= 0
    if shares.shape[1] < 2:
        nothing = np.full(len(labels), -1, dtype=np.int32)
        return PooledLabels(np.where(known, 1.0, np.nan), nothing)
    given = np.where(known, labels, 0)
    others = shares.copy()
    others[rows[known], given[known]] = -1
    suggested = others.argmax(axis=1)
    score = MARGINS[rule.margin](shares[rows, given], others[rows, suggested])
    return PooledLabels(np.where(known, score, np.nan), suggested.astype(np.int32))


def _log_margin(given: Array, other: Array) -> Array:
    """The share of the given class among the two: the logistic function of the log margin."""
    return np.asarray(given / (given + other))


def _root_margin(given: Array, other: Array) -> Array:
    return np.asarray((1 + np.sqrt(given) - np.sqrt(other)) / 2)


def _self_confidence(given: Array, other: Array) -> Array:
    """The probability of the given class; below 0.5 where another one has more."""
    return np.where(given < other, given / 2, (1 + given) / 2)


MARGINS: Mapping[str, Callable[[Array, Array], Array]] = {
    "log": _log_margin,
    "root": _root_margin,
    "self-confidence": _self_confidence,
}
"""The score of each margin, from the shares of the given and of the best other class."""
