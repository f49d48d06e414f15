"""Turns the bytes of an image file into RGB pixels the way people see the image. Reads no data
set and no disk.

A file has one of two outcomes, an image or an `UnreadableError` with the reason: whatever a decoder
raises is one. None is ever handed to another program.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image, UnidentifiedImageError

from review_embeddings.pipeline.errors import reason_of

warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files: what cannot be read is listed
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class UnreadableError(ValueError):
    """A file that is no image, or a broken one."""


UNREADABLE = (UnreadableError, OSError)
"""What reading and decoding an image file raises. Nothing else is tolerated."""

RUNS_PROGRAMS = frozenset({"EPS", "IPTC"})
"""Formats of Pillow that hand a file to Ghostscript, or may hold one that is."""

_POSTSCRIPT = "PostScript, which only another program could draw"

INSTEAD = {
    b"%!ps": _POSTSCRIPT,
    b"\xc5\xd0\xd3\xc6": _POSTSCRIPT,
    b"version https://git-lfs": "a pointer of Git LFS; `git lfs pull` brings the image",
    b"<!doctype html": "a web page, such as a download that failed leaves",
    b"<html": "a web page, such as a download that failed leaves",
}
"""How files begin that have the name of an image and are none, and what they are."""

FIRST_GREY_RULES, GREY_RULES = 1, 2
"""Versions of the rule by which grey of more than 8 bits is shown."""

MAX_LEVEL = 255

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the values of cameras and scanners."""

BITS_PER_SAMPLE = 258
"""The TIFF tag that says it."""

NO_VALUES = (-9999.0, -32768.0)
"""What stands for no value in measurements."""

NO_MEASUREMENT = 1e30
"""No measurement is larger: what is stands for no value, too."""

ORIENTATION, UPRIGHT = 0x0112, 1
"""The EXIF tag that says how an image is turned, and its value where it is not."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image of each orientation upright."""


@contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("not an image of a known format") from error
    except Exception as error:  # decoders raise whatever a broken file leads to
        reason = reason_of(error)
        if isinstance(error, MemoryError):
            reason = "too large for the memory."
        raise UnreadableError(reason) from error


def decode(data: bytes, *, least: int | None = None) -> Image.Image:
    """Decode an image file. Raises UnreadableError where that cannot be done.

    With ``least`` the longest side of a JPEG may come out smaller, though not smaller than that:
    its coefficients are made into an eighth of the pixels as fast as they are read.
    """
    image = open_image(data)
    with _unreadable():
        if least is not None and (longest := max(image.size)) > least:
            image.draft(None, (image.width * least // longest, image.height * least // longest))
        image.load()
    return image


def open_image(data: bytes) -> Image.Image:
    """An image file of which only the beginning is read. Raises as `decode` does."""
    if reason := _not_an_image(data):
        raise UnreadableError(reason)
    with _unreadable():
        return Image.open(io.BytesIO(data), formats=_formats())


def _not_an_image(data: bytes) -> str:
    """What a file is that only has the name of an image, where that can be told."""
    if not data:
        return "an empty file"
    begin = data[:64].lstrip().lower()
    found = (what for start, what in INSTEAD.items() if begin.startswith(start))
    return next(found, "")


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in Image.ID if name not in RUNS_PROGRAMS]


def orientation_of(image: Image.Image) -> int | None:
    """How EXIF says an image is turned (1 to 8, 1 for upright); None where it cannot be told."""
    try:
        value = image.getexif().get(ORIENTATION, UPRIGHT)
        found = int(value[0] if isinstance(value, tuple) else value)
    except Exception:  # EXIF of any shape
        return None
    return found if found in {UPRIGHT, *TURNS} else None


def to_rgb(image: Image.Image, rules: int = GREY_RULES) -> Image.Image:
    """Convert to 8-bit RGB: turned by its EXIF orientation, transparency over white, deep greys
    scaled and not clipped, by the ``rules`` of this version. Raises as `decode` does."""
    with _unreadable():
        if is_deep(image):
            grey = _first_grey(image) if rules == FIRST_GREY_RULES else _grey(image)
            return _turned(grey, orientation_of(image)).convert("RGB")
        return _to_rgb(_turned(image, orientation_of(image)))


def to_gray_or_rgb(image: Image.Image) -> Image.Image:
    """Like `to_rgb`; of one channel (mode L) where the file has one. Raises as `decode` does."""
    shown = to_rgb(image)
    return shown.convert("L") if image.mode in {"1", "L"} or is_deep(image) else shown


def _turned(image: Image.Image, orientation: int | None) -> Image.Image:
    turn = TURNS.get(orientation or UPRIGHT)
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = {name: value for name, value in image.info.items() if name == "transparency"}
    return turned


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")


# -- deep grey


def is_deep(image: Image.Image) -> bool:
    """Whether an image is grey of more than 8 bits."""
    return image.mode == "F" or image.mode.startswith("I")


def _first_grey(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 0..255 by the first rule.

    16-bit images use their full range (65535 is white). 32-bit integers count as 8- or 16-bit where
    their values fit, and floats as 0..1 where theirs do; anything else is stretched from its
    smallest to its largest value.
    """
    values = np.asarray(image, dtype=np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if image.mode.startswith("I;16"):
        scaled = values / 257.0
    elif image.mode == "I" and low >= 0 and high <= 255:
        scaled = values
    elif image.mode == "I" and low >= 0 and high <= 65535:
        scaled = values / 257.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        scaled = values * 255.0
    elif high > low:
        scaled = (values - low) * (255.0 / (high - low))
    else:
        scaled = np.zeros_like(values)
    return Image.fromarray(np.rint(np.nan_to_num(scaled)).clip(0, 255).astype(np.uint8))


def _grey(image: Image.Image) -> Image.Image:
    """Scale deep grey to 0..255.

    Integers are of the fewest of 8, 10, 12, 14 and 16 bits that hold all their values, or of those
    that the file says, and floats from 0 to 1 of that range; anything else is stretched from its
    smallest to its largest value. Where there is no value (not finite, `NO_VALUES`) it is black.
    """
    values = np.asarray(image, dtype=np.float64)
    known = np.isfinite(values) & ~np.isin(values, NO_VALUES) & (np.abs(values) < NO_MEASUREMENT)
    if not known.any():
        return Image.new("L", image.size)
    low, high = float(values[known].min()), float(values[known].max())
    black, white = _range(image, low, high)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (values - black) * MAX_LEVEL / (white - black)
    scaled[~known] = 0
    return Image.fromarray(np.rint(scaled).clip(0, MAX_LEVEL).astype(np.uint8))


def _range(image: Image.Image, low: float, high: float) -> tuple[float, float]:
    """The values that are black and white."""
    if image.mode == "F":
        if low >= 0 and high <= 1:
            return 0.0, 1.0
    elif low >= 0 and high < 2**16:
        tags = getattr(image, "tag_v2", {})
        written = tags.get(BITS_PER_SAMPLE, (0,)) if tags else (0,)
        bits = next(bits for bits in DEPTHS if high < 2**bits)
        if 8 < written[0] < 16:  # which 16 does not: what has less is kept in 16, too
            bits = max(bits, written[0])
        return 0.0, 2.0**bits - 1
    return (low, high) if high > low else (low, low + 1)
