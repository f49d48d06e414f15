"""The panel beside the map: a row for each of the most atypical images of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.page import SIDE, FramePage
from review_embeddings.review.animation.drawing.stamp import StampedImage
from review_embeddings.review.animation.drawing.text import Label
from review_embeddings.review.animation.filmdata import FilmData

ROWS_HEIGHT, MAX_ROW_HEIGHT = 3.9, 0.62
"""Height of all rows together, and of one where there are few."""

IMAGE_LEFT = 0.30
"""Where the images begin, right of the ranks."""


@dataclass(frozen=True)
class RowLayout:
    """Sizes that all rows have in common, in units of the page."""

    height: float
    text_size: float
    """In points, of the upper line."""

    @classmethod
    def of(cls, rows: int) -> RowLayout:
        """For so many rows."""
        height = min(ROWS_HEIGHT / max(rows, 1), MAX_ROW_HEIGHT)
        return cls(height, min(12.0, 72 * height * 0.36))

    @property
    def small_size(self) -> float:
        """Of the lower line's text."""
        return self.text_size * 0.82

    @property
    def text_left(self) -> float:
        """Where the text begins, right of the images."""
        return IMAGE_LEFT + self.height + 0.10

    def middle(self, row: int) -> float:
        """Height of the middle of a row."""
        return SIDE.height - 0.38 - self.height * (row + 0.5)


@dataclass(frozen=True)
class Row:
    """Artists of one row."""

    middle: float
    """Height of its middle in units of the page."""
    number: Label
    picture: StampedImage
    dot: PathCollection
    label: Label
    prediction: Label
    score: Label
    image: Label

    @classmethod
    def at(cls, middle: float, layout: RowLayout, page: FramePage, axes: Axes) -> Row:
        """An empty row."""
        left, size, small = layout.text_left, layout.text_size, layout.small_size
        upper, lower = middle + 0.2 * layout.height, middle - 0.22 * layout.height
        muted: dict[str, Any] = {"color": page.theme.muted}
        right: dict[str, Any] = {"horizontalalignment": "right"}
        picture = StampedImage(axes, interpolation="bicubic", zorder=2)
        picture.set_data(np.zeros((1, 1, 3), dtype=np.uint8))
        axes.add_artist(picture)
        return cls(
            middle,
            page.text_in(axes, 0.13, middle, size, **muted, horizontalalignment="center"),
            picture,
            axes.scatter([left + 0.06], [upper], s=(size * 0.62 * page.scale) ** 2, linewidths=0),
            page.text_in(axes, left + 0.20, upper, size, fontweight="bold"),
            page.text_in(axes, left, lower, small, **muted),
            page.text_in(axes, SIDE.width, upper, size, **right),
            page.text_in(axes, SIDE.width, lower, small, **muted, **right),
        )

    @property
    def artists(self) -> list[Artist]:
        """In drawing order."""
        texts = [self.label, self.prediction, self.score, self.image]
        return [self.number, self.picture, self.dot, *texts]

    def set_picture(self, pixels: NDArray[np.uint8], height: float) -> None:
        """Show an image, RGB of shape (rows, columns, 3), in a square of the row's height."""
        self.picture.set_data(pixels)
        center, half = IMAGE_LEFT + height / 2, 0.46 * height / max(pixels.shape[:2])
        up, right = half * pixels.shape[0], half * pixels.shape[1]
        self.picture.set_extent(
            (center - right, center + right, self.middle - up, self.middle + up)
        )


class Leaderboard:
    """The most atypical images of a checkpoint, the worst first."""

    def __init__(self, page: FramePage, data: FilmData, colors: ImageColors) -> None:
        self._page, self._data, self._colors = page, data, colors
        self.axes = page.axes(SIDE)
        # in a figure of another shape too
        self.axes.set(xlim=(0, SIDE.width), ylim=(0, SIDE.height), aspect="equal", anchor="NW")
        self.axes.set_axis_off()
        count = data.leaders.shape[1]
        if count:
            self._make_heading()
        self._layout = RowLayout.of(count)
        self.rows = [
            Row.at(self._layout.middle(row), self._layout, page, self.axes) for row in range(count)
        ]

    def _make_heading(self) -> None:
        page, height = self._page, SIDE.height - 0.12
        left = page.text_in(self.axes, 0, height, 13, fontweight="bold")
        left.set_text("Most atypical images")
        style: dict[str, Any] = {"color": page.theme.muted, "horizontalalignment": "right"}
        page.text_in(self.axes, SIDE.width, height, 11, **style).set_text("OOD score")

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        return [artist for row in self.rows for artist in row.artists]

    def show(self, checkpoint: int) -> None:
        """The leaders of a checkpoint."""
        leaders = self._data.leaders[checkpoint].tolist()
        for position, (row, leader) in enumerate(zip(self.rows, leaders, strict=True)):
            self._show_row(row, position, leader, checkpoint)

    def _show_row(self, row: Row, position: int, leader: int, checkpoint: int) -> None:
        data, layout = self._data, self._layout
        name = f"#{data.ids[leader]}"
        row.number.set_text(str(position + 1))
        row.score.set_text(_digits(float(data.scores[checkpoint, position])))
        row.dot.set_facecolor([(*self._colors.of(leader), 1.0)])
        label = data.label_of(leader) or ("no label" if data.classes else name)
        room = SIDE.width - layout.text_left - 0.95
        row.label.set_text(self._page.fitted(label, layout.text_size, room, bold=True))
        row.image.set_text(name if data.classes else "")
        row.prediction.set_text(self._prediction(checkpoint, position, name))
        row.set_picture(data.thumbnails.get(leader, self._blank), layout.height)

    @property
    def _blank(self) -> NDArray[np.uint8]:
        """Shown where an image cannot be read."""
        return np.full((1, 1, 3), np.array(to_rgb(self._page.theme.line)) * 255, dtype=np.uint8)

    def _prediction(self, checkpoint: int, position: int, name: str) -> str:
        """What the checkpoint takes a leader for, in the room that its ``name`` leaves."""
        prediction, small = self._data.predictions[checkpoint][position], self._layout.small_size
        if not prediction:
            return ""
        share = f"  {100 * self._data.confidences[checkpoint, position]:.0f} %"
        width = self._page.width_of
        room = SIDE.width - self._layout.text_left - 0.08 - width(name, small) - width(share, small)
        return self._page.fitted(f"predicted {prediction}", small, room) + share


def _digits(score: float) -> str:
    """A score in [0, 1] with three decimals, or as many as it takes to see that it is not 0."""
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.0e}".replace("e-0", "e-")
