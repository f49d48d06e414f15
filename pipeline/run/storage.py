"""A run folder that lies in an object store (``s3://…`` and whatever else fsspec knows), worked on
through a copy of it on this machine.

The copy is a folder like any other, so everything that works on folders works on it. What is small
is brought when the folder is opened, what is large when it is needed. Each file that is put in its
place here was put there before, whole, as object stores do it: what is here and not there never
counts. The copy may be deleted at any time.

A path knows to which store it belongs by a file in the root of the copy (`ADDRESS`): nothing has to
be passed on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError, reason_of
from review_embeddings.pipeline.run.copies import (
    ADDRESS,
    Copy,
    write_small,
)
from review_embeddings.pipeline.run.inside import remove_file, remove_tree
from review_embeddings.pipeline.run.store import store_of, version_of
from review_embeddings.pipeline.userfolders import CACHE_VARIABLE, cache_folder

FOLDER_ADDRESS = re.compile(r"[^:/]+://[^/]+/.+|(file|local|memory)://.+")
"""Addresses of folders; those of a bucket as a whole are none."""

READ_ONLY = ("http://", "https://")

DIGEST_LENGTH = 12
"""Digits of an address's digest in the name of its copy's folder."""

MAX_COPIES = 64
"""Copies that one process remembers."""

_outside: set[Path] = set()
"""Folders around which there is no copy; one comes to be by `_begin_copy` alone."""


def is_address(name: str) -> bool:
    """Whether a name is the address of a store, such as ``s3://bucket/run``, and not a path."""
    return "://" in name


def opened(name: str) -> Path:
    """A folder to work on: that of a path, or the copy of a store's on this machine, as new as the
    store's.

    Raises SettingsError where nothing here can reach such a store, StorageError where it cannot be
    reached.
    """
    if not is_address(name):
        if re.match(r"[a-z0-9]{2,}:/", name) and not Path(name).exists():
            raise SettingsError(
                f"{name} is neither a folder nor an address. Write {name.replace(':/', '://', 1)} "
                f"for that of a store."
            )
        return Path(name)
    address = name.rstrip("/")
    if not FOLDER_ADDRESS.fullmatch(address) or address.startswith(READ_ONLY):
        raise SettingsError(
            f"{name} names no folder in a store that can be written to. Name one such as "
            f"s3://BUCKET/PATH."
        )
    digest = hashlib.sha256(address.encode()).hexdigest()[:DIGEST_LENGTH]
    root = cache_folder() / digest / (address.rsplit("/", 1)[1] or "run")
    if not (root / ADDRESS).is_file():
        _begin_copy(root, address)
    copy = _copy_at(root.resolve())
    copy.refresh()
    return copy.root


def _begin_copy(root: Path, address: str) -> None:
    store_of(address)  # an address that cannot be opened is refused before there is a folder
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"There can be no copy of {address} in {cache_folder()} ({reason_of(error)}) Name a "
            f"folder of your own: {CACHE_VARIABLE}=DIR"
        ) from error
    write_small(root / ADDRESS, json.dumps({"address": address}))
    _outside.clear()


def address_of(path: Path) -> str:
    """Under which name another machine finds a path: the store's where it lies in a copy, else the
    path itself."""
    copy = copy_of(path)
    return str(path) if copy is None else copy.address_of(path)


def here(name: str) -> Path:
    """The other way round: the path on this machine of something named by `address_of`, without
    looking whether it is as new."""
    if not is_address(name):
        return Path(name)
    for root in [file.parent.resolve() for file in cache_folder().glob(f"*/*/{ADDRESS}")]:
        copy = _copy_at(root)
        if name == copy.address or name.startswith(f"{copy.address}/"):
            return copy.root / name[len(copy.address) + 1 :]
    return opened(name)


def for_all(name: str) -> str:
    """What is named so that every machine finds it: a path in a copy by its address, another one
    absolute, a Hub name as it is."""
    return address_of(Path(name).resolve()) if Path(name).exists() else name


def for_here(name: str) -> str:
    """The other way round."""
    return str(here(name)) if is_address(name) else name


