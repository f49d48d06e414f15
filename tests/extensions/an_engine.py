"""A third engine on one page: processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from review_embeddings.pipeline.engines.kinds import ENGINE_KINDS, EngineKind, EngineOptions
from review_embeddings.pipeline.engines.work import Work, parts_of


class PoolEngine:
    """Two processes that have nothing from this one but what they are sent."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def map(self, work: Work, rows: int) -> Iterator[Any]:
        return self._pool.map(work, parts_of(work.total, rows))


@contextmanager
def start(options: EngineOptions) -> Iterator[PoolEngine]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield PoolEngine(pool)


KIND = EngineKind("pool", start, "two processes of this machine", spreads=True)


def registered_here() -> AbstractContextManager[EngineKind]:
    return ENGINE_KINDS.registered(KIND)
