"""A lock in an object store, held as long as it is renewed. Knows no run folder."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from review_embeddings.pipeline.errors import BusyError
from review_embeddings.pipeline.run.records import record_of
from review_embeddings.pipeline.run.store import changed_at
from review_embeddings.pipeline.run.system import is_alive

LEASE_SECONDS = 120.0
"""After which a lock counts as left behind that nobody has renewed."""

RENEWAL_SECONDS = 30.0
"""After which a lock is renewed: several times in a lease."""


WAIT_SECONDS = 0.5
"""Between two tries to take a lock."""


@dataclass(frozen=True)
class _Owner:
    """Who holds a lock."""

    host: str
    process: int


class Lease:
    """A lock that is an object which only one process can create.

    One that nobody has renewed for `LEASE_SECONDS`, by the store's own clock, or whose process on
    this machine has ended, was left behind and is taken.
    """

    def __init__(self, store: Any, path: str) -> None:
        self._store = store
        self._path = path
        token = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "token": secrets.token_hex(8),
        }
        self._content = json.dumps(token).encode()

    def take(self, what: str, seconds: float = 0) -> None:
        """Take the lock, within so many ``seconds``. Raises BusyError, naming ``what`` is busy,
        where another process has it."""
        until = time.monotonic() + seconds
        while (owner := self._try_to_take()) is not None:
            if time.monotonic() >= until:
                raise BusyError(
                    f"{what} ({owner}). Wait until it has finished, or stop it; the lock of a "
                    f"machine that has gone ends by itself after {LEASE_SECONDS:.0f} seconds."
                )
            time.sleep(WAIT_SECONDS)

    def _try_to_take(self) -> str | None:
        """Who holds the lock; None once it is taken."""
        if self._create():
            return None
        owner = self._owner()
        if owner is not None:
            return owner
        with contextlib.suppress(FileNotFoundError):
            self._store.rm_file(self._path)
        return None if self._create() else "another process"

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lock, once taken, until the context is left, and give it back."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=[done], daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with contextlib.suppress(Exception):  # it ends by itself
                self._store.rm_file(self._path)

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(RENEWAL_SECONDS):
            with contextlib.suppress(Exception):  # the next time may be better
                self._store.pipe_file(self._path, self._content)

    def _create(self) -> bool:
        try:
            self._store.pipe_file(self._path, self._content, mode="create")
        except FileExistsError:
            return False
        return True

    def _owner(self) -> str | None:
        """Who holds the lock; None where it was left behind."""
        try:
            self._store.invalidate_cache()
            owner = record_of(_Owner, json.loads(self._store.cat_file(self._path)))
            renewed = changed_at(self._store.info(self._path))
        except (FileNotFoundError, ValueError):
            return None
        if owner.host == socket.gethostname() and not is_alive(owner.process):
            return None
        now = self._store_time()
        if now and renewed and (now - renewed).total_seconds() > LEASE_SECONDS:
            return None
        return f"process {owner.process} on {owner.host}"

    def _store_time(self) -> datetime | None:
        """The time by the store's own clock."""
        clock = f"{self._path}-{secrets.token_hex(4)}"
        self._store.pipe_file(clock, b"")
        now = changed_at(self._store.info(clock))
        self._store.rm_file(clock)
        return now
