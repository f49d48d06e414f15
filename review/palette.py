"""Owns the colours of classes, the same on every page and in the film.

They have a contrast of 3:1 or more on a light and on a dark ground, and are as far from each other
as that allows for normal sight and both common kinds of colour blindness; the first ones also by
how light they are, which is what a gray print leaves.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

FIRST = (
    "#2652f7",
    "#de7b12",
    "#388679",
    "#de014a",
    "#9978d7",
    "#687d01",
    "#da3eaa",
    "#896247",
    "#5288bc",
    "#26a51a",
    "#b948df",
    "#af8c4f",
)
"""Those of a few classes, with names of their own: blue, orange, teal, red, violet, olive, ….

The ten first lie at ten even steps of lightness (CIE L*) over the whole range that `LUMINANCE`
leaves, in an order in which every few of them are far apart: 18 for two, 8 for three, 4 for five,
1.9 for ten.
"""

MOST = 1000
"""Colours that there are; more than anybody tells apart."""

LUMINANCE = (0.13, 0.298)
"""Relative luminances (WCAG 2) between which a contrast of 3:1 holds on #ffffff and on #15191f."""

MIN_CHROMA = 0.07
"""The least colourfulness, in Oklab: greys stand for what is faded or unknown."""

LEVELS = 26
"""Levels of each channel among which the others are chosen."""

LUMINANCE_OF = np.array([0.2126, 0.7152, 0.0722])

BLIND = (
    np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
)
"""What protanopes and deuteranopes see, in linear RGB. Source: Vienot, Brettel and Mollon 1999."""

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)

TO_OKLAB = np.array(
    [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
)
"""Source, as of `TO_CONES`: Ottosson 2020, "A perceptual color space for image processing"."""

Colors = NDArray[np.float64]
"""Shape (C, 3)."""


@cache
def class_palette() -> tuple[str, ...]:
    """`MOST` colours as ``#rrggbb``, that of a class by its code: `FIRST`, then always the one that
    is farthest from those before it."""
    linear = _candidates()
    seen = _sights(linear)
    sizes = (seen**2).sum(axis=2)
    chosen, nearest = list(FIRST), np.full(len(linear), np.inf)
    for name in FIRST:
        nearest = np.minimum(
            nearest, _differences(seen, sizes, _sights(to_linear(_channels(name))))
        )
    while len(chosen) < MOST:
        farthest = int(np.argmax(nearest))
        chosen.append(_hex(linear[farthest]))
        nearest = np.minimum(nearest, _differences(seen, sizes, seen[:, [farthest]]))
    return tuple(chosen)


def to_linear(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear RGB of sRGB, both in [0, 1]."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def to_oklab(linear: Colors) -> Colors:
    """Of linear RGB."""
    return np.asarray(np.cbrt(linear @ TO_CONES.T) @ TO_OKLAB.T)


def _candidates() -> Colors:
    """All that may be chosen, as linear RGB."""
    levels = to_linear(np.arange(LEVELS) / (LEVELS - 1))
    linear = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    shown, chroma = linear @ LUMINANCE_OF, np.linalg.norm(to_oklab(linear)[:, 1:], axis=1)
    chosen = (shown >= LUMINANCE[0]) & (shown <= LUMINANCE[1]) & (chroma >= MIN_CHROMA)
    return np.asarray(linear[chosen])


def _sights(linear: Colors) -> NDArray[np.float64]:
    """Oklab of colours for normal sight and each kind of `BLIND`, shape (3, C, 3)."""
    return np.stack([to_oklab(linear), *(to_oklab(linear @ kind.T) for kind in BLIND)])


def _differences(
    seen: NDArray[np.float64], sizes: NDArray[np.float64], one: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From all colours to one, shape (C,): the mean of normal sight and of the worse kind of
    blind sight. ``sizes``, shape (3, C): squares of the lengths of what is ``seen``."""
    products = np.matmul(seen, one[:, 0, :, None])[..., 0]
    squares = sizes - 2 * products + (one**2).sum(axis=2)
    normal, protan, deutan = np.sqrt(squares.clip(0))
    return np.asarray((normal + np.minimum(protan, deutan)) / 2)


def _channels(name: str) -> Colors:
    return np.array([[int(name[at : at + 2], 16) / 255 for at in (1, 3, 5)]])


def _hex(linear: NDArray[np.float64]) -> str:
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{channel:02x}" for channel in np.rint(255 * shown).astype(int).tolist())
