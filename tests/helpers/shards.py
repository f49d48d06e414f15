"""Small shards, so that a few images are many parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from review_embeddings.pipeline.stages.registry import STAGES


@contextmanager
def rows_a_shard(**rows: int) -> Iterator[None]:
    """Stages by name, each with so many rows a shard within the context."""
    before = list(STAGES)
    STAGES[:] = [
        replace(stage, rows=rows[stage.name]) if stage.name in rows else stage for stage in before
    ]
    try:
        yield
    finally:
        STAGES[:] = before
