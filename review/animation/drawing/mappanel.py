"""The panel of the map: its points, the rings round the most atypical ones, and the trails of some
images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.legend import (
    ClassKey,
    ClassNames,
    MapNames,
    key_entries,
    line_height,
)
from review_embeddings.review.animation.drawing.naming import NamePlan, Room, plan_names
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.drawing.points import Points
from review_embeddings.review.animation.drawing.text import Label
from review_embeddings.review.animation.drawing.trails import Trails
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment

LEAST_EXTENT = 2.0
"""Extent of the map at least, in its coordinates, where all points are nearly one."""

EDGE = 0.16
"""Between the outermost points and the edge of the map, in units of the page: a ring fits."""

RING = 0.10
"""Radius of the ring round an outlier."""

NUMBER_SIZE = (0.17, 0.15)
"""Width and height that are kept free for the number of a ring."""

CORNERS = [(1, 1), (-1, 1), (1, -1), (-1, -1), (1.3, 0), (-1.3, 0), (0, 1.3), (0, -1.3)]
CORNERS += [(1.6, 1.6), (-1.6, 1.6), (1.6, -1.6), (-1.6, -1.6)]
"""Where the number of a ring may stand, the best position first."""

LINE = 0.04
"""Height of a line in the map's corner, of 1."""


@dataclass(frozen=True)
class MapAxes:
    """The axes of a map, which show the same square at every checkpoint."""

    page: FramePage
    axes: Axes
    low: NDArray[np.float64]
    """The lower left corner, in the coordinates of the map."""
    high: NDArray[np.float64]
    """The upper right corner of what is kept free for points; above it is room for the key."""
    unit: float
    """One unit of the page in those of the coordinates."""
    radius: float
    """Of a point, in points (1/72 inch)."""
    colors: ImageColors

    @classmethod
    def of(cls, page: FramePage, data: FilmData, colors: ImageColors, key: int) -> MapAxes:
        """Axes that have room for all checkpoints, below so many lines of the key."""
        part = page.layout.map
        axes = page.axes(part)
        above = line_height(page) * key + (0.06 if key else 0)
        room = np.array([part.width, part.height - above])
        low = data.points.min(axis=(0, 1)).astype(np.float64)
        high = data.points.max(axis=(0, 1)).astype(np.float64)
        least = LEAST_EXTENT * room / room.min()
        unit = float((np.maximum(high - low, least) / (room - 2 * EDGE)).max())
        middle, half = (low + high) / 2, room * unit / 2
        low, high = middle - half, middle + half
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1] + above * unit))
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


class Rings:
    """Rings round the most atypical images, numbered by their rank."""

    def __init__(self, on: MapAxes, data: FilmData, count: int) -> None:
        """``count``: how many."""
        self._map, self._data, self._count = on, data, count
        theme, scale = on.page.theme, on.page.scale
        self.halos = self._circles(count, theme.background, 3.6 * scale)
        self.rings = self._circles(count, theme.text, 1.4 * scale)
        style: dict[str, Any] = {"horizontalalignment": "center", "zorder": 4}
        self.numbers = [on.page.haloed_text(on.axes, 9.5, **style) for _ in range(count)]
        self.points = on.scatter(count, 2 * on.radius, linewidths=0, zorder=2.7)
        """The ringed points once more, above all others."""
        self._away = np.zeros((count, 2))

    def _leaders(self, checkpoint: int) -> NDArray[np.int64]:
        return self._data.leaders[checkpoint, : self._count]

    def _circles(self, count: int, color: str, width: float) -> PathCollection:
        return self._map.scatter(
            count,
            2 * RING * 72 * self._map.page.scale,
            facecolors="none",
            edgecolors=color,
            linewidths=width,
            zorder=3,
        )

    def show(self, checkpoint: int) -> None:
        """The leaders of a checkpoint: colours, and on which side of its ring each number stands
        on the whole way to the next checkpoint; none where there is no room."""
        leaders = self._leaders(checkpoint)
        colors: Any = self._map.colors.at(checkpoint, leaders)
        self.points.set_facecolor(colors)
        following = min(checkpoint + 1, len(self._data.steps) - 1)
        ends = self._data.points[sorted({checkpoint, following})][:, leaders].astype(np.float64)
        free = _free_corners(ends.transpose(1, 0, 2), self._map)
        self._away = np.zeros((len(leaders), 2))
        for rank, (number, away) in enumerate(zip(self.numbers, free, strict=True), start=1):
            number.set_text("" if away is None else str(rank))
            if away is not None:
                self._away[rank - 1] = away

    def move(self, checkpoint: int, points: NDArray[np.float64]) -> None:
        """To a moment after a checkpoint, at which the images are at ``points``, shape (N, 2)."""
        leaders = points[self._leaders(checkpoint)]
        for rings in (self.points, self.halos, self.rings):
            rings.set_offsets(leaders)
        for number, position, away in zip(self.numbers, leaders, self._away, strict=True):
            number.set_position((float(position[0] + away[0]), float(position[1] + away[1])))


