"""Photographs of CIFAR-10 and foreign images, as uint8 arrays (N, 32, 32, 3)."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

Pixels = NDArray[np.uint8]

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
"""Of Debian's package dataset-fashion-mnist."""


def photographs(dataset: Path, count: int) -> tuple[Pixels, NDArray[np.int64]]:
    """The first ``count`` of the training split, and their classes."""
    from pyarrow import parquet

    table = parquet.read_table(next(dataset.glob("train-*.parquet"))).slice(0, count)
    opened = [
        np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB"))
        for row in table.column("img").to_pylist()
    ]
    return np.stack(opened), np.array(table.column("label").to_pylist(), dtype=np.int64)


def strangers(kind: str, count: int, random: np.random.Generator, fashion: Path) -> Pixels:
    """A group of foreign images: ``gray``, ``coloured`` or ``patches``."""
    if kind == "patches":
        return patches(count, random)
    gray = clothes(count, random, fashion).astype(np.float64)[..., None] / 255
    if kind == "gray":
        return np.repeat(np.rint(255 * gray), 3, axis=3).astype(np.uint8)
    front, back = random.random((2, count, 1, 1, 3))
    return np.asarray(np.rint(255 * (gray * front + (1 - gray) * back)).astype(np.uint8))


def clothes(count: int, random: np.random.Generator, fashion: Path) -> Pixels:
    """Pictures of Fashion-MNIST where it is there, else scikit-learn's digits, (N, 32, 32)."""
    if fashion.is_file():
        packed = gzip.decompress(fashion.read_bytes())[16:]
        pixels = np.frombuffer(packed, dtype=np.uint8).reshape(-1, 28, 28)
    else:
        from sklearn.datasets import load_digits

        pixels = (load_digits().images * (255 / 16)).astype(np.uint8)
    chosen = random.choice(len(pixels), count, replace=False)
    return np.stack([resized(Image.fromarray(pixels[image])) for image in chosen])


def patches(count: int, random: np.random.Generator) -> Pixels:
    """Pieces of scikit-learn's two photographs."""
    from sklearn.datasets import load_sample_images

    found = []
    for photograph in random.choice(2, count):
        pixels = load_sample_images().images[photograph]
        top, left = (random.integers(0, side - 64) for side in pixels.shape[:2])
        found.append(resized(Image.fromarray(pixels[top : top + 64, left : left + 64])))
    return np.stack(found)


def resized(picture: Image.Image) -> Pixels:
    return np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR))


def changed(pixels: Pixels, number: int) -> Pixels:
    """The same of pixels."""
    return np.asarray(altered(Image.fromarray(pixels), number))


def altered(picture: Image.Image, number: int) -> Image.Image:
    """A near duplicate: cropped, as a poor JPEG, brighter or mirrored, in turns."""
    width, height = picture.size
    if number % 4 == 0:
        inner = (width // 16, height // 16, width - width // 16, height - height // 16)
        return picture.crop(inner).resize((width, height))
    if number % 4 == 1:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=40)
        return Image.open(buffer).convert("RGB")
    if number % 4 == 2:
        return ImageEnhance.Brightness(picture).enhance(1.25)
    return ImageOps.mirror(picture)
