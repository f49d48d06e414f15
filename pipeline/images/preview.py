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

SIDES = (64, 128, 256, PREVIEW_SIDE, 1024, 2048, 4096)
"""Longest sides that pictures are made in, in pixels: the fewer, the more often one is there."""

ENOUGH = 0.75
"""Share of a side at which a JPEG is taken as its decoder gives it fastest."""

SMALL = 2**16
"""Pixels up to which a picture is kept as it is, to the pixel."""

JPEG_QUALITY = 90

WHOLE_QUALITY = 95
"""Of a picture that people look into."""

BROWSER_FORMATS = {"JPEG", "PNG", "GIF", "WEBP"}
"""What a browser shows as it is, provided it is 8-bit and not turned by EXIF."""

JPEGS = {"JPEG", "MPO"}
"""Of one picture, or of several of which a browser shows the first; it turns them by EXIF."""


RASTER = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP", re.DOTALL)
"""How files of these formats begin."""

TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
"""What files that `RASTER` takes are, by how they begin."""

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


# -- of any size


def type_of(data: bytes) -> str:
    """The media type of a file that `RASTER` takes."""
    return next(name for begin, name in TYPES.items() if data.startswith(begin))


def side_for(side: int) -> int:
    """The one of `SIDES` that so many pixels are shown by."""
    return next((one for one in SIDES if one >= side), SIDES[-1])


def picture_of(data: bytes, side: int, rules: int = GREY_RULES) -> bytes:
    """A file for browsers of at most ``side`` pixels a side, turned and toned as the model saw the
    image: the first frame, transparency over white. Raises UnreadableError."""
    with open_image(data) as stored:
        if max(stored.size) <= side and _is_seen_alike(stored, may_be_turned=False):
            return data
    decoded = decode(data, least=round(ENOUGH * side))
    rgb = to_rgb(decoded, rules)
    rgb.thumbnail((side, side))
    return _encoded(rgb, JPEG_QUALITY, was_jpeg=decoded.format in JPEGS)


def whole_picture(data: bytes, rules: int = GREY_RULES) -> bytes:
    """The same in all its pixels: the file itself where a browser shows what the model saw."""
    with open_image(data) as stored:
        if _is_seen_alike(stored, may_be_turned=stored.format in JPEGS):
            return data
    decoded = decode(data)
    return _encoded(to_rgb(decoded, rules), WHOLE_QUALITY, was_jpeg=decoded.format in JPEGS)


def _is_seen_alike(stored: Image.Image, *, may_be_turned: bool) -> bool:
    """Whether a browser shows a file as the model saw it, if need be by turning it itself."""
    if stored.format not in BROWSER_FORMATS | JPEGS or stored.mode not in {"L", "RGB", "P"}:
        return False
    is_still = stored.format in JPEGS or getattr(stored, "n_frames", 1) == 1
    is_turned = not may_be_turned and orientation_of(stored) != UPRIGHT
    return is_still and not is_turned and "transparency" not in stored.info


def _encoded(rgb: Image.Image, quality: int, *, was_jpeg: bool) -> bytes:
    """Small ones without loss; of others only what was a JPEG with less colour than light."""
    buffer = io.BytesIO()
    if rgb.width * rgb.height <= SMALL and not was_jpeg:
        rgb.save(buffer, "PNG")
    else:
        rgb.save(buffer, "JPEG", quality=quality, subsampling="4:2:0" if was_jpeg else "4:4:4")
    return buffer.getvalue()
