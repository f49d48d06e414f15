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
import os
import re
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import BusyError, ReviewError, SettingsError, StorageError, reason_of
from pipeline.progress import SILENT, Progress
from pipeline.temporary import is_alive, temporary_path

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
    if not re.fullmatch(
        r"[^:/]+://[^/]+/.+|(file|local|memory)://.+", address
    ) or address.startswith(("http://", "https://")):
        raise SettingsError(
            f"{name} names no folder in a store that can be written to. Name one such as "
            f"s3://BUCKET/PATH."
        )
    root = (
        _home()
        / hashlib.sha256(address.encode()).hexdigest()[:12]
        / (address.rsplit("/", 1)[1] or "run")
    )
    if not (root / ADDRESS).is_file():
        _store_of(address)  # an address that cannot be is said before there is a folder
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"There can be no copy of {address} in {_home()} ({reason_of(error)}) Name a "
                f"folder of your own: {CACHE_VARIABLE}=DIR"
            ) from error
        _write(root / ADDRESS, json.dumps({"address": address}))
    copy = _copy_at(root.resolve())
    copy.refresh()
    return copy.root


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
    for root in [file.parent.resolve() for file in _home().glob(f"*/*/{ADDRESS}")]:
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
        store, place = _store_of(address)
        store.invalidate_cache()
        return {
            name: _version(facts or store.info(name))
            for name, facts in store.find(place, detail=True).items()
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
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder with everything in it, in the store first."""
    copy = copy_of(folder)
    if copy is not None:
        copy.remove_folder(folder)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Be the only one on any machine that holds a lock of the store; nothing to do for a folder.
    Raises BusyError."""
    copy = _copy_around(lock)
    with contextlib.nullcontext() if copy is None else copy.held(lock, what):
        yield


def renew(folder: Path) -> None:
    """Have the folder of a copy as new as the store's, once more."""
    copy = copy_of(folder)
    if copy is not None:
        copy.refresh()


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
    root = next((folder for folder in (path, *path.parents) if (folder / ADDRESS).is_file()), None)
    return None if root is None else _copy_at(root.resolve())


class Copy:
    """A folder on this machine, and the place in a store of which it is a copy."""

    def __init__(self, root: Path) -> None:
        """Raises SettingsError where nothing here can reach such a store."""
        self.root = root
        self.address: str = json.loads((root / ADDRESS).read_text(encoding="utf-8"))["address"]
        self._store, self._place = _store_of(self.address)
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
                name != ADDED_TO and self._version_here(self.root / name) != _version(facts)
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
        self.note(path, _version(facts))

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
        return _version(facts)

    def note(self, path: Path, version: str) -> None:
        """Remember which version of a file is here."""
        _write(self.root / VERSIONS / self._name(path), version)

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
        if self._version_here(path) == _version(facts) and path.stat().st_size == facts["size"]:
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
            owner, taken = (
                json.loads(self._store.cat_file(place)),
                _changed(self._store.info(place)),
            )
        except (FileNotFoundError, ValueError):
            return None
        if owner["host"] == socket.gethostname() and not is_alive(owner["process"]):
            return None
        clock = f"{place}-{secrets.token_hex(4)}"
        self._store.pipe_file(clock, b"")
        now = _changed(self._store.info(clock))
        self._store.rm_file(clock)
        if taken is not None and now is not None and (now - taken).total_seconds() > LEASE:
            return None
        return f"process {owner['process']} on {owner['host']}"

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


def _store_of(address: str) -> tuple[Any, str]:
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


@lru_cache(maxsize=64)
def _copy_at(root: Path) -> Copy:
    return Copy(root)


def _home() -> Path:
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


def _version(facts: dict[str, Any]) -> str:
    """What changes when a file of a store does: its tag, or its size and time."""
    tag = next((facts[name] for name in ("ETag", "etag", "md5Hash") if facts.get(name)), None)
    return str(tag) if tag is not None else f"{facts['size']} {_changed(facts)}"


def _write(path: Path, text: str) -> None:
    temporary = temporary_path(path)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
