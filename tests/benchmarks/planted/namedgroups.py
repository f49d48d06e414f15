"""Which groups the product names among images with planted ones, and how they cover these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.stages.compute import find_groups, measure_apart
from tests.benchmarks.planted.observed import Observed

LEAST_PURITY, LEAST_SHARE = 0.8, 0.7
"""Of a named group, the share of its images that were planted together; of those, the share that
it holds."""

WORTH_NAMING = 20
"""Images of a planted group that has to be named."""

FEW = 10
"""Images of a group that may be named though nothing was planted."""


@dataclass(frozen=True)
class GroupsFound:
    """What the product makes of the images, N of them."""

    score: NDArray[np.float64]
    """Shape (N,): the group score."""
    named: list[NDArray[np.int64]]
    """Rows of each group."""

    def best(self, members: NDArray[np.bool_]) -> tuple[float, float]:
        """Purity and share of the group that covers some planted images best; 0 where none does."""
        fits = [
            (int(members[rows].sum()) / len(rows), int(members[rows].sum()) / int(members.sum()))
            for rows in self.named
        ]
        return max(
            fits, key=lambda fit: min(fit[0] / LEAST_PURITY, fit[1] / LEAST_SHARE), default=(0, 0)
        )

    def others(self, planted: NDArray[np.bool_]) -> list[int]:
        """Sizes of the groups of which less than half was planted."""
        return [len(rows) for rows in self.named if planted[rows].mean() < 0.5]


def groups_found(seen: Observed, near: Sequence[NDArray[np.int64]]) -> GroupsFound:
    """By the stages of this checkout; ``near``: the nearest at each checkpoint, nearest first."""
    total, classes = len(seen.given), seen.log_probabilities.shape[2]
    ranks = np.random.default_rng(0).permutation(total).astype(np.int64)
    labels = seen.given.astype(np.int32)
    checkpoints, weights = [], []
    for half, neighbors in zip(seen.embeddings, near, strict=True):
        embeddings = half.astype(np.float32)
        measured = measure_apart(
            slice(0, total),
            embeddings=embeddings,
            neighbors=neighbors,
            judged_as=labels,
            class_count=classes,
            hash_ranks=ranks,
        )
        found = {
            "apart": measured.arrays["apart"],
            "neighbors": neighbors,
            "embeddings": embeddings,
        }
        checkpoints.append(found)
        weights.append(measured.metadata["weight"])
    stored = find_groups(
        checkpoints,
        weights=weights,
        outputs=np.exp(seen.log_probabilities[-1].astype(np.float64)),
        known_labels=labels,
        hash_ranks=ranks,
        ids=np.arange(total),
    ).arrays["groups"]
    names = np.unique(stored["group"][stored["group"] >= 0])
    named = [np.flatnonzero(stored["group"] == name) for name in names]
    return GroupsFound(stored["score"].astype(np.float64), named)
