"""Seconds, processor seconds and peak memory of a program and all that it starts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psutil

PERIOD = 0.1
"""Seconds between two looks at the processes."""


@dataclass(frozen=True)
class Taken:
    """What processes took up to some moment."""

    processor: float
    """Seconds of all cores, user and system, of what has ended too."""
    mib: float
    """Largest sum of their memory so far; what processes share counts once."""


def processor_seconds(process: psutil.Process) -> float:
    """Of the process and of its children that ended and were waited for."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def mib_of(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.uss)) / 2**20


def total(what: Callable[[psutil.Process], float], processes: Iterable[psutil.Process]) -> float:
    """The sum over the processes; one that has ended meanwhile counts nothing."""
    found = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found += what(process)
    return found


class Watch:
    """Looks at some processes again and again, in a thread, until it is left."""

    def __init__(self, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self._processor = self._mib = 0.0
        self._lock, self._left = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self._thread.join()

    def taken(self) -> Taken:
        """Up to now."""
        self._look()
        return Taken(self._processor, self._mib)

    def _watch(self) -> None:
        while not self._left.wait(PERIOD):
            self._look()

    def _look(self) -> None:
        with self._lock:
            found = list(self._processes())
            self._processor = max(self._processor, total(processor_seconds, found))
            self._mib = max(self._mib, total(mib_of, found))


def tree(root: int) -> Callable[[], list[psutil.Process]]:
    """A process and all below it, as they are at the moment."""

    def now() -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(root)
            return [process, *process.children(recursive=True)]
        return []

    return now


def browsers() -> Iterator[psutil.Process]:
    """The processes of Chromium that this program has started."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                yield process
