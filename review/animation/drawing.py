"""Draws one frame of the film into a matplotlib figure, with artists that are made once and moved
from frame to frame.

Import inside functions: matplotlib takes half a second.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.image import AxesImage
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.textpath import TextToPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, IdentityTransform
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from review_embeddings.pipeline.analysis.project import RANGE
from review_embeddings.review.animation.colors import THEMES, class_colors
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.story import Story

WIDTH, HEIGHT = 10.0, 8.0
"""Size of the page in its own units; in a figure of 10 x 8 inches they are inches."""

MAP = (0.35, 1.85, 5.5, 5.5)
SIDE = (6.2, 1.85, 3.5, 5.5)
CURVES = (0.8, 0.62, 8.3, 0.82)
"""Left, bottom, width and height of the map, the leaderboard with the legend below it, and the
curves."""

ROWS = 3.9
"""Height of the leaderboard's rows."""

LEGEND = 10
"""Classes in the legend; where there are more, the last place says how many."""

LAYERS = 4
"""The points of all classes are drawn in so many layers, so that no class lies on top of all
others."""

PHASES = 2
"""Positions of a point within a pixel, along each axis."""

RING = 0.10
"""Radius of the ring round an outlier."""

CORNERS = [(1, 1), (-1, 1), (1, -1), (-1, -1), (1.3, 0), (-1.3, 0), (0, 1.3), (0, -1.3)]
CORNERS += [(1.6, 1.6), (-1.6, 1.6), (1.6, -1.6), (-1.6, -1.6)]
"""Where the number of a ring may stand, the best place first."""

NAMED_TRAILS = 8
"""Up to so many trails have the image's number at their end."""

OTHER_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Noto Emoji",
)
"""Fonts for letters that DejaVu Sans, which comes with matplotlib, does not have."""


class Points(PathCollection):
    """The images of a map: equal discs, opaque, on Agg drawn about four times as fast as a
    PathCollection.

    Agg's markers are drawn from a cached shape at whole pixels. To keep slow motion smooth there
    are `PHASES` x `PHASES` shapes, each shifted by a part of a pixel; a point is at most a quarter
    of a pixel off.
    """

    def __init__(
        self, kinds: NDArray[np.int64], colors: NDArray[np.float64], radius: float, axes: Axes
    ) -> None:
        """``kinds``, shape (N,): row of ``colors`` for each point; ``radius`` in points (1/72
        inch)."""
        super().__init__(
            [Outline.unit_circle()],
            sizes=[radius**2],
            facecolors=colors[kinds],
            edgecolors="none",
            linewidths=0,
            offsets=np.zeros((len(kinds), 2)),
            offset_transform=axes.transData,
            transform=IdentityTransform(),
        )
        layers = LAYERS if len(colors) <= 3 * LEGEND else 1
        layer = np.random.default_rng(0).integers(0, layers, len(kinds))
        self._group = layer * len(colors) + kinds
        self._colors: list[Any] = [(*map(float, color), 1.0) for color in colors]
        self._radius = radius
        axes.add_collection(self, autolim=False)

    def draw(self, renderer: Any) -> None:
        """Draw on Agg with markers, elsewhere as any collection."""
        if not isinstance(renderer, RendererAgg):
            super().draw(renderer)
            return
        places = self.get_offset_transform().transform(self.get_offsets())
        whole = np.floor(places)
        phase = ((places - whole) * PHASES).astype(np.int64)
        kind = (self._group * PHASES + phase[:, 0]) * PHASES + phase[:, 1]
        order = np.argsort(kind, kind="stable")
        kinds, ordered = (
            kind[order],
            whole[order] + (0.0, 1.0),
        )  # Agg rounds, with y from the top, and draws at the pixel's middle
        ends = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
        pen = renderer.new_gc()
        pen.set_linewidth(0)
        self._set_gc_clip(pen)  # type: ignore[attr-defined]
        disc, size = Outline.unit_circle(), self._radius * renderer.dpi / 72
        for begin, end in itertools.pairwise(ends):
            group, part = divmod(int(kinds[begin]), PHASES * PHASES)
            right, up = divmod(part, PHASES)
            shape = (
                Affine2D()
                .scale(size)
                .translate((right + 0.5) / PHASES - 0.5, (up + 0.5) / PHASES - 0.5)
            )
            color = self._colors[group % len(self._colors)]
            renderer.draw_markers(
                pen, disc, shape, Outline(ordered[begin:end]), IdentityTransform(), color
            )
        pen.restore()
        self.stale = False


