"""The page that a frame is drawn on: its units, where its panels lie, and axes and text in them."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import withStroke

from review_embeddings.review.animation.drawing.fonts import FAMILY
from review_embeddings.review.animation.drawing.layout import Layout, Rectangle
from review_embeddings.review.animation.drawing.text import (
    Label,
    fitted,
    text_width,
)
from review_embeddings.review.animation.themes import Theme


class FramePage:
    """A figure in units of the page. Nothing of the figure is cleared."""

    def __init__(self, figure: Figure | SubFigure, theme: Theme, *, titled: bool = True) -> None:
        self.figure = figure
        self.theme = theme
        self.layout = Layout.of(figure.bbox.width, figure.bbox.height, titled=titled)
        self.scale = figure.bbox.width / figure.dpi / self.layout.width
        """Points of the figure (1/72 inch) a point of the page: of text and lines."""
        figure.set_facecolor(theme.background)

    def axes(self, part: Rectangle) -> Axes:
        """Axes that fill a part of the page."""
        (left, bottom, width, height), page = part, self.layout
        axes = self.figure.add_axes(
            (left / page.width, bottom / page.height, width / page.width, height / page.height)
        )
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
        label = Label(x / self.layout.width, y / self.layout.height, "", **options)
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
        fonts = {"fontfamily": FAMILY, "parse_math": False}
        return {**options, "fontsize": size * self.scale, **fonts}

    def width_of(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a text in units of the page."""
        pixels = self.figure.dpi / 72 * self.scale
        return text_width(text, size * pixels, bold) / pixels / 72

    def fitted(self, text: str, size: float, width: float, *, bold: bool = False) -> str:
        """The text on one line; where it is wider than ``width``, its middle is left out."""
        return fitted(text, lambda some: self.width_of(some, size, bold=bold) <= width)
