"""Files of a session, which nobody but their owner can read: written whole or not at all, with mode
0600 from the first byte on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

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
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def create_private(path: Path) -> IO[bytes]:
    """A new file that only its owner can read, open for writing; it follows no link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0), MODE), "wb")


def write_private_json(path: Path, content: Any) -> None:
    """Write JSON that only its owner can read."""
    with private_file(path) as file:
        file.write(json.dumps(content).encode())
