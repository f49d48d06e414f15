"""Writes a GIF: of each frame only the rectangle that changed, what did not change in it
transparent. LZW is Pillow's."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.animation.encode.changes import changed_rectangle, whole_pixels
from review_embeddings.review.animation.encode.palette import Palette

MIN_DELAY, MAX_DELAY = 2, 65535
"""Hundredths of a second: browsers slow down what is faster, and the field has two bytes."""


@dataclass(frozen=True)
class GifPacker:
    """Makes each frame's position, size and LZW data."""

    palette: Palette
    chunk = 12
    delta = True

    def pack(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> bytes:
        """Image descriptor and data of one frame."""
        from PIL import Image

        changed = changed_rectangle(pixels, before)
        part = changed.of(pixels)
        indices = self.palette.indices(part)
        if before is not None:
            same = whole_pixels(part) == whole_pixels(changed.of(before))
            indices[same] = self.palette.transparent
        data = Image.fromarray(indices, "L").tobytes("gif", "L", 8, 0)
        position = (changed.left, changed.top)
        return struct.pack("<BHHHHBB", 0x2C, *position, *changed.size, 0, 8) + data + b"\0"


def write_gif(
    file: IO[bytes], size: tuple[int, int], palette: Palette, frames: Iterable[tuple[bytes, float]]
) -> None:
    """Write packed frames with their seconds; the film repeats for ever. Source: CompuServe 1990,
    GIF89a specification."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette.colors)] = palette.colors
    file.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + table.tobytes())
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    end = written = 0.0
    for packed, seconds in frames:
        end += seconds
        # what rounding takes, the next frame gets back
        delay = min(max(round(100 * (end - written)), MIN_DELAY), MAX_DELAY)
        written += delay / 100
        control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0x05, delay, palette.transparent, 0)
        file.write(control + packed)
    file.write(b"\x3b")
