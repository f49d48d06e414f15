"""Scores how atypical each image is under one checkpoint, with cleanlab's out-of-distribution
score.

The neighbours are found elsewhere and handed to cleanlab, so that they are searched once. It
decides nothing about images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.nearest.magnitude import near_one
from review_embeddings.pipeline.analysis.neighbors import Neighbors

NEIGHBORS = 10
"""cleanlab's default number of neighbours for the score."""


def worst_count(images: int) -> int:
    """How many of the most atypical images count as outliers: 100, or a tenth of a small data set,
    at least 8 but no more than a quarter of a tiny one."""
    return min(max(1, images // 4), max(8, min(100, images // 10)))


def are_outliers(values: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    """Which images are among the ``count`` most atypical, shape (N,), by scores or percentiles of
    one checkpoint, lower being more atypical.

    Equal values are nobody's outliers: of those that are as low as the first one beyond the count
    none is one, and where all are equal nothing is.
    """
    if count < len(values):
        return np.asarray(values < np.partition(values, count)[count])
    return np.full(len(values), has_order(values))


def has_order(values: NDArray[np.floating]) -> bool:
    """Whether some are lower than others; where not, none is more atypical than another."""
    return bool(len(values)) and float(values.min()) < float(values.max())


class _FoundNeighbors:
    """Neighbours found elsewhere in the shape that cleanlab takes for ``knn``: a fitted
    scikit-learn NearestNeighbors."""

    def __init__(self, neighbors: Neighbors) -> None:
        self._distances, self._indices = (
            _comparable(neighbors)[:, :NEIGHBORS],
            neighbors.indices[:, :NEIGHBORS],
        )
        self.n_neighbors = self._indices.shape[1]
        self.metric = neighbors.metric

    def kneighbors(self, features: Any = None) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        return self._distances, self._indices


def _comparable(neighbors: Neighbors) -> NDArray[np.float32]:
    """Distances near 1 where they may be of any size: cleanlab's scores follow their ratios, and
    its sums and bounds are made for those."""
    if neighbors.metric == "cosine":
        return neighbors.distances
    return near_one(neighbors.distances)[0]


def ood_scores(embeddings: NDArray[np.floating], neighbors: Neighbors) -> NDArray[np.float32]:
    """cleanlab's OOD score of each image: float32 of shape (N,), in [0, 1]; lower is more atypical.

    Equal to ``cleanlab.outlier.OutOfDistribution().fit_score(features=embeddings)`` up to the
    rounding of its neighbour search (Kuan and Mueller 2022, arXiv 2207.03061). A single image,
    which has no neighbour, scores 1; so do all images of a constant embedding, because each lies at
    distance 0 from its neighbours.
    """
    if neighbors.indices.shape[1] == 0:
        return np.ones(len(embeddings), dtype=np.float32)
    from cleanlab.outlier import OutOfDistribution

    scores = OutOfDistribution({"knn": _FoundNeighbors(neighbors)}).score(features=embeddings)
    clipped: NDArray[np.float32] = np.clip(scores, 0.0, 1.0).astype(np.float32)
    return clipped


@dataclass(frozen=True)
class Ranking:
    """The order of the images of one checkpoint by their score."""

    rank: NDArray[np.int32]
    """Shape (N,), 1 to N; 1 is the most atypical. Equal scores are ranked in image order."""
    percentile: NDArray[np.float32]
    """Shape (N,), in (0, 100): 100 (mean rank - 1/2) / N, equal for equal scores; lower is more
    atypical."""


def rank_scores(scores: NDArray[np.floating]) -> Ranking:
    """Rank the scores of one checkpoint, most atypical first."""
    from scipy.stats import rankdata

    order = np.argsort(scores, kind="stable")
    rank = np.empty(len(scores), dtype=np.int32)
    rank[order] = np.arange(1, len(scores) + 1)
    percentile = (rankdata(scores, method="average") - 0.5) * (100.0 / max(1, len(scores)))
    return Ranking(rank, percentile.astype(np.float32))
