"""Object stores as fsspec opens them: their file systems, and what each kind of them says about
versions, times and errors in a way of its own. Knows no run folder and no copy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from review_embeddings.pipeline.errors import (
    ReviewError,
    SettingsError,
    StorageError,
    reason_of,
)

Entry = dict[str, Any]
"""What a store says about one of its files."""

TIME_NAMES = ("LastModified", "last_modified", "mtime", "updated", "created")
"""Under which stores keep the time when a file was written, by preference."""

TAG_NAMES = ("ETag", "etag", "md5Hash")
"""Under which stores keep what changes with a file's content."""


def store_of(address: str) -> tuple[Any, str]:
    """The file system of fsspec behind an address, and the path in it. Raises SettingsError."""
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise SettingsError(
            f"{address} needs a package that is not installed ({reason_of(error)}) For S3: pip "
            f"install 'review-embeddings[s3]'"
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"{address} is no address that can be opened ({reason_of(error)}) Name a folder, or "
            f"s3://BUCKET/PATH."
        ) from error
    return store, str(path).rstrip("/")


def changed_at(entry: Entry) -> datetime | None:
    """When a file of a store was written; None where that is not said."""
    value = next((entry[name] for name in TIME_NAMES if entry.get(name) is not None), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, (int, float)):
        value = datetime.fromtimestamp(value).astimezone()
    return value if isinstance(value, datetime) else None


def version_of(entry: Entry) -> str:
    """What changes when a file of a store does: its tag, or its size and time."""
    tag = next((entry[name] for name in TAG_NAMES if entry.get(name)), None)
    return str(tag) if tag is not None else f"{entry['size']} {changed_at(entry)}"


@contextmanager
def store_errors(address: str, *, is_file: bool) -> Iterator[None]:
    """Say in one line what stores say in many ways; ``address`` is what is opened, a file of a
    store or all of a run."""
    try:
        yield
    except ReviewError:
        raise
    except FileNotFoundError as error:
        what = "is not there" if is_file else "cannot be opened: there is no such bucket"
        raise StorageError(f"{address} {what}. Check the address.") from error
    except PermissionError as error:
        raise StorageError(
            f"{address} is refused ({reason_of(error)}) Check the store's credentials in the "
            f"environment."
        ) from error
    except Exception as error:  # every store has errors of its own, without a common base class
        if is_file and _is_of_the_disk(error):
            raise
        raise StorageError(
            f"{address} cannot be reached: {reason_of(error)} Check the address, the network and "
            f"the store's credentials and endpoint in the environment."
        ) from error


def _is_of_the_disk(error: Exception) -> bool:
    """Whether an error is of this machine's disk and not of the network."""
    of_network = isinstance(error, (ConnectionError, TimeoutError, socket.gaierror))
    return isinstance(error, OSError) and error.errno is not None and not of_network
