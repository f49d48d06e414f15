"""What an engine is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from review_embeddings.pipeline.engines.work import Work


class Engine(Protocol):
    """Where work is done. It has one method."""

    def map(self, work: Work, rows: int) -> Iterator[Any]:
        """The results of ``work`` for all its rows, in their order.

        An engine that spreads rows gives parts of ``rows`` rows to other processes; one that is
        lost is done again. One that does not may give the results in pieces of any size.
        """
