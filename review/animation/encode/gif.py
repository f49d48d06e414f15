"""Writes a GIF: of each frame only the rectangle that changed, what did not change in it
transparent. Frames in which more than the points changed have a palette of their own. LZW is
Pillow's."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.animation.encode.changes import changed_rectangle, whole_pixels
from review_embeddings.review.animation.encode.palette import (
    MAX_COLORS,
    TRANSPARENT,
    Palette,
    make_palette,
)

MIN_DELAY, MAX_DELAY = 2, 65535
"""Hundredths of a second: browsers slow down what is faster, and the field has two bytes."""


PLAIN, OWN_COLORS = 0, 0x87
"""Flags of a frame: the colours of the film, or 256 of its own."""


@dataclass(frozen=True)
class GifPacker:
    """Makes each frame's position, size, colours and LZW data."""

    palette: Palette
    """Of frames in which only points moved."""
    colors: int = MAX_COLORS
    """Of the palette of any other frame."""
    chunk = 12
    delta = True

    def pack(
        self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, *, is_new: bool
    ) -> bytes:
        """Image descriptor, own palette and data of one frame."""
        from PIL import Image

        area = changed_rectangle(pixels, before)
        part = whole_pixels(area.of(pixels))
        changed = np.ones(part.shape, bool)
        if before is not None:
            changed = part != whole_pixels(area.of(before))
        values = part[changed]
        has_own = is_new and len(values) > 0
        palette = make_palette(values, self.colors) if has_own else self.palette
        indices = np.full(part.shape, TRANSPARENT, np.uint8)
        indices[changed] = palette.indices(values)
        data = Image.fromarray(indices, "L").tobytes("gif", "L", 8, 0)
        flags = OWN_COLORS if has_own else PLAIN
        head = struct.pack("<BHHHHB", 0x2C, area.left, area.top, *area.size, flags)
        return head + (palette.table if has_own else b"") + b"\x08" + data + b"\0"


def write_gif(
    file: IO[bytes], size: tuple[int, int], palette: Palette, frames: Iterable[tuple[bytes, float]]
) -> None:
    """Write packed frames with their seconds; the film repeats for ever. Source: CompuServe 1990,
    GIF89a specification."""
    file.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + palette.table)
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    end = written = 0.0
    for packed, seconds in frames:
        end += seconds
        # what rounding takes, the next frame gets back
        delay = min(max(round(100 * (end - written)), MIN_DELAY), MAX_DELAY)
        written += delay / 100
        control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0x05, delay, TRANSPARENT, 0)
        file.write(control + packed)
    file.write(b"\x3b")
