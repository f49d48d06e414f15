"""The engine that works in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from review_embeddings.pipeline.engines.kinds import EngineOptions
from review_embeddings.pipeline.engines.shards import stored_results
from review_embeddings.pipeline.engines.work import Work, close_encoder_loaders
from review_embeddings.pipeline.progress import SILENT, Progress


class LocalEngine:
    """All rows at once, in pieces as they come."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def map(self, work: Work, rows: int) -> Iterator[Any]:
        """As `Engine` says; only what is kept always is done in parts."""
        progress = self._progress if work.long else SILENT
        with progress.stage(work.title, total=work.total, unit="images") as advance:
            whole = work.keep != "always"
            for one in work.stream((0, work.total)) if whole else stored_results(work, rows):
                yield one
                advance(len(one))


@contextmanager
def start(options: EngineOptions) -> Iterator[LocalEngine]:
    """The engine of this process; models that it loads are let go of afterwards."""
    try:
        yield LocalEngine(options.progress)
    finally:
        close_encoder_loaders()
