"""What a build gives back."""

from __future__ import annotations

from dataclasses import dataclass

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo


@dataclass(frozen=True)
class Built:
    """A run whose table holds at least the checkpoints that were asked for."""

    run: RunFolder
    info: RunInfo
    images: RunImages
    manifest: table.Manifest
    wanted: list[int]
    """Steps that were asked for, ascending."""
    available: list[int]
    """Steps of all checkpoints of the run, in the table or not."""
    waiting: list[int]
    """Steps that were asked for and are still to be embedded, by a later call or another
    process."""
    seconds: dict[str, float]
    """Time spent in each stage that had something to do, without that of imports."""
    work: dict[str, int]
    """Images (or checkpoints) that each of these stages went through."""
