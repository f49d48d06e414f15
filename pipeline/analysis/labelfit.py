"""Scores the labels of all images over a run, each by the rule of its regime: whether the model was
trained on it. Takes the small results of the checkpoints and folds them in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.judge import Judge
from review_embeddings.pipeline.analysis.pooling import (
    RULES,
    Opinions,
    PooledLabels,
    PoolingRule,
    judged_labels,
    pooled,
)

BLOCK_VALUES = 1_000_000
"""Class probabilities of one judge of a block: 8 MB of float64."""


Says = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Gives the class probabilities of some rows, shape (M, C)."""


@dataclass(frozen=True)
class CheckpointJudges:
    """What a checkpoint says of the classes of any images."""

    skill: float
    """Leave-one-out accuracy beyond chance, in [0, 1]."""
    accuracy: float
    """The same as it is, in [0, 1]."""
    held_out: Says
    """Leave-one-out."""
    head: Says | None = None
    """Of the model's head; None without one."""

    @classmethod
    def of(
        cls,
        judge: Judge,
        embeddings: NDArray[np.floating],
        labels: NDArray[np.integer],
        head: Says | None,
    ) -> CheckpointJudges:
        """Of a regression and the embeddings that it was fitted to, and the model's head."""
        return cls(
            judge.skill,
            judge.accuracy,
            lambda rows: judge.probabilities(embeddings, labels, rows),
            head,
        )

    def opinions(self, rows: NDArray[np.intp]) -> Opinions:
        """What both say, one after the other."""
        both = [self.held_out] if self.head is None else [self.held_out, self.head]
        return Opinions(self.skill, self.accuracy, (says(rows) for says in both))


@dataclass(frozen=True)
class LabelFit:
    """How well the label of each image fits over the run."""

    score: NDArray[np.float32]
    """Shape (N,), in [0, 1]: lower is more likely wrong, 0.5 a tie; NaN without a label."""
    rank: NDArray[np.int32]
    """Shape (N,): 1 is the label most likely wrong; 0 without one. By the score or, where some of
    the images were trained on, by its percentile among those of the same regime."""
    suggested: NDArray[np.int32]
    """Shape (N,): the class other than the label that fits best; -1 where there is none."""


def label_fit(
    checkpoints: Sequence[CheckpointJudges],
    labels: NDArray[np.integer],
    classes: int,
    order: NDArray[np.intp],
    trained_on: NDArray[np.bool_] | None = None,
) -> LabelFit:
    """Score all labels. ``checkpoints``: at least one, in the order of training; ``order``:
    `judge.fixed_order`, in which ties are broken; ``trained_on``: shape (N,), None for no image."""
    total = len(labels)
    score = np.full(total, np.nan, dtype=np.float32)
    suggested = np.full(total, -1, dtype=np.int32)
    trained = np.zeros(total, dtype=bool) if trained_on is None else trained_on
    size = max(1, BLOCK_VALUES // max(1, classes))
    for regime, rule in RULES.items():
        rows = order[trained[order] == regime]
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            found = _of_rows(rule, checkpoints, labels, block)
            score[block], suggested[block] = found.score, found.suggested
    return LabelFit(score, _ranks(score, trained, order), suggested)


def _of_rows(
    rule: PoolingRule,
    checkpoints: Sequence[CheckpointJudges],
    labels: NDArray[np.integer],
    rows: NDArray[np.intp],
) -> PooledLabels:
    chosen = checkpoints[-1:] if rule.checkpoints == "last" else checkpoints
    shares = pooled(rule, [one.opinions(rows) for one in chosen])
    return judged_labels(rule, shares, labels[rows])


def _ranks(
    score: NDArray[np.float32], trained: NDArray[np.bool_], order: NDArray[np.intp]
) -> NDArray[np.int32]:
    """By score, or by percentile in each of two regimes; ties in the fixed order."""
    from scipy.stats import rankdata

    known = ~np.isnan(score)
    percentile = np.full(len(score), np.nan)
    for regime in (False, True):
        some = known & (trained == regime)
        if some.any():
            percentile[some] = (rankdata(score[some]) - 0.5) / some.sum()
    ordered = order[known[order]]
    ordered = ordered[np.argsort(percentile[ordered], kind="stable")]
    rank = np.zeros(len(score), dtype=np.int32)
    rank[ordered] = np.arange(1, len(ordered) + 1)
    return rank
