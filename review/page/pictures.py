"""The pictures of a page in the sizes that it asks for, turned and toned as the model saw them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError, RunError, SettingsError
from review_embeddings.pipeline.images.decode import UnreadableError
from review_embeddings.pipeline.images.preview import (
    PREVIEW_SIDE,
    picture_of,
    side_for,
    type_of,
    whole_picture,
)
from review_embeddings.pipeline.images.runimages import OpenedImages, RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder

MAX_KEPT_BYTES = 128 << 20
"""Of pictures in memory: a thousand as large as a panel, or all thumbnails of 50,000 images."""

AT_ONCE = max(2, os.cpu_count() or 2)
"""Images that are decoded at the same time: each may take a hundred megabytes."""


@dataclass(frozen=True)
class Picture:
    """A file for browsers."""

    data: bytes
    media_type: str


class Pictures:
    """Those of the images of a page. Safe to be asked from several threads."""

    def __init__(self, run: RunFolder, positions: NDArray[np.int64] | None) -> None:
        """``positions`` are the rows of the run that the page shows; None for all."""
        self._run, self._positions = run, positions
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._guard, self._decoding = threading.Lock(), threading.Semaphore(AT_ONCE)
        self._thumbnails = threading.Semaphore(AT_ONCE - 1)  # the large picture need not wait

    @cached_property
    def _images(self) -> RunImages:
        images = read_images(self._run)
        if images is None:
            raise RunError(f"Run {self._run} has no images any more.")
        return images if self._positions is None else images.take(self._positions)

    @cached_property
    def _opened(self) -> OpenedImages:
        return OpenedImages(self._images)

    def picture(self, row: int, side: int | None) -> Picture:
        """The image in a row, of at most about ``side`` pixels a side; in all its pixels without.

        Raises SettingsError for a row or a side that is none, DatasetError where the image cannot
        be read or decoded.
        """
        if not 0 <= row < len(self._images):
            raise SettingsError(f"There is no image in row {row}.")
        if side is not None and side < 1:
            raise SettingsError(f"A picture cannot be {side} pixels wide.")
        try:
            data = self._of_side(row, side_for(side)) if side else self._whole(row)
        except UnreadableError as error:
            image = self._images.ids[row]
            raise DatasetError(f"Image {image} of the run cannot be shown: {error}") from error
        return Picture(data, type_of(data))

    def _whole(self, row: int) -> bytes:
        with self._decoding:
            return whole_picture(self._opened.file(row), self._images.grey_rules)

    def _of_side(self, row: int, side: int) -> bytes:
        kept = self._remembered((self._images.hashes[row], side))
        if kept is not None:
            return kept
        with self._thumbnails if side < PREVIEW_SIDE else nullcontext(), self._decoding:
            return self._made(row, side)

    def _made(self, row: int, side: int) -> bytes:
        """A picture, from now on remembered; smaller ones of the preview, which is made where the
        run has none."""
        key, made = (self._images.hashes[row], side), None
        if (kept := self._remembered(key)) is not None:
            return kept
        if side <= PREVIEW_SIDE:
            made = self._opened.preview(row)
        if made is None and side < PREVIEW_SIDE:
            made = self._made(row, PREVIEW_SIDE)
        made = picture_of(made or self._opened.file(row), side, self._images.grey_rules)
        self._remember(key, made)
        return made

    def _remembered(self, key: tuple[str, int]) -> bytes | None:
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _remember(self, key: tuple[str, int], data: bytes) -> None:
        with self._guard:
            self._kept_bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._kept_bytes > MAX_KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
