"""The nearest images of one image in the whole embedding at some checkpoints, whatever a 2-D map
says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.neighbors import metric_for
from review_embeddings.review.page.shownrun import ShownRun

SHOWN = 8
"""Neighbours of each checkpoint that are told."""

BESIDE = 6
"""Of them those that stand beside an image, which its reasons are about."""

BLOCK = 4096
"""Embeddings that are compared at once."""


def nearest_images(shown: ShownRun, row: int, steps: Sequence[int]) -> list[dict[str, Any]]:
    """For each of the ``steps``: the step, and rows and distances of the nearest images of the
    page, nearest first; ``hidden`` is how many of the stored neighbours it does not show.

    Raises SettingsError for a row or a step that there is not.
    """
    position = shown.position_of(row)
    return [_at(shown, position, step) for step in dict.fromkeys(steps)]


def _at(shown: ShownRun, position: int, step: int) -> dict[str, Any]:
    at = shown.number_of(step)
    near, far = (np.asarray(each[at][position]) for each in (shown.neighbors, shown.distances))
    rows = shown.rows_of(near)
    there = rows >= 0
    near, far = rows[there][:SHOWN], far[there][:SHOWN]
    if len(near) < min(SHOWN, len(shown.positions) - 1):
        near, far = _among_shown(shown, position, step)
    return {
        "step": step,
        "rows": near.tolist(),
        "distances": far.astype(float).tolist(),
        "hidden": int((~there).sum()),
    }


def _among_shown(
    shown: ShownRun, position: int, step: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows and distances of the nearest images of a page that shows few of the stored
    neighbours."""
    shown.check()
    vectors = shown.folder.read_array("embeddings", step)
    own = np.asarray(vectors[position], dtype=np.float64)
    found = np.concatenate(
        [
            _distances(own, np.asarray(vectors[shown.positions[start : start + BLOCK]]))
            for start in range(0, len(shown.positions), BLOCK)
        ]
    )
    found[shown.positions == position] = np.inf
    order = np.argsort(found, kind="stable")[: min(SHOWN, len(found) - 1)]
    return order, found[order]


def _distances(own: NDArray[np.float64], others: NDArray[Any]) -> NDArray[np.float64]:
    """From one vector to others, by the metric of the stored neighbours."""
    exact = others.astype(np.float64)
    if metric_for(len(own)) == "euclidean":
        return np.asarray(np.linalg.norm(exact - own, axis=1))
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(own)
    cosines = np.divide(exact @ own, lengths, out=np.zeros(len(exact)), where=lengths > 0)
    return np.asarray(np.maximum(1.0 - cosines, 0.0))
