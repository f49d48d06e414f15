"""Draws one frame of the film into a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.curves import CurvePanel
from review_embeddings.review.animation.drawing.leaderboard import Leaderboard
from review_embeddings.review.animation.drawing.legend import draw_legend
from review_embeddings.review.animation.drawing.mappanel import MapPanel
from review_embeddings.review.animation.drawing.page import (
    MAP,
    SIDE,
    TITLE_HEIGHT,
    WIDTH,
    FramePage,
)
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.themes import THEMES

TITLE_SIZE = 19
"""In points."""


class TitleLine:
    """The line above the panels: the checkpoint, the one that follows, and the accuracy."""

    def __init__(self, page: FramePage, data: FilmData) -> None:
        self._page, self._data = page, data
        theme, height = page.theme, TITLE_HEIGHT
        self.title = page.text(MAP.left, height, TITLE_SIZE, fontweight="bold")
        self.following = page.text(MAP.left, height, 13, color=theme.muted)
        right = SIDE.left + SIDE.width
        self.subtitle = page.text(
            right, height, 13, horizontalalignment="right", color=theme.accuracy
        )

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        return [self.title, self.following, self.subtitle]

    def show(self, checkpoint: int) -> None:
        """The line of a checkpoint."""
        data, page = self._data, self._page
        epoch = data.epochs[checkpoint]
        step = data.steps[checkpoint]
        text = "Final, step not known" if step in data.unknown else f"Step {step:,}"
        self.title.set_text(text if epoch is None else f"{text}  ·  epoch {epoch:.2f}")
        following = data.steps[checkpoint + 1 : checkpoint + 2]
        self.following.set_text(f"→ {following[0]:,}" if following else "")
        width = page.width_of(self.title.get_text(), TITLE_SIZE, bold=True) * page.text_stretch
        self.following.set_x((MAP.left + width + 0.2) / WIDTH)
        self.subtitle.set_text(self._accuracy(data.steps[checkpoint]))

    def _accuracy(self, step: int) -> str:
        """The newest accuracy that was logged up to a step; empty where there is none."""
        logged = self._data.accuracy[self._data.accuracy[:, 0] <= step]
        if not len(logged):
            return ""
        when = f" at step {logged[-1, 0]:,.0f}" if logged[-1, 0] < step else ""
        return f"accuracy {logged[-1, 1]:.3f}{when}"


class Frame:
    """One frame of the film in a figure; `show` moves it to another moment.

    ``changing`` are the artists that differ between checkpoints, ``moving`` those that move between
    two of them, in drawing order; all others stay as they are.
    """

    def __init__(
        self,
        figure: Figure | SubFigure,
        data: FilmData,
        *,
        theme: str = "light",
        trails: Sequence[int] = (),
        groups: bool = False,
        trust: bool = False,
    ) -> None:
        """Make all artists; ``trails`` are indices of the images whose way is drawn; ``groups``
        rings those that stand apart together; ``trust`` says how far the map can be trusted.

        Nothing of the figure is cleared.
        """
        self.data, self.figure = data, figure
        page = FramePage(figure, THEMES[theme])
        colors = ImageColors.of_labels(data.labels, len(data.classes), to_rgb(page.theme.plain))
        self._checkpoint = -1
        self.title_line = TitleLine(page, data)
        self.map_panel = MapPanel(page, data, colors, trails, groups=groups, trust=trust)
        self.leaderboard = Leaderboard(page, data, colors)
        draw_legend(page, self.leaderboard.axes, data, colors)
        self.curve_panel = CurvePanel(page, data)
        panels = (self.title_line, self.leaderboard, self.curve_panel)
        self.changing = [artist for panel in panels for artist in panel.changing]
        self.moving = [*self.map_panel.moving, self.curve_panel.now]
        # what people change in a figure of their own
        self.title, self.map, self.curves = (
            self.title_line.title,
            self.map_panel.axes,
            self.curve_panel.axes,
        )
        self.points, self.rings = self.map_panel.points, self.map_panel.rings.rings

    def show(self, moment: Moment) -> None:
        """Bring every artist to a moment of the film."""
        if moment.checkpoint != self._checkpoint:
            self._checkpoint = moment.checkpoint
            for panel in (self.title_line, self.map_panel, self.leaderboard, self.curve_panel):
                panel.show(moment.checkpoint)
        self.map_panel.move(moment)
        self.curve_panel.move(moment)
