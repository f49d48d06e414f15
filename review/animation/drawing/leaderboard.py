"""The panel of the most atypical images of a checkpoint: a picture of each with its label and what
it is taken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.layout import Grid, grid_of
from review_embeddings.review.animation.drawing.layout import Rectangle as Box
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.drawing.picture import PanelPicture
from review_embeddings.review.animation.drawing.text import Label
from review_embeddings.review.animation.filmdata import FilmData

MIN_PICTURE = 0.08
"""Least share of the frame's width that a picture takes: a phone shows it as large as a finger."""

MIN_LETTERS = 7.5
"""Least width of a card, in sizes of its text."""

MIN_CARDS, MAX_CELL = 4, 1.75
"""Up to that width of a cell long labels have their room, where so many cards are left."""

HEADING = "Most atypical images"


BAR = 0.05
"""Height of the bar in the colour of the class below a picture, in units of the page."""


GAP = 0.28
"""Between two cards, as a share of the page's margin."""

RANK = 0.8
"""Size of a rank, of the small text."""

BADGE = 0.07
"""How far inside the corner of a picture the middle of its rank lies, in units of the page."""


@dataclass(frozen=True)
class CardStyle:
    """What all cards have in common; lengths in units of the page."""

    width: float
    side: float
    """Of the picture."""
    label: float
    """Size of the text of the label, in points."""
    prediction: float

    @classmethod
    def of(cls, cell: Box, caption: float, page: FramePage, widest: float) -> CardStyle:
        """``widest``: width of the longest label at the size of the body's text."""
        text, gap = page.layout.text, GAP * page.layout.margin
        width = cell.width - gap
        label = max(text.small, text.body * min(1.0, width / max(widest, 0.01)))
        side = min(width, cell.height - caption - gap)
        return cls(width, side, label, text.small)


@dataclass(frozen=True)
class OutlierCard:
    """Artists of one image."""

    picture: PanelPicture
    number: Label
    bar: Rectangle
    label: Label
    prediction: Label

    @classmethod
    def at(
        cls, cell: Box, caption: float, style: CardStyle, page: FramePage, axes: Axes
    ) -> OutlierCard:
        """An empty card; the caption's height is part of the cell's."""
        side, bottom = style.side, cell.top - style.side
        bold: dict[str, Any] = {"fontweight": "bold"}
        middle: dict[str, Any] = {"horizontalalignment": "center", "zorder": 4, **bold}
        bar = Rectangle((cell.left, bottom - BAR), side, BAR, linewidth=0, zorder=2)
        axes.add_artist(bar)
        upper, lower = (bottom - BAR - share * caption for share in (0.29, 0.70))
        return cls(
            PanelPicture(axes, Box(cell.left, bottom, side, side)),
            page.text_in(axes, 0, 0, RANK * page.layout.text.small, **middle),
            bar,
            page.text_in(axes, cell.left, upper, style.label, **bold),
            page.text_in(axes, cell.left, lower, style.prediction),
        )

    def show(self, pixels: NDArray[np.uint8]) -> None:
        """Show an image, and its rank in its corner."""
        left, top = self.picture.show(pixels)
        self.bar.set_width(self.picture.width)
        self.number.set_position((left + BADGE, top - BADGE))

    @property
    def artists(self) -> list[Artist]:
        """In drawing order; the number stands on its badge."""
        return [self.picture.image, self.bar, self.label, self.prediction]