class Label(Text):
    """A line of text, centred on its height, that is drawn once for each string and stamped from
    then on.

    On Agg its letters are drawn by Pillow, twenty times as fast as by matplotlib, at whole pixels;
    elsewhere, and where the font lacks a letter, it is an ordinary Text.
    """

    halo: str | None = None
    """Colour of a line round the letters."""

    def draw(self, renderer: Any) -> None:
        """Stamp the text, or draw it where the renderer is not Agg."""
        bold = self.get_fontweight() == "bold"
        if not isinstance(renderer, RendererAgg) or not _has_letters(self.get_text(), bold):
            super().draw(renderer)
            return
        if self.get_visible() and self.get_text():
            x, y = self.get_transform().transform(self.get_position())
            pixels = renderer.dpi / 72 * self.get_fontsize()
            color = to_rgb(self.get_color())
            stamp, right, up = _letters(
                self.get_text(), pixels, bold, color, to_rgb(self.halo) if self.halo else None
            )
            right -= {"left": 0, "center": stamp.shape[1] // 2, "right": stamp.shape[1]}[
                self.get_horizontalalignment()
            ]
            _stamp(renderer, self, stamp, x + right, y + up)
        self.stale = False


@lru_cache(maxsize=1)
def _families() -> list[str]:
    """The font of the film, and after it those of `OTHER_FONTS` that this machine has."""
    here = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in OTHER_FONTS if name in here)]


def _has_letters(text: str, bold: bool) -> bool:
    return set(map(ord, text)) <= _charmap(bold)


@lru_cache(maxsize=2)
def _charmap(bold: bool) -> frozenset[int]:
    """The letters that the font has."""
    return frozenset(FT2Font(_font_file(bold)).get_charmap())


def _font_file(bold: bool) -> str:
    return str(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))


