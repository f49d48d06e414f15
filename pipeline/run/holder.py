"""Says who holds a lock: process, machine and since when, in a file beside the lock. The lock alone
counts; what is written here may be lost or left behind."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from review_embeddings.pipeline.errors import BusyError, ReviewError, StorageError
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.inside import open_inside, remove_file
from review_embeddings.pipeline.run.system import is_alive

ENDING = ".holder"
"""What follows the name of a lock in that of the file."""

MAX_BYTES = 4096
MAX_HOST = 100


@dataclass(frozen=True)
class LockHolder:
    """The process that holds a lock."""

    process: int
    host: str
    since: str
    """UTC, to the second."""

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since} UTC"


@contextmanager
def holding(lock: Path) -> Iterator[None]:
    """Say, until the context is left, that this process holds a lock. That it cannot be written is
    no reason not to work."""
    path = _file_of(lock)
    since = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    content = {"process": os.getpid(), "host": socket.gethostname(), "since": since}
    with contextlib.suppress(OSError, StorageError):
        _write(path, json.dumps(content).encode())
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:  # a fork does not hold it
            with contextlib.suppress(OSError, StorageError):
                remove_file(path)


def busy_error(what: str, lock: Path) -> BusyError:
    """That another process has a lock; ``what`` says what is busy, without a full stop."""
    holder = holder_of(lock)
    who = "" if holder is None else f" ({holder})"
    return BusyError(f"{what}{who}. Wait until it has finished, or stop it.", lock=lock)


def holder_of(lock: Path) -> LockHolder | None:
    """Who holds a lock that is held; None where that is not known."""
    try:
        content = read_json_file(_file_of(lock), MAX_BYTES)
        process, host, since = (content[name] for name in ("process", "host", "since"))
        when = datetime.strptime(since, "%Y-%m-%d %H:%M:%S")
    except (OSError, ReviewError, ValueError, TypeError, KeyError):
        return None
    known = isinstance(process, int) and isinstance(host, str) and host.isprintable()
    if not known or (host == socket.gethostname() and not _is_there(process)):
        return None
    return LockHolder(process, host[:MAX_HOST], when.strftime("%Y-%m-%d %H:%M:%S"))


def _is_there(process: int) -> bool:
    return 0 < process < 2**31 and is_alive(process)


def _file_of(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}{ENDING}")


def _write(path: Path, content: bytes) -> None:
    file = open_inside(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(file, content)
    finally:
        os.close(file)
