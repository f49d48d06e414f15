"""Names of what is being written, and what of it was left behind by a process that is gone.

A name holds machine and process: nothing is deleted that another one may be writing, and nothing
that is not named so."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.inside import (
    make_folder,
    remove_file,
    remove_tree,
    set_aside_link,
)

TEMPORARY_PREFIX = ".writing-"

MAX_NAME = 200
"""Bytes of a name that a temporary name can hold; longer ones are shortened."""

FOREIGN_SECONDS = 48 * 3600.0
"""After which what another machine has not written to was left behind."""

WRITER = re.compile(r"(?:(?P<host>[0-9a-f]{8})-)?(?P<process>[1-9]\d{0,8})-(?P<name>.+)", re.DOTALL)
"""What follows a prefix: who writes, and what; earlier versions left the machine out."""


@functools.cache
def writer_prefix() -> str:
    """What names of this machine begin with."""
    return f"{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]}-"


def own_prefix(prefix: str = TEMPORARY_PREFIX) -> str:
    """What names of this process begin with."""
    return f"{prefix}{writer_prefix()}{os.getpid()}-"


def temporary_path(path: Path) -> Path:
    """A path in the same folder (created where missing) to write to until all of it is there.

    What a killed process has left of the same file or folder goes."""
    system.check_path(path)
    make_folder(path.parent)
    name = _shortened(path.name)
    for found in _first_seen(str(path.parent.absolute())):
        if (match := _writer(found, TEMPORARY_PREFIX)) and match["name"] == name:
            _remove_leftover(path.parent / found, match)
    temporary = path.with_name(own_prefix() + name)
    set_aside_link(temporary)
    return temporary


def _shortened(name: str) -> str:
    if len(name.encode(errors="surrogateescape")) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return digest[:16] + Path(name).suffix[:16]


@functools.lru_cache(maxsize=256)
def _first_seen(folder: str) -> tuple[str, ...]:
    """The temporary names that were in a folder when this process wrote into it first."""
    with suppress(OSError), os.scandir(folder) as entries:
        return tuple(one.name for one in entries if one.name.startswith(TEMPORARY_PREFIX))
    return ()


def remove_leftovers(folder: Path) -> None:
    """Delete all temporary files and folders in a folder of ours whose writers are gone."""
    _remove_named(folder, TEMPORARY_PREFIX)


@contextmanager
def working_folder(prefix: str) -> Iterator[Path]:
    """A folder of this process among the machine's temporary ones; those that killed processes of
    the same person left there go."""
    _remove_named(Path(tempfile.gettempdir()), prefix, folders_only=True)
    with tempfile.TemporaryDirectory(prefix=own_prefix(prefix)) as folder:
        yield Path(folder)


def _remove_named(folder: Path, prefix: str, *, folders_only: bool = False) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for one in list(entries):
            match = _writer(one.name, prefix)
            if match and (not folders_only or _is_own_folder(one)):
                _remove_leftover(folder / one.name, match)


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is no link, and of the person whose process this is."""
    return system.is_own(entry.stat(follow_symlinks=False)) and entry.is_dir(follow_symlinks=False)


def _writer(name: str, prefix: str) -> re.Match[str] | None:
    return WRITER.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None


def _remove_leftover(path: Path, writer: re.Match[str]) -> None:
    """Delete something whose writer is gone."""
    here = writer["host"] is None or f"{writer['host']}-" == writer_prefix()
    process = int(writer["process"])
    try:
        old = time.time() - path.lstat().st_mtime > FOREIGN_SECONDS
        gone = process == os.getpid() or not system.is_alive(process) if here else old
        if gone and path.is_dir():
            remove_tree(path)
        elif gone:
            remove_file(path)
    except OSError:  # somebody else's, or gone by now
        return
