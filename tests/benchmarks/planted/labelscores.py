"""Scores of labels, higher where one is more likely wrong: the published ones, today's, and every
way to pool several judges over the checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges, label_fit
from tests.benchmarks.planted.evidence import NEIGHBORS, Evidence

Values = NDArray[np.float64]

LEAST_OPEN = 0.005
"""Share of labels that counts as disagreed with where a judge agrees with all."""

LEAST_VOTES = 0.3
"""Votes that each class has before any neighbour is asked."""


@dataclass(frozen=True)
class Formula:
    """How class probabilities become one suspicion."""

    judges: tuple[str, ...] = ("head", "judge")
    """Of ``head``, ``judge`` (leave-one-out) and ``votes`` (the neighbours' labels)."""
    checkpoints: str = "all"
    """``last``, ``best`` (least loss of the judge), ``late`` (the second half) or ``all``."""
    weights: str = "open"
    """Of the checkpoints: ``equal``; ``skill``, the leave-one-out accuracy beyond chance;
    ``skill^4``; ``open``, skill times the share of labels that the judge disagrees with: what is
    learnt by heart tells nothing."""
    pooling: str = "geometric"
    """Mean of log-probabilities, or ``arithmetic``, of probabilities."""
    margin: str = "log"
    """``log``, ``root`` or ``plain`` difference to the best other class; ``self``: confidence
    alone; ``half``: the best other class counts half; ``norm2``: the others' 2-norm for it."""
    mirrored: bool = False
    """Whether the mirrored images of the last checkpoint count too."""

    @property
    def name(self) -> str:
        parts = ["+".join(self.judges), self.checkpoints]
        parts += [self.weights] if self.checkpoints in {"all", "late"} else []
        parts += [self.pooling, self.margin, "mirrored" if self.mirrored else ""]
        return " ".join(parts).strip()


def weights_of(evidence: Evidence, formula: Formula) -> Values:
    """How much each checkpoint counts, shape (K,), sum 1."""
    skill, chance = evidence.accuracy, 1 / evidence.head.shape[2]
    count = len(skill)
    accuracy = skill * (1 - chance) + chance
    weights = {
        "equal": np.ones(count),
        "skill": skill,
        "skill^4": skill**4,
        "open": skill * np.maximum(1 - accuracy, LEAST_OPEN),
    }[formula.weights]
    if formula.checkpoints == "last":
        weights = np.eye(count)[-1]
    elif formula.checkpoints == "best":
        weights = np.eye(count)[evidence.loss.argmin()]
    elif formula.checkpoints == "late":
        weights = weights * (np.arange(count) >= count // 2)
    return weights / weights.sum() if weights.sum() else np.full(count, 1 / count)


def logs_of(evidence: Evidence, judge: str) -> Values:
    """What a judge says of the classes at each checkpoint, log-probabilities (K, N, C)."""
    if judge != "votes":
        return evidence.head if judge == "head" else evidence.judge
    classes = evidence.votes.shape[2]
    shares = NEIGHBORS * evidence.votes + LEAST_VOTES
    return np.asarray(np.log(shares / (NEIGHBORS + LEAST_VOTES * classes)))


def pooled(evidence: Evidence, formula: Formula) -> Values:
    """Log of what the judges say of the classes over the checkpoints, shape (N, C)."""
    parts = [logs_of(evidence, judge) for judge in formula.judges]
    weights = weights_of(evidence, formula)
    if formula.pooling == "geometric":
        found = np.mean([np.tensordot(weights, part, 1) for part in parts], axis=0)
        if formula.mirrored:
            found = (found + (evidence.mirrored_head + evidence.mirrored_judge) / 2) / 2
        return np.asarray(found - np.log(np.exp(found).sum(axis=1, keepdims=True)))
    shares = np.mean([np.tensordot(weights, np.exp(part), 1) for part in parts], axis=0)
    return np.asarray(np.log(np.maximum(shares, 1e-30)))


def suspicion_of(logs: Values, given: NDArray[np.int64], margin: str) -> Values:
    """From log-probabilities (N, C)."""
    rows = np.arange(len(given))
    own = logs[rows, given]
    others = logs.copy()
    others[rows, given] = -np.inf
    best = others.max(axis=1)
    if margin == "log":
        return np.asarray(best - own)
    if margin == "self":
        return -own
    if margin.startswith("half"):
        return np.asarray(float(margin[4:] or 0.5) * best - own)
    if margin.startswith("norm"):
        power = float(margin[4:])
        return np.asarray(np.log((np.exp(others) ** power).sum(axis=1)) / power - own)
    power = {"root": 0.5, "plain": 1.0}[margin]
    return np.asarray(np.exp(power * best) - np.exp(power * own))


def suspicion(evidence: Evidence, formula: Formula) -> Values:
    return suspicion_of(pooled(evidence, formula), evidence.given, formula.margin)


def rivals(evidence: Evidence) -> dict[str, Values]:
    """cleanlab's three on the last head (2.9), AUM, and the trajectory score of version 0.1."""
    from cleanlab.rank import get_label_quality_scores

    last = np.exp(evidence.head[-1])
    last /= last.sum(axis=1, keepdims=True)
    found = {
        f"cleanlab {method}": -get_label_quality_scores(evidence.given, last, method=method)
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    }
    found["AUM"] = suspicion_of(evidence.head.mean(axis=0), evidence.given, "log")
    found["curve clusters"] = apart_in_curves(evidence)
    return found | {"before": before(evidence)}


def apart_in_curves(evidence: Evidence) -> Values:
    """How much nearer the learning curve of an image is to the lower of two clusters of curves
    (k-means of the given label's margin at the checkpoints, as in DynaCor), with the mean margin
    where clusters say the same."""
    from sklearn.cluster import KMeans

    margins = np.array([suspicion_of(head, evidence.given, "log") for head in evidence.head]).T
    curves = margins / np.maximum(margins.std(axis=0), 1e-9)
    away = KMeans(2, n_init=4, random_state=0).fit(curves)
    suspect = int(away.cluster_centers_.mean(axis=1).argmax())
    distance = away.transform(curves)
    return np.asarray(distance[:, 1 - suspect] - distance[:, suspect])


def before(evidence: Evidence) -> Values:
    """``trajectory_label_score`` of version 0.1: margins of the mean of head and neighbours' votes,
    a checkpoint by the fourth power of its accuracy beyond chance."""
    total = np.zeros(len(evidence.given))
    classes = evidence.head.shape[2]
    for head, votes in zip(evidence.head, evidence.votes, strict=True):
        shares = (np.exp(head) + votes) / 2
        accuracy = float((shares.argmax(axis=1) == evidence.given).mean())
        weight = max(0.0, (accuracy - 1 / classes) / (1 - 1 / classes)) ** 4
        total += weight * suspicion_of(np.log(np.maximum(shares, 1e-30)), evidence.given, "plain")
    return total


def product(evidence: Evidence, *, trained_on: bool) -> tuple[Values, NDArray[np.integer]]:
    """``trajectory_label_score`` and ``trajectory_suggested_label`` of this checkout, shape (N,);
    the suspicion is 1 - score."""
    rows, classes = np.arange(len(evidence.given)), evidence.head.shape[2]
    found = label_fit(
        [
            CheckpointJudges(skill, accuracy, says(judge), says(head))
            for skill, accuracy, judge, head in zip(
                evidence.accuracy.tolist(),
                (evidence.accuracy * (1 - 1 / classes) + 1 / classes).tolist(),
                evidence.judge,
                evidence.head,
                strict=True,
            )
        ],
        evidence.given,
        classes,
        rows,
        np.full(len(rows), trained_on),
    )
    return 1 - found.score.astype(np.float64), found.suggested


def says(logs: Values) -> Callable[[NDArray[np.intp]], Values]:
    """The probabilities of some rows."""
    return lambda some: np.exp(logs[some])


def compared() -> list[Formula]:
    """Every formula that was compared."""
    judges: list[tuple[str, ...]] = [("head",), ("judge",), ("head", "judge")]
    judges += [("head", "judge", "votes"), ("judge", "votes")]
    over = [("last", "equal"), ("best", "equal"), ("late", "skill"), ("late", "open")]
    over += [("all", weights) for weights in ("equal", "skill", "skill^4", "open")]
    found = [
        Formula(some, checkpoints, weights, pooling, margin)
        for some in judges
        for checkpoints, weights in over
        for pooling in ("geometric", "arithmetic")
        for margin in ("log", "half", "norm2", "self", "root", "plain")
    ]
    return [*found, Formula(checkpoints="last", mirrored=True)]
