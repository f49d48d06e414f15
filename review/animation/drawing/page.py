"""The page that a frame is drawn on: its units, where its panels lie, and axes and text in them."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke

from review_embeddings.review.animation.drawing.text import (
    Label,
    fitted,
    font_families,
    text_width,
)
from review_embeddings.review.animation.themes import Theme

WIDTH, HEIGHT = 10.0, 8.0
"""Size of the page in its own units; in a figure of 10 x 8 inches they are inches."""


class Rectangle(NamedTuple):
    """A part of the page, in its units."""

    left: float
    bottom: float
    width: float
    height: float


MAP = Rectangle(0.35, 1.85, 5.5, 5.5)

SIDE = Rectangle(6.2, 1.85, 3.5, 5.5)
"""The leaderboard with the legend below it."""

CURVES = Rectangle(0.8, 0.62, 8.3, 0.82)

TITLE_HEIGHT = 7.67
"""Middle of the line of the title."""


class FramePage:
    """A figure in units of the page. Nothing of the figure is cleared."""

    def __init__(self, figure: Figure | SubFigure, theme: Theme) -> None:
        self.figure = figure
        self.theme = theme
        inches = figure.bbox.width / figure.dpi
        self.scale = min(figure.bbox.width / WIDTH, figure.bbox.height / HEIGHT) / figure.dpi
        """Points of the figure (1/72 inch) a point of the page: of text and lines."""
        self.text_stretch = WIDTH / inches * self.scale
        """How much wider a text is than the page's horizontal unit says."""
        figure.set_facecolor(theme.background)

    def axes(self, part: Rectangle) -> Axes:
        """Axes that fill a part of the page."""
        left, bottom, width, height = part
        axes = self.figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
        axes.set_facecolor(self.theme.background)
        for spine in axes.spines.values():
            spine.set(color=self.theme.line, linewidth=0.8 * self.scale)
        return axes

    def style_ticks(self, axes: Axes) -> None:
        """Ticks and their numbers in the page's size and second-rate colour."""
        lengths = {"labelsize": 9, "length": 3, "width": 0.8, "pad": 2}
        scaled = {name: length * self.scale for name, length in lengths.items()}
        axes.tick_params(colors=self.theme.muted, **scaled)  # type: ignore[arg-type]

    def text(self, x: float, y: float, size: float, **options: Any) -> Label:
        """A text at a position of the page."""
        options = {**self._text_options(size, options), "transform": self.figure.transSubfigure}
        label = Label(x / WIDTH, y / HEIGHT, "", **options)
        self.figure.add_artist(label)
        return label

    def text_in(self, axes: Axes, x: float, y: float, size: float, **options: Any) -> Label:
        """A text at a position of some axes."""
        options = {"transform": axes.transData, **self._text_options(size, options)}
        label = Label(x, y, "", **options)
        axes.add_artist(label)
        return label

    def haloed_text(self, axes: Axes, size: float, **options: Any) -> Label:
        """A text in some axes with a line round its letters, clipped to them."""
        label = self.text_in(axes, 0, 0, size, clip_on=True, **options)
        label.halo = self.theme.background
        stroke = withStroke(linewidth=2.4 * self.scale, foreground=label.halo)
        label.set_path_effects([stroke])  # where it is not stamped
        return label

    def _text_options(self, size: float, options: dict[str, Any]) -> dict[str, Any]:
        """Names of classes are never read as mathematics."""
        options = {"color": self.theme.text, "verticalalignment": "center", **options}
        fonts = {"fontfamily": font_families(), "parse_math": False}
        return {**options, "fontsize": size * self.scale, **fonts}

    def width_of(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a text in units of the page."""
        pixels = self.figure.dpi / 72 * self.scale
        return text_width(text, size * pixels, bold) / pixels / 72

    def fitted(self, text: str, size: float, width: float, *, bold: bool = False) -> str:
        """The text on one line; where it is wider than ``width``, its middle is left out."""
        return fitted(text, lambda some: self.width_of(some, size, bold=bold) <= width)
