"""The ways of some images on the map: over the last checkpoints, fading, each with its number at
its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from review_embeddings.review.animation.drawing.mapaxes import MapAxes
from review_embeddings.review.animation.drawing.sides import Taken, best_side, on_the_way
from review_embeddings.review.animation.filmdata import FilmData

FADES_AFTER = 4
"""Checkpoints after which nothing of a way is left."""

PIECES = 8
"""Into so many a way from one checkpoint to the next is cut, each as faded as it is old."""

WIDTHS = (0.8, 2.4)
"""Of a way's line where it ends and where the image is, in points."""

HALO = 1.8
"""How much wider the line behind it is, in points."""

NAME = 9
"""Size of the number of an image, in points."""

HEIGHT = 1.25 * NAME / 72
"""That is kept free for it, in units of the page."""

SIDES = [(1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0)]
SIDES += [(0, -2), (0, 2), (1, -2), (1, 2), (-1, -2), (-1, 2)]
SIDES += [(0, -3), (0, 3), (1, -3), (1, 3), (-1, -3), (-1, 3)]
"""Where a number may stand at its image, to the right and up, the best position first."""

WEIGHT = 3
"""How bad it is to cover a number, beside a ring."""


class Trails:
    """The ways of some images; all artists move with them."""

    def __init__(self, on: MapAxes, data: FilmData, images: Sequence[int]) -> None:
        """``images``: their indices."""
        page, axes = on.page, on.axes
        self._map, self._page, self._data, self._images = on, page, data, list(images)
        self.edges = LineCollection([], zorder=2.4, capstyle="butt")
        self.lines = LineCollection([], zorder=2.5, capstyle="butt")
        for lines in (self.edges, self.lines):
            axes.add_collection(lines, autolim=False)
        outside = np.full(len(self._images), 1e6)  # not seen until they are moved
        self.heads = axes.scatter(
            outside,
            outside,
            s=(2.2 * on.radius + 4 * page.scale) ** 2,
            edgecolors=page.theme.text,
            linewidths=1.3 * page.scale,
            zorder=2.6,
        )
        style: dict[str, Any] = {"horizontalalignment": "center", "zorder": 4}
        self.names = [page.haloed_text(axes, NAME, **style) for _ in self._images]
        for name, image in zip(self.names, self._images, strict=True):
            name.set_text(f"#{data.ids[image]}")
        self._sizes = [
            on.unit * np.array([page.width_of(f"#{data.ids[image]}", NAME) + 0.04, HEIGHT])
            for image in self._images
        ]
        self._away = [np.zeros(2)] * len(self._images)

    @property
    def moving(self) -> list[Artist]:
        """What lies below the rings, in drawing order; `names` lie above them."""
        return [self.edges, self.lines, self.heads]

    def show(self, checkpoint: int, taken: Sequence[Taken]) -> list[Taken]:
        """The colours of a checkpoint, and on which side of its image each number stands on the way
        to the next one, where it covers least of what is ``taken``; where the numbers stand."""
        if not self._images:
            return []
        colors: Any = self._map.colors.at(checkpoint, self._images)
        self.heads.set_facecolor(colors)
        following = min(checkpoint + 1, len(self._data.steps) - 1)
        ways = on_the_way(self._data.points[[checkpoint, following]][:, self._images])
        head = np.full(2, 1.2 * self._reach)
        heads, numbers = [Taken(way, head) for way in ways], list[Taken]()
        for index, (way, size) in enumerate(zip(ways, self._sizes, strict=True)):
            shifts = [np.array(side) * (self._reach + size) / 2 for side in SIDES]
            boxes = [way + shift for shift in shifts]
            others = [*taken, *heads[:index], *heads[index + 1 :], *numbers]
            side = best_side(boxes, size, others, low=self._map.low, high=self._map.high)
            self._away[index] = shifts[side]
            numbers.append(Taken(boxes[side], size, WEIGHT))
        return numbers

    @property
    def _reach(self) -> float:
        """Width of an image's mark, in the coordinates of the map."""
        diameter = (2.2 * self._map.radius + 4 * self._page.scale) / 72 / self._page.scale
        return self._map.unit * diameter

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
        for name, size, end, away in zip(self.names, self._sizes, ends, self._away, strict=True):
            middle = np.clip(end + away, self._map.low + size / 2, self._map.high - size / 2)
            name.set_position((float(middle[0]), float(middle[1])))


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
