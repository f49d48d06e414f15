"""Turns the bytes of an image file into RGB pixels the way people see the image. Reads no data
set and no disk."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,  # truncated files
    SyntaxError,  # Pillow's answer to a broken PNG chunk
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for a file that is no image or a broken one. Nothing else is tolerated."""


def decode(data: bytes) -> Image.Image:
    """Decode an image file. Raises one of `UNREADABLE` where that cannot be done."""
    image = open_image(data)
    image.load()
    return image


def open_image(data: bytes) -> Image.Image:
    """An image file of which only the beginning is read. Raises as `decode` does."""
    return Image.open(io.BytesIO(data))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit RGB: turned by its EXIF orientation, transparency over white, deep greys
    scaled and not clipped."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep_grey_to_8_bit(image).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")


def _deep_grey_to_8_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 0..255.

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
