"""Groups images that are there more than once: the same file, or the same picture cropped,
mirrored, brighter or stored anew.

Neighbours in the embedding propose pairs, at a distance that the data chooses, and the pixels
decide.
"""

from __future__ import annotations

import itertools
import math
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.categories import KINDS
from review_embeddings.pipeline.analysis.neighbors import Neighbors

if TYPE_CHECKING:
    from PIL import Image

CLOSE = 2.0
"""Pairs nearer than so many times the median distance to the nearest neighbour are looked at."""

CANDIDATES = 15
"""Neighbours that are searched in another split."""

THUMBNAIL = 32
"""Side in pixels of what is kept of an image."""

SIDE = 24
"""Side in pixels of the views of it that are compared."""

COARSE = 8
"""Side in pixels of the first comparison, which most pairs do not pass."""

MAYBE = 0.85
"""Correlation of some view with the other image from which they are compared in full."""

GLANCE = 0.84
"""The same as a quick glance sees it, which is less exact and has to lose none: rounding of pixels
is at most 0.001 levels there, of views 16 levels long 0.005 of a correlation with float16's."""

BLANK, FAINT = 0.5, 16.0
"""Lengths of views in levels: up to the first there is nothing to compare in them, and up to the
second a quick glance says nothing."""

ALIKE, DETAIL = 0.95, 0.8
"""Least correlation of two views of the same picture, and of what is left of them without their
smooth parts: a sky is like any sky."""

UNUSUAL, SURE = 8.0, 0.99
"""How many times the usual spread the details of copies are more alike than those of neighbours
usually are; never asked for more than the second number. In a data set of drawings or digits
neighbours are much alike without being copies."""

SAMPLE = 2000
"""Pairs from which it is seen what is usual."""

CROPS = (0.9375, 0.875, 0.8)
"""Parts of an image's sides that are compared with the whole of the other, beside the whole."""

VIEWS = 2 * (1 + len(CROPS))
"""Views of an image: the whole and its parts, each as it is and mirrored."""

BATCH = 1024
"""Images or pairs that are worked on at once."""

BLOCK = 1 << 16
"""Images whose pairs are listed at once."""

HELD = 32 << 20
"""Bytes that are taken from a file before its pages are let go."""


ReadImages = Callable[[Sequence[int]], "Iterable[tuple[int, Image.Image]]"]
"""Gives the RGB images of some indices, ascending, each with its index; `shrunk` will do."""


