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
    KeyEntry,
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

NOTE = 9.5
"""Size of the text in the map's corner, in points."""

NOTE_LEFT = 0.08
"""Left of it, in units of the page."""


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
        below = _note_height(notes)
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


def _note_height(lines: float) -> float:
    """Of so many lines in the map's corner, in units of the page."""
    return 1.5 * NOTE / 72 * lines


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

    def __init__(self, on: MapAxes, groups: Sequence[Sequence[int]]) -> None:
        """``groups``: indices of the images of each."""
        self._images = [image for group in groups for image in group]
        page, part = on.page, on.page.layout.map
        scale, theme = page.scale, page.theme
        style: dict[str, Any] = {"facecolors": "none", "edgecolors": theme.group, "zorder": 2.3}
        size = 2 * on.radius + 3 * scale
        self.rings = on.scatter(len(self._images), size, linewidths=1.1 * scale, **style)
        style |= {"transform": on.axes.transAxes, "zorder": 5}
        style |= {"s": (8 * scale) ** 2, "linewidths": 1.4 * scale}
        left, height = NOTE_LEFT + 4 / 72, _note_height(0.6) / part.height
        self.sample = on.axes.scatter([left / part.width], [height], **style)
        self.words = page.haloed_text(
            on.axes, NOTE, color=theme.muted, transform=on.axes.transAxes, zorder=5
        )
        begin = left + 9 / 72
        self.words.set_position((begin / part.width, height))
        room = part.width - begin - NOTE_LEFT
        self.words.set_text(page.fitted(_in_words(groups), NOTE, room))

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


def _all_named(plan: NamePlan, entries: Sequence[KeyEntry]) -> bool:
    """Whether the map names all that the key would, at every checkpoint."""
    codes = [entry.code for entry in entries if entry.code is not None]
    return len(codes) == len(entries) and bool(plan.shown[:, codes].all())


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
        atypical ones are; ``groups``: whether those that stand apart together are ringed;
        ``trust``: whether a corner says how far the map can be trusted."""
        self._page, self._data, self._with_trust = page, data, trust
        entries = key_entries(page, data, colors)
        lines = max((entry.line + 1 for entry in entries), default=0)
        self._notes = [self._lines(checkpoint) for checkpoint in range(len(data.steps))]
        lowest = int(groups)
        count = max(map(len, self._notes))
        on = MapAxes.of(page, data, colors, key=lines, notes=lowest + count)
        self.axes = on.axes
        names = MapNames.of(page, data.color_classes)
        plan = _plan(on, data, names, ringed)
        self.names = ClassNames(page, on.axes, plan, names)
        self.key = ClassKey(page, on.axes, () if _all_named(plan, entries) else entries)
        self.points = Points(colors, on.radius, on.axes)
        self.trails = Trails(page, on.axes, data, trails, colors=colors, radius=on.radius)
        self.rings = Rings(on, data, ringed)
        self.groups = GroupRings(on, data.groups or ()) if groups else None
        self.notes = [self._note(lowest + number) for number in range(count)]
        """How far the map can be trusted, and how it is turned against the table's; the lowest
        first."""

    def _lines(self, checkpoint: int) -> list[str]:
        """What the corner says at a checkpoint, the lowest line first."""
        data, page = self._data, self._page
        room = page.layout.map.width - 2 * NOTE_LEFT
        lines = [data.turned[checkpoint]] if data.turned and data.turned[checkpoint] else []
        for part in data.trust[checkpoint].split(", ") if self._with_trust else ():
            longer = f"{lines[-1]}, {part}" if lines else part
            if lines and page.width_of(longer, NOTE) <= room:
                lines[-1] = longer
            else:
                lines.append(part)
        return [page.fitted(line, NOTE, room) for line in reversed(lines)]

    def _note(self, line: int) -> Label:
        """An empty line of the map's corner, the lowest of which is number 0."""
        axes, color, part = self.axes, self._page.theme.muted, self._page.layout.map
        note = self._page.haloed_text(axes, NOTE, color=color, transform=axes.transAxes, zorder=5)
        note.set_position((NOTE_LEFT / part.width, _note_height(line + 0.6) / part.height))
        return note

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
            *self.notes,
        ]

    def show(self, checkpoint: int) -> None:
        """What stays the same until the next checkpoint."""
        texts = self._notes[checkpoint]
        for number, note in enumerate(self.notes):
            note.set_text(texts[number] if number < len(texts) else "")
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
