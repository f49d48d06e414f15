"""The leave-one-out judge in closed form, for all checkpoints of a setting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHRINKAGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
SHARPNESSES = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Judged:
    """What the other images say of each image at one checkpoint."""

    probabilities: NDArray[np.float64]
    """Shape (N, C)."""
    accuracy: float
    """Beyond chance, of the given labels, in [0, 1]."""
    loss: float
    """Mean log-loss of the given labels."""


def judged(embedding: NDArray[np.floating], labels: NDArray[np.integer], classes: int) -> Judged:
    """Exact leave-one-out ridge regression from embeddings (N, D) onto labels (N,), none of which
    is missing; shrinkage and sharpness are those of the least leave-one-out log-loss."""
    points = embedding.astype(np.float64)
    points = (points - points.mean(axis=0)) / np.maximum(points.std(axis=0), 1e-12)
    wanted = np.eye(classes)[labels]
    share = wanted.mean(axis=0)
    total, dimensions = points.shape
    if total >= dimensions:
        power, axes = np.linalg.eigh(points.T @ points)
        keep = power > 1e-10 * power.max()
        basis = points @ (axes[:, keep] / np.sqrt(power[keep]))
    else:
        power, axes = np.linalg.eigh(points @ points.T)
        keep = power > 1e-10 * power.max()
        basis = axes[:, keep]
    power = power[keep]
    onto = basis.T @ (wanted - share)
    best: tuple[float, NDArray[np.float64], float] | None = None
    rows = np.arange(total)
    for shrinkage in SHRINKAGES:
        kept = power / (power + shrinkage * power.mean())
        own = (basis * basis) @ kept + 1 / total
        out = ((basis * kept) @ onto - own[:, None] * (wanted - share)) / (1 - own[:, None])
        out += share
        right = float((out.argmax(axis=1) == labels).mean())
        out -= out.max(axis=1, keepdims=True)
        for sharpness in SHARPNESSES:
            likely = np.exp(sharpness * out)
            likely /= likely.sum(axis=1, keepdims=True)
            loss = float(-np.log(np.maximum(likely[rows, labels], 1e-9)).mean())
            if best is None or loss < best[0]:
                best = loss, likely, right
    assert best is not None
    beyond = max(0.0, (best[2] - 1 / classes) / (1 - 1 / classes))
    return Judged(best[1], beyond, best[0])
