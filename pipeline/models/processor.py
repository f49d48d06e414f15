"""Turns decoded images into what a model takes, as its image processor would."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, DatasetError, reason_of
from review_embeddings.pipeline.hub import looked_up
from review_embeddings.pipeline.images.normalisation import MAX_LEVEL, Normalisation, to_levels
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.config import is_timm
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.inputs import check_takes_images
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)
from review_embeddings.pipeline.models.preprocessing import (
    COMMON,
    SETTINGS,
    base_name,
    given_settings,
    processor_file,
    read_settings,
)

if TYPE_CHECKING:
    import torch
    from PIL import Image


CHANNELS = 3

BANDS = "RGB"

MAX_LISTED = 3
"""Sizes that a message lists."""


PROBE_EDGE = 24
"""Edge of the probe pictures of a processor that keeps the size of images."""

PLAIN_EDGE = 8
"""Edge of a picture of one level."""

ALIKE = (1, 33, 77, 130, 201, 254)
"""Levels at which a picture of all levels has to give what one of this level alone does."""

MIN_PROBES = 2
"""Probe pictures that at least have to tell, one wide and one high."""


@dataclass(frozen=True)
class Geometry:
    """What becomes of an image's size: it is resized, then the middle of it is cut out."""

    width: int
    height: int
    crop: tuple[int, int, int, int] | None
    """Left, top, right and lower edge."""

    @staticmethod
    def of(processor: Any, width: int, height: int) -> Geometry | None:
        """By the common procedure (`preprocessing.COMMON`); None where the settings say more than
        this."""
        size = _resized_to(processor, width, height)
        if size is None:
            return None
        if not getattr(processor, "do_center_crop", False):
            return Geometry(*size, None)
        crop = _cropped_to(processor, *size)
        return None if crop is None else Geometry(*size, crop)

    def levels(self, image: Image.Image, resample: Any) -> NDArray[np.uint8]:
        """The RGB image in this size, shape (3, height, width). Pillow takes the bands apart in
        half the time that NumPy needs for it."""
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), resample)
        image = image if self.crop is None else image.crop(self.crop)
        planes = [np.frombuffer(image.tobytes("raw", band), np.uint8) for band in BANDS]
        return np.concatenate(planes).reshape(len(BANDS), image.height, image.width)


def _resized_to(processor: Any, width: int, height: int) -> tuple[int, int] | None:
    """Width and height after a processor's resizing; None where its setting is of another kind."""
    if not getattr(processor, "do_resize", False):
        return width, height
    size = _edges(processor, "size")
    if set(size) == {"height", "width"}:
        return size["width"], size["height"]
    if set(size) != {"shortest_edge"}:
        return None
    shortest, edge = min(width, height), size["shortest_edge"]
    sides = [edge if side == shortest else int(edge * side / shortest) for side in (width, height)]
    return sides[0], sides[1]


