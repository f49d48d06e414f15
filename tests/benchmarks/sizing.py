"""What a run of any size takes, from measured rates and named assumptions: the table of that name in the README.

python -m tests.benchmarks.sizing
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

IMAGES = (10_000, 1_000_000, 100_000_000)
CHECKPOINTS = (10, 100)

# -- assumed --------------------------------------------------------------------------------------------------------

LARGEST_MEMORY = 256e9
"""Bytes of memory of a machine that can be had."""

DIMENSION, CLASSES, SIDE = 768, 100, 224
"""Of a ViT-B/16."""

GPU_IMAGES = 2_787
"""Images a second and GPU: that model on an RTX 4090 in mixed precision, as timm publishes it (its results folder, pt240-cu124-rtx4090)."""

# -- counted --------------------------------------------------------------------------------------------------------

ROW_BYTES = {
    "embedding": 4 * DIMENSION,
    "probabilities": 4 * CLASSES,
    "neighbours and their distances": 2 * 4 * 15,
    "OOD score, label quality, map, trust, movement": 4 + 17 + 16 + 4 + 8,
    "row of the table": 84,  # measured: 60,000 images x 20 checkpoints, compressed
}
"""Bytes an image and checkpoint in the run folder."""

PIXEL_BYTES = 3 * SIDE**2
"""Bytes an image of the prepared images, which may be deleted."""

# -- measured, on one core of an AMD EPYC without AMX -----------------------------------------------------------------

PREPARED = 200.0
"""JPEG files of 500 x 375 pixels read, decoded, hashed and prepared, a second (`measure`)."""

EXACT_PRODUCTS = 30e9
"""Multiplications and additions a second in the exact search for neighbours in shards, choosing the nearest included (`measure`)."""

EXACT_UP_TO = 250_000
"""Images that one process compares with each other; on Ray there is no such limit."""

PROGRAM_BYTES = 4_000
"""Bytes of memory an image in the program itself, beside one checkpoint's embeddings (`tests.benchmarks.large`)."""


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
        """Bytes of the prepared images."""
        return self.images * PIXEL_BYTES

    @property
    def memory(self) -> float:
        """Bytes of memory of the program."""
        return 1e9 + self.images * (PROGRAM_BYTES + 4 * DIMENSION)

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
        """What does it, and where similar images are looked for."""
        if self.images <= EXACT_UP_TO:
            return "one process; Milvus Lite, exact"
        if self.memory <= LARGEST_MEMORY:
            return "Ray, `--in-place`; a Milvus server, HNSW"
        return "not this version: see below"


def row(size: Size) -> list[str]:
    """One row of the table."""
    return [
        f"{size.images:,}",
        str(size.checkpoints),
        in_bytes(size.run_folder),
        in_bytes(size.pixels),
        in_bytes(size.memory),
        in_hours(size.reading),
        in_hours(size.forward),
        in_hours(size.search),
        size.engine,
    ]


HEADINGS = [
    "images",
    "checkpoints",
    "run folder",
    "prepared images",
    "memory of the program",
    "reading, core hours",
    "embedding, GPU hours",
    "exact neighbours, core hours",
    "engine; index",
]


def as_markdown() -> str:
    """The table in the README."""
    rows = [row(Size(images, checkpoints)) for images in IMAGES for checkpoints in CHECKPOINTS]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [HEADINGS, ["---"] * len(HEADINGS), *rows])


def in_bytes(value: float) -> str:
    """With two digits."""
    unit = next((unit for unit in ("TB", "GB", "MB") if value >= {"TB": 1e12, "GB": 1e9, "MB": 1e6}[unit]), "MB")
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

    from pipeline.images import decode, to_rgb
    from pipeline.neighbors import nearest_of_rows
    from pipeline.pixels import load_processor

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
        processor = load_processor([folder])
        files = []
        for number in range(200):
            buffer = io.BytesIO()
            photograph = Image.fromarray(load_sample_images().images[number % 2]).crop((number % 50, 0, 500 + number % 50, 375))
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
    print(f"exact search: {2 * DIMENSION * len(embeddings) * 4096 / (seconds[1] - seconds[0]) / 1e9:.1f} billion a second; {seconds}")


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure()
    else:
        print(as_markdown())
