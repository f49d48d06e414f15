"""The cache holds exactly what each model's own image processor gives, in 8 bits wherever that
loses nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from samples import picture
from transformers import (
    BeitImageProcessorPil,
    BitImageProcessorPil,
    ConvNextImageProcessorPil,
    DeiTImageProcessorPil,
    ViTImageProcessorPil,
)

from review_embeddings.pipeline.errors import CheckpointError, DatasetError
from review_embeddings.pipeline.images.normalisation import (
    Line,
    Normalisation,
    Steps,
    arithmetic_of,
    to_levels,
    to_values,
)
from review_embeddings.pipeline.images.pixels import PixelCache, Pixels
from review_embeddings.pipeline.models.processor import Processor, load_processor
from review_embeddings.pipeline.run.folder import RunFolder

PROCESSORS = {
    "vit": ViTImageProcessorPil(size={"height": 24, "width": 24}),
    "dinov2": BitImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 24, "width": 24}
    ),
    "deit": DeiTImageProcessorPil(
        size={"height": 28, "width": 28}, crop_size={"height": 24, "width": 24}
    ),
    "beit": BeitImageProcessorPil(size={"height": 24, "width": 24}),
    "convnext and swin": ConvNextImageProcessorPil(size={"shortest_edge": 24}, crop_pct=0.875),
    "not normalised": ViTImageProcessorPil(size={"height": 24, "width": 24}, do_normalize=False),
    "not rescaled": ViTImageProcessorPil(
        size={"height": 24, "width": 24}, do_rescale=False, do_normalize=False
    ),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_equals_the_processor_and_takes_8_bits(name: str, tmp_path: Path) -> None:
    processor = PROCESSORS[name]
    images = [picture(seed % 3, seed, size=20 + seed) for seed in range(7)]
    expected = torch.cat(
        [processor(image, return_tensors="pt")["pixel_values"] for image in images]
    )
    cache = PixelCache(RunFolder(tmp_path), Processor(processor), "digest")
    writer = cache.writer()
    for start in (0, 3, 6):
        writer.add(cache.prepare(images[start : start + 3]))
    writer.finish("images")
    pixels = cache.open("images")
    assert pixels is not None and pixels.array.dtype == np.uint8 and len(pixels) == 7
    torch.testing.assert_close(
        pixels.batch(0, 7, torch.device("cpu")), expected.float(), atol=2e-6, rtol=0
    )
    torch.testing.assert_close(
        pixels.batch(4, 6, torch.device("cpu")), expected[4:6].float(), atol=2e-6, rtol=0
    )
    assert cache.open("other images") is None


def test_values_that_8_bits_cannot_hold_are_kept_as_floats(tmp_path: Path) -> None:
    class Odd:
        """Like a processor that resizes in floating point; the first batch still fits 8 bits, the
        second does not."""

        do_rescale = do_normalize = True
        crop_pct = 1.0  # what Pillow alone is not asked for
        rescale_factor, image_mean, image_std = 1 / 255, [0.5] * 3, [0.5] * 3
        calls = 0

        def __call__(self, image: object, return_tensors: str) -> dict[str, list[torch.Tensor]]:
            self.calls += 1
            value = 10.0 if self.calls == 1 else 10.5
            return {"pixel_values": [torch.full((3, 2, 2), (value / 255 - 0.5) / 0.5)]}

    cache = PixelCache(RunFolder(tmp_path), Processor(Odd()), "digest")
    writer = cache.writer()
    for _ in range(2):
        writer.add(cache.prepare([picture(0, 0)]))
    writer.finish("images")
    pixels = cache.open("images")
    assert pixels is not None and pixels.array.dtype == np.float32
    values = pixels.batch(0, 2, torch.device("cpu"))[:, 0, 0, 0] * 0.5 + 0.5
    np.testing.assert_allclose(values.numpy() * 255, [10.0, 10.5], atol=1e-4)


def test_one_image_never_speaks_for_another() -> None:
    class Odd:
        """A processor that turns the channels of dark images, and of nothing else."""

        do_rescale = do_normalize = True
        rescale_factor, image_mean, image_std = 1 / 255, [0.5] * 3, [0.5] * 3
        calls = 0

        def __call__(self, image: Image.Image, return_tensors: str) -> dict[str, object]:
            self.calls += 1
            levels = np.moveaxis(np.asarray(image), -1, 0)
            levels = levels[::-1] if levels.mean() < 80 else levels
            return {"pixel_values": [torch.from_numpy((levels / 255 - 0.5) / 0.5).float()]}

    light = [picture(0, seed) for seed in range(3)]
    dark = [Image.fromarray(np.asarray(image) // 4) for image in light]
    processor = Odd()
    levels = Processor(processor).prepare([*light, *dark])
    assert levels.dtype == np.uint8 and processor.calls == 6
    np.testing.assert_array_equal(levels[0], np.asarray(light[0]).transpose(2, 0, 1))
    np.testing.assert_array_equal(levels[3], np.asarray(dark[0]).transpose(2, 0, 1)[::-1])


def test_pillow_alone_is_called_for_the_common_procedure_of_transformers_own_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, int]] = []
    original = BitImageProcessorPil.__call__

    def watched(processor: Any, image: Image.Image, **options: object) -> Any:
        calls.append(image.size)
        return original(processor, image, **options)

    shapes = [(40, 30)] * 4 + [(31, 64)] * 3 + [(40, 30)] * 2
    images = [picture(0, seed, size=64).resize(shape) for seed, shape in enumerate(shapes)]
    settings = {"size": {"shortest_edge": 28}, "crop_size": {"height": 24, "width": 24}}
    processor = BitImageProcessorPil(**settings)
    expected = processor(images, return_tensors="np")["pixel_values"]
    monkeypatch.setattr(BitImageProcessorPil, "__call__", watched)
    ours = Processor(processor)
    levels = ours.prepare(images)
    probes = len(calls)
    assert levels.dtype == np.uint8 and not set(calls) & set(shapes)
    ours.prepare(images[:3])
    assert len(calls) == probes, "the processor is tried once, with pictures of its own"
    assert ours.normalisation is not None
    np.testing.assert_array_equal(levels, to_levels(expected, ours.normalisation))

    class Mirrored(BitImageProcessorPil):  # type: ignore[misc]
        """A class of somebody's own: nothing is known of it."""

    Processor(Mirrored(**settings)).prepare(images)
    assert calls[probes:] == shapes


