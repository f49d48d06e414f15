"""The palettes of a film, chosen from its own colours, because quality and size of a GIF are what a
film is judged by: one for what moves, and one of its own for each frame in which more changes.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_COLORS = 255
"""One of the 256 colours of a GIF means "as in the frame before"."""

TRANSPARENT = 255
"""Its index."""

BITS = 6
"""Bits of each channel that tell the cells of the colour cube apart."""

CELLS = 1 << 3 * BITS

MAX_EXACT = 16
"""The most frequent colours, which stand in the palette as they are: the page, the classes, the
text."""

COUNTED = 8
"""Of so many pixels one is looked at for what is frequent."""

COARSE_BITS = 5
"""Bits of each channel that tell colours apart while they are divided."""

ENOUGH = 4
"""They are told apart better where there are not so many times as many as colours."""

ROUNDS = 3
"""Rounds of k-means after the colours were divided; seventeen more give 0.1 dB."""


@dataclass(frozen=True)
class Palette:
    """Up to 255 colours, and the nearest of them for every colour."""

    colors: NDArray[np.uint8]
    """Shape (n, 3), n <= 255."""
    nearest: NDArray[np.uint8]
    """Shape (CELLS,): index of the colour nearest to each cell of the colour cube."""

    def indices(self, pixels: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The nearest colour of each pixel as `whole_pixels` gives them, of any shape."""
        return self.nearest.take(_cells(pixels))

    @property
    def table(self) -> bytes:
        """As a GIF has it: 256 colours of three bytes."""
        padded = np.zeros((256, 3), dtype=np.uint8)
        padded[: len(self.colors)] = self.colors
        return padded.tobytes()