@lru_cache(maxsize=64)
def _font(bold: bool, pixels: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_font_file(bold), pixels, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _letters(
    text: str, pixels: float, bold: bool, color: tuple[float, ...], halo: tuple[float, ...] | None
) -> tuple[NDArray[np.uint8], int, int]:
    """RGBA pixels of a text, bottom row first, and how far right of and above its place their lower
    left corner lies."""
    font = _font(bold, pixels)
    width = max(1, round(pixels * 0.11)) if halo is not None else 0
    _, top, _, bottom = font.getbbox("lp", anchor="ls")
    size = (int(font.getlength(text)) + 2 + 2 * width, int(1.5 * pixels) + 2 * width)
    base = (size[1] - round(top + bottom)) // 2

    def mask(stroke: int) -> NDArray[np.float32]:
        paper = Image.new("L", size)
        ImageDraw.Draw(paper).text(
            (width, base), text, fill=255, font=font, anchor="ls", stroke_width=stroke
        )
        return np.asarray(paper, dtype=np.float32)[::-1] / np.float32(255)

    letters = mask(0)
    colors = np.broadcast_to(np.array(color, dtype=np.float32), (*letters.shape, 3))
    alpha = letters
    if halo is not None:
        alpha = np.maximum(mask(width), letters)
        colors = (
            np.array(halo, dtype=np.float32) * (1 - letters[..., None])
            + colors * letters[..., None]
        )
    stamp = np.rint(255 * np.concatenate([colors, alpha[..., None]], axis=2)).astype(np.uint8)
    return np.ascontiguousarray(stamp), -width, -(size[1] // 2)


class Picture(AxesImage):
    """A picture that is resized once for each image and stamped from then on; elsewhere than on Agg
    an ordinary AxesImage."""

    def draw(self, renderer: Any) -> None:
        """Stamp the picture, or draw it where the renderer is not Agg."""
        pixels = self.get_array()
        if not isinstance(renderer, RendererAgg) or pixels is None:
            super().draw(renderer)
            return
        left, right, bottom, top = self.get_extent()
        (x0, y0), (x1, y1) = (
            np.rint(self.axes.transData.transform([(left, bottom), (right, top)]))
            .astype(int)
            .tolist()
        )
        _stamp(
            renderer,
            self,
            _resized(np.asarray(pixels).tobytes(), pixels.shape, max(x1 - x0, 1), max(y1 - y0, 1)),
            x0,
            y0,
        )
        self.stale = False


def _stamp(
    renderer: RendererAgg, artist: Artist, pixels: NDArray[np.uint8], x: float, y: float
) -> None:
    """Lay RGBA pixels, bottom row first, over the page with their lower left corner at a place."""
    pen = renderer.new_gc()
    artist._set_gc_clip(pen)  # type: ignore[attr-defined]
    renderer.draw_image(pen, round(x), round(y), pixels)
    pen.restore()


@lru_cache(maxsize=1024)
def _resized(data: bytes, shape: tuple[int, ...], width: int, height: int) -> NDArray[np.uint8]:
    """RGBA pixels of a picture in another size, bottom row first."""
    picture = Image.fromarray(np.frombuffer(data, dtype=np.uint8).reshape(shape))
    resized = picture.resize(
        (width, height), Image.Resampling.BICUBIC if width > shape[1] else Image.Resampling.LANCZOS
    )
    return np.ascontiguousarray(np.asarray(resized.convert("RGBA"))[::-1])


class Frame:
    """One frame of a story in a figure; `show` moves it to another moment.

    ``changing`` are the artists that differ between checkpoints, ``moving`` those that move between
    two of them, in drawing order; all others stay as they are.
    """

    def __init__(
        self,
        figure: Figure | SubFigure,
        story: Story,
        *,
        theme: str = "light",
        trails: Sequence[int] = (),
        trust: bool = False,
    ) -> None:
        """Make all artists; ``trails`` are places of images whose way is drawn; ``trust`` says how
        far the map can be trusted.

        Nothing of the figure is cleared.
        """
        self.story = story
        self.figure = figure
        self._theme = THEMES[theme]
        self._scale = min(figure.bbox.width / WIDTH, figure.bbox.height / HEIGHT) / figure.dpi
        self._page = (
            WIDTH / (figure.bbox.width / figure.dpi) * self._scale
        )  # how much wider a text is than the page's unit says
        self._checkpoint = -1
        colors = class_colors(len(story.classes))
        self._colors = np.vstack(
            [colors, to_rgb(self._theme.plain)]
        )  # the last one for images without a label
        figure.set_facecolor(self._theme.background)
        self.changing: list[Artist] = []
        self.moving: list[Artist] = []
        self._make_title()
        self._make_map(trails)
        self.trust = self._haloed(
            9.5, color=self._theme.muted, transform=self.map.transAxes, zorder=5
        )
        self.trust.set_position((0.015, 0.025))
        self._with_trust = trust
        self.moving.append(self.trust)
        self._make_leaderboard()
        self._make_legend()
        self._make_curves()

    # -- making

    def _axes(self, place: tuple[float, float, float, float]) -> Axes:
        left, bottom, width, height = place
        axes = self.figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
        axes.set_facecolor(self._theme.background)
        for spine in axes.spines.values():
            spine.set(color=self._theme.line, linewidth=0.8 * self._scale)
        return axes

    def _text(self, axes: Axes | None, x: float, y: float, size: float, **options: Any) -> Label:
        """A text in units of the page; what data sets call their classes is never read as
        mathematics."""
        options = {"color": self._theme.text, "verticalalignment": "center", **options}
        options |= {"fontsize": size * self._scale, "fontfamily": _families(), "parse_math": False}
        if axes is None:
            label = Label(
                x / WIDTH, y / HEIGHT, "", transform=self.figure.transSubfigure, **options
            )
            self.figure.add_artist(label)
        else:
            label = Label(x, y, "", **{"transform": axes.transData, **options})
            axes.add_artist(label)
        return label

    def _make_title(self) -> None:
        self.title = self._text(None, MAP[0], 7.67, 19, fontweight="bold")
        self.following = self._text(None, MAP[0], 7.67, 13, color=self._theme.muted)
        self.subtitle = self._text(
            None,
            SIDE[0] + SIDE[2],
            7.67,
            13,
            horizontalalignment="right",
            color=self._theme.accuracy,
        )
        self.changing += [self.title, self.following, self.subtitle]

    def _make_map(self, trails: Sequence[int]) -> None:
        story, scale = self.story, self._scale
        self.map = self._axes(MAP)
        self._limit = 1.05 * max(RANGE, float(np.abs(story.points).max()))
        ends = (-self._limit, self._limit)
        self.map.set(xlim=ends, ylim=ends, xticks=[], yticks=[], aspect="equal")
        radius = float(np.clip(2.2 / np.sqrt(len(story.ids)), 0.013, 0.06)) * 72 * scale
        self._kinds = np.where(story.labels >= 0, story.labels, len(story.classes)).astype(np.int64)
        self.points = Points(self._kinds, self._colors, radius, self.map)
        self._trails = list(trails)
        own = self._colors[self._kinds[self._trails]]
        self._trail_edges = LineCollection(
            [], colors=self._theme.background, linewidths=3.4 * scale, zorder=2.4
        )
        self.trails = LineCollection([], colors=own, linewidths=1.7 * scale, zorder=2.5)
        for lines in (self._trail_edges, self.trails):
            self.map.add_collection(lines, autolim=False)
        outside = np.full((len(self._trails), 2), 2 * self._limit)
        style: dict[str, Any] = {
            "edgecolors": self._theme.text,
            "linewidths": 1.1 * scale,
            "zorder": 2.6,
        }
        self.heads = self.map.scatter(
            outside[:, 0], outside[:, 1], s=(2.2 * radius + 3 * scale) ** 2, facecolors=own, **style
        )
        self.trail_names = [self._haloed(9, zorder=4) for _ in self._trails]
        for name, place in zip(self.trail_names, self._trails, strict=True):
            name.set_text(f"#{story.ids[place]}" if len(self._trails) <= NAMED_TRAILS else "")
        count = story.leaders.shape[1]
        nowhere = np.full((count, 2), 2 * self._limit)
        halo: dict[str, Any] = {
            "s": (2 * RING * 72 * scale) ** 2,
            "facecolors": "none",
            "zorder": 3,
        }
        self.halos = self.map.scatter(
            *nowhere.T, edgecolors=self._theme.background, linewidths=3.6 * scale, **halo
        )
        self.rings = self.map.scatter(
            *nowhere.T, edgecolors=self._theme.text, linewidths=1.4 * scale, **halo
        )
        self.numbers = [
            self._haloed(10, fontweight="bold", horizontalalignment="center", zorder=4)
            for _ in range(count)
        ]
        # the ringed points once more, above all others
        self.ringed = self.map.scatter(
            nowhere[:, 0], nowhere[:, 1], s=(2 * radius) ** 2, linewidths=0, zorder=2.7
        )
        self.moving += [
            self.points,
            self._trail_edges,
            self.trails,
            self.heads,
            self.ringed,
            self.halos,
            self.rings,
        ]
        self.moving += [*self.trail_names, *self.numbers]

    def _haloed(self, size: float, **options: Any) -> Label:
        """A text on the map with a line round its letters."""
        label = self._text(self.map, 0, 0, size, clip_on=True, **options)
        label.halo = self._theme.background
        label.set_path_effects(
            [withStroke(linewidth=2.4 * self._scale, foreground=label.halo)]
        )  # where it is not stamped
        return label

    def _make_leaderboard(self) -> None:
        left, bottom, width, height = SIDE
        self._side = self._axes((left, bottom, width, height))
        self._side.set(
            xlim=(0, width), ylim=(0, height), aspect="equal", anchor="NW"
        )  # in a figure of another shape too
        self._side.set_axis_off()
        count = self.story.leaders.shape[1]
        if count:
            self._text(self._side, 0, height - 0.12, 13, fontweight="bold").set_text(
                "Most atypical images"
            )
            self._text(
                self._side,
                width,
                height - 0.12,
                11,
                color=self._theme.muted,
                horizontalalignment="right",
            ).set_text("OOD score")
        self._row = min(ROWS / max(count, 1), 0.62)
        names = min(12.0, 72 * self._row * 0.36)
        self._name_size = names
        muted = self._theme.muted
        self.leaderboard: list[_Row] = []
        for place in range(count):
            middle = height - 0.38 - self._row * (place + 0.5)
            picture = Picture(self._side, interpolation="bicubic", zorder=2)
            picture.set_data(np.zeros((1, 1, 3), dtype=np.uint8))
            self._side.add_artist(picture)
            edge = 0.30 + self._row + 0.10
            row = _Row(
                middle,
                self._text(
                    self._side,
                    0.13,
                    middle,
                    names,
                    color=self._theme.muted,
                    horizontalalignment="center",
                ),
                picture,
                self._side.scatter(
                    [edge + 0.06],
                    [middle + 0.2 * self._row],
                    s=(names * 0.62 * self._scale) ** 2,
                    linewidths=0,
                ),
                self._text(
                    self._side, edge + 0.20, middle + 0.2 * self._row, names, fontweight="bold"
                ),
                self._text(
                    self._side,
                    edge,
                    middle - 0.22 * self._row,
                    names * 0.82,
                    color=self._theme.muted,
                ),
                self._text(
                    self._side, width, middle + 0.2 * self._row, names, horizontalalignment="right"
                ),
                self._text(
                    self._side,
                    width,
                    middle - 0.22 * self._row,
                    names * 0.82,
                    color=muted,
                    horizontalalignment="right",
                ),
            )
            self.leaderboard.append(row)
            self.changing += row.artists

    def _make_legend(self) -> None:
        """Names of the classes in two columns, those of most images first where there are too
        many."""
        story, width = self.story, SIDE[2]
        counts = np.bincount(story.labels[story.labels >= 0], minlength=len(story.classes))
        shown = list(range(len(story.classes)))
        if len(shown) > LEGEND:
            shown = sorted(np.argsort(-counts, kind="stable")[: LEGEND - 1].tolist())
        entries = [(story.classes[place], to_rgba(tuple(self._colors[place]))) for place in shown]
        if len(shown) < len(story.classes):
            entries.append(
                (f"and {len(story.classes) - len(shown)} more", to_rgba(self._theme.background))
            )
        if not entries:
            entries = [("no labels", to_rgba(self._theme.plain))]
        elif (story.labels < 0).any() and len(entries) < LEGEND:
            entries.append(("without a label", to_rgba(self._theme.plain)))
        rows = LEGEND // 2
        for index, (name, color) in enumerate(entries):
            x, y = (index // rows) * width / 2, 0.97 - 0.21 * (index % rows)
            self._side.scatter(
                [x + 0.08], [y], s=(8 * self._scale) ** 2, color=[color], linewidths=0
            )
            self._text(self._side, x + 0.22, y, 11).set_text(
                self._fitted(name, 11, width / 2 - 0.30)
            )

    def _make_curves(self) -> None:
        story, theme, scale = self.story, self._theme, self._scale
        self.curves = self._axes(CURVES)
        ends = [story.steps[0], story.steps[-1]]
        self.curves.set(xlim=(ends[0], max(ends[1], ends[0] + 1)), ylim=(0, 1), yticks=[])
        label: dict[str, Any] = {"fontsize": 10 * scale, "labelpad": 3 * scale}
        self.curves.set_xlabel("step", color=theme.muted, **label)
        self.curves.tick_params(
            colors=theme.muted,
            labelsize=9 * scale,
            length=3 * scale,
            width=0.8 * scale,
            pad=2 * scale,
        )
        self.curves.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        loss = _within(story.loss, ends)
        (self.loss,) = self.curves.plot([], [], color=theme.loss, linewidth=1.8 * scale)
        (self.now,) = self.curves.plot([], [], color=theme.muted, linewidth=1.0 * scale)
        self.changing += [self.loss]
        self.moving += [self.now]
        if len(loss):
            most = float(loss[:, 1].max())
            usual = 1.5 * float(np.quantile(loss[:, 1], 0.98))
            self.curves.set_ylim(
                0, 1.08 * (usual if most > 4 * usual > 0 else most) or 1
            )  # one wild value shall not flatten the curve
            self.curves.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
            self.curves.set_ylabel("training loss", color=theme.loss, **label)
        else:
            middle: dict[str, Any] = {
                "transform": self.curves.transAxes,
                "horizontalalignment": "center",
                "color": theme.muted,
            }
            self._text(self.curves, 0.5, 0.5, 10, **middle).set_text("no loss was logged")
        self.accuracy = None
        if len(_within(story.accuracy, ends)):
            twin = self.curves.twinx()
            twin.set(ylim=(0, 1.08), yticks=[0, 0.5, 1], xlim=self.curves.get_xlim())
            twin.set_ylabel("accuracy", color=theme.accuracy, **label)
            twin.tick_params(
                colors=theme.muted,
                labelsize=9 * scale,
                length=3 * scale,
                width=0.8 * scale,
                pad=2 * scale,
            )
            for spine in twin.spines.values():
                spine.set_visible(False)
            style: dict[str, Any] = {
                "color": theme.accuracy,
                "linewidth": 1.4 * scale,
                "marker": "o",
                "markersize": 3.2 * scale,
            }
            (self.accuracy,) = twin.plot([], [], **style)
            self.changing.append(self.accuracy)

    def _width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a text in units of the page."""
        pixels = self.figure.dpi / 72 * self._scale
        return _measured(text, size * pixels, bold) / pixels / 72

    def _fitted(self, text: str, size: float, width: float, *, bold: bool = False) -> str:
        """The text on one line; where it is wider than ``width``, its middle is left out."""
        text = " ".join(text.split())
        if self._width(text, size, bold=bold) <= width:
            return text
        short, long = 0, len(text)
        while long - short > 1:
            middle = (short + long) // 2
            fits = self._width(_shortened(text, middle), size, bold=bold) <= width
            short, long = (middle, long) if fits else (short, middle)
        return _shortened(text, short)

    # -- showing

    def show(self, moment: Moment) -> None:
        """Bring every artist to a moment of the story."""
        if moment.checkpoint != self._checkpoint:
            self._checkpoint = moment.checkpoint
            self._show_checkpoint(moment.checkpoint)
        points = self.points_at(moment)
        self.points.set_offsets(points)
        leaders = self.story.leaders[moment.checkpoint]
        for rings in (self.ringed, self.halos, self.rings):
            rings.set_offsets(points[leaders])
        steps = self.story.steps[moment.checkpoint : moment.checkpoint + 2]
        step = steps[0] + moment.way * (steps[-1] - steps[0])
        self.now.set_data([step, step], self.curves.get_ylim())
        for number, position, away in zip(self.numbers, points[leaders], self._away, strict=True):
            number.set_position((float(position[0] + away[0]), float(position[1] + away[1])))
        if self._trails:
            past = self.story.points[: moment.checkpoint + 1, self._trails]
            ways = list(np.concatenate([past, points[None, self._trails]]).transpose(1, 0, 2))
            for lines in (self._trail_edges, self.trails):
                lines.set_segments(ways)
            self.heads.set_offsets(points[self._trails])
            gap = 0.14 * 2 * self._limit / MAP[2]
            for name, position in zip(self.trail_names, points[self._trails], strict=True):
                name.set_position((float(position[0] + gap), float(position[1] - gap)))

    def points_at(self, moment: Moment) -> NDArray[np.float64]:
        """Coordinates of all images at a moment, shape (N, 2)."""
        here: NDArray[np.float64] = self.story.points[moment.checkpoint].astype(np.float64)
        if moment.way == 0:
            return here
        here += moment.way * (self.story.points[moment.checkpoint + 1] - here)
        return here

    def _show_checkpoint(self, place: int) -> None:
        story = self.story
        step, epoch = story.steps[place], story.epochs[place]
        self.title.set_text(f"Step {step:,}" + ("" if epoch is None else f"  ·  epoch {epoch:.2f}"))
        self.following.set_text(
            f"→ {story.steps[place + 1]:,}" if place + 1 < len(story.steps) else ""
        )
        self.following.set_x(
            (MAP[0] + self._width(self.title.get_text(), 19, bold=True) * self._page + 0.2) / WIDTH
        )
        accuracy = story.accuracy[story.accuracy[:, 0] <= step]
        when = (
            f" at step {accuracy[-1, 0]:,.0f}" if len(accuracy) and accuracy[-1, 0] < step else ""
        )
        self.subtitle.set_text(f"accuracy {accuracy[-1, 1]:.3f}{when}" if len(accuracy) else "")
        self.trust.set_text(story.trust[place] if self._with_trust else "")
        self.ringed.set_facecolor(self._colors[self._kinds[story.leaders[place]]])
        self._place_numbers(place)
        for rank, (row, leader) in enumerate(
            zip(self.leaderboard, story.leaders[place].tolist(), strict=True), start=1
        ):
            self._show_row(row, rank, leader, place)
        loss = _within(story.loss, [story.steps[0], step])
        self.loss.set_data(loss[:, 0], loss[:, 1])
        if self.accuracy is not None:
            known = _within(story.accuracy, [story.steps[0], step])
            self.accuracy.set_data(known[:, 0], known[:, 1])

    def _show_row(self, row: _Row, rank: int, leader: int, place: int) -> None:
        story, small, edge = self.story, self._name_size * 0.82, 0.30 + self._row + 0.10
        name, prediction = f"#{story.ids[leader]}", story.predictions[place][rank - 1]
        row.number.set_text(str(rank))
        row.score.set_text(_digits(float(story.scores[place, rank - 1])))
        row.dot.set_facecolor([(*self._colors[self._kinds[leader]], 1.0)])
        label = story.label_of(leader) or ("no label" if story.classes else name)
        row.label.set_text(self._fitted(label, self._name_size, SIDE[2] - edge - 0.95, bold=True))
        row.image.set_text(name if story.classes else "")
        if prediction:
            sure = f"  {100 * story.confidences[place, rank - 1]:.0f} %"
            room = SIDE[2] - edge - 0.08 - self._width(name, small) - self._width(sure, small)
            prediction = self._fitted(f"predicted {prediction}", small, room) + sure
        row.prediction.set_text(prediction)
        picture = story.pictures.get(leader)
        if picture is None:
            picture = np.full((1, 1, 3), np.array(to_rgb(self._theme.line)) * 255, dtype=np.uint8)
        row.picture.set_data(picture)
        center, half = 0.30 + self._row / 2, 0.46 * self._row / max(picture.shape[:2])
        height, width = half * picture.shape[0], half * picture.shape[1]
        row.picture.set_extent(
            (center - width, center + width, row.middle - height, row.middle + height)
        )

    def _place_numbers(self, place: int) -> None:
        """A free corner of each ring for its number, for the whole way to the next checkpoint; none
        where all are taken."""
        story = self.story
        leaders = story.leaders[place]
        ends = [
            story.points[end][leaders].astype(np.float64)
            for end in sorted({place, min(place + 1, len(story.steps) - 1)})
        ]
        unit = 2 * self._limit / MAP[2]  # of the page, in data units
        size = np.array([0.17, 0.15]) * unit
        taken = [np.array([end[rank] for end in ends]) for rank in range(len(leaders))]
        sizes = [np.full(2, 2 * RING * unit)] * len(leaders)
        self._away = np.zeros((len(leaders), 2))
        limit = self._limit - size / 2
        for rank, number in enumerate(self.numbers):
            number.set_text("")
            for corner in CORNERS:
                away = np.array(corner) * (RING * 0.72 * unit + size / 2)
                boxes = np.array([end[rank] for end in ends]) + away
                free = all(
                    (np.abs(boxes - other) >= (size + extent) / 2).any(axis=1).all()
                    for index, (other, extent) in enumerate(zip(taken, sizes, strict=True))
                    if index != rank
                )
                if free and (np.abs(boxes) <= limit).all():
                    number.set_text(str(rank + 1))
                    self._away[rank] = away
                    taken.append(boxes)
                    sizes = [*sizes, size]
                    break


@dataclass(frozen=True)
class _Row:
    """Artists of one place of the leaderboard."""

    middle: float
    """Height of its middle in units of the page."""
    number: Text
    picture: AxesImage
    dot: PathCollection
    label: Text
    prediction: Text
    score: Text
    image: Text

    @property
    def artists(self) -> list[Artist]:
        return [
            self.number,
            self.picture,
            self.dot,
            self.label,
            self.prediction,
            self.score,
            self.image,
        ]


@lru_cache(maxsize=4096)
def _measured(text: str, pixels: float, bold: bool) -> float:
    """Width in pixels of a text so many pixels high."""
    if _has_letters(text, bold):
        return _font(bold, pixels).getlength(text)
    font = FontProperties(family=_families(), size=pixels, weight="bold" if bold else "normal")
    measured: tuple[float, float, float] = TextToPath().get_text_width_height_descent(
        text, font, False
    )
    return measured[0]


def _within(curve: NDArray[np.float64], ends: Sequence[int]) -> NDArray[np.float64]:
    return curve[(curve[:, 0] >= ends[0]) & (curve[:, 0] <= ends[1])]


def _shortened(text: str, letters: int) -> str:
    """So many letters of a text, from its beginning and its end: long names often differ at the
    end."""
    begin = (letters + 1) // 2
    return (
        text[:begin].rstrip()
        + "…"
        + (text[len(text) - (letters - begin) :].lstrip() if letters > begin else "")
    )


def _digits(score: float) -> str:
    """A score in [0, 1] with three decimals, or as many as it takes to see that it is not 0."""
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.0e}".replace("e-0", "e-")
