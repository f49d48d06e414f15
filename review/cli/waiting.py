"""Waits for another process that writes to a run."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from review_embeddings.pipeline.errors import BusyError
from review_embeddings.pipeline.progress import activity
from review_embeddings.pipeline.run.locks import FOREVER, locked
from review_embeddings.review.cli.output import progress

R = TypeVar("R")
Options = TypeVar("Options", bound="Waiting")

STORE_SECONDS = 10.0
"""Between two tries where the lock lies in a store."""


class Waiting(Protocol):
    """Options of a command that may wait."""

    @property
    def wait(self) -> bool:
        """Whether it does, as `wait_option` says."""
        ...


def waits(command: Callable[[Options], None]) -> Callable[[Options], None]:
    """A command that begins anew, where its options say so, as soon as no other process has the
    run."""

    @functools.wraps(command)
    def call(options: Options) -> None:
        when_free(lambda: command(options), progress().note, wait=options.wait)

    return call


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
            with activity(""):
                time.sleep(STORE_SECONDS)
        else:
            _wait_for(busy.lock)


def _wait_for(lock: Path) -> None:
    """Wait until nobody holds a lock; it is let go of at once."""
    with activity(""), locked(lock, "", seconds=FOREVER):
        pass
