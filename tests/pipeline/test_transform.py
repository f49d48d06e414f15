"""Transforms of a person's: what is refused, and what tells two of them apart."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from samples import picture

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.training.recording.transform import Transform, probes, processor_of


def to_tensor(image: Any) -> torch.Tensor:
    """As torchvision's ToTensor."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def resized(image: Any, side: int = 8) -> torch.Tensor:
    return to_tensor(image.resize((side, side)))


def mirrored_at_times(image: Any, chance: float, draw: Callable[[], float]) -> torch.Tensor:
    tensor = resized(image)
    return tensor.flip(-1) if draw() < chance else tensor


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "two views": (lambda image: [resized(image), resized(image)], "2 results for one image"),
    "a pair": (lambda image: (resized(image), 3), "2 results for one image"),
    "two stacked views": (
        lambda image: torch.stack([resized(image)] * 2),
        "2 results for one image",
    ),
    "mirrored by torch": (
        lambda image: mirrored_at_times(image, 0.5, lambda: float(torch.rand(1))),
        "different results, by chance",
    ),
    "seldom mirrored by random": (
        lambda image: mirrored_at_times(image, 0.05, random.random),
        "different results, by chance",
    ),
    "mirrored by numpy": (
        lambda image: mirrored_at_times(image, 0.5, np.random.rand),
        "different results, by chance",
    ),
    "a picture": (lambda image: image, "gives a Image, not a tensor"),
    "a fault": (lambda image: image.no_such_thing, "does not take an RGB image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_one_tensor_for_an_image_is_refused(name: str) -> None:
    function, words = REFUSED[name]
    with pytest.raises(SettingsError, match=words):
        processor_of(function, None)


def test_one_that_keeps_the_size_takes_images_of_one_size_only() -> None:
    source = processor_of(to_tensor, None)
    assert source.digest != processor_of(resized, None).digest
    small, large = picture(0, seed=1, size=16), picture(0, seed=1, size=20)
    assert source.load().prepare([small, small]).shape == (2, 3, 16, 16)
    with pytest.raises(SettingsError, match="different sizes"):
        source.load().prepare([small, large])


def test_one_that_counts_its_calls_is_refused() -> None:
    calls: list[int] = []

    def counting(image: Any) -> torch.Tensor:
        calls.append(1)
        return resized(image) + len(calls)

    with pytest.raises(SettingsError, match="different results"):
        processor_of(counting, None)


def test_neither_or_both_are_refused() -> None:
    with pytest.raises(SettingsError, match="transform="):
        processor_of(None, None)
    with pytest.raises(SettingsError, match="transform="):
        processor_of(resized, object())
    with pytest.raises(SettingsError, match="no image processor"):
        processor_of(None, object())


def test_a_transform_that_draws_numbers_and_always_gives_the_same_is_taken() -> None:
    def state() -> list[Any]:
        of_numpy: Any = np.random.get_state()
        return [torch.get_rng_state().tolist(), of_numpy[1].tolist(), random.getstate()]

    before = state()
    processor_of(lambda image: mirrored_at_times(image, -1, random.random), None)
    assert state() == before


def test_two_transforms_are_told_apart_and_two_of_the_same_are_not() -> None:
    functions: list[Callable[[Any], Any]] = [
        resized,
        lambda image: resized(image, 9),
        lambda image: resized(image) - 1e-6,
        lambda image: resized(image).flip(0),
        lambda image: resized(image).flip(1),
        lambda image: resized(image).transpose(1, 2),
        lambda image: to_tensor(image.resize((8, 8), 0)),
        lambda image: resized(image.crop((0, 0, image.width - 1, image.height))),
        lambda image: resized(image.convert("L").convert("RGB")),
    ]
    digests = [processor_of(function, None).digest for function in functions]
    assert len(set(digests)) == len(functions)
    assert processor_of(lambda image: resized(image), None).digest == digests[0]


@pytest.mark.parametrize(
    "function",
    [
        resized,
        lambda image: resized(image).numpy(),
        lambda image: {"pixel_values": resized(image)[None]},
        lambda image: [resized(image)],
        lambda image: resized(image).double().requires_grad_(True),
    ],
)
def test_values_are_those_that_the_transform_gave(function: Callable[[Any], Any]) -> None:
    images = [picture(label, label) for label in range(3)]
    values = Transform(function).prepare(images)
    assert values.dtype == np.float32
    assert np.array_equal(values, torch.stack([resized(image) for image in images]).numpy())


def test_the_probes_can_tell() -> None:
    sizes = [picture.size for picture in probes()]
    assert all(width != height for width, height in sizes)
    for probe in probes():
        channels = np.asarray(probe).transpose(2, 0, 1)
        assert all(channel.std() > 20 for channel in channels)
        assert not np.array_equal(channels[0], channels[1])
        assert not np.array_equal(channels, channels[:, :, ::-1])
