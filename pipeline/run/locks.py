"""Owns locks of files: taken by one process, or shared by several; a killed process leaves none
behind. A file system without locks is told by a sentence, and nobody waits for it. Knows no run."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from review_embeddings.pipeline.errors import BusyError, UnwritableError
from review_embeddings.pipeline.run import system

WAIT_SECONDS = 0.05
"""Between two tries to take a lock, at most."""

FOREVER = float("inf")

BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
"""What flock says where another process has the lock."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
"""What it says where a file system has no locks, or a network file system nobody that keeps
them."""


@contextmanager
def locked(path: Path, busy: str, *, seconds: float = 0, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a file, alone or ``shared`` with others that do; wait at most so many
    ``seconds`` for it.

    Raises BusyError with the sentence ``busy`` where others have it, UnwritableError where the file
    system has no locks, OSError where the file cannot be opened.
    """
    until = time.monotonic() + seconds
    wait = WAIT_SECONDS / 50
    while (file := _try_to_take(path, shared=shared)) is None:
        if time.monotonic() >= until:
            raise BusyError(busy)
        time.sleep(wait)
        wait = min(2 * wait, WAIT_SECONDS)
    try:
        system.keep_lock(file)
        yield
    finally:
        try:
            system.unlock(file)
        finally:
            os.close(file)


def _try_to_take(path: Path, *, shared: bool) -> int | None:
    """The open file that holds the lock; None where another process has it."""
    flags = os.O_RDWR | os.O_CREAT | system.NO_FOLLOW | system.CLOSE_ON_EXEC
    file = os.open(path, flags, _mode_in(path.parent))
    try:
        system.lock(file, shared=shared)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except OSError as error:
        os.close(file)
        if error.errno in BUSY or isinstance(error, FileNotFoundError):
            return None
        if error.errno in NO_LOCKS:
            raise UnwritableError(_without_locks(path, error)) from error
        raise
    except BaseException:
        os.close(file)
        raise
    os.close(file)  # somebody has deleted it, and others may have made a new one
    return None


def _mode_in(folder: Path) -> int:
    """For those who can write into the folder, and nobody else: who can open a file can lock it,
    for ever."""
    try:
        writers = folder.stat().st_mode & 0o022
    except OSError:  # opening the file says what is wrong
        writers = 0
    return 0o600 | writers | writers << 1


def _without_locks(path: Path, error: OSError) -> str:
    return (
        f"The file system of {path.parent} has no locks ({error.strerror}), so that two processes "
        f"could write over each other. Copy the run to a disk of this machine and name the copy "
        f"with --run."
    )
