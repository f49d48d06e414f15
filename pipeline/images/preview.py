"""What a browser should show of an image file."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from review_embeddings.pipeline.images.decode import (
    GREY_RULES,
    UPRIGHT,
    UnreadableError,
    decode,
    open_image,
    orientation_of,
    to_rgb,
)

if TYPE_CHECKING:
    from PIL import Image


PREVIEW_SIDE = 512
"""Longest side, in pixels, of what Spotlight gets of a large image: larger than it is ever drawn
there."""

JPEG_QUALITY = 90

BROWSER_FORMATS = {"JPEG", "PNG", "GIF", "WEBP"}
"""What a browser shows as it is, provided it is 8-bit and not turned by EXIF."""


RASTER = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP", re.DOTALL)
"""How files of these formats begin."""

NOTHING = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)
"""A black pixel: what is shown of a file that no decoder of ours takes."""


def for_viewers(data: bytes) -> bytes:
    """What is given to a viewer that opens whatever there is: a file of the formats of browsers, so
    that no other decoder, and no program that one would start, gets to see what a run holds."""
    if RASTER.match(data):
        return data
    try:
        shown = shown_in_browser(data)
    except UnreadableError:
        return NOTHING
    return shown if RASTER.match(shown) else NOTHING


def shown_in_browser(data: bytes, rules: int = GREY_RULES) -> bytes:
    """A readable image file, or what a browser should show of it; decoded only where that is not
    the file itself."""
    with open_image(data) as stored:
        if _shows_as_it_is(stored):
            return data
    stored = decode(data)
    return make_preview(stored, to_rgb(stored, rules)) or data


def _shows_as_it_is(stored: Image.Image) -> bool:
    plain = (
        stored.format in BROWSER_FORMATS
        and stored.mode in {"L", "RGB"}
        and orientation_of(stored) == UPRIGHT
    )
    return plain and max(stored.size) <= PREVIEW_SIDE


def make_preview(stored: Image.Image, rgb: Image.Image) -> bytes | None:
    """An image file that every browser shows the way people see it; None where the file itself is
    one of moderate size."""
    if _shows_as_it_is(stored):
        return None
    small = rgb.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    if stored.format == "JPEG":
        small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    else:
        small.save(buffer, "PNG")
    return buffer.getvalue()
