"""Who else on this machine can read what a review is about, going by the rights of files and of the
folders above them. Changes no rights."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.commandline import quoted
from review_embeddings.pipeline.run.folder import RunFolder


def open_to_others(run: RunFolder) -> list[str]:
    """One sentence about each folder whose decisions or images others can read, with the command
    that keeps them out."""
    return [
        f"{_capital(readers)} can read the {what} of this review in its files. To keep them out: "
        f"chmod go-rwx {quoted(folder)}"
        for folder, what, readers in _open(run)
    ]


def printed_to_others(stream: TextIO = sys.stdout) -> str:
    """The sentence about output, which has an address in it, that goes to a file of this kind;
    empty where it does not."""
    try:
        descriptor = stream.fileno()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        numbered = system.numbered_file(descriptor)
        file = None if numbered is None else numbered.readlink()
    except (OSError, ValueError, AttributeError):
        return ""
    if file is None or not (readers := readers_of(file)):
        return ""
    return (
        f"This output goes to {file}, which {readers} can read: whoever opens the address first is "
        f"let in. To keep them out: chmod 600 {quoted(file)}"
    )


def readers_of(path: Path) -> str:
    """Who can read a file or folder beside its owner, for people; empty where nobody can, or where
    there are no such rights."""
    if not system.has_rights() or not path.exists():
        return ""
    path = path.resolve()
    found = path.stat()
    group = system.shared_group(found.st_gid)
    if _allows(path, stat.S_IROTH) and all(_allows(one, stat.S_IXOTH) for one in path.parents):
        return "other users of this machine"
    through = {True: stat.S_IXGRP, False: stat.S_IXOTH}
    is_theirs = _allows(path, stat.S_IRGRP) and all(
        _allows(one, through[one.stat().st_gid == found.st_gid]) for one in path.parents
    )
    return f"the group {group}" if group and is_theirs else ""


def _open(run: RunFolder) -> Iterator[tuple[Path, str, str]]:
    """Folder, what is in it, and who can read it."""
    decisions = run.decisions if run.decisions.exists() else run.images  # will be as readable
    files = {"decisions": decisions, "images": run.images}
    readers = {what: found for what, file in files.items() if (found := readers_of(file))}
    if readers:
        yield run.path, " and ".join(readers), next(iter(readers.values()))
    info = run.read_info()
    source = None if info is None or not info.dataset.in_place else Path(info.dataset.source)
    if source is not None:
        source = source if source.is_absolute() else run.path / source
        is_theirs = source.exists() and system.has_same_owner(source, run.path)
        if is_theirs and (found := readers_of(source)):
            yield source.resolve(), "images of the data set", found


def _allows(path: Path, right: int) -> bool:
    return bool(path.stat().st_mode & right)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
