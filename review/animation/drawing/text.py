"""Text of the film: measured, shortened, and on Agg drawn by Pillow once for each string."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.textpath import TextToPath
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from review_embeddings.review.animation.drawing.stamp import stamp

FAMILY = "DejaVu Sans"
"""The font of the film, which comes with matplotlib."""

OTHER_FAMILIES = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Noto Emoji",
)
"""Fonts for letters that `FAMILY` does not have."""

Color = tuple[float, ...]
"""RGB in [0, 1]."""


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


@lru_cache(maxsize=1)
def font_families() -> list[str]:
    """`FAMILY`, and after it those of `OTHER_FAMILIES` that this machine has."""
    here = {font.name for font in fontManager.ttflist}
    return [FAMILY, *(name for name in OTHER_FAMILIES if name in here)]


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool) -> float:
    """Width in pixels of a text whose font size is ``size`` pixels."""
    if _has_letters(text, bold):
        return _font(bold, size).getlength(text)
    font = FontProperties(family=font_families(), size=size, weight=_weight(bold))
    measured: tuple[float, float, float] = TextToPath().get_text_width_height_descent(
        text, font, False
    )
    return measured[0]


def fitted(text: str, fits: Callable[[str], bool]) -> str:
    """The text on one line; where that does not fit, as much of its beginning and end as does."""
    text = " ".join(text.split())
    if fits(text):
        return text
    short, long = 0, len(text)
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (middle, long) if fits(_shortened(text, middle)) else (short, middle)
    return _shortened(text, short)


def _shortened(text: str, letters: int) -> str:
    """So many letters of a text, from its beginning and its end: long names often differ at the
    end."""
    begin = (letters + 1) // 2
    end = text[len(text) - (letters - begin) :].lstrip() if letters > begin else ""
    return text[:begin].rstrip() + "…" + end


def _has_letters(text: str, bold: bool) -> bool:
    return set(map(ord, text)) <= _charmap(bold)


@lru_cache(maxsize=2)
def _charmap(bold: bool) -> frozenset[int]:
    """Code points of the letters that the font has."""
    return frozenset(FT2Font(_font_file(bold)).get_charmap())


def _weight(bold: bool) -> str:
    return "bold" if bold else "normal"


def _font_file(bold: bool) -> str:
    return str(findfont(FontProperties(family=FAMILY, weight=_weight(bold))))


@lru_cache(maxsize=64)
def _font(bold: bool, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_font_file(bold), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _rendered(
    text: str, size: float, bold: bool, color: Color, halo: Color | None
) -> tuple[NDArray[np.uint8], int, int]:
    """RGBA pixels of a text, bottom row first, and how far right of and above its position their
    lower left corner lies."""
    stroke = max(1, round(size * 0.11)) if halo is not None else 0
    letters = _mask(text, size, bold, margin=stroke, stroke=0)
    colors = np.broadcast_to(np.array(color, dtype=np.float32), (*letters.shape, 3))
    alpha = letters
    if halo is not None:
        alpha = np.maximum(_mask(text, size, bold, margin=stroke, stroke=stroke), letters)
        behind = np.array(halo, dtype=np.float32) * (1 - letters[..., None])
        colors = behind + colors * letters[..., None]
    pixels = np.rint(255 * np.concatenate([colors, alpha[..., None]], axis=2)).astype(np.uint8)
    return np.ascontiguousarray(pixels), -stroke, -(pixels.shape[0] // 2)


def _mask(text: str, size: float, bold: bool, *, margin: int, stroke: int) -> NDArray[np.float32]:
    """Cover of each pixel by the letters, in [0, 1], bottom row first, with a line of ``stroke``
    pixels round them."""
    font = _font(bold, size)
    _, top, _, bottom = font.getbbox("lp", anchor="ls")
    width, height = int(font.getlength(text)) + 2 + 2 * margin, int(1.5 * size) + 2 * margin
    base = (height - round(top + bottom)) // 2
    paper = Image.new("L", (width, height))
    ImageDraw.Draw(paper).text(
        (margin, base), text, fill=255, font=font, anchor="ls", stroke_width=stroke
    )
    return np.asarray(paper, dtype=np.float32)[::-1] / np.float32(255)
