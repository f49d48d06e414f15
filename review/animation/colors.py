"""Colours of the classes in the film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEN = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours that people with each kind of colour-vision deficiency can tell apart.

Source: Petroff 2021, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270.
"""


@dataclass(frozen=True)
class ImageColors:
    """The colour of every image: that of its class."""

    palette: NDArray[np.float64]
    """Shape (C + 1, 3), sRGB in [0, 1]: of each class, and of images without a label."""
    index: NDArray[np.int64]
    """Shape (N,): row of the palette of each image."""

    @classmethod
    def of_labels(
        cls, labels: NDArray[np.integer], classes: int, plain: tuple[float, ...]
    ) -> ImageColors:
        """``labels``, shape (N,): class indices, -1 for images without one, which are ``plain``."""
        index = np.where(labels >= 0, labels, classes).astype(np.int64)
        return cls(np.vstack([class_colors(classes), plain]), index)

    def of(self, images: Any) -> NDArray[np.float64]:
        """Colours of some images: an index, several or a slice of them."""
        return np.asarray(self.palette[self.index[images]])


def class_colors(count: int) -> NDArray[np.float64]:
    """Colours of ``count`` classes, shape (count, 3), sRGB in [0, 1].

    Up to ten, those of `TEN`. Above, no set of colours can be told apart by everybody: hues once
    around the circle in the order of the classes, every other one lighter, so that neighbours in
    the list differ in lightness too. Source of the colour space: Ottosson 2020, "A perceptual color
    space for image processing" (OKLCH).
    """
    if count <= len(TEN):
        channels = [[int(name[at : at + 2], 16) / 255 for at in (1, 3, 5)] for name in TEN[:count]]
        return np.array(channels).reshape(count, 3)
    hues = np.arange(count) * 2 * np.pi / count
    lightness = np.where(np.arange(count) % 2 == 0, 0.60, 0.76)
    return _from_oklch(lightness, np.full(count, 0.14), hues)


def _from_oklch(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.float64]:
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        ],
        axis=1,
    ).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
