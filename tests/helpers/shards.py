"""Small shards, so that a few images are many parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from review_embeddings.pipeline.stages.registry import STAGES


@contextmanager
def rows_a_shard(**rows: int) -> Iterator[None]:
    """Stages by name, each with so many rows a shard within the context."""
    with ExitStack() as stack:
        for name, count in rows.items():
            stack.enter_context(STAGES.replaced(replace(STAGES[name], rows=count)))
        yield
