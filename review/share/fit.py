"""Says how much of a review a page may hold, from all of it to little. What goes first: the nearest
images at the checkpoints between the ends, then the size of the thumbnails, then images;
coordinates never.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from review_embeddings.review.share.pictures import PictureSizes

SIDES = (48, 44, 40, 36, 32, 28, 24)
"""Pixels of the square that a thumbnail lies in: the largest that there is room for."""

ROOM = 0.97
"""Share of the bytes that a page may take by an estimate."""


@dataclass(frozen=True)
class PageForm:
    """How much of a review a page holds."""

    all_nearest: bool
    """Whether the nearest images of all checkpoints, and not of the ends only."""
    side: int | None
    """Of the squares of thumbnails, in pixels; None without pictures."""
    bytes_each: float = 0.0
    """Of a thumbnail, about."""
    largest: int = 0
    """What ``side`` is where there is room."""


def forms(pictures: PictureSizes | None, *, several: bool) -> Iterator[PageForm]:
    """From most to least; the last one is for a page of fewer images. ``several`` says whether
    there are checkpoints between the ends."""
    sizes: list[tuple[int | None, float]] = [(None, 0.0)]
    if pictures is not None:
        sizes = [*zip(pictures.sides, pictures.bytes_each, strict=True)]
    largest = sizes[0][0] or 0
    if several:
        yield PageForm(True, *sizes[0], largest)
    for side, size in sizes:
        yield PageForm(not several, side, size, largest)


def images_within(images: int, size: float, fixed: float, most: float) -> int:
    """How many of so many images fit, where a page of all of them takes ``size`` bytes, ``fixed``
    of which it would without any."""
    return max(0, int(images * (most * ROOM - fixed) / max(1.0, size - fixed)))
