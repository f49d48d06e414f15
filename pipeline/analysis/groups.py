"""Folds what `apart` measures at each checkpoint into one score an image. It finds no groups
(`named`), and reads no embeddings.

    group_score = z(log G) + z(H),    G = sum w_k G_k / sum w_k

G_k is the mean of ``apart`` over an image and its nearest, divided by its median over all images,
at checkpoint k, w_k the weight of the checkpoint (`apart.Usual`), H the mean entropy of the last
head's probabilities over the same images, and z the distance from the median in robust standard
deviations. A neighbourhood that is far from every class, or about which the model is unsure.

    evidence = group_score + z(-F),    F = sum w_k F_k / sum w_k

by which groups are looked for: F_k is the mean, over the same images, of how much better the
neighbours foretell a label than its share does, in nats. Among foreign images that is not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NEAR = 10
"""Nearest images that an image is taken together with."""

SMALLEST_RATIO = 1e-12
"""Ratios below it count as this in logarithms."""

MAD_TO_DEVIATION = 1.4826
"""Of normal values, the standard deviation as a multiple of the median absolute deviation."""

MEAN_TO_DEVIATION = 1.2533
"""Likewise, of the mean absolute deviation."""

SMALLEST_DEVIATION = 1e-9

USUAL_LABELS = 10.0
"""Labels of the usual shares that are counted with those of an image's neighbours, so that few of
these say little."""


@dataclass(frozen=True)
class CheckpointApart:
    """What was measured at one checkpoint."""

    apart: Array
    """Shape (N,), of `apart.Space.apart`."""
    neighbors: Array
    """Shape (N, k), the nearest other images, nearest first."""
    weight: float
    """In [0, 1]."""


def group_scores(
    checkpoints: Iterable[CheckpointApart], entropy: Array | None
) -> NDArray[np.float64]:
    """The group score of each image, shape (N,): higher stands apart more; above about 6 is worth a
    look. ``entropy``, shape (N,), is that of the last head's probabilities; None without a head.
    All NaN where there is no class that an image could be near to."""
    weighted, plain, weights = np.zeros(1), np.zeros(1), 0.0
    last = np.zeros((0, 0), dtype=np.int64)
    for one in checkpoints:
        ratio = around(one.apart, one.neighbors)
        ratio = ratio / max(float(np.median(ratio)), SMALLEST_RATIO)
        weighted, plain = weighted + one.weight * ratio, plain + ratio
        weights, last = weights + one.weight, one.neighbors
    total = weighted / weights if weights else plain
    score = robust_z(np.log(np.maximum(total, SMALLEST_RATIO)))
    return score if entropy is None else score + robust_z(around(entropy, last))


def evidence(
    score: NDArray[np.float64], checkpoints: Sequence[CheckpointApart], labels: Array | None
) -> NDArray[np.float64]:
    """That each image is of a group, shape (N,): higher is more. ``score``: of `group_scores`;
    ``labels``: shape (N,), -1 without one, or None, where the score is all there is."""
    if labels is None or not (labels >= 0).any():
        return score
    weights = np.array([one.weight for one in checkpoints])
    weights = weights if weights.sum() > 0 else np.ones(len(weights))
    gains = [foretold(one.neighbors, labels) for one in checkpoints]
    gain = sum(weight * one for weight, one in zip(weights / weights.sum(), gains, strict=True))
    exact = np.asarray(gain, dtype=np.float64)
    return score + robust_z(np.where(np.isnan(exact), -np.nanmedian(exact), -exact))


def foretold(neighbors: Array, labels: Array) -> NDArray[np.float64]:
    """How much better the neighbours foretell a label than its share does, in nats, mean over each
    image and its nearest, shape (N,); NaN where none of these has a label."""
    known = labels >= 0
    shares = np.bincount(labels[known]) / known.sum()
    share = np.where(known, shares[labels], 1.0)
    near = labels[neighbors]
    same = (near == labels[:, None]).sum(axis=1) + USUAL_LABELS * share
    gain = np.log(same / ((near >= 0).sum(axis=1) + USUAL_LABELS) / share)
    counted = around(known, neighbors)
    total = around(np.where(known, gain, 0.0), neighbors)
    return np.where(counted > 0, total / np.where(counted > 0, counted, 1.0), np.nan)


def around(values: Array, neighbors: Array) -> NDArray[np.float64]:
    """Mean of each image's value and those of its nearest, shape (N,)."""
    exact = np.asarray(values, dtype=np.float64)
    near = np.asarray(neighbors)[:, :NEAR]
    return np.asarray((exact + exact[near].sum(axis=1)) / (1 + near.shape[1]))


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations. Where more than half of the values
    are equal, the mean absolute deviation says what is usual; all 0 where all are."""
    middle = np.median(values)
    away = np.abs(values - middle)
    spread = MAD_TO_DEVIATION * np.median(away)
    if spread < SMALLEST_DEVIATION:
        spread = MEAN_TO_DEVIATION * away.mean()
    if spread < SMALLEST_DEVIATION:
        return np.zeros(len(values))
    return np.asarray((values - middle) / spread)


def entropies(probabilities: Array) -> NDArray[np.float64]:
    """Of rows of probabilities, in nats: shape (N,)."""
    exact = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(-(exact * np.log(np.maximum(exact, SMALLEST_RATIO))).sum(axis=1))


def ranks_of(score: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank of each image, shape (N,): 1 stands apart most, of equal scores the first in image
    order; 0 without a score."""
    rank = np.zeros(len(score), dtype=np.int32)
    known = np.flatnonzero(~np.isnan(score))
    rank[known[np.argsort(-score[known], kind="stable")]] = np.arange(1, len(known) + 1)
    return rank
