"""Work on many things in threads, results in their order."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WorkTimeoutError
from typing import Generic, TypeVar

from review_embeddings.pipeline.run import system

T = TypeVar("T")
R = TypeVar("R")


def worker_count() -> int:
    """Threads that decode images: one for each core that this process may use, Pillow lets go of
    Python's lock while it works."""
    return max(1, system.cores())


def in_threads(
    work: Callable[[T], R], items: Iterable[T], workers: int | None = None
) -> Iterator[R]:
    """Results in order, computed a few ahead in so many threads, `worker_count` by default."""
    workers = workers or worker_count()
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many of them; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


class NewestWork(Generic[R]):
    """One piece of work at a time in a thread of its own, kept with its result until another one is
    asked for. Nothing waits for the thread where the program ends. Safe to be asked from several
    threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._newest: tuple[object, Future[R]] | None = None

    def has(self, key: object) -> bool:
        """Whether the newest work is this one."""
        with self._guard:
            return self._newest is not None and self._newest[0] == key

    def done(self, key: object, work: Callable[[], R], seconds: float) -> R | None:
        """The result of the work that the key names, which is begun where the newest one has
        another key or has failed; None where it takes longer than so many seconds. Raises what the
        work raises, once."""
        future = self._future(key, work)
        try:
            return future.result(timeout=seconds)
        except WorkTimeoutError:
            if future.done():  # the work's own
                raise
            return None

    def _future(self, key: object, work: Callable[[], R]) -> Future[R]:
        with self._guard:
            if self._newest is not None and self._newest[0] == key:
                future = self._newest[1]
                if not future.done() or future.exception() is None:
                    return future
            future = Future()
            self._newest = (key, future)
        threading.Thread(target=self._run, args=(future, work), daemon=True).start()
        return future

    def _run(self, future: Future[R], work: Callable[[], R]) -> None:
        """Each after the one before: two at once would take the memory of both."""
        with self._turn:
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
