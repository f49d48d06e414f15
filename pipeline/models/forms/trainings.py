"""Says what a folder without checkpoints holds: trainings in folders below, or files of another
library."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.forms.kinds import Kind, answer_for, kind_of
from review_embeddings.pipeline.run.commandline import quoted
from review_embeddings.pipeline.run.folder import CHECKPOINT_NAME, is_run

MAX_DEPTH = 5
"""Folders below each other that are looked into; Ultralytics and Lightning use 3."""

MAX_FOLDERS = 2000
"""Looked into, so that a folder of images or a home folder ends soon."""

MAX_LISTED = 5
"""Trainings that a message names."""

UNFINISHED = (".", "tmp-")
"""How the names of hidden folders begin, and of checkpoints that the Trainer is writing."""

OWN_FOLDERS = {"embeddings", "probabilities", "table", "cache", "shards", "exports", "resume"}
"""Of a run, which hold no training."""


@dataclass(frozen=True)
class FoundTrainings:
    """What lies in a folder or below it."""

    readable: list[Path]
    """Folders that can be named with ``--run``."""
    others: list[tuple[Path, Kind, list[Path]]]
    """Folders with files of other libraries."""


def trainings_in(root: Path) -> str | None:
    """The trainings in folders below a folder, and what to name; None where there are none."""
    return _answer(root, _found_in(root).readable)


def _answer(root: Path, found: list[Path]) -> str | None:
    if not found:
        return None
    names = ", ".join(map(str, found[:MAX_LISTED]))
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    which, name = ("training in it is", "it") if len(found) == 1 else ("trainings in it are", "one")
    return (
        f"{root} holds no checkpoints itself; the {which} {names}{more}. Name {name} with --run "
        f"{quoted(found[-1])}"
    )


def what_lies_in(root: Path, *, certain: bool = False) -> str | None:
    """What a folder holds that is no run itself, and what to do, in one line; None where nothing in
    it is known. With ``certain``, only what is of a training without a doubt."""
    found = _found_in(root)
    if found.readable:
        return _answer(root, found.readable)
    others = sorted(found.others, key=lambda one: not one[1].is_certain)
    if others and (others[0][1].is_certain or not certain):
        return answer_for(*others[0])
    return None


def _found_in(root: Path) -> FoundTrainings:
    found = FoundTrainings([], [])
    for folder, files in _folders_below(root):
        if folder != root and _is_training(folder):
            found.readable.append(folder)
        elif kinds := _kinds_of(files):
            found.others.extend((folder, kind, some) for kind, some in kinds.items())
    return found


def _is_training(folder: Path) -> bool:
    """Whether a folder can be named with ``--run``; a single checkpoint is not meant."""
    if CHECKPOINT_NAME.fullmatch(folder.name):
        return any(CHECKPOINT_NAME.fullmatch(child.name) for child in _children(folder)[0])
    return is_run(folder)


def _kinds_of(files: list[Path]) -> Mapping[Kind, list[Path]]:
    kinds: dict[Kind, list[Path]] = {}
    for file in files:
        if (kind := kind_of(file)) is not None:
            kinds.setdefault(kind, []).append(file)
    return kinds


def _folders_below(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """A folder and those below it with their files, the nearest first; not what lies in a training
    that was found."""
    queue, seen = deque([(root, 0)]), 0
    while queue and seen < MAX_FOLDERS:
        folder, depth = queue.popleft()
        seen += 1
        folders, files = _children(folder)
        yield folder, files
        if depth < MAX_DEPTH and (folder == root or not _is_training(folder)):
            queue.extend((child, depth + 1) for child in folders)


def _children(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files in a folder; none where it may not be read, no links to folders."""
    try:
        children = sorted(folder.iterdir())
        folders = [
            child
            for child in children
            if child.is_dir()
            and not child.is_symlink()
            and not child.name.startswith(UNFINISHED)
            and child.name not in OWN_FOLDERS
        ]
        return folders, [child for child in children if child.is_file()]
    except OSError as error:
        raise_unavailable(error, error.filename)
        return [], []


def instead_of_file(path: Path, option: str) -> str | None:
    """What to name instead of a file with an option that takes a folder; None for no file."""
    if not path.is_file():
        return None
    if is_run(path.parent):
        return f"{option} {path} is a file. Name its folder: {option} {quoted(path.parent)}"
    kind = kind_of(path)
    if kind is not None:
        return f"{option} {path} is a file. {answer_for(path.parent, kind, [path])}"
    return f"{option} {path} is a file. Name the folder of a run or of checkpoints."
