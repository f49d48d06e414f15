"""The colour of each image in the film: that of its class."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.palette import class_palette


@dataclass(frozen=True)
class ImageColors:
    """The colour of every image at every checkpoint: that of its class."""

    palette: NDArray[np.float64]
    """Shape (C + 1, 3), sRGB in [0, 1]: of each class, and of images without one."""
    index: NDArray[np.int64]
    """Shape (N,) or, where it changes, (K, N): row of the palette of each image."""

    @classmethod
    def of_classes(
        cls, codes: NDArray[np.integer], classes: int, plain: tuple[float, ...]
    ) -> ImageColors:
        """``codes``, shape (N,) or (K, N): class indices, -1 for images without one, which are
        ``plain``."""
        index = np.where(codes >= 0, codes, classes).astype(np.int64)
        return cls(np.vstack([class_colors(classes), plain]), index)

    def rows(self, checkpoint: int) -> NDArray[np.int64]:
        """Row of the palette of each image at a checkpoint, shape (N,)."""
        return self.index if self.index.ndim == 1 else self.index[checkpoint]

    @property
    def change(self) -> bool:
        """Whether a checkpoint may have other colours than another."""
        return self.index.ndim == 2

    def at(self, checkpoint: int, images: Any) -> NDArray[np.float64]:
        """Colours of some images at a checkpoint: an index, several or a slice of them."""
        return np.asarray(self.palette[self.rows(checkpoint)[images]])


def class_colors(count: int) -> NDArray[np.float64]:
    """Colours of ``count`` classes, shape (count, 3), sRGB in [0, 1]: those of `class_palette`,
    again from the first where there are more."""
    names = itertools.islice(itertools.cycle(class_palette()), count)
    channels = [[int(name[at : at + 2], 16) / 255 for at in (1, 3, 5)] for name in names]
    return np.array(channels).reshape(count, 3)
