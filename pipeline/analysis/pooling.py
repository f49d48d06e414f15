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

SHARPNESS = 2.5
"""Factor of standardised log-probabilities before the softmax."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PoolingRule:
    """How the label of an image is scored."""

    checkpoints: Literal["last", "all"]
    """Which have a say."""
    mean: Literal["arithmetic", "geometric", "standardised"]
    """Of the judges, and of the checkpoints; standardised is the geometric one of judges whose
    log-probabilities are brought to the same spread first, so that none drowns the others because
    it is surer."""
    weights: Literal["skill", "squared skill", "equal"]
    """Of the checkpoints, by the leave-one-out accuracy beyond chance."""
    margin: Literal["log", "root", "self-confidence"]
    """By which the given class is compared with the best other one."""


RULES: Mapping[bool, PoolingRule] = {
    False: PoolingRule("last", "geometric", "equal", "log"),
    True: PoolingRule("all", "standardised", "skill", "log"),
}
"""By whether an image was trained on. On images that were not, early checkpoints only do harm; one
that was is learnt by heart in the end, and all of them help."""


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
    """What the judges of a checkpoint say of some images."""

    skill: float
    """Of the checkpoint, in [0, 1]."""
    judges: Iterable[Array]
    """Class probabilities of one judge after the other, shape (M, C)."""
    spreads: Sequence[float] = ()
    """Of each judge, over all labelled images (`log_squares`); none where a rule needs none."""


def pooled(rule: PoolingRule, checkpoints: Sequence[Opinions]) -> Array:
    """Class probabilities of all judges together, shape (M, C), rows sum to 1: the mean over the
    checkpoints of the mean over the judges of each."""
    weights = _weights(rule, [one.skill for one in checkpoints])
    parts = (
        weight * _mean(rule, one)
        for weight, one in zip(weights, checkpoints, strict=True)
        if weight
    )
    shares = reduce(np.add, parts)
    if rule.mean != "arithmetic":
        shares = shares * (SHARPNESS if rule.mean == "standardised" else 1.0)
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _mean(rule: PoolingRule, opinions: Opinions) -> Array:
    """Of the judges of a checkpoint, or of the logarithms of what they say."""
    if rule.mean == "arithmetic":
        values = list(opinions.judges)
    elif rule.mean == "geometric":
        values = list(map(_logs, opinions.judges))
    else:
        both = zip(opinions.judges, opinions.spreads, strict=True)
        values = [_logs(one) / (spread or 1.0) for one, spread in both]
    return np.asarray(reduce(np.add, values) / len(values))


def _logs(shares: Array) -> Array:
    """Logarithms of class probabilities, their mean over the classes 0."""
    logs = np.log(np.maximum(shares, LEAST))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def log_squares(shares: Array) -> float:
    """Mean over the classes of the squared centred logarithms of class probabilities, shape (M, C),
    summed over the images: the spread of a judge is the root of its mean over all of them."""
    return float((_logs(shares) ** 2).mean(axis=1).sum())


def _weights(rule: PoolingRule, skills: Sequence[float]) -> Array:
    """Of the checkpoints, with sum 1; equal where none has any skill."""
    powers = {"skill": 1, "squared skill": 2, "equal": 0}
    weights = np.array(skills, dtype=np.float64) ** powers[rule.weights]
    weights = weights if weights.any() else np.ones(len(weights))
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
