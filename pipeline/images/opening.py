"""Opens files wherever fsspec reaches them, and reads parts of them: on a server those alone that
lie below a data set that was opened by its address. An address in a cell or in a run's files is not
followed because it stands there."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
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
        check_followed(name)
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


# -- addresses

_OPENED: set[str] = set()
"""Of data sets, and of files of these, that this process was told to read."""

HUB = "hf://datasets/"

MEMBER = "zip://"
"""How the first part of a chain begins that names a file in an archive."""


def follow(source: str) -> None:
    """Let addresses be read that are, or lie below, that of a data set; for a name those that it
    has on the Hub."""
    _OPENED.add(_plain(source) if "://" in source else f"{HUB}{source}")


def check_followed(path: str) -> None:
    """Raise OSError for an address that is no part of a data set that was opened."""
    for target in _targets(path):
        if not any(_is_below(_plain(target), one) for one in _OPENED):
            raise OSError(
                f"it lies at {target[:100]}, which is no part of the data set, and nothing is "
                f"fetched because a file names it"
            )


def _plain(address: str) -> str:
    """An address without the slashes that some file systems add or leave out."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.strip('/')}"


def _is_below(target: str, opened: str) -> bool:
    ends = ("/", "@") if opened.startswith(HUB) else ("/",)  # behind it stands a revision
    return target == opened or target.startswith(tuple(opened + end for end in ends))


def _targets(path: str) -> Iterable[str]:
    """The addresses in a path or in a chain as ``datasets`` writes it: ``zip://a.png::s3://b/x``."""
    first, *rest = path.split("::") if "://" in path else [path]
    parts = rest if first.startswith(MEMBER) and rest else [first, *rest]
    return [part for part in parts if "://" in part]
