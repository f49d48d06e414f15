"""Text of the film: measured, shortened, and on Agg drawn by Pillow once for each string."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from review_embeddings.review.animation.drawing.fonts import (
    FAMILY,
    Run,
    clusters,
    own_font,
    runs_of,
)
from review_embeddings.review.animation.drawing.stamp import stamp

Color = tuple[float, ...]
"""RGB in [0, 1]."""


class Label(Text):
    """A line of text, centred on its height, that is drawn once for each string and stamped from
    then on.

    On Agg its letters are drawn by Pillow, twenty times as fast as by matplotlib, at whole pixels;
    elsewhere it is an ordinary Text.
    """

    halo: str | None = None
    """Colour of a line round the letters."""

    def draw(self, renderer: Any) -> None:
        """Stamp the text, or draw it where the renderer is not Agg."""
        bold = self.get_fontweight() == "bold"
        if not isinstance(renderer, RendererAgg):
            self.set_fontfamily(_families(self.get_text(), bold))
            super().draw(renderer)
            return
        if self.get_visible() and self.get_text():
            self._stamp(renderer, bold)
        self.stale = False

    def _stamp(self, renderer: RendererAgg, bold: bool) -> None:
        x, y = self.get_transform().transform(self.get_position())
        size = renderer.dpi / 72 * self.get_fontsize()
        halo = to_rgb(self.halo) if self.halo else None
        pixels, right, up = _rendered(self.get_text(), size, bold, to_rgb(self.get_color()), halo)
        width = pixels.shape[1]
        right -= {"left": 0, "center": width // 2, "right": width}[self.get_horizontalalignment()]
        stamp(renderer, self, pixels, x + right, y + up)


def _families(text: str, bold: bool) -> list[str]:
    """`FAMILY`, and after it those of the fonts that a text needs."""
    fonts = [run.font for run in runs_of(text, bold)]
    return list(dict.fromkeys([FAMILY, *(one.family for one in fonts if not one.colored)]))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool) -> float:
    """Width in pixels of a text whose font size is ``size`` pixels."""
    return sum(_run_width(run, size) for run in runs_of(text, bold))


def fitted(text: str, fits: Callable[[str], bool]) -> str:
    """The text on one line; where that does not fit, as much of its beginning and end as does."""
    text = " ".join(text.split())
    if fits(text):
        return text
    letters = clusters(text)
    short, long = 0, len(letters)
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (middle, long) if fits(_shortened(letters, middle)) else (short, middle)
    return _shortened(letters, short)


def _shortened(letters: list[str], count: int) -> str:
    """So many letters of a text, from its beginning and its end: long names often differ at the
    end."""
    begin = (count + 1) // 2
    end = "".join(letters[len(letters) - (count - begin) :]).lstrip() if count > begin else ""
    return "".join(letters[:begin]).rstrip() + "…" + end


# -- letters as pixels

PICTURE_SIZES = (109, 160, 136, 128, 96, 72, 64, 48, 40, 32, 20)
"""Sizes in pixels in which fonts hold pictures of letters."""


@lru_cache(maxsize=64)
def _font(path: str, size: float, shaped: bool) -> ImageFont.FreeTypeFont:
    """``shaped``: whether letters take their form from their neighbours, and run either way."""
    engine = ImageFont.Layout.RAQM if shaped and _can_shape() else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


@lru_cache(maxsize=1)
def _can_shape() -> bool:
    return features.check_feature("raqm") is True


@lru_cache(maxsize=64)
def _picture_font(path: str, size: float, shaped: bool) -> tuple[ImageFont.FreeTypeFont, float]:
    """A font of pictures in a size that it has, and what makes it ``size``."""
    for one in (size, *PICTURE_SIZES):
        try:
            return _font(path, one, shaped), size / one
        except OSError:
            continue
    raise OSError(f"{path} has no size that is known")


@lru_cache(maxsize=4096)
def _is_shaped(run: Run) -> bool:
    """Whether the letters of a run take their form from their neighbours: not those of the film's
    own font, and not in texts that the library refuses."""
    wants = run.leftward or run.font.colored or run.font.family != FAMILY
    if not (wants and _can_shape()):
        return False
    try:
        _font_shaped(run, 16.0, True)[0].getlength(run.text, direction=_direction(run))
    except (RuntimeError, ValueError, KeyError):
        return False
    return True


def _direction(run: Run) -> str:
    return "rtl" if run.leftward else "ltr"


def _font_shaped(run: Run, size: float, shaped: bool) -> tuple[ImageFont.FreeTypeFont, float]:
    if run.font.colored:
        return _picture_font(run.font.path, size, shaped)
    return _font(run.font.path, size, shaped), 1.0


def _font_of(run: Run, size: float) -> tuple[ImageFont.FreeTypeFont, float]:
    """The font of a run, and what makes it ``size``."""
    return _font_shaped(run, size, _is_shaped(run))


def _options(run: Run) -> dict[str, Any]:
    """How Pillow takes a run."""
    if _is_shaped(run):
        return {"text": run.text, "direction": _direction(run)}
    return {"text": run.text[::-1] if run.leftward else run.text}


@lru_cache(maxsize=4096)
def _run_width(run: Run, size: float) -> float:
    font, scale = _font_of(run, size)
    return font.getlength(**_options(run)) * scale


@lru_cache(maxsize=4096)
def _rendered(
    text: str, size: float, bold: bool, color: Color, halo: Color | None
) -> tuple[NDArray[np.uint8], int, int]:
    """RGBA pixels of a text, bottom row first, and how far right of and above its position their
    lower left corner lies."""
    stroke = max(1, round(size * 0.11)) if halo is not None else 0
    letters, pictures = _drawn(text, size, bold, margin=stroke, stroke=0)
    colors = np.broadcast_to(np.array(color, dtype=np.float32), (*letters.shape, 3))
    alpha = letters
    if pictures is not None:
        seen = pictures[..., 3:]
        colors, alpha = (
            colors * (1 - seen) + pictures[..., :3] * seen,
            np.maximum(letters, seen[..., 0]),
        )
        letters = alpha
    if halo is not None:
        alpha = np.maximum(_drawn(text, size, bold, margin=stroke, stroke=stroke)[0], letters)
        behind = np.array(halo, dtype=np.float32) * (1 - letters[..., None])
        colors = behind + colors * letters[..., None]
    pixels = np.rint(255 * np.concatenate([colors, alpha[..., None]], axis=2)).astype(np.uint8)
    return np.ascontiguousarray(pixels), -stroke, -(pixels.shape[0] // 2)


def _drawn(
    text: str, size: float, bold: bool, *, margin: int, stroke: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Cover of each pixel by the letters, in [0, 1], bottom row first, with a line of ``stroke``
    pixels round them; and RGBA of those that are pictures, None without."""
    own = _font(own_font(bold).path, size, False)
    _, top, _, bottom = own.getbbox("lp", anchor="ls")
    runs = runs_of(text, bold)
    width, height = int(text_width(text, size, bold)) + 2 + 2 * margin, int(1.5 * size) + 2 * margin
    base = (height - round(top + bottom)) // 2
    paper = Image.new("L", (width, height))
    pictures = Image.new("RGBA", (width, height)) if any(r.font.colored for r in runs) else None
    draw, right = ImageDraw.Draw(paper), float(margin)
    for run in runs:
        at = (right if len(runs) == 1 else round(right), base)
        if pictures is not None and run.font.colored:
            pictures.alpha_composite(_picture(run, size, (width, height), at))
        else:
            font, _ = _font_of(run, size)
            draw.text(at, **_options(run), fill=255, font=font, anchor="ls", stroke_width=stroke)
        right += _run_width(run, size)
    layer = None if pictures is None else np.asarray(pictures, np.float32)[::-1] / np.float32(255)
    return np.asarray(paper, dtype=np.float32)[::-1] / np.float32(255), layer


def _picture(run: Run, size: float, extent: tuple[int, int], at: tuple[float, int]) -> Image.Image:
    """A run of pictures on a page of an extent, its left end on the line at a position."""
    font, scale = _font_of(run, size)
    whole = (int(extent[0] / scale) + 1, int(extent[1] / scale) + 1)
    page = Image.new("RGBA", whole)
    position = (at[0] / scale, at[1] / scale)
    ImageDraw.Draw(page).text(
        position, **_options(run), font=font, anchor="ls", embedded_color=True
    )
    return page.resize(
        extent, Image.Resampling.LANCZOS, box=(0, 0, extent[0] / scale, extent[1] / scale)
    )
