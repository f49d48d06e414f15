"""What a run of any size takes, from measured rates and named assumptions: the table of that name in the README.

python -m tests.benchmarks.sizing
"""

from __future__ import annotations

from dataclasses import dataclass

IMAGES = (10_000, 1_000_000, 100_000_000)
CHECKPOINTS = (10, 100)

# -- assumed --------------------------------------------------------------------------------------------------------

DIMENSION, CLASSES, SIDE = 768, 100, 224
"""Of a ViT-B/16."""

GPU_IMAGES = 2_787
"""Images a second and GPU: that model on an RTX 4090 in mixed precision, as timm publishes it (benchmark-infer-amp-nchw-pt240-cu124-rtx4090)."""

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

# -- measured, on one core of an AMD EPYC without AMX unless said otherwise -------------------------------------------

PREPARED = 210.0
"""JPEG files of 500 x 375 pixels read, decoded, hashed and prepared, a second and core."""

EXACT_PRODUCTS = 60e9
"""Multiplications and additions a second and core, of the exact search in shards (`tests.benchmarks.cluster`)."""

APPROXIMATE = {10_000: 0.0, 1_000_000: 0.0}

EXACT_UP_TO = 250_000
"""Images that one process compares with each other."""


@dataclass(frozen=True)
class Size:
    """What a run of so many images and checkpoints takes."""

    images: int
    checkpoints: int

    @property
    def storage(self) -> float:
        """Bytes of the run folder, images in place."""
        return self.images * self.checkpoints * sum(ROW_BYTES.values())

    @property
    def pixels(self) -> float:
        """Bytes of the prepared images."""
        return self.images * PIXEL_BYTES

    @property
    def gpu_hours(self) -> float:
        """Forward passes."""
        return self.images * self.checkpoints / GPU_IMAGES / 3600

    @property
    def reading_hours(self) -> float:
        """Core hours until the images are prepared, once a run."""
        return self.images / PREPARED / 3600

    @property
    def exact_hours(self) -> float:
        """Core hours of the exact search for neighbours, all checkpoints."""
        return 2 * DIMENSION * self.images**2 * self.checkpoints / EXACT_PRODUCTS / 3600