class Leaderboard:
    """The most atypical images of a checkpoint, the worst first."""

    def __init__(self, page: FramePage, data: FilmData, colors: ImageColors) -> None:
        self._page, self._data, self._colors = page, data, colors
        part = page.layout.cards
        self.axes = page.axes(part)
        self.axes.set(xlim=(0, part.width), ylim=(0, part.height))
        self.axes.set_axis_off()
        text = page.layout.text
        heading = 1.9 * text.body / 72
        room = Box(0, 0, part.width, part.height - heading)
        caption = 1.42 * (text.body + text.small) / 72 + BAR
        self._widest = self._label_width()
        grid, self.count = self._grid(room, caption)
        if self.count:
            self._make_heading(part, heading)
        cells = [grid.cell(index, room) for index in range(self.count)]
        self._style = CardStyle.of(grid.cell(0, room), caption, page, self._widest)
        self.cards = [OutlierCard.at(cell, caption, self._style, page, self.axes) for cell in cells]
        self.badges = self._make_badges()

    def _label_width(self) -> float:
        """That of the longest label at the size of the body's text, in units of the page."""
        labels = {self._data.label_of(image) for image in np.unique(self._data.leaders).tolist()}
        size = self._page.layout.text.body
        return max((self._page.width_of(name, size, bold=True) for name in labels), default=0)

    def _grid(self, room: Box, caption: float) -> tuple[Grid, int]:
        """Cells, and how many: fewer where labels are long, but at least `MIN_CARDS`."""
        text, total = self._page.layout.text, self._data.leaders.shape[1]
        gap = GAP * self._page.layout.margin
        smallest = MIN_PICTURE * self._page.layout.width + gap
        least = {"caption": caption, "least": smallest}
        widths = [MIN_LETTERS * text.small / 72]
        widths.insert(0, max(widths[0], min(self._widest * text.small / text.body, MAX_CELL)))
        for width in widths:
            grid, count = grid_of(total, room, **least, least_width=width)
            if count >= min(MIN_CARDS, total):
                break
        return grid, count

    def _make_heading(self, part: Box, height: float) -> None:
        page, text, middle = self._page, self._page.layout.text, part.height - 0.36 * height
        page.text_in(self.axes, 0, middle, text.body, fontweight="bold").set_text(HEADING)
        taken = page.width_of(HEADING, text.body, bold=True) + 0.2
        meaning = "label → prediction"
        has_predictions = any(map(any, self._data.predictions)) and bool(self._data.classes)
        if has_predictions and taken + page.width_of(meaning, text.small) <= part.width:
            style: dict[str, Any] = {
                "color": page.theme.muted,
                "horizontalalignment": "right",
            }
            page.text_in(self.axes, part.width, middle, text.small, **style).set_text(meaning)

    def _make_badges(self) -> PathCollection:
        """Discs below the ranks."""
        page, empty = self._page, [0.0] * self.count
        return self.axes.scatter(
            empty,
            empty,
            s=(1.8 * RANK * page.layout.text.small * page.scale) ** 2,
            facecolors=page.theme.background,
            edgecolors=page.theme.text,
            linewidths=1.2 * page.scale,
            zorder=3,
            clip_on=False,
        )

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        numbers = [card.number for card in self.cards]
        return [*(artist for card in self.cards for artist in card.artists), self.badges, *numbers]

    def show(self, checkpoint: int) -> None:
        """The leaders of a checkpoint."""
        leaders = self._data.leaders[checkpoint].tolist()
        for position, (card, leader) in enumerate(zip(self.cards, leaders, strict=False)):
            self._show_card(card, position, leader, checkpoint)
        if self.cards:
            self.badges.set_offsets([card.number.get_position() for card in self.cards])

    def _show_card(self, card: OutlierCard, position: int, leader: int, checkpoint: int) -> None:
        data, style, page = self._data, self._style, self._page
        card.number.set_text(str(position + 1))
        card.bar.set_facecolor((*self._colors.at(checkpoint, leader), 1.0))
        label, prediction = data.label_of(leader), data.predictions[checkpoint][position]
        name = label or ("no label" if data.classes else f"#{data.ids[leader]}")
        card.label.set_text(page.fitted(name, style.label, style.width, bold=True))
        shown = f"→ {prediction}" if prediction else ""
        card.prediction.set_text(page.fitted(shown, style.prediction, style.width))
        differs = bool(label and prediction and label != prediction)
        card.prediction.set_color(page.theme.text if differs else page.theme.muted)
        card.show(data.thumbnails.get(leader, self._blank))

    @property
    def _blank(self) -> NDArray[np.uint8]:
        """Shown where an image cannot be read."""
        return np.full((1, 1, 3), np.array(to_rgb(self._page.theme.line)) * 255, dtype=np.uint8)
