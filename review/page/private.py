"""Files of a session, which nobody but their owner can read: written whole or not at all, with mode
0600 from the first byte on."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.temporary import temporary_path

MODE = 0o600
"""Read and written by the owner alone."""


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` when the context is left without an error."""
    with storage_errors(path):
        temporary = temporary_path(path)
        temporary.unlink(missing_ok=True)
        try:
            with create_private(temporary) as file:
                yield file
            system.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def have_private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter, where cleaners of temporary files have deleted
    it. Raises StorageError where somebody else has put one there."""
    with storage_errors(path):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not (system.is_own(status) and stat.S_ISDIR(status.st_mode)):
            raise PermissionError(errno.EPERM, "it is somebody else's", str(path))


def create_private(path: Path) -> IO[bytes]:
    """A new file that only its owner can read, open for writing; it follows no link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.fdopen(os.open(path, flags | system.BINARY, MODE), "wb")


def write_private_json(path: Path, content: Any) -> None:
    """Write JSON that only its owner can read."""
    with private_file(path) as file:
        file.write(json.dumps(content).encode())
