"""Turns decoded images into what a model takes, as its image processor would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, DatasetError, reason_of
from review_embeddings.pipeline.images.normalisation import MAX_LEVEL, Normalisation, to_levels
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.inputs import check_takes_images
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)

if TYPE_CHECKING:
    from PIL import Image


CHANNELS = 3

MAX_LISTED = 3
"""Sizes that a message lists."""


@dataclass(frozen=True)
class Geometry:
    """What becomes of an image's size: it is resized, then the middle of it is cut out."""

    width: int
    height: int
    crop: tuple[int, int, int, int] | None
    """Left, top, right and lower edge."""

    @staticmethod
    def of(processor: Any, width: int, height: int) -> Geometry | None:
        """As the settings of a processor of transformers say; None where they say more than
        this."""
        if getattr(processor, "do_pad", False) or getattr(processor, "crop_pct", None) is not None:
            return None
        size = _resized_to(processor, width, height)
        if size is None:
            return None
        if not getattr(processor, "do_center_crop", False):
            return Geometry(*size, None)
        crop = _cropped_to(processor, *size)
        return None if crop is None else Geometry(*size, crop)

    def levels(self, image: Image.Image, resample: Any) -> NDArray[np.uint8]:
        """The image in this size, shape (3, height, width)."""
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), resample)
        return np.asarray(image if self.crop is None else image.crop(self.crop)).transpose(2, 0, 1)


def _resized_to(processor: Any, width: int, height: int) -> tuple[int, int] | None:
    """Width and height after a processor's resizing; None where its setting is of another kind."""
    if not getattr(processor, "do_resize", False):
        return width, height
    setting = dict(getattr(processor, "size", None) or {})
    size = {name: int(value) for name, value in setting.items() if value is not None}
    if set(size) == {"height", "width"}:
        return size["width"], size["height"]
    if set(size) != {"shortest_edge"}:
        return None
    shortest, edge = min(width, height), size["shortest_edge"]
    sides = [edge if side == shortest else int(edge * side / shortest) for side in (width, height)]
    return sides[0], sides[1]


