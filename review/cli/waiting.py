"""Waits for another process that writes to a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from review_embeddings.pipeline.errors import BusyError
from review_embeddings.pipeline.run.locks import FOREVER, locked

R = TypeVar("R")

STORE_SECONDS = 10.0
"""Between two tries where the lock lies in a store."""


def when_free(work: Callable[[], R], note: Callable[[str], None], *, wait: bool) -> R:
    """What ``work`` gives; with ``wait`` as soon as no other process has the run.

    Says once of each process whom it waits for. Raises BusyError without ``wait``.
    """
    last = ""
    while True:
        try:
            return work()
        except BusyError as error:
            if not wait:
                raise
            busy = error
        if str(busy) != last:
            last = str(busy)
            note(f"{last} Waiting for it; Ctrl-C ends this.")
        if busy.lock is None:
            time.sleep(STORE_SECONDS)
        else:
            _wait_for(busy.lock)


def _wait_for(lock: Path) -> None:
    """Wait until nobody holds a lock; it is let go of at once."""
    with locked(lock, "", seconds=FOREVER):
        pass
