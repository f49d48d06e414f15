"""The images of a map as one artist, which Agg draws about four times as fast as a
PathCollection."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import PathCollection
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D, IdentityTransform
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors

LAYERS = 4
"""The points of all classes are drawn in so many layers, so that no class lies on top of all
others."""

MAX_LAYERED_COLORS = 30
"""Colours up to which there are layers; points of more are drawn in one."""

PHASES = 2
"""Positions of a point within a pixel, along each axis."""


ALPHA = 0.72
"""Opacity of a point: where many lie on each other the map is darker."""


class Points(PathCollection):
    """Equal, half-transparent discs.

    Agg's markers are drawn from a cached shape at whole pixels. To keep slow motion smooth there
    are `PHASES` x `PHASES` shapes, each shifted by a part of a pixel; a point is at most a quarter
    of a pixel off.
    """

    def __init__(self, colors: ImageColors, radius: float, axes: Axes) -> None:
        """``radius`` in points (1/72 inch)."""
        total = colors.index.shape[-1]
        super().__init__(
            [Outline.unit_circle()],
            sizes=[radius**2],
            facecolors=colors.at(0, slice(None)),
            alpha=ALPHA,
            edgecolors="none",
            linewidths=0,
            offsets=np.zeros((total, 2)),
            offset_transform=axes.transData,
            transform=IdentityTransform(),
        )
        layers = LAYERS if len(colors.palette) <= MAX_LAYERED_COLORS else 1
        self._layer = np.random.default_rng(0).integers(0, layers, total)
        self._images = colors
        self._group = self._groups(0)
        self._colors: list[Any] = [(*map(float, color), ALPHA) for color in colors.palette]
        self._radius = radius
        axes.add_collection(self, autolim=False)

    def show(self, checkpoint: int) -> None:
        """Take the colours of a checkpoint."""
        if self._images.change:
            self._group = self._groups(checkpoint)
            colors: Any = self._images.at(checkpoint, slice(None))
            self.set_facecolor(colors)

    def _groups(self, checkpoint: int) -> NDArray[np.int64]:
        """Layer and colour of each point as one number, shape (N,)."""
        return self._layer * len(self._images.palette) + self._images.rows(checkpoint)

    def draw(self, renderer: Any) -> None:
        """Draw on Agg with markers, elsewhere as any collection."""
        if not isinstance(renderer, RendererAgg):
            super().draw(renderer)
            return
        pen = renderer.new_gc()
        pen.set_linewidth(0)
        self._set_gc_clip(pen)  # type: ignore[attr-defined]
        disc, size = Outline.unit_circle(), self._radius * renderer.dpi / 72
        shape, pixels = self._by_shape()
        ends = [0, *(np.flatnonzero(np.diff(shape)) + 1).tolist(), len(shape)]
        for begin, end in itertools.pairwise(ends):
            group, phase = divmod(int(shape[begin]), PHASES * PHASES)
            color = self._colors[group % len(self._colors)]
            some = Outline(pixels[begin:end])
            renderer.draw_markers(
                pen, disc, _shifted(size, phase), some, IdentityTransform(), color
            )
        pen.restore()
        self.stale = False

    def _by_shape(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Group and phase of each point as one number, ascending, and the pixels where they are
        drawn, shape (N, 2)."""
        positions = self.get_offset_transform().transform(self.get_offsets())
        whole = np.floor(positions)
        phase = ((positions - whole) * PHASES).astype(np.int64)
        shape = (self._group * PHASES + phase[:, 0]) * PHASES + phase[:, 1]
        order = np.argsort(shape, kind="stable")
        # Agg rounds, with y from the top, and draws at the pixel's middle
        return shape[order], whole[order] + (0.0, 1.0)


def _shifted(size: float, phase: int) -> Affine2D:
    """What makes a unit disc one of this radius in pixels, shifted by a part of a pixel."""
    right, up = divmod(phase, PHASES)
    shift = ((right + 0.5) / PHASES - 0.5, (up + 0.5) / PHASES - 0.5)
    return Affine2D().scale(size).translate(*shift)
