"""Says where the panels of a frame lie, by the frame's shape and size.

Three arrangements, each filled out to the last unit: the cards beside the map and the curves below
both, cards and curves beside the map (wide), or everything below the map (tall). A frame of few
pixels is laid out on a smaller page, which makes letters larger and leaves less room for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Rectangle(NamedTuple):
    """A part of the page, in its units."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.bottom + self.height


COMPACT_BELOW = 640
"""Frames of fewer pixels along their width are compact."""

WIDE_FROM, TALL_BELOW = 1.45, 0.9
"""Width to height from which, and below which, a frame is wide and tall."""


@dataclass(frozen=True)
class TextSizes:
    """Sizes of text, in points of the page."""

    title: float
    step: float
    body: float
    small: float


REGULAR = TextSizes(title=17, step=17, body=12.5, small=11)
COMPACT = TextSizes(title=13, step=13, body=11, small=10)


@dataclass(frozen=True)
class Layout:
    """Where everything lies, in units of the page: one is an inch of its text."""

    width: float
    height: float
    compact: bool
    margin: float
    title: float
    """Middle of the line of the title."""
    step: float
    """Middle of the line of the checkpoint."""
    credit: float
    """Middle of the line of the credit."""
    body: Rectangle
    """All that lies between these lines."""
    map: Rectangle
    cards: Rectangle
    curves: Rectangle
    text: TextSizes

    @property
    def right(self) -> float:
        """The right edge of everything."""
        return self.width - self.margin

    @classmethod
    def of(cls, width: float, height: float, *, titled: bool = True) -> Layout:
        """For a frame of so many pixels, with a title or without."""
        aspect, compact = width / height, width < COMPACT_BELOW
        text = COMPACT if compact else REGULAR
        wide, tall = aspect >= WIDE_FROM, aspect < TALL_BELOW
        # a compact page has a point of text for each pixel of a frame of 480
        page = 480 / 72 if compact else 11.5 if wide else 7.2 if tall else 8.6
        if wide:
            page = max(page, aspect * (480 / 72 * 9 / 16 if compact else 11.5 * 9 / 16))
        margin, foot, head = (0.18, 0.24, 0.18) if compact else (0.36, 0.36, 0.30)
        page_height = page / aspect
        title = page_height - margin - text.title / 144
        step = title - (0.27 if compact else 0.40) * titled
        bottom = margin + foot
        body = Rectangle(margin, bottom, page - 2 * margin, step - head - bottom)
        arrange = _beside if wide else _below if tall else _beside_and_below
        panels = arrange(body, compact)
        lines = (title, step, margin * (0.6 if compact else 0.55))
        return cls(page, page_height, compact, margin, *lines, body, *panels, text)


Panels = tuple[Rectangle, Rectangle, Rectangle]
"""Map, cards and curves."""


def _beside_and_below(body: Rectangle, compact: bool) -> Panels:
    gap, (curves, rest) = _gap(compact), _with_curves(body, compact)
    side = min(rest.height, 0.64 * rest.width)
    cards = Rectangle(rest.left + side + gap, rest.bottom, rest.width - side - gap, rest.height)
    return Rectangle(rest.left, rest.bottom, side, rest.height), cards, curves


def _beside(body: Rectangle, compact: bool) -> Panels:
    gap = _gap(compact)
    width = min(1.12 * body.height, 0.52 * body.width)
    left = body.left + width + gap
    curves, cards = _with_curves(
        Rectangle(left, body.bottom, body.right - left, body.height), compact
    )
    return Rectangle(body.left, body.bottom, width, body.height), cards, curves


def _below(body: Rectangle, compact: bool) -> Panels:
    gap, (curves, rest) = _gap(compact), _with_curves(body, compact)
    height = min(0.32 * body.width, 0.4 * rest.height)
    cards = Rectangle(rest.left, rest.bottom, rest.width, height)
    bottom = rest.bottom + height + gap
    return Rectangle(rest.left, bottom, rest.width, rest.top - bottom), cards, curves


def _with_curves(room: Rectangle, compact: bool) -> tuple[Rectangle, Rectangle]:
    """The curves at the lower end, with room for their values above them, and what is left."""
    height = 0.32 if compact else 0.62
    values = 0.26 if compact else 0.36
    indent = 0.0 if compact else 0.34
    curves = Rectangle(room.left + indent, room.bottom, room.width - 2 * indent, height)
    taken = height + values + _gap(compact) / 2
    return curves, Rectangle(room.left, room.bottom + taken, room.width, room.height - taken)


def _gap(compact: bool) -> float:
    """Between two panels."""
    return 0.16 if compact else 0.28


@dataclass(frozen=True)
class Grid:
    """Equal cells in a room."""

    columns: int
    rows: int
    width: float
    """Of a cell, with the gap to the next."""
    height: float

    def cell(self, index: int, room: Rectangle) -> Rectangle:
        """The cell of this number, row by row from the upper left."""
        row, column = divmod(index, self.columns)
        top = room.top - row * self.height
        left = room.left + column * self.width
        return Rectangle(left, top - self.height, self.width, self.height)


def grid_of(
    count: int, room: Rectangle, *, caption: float, least: float, least_width: float
) -> tuple[Grid, int]:
    """The grid whose square pictures are largest, and how many of ``count`` cells it has.

    Each cell has a ``caption`` of that height below its picture; pictures are at least ``least``
    and cells ``least_width`` wide: where there is no room for all, there are fewer.
    """
    for number in range(count, 0, -1):
        grids = []
        for columns in range(1, number + 1):
            rows = -(-number // columns)
            grid = Grid(columns, rows, room.width / columns, room.height / rows)
            picture = min(grid.width, grid.height - caption)
            if picture >= least and grid.width >= least_width:
                grids.append((picture, grid))
        if grids:
            return max(grids, key=lambda found: found[0])[1], number
    return Grid(1, 1, room.width, room.height), min(count, 1)
