"""Stamps ready pixels onto Agg's page, which takes a fraction of the time of drawing them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image


def stamp(
    renderer: RendererAgg, artist: Artist, pixels: NDArray[np.uint8], x: float, y: float
) -> None:
    """Put RGBA pixels, bottom row first, onto the page with their lower left corner at (x, y)."""
    pen, alpha = renderer.new_gc(), artist.get_alpha()
    if alpha is not None:
        pen.set_alpha(alpha)
    artist._set_gc_clip(pen)  # type: ignore[attr-defined]
    renderer.draw_image(pen, round(x), round(y), pixels)
    pen.restore()


class StampedImage(AxesImage):
    """An image that is resized once and stamped from then on; elsewhere than on Agg an ordinary
    AxesImage."""

    def draw(self, renderer: Any) -> None:
        """Stamp the image, or draw it where the renderer is not Agg."""
        pixels = self.get_array()
        if not isinstance(renderer, RendererAgg) or pixels is None:
            super().draw(renderer)
            return
        left, right, bottom, top = self.get_extent()
        corners = np.rint(self.axes.transData.transform([(left, bottom), (right, top)]))
        (x0, y0), (x1, y1) = corners.astype(int).tolist()
        size = (max(x1 - x0, 1), max(y1 - y0, 1))
        stamp(renderer, self, _resized(np.asarray(pixels).tobytes(), pixels.shape, size), x0, y0)
        self.stale = False


@lru_cache(maxsize=1024)
def _resized(data: bytes, shape: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGBA pixels of an image in another size (width, height), bottom row first."""
    image = Image.fromarray(np.frombuffer(data, dtype=np.uint8).reshape(shape))
    larger = size[0] > shape[1]
    resized = image.resize(size, Image.Resampling.BICUBIC if larger else Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(resized.convert("RGBA"))[::-1])