def make_palette(pixels: NDArray[np.uint32], count: int = MAX_COLORS) -> Palette:
    """The palette that changes some pixels least, given as `whole_pixels` gives them, in any order,
    at least one: the most frequent colours as they are, the others by k-means.

    Other colours have their nearest, too. ``count`` is at most `MAX_COLORS`. Sources of the method:
    Wu 1991, which divides the colours where they vary most, and Lloyd 1982, over the cells of the
    colour cube weighted by how often they occur.
    """
    used = _UsedColors.of(pixels)
    exact = _most_frequent(pixels, min(MAX_EXACT, count // 2))
    others = used.without(exact)
    more = _clustered(others, count - len(exact)) if len(others.means) else others.means
    colors = np.vstack([exact, np.rint(more).clip(0, 255).astype(np.uint8)])
    nearest = _nearest(colors, used)
    _map_exactly(nearest, exact)
    return Palette(colors, nearest)


class _UsedColors(NamedTuple):
    """Which colours occur, and how often."""

    cells: NDArray[np.int64]
    """Shape (U,): the cells of the colour cube that occur, ascending."""
    counts: NDArray[np.float64]
    """Shape (U,): pixels in each of them."""
    means: NDArray[np.float64]
    """Shape (U, 3): mean colour of these pixels."""

    @classmethod
    def of(cls, pixels: NDArray[np.uint32]) -> _UsedColors:
        cells = _cells(pixels)
        counts = np.bincount(cells, minlength=CELLS)
        used = np.flatnonzero(counts)
        number = np.empty(CELLS, dtype=np.int64)
        number[used] = np.arange(len(used))
        rows, found = number[cells], counts[used].astype(np.float64)
        sums = [
            np.bincount(rows, weights=pixels >> shift & 255, minlength=len(used))
            for shift in (0, 8, 16)
        ]
        return cls(used, found, np.stack(sums, axis=1) / found[:, None])

    def coarser(self) -> _UsedColors:
        """By cells of `COARSE_BITS`."""
        cells = np.zeros(len(self.cells), dtype=np.int64)
        for channel in range(3):
            bits = self.means[:, channel].astype(np.int64) >> 8 - COARSE_BITS
            cells |= bits << COARSE_BITS * channel
        counts: NDArray[Any] = np.bincount(cells, weights=self.counts)
        used = np.flatnonzero(counts)
        sums = [
            np.bincount(cells, weights=self.counts * self.means[:, channel])[used]
            for channel in range(3)
        ]
        return _UsedColors(used, counts[used], np.stack(sums, axis=1) / counts[used, None])

    def without(self, exact: NDArray[np.uint8]) -> _UsedColors:
        """Those cells that none of the exact colours is as good as equal to."""
        from scipy.spatial import cKDTree

        distance, _ = cKDTree(exact).query(self.means)
        kept = distance > 1
        return _UsedColors(self.cells[kept], self.counts[kept], self.means[kept])


def _most_frequent(pixels: NDArray[np.uint32], count: int) -> NDArray[np.uint8]:
    """The most frequent exact colours, shape (at most count, 3), at least one."""
    colors, counts = np.unique(pixels[::COUNTED], return_counts=True)
    kept = colors[np.argsort(-counts, kind="stable")[: max(1, count)]]
    return np.stack([kept & 255, kept >> 8 & 255, kept >> 16 & 255], axis=1).astype(np.uint8)


# -- the colours


class _Part(NamedTuple):
    """Some of the colours, in the order in which they are divided."""

    minus_error: float
    number: int
    members: NDArray[np.int64]
    mean: NDArray[np.float64]


def _clustered(used: _UsedColors, count: int) -> NDArray[np.float64]:
    """At most so many colours for the used ones, shape (n, 3)."""
    if len(used.means) <= count:
        return used.means
    coarse = used.coarser()
    colors = _divided(coarse if len(coarse.means) > ENOUGH * count else used, count)
    for _ in range(ROUNDS):
        _move_to_means(colors, used)
    return colors


def _divided(used: _UsedColors, count: int) -> NDArray[np.float64]:
    """The means of so many parts: again and again the part with the largest error is divided."""
    numbers = itertools.count()
    parts = [_part(used, next(numbers), np.arange(len(used.means)))]
    while len(parts) < count:
        worst = heapq.heappop(parts)
        if len(worst.members) < 2:  # the others as well have no error
            heapq.heappush(parts, worst)
            break
        for half in _halves(used, worst):
            heapq.heappush(parts, _part(used, next(numbers), half))
    return np.array([part.mean for part in parts])


def _part(used: _UsedColors, number: int, members: NDArray[np.int64]) -> _Part:
    weights, colors = used.counts[members], used.means[members]
    mean = (weights[:, None] * colors).sum(axis=0) / weights.sum()
    error = float((weights[:, None] * (colors - mean) ** 2).sum()) if len(members) > 1 else 0.0
    return _Part(-error, number, members, mean)


def _halves(used: _UsedColors, part: _Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divided by the channel in which it varies most, where that leaves the least error."""
    weights, away = used.counts[part.members], used.means[part.members] - part.mean
    along = away[:, np.argmax((weights[:, None] * away**2).sum(axis=0))]
    order = np.argsort(along, kind="stable")
    below, sums = np.cumsum(weights[order]), np.cumsum((weights * along)[order])
    above, rest = below[-1] - below[:-1], sums[-1] - sums[:-1]
    gain = sums[:-1] ** 2 / below[:-1] + rest**2 / above
    at = int(np.argmax(gain)) + 1
    return part.members[order[:at]], part.members[order[at:]]


def _move_to_means(colors: NDArray[np.float64], used: _UsedColors) -> None:
    """Each to the mean of the used colours that it is nearest to; in place."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(colors).query(used.means)[1]
    sums = np.bincount(nearest, weights=used.counts, minlength=len(colors))
    some = sums > 0
    for channel in range(3):
        values = used.counts * used.means[:, channel]
        total = np.bincount(nearest, weights=values, minlength=len(colors))
        colors[some, channel] = total[some] / sums[some]


# -- the nearest of them


def _cells(pixels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Cell of the colour cube that each pixel lies in."""
    mask, high = (1 << BITS) - 1, 8 - BITS
    cells: NDArray[Any] = (pixels >> high) & mask
    cells |= (pixels >> (8 + high - BITS)) & (mask << BITS)
    cells |= (pixels >> (16 + high - 2 * BITS)) & (mask << 2 * BITS)
    return cells


def _nearest(colors: NDArray[np.uint8], used: _UsedColors) -> NDArray[np.uint8]:
    """The nearest colour of every cell: of those that occur, by their mean; of the others, by the
    middle of 64 of them."""
    from scipy.spatial import cKDTree

    tree = cKDTree(colors.astype(np.float64))
    axis = (np.arange(1 << BITS - 2) + 0.5) * (1 << 10 - BITS)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], axis=-1)
    nearest: NDArray[Any] = np.asarray(tree.query(cube)[1]).astype(np.uint8)
    for direction in range(3):
        nearest = nearest.repeat(4, axis=direction)
    whole: NDArray[Any] = nearest.ravel()
    whole[used.cells] = tree.query(used.means)[1]
    return whole


def _map_exactly(nearest: NDArray[np.uint8], exact: NDArray[np.uint8]) -> None:
    """Let the cells of the exact colours, which are the first, stand for these, the more frequent
    one where two share a cell; in place."""
    whole: NDArray[Any] = exact.astype(np.uint32)
    cells = _cells(whole[:, 0] | whole[:, 1] << 8 | whole[:, 2] << 16).tolist()
    for index, cell in reversed(list(enumerate(cells))):
        nearest[cell] = index