def _free_corners(rings: NDArray[np.float64], on: MapAxes) -> list[NDArray[np.float64] | None]:
    """For each ring the shift from its middle to its number, shape (2,); None where all corners are
    taken by other rings or numbers, or lie outside the axes.

    ``rings``, shape (T, E, 2): positions of each at one or both ends of its way.
    """
    unit, size = on.unit, np.array(NUMBER_SIZE) * on.unit
    taken = list(rings)
    extents = [np.full(2, 2 * RING * unit)] * len(rings)
    found: list[NDArray[np.float64] | None] = []
    for rank, own in enumerate(rings):
        found.append(None)
        for corner in CORNERS:
            away = np.array(corner) * (RING * 0.72 * unit + size / 2)
            boxes = own + away
            inside = bool(
                (boxes >= on.low + size / 2).all() and (boxes <= on.high - size / 2).all()
            )
            others = [index for index in range(len(taken)) if index != rank]
            if inside and all(
                _apart(boxes, taken[index], (size + extents[index]) / 2) for index in others
            ):
                found[-1] = away
                taken.append(boxes)
                extents.append(size)
                break
    return found


def _apart(
    one: NDArray[np.float64], other: NDArray[np.float64], least: NDArray[np.float64]
) -> bool:
    """Whether two boxes do not touch at either end of their ways, both of shape (E, 2)."""
    return bool((np.abs(one - other) >= least).any(axis=1).all())


class GroupRings:
    """Rings round the images of groups that stand apart, and what they mean in a corner."""

    def __init__(self, on: MapAxes, groups: Sequence[Sequence[int]], corner: float) -> None:
        """``groups``: indices of the images of each; ``corner``: height of the words in the axes,
        from 0 to 1."""
        self._images = [image for group in groups for image in group]
        scale, theme = on.page.scale, on.page.theme
        style: dict[str, Any] = {"facecolors": "none", "edgecolors": theme.group, "zorder": 2.3}
        size = 2 * on.radius + 3 * scale
        self.rings = on.scatter(len(self._images), size, linewidths=1.1 * scale, **style)
        style |= {"transform": on.axes.transAxes, "zorder": 5}
        style |= {"s": (8 * scale) ** 2, "linewidths": 1.4 * scale}
        self.sample = on.axes.scatter([0.03], [corner + 0.009], **style)
        self.words = on.page.haloed_text(
            on.axes, 9.5, color=theme.muted, transform=on.axes.transAxes, zorder=5
        )
        self.words.set_position((0.05, corner))
        self.words.set_text(_in_words(groups))

    def move(self, points: NDArray[np.float64]) -> None:
        """To where all images are, shape (N, 2)."""
        self.rings.set_offsets(points[self._images])


def _in_words(groups: Sequence[Sequence[int]]) -> str:
    """How many groups there are, and of how many images."""
    if not groups:
        return "no group stands apart"
    images = sum(map(len, groups))
    if len(groups) == 1:
        return f"a group that stands apart, {images:,} images"
    return f"{len(groups):,} groups that stand apart, {images:,} images"


