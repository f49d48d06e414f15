"""Whatever the image processor and the images, the values are those of the processor called on each
image alone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from samples import need
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from review_embeddings.pipeline.errors import CheckpointError, ReviewError
from review_embeddings.pipeline.images.normalisation import Normalisation, to_levels, to_values
from review_embeddings.pipeline.models.preprocessing import COMMON, ProcessorSettings, base_name
from review_embeddings.pipeline.models.processor import Processor, load_processor

BY_PILLOW = sorted(
    {
        str(classes["pil"])
        for classes in IMAGE_PROCESSOR_MAPPING_NAMES.values()
        if "pil" in classes and "timm" not in str(classes["pil"]).lower()
    }
)

BY_TORCHVISION = sorted(
    {
        str(classes["torchvision"])
        for classes in IMAGE_PROCESSOR_MAPPING_NAMES.values()
        if "pil" not in classes
    }
)
"""Where torchvision is not installed, these cannot be made."""

NAMES = BY_PILLOW + BY_TORCHVISION
"""All image processors of transformers but timm's."""

SLOW = {
    "AriaImageProcessorPil",
    "DeepseekVLHybridImageProcessorPil",
    "Emu3ImageProcessor",
    "Gemma4ImageProcessorPil",
    "Gemma4UnifiedImageProcessor",
    "Idefics3ImageProcessorPil",
    "Kosmos2_5ImageProcessorPil",
    "LlavaNextImageProcessorPil",
    "LlavaOnevisionImageProcessorPil",
    "MiniCPMOcrImageProcessor",
    "MiniCPMV4_6ImageProcessorPil",
    "NemotronH_Omni_Reasoning_V3ImageProcessor",
    "PerceptionLMImageProcessor",
    "Pix2StructImageProcessorPil",
    "SLANeXtImageProcessor",
    "SamImageProcessorPil",
    "Siglip2ImageProcessorPil",
    "SmolVLMImageProcessorPil",
}
"""Those that make large images whatever their settings: tried with few."""

CHANGES: list[dict[str, Any]] = [
    {},
    {"do_center_crop": True, "crop_size": {"height": 20, "width": 17}},
    {"size": {"height": 19, "width": 31}, "do_center_crop": False},
    {"size": {"shortest_edge": 21}, "do_center_crop": False, "do_flip_channel_order": True},
    {"size": {"shortest_edge": 15, "longest_edge": 33}, "resample": 0},
    {"size": {"max_height": 23, "max_width": 18}},
    {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 16, "width": 16}},
    {"resample": 1, "do_normalize": False},
    {"resample": 5, "image_mean": 0.4, "image_std": 0.3},
    {"do_pad": True, "pad_size": {"height": 70, "width": 70}},
    {"crop_pct": 0.9, "size": {"shortest_edge": 24}},
    {"do_rescale": False, "include_top": False},
    {"do_normalize": False, "rescale_factor": 1 / 127.5, "rescale_offset": True},
    {"do_reduce_labels": True, "do_convert_rgb": False},
    {"rescale_factor": 1 / 255**2, "image_std": [0.2, 0.3, 0.4]},
    {"do_normalize": True, "do_grayscale": True},
]
"""Settings beside those of each class; a class that does not know one keeps or ignores it."""


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


GRAY = noise(30, 40).convert("L").convert("RGB")

IMAGES = [
    GRAY,
    Image.new("RGB", (30, 40), (255, 255, 255)),
    Image.new("RGB", (40, 30)),
    noise(30, 40),
    noise(40, 30),
    noise(64, 5),
    noise(3, 50),
    noise(1, 1),
    noise(64, 64),
]
"""What cannot tell comes first."""


def made(name: str, changes: dict[str, Any]) -> Any:
    """A small one of a class; None where it does not take the settings."""
    try:
        processor = getattr(transformers, name)(**changes)
    except (TypeError, ValueError, AttributeError, ImportError, KeyError):
        return None
    for setting, edge in (("size", 32), ("crop_size", 28)):
        sizes = getattr(processor, setting, None)
        if setting not in changes and sizes:
            small = {key: min(value, edge) for key, value in dict(sizes).items() if value}
            setattr(processor, setting, type(sizes)(**small))
    return processor


EXACT = (*COMMON, "ConvNext", "TimmWrapper")
"""Beginnings of the names of classes whose values are met to the last bit."""


def alone(processor: Any, image: Image.Image) -> NDArray[np.float32] | None:
    """What a processor gives of one image; None where it fails or gives no image."""
    try:
        values = processor(image, return_tensors="pt")["pixel_values"]
    except Exception:
        return None
    if not isinstance(values, torch.Tensor) or len(values) != 1 or values.ndim != 4:
        return None
    return np.asarray(values[0].float())


