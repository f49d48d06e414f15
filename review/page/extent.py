"""The part of the space that the page's maps show: one for all checkpoints, so that a space that
grows is seen to grow, whatever a few far images do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c

USUAL = (0.5, 99.5)
"""Percentiles between which the coordinates of a checkpoint are usual."""

BEYOND = 0.5
"""How far beyond them the maps reach, as a share of their distance, where there are images."""


def map_extent(run: RunFolder) -> dict[str, list[float]]:
    """``{"x": [low, high], "y": [low, high]}`` of all checkpoints."""
    parts = [part for _, part in table.iterate(run, columns=[c.X, c.Y])]
    return {
        axis: common_range(part[column].to_numpy() for part in parts)
        for axis, column in (("x", c.X), ("y", c.Y))
    }


def common_range(checkpoints: Iterable[NDArray[np.floating]]) -> list[float]:
    """The lowest and the highest of the usual coordinates along one axis, and of what is not far
    beyond them."""
    lows, highs = [], []
    for values in checkpoints:
        low, high = np.percentile(values, USUAL)
        beyond = BEYOND * (high - low)
        lows.append(max(float(values.min()), float(low - beyond)))
        highs.append(min(float(values.max()), float(high + beyond)))
    return [min(lows), max(highs)]
