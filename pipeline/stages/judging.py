"""How a leave-one-out judge is kept: the arrays of its stage, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.judge import Judge
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.engines.work import Result

COEFFICIENTS, SCALING = "judge_coefficients", "judge_scaling"
"""Arrays beside that of the images: float64 of shape (D + 1, C), the last row the shares of the
classes; float64 of shape (2, D), the means and the standard deviations of the embedding."""

OF_IMAGE = np.dtype(
    [("leverage", "<f8"), ("given", "<f4"), ("other", "<f4"), ("other_class", "<i4")]
)
"""What is kept of an image: its leverage, the leave-one-out probability of its label (NaN without
one), that of the best other class, and which that is (-1 for none)."""

NUMBERS = ("shrinkage", "sharpness", "accuracy", "skill", "loss")
"""What is kept beside the arrays."""

BLOCK_VALUES = 2_000_000
"""Class probabilities of a block of rows: 16 MB of float64."""


def as_result(
    judge: Judge, embeddings: NDArray[np.floating], labels: NDArray[np.integer]
) -> Result:
    """A judge as it is kept, with what it says of each image."""
    arrays = {
        "judge": _of_images(judge, embeddings, labels),
        COEFFICIENTS: np.concatenate([judge.coefficients, judge.share[None]]),
        SCALING: np.stack([judge.mean, judge.spread]),
    }
    return Result(arrays, {name: getattr(judge, name) for name in NUMBERS})


def _of_images(
    judge: Judge, embeddings: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[Any]:
    stored = np.empty(len(labels), dtype=OF_IMAGE)
    stored["leverage"] = judge.leverage
    size = max(1, BLOCK_VALUES // len(judge.share))
    for start in range(0, len(labels), size):
        rows = np.arange(start, min(start + size, len(labels)))
        likely, given = judge.probabilities(embeddings, labels, rows), labels[rows]
        known, each = given >= 0, np.arange(len(rows))
        own = likely[each, np.where(known, given, 0)].copy()
        likely[each[known], given[known]] = -1
        other = likely.argmax(axis=1)
        best = likely[each, other]
        stored["given"][rows] = np.where(known, own, np.nan)
        stored["other"][rows] = np.maximum(best, 0)
        stored["other_class"][rows] = np.where(best >= 0, other, -1)
    return stored


def judge_of(read: Callable[[str], NDArray[Any]], metadata: Mapping[str, Any]) -> Judge:
    """A judge from its arrays, read by their names, and what is kept beside them."""
    coefficients, scaling = np.asarray(read(COEFFICIENTS)), np.asarray(read(SCALING))
    return Judge(
        coefficients=coefficients[:-1],
        share=coefficients[-1],
        mean=scaling[0],
        spread=scaling[1],
        leverage=np.asarray(read("judge")["leverage"]),
        **{name: float(metadata[name]) for name in NUMBERS},
    )


@dataclass(frozen=True)
class LeaveOneOut:
    """What a judge says of the classes of any images of the run."""

    judge: Judge
    embeddings: NDArray[Any]
    """Shape (N, D), memory-mapped: those that it was fitted to."""
    labels: NDArray[np.integer]
    """Shape (N,)."""

    def of(self, rows: Any) -> ClassProbabilities:
        """Leave-one-out probabilities of some images, given by an index of the first axis."""
        chosen = np.arange(len(self.labels))[rows]
        found = self.judge.probabilities(self.embeddings, self.labels, chosen)
        return ClassProbabilities.of_shares(found)
