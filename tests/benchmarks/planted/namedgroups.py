"""Which groups the product names among images with planted ones, and how they cover these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.stages.compute import find_groups, measure_apart
from tests.benchmarks.planted.observed import Observed

LEAST_PURITY, LEAST_SHARE = 0.8, 0.7
"""Of a named group, the share of its images that were planted; of a planted group, the share that
is in such groups. Then it counts as named."""

WORTH_NAMING = 20
"""Images of a planted group that has to be named."""

FEW = 10
"""Images of a group that may be named though nothing was planted."""


@dataclass(frozen=True)
class GroupsFound:
    """What the product makes of N images."""

    score: NDArray[np.float64]
    """Shape (N,): the group score."""
    named: list[NDArray[np.int64]]
    """Rows of each group."""

    def covered(self, members: NDArray[np.bool_], planted: NDArray[np.bool_]) -> dict[str, float]:
        """How a planted group is named, given its images and those of all."""
        pure = [rows for rows in self.named if planted[rows].mean() >= LEAST_PURITY]
        inside = np.zeros(len(members), dtype=bool)
        for rows in pure:
            inside[rows] = True
        share = float(inside[members].mean())
        touched = [rows for rows in self.named if members[rows].any()]
        largest = max(touched, key=lambda rows: int(members[rows].sum()), default=None)
        own = largest is not None and members[largest].mean() >= LEAST_PURITY
        alone = own and largest is not None and members[largest].sum() / members.sum()
        return {
            "named": float(share >= LEAST_SHARE),
            "alone": float(alone >= LEAST_SHARE),
            "share": share,
            "purity": 0.0 if largest is None else float(planted[largest].mean()),
        }

    def others(self, planted: NDArray[np.bool_]) -> int:
        """How many groups of more than `FEW` images have less than half that was planted."""
        return sum(len(rows) > FEW and planted[rows].mean() < 0.5 for rows in self.named)


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
        apart = measured.arrays["apart"]
        checkpoints.append({"apart": apart, "neighbors": neighbors, "embeddings": embeddings})
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
