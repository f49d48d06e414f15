"""Writes an animated PNG, or a still: of each frame only the rectangle that changed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.animation.encode.changes import changed_rectangle

MAX_MILLISECONDS = 65535
"""The field has two bytes."""

HEADER = struct.Struct("<4I")
"""Left, top, width and height before the data of a packed frame."""


SIGNED_WITHIN = 256
"""Bytes from the start of a file that hold its signature."""


class PngPacker:
    """Makes each frame's position, size and compressed pixels."""

    chunk = 12
    delta = True

    def pack(
        self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, *, is_new: bool
    ) -> bytes:
        """Header and zlib data of one frame."""
        changed = changed_rectangle(pixels, before)
        header = HEADER.pack(changed.left, changed.top, *changed.size)
        return header + _png_data(changed.of(pixels))


def _png_data(pixels: NDArray[np.uint8]) -> bytes:
    """RGB lines, each predicted from the one above it, compressed."""
    colors = pixels[..., :3]
    lines = np.empty((colors.shape[0], 1 + 3 * colors.shape[1]), dtype=np.uint8)
    lines[:, 0] = 2
    flat = np.ascontiguousarray(colors).reshape(colors.shape[0], -1)
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    return zlib.compress(lines.tobytes(), 6)


def write_png(
    file: IO[bytes], size: tuple[int, int], total: int, frames: Iterable[tuple[bytes, float]]
) -> None:
    """Write packed frames with their seconds as an animated PNG, or a still. Source: W3C 2025, PNG
    third edition."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    file.write(b"\x89PNG\r\n\x1a\n" + header + SIGNATURE)
    if total > 1:
        file.write(_chunk(b"acTL", struct.pack(">II", total, 0)))
    number = 0  # of the chunks that are about the animation
    for index, (packed, seconds) in enumerate(frames):
        if total > 1:
            file.write(_control(number, packed, seconds))
            number += 1
        data = packed[HEADER.size :]
        if index == 0:
            file.write(_chunk(b"IDAT", data))
        else:
            file.write(_chunk(b"fdAT", struct.pack(">I", number) + data))
            number += 1
    file.write(_chunk(b"IEND", b""))


def may_replace(path: Path, picture: bytes) -> bool:
    """Whether there is no file in the place of a picture, or one that was written here: signed, or
    the same but for that."""
    if path.is_symlink() or not path.exists():
        return not path.is_symlink()
    there = path.read_bytes()
    return SIGNATURE in there[:SIGNED_WITHIN] or there == picture.replace(SIGNATURE, b"", 1)


def _control(number: int, packed: bytes, seconds: float) -> bytes:
    """The chunk that says where and how long a frame is shown."""
    left, top, width, height = HEADER.unpack(packed[: HEADER.size])
    milliseconds = min(round(1000 * seconds), MAX_MILLISECONDS)
    where = (width, height, left, top)
    return _chunk(b"fcTL", struct.pack(">5I2H2B", number, *where, milliseconds, 1000, 0, 0))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


SIGNATURE = _chunk(b"tEXt", b"Software\0review-embeddings")
"""Says in a picture what wrote it."""