def _cropped_to(processor: Any, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The edges of a processor's central crop; None where it is larger than the image."""
    setting = dict(getattr(processor, "crop_size", None) or {})
    across, down = int(setting.get("width") or 0), int(setting.get("height") or 0)
    left, top = (width - across) // 2, (height - down) // 2
    if min(left, top) < 0 or not (across and down):
        return None
    return left, top, left + across, top + down


class Processor:
    """A model's image processor."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._by_pillow = True
        self._sizes: set[tuple[int, int]] = set()
        self.normalisation = _normalisation(processor)
        """How it normalises; None where that is not known."""

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """RGB images to 8-bit levels of shape (N, 3, height, width), or to float32 values where
        levels would lose something.

        May be called from several threads at once. Raises as a call does.
        """
        if self.normalisation is None:
            return self(images)
        levels = self._levels_by_pillow(images)
        if levels is None:
            levels = self._levels_by_processor(images)
        if levels is None:
            values = self(images)
            levels = to_levels(values, self.normalisation)
        return values if levels is None else levels

    def _levels_by_pillow(self, images: Sequence[Image.Image]) -> NDArray[np.uint8] | None:
        """The levels from Pillow alone; None where the processor gives others, of the first image
        or the first of a new size."""
        if not self._by_pillow:
            return None
        geometries = [Geometry.of(self._processor, *image.size) for image in images]
        resample = getattr(self._processor, "resample", None)
        levels = [
            geometry.levels(image, resample)
            for geometry, image in zip(geometries, images, strict=True)
            if geometry is not None
        ]
        is_uniform = len(levels) == len(images) and len({one.shape for one in levels}) == 1
        if is_uniform and self._are_exact(images, levels):
            return np.stack(levels)
        self._by_pillow = False
        return None

    def _are_exact(
        self, images: Sequence[Image.Image], levels: Sequence[NDArray[np.uint8]]
    ) -> bool:
        """Whether levels are those of the processor, tried on the first image and on the first of
        each size that was not met before."""
        assert self.normalisation is not None
        first_of: dict[tuple[int, int], int] = {}
        for index, image in enumerate(images):
            if image.size not in self._sizes:
                first_of.setdefault(image.size, index)
        for index in sorted({0, *first_of.values()}):
            exact = to_levels(self(images[index : index + 1]), self.normalisation)
            if exact is None or not np.array_equal(exact[0], levels[index]):
                return False
        self._sizes.update(first_of)
        return True

    def _levels_by_processor(self, images: Sequence[Image.Image]) -> NDArray[np.uint8] | None:
        """The levels, from the processor with its arithmetic switched off; None where the first
        image shows that they are not these."""
        if getattr(self._processor, "do_pad", False):
            # whether an image is padded depends on its size: one does not speak for the others
            return None
        off = {"do_rescale": False, "do_normalize": False}
        try:
            levels = [
                self._processor(image, **off, return_tensors="np")["pixel_values"][0]
                for image in images
            ]
        except (TypeError, ValueError, RuntimeError):
            return None
        if any(one.dtype != np.uint8 or one.shape != levels[0].shape for one in levels):
            return None
        assert self.normalisation is not None
        exact = to_levels(self(images[:1]), self.normalisation)
        is_exact = exact is not None and np.array_equal(exact[0], levels[0])
        return np.stack(levels) if is_exact else None

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """RGB images to float32 of shape (N, 3, height, width). Raises DatasetError where they
        come out in different sizes."""
        import torch

        try:
            outputs = [
                self._processor(image, return_tensors="pt")["pixel_values"][0] for image in images
            ]
        except (ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"The image processor {type(self._processor).__name__} does not take these images: "
                f"{reason_of(error)} "
                "Name another model's processor with --processor."
            ) from error
        shapes = {tuple(output.shape) for output in outputs}
        if len(shapes) != 1:
            listed = sorted(shapes)[:MAX_LISTED]
            sizes = ", ".join("x".join(map(str, shape[1:])) for shape in listed)
            raise DatasetError(
                f"The image processor {type(self._processor).__name__} gives images of different "
                f"sizes ({sizes} ...). "
                "Switch its resizing or cropping on, or name another model's processor with "
                "--processor."
            )
        stacked: NDArray[np.float32] = torch.stack(outputs).float().numpy()
        return stacked


def load_processor(sources: Sequence[str | Path]) -> Processor:
    """Load the image processor from the first of the model folders or Hub names that has one.

    The Pillow backend is asked for, so that the values do not depend on whether torchvision is
    installed.
    """
    cause: Exception | None = None
    for source in sources:
        config = read_config(str(source))
        check_takes_images(config, name=f"The model {source}")
        if is_timm(config):
            require_timm(str(source))
        try:
            with quiet_transformers():
                return Processor(
                    import_transformers().AutoImageProcessor.from_pretrained(
                        str(source), backend="pil"
                    )
                )
        except (OSError, ValueError, ImportError, KeyError) as error:
            cause = error
    raise CheckpointError(
        f"No image processor in {' or '.join(map(str, sources))}. Name the model folder or Hub "
        f"name whose processor fits with --processor."
    ) from cause


def _normalisation(processor: Any) -> Normalisation | None:
    config = getattr(processor, "data_config", None)  # timm's processor keeps its settings there
    if isinstance(config, dict):
        mean, std, factor = config.get("mean"), config.get("std"), 1 / MAX_LEVEL
    else:
        mean, std = _mean_and_std(processor)
        is_rescaled = getattr(processor, "do_rescale", False)
        factor = float(getattr(processor, "rescale_factor", 0) or 0) if is_rescaled else 1.0
    if mean is None or std is None or len(list(mean)) != CHANNELS or not factor:
        return None
    return Normalisation(
        scale=[factor / float(s) for s in std],
        shift=[-float(m) / float(s) for m, s in zip(mean, std, strict=True)],
    )


def _mean_and_std(processor: Any) -> tuple[Any, Any]:
    if not getattr(processor, "do_normalize", False):
        return [0.0] * CHANNELS, [1.0] * CHANNELS
    return getattr(processor, "image_mean", None), getattr(processor, "image_std", None)
