"""Opens files wherever fsspec reaches them, and reads parts of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.walk import local_path

SUPPORTED = "Parquet files, WebDataset tars (.tar, not compressed) and folders of images"
"""What can be read in place, for people."""


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """A file by its path or address; whatever goes wrong with it is a DatasetError."""
    import pyarrow as pa
    from fsspec.core import url_to_fs

    try:
        if Path(local_path(name)).is_file():  # whose name may look like an address
            with Path(local_path(name)).open("rb") as stream:
                yield stream
            return
        system, path = url_to_fs(name)
        with system.open(path, "rb") as stream:
            yield stream
    except (OSError, ImportError, tarfile.TarError, pa.ArrowException) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"{name} cannot be read where it lies: {reason_of(error)} --in-place takes {SUPPORTED}. "
        f"Bring the file back, or name the data set anew with --dataset."
    )


def state_of(name: str) -> str:
    """What is different where a file has become another one: size and time, or what a store says.
    Raises DatasetError for a file that is not there."""
    from fsspec.core import url_to_fs

    path = Path(local_path(name))
    if path.is_file():
        status = path.stat()
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    try:
        system, inside = url_to_fs(name)
        return str(system.ukey(inside))
    except (OSError, ImportError) as error:
        raise _unreadable(name, error) from error


def bytes_at(stream: BinaryIO, start: int, size: int) -> bytes:
    """Some bytes of a file."""
    stream.seek(start)
    return stream.read(size)
