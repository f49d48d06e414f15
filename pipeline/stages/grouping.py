"""What the stages of groups that stand apart compute: how far images are from every class at one
checkpoint, and scores and groups over all of them. Pure, as `stages.compute`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import OwnClass, Samples, Space, Usual, cluster
from review_embeddings.pipeline.analysis.groups import (
    CheckpointApart,
    entropies,
    group_scores,
    ranks_of,
)
from review_embeddings.pipeline.analysis.named import NeighborGraph, central_image, named_groups
from review_embeddings.pipeline.engines.work import Result

GROUPS = np.dtype([("score", "<f4"), ("rank", "<i4"), ("group", "<i8")])
"""How what is said of groups is kept of an image."""

Array = NDArray[Any]


def own_class_of(rows: slice, *, neighbors: Array, **space: Any) -> OwnClass:
    """What of some rows says what is usual in each class."""
    return _space(**space).own_class(rows, neighbors)


def usual_of(total: OwnClass) -> Mapping[str, Usual]:
    """What is usual among all rows."""
    return {"usual": total.usual()}


def measure_apart(
    rows: slice, *, neighbors: Array, usual: Usual | None = None, **space: Any
) -> Result:
    """How far each image is from every class, float32 of shape (N,), and how much the checkpoint
    counts."""
    seen = _space(**space)
    usual = seen.own_class(rows, neighbors).usual() if usual is None else usual
    return Result({"apart": seen.apart(rows, usual)}, {"weight": usual.weight})


def _space(
    *,
    embeddings: Array,
    judged_as: NDArray[np.int32] | None,
    class_count: int,
    hash_ranks: NDArray[np.int64],
) -> Space:
    """The embeddings with the classes of their images, clusters where there are none."""
    classes = cluster(embeddings, hash_ranks) if judged_as is None else judged_as
    count = max(class_count, int(classes.max(initial=-1)) + 1)
    return Space(embeddings, classes, Samples.draw(classes, hash_ranks, count=count))


def find_groups(
    checkpoints: Sequence[Mapping[str, Array]],
    *,
    weights: Sequence[float],
    outputs: Array | None,
    known_labels: NDArray[np.int32] | None,
    hash_ranks: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> Result:
    """Score, rank and group of each image over all checkpoints, `GROUPS` of shape (N,)."""
    seen = [
        CheckpointApart(one["apart"], one["neighbors"], weight)
        for one, weight in zip(checkpoints, weights, strict=True)
    ]
    score = group_scores(seen, None if outputs is None else entropies(outputs))
    stored = np.empty(len(ids), dtype=GROUPS)
    stored["score"], stored["rank"], stored["group"] = score, ranks_of(score), -1
    graph = NeighborGraph.of([one.neighbors for one in seen])
    last = checkpoints[-1]["embeddings"]
    for members in named_groups(score, graph, known_labels, hash_ranks):
        stored["group"][members] = ids[central_image(last, members, hash_ranks)]
    return Result({"groups": stored})
