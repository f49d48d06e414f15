"""What a run of any size takes, from measured rates and named assumptions: the table of that name
in the README.

python -m tests.benchmarks.sizing
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

IMAGES = (10_000, 1_000_000, 100_000_000)
CHECKPOINTS = (10, 100)

# -- assumed

LARGEST_MEMORY = 256e9
"""Bytes of memory of a machine that can be had."""

DIMENSION, CLASSES, SIDE = 768, 100, 224
"""Of a ViT-B/16."""

GPU_IMAGES = 2_787
"""Images a second and GPU: that model on an RTX 4090 in mixed precision, as timm publishes it (its
results folder, pt240-cu124-rtx4090)."""

# -- counted

ROW_BYTES = {
    "embedding": 4 * DIMENSION,
    "probabilities": 4 * CLASSES,
    "neighbours and their distances": 2 * 4 * 15,
    "OOD score, label quality, map, trust, movement": 4 + 17 + 16 + 4 + 8,
    "row of the table": 84,  # measured: 60,000 images x 20 checkpoints, compressed
}
"""Bytes an image and checkpoint in the run folder."""

PIXEL_BYTES = 3 * SIDE**2
"""Bytes an image of the preprocessed images, which may be deleted."""

# -- measured, on one core of an AMD EPYC without AMX

PREPARED = 200.0
"""JPEG files of 500 x 375 pixels read, decoded, hashed and prepared, a second (`measure`)."""

EXACT_PRODUCTS = 30e9
"""Multiplications and additions a second in the exact search for neighbours in shards, choosing the
nearest included (`measure`)."""

EXACT_UP_TO = 250_000
"""Images that one process compares with each other; on Ray there is no such limit."""

PROGRAM, PROGRAM_BYTES = 1.8e9, 3_000
"""Bytes of memory of the program, and an image more beside its embedding at two checkpoints
(`tests.benchmarks.large`: 2.3 GB for 60,000 images of 768 numbers, 5.4 GB for a million of 64)."""


@dataclass(frozen=True)
class Size:
    """What a run of so many images and checkpoints takes."""

    images: int
    checkpoints: int

    @property
    def run_folder(self) -> float:
        """Bytes of the run folder, images in place."""
        return self.images * self.checkpoints * sum(ROW_BYTES.values())

    @property
    def pixels(self) -> float:
        """Bytes of the preprocessed images."""
        return self.images * PIXEL_BYTES

    @property
    def memory(self) -> float:
        """Bytes of memory of the program."""
        return PROGRAM + self.images * (PROGRAM_BYTES + 2 * 4 * DIMENSION)

    @property
    def reading(self) -> float:
        """Core seconds until the images are prepared, once a run."""
        return self.images / PREPARED

    @property
    def forward(self) -> float:
        """GPU seconds of the forward passes."""
        return self.images * self.checkpoints / GPU_IMAGES

    @property
    def search(self) -> float:
        """Core seconds of the exact search for neighbours."""
        return 2 * DIMENSION * self.images**2 * self.checkpoints / EXACT_PRODUCTS

    @property
    def engine(self) -> str:
        """What it is built with."""
        if self.images <= EXACT_UP_TO:
            return "local"
        return "ray, `--in-place`" if self.memory <= LARGEST_MEMORY else "parts of it"

    @property
    def index(self) -> str:
        """Where similar images are looked for."""
        if self.images <= EXACT_UP_TO:
            return "Milvus Lite, exact"
        return "Milvus server, HNSW" if self.memory <= LARGEST_MEMORY else "Milvus cluster, HNSW"


ROWS: dict[str, Callable[[Size], str]] = {
    "run folder": lambda size: in_bytes(size.run_folder),
    "preprocessed images": lambda size: in_bytes(size.pixels),
    "memory of the program": lambda size: in_bytes(size.memory),
    "reading, core hours": lambda size: in_hours(size.reading),
    "embedding, GPU hours": lambda size: in_hours(size.forward),
    "exact neighbours, core hours": lambda size: in_hours(size.search),
    "engine": lambda size: size.engine,
    "index": lambda size: size.index,
}


def as_markdown() -> str:
    """The table in the README."""
    sizes = [Size(images, checkpoints) for images in IMAGES for checkpoints in CHECKPOINTS]
    heading = [
        "images x checkpoints",
        *(f"{_in_words(size.images)} x {size.checkpoints}" for size in sizes),
    ]
    rows = [[name, *map(say, sizes)] for name, say in ROWS.items()]
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [heading, ["---"] * len(heading), *rows]
    )


def _in_words(images: int) -> str:
    return f"{images // 10**6} million" if images >= 10**6 else f"{images:,}"


def in_bytes(value: float) -> str:
    """With two digits."""
    unit = next(
        (unit for unit in ("TB", "GB", "MB") if value >= {"TB": 1e12, "GB": 1e9, "MB": 1e6}[unit]),
        "MB",
    )
    return f"{_two_digits(value / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6}[unit])} {unit}"


def in_hours(seconds: float) -> str:
    """With two digits, and none after a hundredth."""
    return "under 0.01" if seconds < 36 else _two_digits(seconds / 3600)


def _two_digits(value: float) -> str:
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def measure() -> None:
    """The two rates that are measured here, on one core."""
    import hashlib
    import io
    import tempfile
    import time
    from pathlib import Path

    import numpy as np
    import torch
    from PIL import Image
    from sklearn.datasets import load_sample_images
    from transformers import ViTImageProcessor

    from review_embeddings.pipeline.analysis.neighbors import nearest_of_rows
    from review_embeddings.pipeline.images.decode import decode, to_rgb
    from review_embeddings.pipeline.models.processor import load_processor

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
        processor = load_processor([folder])
        files = []
        for number in range(200):
            buffer = io.BytesIO()
            photograph = Image.fromarray(load_sample_images().images[number % 2]).crop(
                (number % 50, 0, 500 + number % 50, 375)
            )
            photograph.save(buffer, "JPEG", quality=90)
            (Path(folder) / f"{number}.jpg").write_bytes(buffer.getvalue())
            files.append(Path(folder) / f"{number}.jpg")
        started = time.perf_counter()
        for start in range(0, len(files), 64):
            contents = [file.read_bytes() for file in files[start : start + 64]]
            for content in contents:
                hashlib.sha256(content).hexdigest()
            processor.prepare([to_rgb(decode(content)) for content in contents])
        print(f"prepared: {len(files) / (time.perf_counter() - started):.0f} images/s")
    embeddings = np.random.default_rng(0).normal(size=(100_000, DIMENSION)).astype(np.float32)
    seconds = []
    for stop in (1, 4097):  # the first time with as good as no rows: what every shard takes
        started = time.perf_counter()
        nearest_of_rows(embeddings, 0, stop, 15)
        seconds.append(time.perf_counter() - started)
    print(
        f"exact search: "
        f"{2 * DIMENSION * len(embeddings) * 4096 / (seconds[1] - seconds[0]) / 1e9:.1f} billion a "
        f"second; {seconds}"
    )


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure()
    else:
        print(as_markdown())
