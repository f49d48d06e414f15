"""Finds the images of one run that are copies of another's, encoded again as JPEG, with loss.

Whether two images are the same is not guessed from how alike they are: the one is encoded with the
other's own quantization tables, and has to come out as the other. A pair counts only where each is
the other's best partner by far, among all images of both runs. Knows no run folder.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from review_embeddings.pipeline.images.decode import UNREADABLE, decode, open_image, to_rgb
from review_embeddings.pipeline.progress import SILENT, Advance, Progress

SIDE = 8
"""Side in pixels of what candidates are looked for by."""

CANDIDATES, NEAR = 8, 24.0
"""Images of the other run that are looked at of each one, and the largest root mean square
difference of their parts, in levels of 255."""

SAME = 1.0
"""Root mean square difference, in levels of 255, up to which one image comes out as the other."""

APART = 2.0
"""How many times as far the next best partner must be, from both sides."""

COARSEST = 60.0
"""Mean step of the quantization of brightness (that of quality 50 is 57.6): with more loss too many
images become the same, and nothing is matched."""

BRIGHTNESS = 0
"""Number of its table of quantization."""

BLOCK = 1024
"""Images that are looked at together."""

ReadFiles = Callable[[Sequence[int]], Iterable[tuple[int, bytes]]]
"""Gives the files of some rows, ascending, each with its row."""


@dataclass(frozen=True)
class Signature:
    """What candidates of an image are looked for by."""

    size: tuple[int, int]
    """Width and height."""
    coarse: NDArray[np.float32]
    """Shape (`SIDE` * `SIDE` * 3,): mean levels of its parts."""

    @classmethod
    def of(cls, picture: Image.Image) -> Signature:
        """Of an RGB image."""
        small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
        return cls(picture.size, np.asarray(small, np.float32).ravel())


@dataclass(frozen=True)
class OneRun:
    """N images of a run, no two of which show the same."""

    signatures: Sequence[Signature]
    free: NDArray[np.bool_]
    """Shape (N,): which have no partner yet. The others count as rivals."""
    read: ReadFiles

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Shape (N, 2)."""
        return np.array([one.size for one in self.signatures], np.int64).reshape(-1, 2)

    @cached_property
    def coarse(self) -> NDArray[np.float32]:
        """Shape (N, `SIDE` * `SIDE` * 3)."""
        rows = [one.coarse for one in self.signatures]
        return np.array(rows, np.float32).reshape(-1, SIDE * SIDE * 3)


def recoded_pairs(first: OneRun, second: OneRun, progress: Progress = SILENT) -> dict[int, int]:
    """Row of the partner in the first run, by row of the second: each other's best partner by
    far."""
    pairs = {*_candidates(first, second)} | {(b, a) for a, b in _candidates(second, first)}
    with progress.stage("comparing encodings", total=len(pairs), unit="pairs") as advance:
        distances = dict(_distances(first, second, sorted(pairs), advance))
    return dict(_mutual(distances, first.free, second.free))


def _candidates(one: OneRun, other: OneRun) -> Iterator[tuple[int, int]]:
    """Rows of ``other``'s free images, each with those of ``one`` that are coarsely nearest and as
    large: (row of one, row of other)."""
    for size in np.unique(other.sizes[other.free], axis=0):
        mine = np.flatnonzero((one.sizes == size).all(axis=1))
        theirs = np.flatnonzero((other.sizes == size).all(axis=1) & other.free)
        count = min(CANDIDATES, len(mine))
        known = one.coarse[mine]
        norms = np.square(known).sum(axis=1)
        for start in range(0, len(theirs) * bool(count), BLOCK):
            some = theirs[start : start + BLOCK]
            own = other.coarse[some]
            far = norms + np.square(own).sum(axis=1)[:, None] - 2 * own @ known.T
            near = np.argpartition(far, count - 1, axis=1)[:, :count]
            alike = np.take_along_axis(far, near, axis=1) <= NEAR**2 * known.shape[1]
            for place, column in np.argwhere(alike).tolist():
                yield int(mine[near[place, column]]), int(some[place])


def _distances(
    first: OneRun,
    second: OneRun,
    pairs: Sequence[tuple[int, int]],
    advance: Advance,
) -> Iterator[tuple[tuple[int, int], float]]:
    """How far the images of each pair are apart, of some pairs at a time."""
    for start in range(0, len(pairs), BLOCK):
        some = pairs[start : start + BLOCK]
        files = [
            dict(side.read(sorted({pair[number] for pair in some})))
            for number, side in enumerate((first, second))
        ]
        for one, other in some:
            yield (one, other), recoding_distance(files[0][one], files[1][other])
        advance(len(some))


def _mutual(
    distances: Mapping[tuple[int, int], float],
    first_free: NDArray[np.bool_],
    second_free: NDArray[np.bool_],
) -> Iterator[tuple[int, int]]:
    """(row of the second, row of the first) of the pairs that are close and each other's best by
    far, where both are free."""
    best = _best_of(distances, 0), _best_of(distances, 1)
    for (one, other), distance in distances.items():
        if distance > SAME or not (first_free[one] and second_free[other]):
            continue
        sides = best[0][one], best[1][other]
        if all(partner in (one, other) and _is_clear(distance, next_) for partner, next_ in sides):
            yield other, one


def _is_clear(distance: float, next_best: float) -> bool:
    return next_best > 0 and next_best >= APART * distance


def _best_of(distances: Mapping[tuple[int, int], float], side: int) -> dict[int, tuple[int, float]]:
    """By row of a side: its best partner, and how far the next best is."""
    found: dict[int, list[tuple[float, int]]] = {}
    for pair, distance in distances.items():
        found.setdefault(pair[side], []).append((distance, pair[1 - side]))
    best = {}
    for row, partners in found.items():
        ordered = sorted(partners)
        following = ordered[1][0] if len(ordered) > 1 else np.inf
        best[row] = ordered[0][1], following
    return best


# -- one image and another


def recoding_distance(first: bytes, second: bytes) -> float:
    """Root mean square difference, in levels of 255, of one image encoded as the other is and the
    other; infinite where neither is a JPEG that the other could have become."""
    try:
        pictures = to_rgb(decode(first)), to_rgb(decode(second))
    except UNREADABLE:
        return np.inf
    if pictures[0].size != pictures[1].size:
        return np.inf
    made = encoded_like(pictures[0], second), encoded_like(pictures[1], first)
    targets = pictures[1], pictures[0]
    return (
        min(
            difference(own, target)
            for own, target in zip(made, targets, strict=True)
            if own is not None
        )
        if any(made)
        else np.inf
    )


def difference(one: Image.Image, other: Image.Image) -> float:
    """Root mean square difference of two RGB images of the same size, in levels of 255."""
    apart = np.asarray(one, np.float32) - np.asarray(other, np.float32)
    return float(np.sqrt(np.square(apart).mean()))


def encoded_like(picture: Image.Image, file: bytes) -> Image.Image | None:
    """An RGB image after it was encoded with the quantization and sampling of a JPEG file; None
    where that is none, has lost too much, or is of other colours than grey and RGB."""
    stored = open_image(file)
    if not isinstance(stored, JpegImagePlugin.JpegImageFile) or stored.mode not in {"L", "RGB"}:
        return None
    if np.mean(stored.quantization[BRIGHTNESS]) > COARSEST:
        return None
    sampling = JpegImagePlugin.get_sampling(stored)
    buffer = io.BytesIO()
    picture.convert(stored.mode).save(
        buffer, "JPEG", qtables=stored.quantization, subsampling=sampling
    )
    return to_rgb(decode(buffer.getvalue()))
