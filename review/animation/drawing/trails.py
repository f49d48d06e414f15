"""The ways of some images on the map: over the last checkpoints, fading, each with its number at
its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.filmdata import FilmData

FADES_AFTER = 4
"""Checkpoints after which nothing of a way is left."""

PIECES = 8
"""Into so many a way from one checkpoint to the next is cut, each as faded as it is old."""

WIDTHS = (0.8, 2.4)
"""Of a way's line where it ends and where the image is, in points."""

HALO = 1.8
"""How much wider the line behind it is, in points."""

GAP = 0.025
"""From an image to its number, right of and below it, of the map's width; at the right border only
below."""

NAME = 9
"""Size of that, in points."""


class Trails:
    """The ways of some images; all artists move with them."""

    def __init__(
        self,
        page: FramePage,
        axes: Axes,
        data: FilmData,
        images: Sequence[int],
        *,
        colors: ImageColors,
        radius: float,
    ) -> None:
        """``images``: their indices; ``radius`` of a point of the map, in points (1/72 inch)."""
        self._page, self._data, self._images, self._colors = page, data, list(images), colors
        self.edges = LineCollection([], zorder=2.4, capstyle="butt")
        self.lines = LineCollection([], zorder=2.5, capstyle="butt")
        for lines in (self.edges, self.lines):
            axes.add_collection(lines, autolim=False)
        outside = np.full(len(self._images), 1e6)  # not seen until they are moved
        self.heads = axes.scatter(
            outside,
            outside,
            s=(2.2 * radius + 4 * page.scale) ** 2,
            edgecolors=page.theme.text,
            linewidths=1.3 * page.scale,
            zorder=2.6,
        )
        self.names = [page.haloed_text(axes, NAME, zorder=4) for _ in self._images]
        for name, image in zip(self.names, self._images, strict=True):
            name.set_text(f"#{data.ids[image]}")
        left, self._right = axes.get_xlim()
        self._gap = GAP * (self._right - left)
        unit = (self._right - left) / page.layout.map.width
        self._widths = [unit * page.width_of(f"#{data.ids[image]}", NAME) for image in self._images]

    @property
    def moving(self) -> list[Artist]:
        """What lies below the rings, in drawing order; `names` lie above them."""
        return [self.edges, self.lines, self.heads]

    def show(self, checkpoint: int) -> None:
        """The colours of a checkpoint."""
        if self._images:
            colors: Any = self._colors.at(checkpoint, self._images)
            self.heads.set_facecolor(colors)

    def move(self, checkpoint: int, fraction: float, points: NDArray[np.float64]) -> None:
        """To a moment after a checkpoint, at which the images are at ``points``, shape (N, 2)."""
        if not self._images:
            return
        ends = points[self._images]
        first = max(0, checkpoint - FADES_AFTER)
        past = self._data.points[first : checkpoint + 1, self._images]
        stops = np.array([*range(first, checkpoint + 1), checkpoint + fraction], dtype=np.float64)
        pieces, left = trail_pieces(np.concatenate([past, ends[None]]), stops)
        theme, scale = self._page.theme, self._page.scale
        widths = (WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * left) * scale
        for lines, color, wider in (
            (self.edges, theme.background, HALO * scale),
            (self.lines, theme.text, 0.0),
        ):
            lines.set_segments(list(pieces))
            lines.set_linewidth((widths + wider).tolist())
            lines.set_color([(*to_rgb(color), float(share)) for share in left])
        self.heads.set_offsets(ends)
        for name, width, (x, y) in zip(self.names, self._widths, ends.tolist(), strict=True):
            beside, most = x + self._gap, self._right - self._gap / 2 - width
            name.set_position((min(beside, most), y - self._gap * (1 if beside <= most else 2)))


def trail_pieces(
    ways: NDArray[np.floating], stops: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lines of some ways, the oldest first, and how much of each is left.

    ``ways``, shape (S, I, 2): where each of I images was at each of the ``stops``, shape (S,),
    ascending, in checkpoints; the last one is now. Returns lines of shape (L, 2, 2), and of shape
    (L,) shares in (0, 1]: 1 now, 0 after `FADES_AFTER` checkpoints.
    """
    shares = np.linspace(0, 1, PIECES + 1)
    times = (stops[:-1, None] + shares * np.diff(stops)[:, None]).ravel()
    where = np.array(
        [
            [np.interp(times, stops, ways[:, image, axis]) for axis in (0, 1)]
            for image in range(ways.shape[1])
        ]
    )  # shape (I, 2, T)
    left = 1 - (stops[-1] - (times[:-1] + times[1:]) / 2) / FADES_AFTER
    lines = np.stack([where[..., :-1], where[..., 1:]], axis=-1)  # shape (I, 2, T - 1, 2)
    seen = (left > 0) & (np.diff(times) > 0)
    ordered = lines.transpose(2, 0, 3, 1)[seen]  # shape (T - 1, I, 2, 2)
    return ordered.reshape(-1, 2, 2), np.repeat(left[seen], ways.shape[1])
