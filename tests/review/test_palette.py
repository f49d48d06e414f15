"""The colours of classes: seen on both grounds, far from each other for every kind of sight, and
the first ones in gray too."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from review_embeddings.review.animation.themes import THEMES
from review_embeddings.review.palette import FIRST, MOST, class_palette, to_linear, to_oklab

DEFICIENCIES = {  # Machado, Oliveira, Fernandes 2009, severity 1, for linear sRGB
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "none": np.eye(3).tolist(),
}


def linear_of(*names: str) -> NDArray[np.float64]:
    channels = [[int(name[at : at + 2], 16) / 255 for at in (1, 3, 5)] for name in names]
    return to_linear(np.array(channels))


def luminance_of(*names: str) -> NDArray[np.float64]:
    return np.asarray(linear_of(*names) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """WCAG's."""
    low, high = sorted(luminance_of(one, other).tolist())
    return float((high + 0.05) / (low + 0.05))


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # its known example


def test_a_thousand_classes_have_a_thousand_colours_seen_on_light_and_on_dark_ground() -> None:
    colors = class_palette()
    assert len(colors) == MOST == len(set(colors)) == 1000 and colors[: len(FIRST)] == FIRST
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    grounds = {"#ffffff", "#15191f", *(theme.background for theme in THEMES.values())}
    for color, ground in itertools.product(colors, grounds):
        assert contrast(color, ground) >= 3, (color, ground)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_first_colours_can_be_told_apart_with_every_kind_of_colour_vision(
    deficiency: str,
) -> None:
    seen = (linear_of(*FIRST[:10]) @ np.array(DEFICIENCIES[deficiency]).T).clip(0, 1)
    colors = to_oklab(seen)
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)[np.triu_indices(10, 1)]
    least = 0.1 if deficiency == "none" else 0.04  # what is just noticeable is about 0.02
    assert distances.min() > least


@pytest.mark.parametrize(("count", "least"), [(2, 18), (3, 7.9), (5, 3.9), (10, 1.8)])
def test_the_first_colours_can_be_told_apart_in_gray(count: int, least: float) -> None:
    lightness = 116 * np.cbrt(luminance_of(*FIRST[:count])) - 16  # CIE L*
    assert np.diff(np.sort(lightness)).min() >= least


def test_the_others_are_far_from_those_before_them_in_the_beginning() -> None:
    colors = to_oklab(linear_of(*class_palette()[:40]))
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)[np.triu_indices(40, 1)]
    assert distances.min() > 0.04