def exists(path: Path) -> bool:
    """Whether there is such a file, here or in the store."""
    copy = copy_of(path)
    return path.is_file() or (copy is not None and copy.size(path) is not None)


def size_of(path: Path) -> int | None:
    """Bytes of a file, here or in the store; None where there is none."""
    if path.is_file():
        return path.stat().st_size
    copy = copy_of(path)
    return None if copy is None else copy.size(path)


def stamp_of(path: Path) -> tuple[int, int]:
    """Bytes and time in nanoseconds of a file; of one in a store, those it has there. Raises
    FileNotFoundError."""
    copy = copy_of(path)
    known = None if copy is None else copy.stamp(path)
    if known is not None:
        return known
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def versions(address: str) -> dict[str, str] | None:
    """Which version of each file a store has at an address; None where it has none there or cannot
    be reached."""
    try:
        store, root = store_of(address)
        store.invalidate_cache()
        found = store.find(root, detail=True)
        return {
            name: version_of(entry or store.info(name)) for name, entry in found.items()
        } or None
    except Exception:  # every store has errors of its own, without a common base class
        return None


def fetched(path: Path) -> Path:
    """The path, its file brought from the store where that is needed. Raises StorageError."""
    copy = copy_of(path)
    if copy is not None and not path.is_file():
        copy.fetch(path)
    return path


def fetch_all(folder: Path, *, suffix: str) -> None:
    """Bring every file with this ending that lies directly in a folder."""
    copy = copy_of(folder)
    for path in [] if copy is None else copy.files_in(folder):
        if path.suffix == suffix:
            fetched(path)


def look_again(folder: Path) -> None:
    """Learn what others have put into a folder of a store since."""
    copy = copy_of(folder)
    if copy is not None:
        copy.look_again(folder)


@contextmanager
def putting(temporary: Path, path: Path) -> Iterator[None]:
    """Have a finished file in the store before it takes its place here, which is what happens
    inside. Raises StorageError."""
    copy = copy_of(path)
    version = None if copy is None else copy.put(temporary, path)
    yield
    if copy is not None and version is not None:
        copy.note(path, version)


def remove(path: Path) -> None:
    """Delete a file, in the store first; one that is not there is no mistake."""
    copy = copy_of(path)
    if copy is not None:
        copy.remove(path)
    remove_file(path)


def remove_folder(folder: Path) -> None:
    """Delete a folder with everything in it, in the store first."""
    copy = copy_of(folder)
    if copy is not None:
        copy.remove_folder(folder)
    remove_tree(folder)


@contextmanager
def held(lock: Path, what: str, seconds: float = 0) -> Iterator[None]:
    """Be the only one on any machine that holds a lock of the store, and wait at most so many
    ``seconds`` for it; nothing to do for a folder. Raises BusyError."""
    copy = _copy_around(lock)
    with contextlib.nullcontext() if copy is None else copy.held(lock, what, seconds):
        yield


def renew(path: Path) -> None:
    """Have the folder of a copy as new as the store's, once more; of a path in it, that file."""
    copy = copy_of(path)
    if copy is None:
        return
    if path.absolute() == copy.root:
        copy.refresh()
    else:
        copy.renew(path)


def added_to(path: Path) -> None:
    """Have a file that has grown in the store as it is here."""
    copy = copy_of(path)
    if copy is not None:
        copy.note(path, copy.put(path, path))


def copy_of(path: Path) -> Copy | None:
    """The copy in which a path lies and whose files are also in the store; None for one that is
    only here."""
    copy = _copy_around(path)
    return copy if copy is not None and copy.holds(path) else None


def _copy_around(path: Path) -> Copy | None:
    path = path.absolute()
    root = path if (path / ADDRESS).is_file() else _root_around(path.parent)
    return None if root is None else _copy_at(root.resolve())


def _root_around(folder: Path) -> Path | None:
    """The nearest root of a copy, the folder itself or one above; asked for with every file."""
    if folder in _outside:
        return None
    around = (folder, *folder.parents)
    root = next((one for one in around if (one / ADDRESS).is_file()), None)
    if root is None:
        _outside.add(folder)
    return root


@lru_cache(maxsize=MAX_COPIES)
def _copy_at(root: Path) -> Copy:
    return Copy(root)
