"""One palette for all frames of a film, chosen from their own colours, because quality and size of
a GIF are what a film is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.animation.encode.changes import whole_pixels

MAX_COLORS = 255
"""One of the 256 colours of a GIF means "as in the frame before"."""

BITS = 6
"""Bits of each channel that tell the cells of the colour cube apart."""

CELLS = 1 << 3 * BITS

MAX_EXACT = 32
"""The most frequent colours, which stand in the palette as they are: the page, the classes, the
text."""

KMEANS_ITERATIONS = 40


@dataclass(frozen=True)
class Palette:
    """Up to 255 colours for all frames of a film, and the nearest of them for every colour."""

    colors: NDArray[np.uint8]
    """Shape (n, 3), n <= 255."""
    nearest: NDArray[np.uint8]
    """Shape (CELLS,): index of the colour nearest to each cell of the colour cube."""

    @property
    def transparent(self) -> int:
        """The index that means "as in the frame before"."""
        return len(self.colors)

    def indices(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The nearest colour of each pixel, RGBA of shape (height, width, 4) to (height, width)."""
        return self.nearest.take(_cells(pixels))


def make_palette(frames: Iterable[NDArray[np.uint8]], count: int = MAX_COLORS) -> Palette:
    """The palette that changes the colours of some frames least: the most frequent as they are,
    k-means for the others.

    ``frames`` are RGBA; ``count`` at most `MAX_COLORS`. Source of the method: Lloyd 1982, by
    scikit-learn, over the cells of the colour cube weighted by how often they occur.
    """
    used = _UsedColors.of(frames)
    exact = used.most_frequent(min(MAX_EXACT, count // 2))
    colors = exact
    if len(used.cells) > count:
        colors = np.vstack([exact, _clustered(used, exact, count - len(exact))])
    elif len(used.cells):
        means = np.rint(used.means).astype(np.uint8)
        colors = np.unique(np.vstack([exact, means]), axis=0)[:count]
    nearest = _nearest(colors, used)
    _map_exactly(nearest, exact, colors)
    return Palette(colors, nearest)


@dataclass(frozen=True)
class _UsedColors:
    """Which colours occur in some frames, and how often."""

    cells: NDArray[np.int64]
    """Shape (U,): the cells of the colour cube that occur, ascending."""
    counts: NDArray[np.float64]
    """Shape (U,): pixels in each of them."""
    means: NDArray[np.float64]
    """Shape (U, 3): mean colour of these pixels."""
    frequent: dict[int, int]
    """Exact colours that are frequent in some frame, and how often they occur there."""

    @classmethod
    def of(cls, frames: Iterable[NDArray[np.uint8]]) -> _UsedColors:
        """Of every second pixel of every second row, which is enough to know what is frequent."""
        counts, sums, frequent = np.zeros(CELLS), np.zeros((CELLS, 3)), dict[int, int]()
        for whole in frames:
            pixels = np.ascontiguousarray(whole[::2, ::2])
            cells = _cells(pixels).ravel()
            counts += np.bincount(cells, minlength=CELLS)
            for channel in range(3):
                values = pixels[..., channel].ravel()
                sums[:, channel] += np.bincount(cells, weights=values, minlength=CELLS)
            _count_frequent(pixels, frequent)
        used = np.flatnonzero(counts)
        return cls(used, counts[used], sums[used] / counts[used, None], frequent)

    def most_frequent(self, count: int) -> NDArray[np.uint8]:
        """The most frequent exact colours, shape (at most count, 3)."""
        kept = sorted(self.frequent, key=lambda color: (-self.frequent[color], color))[:count]
        channels = [[color & 255, color >> 8 & 255, color >> 16 & 255] for color in kept]
        return np.array(channels, dtype=np.uint8)


def _count_frequent(pixels: NDArray[np.uint8], frequent: dict[int, int]) -> None:
    """Add the most frequent colours of a frame to ``frequent``."""
    colors, counts = np.unique(pixels.view("<u4"), return_counts=True)
    for index in np.argsort(-counts, kind="stable")[: 2 * MAX_EXACT].tolist():
        color = int(colors[index])
        frequent[color] = frequent.get(color, 0) + int(counts[index])


def _clustered(used: _UsedColors, exact: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """So many colours for the cells that none of the exact ones is as good as equal to."""
    from scipy.spatial import cKDTree
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    distance, _ = cKDTree(exact).query(used.means)
    others = distance > 1
    with threadpool_limits(1):  # the same sums, whatever the machine
        clusters = KMeans(count, n_init=1, max_iter=KMEANS_ITERATIONS, random_state=0)
        clusters.fit(used.means[others], sample_weight=used.counts[others])
    centers: NDArray[np.uint8] = np.rint(clusters.cluster_centers_).clip(0, 255).astype(np.uint8)
    return centers


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Cell of the colour cube that each pixel of (height, width, 4) lies in."""
    whole = whole_pixels(pixels)
    mask, high = (1 << BITS) - 1, 8 - BITS
    cells: NDArray[Any] = (whole >> high) & mask
    cells |= (whole >> (8 + high - BITS)) & (mask << BITS)
    cells |= (whole >> (16 + high - 2 * BITS)) & (mask << 2 * BITS)
    return cells


def _nearest(colors: NDArray[np.uint8], used: _UsedColors) -> NDArray[np.uint8]:
    """The nearest colour of every cell: of those that occur, by their mean; of the others, by the
    middle of eight of them."""
    from scipy.spatial import cKDTree

    tree = cKDTree(colors.astype(np.float64))
    axis = (np.arange(1 << BITS - 1) + 0.5) * (1 << 9 - BITS)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], axis=-1)
    _, nearest = tree.query(cube)
    for direction in range(3):
        nearest = nearest.repeat(2, axis=direction)
    whole: NDArray[np.uint8] = nearest.ravel().astype(np.uint8)
    whole[used.cells] = tree.query(used.means)[1]
    return whole


def _map_exactly(
    nearest: NDArray[np.uint8], exact: NDArray[np.uint8], colors: NDArray[np.uint8]
) -> None:
    """Let the cells of the exact colours stand for these, the more frequent one where two share a
    cell; in place."""
    corner = np.zeros((1, len(exact), 4), dtype=np.uint8)
    corner[0, :, :3] = exact
    index_of = {tuple(color): index for index, color in reversed(list(enumerate(colors.tolist())))}
    cells = _cells(corner)[0].tolist()
    for cell, color in reversed(list(zip(cells, exact.tolist(), strict=True))):
        nearest[cell] = index_of.get(tuple(color), nearest[cell])
