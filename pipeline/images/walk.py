"""Lists all files of a folder, wherever it lies, in one walk. Opens no file.

Links are followed as a person would follow them. Folders that hold a run or a model are no data
and are passed over.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from review_embeddings.pipeline.run.inside import OF_A_RUN

RUN_MARKS = frozenset({"run.json", "model.safetensors", "pytorch_model.bin"})
"""A folder inside a data set that has one of these is a run or a model."""

CHECKPOINT_FOLDER = re.compile(r"checkpoint-\d+")

MODEL_MARKS = RUN_MARKS | {"config.json", "trainer_state.json"}


@dataclass(frozen=True)
class Entry:
    """One file of a folder."""

    name: str
    """Its path in the folder, with ``/``; bytes that are no UTF-8 are shown as ``\\xe9``."""
    file: str
    """What `local_path`, or fsspec, opens."""
    size: int = 0
    modified: int = 0
    """Nanoseconds since 1970."""
    problem: str = ""
    """Why it cannot be read; empty where that is not known yet."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the folders it lies in."""
        return tuple(self.name.split("/")[:-1])

    @property
    def ending(self) -> str:
        """In lower case, with its dot; empty where there is none."""
        base = self.name.rsplit("/", 1)[-1]
        dot = base.rfind(".")
        return base[dot:].lower() if dot > 0 else ""


@dataclass(frozen=True)
class Walk:
    """All files of a folder, by name."""

    entries: list[Entry]
    runs: list[str] = field(default_factory=list)
    """Folders that were passed over because they hold a run or a model."""


_WALKS: ContextVar[dict[str, Walk] | None] = ContextVar("walks", default=None)


@contextmanager
def walked_once() -> Iterator[None]:
    """Inside, no folder is walked twice: what was found first counts."""
    token = _WALKS.set({}) if _WALKS.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _WALKS.reset(token)


def walk(source: str) -> Walk:
    """All files of a folder of this machine, or below an address that fsspec reaches."""
    known = _WALKS.get()
    if known is not None and source in known:
        return known[source]
    found = _remote(source) if "://" in source else _local(Path(source).resolve())
    if known is not None:
        known[source] = found
    return found


def escaped(name: str) -> str:
    """A path as text that can be written: bytes that are no UTF-8 as ``\\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def local_path(name: str) -> str:
    """The other way round: a path that can be opened, as `escaped` names it."""
    if "\\x" not in name or os.path.lexists(name):
        return name
    data = re.sub(
        rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), name.encode()
    )
    return os.fsdecode(data)


def _local(root: Path) -> Walk:
    found, runs = list[Entry](), list[str]()
    if root.is_dir():
        above = [path.stat() for path in (root, *root.parents)]
        keys = frozenset((status.st_dev, status.st_ino) for status in above)
        _list(str(root), "", keys, found, runs)
    return Walk(sorted(found, key=lambda entry: entry.name), sorted(runs))


def _list(
    folder: str, prefix: str, above: frozenset[tuple[int, int]], found: list[Entry], runs: list[str]
) -> None:
    """Add what lies in a folder; ``above`` are the folders it lies in, so that links to one of
    them end."""
    try:
        with os.scandir(folder) as listing:
            inside = list(listing)
    except OSError as error:
        found.append(Entry(escaped(prefix.rstrip("/")), escaped(folder), problem=_why(error)))
        return
    names = {one.name for one in inside}
    if prefix and _is_run(folder, names):
        runs.append(escaped(prefix.rstrip("/")))
        return
    own = not prefix and "run.json" in names
    for one in inside:
        if own and OF_A_RUN.fullmatch(one.name):
            continue
        name = f"{prefix}{one.name}"
        try:
            status = one.stat()
        except OSError as error:
            why = "a link to nothing" if one.is_symlink() else _why(error)
            found.append(Entry(escaped(name), escaped(one.path), problem=why))
            continue
        key = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            if key not in above:
                _list(one.path, f"{name}/", above | {key}, found, runs)
        else:
            why = "" if stat.S_ISREG(status.st_mode) else "not a regular file"
            file, size = escaped(one.path), status.st_size
            found.append(Entry(escaped(name), file, size, status.st_mtime_ns, why))


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _is_run(folder: str, names: set[str]) -> bool:
    """Whether a folder holds a run, a model, or checkpoints of one."""
    if names & RUN_MARKS:
        return True
    return any(
        Path(folder, name, mark).exists()
        for name in names
        if CHECKPOINT_FOLDER.fullmatch(name)
        for mark in MODEL_MARKS
    )


def _remote(address: str) -> Walk:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    root = path.rstrip("/")
    listed = system.find(path, detail=True)
    entries = [
        Entry(name.removeprefix(root).lstrip("/"), system.unstrip_protocol(name), info["size"] or 0)
        for name, info in sorted(listed.items())
        if info.get("type") != "directory" and name.rstrip("/") != root
    ]
    return Walk(entries)
