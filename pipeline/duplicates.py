"""Groups images that are there more than once: the same file, or the same picture cropped, mirrored, brighter or stored anew.

Neighbours in the embedding propose pairs, at a distance that the data chooses, and the pixels decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.neighbors import Neighbors

if TYPE_CHECKING:
    from PIL import Image

KINDS = ("no", "near", "exact")
"""Not twice; the same picture in another file; the same file."""

CLOSE = 2.0
"""Pairs nearer than so many times the median distance to the nearest neighbour are looked at."""

CANDIDATES = 15
"""Neighbours that are searched in another split."""

THUMBNAIL = 32
"""Side in pixels of what is kept of a picture."""

SIDE = 24
"""Side in pixels of the views of it that are compared."""

COARSE = 8
"""Side in pixels of the first comparison, which most pairs do not pass."""

MAYBE = 0.6
"""Correlation there from which the views are compared."""

ALIKE, DETAIL = 0.95, 0.8
"""Least correlation of two views of the same picture, and of what is left of them without their smooth parts: a sky is like any sky."""

UNUSUAL, SURE = 8.0, 0.99
"""How many times the usual spread the details of copies are more alike than those of neighbours usually are; never asked for more than
the second number. In a data set of drawings or digits neighbours are much alike without being copies."""

SAMPLE = 2000
"""Pairs from which it is seen what is usual."""

CROPS = (1.0, 0.9375, 0.875, 0.8)
"""Parts of a picture's sides that are compared with the whole of the other."""


Pictures = Callable[[Sequence[int]], "Iterable[tuple[int, Image.Image]]"]


