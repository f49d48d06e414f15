"""The copy on this machine of a run folder that lies in an object store, and how both are kept in
step."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.inside import is_within, open_inside, remove_file
from review_embeddings.pipeline.run.lease import Lease
from review_embeddings.pipeline.run.records import NewerFormatError, made_by_newer, record_of
from review_embeddings.pipeline.run.store import (
    Entry,
    changed_at,
    store_errors,
    store_of,
    version_of,
)
from review_embeddings.pipeline.run.temporary import temporary_path

ADDRESS = ".address.json"
"""In the root of a copy: where the original is."""

VERSIONS = ".versions"
"""Folder in the root of a copy: for each file of it that came from the store or went there, which
version of it."""

SMALL_SUFFIXES = {".json", ".jsonl", ".csv", ".torn"}
"""Endings of what is brought when a folder is opened."""

MAX_SMALL_BYTES = 64 << 20
"""What is larger is not small, whatever its name."""

LOCAL = re.compile(r"(.*/)?(milvus\.(db|json)(/.*)?|cache/[^/]*\.bin|(.*/)?\.[^/]*(/.*)?)")
"""What stays on this machine: a database in a file, preprocessed images in one file, which are made
anew faster than brought, hidden files."""

NOT_BROUGHT = {"cache", "exports", "resume", "shards"}
"""Folders of which nothing is brought unless it is asked for."""

ADDED_TO = "decisions.jsonl"
"""The one file that grows line by line."""

MIN_REPORTED_BYTES = 16 << 20
"""From which the progress of a file that is brought or put is reported."""

MAX_TRANSFERS = 16
"""Small files that are brought at once."""

MEGABYTE = 10**6

NANOSECONDS = 10**9
"""Of a second."""

_listener: Progress = SILENT


def report_to(progress: Progress) -> None:
    """Report the progress of large files that are brought and put."""
    global _listener
    _listener = progress


@contextmanager
def _reported(title: str, size: int) -> Iterator[Any]:
    """A callback for fsspec that reports how far it is."""
    from fsspec.callbacks import Callback, NoOpCallback

    if size < MIN_REPORTED_BYTES:
        yield NoOpCallback()
        return
    with _listener.stage(title, total=round(size / MEGABYTE), unit="MB") as advance:
        shown = 0

        def hook(size: int | None, value: int, **_: Any) -> None:
            nonlocal shown
            if value // MEGABYTE > shown:
                advance(value // MEGABYTE - shown)
                shown = value // MEGABYTE

        yield Callback(hooks={"shown": hook})


@dataclass(frozen=True)
class _Original:
    """The contents of `ADDRESS`."""

    address: str


def _address_in(root: Path) -> str:
    """The address of which a folder is a copy. Raises RunError where that cannot be read."""
    try:
        return record_of(_Original, read_json_file(root / ADDRESS)).address
    except NewerFormatError as error:
        raise RunError(made_by_newer(root / ADDRESS)) from error
    except ValueError as error:
        raise RunError(
            f"{root / ADDRESS} is damaged ({error}). Delete the folder {root}; it is brought again."
        ) from error


class Copy:
    """A folder on this machine, and the folder of a store of which it is a copy."""

    def __init__(self, root: Path) -> None:
        """Raises SettingsError where nothing here can reach such a store."""
        self.root = root
        self.address = _address_in(root)
        self._store, self._store_root = store_of(self.address)
        self._listing: dict[str, Entry] | None = None

    # -- names

    def holds(self, path: Path) -> bool:
        """Whether a path of the copy is one of the store's too."""
        name = self._name(path)
        return name == "." or LOCAL.fullmatch(name) is None

    def address_of(self, path: Path) -> str:
        """The address of a path of the copy."""
        name = self._name(path)
        return f"{self.address}/{name}" if name != "." else self.address

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path.absolute(), self.root)).as_posix()

    def _path_of(self, path: Path) -> str:
        """Where the store has a path of the copy."""
        return f"{self._store_root}/{self._name(path)}"

    def _errors(self, path: Path | None = None) -> AbstractContextManager[None]:
        if path is None:
            return store_errors(self.address, is_file=False)
        return store_errors(self.address_of(path), is_file=True)

    # -- what there is

    def refresh(self) -> None:
        """Learn what the store has, let go of what it has not any more or in another version, and
        bring what is small.

        Other processes may do the same in this folder, and put new files into it and into the
        store.
        """
        # looked up before the listing: what comes later is as new as can be
        known = [path for path in (self.root / VERSIONS).rglob("*") if path.is_file()]
        listing = self._listing = self._list()
        for path in known:
            name = path.relative_to(self.root / VERSIONS).as_posix()
            if not self._is_current(name, listing.get(name)):
                self._forget(name)
        small = [self.root / name for name, entry in listing.items() if _is_small(name, entry)]
        with self._errors(), ThreadPoolExecutor(MAX_TRANSFERS) as pool:
            list(pool.map(self._bring_if_there, [path for path in small if not path.is_file()]))
        if ADDED_TO in listing:
            self._merge(self.root / ADDED_TO, listing[ADDED_TO])

    def _list(self) -> dict[str, Entry]:
        with self._errors():
            self._store.invalidate_cache()
            found = self._by_name(self._store.find(self._store_root, detail=True))
        return {name: entry for name, entry in found.items() if self.holds(self.root / name)}

    def _by_name(self, found: dict[str, Entry]) -> dict[str, Entry]:
        start = len(self._store_root) + 1
        return {path[start:]: entry for path, entry in found.items() if is_within(path[start:])}

    def _is_current(self, name: str, entry: Entry | None) -> bool:
        """Whether a file here is as the store has it; one that grows is merged later."""
        if entry is None or name == ADDED_TO:
            return entry is not None
        return self._version_here(self.root / name) == version_of(entry)

    def _forget(self, name: str) -> None:
        """Delete a file here, and what is remembered of it."""
        for path in (self.root / name, self.root / VERSIONS / name):
            remove_file(path)
            with contextlib.suppress(OSError):  # there is more in it
                path.parent.rmdir()

    @property
    def listing(self) -> dict[str, Entry]:
        """What the store says of each of its files, by name: as it was when this process looked
        first, and what it did since."""
        if self._listing is None:
            self.refresh()
        assert self._listing is not None
        return self._listing

    def look_again(self, folder: Path) -> None:
        """Learn what others have put into a folder since."""
        with self._errors():
            self._store.invalidate_cache()
            try:
                found = self._store.find(self._path_of(folder), detail=True)
            except FileNotFoundError:
                found = {}
        self.listing.update(self._by_name(found))

    def size(self, path: Path) -> int | None:
        """Bytes of a file in the store; None where there is none."""
        entry = self.listing.get(self._name(path))
        return None if entry is None else int(entry["size"])

    def stamp(self, path: Path) -> tuple[int, int] | None:
        """Bytes and time in nanoseconds of a file in the store, where it says them."""
        entry = self.listing.get(self._name(path))
        changed = None if entry is None else changed_at(entry)
        if entry is None or changed is None:
            return None
        return int(entry["size"]), int(changed.timestamp()) * NANOSECONDS

    def files_in(self, folder: Path) -> list[Path]:
        """The files of the store that lie directly in a folder."""
        within = self._name(folder)
        return [
            self.root / name
            for name in self.listing
            if (name.rsplit("/", 1)[0] if "/" in name else ".") == within
        ]

    # -- bringing and putting

    def fetch(self, path: Path) -> None:
        """Bring a file of the store. Raises StorageError where it cannot be brought."""
        with self._errors(path):
            self._bring(path)

    def _bring(self, path: Path) -> None:
        temporary = temporary_path(path)
        entry = self._store.info(self._path_of(path))
        try:
            with _reported(f"Fetching {path.name}", int(entry["size"])) as callback:
                self._store.get_file(self._path_of(path), str(temporary), callback=callback)
            system.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self.note(path, version_of(entry))

    def _bring_if_there(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody is writing it anew
            self._bring(path)

    def put(self, file: Path, path: Path) -> str:
        """Put a file into the store as one of the copy's; returns which version it is there."""
        target = self._path_of(path)
        with self._errors(path):
            with _reported(f"Storing {path.name}", file.stat().st_size) as callback:
                self._store.put_file(str(file), target, callback=callback)
            self._store.invalidate_cache(self._store._parent(target))
            entry = self._store.info(target)
        if self._listing is not None:
            self._listing[self._name(path)] = entry
        return version_of(entry)

    def note(self, path: Path, version: str) -> None:
        """Remember which version of a file is here."""
        write_small(self.root / VERSIONS / self._name(path), version)

    def _version_here(self, path: Path) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.root / VERSIONS / self._name(path)).read_text(encoding="utf-8")
        return None

    def remove(self, path: Path) -> None:
        """Delete a file of the store."""
        with self._errors(path), contextlib.suppress(FileNotFoundError):
            self._store.rm_file(self._path_of(path))
        remove_file(self.root / VERSIONS / self._name(path))
        self.listing.pop(self._name(path), None)

    def remove_folder(self, folder: Path) -> None:
        """Delete everything in a folder of the store."""
        self.look_again(folder)
        within = f"{self._name(folder)}/"
        for name in [name for name in self.listing if name.startswith(within)]:
            self.remove(self.root / name)

    def renew(self, path: Path) -> None:
        """Have a file that grows as the store has it."""
        with self._errors(path):
            self._store.invalidate_cache(self._store._parent(self._path_of(path)))
            try:
                entry = self._store.info(self._path_of(path))
            except FileNotFoundError:
                return
        self.listing[self._name(path)] = entry
        self._merge(path, entry)

    def _merge(self, path: Path, entry: Entry) -> None:
        """Bring a file that grows, keeping the lines here that did not reach the store, because
        something ended in between."""
        if not path.is_file():
            self.fetch(path)
        if self._version_here(path) == version_of(entry) and path.stat().st_size == entry["size"]:
            return
        mine = path.read_bytes().splitlines(keepends=True)
        self.fetch(path)
        theirs = set(path.read_bytes().splitlines(keepends=True))
        if new := [line for line in mine if line.endswith(b"\n") and line not in theirs]:
            with os.fdopen(open_inside(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
                file.writelines(new)
            self.note(path, self.put(path, path))

    # -- one writer

    @contextmanager
    def held(self, lock: Path, what: str, seconds: float = 0) -> Iterator[None]:
        """Hold a lock in the store as long as this process lives. Raises BusyError where another
        one holds it for more than so many ``seconds``."""
        lease = Lease(self._store, self._path_of(lock))
        with self._errors():
            lease.take(f"Run {self.address} is {what}", seconds)
        with lease.renewed():
            yield


def _is_small(name: str, entry: Entry) -> bool:
    """Whether a file is brought when the folder is opened."""
    is_small = Path(name).suffix in SMALL_SUFFIXES and entry["size"] <= MAX_SMALL_BYTES
    return is_small and name.split("/")[0] not in NOT_BROUGHT


def write_small(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    temporary = temporary_path(path)
    temporary.write_text(text, encoding="utf-8")
    system.replace(temporary, path)
