"""Copies that were encoded again with loss are found, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from samples import encoded

from review_embeddings.pipeline.images.decode import decode, to_rgb
from review_embeddings.review.comparison.recoded import (
    SAME,
    OneRun,
    Signature,
    recoded_pairs,
    recoding_distance,
)

COUNT = 12


def pictured(seed: int, size: tuple[int, int] = (40, 24)) -> Image.Image:
    """A photograph's stand-in: soft patches of colour with grain."""
    chance = np.random.default_rng(seed)
    patches = Image.fromarray(chance.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    soft = np.asarray(patches.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    return as_picture(soft + chance.normal(0, 3, soft.shape))


def as_picture(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def nearly(picture: Image.Image, seed: int, grain: float = 3.0) -> Image.Image:
    """The next one of a burst: the same but for its grain."""
    levels = np.asarray(picture, dtype=np.float64)
    return as_picture(levels + np.random.default_rng([seed, 1]).normal(0, grain, levels.shape))


def jpeg(picture: Image.Image, quality: int, **options: object) -> bytes:
    return encoded(picture, "JPEG", quality=quality, **options)


def again(file: bytes, quality: int) -> bytes:
    """A JPEG of what a file shows."""
    return jpeg(to_rgb(decode(file)), quality)


def side(files: Sequence[bytes], taken: Sequence[int] = ()) -> OneRun:
    signatures = [Signature.of(to_rgb(decode(one))) for one in files]
    free = ~np.isin(np.arange(len(files)), taken)
    return OneRun(signatures, free, lambda rows: [(row, files[row]) for row in rows])


@pytest.mark.parametrize("quality", [70, 75, 85, 95])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_copies_of_every_quality_are_found(kind: str, quality: int) -> None:
    first = [encoded(pictured(seed), kind) for seed in range(COUNT)]
    second = [again(one, quality) for one in reversed(first)]
    expected = {row: COUNT - 1 - row for row in range(COUNT)}
    assert recoded_pairs(side(first), side(second)) == expected
    assert recoded_pairs(side(second), side(first)) == expected, "whichever is the copy"


def test_grey_progressive_and_full_colour_copies_are_found() -> None:
    pictures = [pictured(seed) for seed in range(3)]
    grey = [one.convert("L") for one in pictures]
    assert recoded_pairs(
        side([encoded(one) for one in [*pictures, *grey]]),
        side(
            [
                *(jpeg(one, 80, progressive=True, subsampling=0) for one in pictures),
                *(jpeg(one, 80) for one in grey),
            ]
        ),
    ) == {row: row for row in range(6)}


def test_images_of_a_burst_are_not_mixed_up() -> None:
    burst = [nearly(pictured(0), seed) for seed in range(COUNT)]
    first = [encoded(one) for one in burst]
    second = [jpeg(one, 80) for one in burst]
    assert recoded_pairs(side(first), side(second)) == {row: row for row in range(COUNT)}
    for missing in range(COUNT):
        left = [row for row in range(COUNT) if row != missing]
        found = recoded_pairs(side([first[row] for row in left]), side(second))
        assert {row: left[partner] for row, partner in found.items()} == {row: row for row in left}


def test_an_image_that_has_its_partner_is_no_other_ones() -> None:
    """The second run holds the first image as it is, and once more as a copy with loss; of the
    burst's other image there is nothing."""
    picture = pictured(0)
    first = [encoded(picture), encoded(nearly(picture, 1, grain=0.5))]
    second = [encoded(picture), jpeg(picture, 80)]
    assert recoded_pairs(side(first, taken=[0]), side(second, taken=[0])) == {}


def test_two_that_cannot_be_told_apart_are_not_matched() -> None:
    """What differs is lost by the encoding."""
    levels = np.full((24, 40, 3), 90.0)
    one, other = as_picture(levels), levels.copy()
    other[3, 4] += 1
    copies = [jpeg(one, 60)]
    assert recoded_pairs(side([encoded(one)]), side(copies)) == {0: 0}
    assert recoded_pairs(side([encoded(one), encoded(as_picture(other))]), side(copies)) == {}


def test_what_is_no_jpeg_of_the_same_size_is_not_matched() -> None:
    picture = pictured(0)
    file = encoded(picture)
    half = picture.resize((20, 12))
    for other in (
        jpeg(half, 90),
        encoded(picture, "WEBP", quality=80),
        jpeg(nearly(picture, 1), 90),
        jpeg(picture, 40),
        jpeg(picture.rotate(180), 90),
        jpeg(as_picture(np.asarray(picture) + 3.0), 90),
        b"no image",
    ):
        assert recoding_distance(file, other) > SAME
    assert recoding_distance(file, jpeg(picture, 90)) == 0
    assert recoded_pairs(side([file]), side([jpeg(half, 90)])) == {}
    assert recoded_pairs(side([]), side([file])) == recoded_pairs(side([file]), side([])) == {}
