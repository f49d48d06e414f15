"""The pictures of a review for a page without a server: small, without metadata, many to a
sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.review.page.pictures import Pictures
from review_embeddings.review.share.arrays import ArrayPack

if TYPE_CHECKING:
    from PIL import Image

COLUMNS = 32
"""Squares a row of a sheet; a sheet has as many rows."""

PER_SHEET = COLUMNS * COLUMNS

QUALITY = 80
"""Of WebP."""

TYPE = "image/webp"

SIZES = "picture_sizes"
"""Array of the width and height of each image in its square."""


def add_pictures(pack: ArrayPack, pictures: Pictures, count: int, side: int) -> dict[str, Any]:
    """Add the first ``count`` images of a page as sheets of squares of ``side`` pixels; their
    description."""
    sizes = np.zeros((count, 2), np.int64)
    parts = []
    for start in range(0, count, PER_SHEET):
        rows = range(start, min(start + PER_SHEET, count))
        small = [_thumbnail(pictures, row, side) for row in rows]
        sizes[start : rows.stop] = [image.size for image in small]
        parts.append(pack.add_bytes(_sheet(small, side)))
    pack.add_whole(SIZES, sizes)
    kind = {"kind": "sheets", "type": TYPE, "side": side, "columns": COLUMNS}
    return {**kind, "perSheet": PER_SHEET, "parts": parts}


def _thumbnail(pictures: Pictures, row: int, side: int) -> Image.Image:
    """The image in a row; a grey square for one that cannot be decoded any more."""
    from PIL import Image

    try:
        data = pictures.picture(row, side).data
    except DatasetError:
        return Image.new("RGB", (side, side), "#888")
    with Image.open(io.BytesIO(data)) as stored:
        small = stored.convert("RGB")
    small.thumbnail((side, side))
    return small


def _sheet(images: Sequence[Image.Image], side: int) -> bytes:
    from PIL import Image

    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (side * min(COLUMNS, len(images)), side * rows))
    for image, corner in zip(images, _corners(side), strict=False):
        sheet.paste(image, corner)
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def _corners(side: int) -> Iterator[tuple[int, int]]:
    for square in range(PER_SHEET):
        yield side * (square % COLUMNS), side * (square // COLUMNS)
