"""Labelled images for training and evaluation: decoded, augmented at random, and as the model's
processor gives them. Knows no trainer.

What is done to an image at random is decided by the seed, the epoch and the image alone. So neither
the number of worker processes nor a resumed training changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.models.processor import Processor
from review_embeddings.pipeline.training.augmentations import AUTO, NONE

if TYPE_CHECKING:
    import torch

CROPPED_AREA = (0.5, 1.0)
CROPPED_ASPECT = (3 / 4, 4 / 3)
SHIFT = 1 / 8

MIRRORED_SHARE = 0.5

MAX_CROP_TRIES = 10
"""Random crops of which none may fit a long, narrow image; it then stays whole."""


def augment(
    image: Image.Image, kinds: Sequence[str], generator: np.random.Generator, smallest: int
) -> Image.Image:
    """The image changed at random; ``smallest`` is the side, in pixels, from which `AUTO`
    crops."""
    if kinds == (AUTO,):
        kinds = ("flip", "crop") if min(image.size) >= smallest else ("flip",)
    if "crop" in kinds:
        image = _crop(image, generator)
    if "shift" in kinds:
        image = _shift(image, generator)
    if "flip" in kinds and generator.random() < MIRRORED_SHARE:
        image = ImageOps.mirror(image)
    return image


def _crop(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A random part of the image. Source: Inception-style crops, Szegedy et al. 2015, with a
    larger smallest part."""
    width, height = image.size
    for _ in range(MAX_CROP_TRIES):
        area = width * height * generator.uniform(*CROPPED_AREA)
        aspect = np.exp(generator.uniform(*np.log(CROPPED_ASPECT)))
        across, down = round(float(np.sqrt(area * aspect))), round(float(np.sqrt(area / aspect)))
        if 0 < across <= width and 0 < down <= height:
            left = int(generator.integers(width - across + 1))
            top = int(generator.integers(height - down + 1))
            return image.crop((left, top, left + across, top + down))
    return image


def _shift(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The image moved by up to an eighth of its sides. Source: padded crops, He et al. 2016,
    section 4.2."""
    width, height = image.size
    x, y = int(width * SHIFT), int(height * SHIFT)
    pixels = np.pad(np.asarray(image), ((y, y), (x, x), (0, 0)), mode="symmetric")
    left, top = int(generator.integers(2 * x + 1)), int(generator.integers(2 * y + 1))
    return Image.fromarray(pixels[top : top + height, left : left + width])


class LabelledImages:
    """A torch data set of ``{"pixel_values", "labels"}``; None for an image that cannot be read."""

    def __init__(
        self,
        opened: OpenedDataset,
        chosen: NDArray[np.int64],
        labels: NDArray[np.int32],
        processor: Processor,
        root: Path | None = None,
    ) -> None:
        """Take the rows ``chosen`` of the split; ``labels`` (one for each of these) are indices
        into the classes of the head."""
        import torch

        assert opened.reference.image_column is not None
        self._column = opened.reference.image_column
        self._cells = opened.rows.select(chosen).select_columns([self._column])
        self._processor = processor
        self.ids = chosen
        self.labels = labels
        self.unreadable = torch.zeros(len(chosen), dtype=torch.bool).share_memory_()  # type: ignore[no-untyped-call]
        """Which images turned out to be unreadable, in whatever worker process."""
        self.epoch = 0
        self._kinds: tuple[str, ...] = (NONE,)
        self._seed = 0
        self._smallest = 0

    def augmented(self, kinds: tuple[str, ...], *, seed: int, smallest: int) -> LabelledImages:
        """This data set from now on with random changes; see `augment`."""
        self._kinds, self._seed, self._smallest = kinds, seed, smallest
        return self

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> Image.Image | None:
        """The decoded image without random changes; None where it cannot be read."""
        cell = self._cells[int(index)][self._column] or {}
        try:
            data = cell.get("bytes")
            return to_rgb(decode(read_file(cell.get("path") or "") if data is None else data))
        except UNREADABLE:
            self.unreadable[index] = True
            return None

    def __getitem__(self, index: int) -> dict[str, Any] | None:
        import torch

        image = self.image(index)
        if image is None:
            return None
        if self._kinds != (NONE,):
            generator = np.random.default_rng((self._seed, self.epoch, int(self.ids[index])))
            image = augment(image, self._kinds, generator, self._smallest)
        return {
            "pixel_values": torch.from_numpy(self._processor([image])[0]),
            "labels": int(self.labels[index]),
        }


def collate(rows: Sequence[dict[str, Any] | None]) -> dict[str, torch.Tensor]:
    """One batch of the images that could be read. Raises DatasetError where none could."""
    import torch

    readable = [row for row in rows if row is not None]
    if not readable:
        none = "The only image" if len(rows) == 1 else f"None of the {len(rows)} images"
        cannot = "cannot" if len(rows) == 1 else "can"
        raise DatasetError(f"{none} of a batch {cannot} be read. Check the files of the data set.")
    return {
        "pixel_values": torch.stack([row["pixel_values"] for row in readable]),
        "labels": torch.tensor([row["labels"] for row in readable]),
    }
