"""Scores the labels of all images over a run, each by the rule of its regime: whether the model was
trained on it. Takes the small results of the checkpoints and folds them in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    log_squares,
    pooled,
)

BLOCK_VALUES = 1_000_000
"""Class probabilities of one judge of a block: 8 MB of float64."""


@dataclass(frozen=True)
class CheckpointJudges:
    """What a checkpoint says of the classes of any images."""

    skill: float
    """Leave-one-out accuracy beyond chance, in [0, 1]."""
    held_out: Callable[[NDArray[np.intp]], NDArray[np.float64]]
    """Leave-one-out probabilities of some rows, shape (M, C)."""
    head: Callable[[NDArray[np.intp]], NDArray[np.float64]] | None
    """Those of the model's head; None without one."""

    @classmethod
    def of(
        cls,
        judge: Judge,
        embeddings: NDArray[np.floating],
        labels: NDArray[np.integer],
        head: Callable[[NDArray[np.intp]], NDArray[np.float64]] | None,
    ) -> CheckpointJudges:
        """Of a regression and the embeddings that it was fitted to."""
        return cls(judge.skill, lambda rows: judge.probabilities(embeddings, labels, rows), head)

    def judges(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """The probabilities of one after the other."""
        yield self.held_out(rows)
        if self.head is not None:
            yield self.head(rows)


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
        judges = _chosen(rule, checkpoints, order[labels[order] >= 0], size) if len(rows) else []
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            found = _of_rows(rule, judges, labels, block)
            score[block], suggested[block] = found.score, found.suggested
    return LabelFit(score, _ranks(score, trained, order), suggested)


Chosen = list[tuple[CheckpointJudges, list[float]]]
"""The checkpoints that have a say, with the spreads of their judges where these are needed."""


def _chosen(
    rule: PoolingRule,
    checkpoints: Sequence[CheckpointJudges],
    labelled: NDArray[np.intp],
    size: int,
) -> Chosen:
    some = checkpoints[-1:] if rule.checkpoints == "last" else checkpoints
    needed = rule.mean == "standardised"
    return [(one, _spreads(one, labelled, size) if needed else []) for one in some]


def _spreads(checkpoint: CheckpointJudges, labelled: NDArray[np.intp], size: int) -> list[float]:
    """Of each judge, over all labelled images in their fixed order."""
    starts = range(0, len(labelled), size)
    blocks = (checkpoint.judges(labelled[start : start + size]) for start in starts)
    squares = [[log_squares(shares) for shares in judges] for judges in blocks]
    return [float(np.sqrt(sum(one) / len(labelled))) for one in zip(*squares, strict=True)]


def _of_rows(
    rule: PoolingRule, judges: Chosen, labels: NDArray[np.integer], rows: NDArray[np.intp]
) -> PooledLabels:
    opinions = [Opinions(one.skill, one.judges(rows), spreads) for one, spreads in judges]
    return judged_labels(rule, pooled(rule, opinions), labels[rows])


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