@dataclass(frozen=True)
class Duplicates:
    """Which images are there more than once; shape (N,) each."""

    group: NDArray[np.int64]
    """Place of the first image of the group; -1 for an image that is there once."""
    kind: NDArray[np.int8]
    """Index into `KINDS`: ``exact`` where another image of the group has the same bytes."""

    def labels_differ(self, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether an image's group has images of different labels, shape (N,); ``labels`` are class indices, -1 without one."""
        known = (self.group >= 0) & (labels >= 0)
        smallest, largest = np.full(len(labels), np.iinfo(np.int64).max), np.full(len(labels), -1)
        np.minimum.at(smallest, self.group[known], labels[known])
        np.maximum.at(largest, self.group[known], labels[known])
        return np.asarray((self.group >= 0) & (smallest[self.group] < largest[self.group]))


def near_duplicates(hashes: Sequence[str], neighbors: Neighbors, pictures: Pictures) -> NDArray[np.int64]:
    """Pairs of places of different files with the same picture, shape (P, 2), the smaller place first.

    ``hashes``: of each image's bytes; ``neighbors``: of one checkpoint; ``pictures`` gives the RGB images at some places, each with
    its place.
    """
    return _confirmed(_candidates(neighbors, hashes), pictures)


def group_duplicates(hashes: Sequence[str], pairs: NDArray[np.int64]) -> Duplicates:
    """Group images with the same bytes and those that are linked by ``pairs`` of places, shape (P, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    total = len(hashes)
    first_of: dict[str, int] = {}
    same = [(first_of.setdefault(value, place), place) for place, value in enumerate(hashes)]
    exact = np.array([pair for pair in same if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)
    links = np.concatenate([exact, pairs])
    ones = np.ones(len(links), dtype=np.int8)
    _, component = connected_components(coo_array((ones, (links[:, 0], links[:, 1])), shape=(total, total)), directed=False)
    first, counts = np.full(total, total, dtype=np.int64), np.bincount(component, minlength=1)
    np.minimum.at(first, component, np.arange(total))
    grouped = counts[component] > 1
    kind = np.where(grouped, KINDS.index("near"), KINDS.index("no")).astype(np.int8)
    kind[exact.ravel()] = KINDS.index("exact")
    return Duplicates(np.where(grouped, first[component], -1), kind)


@dataclass(frozen=True)
class Leaks:
    """Which images stand in another split too; shape (N,) each."""

    place: NDArray[np.int64]
    """Place of the first image of the other split that is the same; -1 for none."""
    kind: NDArray[np.int8]
    """Index into `KINDS`."""


def find_leaks(
    hashes: Sequence[str],
    embeddings: NDArray[np.floating],
    pictures: Pictures,
    others: tuple[Sequence[str], NDArray[np.floating], Pictures],
    *,
    device: str | None = None,
) -> Leaks:
    """Which of the images are in another split, as the same file or as the same picture, by the means of `near_duplicates`.

    ``hashes``, ``embeddings`` (shape (N, D)) and ``pictures`` of the reviewed images, and ``others``: the same of the other split, its
    embeddings of the same checkpoint.
    """
    from pipeline.neighbors import nearest_neighbors

    other_hashes, other_embeddings, other_pictures = others
    total = len(hashes)
    place, kind = np.full(total, -1, dtype=np.int64), np.zeros(total, dtype=np.int8)

    def both(places: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        yield from pictures([one for one in places if one < total])
        yield from ((one + total, picture) for one, picture in other_pictures([one - total for one in places if one >= total]))

    neighbors = nearest_neighbors(np.concatenate([embeddings, other_embeddings]), CANDIDATES, device=device)
    candidates = _candidates(neighbors, [*hashes, *other_hashes])
    pairs = _confirmed(candidates[(candidates[:, 0] < total) & (candidates[:, 1] >= total)], both)
    for one, other in pairs[::-1].tolist():  # the first one last
        place[one], kind[one] = other - total, KINDS.index("near")
    first_of: dict[str, int] = {}
    for number, value in enumerate(other_hashes):
        first_of.setdefault(value, number)
    for one, value in enumerate(hashes):
        if value in first_of:
            place[one], kind[one] = first_of[value], KINDS.index("exact")
    return Leaks(place, kind)


def _candidates(neighbors: Neighbors, hashes: Sequence[str]) -> NDArray[np.int64]:
    """Pairs of different files that lie much closer than neighbours usually do, the nearest first, shape (P, 2)."""
    if neighbors.indices.shape[1] == 0:
        return np.zeros((0, 2), dtype=np.int64)
    limit = CLOSE * float(np.median(neighbors.distances[:, 0]))
    rows, places = np.nonzero(neighbors.distances <= limit)
    others = neighbors.indices[rows, places].astype(np.int64)
    pairs = np.unique(np.sort(np.stack([rows, others], axis=1), axis=1), axis=0)
    different = np.array([hashes[one] != hashes[other] for one, other in pairs.tolist()], dtype=bool)
    return pairs[different] if len(pairs) else pairs


def _confirmed(pairs: NDArray[np.int64], pictures: Pictures) -> NDArray[np.int64]:
    """Those of the pairs whose pixels are alike."""
    thumbnails = {place: _thumbnail(picture) for place, picture in pictures(np.unique(pairs).tolist())}
    places = np.array(sorted(thumbnails), dtype=np.int64)
    pairs = pairs[np.isin(pairs, places).all(axis=1)]
    if not len(pairs):
        return pairs
    coarse = np.stack([_unit(_resized(thumbnails[place], COARSE, 1.0)) for place in places.tolist()])
    mirrored = coarse.reshape(-1, COARSE, COARSE, 3)[:, :, ::-1].reshape(len(coarse), -1)
    one, other = np.searchsorted(places, pairs).T
    maybe = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 4096):
        part = slice(start, start + 4096)
        first = coarse[one[part]]
        likenesses = [np.einsum("pd,pd->p", first, views[other[part]]) for views in (coarse, mirrored)]
        maybe[part] = np.maximum(*likenesses) >= MAYBE
    detail = _unusual_detail(pairs, thumbnails)
    pairs = pairs[maybe]
    alike = [place for place, pair in enumerate(pairs.tolist()) if is_same_picture(thumbnails[pair[0]], thumbnails[pair[1]], detail)]
    return pairs[alike]


def _unusual_detail(pairs: NDArray[np.int64], thumbnails: Mapping[int, Image.Image]) -> float:
    """From which correlation of their details two neighbours of this data set are copies: far above the median, by robust statistics."""
    chosen = pairs if len(pairs) <= SAMPLE else pairs[np.random.default_rng(0).choice(len(pairs), SAMPLE, replace=False)]
    details = {place: _unit(_details(_resized(thumbnails[place], SIDE, 1.0))) for place in np.unique(chosen).tolist()}
    usual = np.array([float(details[one] @ details[other]) for one, other in chosen.tolist()])
    middle = float(np.median(usual))
    spread = 1.4826 * float(np.median(np.abs(usual - middle)))
    return float(np.clip(middle + UNUSUAL * spread, DETAIL, SURE))


def _thumbnail(picture: Image.Image) -> Image.Image:
    from PIL import Image

    return picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=3.0)


def is_same_picture(one: Image.Image, other: Image.Image, detail: float = DETAIL) -> bool:
    """Whether one whole picture is like a view of the other, cropped or mirrored, at large and in its details."""
    for whole, seen in ((one, other), (other, one)):
        pixels = _resized(whole, SIDE, 1.0)
        crops = [_resized(seen, SIDE, crop) for crop in CROPS]
        views = [view for crop in crops for view in (crop, crop[:, ::-1])]
        alike = np.stack([_unit(view) for view in views]) @ _unit(pixels) >= ALIKE
        if any(_unit(_details(views[place])) @ _unit(_details(pixels)) >= detail for place in np.flatnonzero(alike)):
            return True
    return False


def _details(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of a picture without its smooth parts."""
    from scipy.ndimage import uniform_filter

    return np.asarray(pixels - uniform_filter(pixels, (5, 5, 1)))


def _resized(picture: Image.Image, side: int, crop: float) -> NDArray[np.float32]:
    """The middle of a picture, ``crop`` of its sides, as pixels of shape (side, side, 3)."""
    from PIL import Image

    width, height = picture.size
    left, top = width * (1 - crop) / 2, height * (1 - crop) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box=box), dtype=np.float32)


def _unit(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels as a vector of length 1 without their mean; zeros for one colour, which is like nothing."""
    flat = pixels.ravel() - pixels.mean()
    length = float(np.linalg.norm(flat))
    return np.asarray(flat / length if length > 1.0 else np.zeros_like(flat), dtype=np.float32)
