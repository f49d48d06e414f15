"""Tells the weights of models apart by the content of their files."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.models.forms import weight_files
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import open_binary
from review_embeddings.pipeline.run.checksums import SETTLED_SECONDS


@dataclass(frozen=True)
class WeightsStamp:
    """Which weights a checkpoint has, and by what it can be told quickly that they are still the
    same."""

    sha256: str
    """Of all weight files."""
    files: list[list[Any]]
    """Name, size in bytes and time in nanoseconds of each."""


BLOCK_BYTES = 1 << 20
"""Read at once to hash a file."""


def stamp_weights(
    source: str, known: WeightsStamp | None = None, *, base: str | None = None
) -> WeightsStamp:
    """Hash a checkpoint's weights, and of an adapter those of its ``base`` model; files whose
    names, sizes and times are those of ``known`` are not read again.

    A Hub name is its own stamp: the Hub's cache is addressed by content.
    """
    if not Path(source).exists():
        return WeightsStamp(hashlib.sha256(source.encode()).hexdigest(), [])
    paths = weight_files(source, base)
    files = [[path.name, *storage.stamp_of(path)] for path in paths]
    if known is not None and known.files == files:
        return known
    digest = hashlib.sha256()
    for path in paths:
        digest.update(_digest_of(storage.fetched(path)))
    return WeightsStamp(digest.hexdigest(), files)


def _digest_of(path: Path) -> bytes:
    """The digest of a file. One that lies there for a while is read once by a process: the base
    model of adapters belongs to every checkpoint."""
    status = path.stat()
    if time.time() - status.st_mtime < SETTLED_SECONDS:
        return _read_digest(path)
    return _known_digest(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=512)
def _known_digest(path: Path, size: int, changed: int) -> bytes:
    return _read_digest(path)


def _read_digest(path: Path) -> bytes:
    with open_binary(path) as file:
        return _file_digest(file)


def stamp_content(content: bytes) -> WeightsStamp:
    """The stamp of weights in memory, given as the bytes of the one file they would be saved to."""
    return WeightsStamp(hashlib.sha256(hashlib.sha256(content).digest()).hexdigest(), [])


def _file_digest(file: Any) -> bytes:
    if hasattr(hashlib, "file_digest"):  # from Python 3.11 on
        return hashlib.file_digest(file, "sha256").digest()
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.digest()
