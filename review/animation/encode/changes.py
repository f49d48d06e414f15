"""Which part of a frame differs from the one before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ChangedArea(NamedTuple):
    """Rows top to bottom and columns left to right, the ends not among them."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of pixels of shape (height, width, 4)."""
        return pixels[self.top : self.bottom, self.left : self.right]


def changed_rectangle(pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> ChangedArea:
    """The rectangle in which two frames differ, RGBA of shape (height, width, 4); one pixel where
    they do not, all of it where there is none before."""
    height, width = pixels.shape[:2]
    if before is None:
        return ChangedArea(0, height, 0, width)
    differ = whole_pixels(pixels) != whole_pixels(before)
    rows, columns = np.flatnonzero(differ.any(axis=1)), np.flatnonzero(differ.any(axis=0))
    if not len(rows):
        return ChangedArea(0, 1, 0, 1)
    return ChangedArea(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def whole_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """RGBA pixels of shape (height, width, 4) as one number each."""
    numbers: NDArray[np.uint32] = np.ascontiguousarray(pixels).view("<u4")[..., 0]
    return numbers
