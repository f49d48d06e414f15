"""The panel of the map: its points, the rings round the most atypical ones, and the trails of some
images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import PathCollection
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.legend import (
    ClassKey,
    ClassNames,
    KeyEntry,
    MapNames,
    key_entries,
)
from review_embeddings.review.animation.drawing.mapaxes import NOTE, MapAxes, note_height
from review_embeddings.review.animation.drawing.naming import NamePlan, Room, plan_names
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.drawing.points import Points
from review_embeddings.review.animation.drawing.sides import Taken, best_side, covers, on_the_way
from review_embeddings.review.animation.drawing.text import Label
from review_embeddings.review.animation.drawing.trails import Trails
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment

RING = 0.10
"""Radius of the ring round an outlier."""

NUMBER_SIZE = (0.17, 0.15)
"""Width and height that are kept free for the number of a ring."""

CORNERS = [(1, 1), (-1, 1), (1, -1), (-1, -1), (1.3, 0), (-1.3, 0), (0, 1.3), (0, -1.3)]
CORNERS += [(1.6, 1.6), (-1.6, 1.6), (1.6, -1.6), (-1.6, -1.6)]
"""Where the number of a ring may stand, the best position first."""

NOTE_LEFT = 0.08
"""Left of it, in units of the page."""


HALF = 0.5
"""Of its way to the next checkpoint a number may lie over a text."""


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

    def taken(self, checkpoint: int) -> list[Taken]:
        """Where the rings are on the way to the next checkpoint."""
        size = np.full(2, 2 * RING * self._map.unit)
        return [Taken(way, size) for way in self._ways(checkpoint)]

    def _ways(self, checkpoint: int) -> NDArray[np.float64]:
        ends = self._data.points[[checkpoint, min(checkpoint + 1, len(self._data.steps) - 1)]]
        return on_the_way(ends[:, self._leaders(checkpoint)])

    def show(self, checkpoint: int, texts: Sequence[Taken] = ()) -> None:
        """The leaders of a checkpoint: colours, and on which side of its ring each number stands
        on the whole way to the next checkpoint, on none of these ``texts`` where it can; none
        where there is no room."""
        leaders = self._leaders(checkpoint)
        colors: Any = self._map.colors.at(checkpoint, leaders)
        self.points.set_facecolor(colors)
        free = _free_corners(self._ways(checkpoint), self._map, texts)
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


def _free_corners(
    rings: NDArray[np.float64], on: MapAxes, texts: Sequence[Taken]
) -> list[NDArray[np.float64] | None]:
    """For each ring the shift from its middle to its number, shape (2,), that covers least of the
    ``texts``; None where all corners are taken by other rings or numbers, or lie outside the axes,
    and where all cover a text for more than half of the way.

    ``rings``, shape (T, E, 2): positions of each on its way.
    """
    unit, size = on.unit, np.array(NUMBER_SIZE) * on.unit
    taken = [Taken(way, np.full(2, 2 * RING * unit)) for way in rings]
    corners = [np.array(corner) * (RING * 0.72 * unit + size / 2) for corner in CORNERS]
    found: list[NDArray[np.float64] | None] = []
    for rank, own in enumerate(rings):
        others = [*taken[:rank], *taken[rank + 1 :]]
        free = [away for away in corners if _is_free(own + away, size, others, on)]
        found.append(None)
        if free:
            boxes = [own + away for away in free]
            side = best_side(boxes, size, texts, low=on.low, high=on.high)
            covered = np.array([covers(boxes[side], size, text) for text in texts])
            if covered.any(axis=0).mean() <= HALF:
                found[-1] = free[side]
                taken.append(Taken(boxes[side], size))
    return found


def _is_free(
    boxes: NDArray[np.float64], size: NDArray[np.float64], others: Sequence[Taken], on: MapAxes
) -> bool:
    """Whether a number lies inside the axes and over no other box on its whole way."""
    inside = (boxes >= on.low + size / 2).all() and (boxes <= on.high - size / 2).all()
    return bool(inside) and not any(covers(boxes, size, other).any() for other in others)


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
        left, height = NOTE_LEFT + 4 / 72, note_height(0.6) / part.height
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


def _sizes(on: MapAxes, names: MapNames) -> NDArray[np.float64]:
    """Width and height of the names of the classes, shape (C, 2)."""
    height = 1.35 * names.size / 72
    widths = [on.page.width_of(name, names.size, bold=True) + 0.1 for name in names.texts]
    sizes: NDArray[np.float64] = np.array([(width, height) for width in widths]).reshape(-1, 2)
    sizes *= on.unit
    return sizes


def _plan(
    on: MapAxes, data: FilmData, sizes: NDArray[np.float64], ringed: int, trails: Sequence[int]
) -> NamePlan:
    """Where the names of the classes stand: on no image that is marked, where they can."""

    def marked(checkpoint: int) -> NDArray[np.float64]:
        images = [*data.leaders[checkpoint, :ringed].tolist(), *trails]
        return np.asarray(data.points[checkpoint][images], dtype=np.float64)

    return plan_names(data.points, data.color_codes, sizes, Room(on.low, on.high), marked)


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
        sizes = _sizes(on, names)
        plan = _plan(on, data, sizes, ringed, trails)
        self.names = ClassNames(page, on.axes, plan, names, sizes)
        self.key = ClassKey(page, on.axes, () if _all_named(plan, entries) else entries)
        self.points = Points(colors, on.radius, on.axes)
        self.trails = Trails(on, data, trails)
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
        note.set_position((NOTE_LEFT / part.width, note_height(line + 0.6) / part.height))
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
        names = self.names.taken(checkpoint)
        numbers = self.trails.show(checkpoint, [*names, *self.rings.taken(checkpoint)])
        self.rings.show(checkpoint, [*names, *numbers])

    def move(self, moment: Moment) -> None:
        """Bring all images to where they are at a moment."""
        points = self._data.points_at(moment)
        self.points.set_offsets(points)
        self.key.move(self.names.move(moment.checkpoint, moment.fraction))
        self.rings.move(moment.checkpoint, points)
        self.trails.move(moment.checkpoint, moment.fraction, points)
        if self.groups is not None:
            self.groups.move(points)
