"""The pictures of a review for a page without a server: small, without metadata, many to a
sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.preview import ENOUGH
from review_embeddings.pipeline.images.runimages import OpenedImages, RunImages
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.threads import chunks, in_threads
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

MISSING = "#888"
"""Colour of a square that stands for an image that cannot be shown."""


@dataclass(frozen=True)
class PictureSizes:
    """What the pictures of a page would take, by a sample of them."""

    sides: list[int]
    """Pixels of the squares, descending."""
    bytes_each: list[float]
    """Of an image, at each side."""


def add_pictures(
    pack: ArrayPack, images: RunImages, side: int, progress: Progress = SILENT
) -> tuple[dict[str, Any], bytes]:
    """The images as sheets of squares of ``side`` pixels: their description, whose parts are of
    these bytes; their sizes are added to the arrays."""
    sheets = ArrayPack()
    sizes = np.zeros((len(images), 2), np.int64)
    parts, missing, row = [], 0, 0
    with progress.stage("Making thumbnails", total=len(images), unit="images") as advance:
        small = thumbnails(images, range(len(images)), side)
        for sheet in chunks(small, PER_SHEET):
            missing += sheet.count(None)
            shown = [one or _missing(side) for one in sheet]
            sizes[row : row + len(sheet)] = [one.size for one in shown]
            row += len(sheet)
            parts.append(sheets.add_bytes(_sheet(shown, side)))
            advance(len(sheet))
    pack.add_whole(SIZES, sizes)
    kind = {"kind": "sheets", "type": TYPE, "side": side, "columns": COLUMNS}
    described = {**kind, "perSheet": PER_SHEET, "parts": parts, "missing": missing}
    return described, sheets.content


def picture_sizes(images: RunImages, sides: Sequence[int]) -> PictureSizes:
    """What the pictures would take at these sides, descending; the first is no larger than the
    images."""
    rows = np.unique(np.linspace(0, len(images) - 1, min(len(images), PER_SHEET)).astype(int))
    known = [one for one in thumbnails(images, rows.tolist(), sides[0]) if one is not None]
    found = known or [_missing(sides[0])]
    largest = max(max(one.size) for one in found)
    kept = [largest, *(side for side in sides if side < largest)]
    bytes_each = [len(_sheet(_at_most(found, side), side)) / len(found) for side in kept]
    return PictureSizes(kept, bytes_each)


def thumbnails(images: RunImages, rows: Sequence[int], side: int) -> Iterator[Image.Image | None]:
    """The images in some rows, of at most ``side`` pixels a side; None for one that cannot be read
    or decoded any more."""

    def small(data: bytes) -> Image.Image | None:
        try:
            picture = to_rgb(decode(data, least=round(ENOUGH * 2 * side)), images.grey_rules)
        except UNREADABLE:
            return None
        picture.thumbnail((side, side))
        return picture

    return in_threads(small, _files(images, rows))


def _files(images: RunImages, rows: Sequence[int]) -> Iterator[bytes]:
    """The files of images, empty for those that are gone."""
    if images.column is None:
        yield from (data for _, data in images.read_some(rows, preview=True))
        return
    opened = OpenedImages(images)
    for some in chunks(rows, PER_SHEET):
        try:
            found = [data for _, data in images.read_some(some)]
        except DatasetError:
            found = [_file(opened, row) for row in some]
        yield from found


def _file(opened: OpenedImages, row: int) -> bytes:
    try:
        return opened.file(row)
    except DatasetError:
        return b""


def _missing(side: int) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", (side, side), MISSING)


def _at_most(images: Sequence[Image.Image], side: int) -> list[Image.Image]:
    found = []
    for image in images:
        smaller = image.copy()
        smaller.thumbnail((side, side))
        found.append(smaller)
    return found


def _sheet(images: Sequence[Image.Image], side: int) -> bytes:
    from PIL import Image

    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (side * min(COLUMNS, len(images)), side * rows))
    for image, corner in zip(images, _corners(side), strict=False):
        sheet.paste(image, corner)
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def _corners(side: int) -> Iterator[tuple[int, int]]:
    for square in range(PER_SHEET):
        yield side * (square % COLUMNS), side * (square // COLUMNS)
