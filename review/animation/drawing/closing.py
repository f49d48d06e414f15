"""The frame after all: some images before and after the training."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from review_embeddings.review.animation.drawing.frame import draw_credit, draw_heading
from review_embeddings.review.animation.drawing.layout import Rectangle
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.drawing.picture import PanelPicture
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.pairs import ChangedImage, End
from review_embeddings.review.animation.themes import THEMES

HEADING = "Before and after"

BREAKS = re.compile(r"(?<=[^\s→])[\s_-]")
"""Behind these a name may go on in a second line."""

LEAST = 0.6
"""Share of its largest side that a picture keeps beside a long name."""

BESIDE = 1.5
"""Width to height of a cell from which its text stands beside the picture."""


def draw_closing(
    figure: Figure | SubFigure, data: FilmData, *, theme: str, title: str, credit: bool
) -> None:
    """Draw the pairs of a film into a figure."""
    page = FramePage(figure, THEMES[theme], titled=bool(title))
    draw_heading(page, title)
    if credit:
        draw_credit(page)
    layout, text = page.layout, page.layout.text
    page.text(layout.margin, layout.step, text.step, fontweight="bold").set_text(HEADING)
    axes = page.axes(layout.body)
    axes.set(xlim=(0, layout.body.width), ylim=(0, layout.body.height))
    axes.set_axis_off()
    _Rows(page, data, axes).draw()


def taken(end: End) -> str:
    """What an image is taken for."""
    return f"→ {end.prediction}"


def words(text: str) -> list[str]:
    """What of a text cannot be divided."""
    ends = [0, *(found.end() for found in BREAKS.finditer(text)), len(text)]
    return [text[begin:end].rstrip() for begin, end in itertools.pairwise(ends)]


class _Rows:
    """A row for each pair: the image, and the nearest one before and after."""

    def __init__(self, page: FramePage, data: FilmData, axes: Axes) -> None:
        self._page, self._data, self._axes = page, data, axes
        body, text = page.layout.body, page.layout.text
        self._line = 1.45 * text.body / 72
        self._head = 1.9 * self._line
        self._width = body.width / 3
        self._height = (body.height - self._head) / max(len(data.pairs), 1)
        self._beside = self._width >= BESIDE * self._height
        self._side = self._largest_side()

    def draw(self) -> None:
        data, steps = self._data, self._data.steps
        labelled = any(data.label_of(pair.image) for pair in data.pairs)
        nearest = any(pair.before.nearest is not None for pair in data.pairs)
        meaning = "prediction"
        if nearest:
            meaning = f"nearest image → {meaning}"
            room = self._width - 0.1
            if self._page.width_of(meaning, self._page.layout.text.small) > room:
                meaning = "nearest → prediction"
        heads = [("Image", "its label" if labelled else "")]
        for step in (steps[0], steps[-1]):
            heads.append(("The end" if step in data.unknown else f"Step {step:,}", meaning))
        top = self._page.layout.body.height
        for column, (name, below) in enumerate(heads):
            self._write(column, top - 0.4 * self._line, name, bold=True)
            self._write(column, top - 1.25 * self._line, below)
        for row, pair in enumerate(data.pairs):
            self._draw_pair(row, pair)

    def _largest_side(self) -> float:
        """Of the pictures: names beside them have room on two lines, where that leaves enough of
        the picture."""
        gap = 0.5 * self._line
        if not self._beside:
            return min(self._height - 2 * self._line - gap, self._width - gap)
        size = self._page.layout.text.body
        texts = [
            text
            for pair in self._data.pairs
            for text in (self._data.label_of(pair.image), taken(pair.before), taken(pair.after))
        ]
        widest = max(
            (self._page.width_of(part, size, bold=True) for text in texts for part in words(text)),
            default=0.0,
        )
        whole = min(self._height - gap, self._width - gap)
        return max(LEAST * whole, min(whole, self._width - widest - gap - 0.15))

    def _draw_pair(self, row: int, pair: ChangedImage) -> None:
        name = self._data.label_of(pair.image) or f"#{self._data.ids[pair.image]}"
        self._draw_cell(row, 0, pair.image, [(name, True)])
        for column, end in ((1, pair.before), (2, pair.after)):
            share = f"{100 * end.confidence:.0f} %" if end.confidence == end.confidence else ""
            lines = [(taken(end), True), (share, False)]
            self._draw_cell(row, column, end.nearest, lines)

    def _draw_cell(
        self, row: int, column: int, image: int | None, lines: list[tuple[str, bool]]
    ) -> None:
        gap = 0.5 * self._line
        top = self._page.layout.body.height - self._head - row * self._height
        side = self._side
        left = column * self._width
        if image is not None:
            pixels = self._data.thumbnails.get(image)
            blank = np.full((1, 1, 3), np.array(to_rgb(self._page.theme.line)) * 255, np.uint8)
            picture = PanelPicture(self._axes, Rectangle(left, top - side, side, side))
            picture.show(blank if pixels is None else pixels)
        indent = side + gap if self._beside and image is not None else 0.0
        middle = top - side / 2 + self._line / 2 if self._beside else top - side - 0.6 * self._line
        if self._beside:
            room = self._width - indent - 0.1
            lines = [(part, bold) for text, bold in lines for part in self._parts(text, room, bold)]
        for number, (text, bold) in enumerate(lines):
            self._write(column, middle - number * self._line, text, bold=bold, indent=indent)

    def _parts(self, text: str, room: float, bold: bool) -> list[str]:
        """The text on one line or, where that is too wide, on two: the first as long as it can
        be."""
        size = self._page.layout.text.body if bold else self._page.layout.text.small

        def fits(some: str) -> bool:
            return self._page.width_of(some, size, bold=bold) <= room

        if fits(text):
            return [text]
        ends = [found.end() for found in BREAKS.finditer(text) if found.end() < len(text)]
        first = max((end for end in ends if fits(text[:end].rstrip())), default=0)
        return [text[:first].rstrip(), text[first:]] if first else [text]

    def _write(
        self,
        column: int,
        middle: float,
        text: str,
        *,
        bold: bool = False,
        indent: float = 0.0,
    ) -> None:
        page = self._page
        size = page.layout.text.body if bold else page.layout.text.small
        style: dict[str, Any] = {"fontweight": "bold"} if bold else {"color": page.theme.muted}
        room = self._width - indent - 0.1
        line = page.text_in(self._axes, column * self._width + indent, middle, size, **style)
        line.set_text(page.fitted(text, size, room, bold=bold))