def test_levels_by_hand() -> None:
    normalisation = Normalisation(scale=[1 / 255] * 3, shift=[-0.5] * 3)
    values = np.array([0, 128, 255], dtype=np.float32).reshape(1, 3, 1, 1) / 255 - 0.5
    levels = to_levels(values.astype(np.float32), normalisation)
    assert levels is not None and levels.ravel().tolist() == [0, 128, 255]
    assert to_levels(values.astype(np.float32) + np.float32(0.001), normalisation) is None
    assert to_levels(np.full((1, 3, 1, 1), 2.0, np.float32), normalisation) is None


def exact(values: Any) -> NDArray[np.int32]:
    """Values of float32 by their bits, so that -0.0 is not 0.0."""
    return np.ascontiguousarray(np.asarray(values, dtype=np.float32)).view(np.int32)


@pytest.mark.parametrize("name", PROCESSORS)
def test_what_is_computed_is_what_is_in_the_table_to_the_last_bit(name: str) -> None:
    normalisation = Processor(PROCESSORS[name]).normalisation
    assert normalisation is not None
    way = arithmetic_of(normalisation)
    assert isinstance(way, Line if name == "not rescaled" else Steps)
    levels = np.random.default_rng(0).integers(0, 256, (5, 3, 7, 9), dtype=np.uint8)
    expected = exact(to_values(levels, normalisation))
    np.testing.assert_array_equal(exact(way(torch.from_numpy(levels))), expected)
    batch = Pixels(levels, normalisation).batch(0, 5, torch.device("cpu"))
    np.testing.assert_array_equal(exact(batch), expected)


@pytest.mark.parametrize("near", [1, 3 * 4 * 5 * 2, 1 << 18])
def test_images_are_computed_with_a_few_at_a_time(
    near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review_embeddings.pipeline.images.normalisation.NEAR_VALUES", near)
    levels = torch.randint(0, 256, (7, 3, 4, 5), dtype=torch.uint8)
    mean, std = (torch.tensor(one)[:, None, None] for one in ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]))
    given = Steps(255, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7])(levels)
    assert torch.equal(given, (levels.float() / 255 - mean) / std)
    given = Line([0.5, 0.6, 0.7], [0.1, 0.2, 0.3])(levels)
    assert torch.equal(given, levels.float() * std + mean)
    assert Steps(255, [0.0] * 3, [1.0] * 3)(levels[:0]).shape == (0, 3, 4, 5)