@dataclass(frozen=True)
class Duplicates:
    """Which images are there more than once; shape (N,) each."""

    group: NDArray[np.int64]
    """Index of the first image of the group; -1 for an image that is there once."""
    kind: NDArray[np.int8]
    """Index into `KINDS`: ``exact`` where another image of the group has the same bytes."""

    def labels_differ(self, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether an image's group has images of different labels, shape (N,); ``labels`` are class
        indices, -1 without one."""
        known = (self.group >= 0) & (labels >= 0)
        smallest, largest = np.full(len(labels), np.iinfo(np.int64).max), np.full(len(labels), -1)
        np.minimum.at(smallest, self.group[known], labels[known])
        np.maximum.at(largest, self.group[known], labels[known])
        return np.asarray((self.group >= 0) & (smallest[self.group] < largest[self.group]))


def near_duplicates(
    hashes: Sequence[str],
    neighbors: Neighbors,
    read: ReadImages | Looks,
    *,
    scratch: Path | None = None,
) -> NDArray[np.int64]:
    """Pairs of indices of different files that show the same, shape (P, 2), int64, the smaller
    index first.

    ``hashes``: of each image's bytes; ``neighbors``: of one checkpoint; ``read``: the images, or
    the looks that were taken at them for another checkpoint; ``scratch``: a folder with room for
    6 kB an image, by default the system's.
    """
    pairs = _candidates(neighbors, hashes)
    if isinstance(read, Looks):
        return _confirmed(pairs, read)
    with Looks(read, len(hashes), scratch) as looks:
        return _confirmed(pairs, looks)


def _first_with(hashes: Sequence[str]) -> NDArray[np.int64]:
    """Index of the first image with the same bytes, shape (N,); its own for one that comes once."""
    first_of: dict[str, int] = {}
    return np.fromiter(
        (first_of.setdefault(value, index) for index, value in enumerate(hashes)),
        dtype=np.int64,
        count=len(hashes),
    )


def group_duplicates(hashes: Sequence[str], pairs: NDArray[np.int64]) -> Duplicates:
    """Group images with the same bytes and those that are linked by ``pairs`` of indices, shape
    (P, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    total = len(hashes)
    first_one = _first_with(hashes)
    again = np.flatnonzero(first_one != np.arange(total))
    exact = np.stack([first_one[again], again], axis=1)
    links = np.concatenate([exact, pairs])
    ones = np.ones(len(links), dtype=np.int8)
    _, component = connected_components(
        coo_array((ones, (links[:, 0], links[:, 1])), shape=(total, total)), directed=False
    )
    first, counts = np.full(total, total, dtype=np.int64), np.bincount(component, minlength=1)
    np.minimum.at(first, component, np.arange(total))
    grouped = counts[component] > 1
    kind = np.where(grouped, KINDS.index("near"), KINDS.index("no")).astype(np.int8)
    kind[exact.ravel()] = KINDS.index("exact")
    return Duplicates(np.where(grouped, first[component], -1), kind)


@dataclass(frozen=True)
class LeakMatches:
    """Which images are in another split too; shape (N,) each."""

    index: NDArray[np.int64]
    """Index of the first image of the other split that is the same; -1 for none."""
    kind: NDArray[np.int8]
    """Index into `KINDS`."""


def find_leaks(
    hashes: Sequence[str],
    embeddings: NDArray[np.floating],
    read: ReadImages,
    others: tuple[Sequence[str], NDArray[np.floating], ReadImages],
    *,
    device: str | None = None,
    scratch: Path | None = None,
) -> LeakMatches:
    """Which of the images are in another split, as the same file or as a file that shows the same,
    by the means of `near_duplicates`.

    ``hashes``, ``embeddings`` (shape (N, D)) and ``read`` are of the reviewed images, ``others``
    the same of the other split, its embeddings of the same checkpoint. ``scratch`` as there.
    """
    from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors

    other_hashes, other_embeddings, read_others = others
    total = len(hashes)
    together = np.concatenate([embeddings, other_embeddings])
    neighbors = nearest_neighbors(together, CANDIDATES, device=device)
    pairs = _candidates(neighbors, [*hashes, *other_hashes])
    across = (pairs[:, 0] < total) & (pairs[:, 1] >= total)
    with Looks(_read_both(read, read_others, total), len(together), scratch) as looks:
        found = _confirmed(pairs[across], looks)
    matches, kind = np.full(total, -1, dtype=np.int64), np.zeros(total, dtype=np.int8)
    for index, other in found[::-1].tolist():  # the first one last
        matches[index], kind[index] = other - total, KINDS.index("near")
    first_of = {value: other for other, value in reversed(list(enumerate(other_hashes)))}
    for index, value in enumerate(hashes):
        if value in first_of:
            matches[index], kind[index] = first_of[value], KINDS.index("exact")
    return LeakMatches(matches, kind)


def _read_both(read: ReadImages, read_others: ReadImages, total: int) -> ReadImages:
    """Reads from two splits, the first of ``total`` images, as if they were one."""

    def both(indices: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        yield from read([index for index in indices if index < total])
        others = [index - total for index in indices if index >= total]
        yield from ((index + total, image) for index, image in read_others(others))

    return both


def _candidates(neighbors: Neighbors, hashes: Sequence[str]) -> NDArray[np.int32]:
    """Pairs of different files that lie much closer than neighbours usually do, shape (P, 2), the
    smaller index first, ascending."""
    if neighbors.indices.shape[1] == 0:
        return np.zeros((0, 2), dtype=np.int32)
    limit = CLOSE * float(np.median(neighbors.distances[:, 0]))
    total = len(neighbors.indices)
    near = [
        _codes_of(neighbors, slice(start, start + BLOCK), limit) for start in range(0, total, BLOCK)
    ]
    codes, first = np.unique(np.concatenate(near)), _first_with(hashes)
    del near
    pairs = np.empty((len(codes), 2), dtype=np.int32)
    np.floor_divide(codes, total, out=pairs[:, 0], casting="unsafe")
    np.remainder(codes, total, out=pairs[:, 1], casting="unsafe")
    return np.asarray(pairs[first[pairs[:, 0]] != first[pairs[:, 1]]])


def _codes_of(neighbors: Neighbors, rows: slice, limit: float) -> NDArray[np.int64]:
    """The pairs of some images and those of their nearest that are as near as that, each as one
    number that orders like the pair: the smaller index times N, and the larger."""
    others = neighbors.indices[rows].astype(np.int64)
    own = np.arange(rows.start, rows.start + len(others))[:, None]
    codes = np.minimum(own, others) * len(neighbors.indices) + np.maximum(own, others)
    return np.asarray(codes[neighbors.distances[rows] <= limit])


def _confirmed(pairs: NDArray[np.int32], looks: Looks) -> NDArray[np.int64]:
    """Those of the pairs whose pixels are alike."""
    pairs = pairs[looks.at(np.unique(pairs))[pairs].all(axis=1)]
    if not len(pairs):
        return pairs.astype(np.int64)
    detail = _unusual_detail(pairs, looks)
    maybe = np.flatnonzero(_may_seem_alike(pairs, looks))
    maybe = maybe[_seem_alike(pairs[maybe], looks)]
    alike = maybe[_are_alike(pairs[maybe], looks, detail)]
    return pairs[alike].astype(np.int64)


class Looks:
    """What is kept of images that are compared, each read once for all checkpoints. It lies in
    files, so that memory does not grow with it."""

    def __init__(self, read: ReadImages, total: int, folder: Path | None = None) -> None:
        self._read, self._place = read, np.full(total, -1, dtype=np.int32)
        self._thumbnails = _Rows((THUMBNAIL, THUMBNAIL, 3), np.uint8, folder)
        self._glances = _Rows((1 + len(CROPS), 3 * COARSE**2), np.float32, folder)

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, *_: object) -> None:
        self._thumbnails.close()
        self._glances.close()

    def at(self, wanted: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Look at images of these indices, ascending; at which of all it has looked, shape (N,):
        not at what cannot be read."""
        new = wanted[self._place[wanted] < 0].tolist()
        images = iter(self._read(new)) if new else iter(())
        while some := list(itertools.islice(images, BATCH)):
            small = np.stack([_thumbnail(image) for _, image in some])
            self._glances.add(_glanced(small))
            self._place[[index for index, _ in some]] = self._thumbnails.add(small)
        return self._place >= 0

    def thumbnails(self, indices: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Of images that it has looked at, shape (M, `THUMBNAIL`, `THUMBNAIL`, 3)."""
        return self._thumbnails[self._place[indices]]

    def glances(self, indices: NDArray[np.integer]) -> NDArray[np.float32]:
        """Of these, as `_glanced` gives them."""
        return self._glances[self._place[indices]]


class _Rows:
    """Rows of one shape in a file without a name, which is gone when it is closed."""

    def __init__(
        self, shape: tuple[int, ...], dtype: type[np.generic], folder: Path | None
    ) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this one
        self._map: mmap.mmap | None = None
        self._taken = self._count = 0

    def close(self) -> None:
        """Let go of them."""
        if self._map is not None:
            self._map.close()
        self._file.close()

    def add(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Append rows, and say where they are."""
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._count += len(rows)
        if self._map is not None:  # which lacks them
            self._map.close()
            self._map = None
        return np.arange(self._count - len(rows), self._count, dtype=np.int32)

    def __getitem__(self, indices: NDArray[np.integer]) -> NDArray[Any]:
        """A copy of some rows, shape ``indices.shape + shape``."""
        if self._map is None:
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        whole = np.frombuffer(self._map, self._dtype).reshape(-1, *self._shape)
        rows: NDArray[Any] = whole[indices]
        self._taken += rows.nbytes
        # the system keeps them as long as it has room
        if self._taken > HELD and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._taken = 0
        return rows


def _glanced(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The views of `_views` that are not mirrored as coarse vectors of length 1, of shape (N,
    views, 3 * COARSE**2), by few large products: zeros for one colour, NaN for a faint one."""
    across, down = _coarse_products()
    rows = np.matmul(down, thumbnails.reshape(len(thumbnails), THUMBNAIL, -1).astype(np.float32))
    parts = rows.reshape(len(rows), len(across), COARSE, -1)
    views = np.empty((*parts.shape[:2], 3 * COARSE**2), dtype=np.float32)
    for number, shrink in enumerate(across):
        small = parts[:, number].reshape(-1, shrink.shape[0]) @ shrink
        views[:, number] = small.reshape(len(rows), -1)
    views -= views.mean(axis=2, keepdims=True)
    lengths = np.sqrt(np.einsum("nvd,nvd->nv", views, views))[:, :, None]
    views /= np.maximum(lengths, FAINT)
    views[lengths[:, :, 0] <= BLANK] = 0.0
    views[((lengths > BLANK) & (lengths <= FAINT))[:, :, 0]] = np.nan
    return views


@cache
def _coarse_products() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What shrinks the rows of pixels with their colours, shape (views, 3 * THUMBNAIL, 3 *
    COARSE), and what the columns of all views, shape (views * COARSE, THUMBNAIL)."""
    shrinking = [_shrinking(COARSE, crop) for crop in (1.0, *CROPS)]
    colours = np.eye(3, dtype=np.float32)
    across = np.stack([np.kron(shrink.T, colours) for shrink in shrinking])
    return across, np.concatenate(shrinking)


def _may_seem_alike(pairs: NDArray[np.integer], looks: Looks) -> NDArray[np.bool_]:
    """Which pairs `_seem_alike` has to look at, shape (P,): all that it finds and few others."""
    may = np.zeros(len(pairs), dtype=bool)
    mirrored = np.arange(3 * COARSE**2).reshape(COARSE, COARSE, 3)[:, ::-1].ravel()
    for start in range(0, len(pairs), BATCH):
        part = slice(start, start + BATCH)
        chosen, among = np.unique(pairs[part], return_inverse=True)
        seen, ordered = looks.glances(chosen), among.reshape(-1, 2)
        whole = np.stack([seen[:, 0], seen[:, 0][:, mirrored]], axis=1)
        for one, other in (ordered.T, ordered[:, ::-1].T):
            unlike = np.matmul(whole[one], seen[other].swapaxes(1, 2)) < GLANCE
            may[part] |= ~unlike.all(axis=(1, 2))  # what is NaN is not known
    return may


def _seem_alike(pairs: NDArray[np.integer], looks: Looks) -> NDArray[np.bool_]:
    """Which pairs are worth the full comparison, shape (P,): those alike at a coarse glance."""
    seem = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), BATCH):
        part = slice(start, start + BATCH)
        chosen, among = np.unique(pairs[part], return_inverse=True)
        coarse = _unit(_views(looks.thumbnails(chosen), COARSE)).astype(np.float16)
        seen, ordered = coarse.astype(np.float32), among.reshape(-1, 2)
        for whole, other in (ordered.T, ordered[:, ::-1].T):
            seem[part] |= np.matmul(seen[other], seen[whole, 0, :, None]).max(axis=(1, 2)) >= MAYBE
    return seem


def _are_alike(pairs: NDArray[np.integer], looks: Looks, detail: float) -> NDArray[np.bool_]:
    """In which pairs one whole image is like a view of the other, cropped or mirrored, at large
    and in its details, shape (P,)."""
    alike = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 128):
        part = pairs[start : start + 128]
        chosen, among = np.unique(part, return_inverse=True)
        views = _views(looks.thumbnails(chosen), SIDE)
        at_large = _unit(views)
        for whole, seen in (among.reshape(part.shape).T, among.reshape(part.shape)[:, ::-1].T):
            likeness = np.matmul(at_large[seen], at_large[whole, 0, :, None])[:, :, 0]
            pair, view = np.nonzero(likeness >= ALIKE)
            details = (
                _unit(_details(pixels))
                for pixels in (views[seen[pair], view], views[whole[pair], 0])
            )
            alike[start + pair[np.einsum("pd,pd->p", *details) >= detail]] = True
    return alike


def _unusual_detail(pairs: NDArray[np.integer], looks: Looks) -> float:
    """From which correlation of their details two neighbours of this data set are copies: far above
    the median, by robust statistics."""
    chosen = (
        pairs
        if len(pairs) <= SAMPLE
        else pairs[np.random.default_rng(0).choice(len(pairs), SAMPLE, replace=False)]
    )
    one, other = (
        _unit(_details(_views(looks.thumbnails(indices), SIDE, crops=())[:, 0]))
        for indices in chosen.T
    )
    usual = np.einsum("pd,pd->p", one, other)
    middle = float(np.median(usual))
    spread = 1.4826 * float(np.median(np.abs(usual - middle)))
    return float(np.clip(middle + UNUSUAL * spread, DETAIL, SURE))


def shrunk(image: Image.Image) -> Image.Image:
    """All of an RGB image that is compared; of one that is shrunk already the same."""
    from PIL import Image

    return image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=3.0)


def _thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(shrunk(image))


def _views(
    thumbnails: NDArray[np.uint8], side: int, crops: Sequence[float] = CROPS
) -> NDArray[np.float32]:
    """The whole images and their middle parts, each as it is and mirrored, of shape (N, views,
    side, side, 3); the whole comes first."""
    pixels = thumbnails.astype(np.float32)
    views = []
    for crop in (1.0, *crops):
        shrink = _shrinking(side, crop)
        small = np.moveaxis(
            np.tensordot(shrink, np.tensordot(pixels, shrink, (2, 1)), (1, 1)), 0, 1
        )  # rows, N, channels, columns
        views += [np.moveaxis(small, 2, 3), np.moveaxis(small, 2, 3)[:, :, ::-1]]
    return np.stack(views, axis=1)


@cache
def _shrinking(side: int, crop: float) -> NDArray[np.float32]:
    """Pillow's bilinear resizing of the middle ``crop`` of a thumbnail's side as a matrix of shape
    (side, THUMBNAIL)."""
    from PIL import Image

    edge = THUMBNAIL * (1 - crop) / 2
    identity = Image.fromarray(np.eye(THUMBNAIL, dtype=np.float32))
    return np.asarray(
        identity.resize(
            (THUMBNAIL, side), Image.Resampling.BILINEAR, box=(0, edge, THUMBNAIL, THUMBNAIL - edge)
        )
    )


def _details(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of images, shape (N, side, side, 3), without their smooth parts."""
    from scipy.ndimage import uniform_filter

    return np.asarray(pixels - uniform_filter(pixels, (1, 5, 5, 1)))


def _unit(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images, shape (…, side, side, 3), as vectors of length 1 without their mean; zeros for one
    colour, which is like nothing."""
    flat = pixels.reshape(*pixels.shape[:-3], math.prod(pixels.shape[-3:]))
    flat = flat - flat.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=-1, keepdims=True)
    return np.asarray(
        np.where(lengths > 1.0, flat / np.maximum(lengths, 1.0), 0.0), dtype=np.float32
    )
