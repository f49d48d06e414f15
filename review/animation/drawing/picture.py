"""One image of the data set in a square of a panel."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from review_embeddings.review.animation.drawing.layout import Rectangle
from review_embeddings.review.animation.drawing.stamp import StampedImage


class PanelPicture:
    """An image as large as its square allows, in its own shape."""

    def __init__(self, axes: Axes, square: Rectangle) -> None:
        """``square``: in the units of the axes."""
        self.square = square
        self.image = StampedImage(axes, interpolation="bicubic", zorder=2)
        self.image.set_data(np.zeros((1, 1, 3), dtype=np.uint8))
        axes.add_artist(self.image)

    @property
    def width(self) -> float:
        """Of the image that is shown."""
        left, right, *_ = self.image.get_extent()
        return float(right - left)

    def show(self, pixels: NDArray[np.uint8]) -> tuple[float, float]:
        """Show an image, RGB of shape (rows, columns, 3), in the lower left of the square; where
        its upper left corner is."""
        self.image.set_data(pixels)
        left, bottom, side, _ = self.square
        unit = side / max(pixels.shape[:2])
        top = bottom + unit * pixels.shape[0]
        self.image.set_extent((left, left + unit * pixels.shape[1], bottom, top))
        return left, top
