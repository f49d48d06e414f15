"""What all label scores of a setting are made from, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.judge import Judge, fit_judge
from tests.benchmarks.planted.observed import Observed

NEIGHBORS = 15


@dataclass(frozen=True)
class Evidence:
    """N images, K checkpoints, C classes."""

    given: NDArray[np.int64]
    head: NDArray[np.float64]
    """Shape (K, N, C): log-probabilities of the head."""
    judge: NDArray[np.float64]
    """Shape (K, N, C): log-probabilities of the leave-one-out judge."""
    votes: NDArray[np.float64]
    """Shape (K, N, C): shares of the labels of the nearest neighbours."""
    accuracy: NDArray[np.float64]
    """Shape (K,): of the judge, beyond chance."""
    loss: NDArray[np.float64]
    """Shape (K,): of the judge."""
    mirrored_head: NDArray[np.float64]
    mirrored_judge: NDArray[np.float64]
    """Shape (N, C): of the last checkpoint, images mirrored."""
    second: NDArray[np.float64]


def nearest(embedding: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The k nearest others by cosine, shape (N, k), nearest first."""
    unit = embedding.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    found = np.empty((len(unit), k), dtype=np.int64)
    for start in range(0, len(unit), 1000):
        near = unit[start : start + 1000] @ unit.T
        near[np.arange(len(near)), start + np.arange(len(near))] = -np.inf
        some = np.argpartition(-near, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(near, some, axis=1), axis=1)
        found[start : start + 1000] = np.take_along_axis(some, order, axis=1)
    return found


def neighbors_of(seen: Observed) -> NDArray[np.int64]:
    """Of each checkpoint, shape (K, N, `NEIGHBORS`); whatever the labels are."""
    return np.stack([nearest(embedding, NEIGHBORS) for embedding in seen.embeddings])


def evidence_of(seen: Observed, neighbors: NDArray[np.int64]) -> Evidence:
    classes = seen.log_probabilities.shape[2]
    rows = np.arange(len(seen.given))

    def judged(embedding: NDArray[np.floating]) -> tuple[Judge, NDArray[np.float64]]:
        judge = fit_judge(embedding, seen.given, classes, rows)
        return judge, judge.probabilities(embedding, seen.given, rows)

    found = [judged(embedding) for embedding in seen.embeddings]
    _, mirrored = judged(seen.mirrored_embedding)
    whole = np.eye(classes)[seen.given]
    votes = [whole[near].mean(axis=1) for near in neighbors]
    return Evidence(
        seen.given,
        seen.log_probabilities.astype(np.float64),
        np.log(np.maximum([likely for _, likely in found], 1e-12)),
        np.array(votes),
        np.array([judge.skill for judge, _ in found]),
        np.array([judge.loss for judge, _ in found]),
        seen.mirrored_log_probabilities.astype(np.float64),
        np.log(np.maximum(mirrored, 1e-12)),
        seen.second.astype(np.float64),
    )