def check(processor: Any, ours: Processor, images: list[Image.Image]) -> None:
    values = [alone(processor, image) for image in images]
    expected = [one for one in values if one is not None]
    if len(expected) < len(values) or len({one.shape for one in expected}) > 1:
        with pytest.raises(ReviewError):
            ours.prepare(images)
        return
    given = ours.prepare(images)
    if given.dtype == np.uint8:
        assert ours.normalisation is not None
        given = to_values(given, ours.normalisation)
    stacked = np.stack(expected)
    assert given.shape == stacked.shape
    if any(type(processor).__name__.startswith(one) for one in EXACT):
        np.testing.assert_array_equal(given, stacked)
    step = 1e-3 * float(np.ptp(stacked)) / 255  # a thousandth of a level
    np.testing.assert_allclose(given, stacked, rtol=1e-6, atol=min(1e-5, max(step, 1e-9)))


@pytest.mark.parametrize("name", NAMES)
def test_the_values_are_those_of_the_processor_on_each_image_alone(name: str) -> None:
    few = name in SLOW
    for changes in CHANGES[:1] if few else CHANGES:
        processor = made(name, changes)
        if processor is None:
            continue
        ours = Processor(processor)
        for batch in [IMAGES[:1], IMAGES[3:4]] if few else [IMAGES, [GRAY, IMAGES[3]]]:
            check(processor, ours, batch)
        for image in [] if few or changes else IMAGES[3:]:
            check(processor, ours, [image])


@pytest.mark.parametrize("name", COMMON)
def test_classes_of_the_common_procedure_give_the_same_with_complete_settings(name: str) -> None:
    """And are told apart where the settings leave something to the class."""
    complete = {
        "do_resize": True,
        "size": {"shortest_edge": 24},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.3, 0.2, 0.1],
    }
    plain = Processor(transformers.ViTImageProcessorPil(**complete))
    this = Processor(getattr(transformers, f"{name}Pil")(**complete))
    assert plain._by_pillow and this._by_pillow
    for image in (IMAGES[3], IMAGES[4]):
        np.testing.assert_array_equal(plain([image]), this([image]))
    assert ProcessorSettings(complete, name).is_plain
    for missing in ("resample", "image_mean", "size", "do_normalize", "rescale_factor"):
        rest = {key: value for key, value in complete.items() if key != missing}
        assert ProcessorSettings(rest, name).is_plain == (name == "ViTImageProcessor")
    default = getattr(transformers, f"{name}Pil")().do_center_crop
    assert bool(default) == bool(COMMON[name]), "where the settings do not say"


@pytest.mark.parametrize("name", sorted({base_name(name) for name in BY_PILLOW} - set(COMMON)))
def test_other_classes_are_never_taken_for_the_common_procedure(name: str) -> None:
    assert not ProcessorSettings({}, name).is_plain
    processor = made(f"{name}Pil", {}) if hasattr(transformers, f"{name}Pil") else None
    assert processor is None or not Processor(processor)._by_pillow


def test_levels_of_small_steps_and_of_other_channels() -> None:
    tiny = Normalisation(scale=[1e-5] * 3, shift=[0.0] * 3)
    between = np.full((1, 3, 1, 1), 10.4e-5, np.float32)  # no level, though only 4e-6 from one
    assert to_levels(between, tiny) is None
    ordinary = Normalisation(scale=[1 / 255] * 3, shift=[0.0] * 3)
    assert to_levels(np.zeros((1, 1, 2, 2), np.float32), ordinary) is None
    assert to_levels(np.full((1, 3, 2, 2), np.nan, np.float32), ordinary) is None


def test_the_values_are_those_of_timms_processor_on_each_image_alone() -> None:
    need(find_spec("timm") is not None, "timm")
    for settings in (
        {"input_size": [3, 32, 32], "crop_pct": 0.9, "interpolation": "bicubic"},
        {"input_size": [3, 24, 40], "crop_pct": 1.0, "crop_mode": "squash"},
        {"input_size": [3, 32, 32], "crop_mode": "border", "interpolation": "bilinear"},
    ):
        cfg = {**settings, "mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1]}
        processor = transformers.TimmWrapperImageProcessor(cfg, architecture="test_vit")
        ours = Processor(processor)
        for batch in (IMAGES[:5], [GRAY, IMAGES[3]], [IMAGES[5]], [IMAGES[7]]):
            check(processor, ours, batch)


def test_a_processor_that_needs_what_is_missing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "A", "size": 3}')
    text = "None could be imported. Missing optional dependencies: torchvision. Please install."

    def fail(*_: object, **__: object) -> None:
        raise ValueError(text)

    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", fail)
    with pytest.raises(CheckpointError, match="needs torchvision"):
        load_processor([tmp_path])
