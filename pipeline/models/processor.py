"""Turns decoded images into what a model takes, as its image processor would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, DatasetError, reason_of
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)

if TYPE_CHECKING:
    from PIL import Image


EXACT = 1e-5
"""Largest error that counts as none; one 8-bit step is over a thousand times as much, float32
rounding a tenth of it."""


@dataclass(frozen=True)
class Normalisation:
    """``value = level * scale + shift`` for each channel: from 8-bit levels to what the model
    takes."""

    scale: list[float]
    shift: list[float]


@dataclass(frozen=True)
class Geometry:
    """What becomes of a picture's size: it is resized, then the middle of it is cut out."""

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
        if getattr(processor, "do_resize", False):
            size = dict(getattr(processor, "size", None) or {})
            wanted = {name: int(value) for name, value in size.items() if value is not None}
            if set(wanted) == {"height", "width"}:
                width, height = wanted["width"], wanted["height"]
            elif set(wanted) == {"shortest_edge"}:
                shortest, edge = min(width, height), wanted["shortest_edge"]
                width, height = (
                    edge if side == shortest else int(edge * side / shortest)
                    for side in (width, height)
                )
            else:
                return None
        if not getattr(processor, "do_center_crop", False):
            return Geometry(width, height, None)
        cut = dict(getattr(processor, "crop_size", None) or {})
        left, top = (
            (width - int(cut.get("width") or 0)) // 2,
            (height - int(cut.get("height") or 0)) // 2,
        )
        if min(left, top) < 0 or not (cut.get("width") and cut.get("height")):
            return None
        return Geometry(
            width, height, (left, top, left + int(cut["width"]), top + int(cut["height"]))
        )

    def levels(self, image: Image.Image, resample: Any) -> NDArray[np.uint8]:
        """The picture in this size, shape (3, height, width)."""
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), resample)
        return np.asarray(image if self.crop is None else image.crop(self.crop)).transpose(2, 0, 1)


class Processor:
    """A model's image processor."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._by_pillow = True
        self._sizes: set[tuple[int, int]] = set()
        self.normalisation = _normalisation(processor)
        """How it normalises; None where that cannot be told."""

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """RGB pictures to 8-bit levels of shape (N, 3, height, width), or to float32 values where
        levels would lose something.

        May be called from several threads at once. Raises as a call does.
        """
        if self.normalisation is None:
            return self(images)
        levels = self._drawn(images)
        if levels is None:
            levels = self._resized(images)
        if levels is None:
            values = self(images)
            levels = to_levels(values, self.normalisation)
        return values if levels is None else levels

    def _drawn(self, images: Sequence[Image.Image]) -> NDArray[np.uint8] | None:
        """The levels from Pillow alone; None where the processor gives others, of the first image
        or the first of a new size."""
        if not self._by_pillow:
            return None
        assert self.normalisation is not None
        geometries = [Geometry.of(self._processor, *image.size) for image in images]
        made = [
            geometry.levels(image, getattr(self._processor, "resample", None))
            for geometry, image in zip(geometries, images, strict=True)
            if geometry is not None
        ]
        if len(made) == len(images) and len({one.shape for one in made}) == 1:
            new = {
                image.size: place
                for place, image in reversed(list(enumerate(images)))
                if image.size not in self._sizes
            }
            exact = {
                place: to_levels(self(images[place : place + 1]), self.normalisation)
                for place in {0, *new.values()}
            }
            if all(
                levels is not None and np.array_equal(levels[0], made[place])
                for place, levels in exact.items()
            ):
                self._sizes.update(new)
                return np.stack(made)
        self._by_pillow = False
        return None

    def _resized(self, images: Sequence[Image.Image]) -> NDArray[np.uint8] | None:
        """The levels, from the processor with its arithmetic switched off; None where the first
        image shows that they are not these."""
        if getattr(self._processor, "do_pad", False):
            # whether an image is padded depends on its size: one does not speak for the others
            return None
        try:
            plain = [
                self._processor(image, do_rescale=False, do_normalize=False, return_tensors="np")[
                    "pixel_values"
                ][0]
                for image in images
            ]
        except (TypeError, ValueError, RuntimeError):
            return None
        if any(one.dtype != np.uint8 or one.shape != plain[0].shape for one in plain):
            return None
        assert self.normalisation is not None
        first = to_levels(self(images[:1]), self.normalisation)
        return np.stack(plain) if first is not None and np.array_equal(first[0], plain[0]) else None

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """RGB pictures to float32 of shape (N, 3, height, width). Raises DatasetError where they
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
            sizes = ", ".join("x".join(map(str, shape[1:])) for shape in sorted(shapes)[:3])
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
        if is_timm(read_config(str(source))):
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
        mean, std, factor = config.get("mean"), config.get("std"), 1 / 255
    else:
        factor = (
            float(getattr(processor, "rescale_factor", 0) or 0)
            if getattr(processor, "do_rescale", False)
            else 1.0
        )
        mean, std = getattr(processor, "image_mean", None), getattr(processor, "image_std", None)
        if not getattr(processor, "do_normalize", False):
            mean, std = [0.0] * 3, [1.0] * 3
    if mean is None or std is None or len(list(mean)) != 3 or not factor:
        return None
    return Normalisation(
        scale=[factor / float(s) for s in std],
        shift=[-float(m) / float(s) for m, s in zip(mean, std, strict=True)],
    )


def to_levels(
    values: NDArray[np.float32], normalisation: Normalisation
) -> NDArray[np.uint8] | None:
    """The 8-bit levels that ``values`` were computed from; None where they were not computed from
    any."""
    scale = np.array(normalisation.scale, dtype=np.float64)[:, None, None]
    shift = np.array(normalisation.shift, dtype=np.float64)[:, None, None]
    levels = np.rint((values - shift) / scale)
    if (
        levels.min() < 0
        or levels.max() > 255
        or np.abs(levels * scale + shift - values).max() > EXACT
    ):
        return None
    return levels.astype(np.uint8)


def to_values(levels: NDArray[np.uint8], normalisation: Normalisation) -> NDArray[np.float32]:
    """What 8-bit levels stand for."""
    scale = np.array(normalisation.scale, dtype=np.float32)[:, None, None]
    shift = np.array(normalisation.shift, dtype=np.float32)[:, None, None]
    return np.asarray(levels * scale + shift, dtype=np.float32)
