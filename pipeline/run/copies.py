"""The copy on this machine of a run folder that lies in an object store, and how both are kept in
step."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import (
    BusyError,
    ReviewError,
    RunError,
    SettingsError,
    StorageError,
    reason_of,
)
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.records import NewerFormatError, made_by_newer, record_of
from review_embeddings.pipeline.run.temporary import is_alive, temporary_path

ADDRESS = ".address.json"
"""In the root of a copy: where the original is."""

VERSIONS = ".versions"
"""Folder in the root of a copy: for each file of it that came from the store or went there, which
version of it."""

CACHE_VARIABLE = "REVIEW_EMBEDDINGS_CACHE"
"""Environment variable that names the folder of the copies; ``~/.cache/review-embeddings`` where it
is not set."""

SMALL = {".json", ".jsonl", ".csv", ".torn"}
"""Endings of what is brought when a folder is opened."""

SMALL_BYTES = 64 << 20
"""What is larger is not small, whatever its name."""

LOCAL = re.compile(r"(.*/)?(milvus\.(db|json)(/.*)?|cache/[^/]*\.bin|(.*/)?\.[^/]*(/.*)?)")
"""What stays on this machine: a database in a file, prepared pixels in one piece, which are made
anew faster than brought, hidden files."""

NOT_BROUGHT = {"cache", "exports", "resume", "shards"}
"""Folders of which nothing is brought unless it is asked for."""

ADDED_TO = "decisions.jsonl"
"""The one file that grows line by line."""

LEASE = 120.0
"""Seconds after which a lock counts as left behind that nobody has renewed."""

TOLD = 16 << 20
"""Bytes from which it is told that a file is brought or put."""

AT_ONCE = 16
"""Small files that are brought at once."""

RENEWED = 30.0
"""Seconds after which a lock is renewed."""

_listener: Progress = SILENT


def tell(progress: Progress) -> None:
    """Have what is brought and put told, where it is large."""
    global _listener
    _listener = progress


@contextmanager
def _told(title: str, size: int) -> Iterator[Any]:
    """A callback for fsspec that tells how far it is."""
    from fsspec.callbacks import Callback, NoOpCallback

    if size < TOLD:
        yield NoOpCallback()
        return
    with _listener.stage(title, total=round(size / 1e6), unit="MB") as advance:
        shown = 0

        def hook(size: int | None, value: int, **_: Any) -> None:
            nonlocal shown
            if value // 10**6 > shown:
                advance(value // 10**6 - shown)
                shown = value // 10**6

        yield Callback(hooks={"shown": hook})


@dataclass(frozen=True)
class _Original:
    """The contents of `ADDRESS`."""

    address: str


@dataclass(frozen=True)
class _Owner:
    """Who holds a lock in a store."""

    host: str
    process: int


def _address_in(root: Path) -> str:
    """The address of which a folder is a copy. Raises RunError where that cannot be read."""
    try:
        return record_of(_Original, json.loads((root / ADDRESS).read_bytes())).address
    except NewerFormatError as error:
        raise RunError(made_by_newer(root / ADDRESS)) from error
    except ValueError as error:
        raise RunError(
            f"{root / ADDRESS} is damaged ({error}). Delete the folder {root}; it is brought again."
        ) from error


class Copy:
    """A folder on this machine, and the place in a store of which it is a copy."""

    def __init__(self, root: Path) -> None:
        """Raises SettingsError where nothing here can reach such a store."""
        self.root = root
        self.address = _address_in(root)
        self._store, self._place = store_of(self.address)
        self._listing: dict[str, dict[str, Any]] | None = None

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

    def _there(self, path: Path) -> str:
        return f"{self._place}/{self._name(path)}"

    # -- what there is

    def refresh(self) -> None:
        """Learn what the store has, let go of what it has not any more or in another version, and
        bring what is small.

        Other processes may do the same in this folder, and put new files into it and into the
        store.
        """
        known = [
            path for path in (self.root / VERSIONS).rglob("*") if path.is_file()
        ]  # before: what comes later is as new as can be
        with self._errors():
            self._store.invalidate_cache()
            found = self._store.find(self._place, detail=True)
        start = len(self._place) + 1
        self._listing = {
            name[start:]: facts
            for name, facts in found.items()
            if self.holds(self.root / name[start:])
        }
        for path in known:
            name = path.relative_to(self.root / VERSIONS).as_posix()
            facts = self._listing.get(name)
            if facts is None or (
                name != ADDED_TO and self._version_here(self.root / name) != version_of(facts)
            ):
                for gone in (self.root / name, path):
                    gone.unlink(missing_ok=True)
                    with contextlib.suppress(OSError):  # there is more in it
                        gone.parent.rmdir()
        small = [
            self.root / name
            for name, facts in self._listing.items()
            if Path(name).suffix in SMALL
            and facts["size"] <= SMALL_BYTES
            and name.split("/")[0] not in NOT_BROUGHT
        ]
        with self._errors(), ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._bring_if_there, [path for path in small if not path.is_file()]))
        if ADDED_TO in self._listing:
            self._merge(self.root / ADDED_TO, self._listing[ADDED_TO])

    @property
    def listing(self) -> dict[str, dict[str, Any]]:
        """Facts of each file of the store by its name, as it was when this process looked first,
        and what it did since."""
        if self._listing is None:
            self.refresh()
        assert self._listing is not None
        return self._listing

    def look_again(self, folder: Path) -> None:
        """Learn what others have put into a folder since."""
        with self._errors():
            self._store.invalidate_cache()
            try:
                found = self._store.find(self._there(folder), detail=True)
            except FileNotFoundError:
                found = {}
        start = len(self._place) + 1
        self.listing.update({name[start:]: facts for name, facts in found.items()})

    def size(self, path: Path) -> int | None:
        """Bytes of a file in the store; None where there is none."""
        facts = self.listing.get(self._name(path))
        return None if facts is None else int(facts["size"])

    def stamp(self, path: Path) -> tuple[int, int] | None:
        """Bytes and time in nanoseconds of a file in the store, where it says them."""
        facts = self.listing.get(self._name(path))
        changed = None if facts is None else _changed(facts)
        return (
            None
            if facts is None or changed is None
            else (int(facts["size"]), int(changed.timestamp()) * 1_000_000_000)
        )

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
        facts = self._store.info(self._there(path))
        try:
            with _told(f"Fetching {path.name}", int(facts["size"])) as callback:
                self._store.get_file(self._there(path), str(temporary), callback=callback)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self.note(path, version_of(facts))

    def _bring_if_there(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody is writing it anew
            self._bring(path)

    def put(self, file: Path, path: Path) -> str:
        """Put a file into the store as one of the copy's; returns which version it is there."""
        with self._errors(path):
            with _told(f"Storing {path.name}", file.stat().st_size) as callback:
                self._store.put_file(str(file), self._there(path), callback=callback)
            self._store.invalidate_cache(self._store._parent(self._there(path)))
            facts = self._store.info(self._there(path))
        if self._listing is not None:
            self._listing[self._name(path)] = facts
        return version_of(facts)

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
            self._store.rm_file(self._there(path))
        (self.root / VERSIONS / self._name(path)).unlink(missing_ok=True)
        self.listing.pop(self._name(path), None)

    def remove_folder(self, folder: Path) -> None:
        """Delete everything in a folder of the store."""
        self.look_again(folder)
        within = f"{self._name(folder)}/"
        for name in [name for name in self.listing if name.startswith(within)]:
            self.remove(self.root / name)

    def _merge(self, path: Path, facts: dict[str, Any]) -> None:
        """Bring a file that grows, keeping the lines here that did not reach the store, because
        something ended in between."""
        if not path.is_file():
            self.fetch(path)
        if self._version_here(path) == version_of(facts) and path.stat().st_size == facts["size"]:
            return
        mine = path.read_bytes().splitlines(keepends=True)
        self.fetch(path)
        theirs = set(path.read_bytes().splitlines(keepends=True))
        if new := [line for line in mine if line.endswith(b"\n") and line not in theirs]:
            with path.open("ab") as file:
                file.writelines(new)
            self.note(path, self.put(path, path))

    # -- one writer

    @contextmanager
    def held(self, lock: Path, what: str) -> Iterator[None]:
        """Hold a lock in the store, renewed as long as this process lives. Raises BusyError where
        another one holds it.

        The lock is an object that only one can create. One that nobody has renewed for `LEASE`
        seconds, by the store's own clock, or whose process on this machine has ended, was left
        behind and is taken.
        """
        place = f"{self._place}/{self._name(lock)}"
        mine = json.dumps(
            {"host": socket.gethostname(), "process": os.getpid(), "token": secrets.token_hex(8)}
        ).encode()
        with self._errors():
            if not self._create(place, mine):
                owner = self._owner_of(place)
                if owner is not None:
                    raise BusyError(
                        f"Run {self.address} is {what} ({owner}). Wait until it has finished, or "
                        f"stop it; the lock of a machine that has "
                        f"gone ends by itself after {LEASE:.0f} seconds."
                    )
                with contextlib.suppress(FileNotFoundError):
                    self._store.rm_file(place)
                if not self._create(place, mine):
                    raise BusyError(
                        f"Run {self.address} is {what}. Wait until it has finished, or stop it."
                    )
        done = threading.Event()

        def renew() -> None:
            while not done.wait(RENEWED):
                with contextlib.suppress(
                    Exception
                ):  # the next time may be better, and there are several in a lease
                    self._store.pipe_file(place, mine)

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with contextlib.suppress(Exception):  # it ends by itself
                self._store.rm_file(place)

    def _create(self, place: str, content: bytes) -> bool:
        try:
            self._store.pipe_file(place, content, mode="create")
        except FileExistsError:
            return False
        return True

    def _owner_of(self, place: str) -> str | None:
        """Who holds a lock; None where it was left behind."""
        try:
            self._store.invalidate_cache()
            owner = record_of(_Owner, json.loads(self._store.cat_file(place)))
            taken = _changed(self._store.info(place))
        except (FileNotFoundError, ValueError):
            return None
        if owner.host == socket.gethostname() and not is_alive(owner.process):
            return None
        clock = f"{place}-{secrets.token_hex(4)}"
        self._store.pipe_file(clock, b"")
        now = _changed(self._store.info(clock))
        self._store.rm_file(clock)
        if taken is not None and now is not None and (now - taken).total_seconds() > LEASE:
            return None
        return f"process {owner.process} on {owner.host}"

    @contextmanager
    def _errors(self, path: Path | None = None) -> Iterator[None]:
        """Say in one line what the store says in many ways."""
        where = self.address if path is None else self.address_of(path)
        try:
            yield
        except ReviewError:
            raise
        except FileNotFoundError as error:
            what = (
                "is not there" if path is not None else "cannot be opened: there is no such bucket"
            )
            raise StorageError(f"{where} {what}. Check the address.") from error
        except PermissionError as error:
            raise StorageError(
                f"{where} is refused ({reason_of(error)}) Check the store's credentials in the "
                f"environment."
            ) from error
        except Exception as error:  # every store has errors of its own, without a common base class
            if (
                isinstance(error, OSError)
                and error.errno is not None
                and path is not None
                and not _is_network(error)
            ):
                raise  # the disk here
            raise StorageError(
                f"{where} cannot be reached: {reason_of(error)} Check the address, the network and "
                f"the store's credentials and endpoint "
                "in the environment."
            ) from error


def _is_network(error: OSError) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError, socket.gaierror))


def store_of(address: str) -> tuple[Any, str]:
    """The file system of fsspec behind an address, and the path in it. Raises SettingsError."""
    import fsspec

    try:
        store, place = fsspec.core.url_to_fs(address)
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
    return store, str(place).rstrip("/")


def copies_home() -> Path:
    """The folder of all copies on this machine."""
    return Path(
        os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "review-embeddings"
    ).expanduser()


def _changed(facts: dict[str, Any]) -> datetime | None:
    """When a file of a store was written, as the kinds of store say it."""
    names = ("LastModified", "last_modified", "mtime", "updated", "created")
    value = next((facts[name] for name in names if facts.get(name) is not None), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, (int, float)):
        value = datetime.fromtimestamp(value).astimezone()
    return value if isinstance(value, datetime) else None


def version_of(facts: dict[str, Any]) -> str:
    """What changes when a file of a store does: its tag, or its size and time."""
    tag = next((facts[name] for name in ("ETag", "etag", "md5Hash") if facts.get(name)), None)
    return str(tag) if tag is not None else f"{facts['size']} {_changed(facts)}"


def write_small(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    temporary = temporary_path(path)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
