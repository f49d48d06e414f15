"""The part of the space that the page's maps show: one for all checkpoints, so that a space that
grows is seen to grow, whatever a few far images do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c

AXES = {"x": c.X, "y": c.Y}

USUAL = (0.5, 99.5)
"""Percentiles between which the coordinates of a checkpoint are usual."""

BEYOND = 0.5
"""How far beyond them the maps reach, as a share of their distance, where there are images."""


def map_extent(run: RunFolder) -> dict[str, list[float]]:
    """``{"x": [low, high], "y": [low, high]}`` that holds `usual_range` of every checkpoint."""
    ranges: dict[str, list[tuple[float, float]]] = {axis: [] for axis in AXES}
    for _, part in table.iterate(run, columns=list(AXES.values())):
        for axis, column in AXES.items():
            ranges[axis].append(usual_range(part[column].to_numpy()))
    return {
        axis: [min(low for low, _ in found), max(high for _, high in found)]
        for axis, found in ranges.items()
    }


def usual_range(values: NDArray[np.floating]) -> tuple[float, float]:
    """From the lowest to the highest value that is usual or not far beyond."""
    low, high = (float(value) for value in np.percentile(values, USUAL))
    beyond = BEYOND * (high - low)
    return max(float(values.min()), low - beyond), min(float(values.max()), high + beyond)