def test_steps_and_line_by_hand() -> None:
    levels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    steps, line = Steps(255, [0.5], [0.5]), Line([2.0], [-1.0])
    assert steps(levels).flatten().tolist() == pytest.approx([-1.0, -0.6, 1.0])
    assert line(levels).flatten().tolist() == [-1.0, 101.0, 509.0]


def test_a_table_that_no_arithmetic_gives_is_looked_up() -> None:
    """One bit of one level is another: so is every value of that level."""
    known = Processor(PROCESSORS["vit"]).normalisation
    assert known is not None
    table = known.table()
    table[1, 77] = np.nextafter(table[1, 77], np.float32(9))
    odd = replace(known, values=table.tolist())
    assert arithmetic_of(odd) is None and arithmetic_of(known) is not None
    levels = np.full((2, 3, 2, 2), 77, np.uint8)
    batch = Pixels(levels, odd).batch(0, 2, torch.device("cpu"))
    np.testing.assert_array_equal(exact(batch), exact(to_values(levels, odd)))
    assert arithmetic_of(Normalisation([0.0] * 3, [1.0] * 3)) is None  # of a damaged file


def test_images_of_different_sizes_are_refused() -> None:
    processor = Processor(ViTImageProcessorPil(do_resize=False))
    with pytest.raises(DatasetError, match="different sizes"):
        processor([picture(0, 0, size=16), picture(0, 0, size=18)])


def test_a_folder_without_a_processor(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="--processor"):
        load_processor([tmp_path])


def test_an_abandoned_cache_leaves_nothing(tmp_path: Path) -> None:
    cache = PixelCache(RunFolder(tmp_path), Processor(PROCESSORS["vit"]), "digest")
    writer = cache.writer()
    writer.add(cache.prepare([picture(0, 0)]))
    writer.abandon()
    assert cache.open("images") is None and not list((tmp_path / "cache").iterdir())


def test_a_cache_in_files_is_the_cache_in_one(tmp_path: Path) -> None:
    """Files of different lengths, one of them empty, one of float values."""
    processor = Processor(PROCESSORS["vit"])
    levels = processor.prepare([picture(seed % 3, seed) for seed in range(9)])
    assert processor.normalisation is not None
    for wide in (None, 3):
        batches = {0: levels[:4], 4: levels[4:4], 8: levels[4:5], 12: levels[5:]}
        if wide is not None:
            batches[8] = to_values(batches[8], processor.normalisation) + np.float32(0.001)
        one, many = (
            PixelCache(RunFolder(tmp_path / f"{name}-{wide}"), processor, "digest")
            for name in ("one", "many")
        )
        writer, parts = one.writer(), many.parts("these")
        for start in (12, 0, 8, 4):  # in any order
            part = parts.writer(start)
            part.add(batches[start])
            part.finish("these")
        for start in sorted(batches):
            writer.add(batches[start])
        writer.finish("images")
        assert many.open("images") is None
        parts.finish("images", sorted(batches))
        whole, pixels = one.open("images"), many.open("images")
        assert (
            whole is not None
            and pixels is not None
            and len(pixels) == len(whole) == 9
            and pixels.shape == whole.shape
        )
        assert pixels.array.dtype == whole.array.dtype == (np.uint8 if wide is None else np.float32)
        for start, stop in ((0, 9), (0, 4), (3, 5), (4, 5), (2, 8), (5, 9), (7, 20)):
            for place in (pixels, pixels.between(1, 9)):
                other = whole if place is pixels else whole.between(1, 9)
                np.testing.assert_array_equal(place.array[start:stop], other.array[start:stop])
                torch.testing.assert_close(
                    place.batch(start, stop, torch.device("cpu")),
                    other.batch(start, stop, torch.device("cpu")),
                    rtol=0,
                    atol=0,
                )
    parts.path(12).unlink()
    assert many.open("images") is None


def test_files_of_different_sizes_are_no_cache(tmp_path: Path) -> None:
    cache = PixelCache(RunFolder(tmp_path), Processor(PROCESSORS["vit"]), "digest")
    parts = cache.parts("these")
    for start, side in ((0, 16), (1, 18)):
        part = parts.writer(start)
        part.add(np.zeros((1, 3, side, side), np.uint8))
        part.finish("these")
    with pytest.raises(DatasetError, match="different sizes"):
        parts.finish("images", (0, 1))
