"""Images for training: decoded, changed at random in a way that can be repeated."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from samples import picture

from review_embeddings.pipeline.errors import DatasetError, SettingsError
from review_embeddings.pipeline.images.dataset import open_dataset
from review_embeddings.pipeline.models.processor import Processor
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.training.augmentations import parse_augmentation
from review_embeddings.pipeline.training.images import (
    LabelledImages,
    augment,
    collate,
)


def labelled(folder: Path, **options: object) -> LabelledImages:
    from transformers import ViTImageProcessorPil

    opened = open_dataset(DatasetReference(str(folder), split="train"))
    assert opened.labels is not None
    processor = Processor(ViTImageProcessorPil(size={"height": 16, "width": 16}))
    return LabelledImages(opened, np.arange(len(opened.labels)), opened.labels, processor)


def pixels(images: LabelledImages, index: int) -> torch.Tensor:
    image = images[index]
    assert image is not None
    values = image["pixel_values"]
    assert isinstance(values, torch.Tensor)
    return values


def test_what_is_done_to_an_image_follows_from_seed_epoch_and_image_alone(
    image_folder: Path,
) -> None:
    first = labelled(image_folder).augmented(("crop", "shift", "flip"), seed=7, smallest=0)
    again = labelled(image_folder).augmented(("crop", "shift", "flip"), seed=7, smallest=0)
    _ = [again[place] for place in (9, 3, 3)]  # in another order, more than once
    assert all(pixels(first, place).equal(pixels(again, place)) for place in range(10))
    again.epoch = 1
    changed = [not pixels(first, place).equal(pixels(again, place)) for place in range(36)]
    assert sum(changed) > 30


def test_without_augmentation_the_processor_alone_speaks(image_folder: Path) -> None:
    images = labelled(image_folder)
    image = images.image(5)
    assert image is not None
    expected = images._processor([image])[0]
    row = images[5]
    assert row is not None
    assert np.array_equal(row["pixel_values"].numpy(), expected)
    assert row["labels"] == 0


def test_flip_mirrors_half_of_the_images_and_nothing_else() -> None:
    image = picture(0, seed=1)
    mirrored = np.asarray(ImageOps.mirror(image))
    generator = np.random.default_rng(0)
    results = [np.asarray(augment(image, ("flip",), generator, 0)) for _ in range(200)]
    flipped = [np.array_equal(result, mirrored) for result in results]
    assert all(
        flip or np.array_equal(result, np.asarray(image))
        for flip, result in zip(flipped, results, strict=True)
    )
    assert 70 < sum(flipped) < 130


@given(width=st.integers(1, 60), height=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_crop_is_a_part_of_at_least_half_the_area(width: int, height: int, seed: int) -> None:
    pixels = (
        np.arange(width * height * 3, dtype=np.uint32).reshape(height, width, 3).astype(np.uint8)
    )
    result = augment(Image.fromarray(pixels), ("crop",), np.random.default_rng(seed), 0)
    assert result.width <= width
    assert result.height <= height
    assert (result.width + 1) * (result.height + 1) >= 0.5 * width * height - 1


def test_a_shift_keeps_the_size_and_moves_by_at_most_an_eighth() -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[16, 16] = 255
    seen = set()
    for seed in range(60):
        result = np.asarray(
            augment(Image.fromarray(pixels), ("shift",), np.random.default_rng(seed), 0)
        )
        assert result.shape == (32, 32, 3)
        row, column = np.argwhere(result[..., 0] == 255)[0]
        seen.add((row - 16, column - 16))
    assert max(max(abs(a), abs(b)) for a, b in seen) == 4


def test_auto_crops_large_images_only() -> None:
    small, large = picture(0, seed=1, size=16), picture(0, seed=1, size=64)
    sizes = {
        augment(image, ("auto",), np.random.default_rng(seed), 32).size
        for image in (small, large)
        for seed in range(5)
    }
    assert (16, 16) in sizes
    assert (64, 64) not in sizes


def test_augmentations_are_read_and_wrong_ones_refused() -> None:
    assert parse_augmentation("auto") == ("auto",)
    assert parse_augmentation("flip, shift") == ("flip", "shift")
    for wrong in ("blur", "auto,flip", ""):
        with pytest.raises(SettingsError, match="--augment"):
            parse_augmentation(wrong)


def test_an_unreadable_image_is_left_out_of_its_batch_and_remembered(
    image_folder: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "pictures"
    shutil.copytree(image_folder, folder)
    (folder / "green" / "03.png").write_bytes(b"no image")
    images = labelled(folder)
    batch = collate([images[place] for place in range(12, 18)])
    assert batch["pixel_values"].shape == (5, 3, 16, 16)
    assert batch["labels"].tolist() == [1] * 5
    assert np.flatnonzero(images.unreadable.numpy()).tolist() == [15]
    with pytest.raises(DatasetError, match="The only image of a batch cannot be read"):
        collate([images[15]])
