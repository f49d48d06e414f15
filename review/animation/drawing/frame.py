"""Draws one frame of the film into a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from review_embeddings.pipeline.run.commandline import PROGRAM
from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.curves import CurvePanel
from review_embeddings.review.animation.drawing.leaderboard import Leaderboard
from review_embeddings.review.animation.drawing.mappanel import MapPanel
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.themes import THEMES


class TitleLines:
    """The lines above the panels: what is shown; below it the checkpoint, the one that follows, and
    the accuracy."""

    def __init__(self, page: FramePage, data: FilmData, title: str) -> None:
        self._page, self._data = page, data
        theme, layout, text = page.theme, page.layout, page.layout.text
        draw_heading(page, title)
        self.title = page.text(layout.margin, layout.step, text.step, fontweight="bold")
        self.following = page.text(layout.margin, layout.step, text.body, color=theme.muted)
        self.subtitle = page.text(
            layout.right,
            layout.step,
            text.step,
            horizontalalignment="right",
            fontweight="bold",
            color=theme.accuracy,
        )

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        return [self.title, self.following, self.subtitle]

    def show(self, checkpoint: int) -> None:
        """The lines of a checkpoint; what has no room is left out, the accuracy last."""
        page, layout, text = self._page, self._page.layout, self._page.layout.text
        room = layout.right - layout.margin
        accuracy = self._accuracy(checkpoint)
        self.subtitle.set_text(accuracy[0])
        room -= page.width_of(accuracy[0], text.step, bold=True) + 0.3
        title = self._step(checkpoint)
        names = [" ".join(title), title[0]]
        widths = [page.width_of(name, text.step, bold=True) for name in names]
        name, width = next(
            (found for found in zip(names, widths, strict=True) if found[1] <= room),
            (page.fitted(names[1], text.step, room, bold=True), room),
        )
        self.title.set_text(name)
        following = self._data.steps[checkpoint + 1 : checkpoint + 2]
        arrow = f"→ {following[0]:,}" if following else ""
        left = width + 0.15
        fits = left + page.width_of(arrow, text.body) <= room
        self.following.set_text(arrow if fits else "")
        self.following.set_x((layout.margin + left) / layout.width)
        longer = " ".join(accuracy)
        more = page.width_of(longer, text.step, bold=True)
        taken = left + (page.width_of(arrow, text.body) if fits else 0) + 0.3
        if taken + more <= layout.right - layout.margin:
            self.subtitle.set_text(longer)

    def _step(self, checkpoint: int) -> list[str]:
        """Name of the checkpoint, and its epoch where that is known."""
        step, epoch = self._data.steps[checkpoint], self._data.epochs[checkpoint]
        name = "Final, step not known" if step in self._data.unknown else f"Step {step:,}"
        return [name] if epoch is None else [name, f" ·  epoch {epoch:.2f}"]

    def _accuracy(self, checkpoint: int) -> list[str]:
        """The newest accuracy that was logged up to a checkpoint, and at which step where that is
        another; empty where there is none."""
        step = self._data.steps[checkpoint]
        logged = self._data.accuracy[self._data.accuracy[:, 0] <= step]
        if not len(logged):
            return [""]
        newest = f"accuracy {logged[-1, 1]:.3f}"
        return [newest, f"at step {logged[-1, 0]:,.0f}"] if logged[-1, 0] < step else [newest]


def draw_heading(page: FramePage, title: str) -> None:
    """What a film is of."""
    layout, size = page.layout, page.layout.text.title
    line = page.text(layout.margin, layout.title, size, color=page.theme.text)
    line.set_text(page.fitted(title, size, layout.right - layout.margin))


def draw_credit(page: FramePage) -> None:
    """What made it, small in a corner."""
    layout = page.layout
    style = {"color": page.theme.muted, "horizontalalignment": "right"}
    page.text(layout.right, layout.credit, layout.text.small, **style).set_text(PROGRAM)


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
        title: str = "",
        credit: bool = True,
    ) -> None:
        """Make all artists; ``trails`` are indices of the images whose way is drawn; ``groups``
        rings those that stand apart together; ``trust`` says how far the map can be trusted;
        ``title`` says what the film is of, and ``credit`` what made it.

        Nothing of the figure is cleared. Panels lie as the shape and size of the figure allow.
        """
        self.data, self.figure = data, figure
        page = FramePage(figure, THEMES[theme], titled=bool(title))
        codes = data.labels if data.predicted is None else data.predicted
        plain = to_rgb(page.theme.plain)
        colors = ImageColors.of_classes(codes, len(data.color_classes), plain)
        self._checkpoint = -1
        self.title_line = TitleLines(page, data, title)
        self.leaderboard = Leaderboard(page, data, colors)
        self.map_panel = MapPanel(
            page, data, colors, trails, ringed=self.leaderboard.count, groups=groups, trust=trust
        )
        self.curve_panel = CurvePanel(page, data)
        if credit:
            draw_credit(page)
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