def _plan(on: MapAxes, data: FilmData, names: MapNames, ringed: int) -> NamePlan:
    """Where the names of the classes stand."""
    height = 1.35 * names.size / 72
    widths = [on.page.width_of(name, names.size, bold=True) + 0.1 for name in names.texts]
    sizes = on.unit * np.array([(width, height) for width in widths]).reshape(-1, 2)
    return plan_names(
        data.points,
        data.color_codes,
        sizes,
        Room(on.low, on.high),
        lambda checkpoint: data.points[checkpoint][data.leaders[checkpoint, :ringed]].astype(float),
    )


class MapPanel:
    """The map of a checkpoint, and of every moment on the way to the next one."""

    def __init__(
        self,
        page: FramePage,
        data: FilmData,
        colors: ImageColors,
        trails: Sequence[int],
        *,
        ringed: int,
        groups: bool = False,
        trust: bool = False,
    ) -> None:
        """``trails``: indices of the images whose way is drawn; ``ringed``: how many of the most
        atypical ones are; ``groups``: whether those that
        stand apart together are ringed; ``trust``: whether a corner says how far the map can be
        trusted."""
        self._page, self._data, self._with_trust = page, data, trust
        entries = key_entries(page, data, colors)
        lines = max((entry.line + 1 for entry in entries), default=0)
        on = MapAxes.of(page, data, colors, lines)
        self.axes = on.axes
        names = MapNames.of(page, data.color_classes)
        plan = _plan(on, data, names, ringed)
        self.names = ClassNames(page, on.axes, plan, names)
        if plan.shown.all() and not any(entry.code is None for entry in entries):
            entries = []
        self.key = ClassKey(page, on.axes, entries)
        self.points = Points(colors, on.radius, on.axes)
        self.trails = Trails(page, on.axes, data, trails, colors=colors, radius=on.radius)
        self.rings = Rings(on, data, ringed)
        self.trust = self._corner_line(0.025)
        corner = 0.025 + LINE * trust
        self.note = self._corner_line(corner)
        """How the map is turned against the table's."""
        corner += LINE * any(data.turned)
        self.groups = GroupRings(on, data.groups or (), corner) if groups else None

    def _corner_line(self, height: float) -> Label:
        """A line of text in the map's corner, from 0 to 1 above its bottom."""
        axes, color = self.axes, self._page.theme.muted
        line = self._page.haloed_text(axes, 9.5, color=color, transform=axes.transAxes, zorder=5)
        line.set_position((0.015, height))
        return line

    @property
    def moving(self) -> list[Artist]:
        """What moves between checkpoints, in drawing order."""
        trails, rings = self.trails, self.rings
        return [
            self.points,
            *([] if self.groups is None else [self.groups.rings]),
            *trails.moving,
            *(rings.points, rings.halos, rings.rings),
            *self.names.moving,
            *self.key.moving,
            *trails.names,
            *rings.numbers,
            *([] if self.groups is None else [self.groups.sample, self.groups.words]),
            self.trust,
            self.note,
        ]

    def show(self, checkpoint: int) -> None:
        """What stays the same until the next checkpoint."""
        self.trust.set_text(self._data.trust[checkpoint] if self._with_trust else "")
        self.note.set_text(self._data.turned[checkpoint] if self._data.turned else "")
        self.points.show(checkpoint)
        self.trails.show(checkpoint)
        self.rings.show(checkpoint)

    def move(self, moment: Moment) -> None:
        """Bring all images to where they are at a moment."""
        points = self._data.points_at(moment)
        self.points.set_offsets(points)
        self.key.move(self.names.move(moment.checkpoint, moment.fraction))
        self.rings.move(moment.checkpoint, points)
        self.trails.move(moment.checkpoint, moment.fraction, points)
        if self.groups is not None:
            self.groups.move(points)
