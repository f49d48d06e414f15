"""Says how far embeddings of one precision lead to what those of another do: the same outliers,
neighbours and suspected labels. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.labels import label_quality
from review_embeddings.pipeline.analysis.neighbors import Neighbors, nearest_neighbors
from review_embeddings.pipeline.analysis.outliers import NEIGHBORS, ood_scores

WORST = 0.05
"""Share of the images that count as the most atypical."""

FIRST_LABELS = 50
"""Labels most likely wrong that are compared."""


@dataclass(frozen=True)
class PrecisionAgreement:
    """What two precisions have in common, each in [0, 1] but the first."""

    correlation: float
    """Spearman's, of the OOD scores, in [-1, 1]; 1 where all scores are equal in both."""
    worst: float
    """Share of the most atypical `WORST` that are the same."""
    neighbors: float
    """Mean share of each image's ten nearest that are the same."""
    labels: float | None
    """Share of the first `FIRST_LABELS` labels most likely wrong that are the same; None without
    labels or probabilities."""
    distance: float
    """Median distance of the ten nearest in the first precision."""


@dataclass(frozen=True)
class Encoded:
    """The same images in one precision."""

    embeddings: NDArray[np.float32]
    """Shape (N, D)."""
    shares: NDArray[np.floating] | None
    """Shape (N, C): probabilities of the data set's classes; None without a head."""


def agreement(
    exact: Encoded, half: Encoded, labels: NDArray[np.integer] | None
) -> PrecisionAgreement:
    """Compare; ``labels`` has shape (N,), class index or -1."""
    found = [nearest_neighbors(one.embeddings, NEIGHBORS) for one in (exact, half)]
    scores = [
        ood_scores(one.embeddings, near) for one, near in zip((exact, half), found, strict=True)
    ]
    lists = None
    if labels is not None and exact.shares is not None and half.shares is not None:
        lists = _same_labels(labels, exact.shares, half.shares)
    return PrecisionAgreement(
        _correlation(scores[0], scores[1]),
        _same_of_first(scores[0], scores[1], max(1, round(WORST * len(scores[0])))),
        _same_neighbors(found[0], found[1]),
        lists,
        float(np.median(found[0].distances)) if found[0].distances.size else 0.0,
    )


def _correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    from scipy.stats import spearmanr

    constant = [bool(np.ptp(one) == 0) for one in (first, second)]
    if any(constant):
        return float(all(constant))
    return float(spearmanr(first, second).statistic)


def _same_of_first(first: NDArray[Any], second: NDArray[Any], count: int) -> float:
    """Share of the ``count`` lowest that are the same; ties go to the earlier row."""
    lowest = [set(np.argsort(one, kind="stable")[:count].tolist()) for one in (first, second)]
    return len(lowest[0] & lowest[1]) / max(1, count)


def _same_neighbors(first: Neighbors, second: Neighbors) -> float:
    if not first.indices.size:
        return 1.0
    pairs = first.indices[:, :, None] == second.indices[:, None, :]
    return float(pairs.any(axis=2).mean())


def _same_labels(
    labels: NDArray[np.integer], first: NDArray[np.floating], second: NDArray[np.floating]
) -> float | None:
    known = np.flatnonzero(labels >= 0)
    if not known.size:
        return None
    ranks = [label_quality(labels[known], one[known]).rank for one in (first, second)]
    return _same_of_first(ranks[0], ranks[1], min(FIRST_LABELS, len(known)))
