"""The axes of the map: the same square at every checkpoint, with room for the key and for notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.legend import line_height
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.filmdata import FilmData

LEAST_EXTENT = 2.0
"""Extent of the map at least, in its coordinates, where all points are nearly one."""

EDGE = 0.16
"""Between the outermost points and the edge of the map, in units of the page: a ring fits."""

NOTE = 9.5
"""Size of the text in the map's corner, in points."""


@dataclass(frozen=True)
class MapAxes:
    """The axes of a map, which show the same square at every checkpoint."""

    page: FramePage
    axes: Axes
    low: NDArray[np.float64]
    """The lower left corner of what is kept for points, in the coordinates of the map; below it is
    room for notes."""
    high: NDArray[np.float64]
    """Its upper right corner; above it is room for the key."""
    unit: float
    """One unit of the page in those of the coordinates."""
    radius: float
    """Of a point, in points (1/72 inch)."""
    colors: ImageColors

    @classmethod
    def of(
        cls, page: FramePage, data: FilmData, colors: ImageColors, *, key: int, notes: int
    ) -> MapAxes:
        """Axes that have room for all checkpoints, between so many lines of the key and of
        notes."""
        part = page.layout.map
        axes = page.axes(part)
        above = line_height(page) * key + (0.06 if key else 0)
        below = note_height(notes)
        room = np.array([part.width, part.height - above - below])
        low = data.points.min(axis=(0, 1)).astype(np.float64)
        high = data.points.max(axis=(0, 1)).astype(np.float64)
        least = LEAST_EXTENT * room / room.min()
        unit = float((np.maximum(high - low, least) / (room - 2 * EDGE)).max())
        middle, half = (low + high) / 2, room * unit / 2
        low, high = middle - half, middle + half
        axes.set(xlim=(low[0], high[0]), ylim=(low[1] - below * unit, high[1] + above * unit))
        axes.set(xticks=[], yticks=[], aspect="equal")
        share = np.sqrt(part.width * part.height) / 5.5
        radius = float(np.clip(2.2 / np.sqrt(len(data.ids)), 0.015, 0.06)) * 72 * page.scale * share
        return cls(page, axes, low, high, unit, radius, colors)

    def scatter(self, count: int, size: float, **style: Any) -> PathCollection:
        """So many marks that are not seen until they are moved; ``size`` is their diameter in
        points."""
        outside = [float(value) for value in self.low - 10 * (self.high - self.low)]
        x, y = ([value] * count for value in outside)
        return self.axes.scatter(x, y, s=size**2, **style)


def note_height(lines: float) -> float:
    """Of so many lines in the map's corner, in units of the page."""
    return 1.5 * NOTE / 72 * lines