def _cropped_to(processor: Any, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The edges of a processor's central crop; None where it is larger than the image."""
    size = _edges(processor, "crop_size")
    if set(size) != {"height", "width"}:
        return None
    left, top = (width - size["width"]) // 2, (height - size["height"]) // 2
    if min(left, top) < 0:
        return None
    return left, top, left + size["width"], top + size["height"]


def _edges(processor: Any, name: str) -> dict[str, int]:
    """The edges that a setting names; empty where one is no positive whole number."""
    setting = dict(getattr(processor, name, None) or {})
    edges = {key: value for key, value in setting.items() if value is not None}
    is_whole = all(type(value) is int and value > 0 for value in edges.values())
    return edges if is_whole else {}


def _is_common(processor: Any) -> bool:
    """Whether a processor computes the common procedure and nothing else: by its class, which is
    transformers' own, and by all of its settings."""
    kind = type(processor)
    name = base_name(kind.__name__)
    if not _is_of_library(processor) or kind.__name__ != f"{name}Pil":
        return False
    settings = given_settings(vars(processor))
    if name not in COMMON or not settings.keys() <= SETTINGS:
        return False
    if COMMON[name] is None and settings.get("do_center_crop"):
        return False
    return _is_filter(settings.get("resample"))


def _is_of_library(processor: Any) -> bool:
    """Whether a class is transformers' own."""
    return type(processor).__module__.startswith("transformers.models.")


def _is_filter(resample: Any) -> bool:
    """Whether a setting is one of Pillow's filters."""
    from PIL import Image

    return isinstance(resample, int) and resample in list(Image.Resampling)


def _probes(processor: Any) -> list[Image.Image]:
    """Synthetic pictures on which every difference shows: coloured noise, wide and high, larger
    and smaller than what comes out."""
    from PIL import Image

    settings = [_edges(processor, name) for name in ("size", "crop_size")]
    edge = max((value for one in settings for value in one.values()), default=PROBE_EDGE)
    sizes = [
        (edge + 13, edge + 41),
        (edge + 38, edge + 9),
        (edge // 2 + 3, edge // 3 + 5),
        (edge // 3 + 2, edge // 2 + 7),
        (7, 2),
        (1, 5),
    ]
    noise = np.random.default_rng(0)
    return [
        Image.fromarray(noise.integers(0, 256, (height, width, CHANNELS), dtype=np.uint8))
        for width, height in sizes
    ]


class Processor:
    """A model's image processor. What it gives of an image depends on no other image."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    @cached_property
    def normalisation(self) -> Normalisation | None:
        """How it normalises; None where that is not known."""
        known = _normalisation(self._processor)
        if known is None or not _is_of_library(self._processor):
            return known
        return replace(known, values=self._values_of_levels(known))

    def _values_of_levels(self, known: Normalisation) -> list[list[float]] | None:
        """What the processor gives of each level, shape (3, 256); None where it does not follow
        from the level alone."""
        ramp = np.arange(MAX_LEVEL + 1, dtype=np.uint8)
        try:
            values = self._of_ramp(ramp)
            if values is None or not all(
                np.array_equal(values[:, one], self._of_level(one)) for one in ALIKE
            ):
                values = np.stack([self._of_level(one) for one in ramp.tolist()], axis=1)
        except CheckpointError:
            return None
        levels = to_levels(values[None, :, None], known)
        is_exact = levels is not None and bool((levels == ramp).all())
        return values.tolist() if is_exact else None

    def _of_ramp(self, ramp: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The values of all levels at once, from a picture that keeps its size; None where the
        processor gives it another one."""
        from PIL import Image

        edge = int(np.sqrt(len(ramp)))
        picture = Image.fromarray(np.repeat(ramp.reshape(edge, edge, 1), CHANNELS, axis=2))
        off = dict.fromkeys(("do_resize", "do_center_crop", "do_pad"), False)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some know none of these settings
                given = self._processor(picture, return_tensors="np", **off)["pixel_values"][0]
        except FAILURES:
            return None
        values = np.asarray(given, dtype=np.float32)
        is_whole = values.shape == (CHANNELS, edge, edge)
        return values.reshape(CHANNELS, -1) if is_whole else None

    def _of_level(self, level: int) -> NDArray[np.float32]:
        """The values of a picture that has one level everywhere, shape (3,)."""
        from PIL import Image

        picture = Image.new("RGB", (PLAIN_EDGE, PLAIN_EDGE), (level,) * CHANNELS)
        values = self([picture])[0]
        middle: NDArray[np.float32] = values[:, values.shape[1] // 2, values.shape[2] // 2]
        return middle

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """RGB images to 8-bit levels of shape (N, 3, height, width), or to float32 values where
        levels would lose something of one of them.

        May be called from several threads at once. Raises as a call does.
        """
        if self.normalisation is None:
            return self(images)
        levels = []
        for image in images:
            one = self._levels(image)
            if one is None:
                return self(images)
            levels.append(one)
        self._check_sizes([one.shape for one in levels])
        return np.stack(levels, out=np.empty((len(levels), *levels[0].shape), np.uint8))

    def _levels(self, image: Image.Image) -> NDArray[np.uint8] | None:
        """The levels of an image, shape (3, height, width); None where its values are not those of
        levels."""
        assert self.normalisation is not None
        geometry = Geometry.of(self._processor, *image.size) if self._by_pillow else None
        if geometry is not None:
            return geometry.levels(image, self._processor.resample)
        levels = to_levels(self([image]), self.normalisation)
        return None if levels is None else levels[0]

    @cached_property
    def _by_pillow(self) -> bool:
        """Whether Pillow alone gives the levels: the class and the settings say so, and no probe
        picture says otherwise. No image of a data set has a part in this."""
        if self.normalisation is None or not _is_common(self._processor):
            return False
        found = [self._is_exact(probe) for probe in _probes(self._processor)]
        return found.count(None) <= len(found) - MIN_PROBES and False not in found

    def _is_exact(self, probe: Image.Image) -> bool | None:
        """Whether Pillow alone gives the processor's levels of an image; None where it is not asked
        for images of its size."""
        assert self.normalisation is not None
        geometry = Geometry.of(self._processor, *probe.size)
        if geometry is None:
            return None
        try:
            exact = to_levels(self([probe]), self.normalisation)
        except CheckpointError:
            return False
        ours = geometry.levels(probe, self._processor.resample)
        return exact is not None and np.array_equal(exact[0], ours)

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """RGB images to float32 of shape (N, channels, height, width), each as the processor gives
        it alone. Raises DatasetError where they come out in different sizes, CheckpointError where
        the processor fails or gives no images."""
        import torch

        outputs = [self._values(image) for image in images]
        self._check_sizes([tuple(output.shape) for output in outputs])
        stacked: NDArray[np.float32] = torch.stack(outputs).float().numpy()
        return stacked

    def _values(self, image: Image.Image) -> torch.Tensor:
        """What the processor gives of an image, shape (channels, height, width)."""
        import torch

        try:
            output = self._processor(image, return_tensors="pt")
        except FAILURES as error:
            raise CheckpointError(
                f"{self._title} does not take these images: {reason_of(error)} "
                "Name another model's processor with --processor."
            ) from error
        given = output.get("pixel_values") if isinstance(output, Mapping) else None
        values = torch.as_tensor(given[0]) if given is not None and len(given) == 1 else None
        if values is None or values.ndim != len("CHW"):
            raise CheckpointError(
                f"{self._title} gives no array of channels x height x width for an image: it is "
                "made for a model that takes something else than one image at a time, and such a "
                "model cannot be embedded."
            )
        return values

    @property
    def _title(self) -> str:
        return f"The image processor {type(self._processor).__name__}"

    def _check_sizes(self, shapes: Sequence[tuple[int, ...]]) -> None:
        if len(set(shapes)) <= 1:
            return
        listed = sorted(set(shapes))[:MAX_LISTED]
        sizes = ", ".join("x".join(map(str, shape[1:])) for shape in listed)
        raise DatasetError(
            f"{self._title} gives images of different sizes ({sizes} ...). "
            "Switch its resizing or cropping on, or name another model's processor with "
            "--processor."
        )


FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What an image processor may raise for an image or a setting that it was not made for."""


OWN_TRANSFORMS = (
    "One for transforms of your own: ViTImageProcessor(size=dict(height=224, width=224), "
    "image_mean=[…], image_std=[…]).save_pretrained(FOLDER)."
)
"""For people whose training has no image processor."""


def load_processor(sources: Sequence[str | Path]) -> Processor:
    """Load the image processor from the first of the model folders or Hub names that has one.

    The Pillow backend is asked for, so that the values do not depend on whether torchvision is
    installed. Raises CheckpointError.
    """
    cause: Exception | None = None
    away, gone = None, list[str]()
    for source in sources:
        form = form_of(source)
        if form.processor_settings(Path(source)) is not None:
            return Processor(form.processor(Path(source)))
        config = form.config(Path(source))
        check_takes_images(config, name=f"The model {source}")
        if is_timm(config):
            require_timm(str(source))
        if file := processor_file(Path(source)):
            read_settings(file)
        try:
            with quiet_transformers(), looked_up(str(source)) as away:
                return Processor(
                    import_transformers().AutoImageProcessor.from_pretrained(
                        str(source), backend="pil"
                    )
                )
        except (
            OSError,
            ValueError,
            ImportError,
            TypeError,
            AttributeError,
            LookupError,
            ArithmeticError,
        ) as error:
            cause = error
            if away:
                gone.append(away)
    if cause is not None:
        raise_unavailable(cause, sources[0])
    folders = " or ".join(map(str, sources))
    lacking = re.search(r"Missing optional dependencies: ([\w, -]+)\.", str(cause))
    if lacking:
        raise CheckpointError(
            f"The image processor in {folders} needs {lacking[1]}, which is not installed, or does "
            f"not fit torch. Install both from one index, or name a processor of another class "
            f"with --processor."
        ) from cause
    raise CheckpointError(
        f"No image processor in {folders}{f', and {gone[0]}' if gone else ''}. Name the model "
        f"folder or Hub name whose processor fits with --processor. {OWN_TRANSFORMS}"
    ) from cause


def _normalisation(processor: Any) -> Normalisation | None:
    """By which settings the values may follow from levels; whether they do is asked of each
    image."""
    config = getattr(processor, "data_config", None)  # timm's processor keeps its settings there
    try:
        if isinstance(config, dict):
            return _affine(config.get("mean"), config.get("std"), 1 / MAX_LEVEL)
        mean, std = _mean_and_std(processor)
        is_rescaled = getattr(processor, "do_rescale", False)
        factor = float(getattr(processor, "rescale_factor", 0) or 0) if is_rescaled else 1.0
        return _affine(mean, std, factor)
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _affine(mean: Any, std: Any, factor: float) -> Normalisation | None:
    """``(level * factor - mean) / std``; one number for mean or std is that of every channel."""
    means, stds = _of_channels(mean), _of_channels(std)
    scale = [factor / one for one in stds]
    shift = [-m / s for m, s in zip(means, stds, strict=True)]
    is_usable = len(scale) == CHANNELS and np.isfinite(scale + shift).all() and all(scale)
    return Normalisation(scale, shift) if is_usable else None


def _of_channels(value: Any) -> list[float]:
    return [float(value)] * CHANNELS if isinstance(value, int | float) else list(map(float, value))


def _mean_and_std(processor: Any) -> tuple[Any, Any]:
    if not getattr(processor, "do_normalize", False):
        return 0.0, 1.0
    return getattr(processor, "image_mean", None), getattr(processor, "image_std", None)
