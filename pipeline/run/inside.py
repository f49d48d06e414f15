"""Where files of a run folder may be: the folder may have come from a stranger, so no link in it is
followed for writing or deleting, and no name that it holds leads out of it.

A link to the whole run folder is followed: whoever named it meant it. What only reads follows links
as anything does."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from review_embeddings.pipeline.errors import StorageError
from review_embeddings.pipeline.run import system

RUN_MARKS = ("run.json", "training.json")
"""A folder with one of these is a run."""

OF_A_RUN = re.compile(
    r"(run|training|milvus|lease)\.json|(trained_)?images\.parquet|skipped\.csv|log\.csv|"
    r"decisions\.jsonl|milvus\.db|resume|shards|cache|exports|embeddings|probabilities|neighbors|"
    r"distances|outliers|projections|quality|heldout|judge|judge_coefficients|judge_scaling|"
    r"label_fit|apart|groups|trust|motion|duplicates|leaks|against|image_quality|table|"
    r"checkpoint-\d+"
)
"""What a run folder has of its own, where it is itself the folder of the images."""

CHECKPOINT = re.compile(r"checkpoint-\d+")
"""Of these the folder may be a link: they are only read, unless a training writes them."""

PLAIN_NAME = re.compile(r"[^/\\:\x00]+")
"""One part of a path; a colon would begin a drive, or a stream of a file."""


def run_around(path: Path) -> Path | None:
    """The outermost run folder that a path lies in, by its names and without following a link of
    the path itself; None for a path outside of any."""
    folders = list(path.absolute().parents)[::-1]
    return next((one for one in folders if any((one / mark).exists() for mark in RUN_MARKS)), None)


def check_folders(path: Path, run: Path | None = None) -> None:
    """Raise StorageError where a folder between the run and a path in it is a link; ``run`` where
    it is known. A path outside of any run is not looked at."""
    run = _root_of(path, run)
    for folder in [] if run is None else reversed(path.absolute().parents):
        if run in folder.parents and folder.is_symlink():
            raise _refused(folder)


def check_no_link(path: Path, run: Path | None = None) -> None:
    """Likewise, and where the path itself is a link."""
    check_folders(path, run)
    if _root_of(path, run) is not None and path.is_symlink():
        raise _refused(path)


def check_own_folders(run: Path) -> None:
    """Raise StorageError where a folder of results is a link: said before any long work."""
    with os.scandir(run) as entries:
        for one in entries:
            own = OF_A_RUN.fullmatch(one.name) and not CHECKPOINT.fullmatch(one.name)
            if own and one.is_symlink() and one.is_dir():
                raise _refused(Path(one.path))


def make_run_folder(run: Path, *, lock: str) -> None:
    """Have the folder of a run, in which a lock of this name can be taken and results written.
    Raises StorageError where one of these is a link."""
    make_folder(run)
    check_no_link(run / lock, run)
    check_own_folders(run)


def check_trained_into(run: Path) -> None:
    """Likewise for whatever a training writes by the hands of its libraries, which follow links:
    the files of the folder itself, checkpoints and the state to resume from."""
    for folder, folders, files in os.walk(run):
        here = Path(folder)
        if here == run:
            folders[:] = [one for one in folders if CHECKPOINT.fullmatch(one) or one == "resume"]
        link = next((here / one for one in (*folders, *files) if (here / one).is_symlink()), None)
        if link is not None:
            raise _refused(link)


def _root_of(path: Path, run: Path | None) -> Path | None:
    """The outermost run: of a run in a run the outer one, where one is there already."""
    return run_around(path) or (run and run.absolute())


def _refused(link: Path) -> StorageError:
    return StorageError(
        f"{link} is a link in a run folder, and nothing is written or deleted through such a link: "
        f"it may lead anywhere. Put what it points to in its place; a link to the run folder as a "
        f"whole is followed."
    )


def open_inside(path: Path, flags: int, mode: int = 0o666, run: Path | None = None) -> int:
    """Open a file of a run for writing in its place, such as one that grows; the descriptor.

    Each folder below the run is opened by itself and no link followed, whoever exchanges one
    meanwhile. Raises StorageError for a link and for what is no file, OSError.
    """
    run = _root_of(path, run)
    if run is None or not system.can_open_in_folder():
        check_no_link(path, run)
        flags |= system.NO_FOLLOW | system.NO_WAIT | system.BINARY
        return _checked_file(os.open(path, flags, mode), path)
    *folders, name = path.absolute().relative_to(run).parts
    folder = system.open_folder(run)
    try:
        for one in folders:
            with _link_refused(path):
                inner = system.open_folder(one, folder)
            os.close(folder)
            folder = inner
        with _link_refused(path):
            descriptor = system.open_file_in(folder, name, flags, mode)
        return _checked_file(descriptor, path)
    finally:
        os.close(folder)


def open_alone(path: Path, flags: int, run: Path | None = None) -> int:
    """The same for a file that grows and has no other name: what is added would also be in a backup
    that ``cp -al`` has made, or in a file outside of the run. Raises StorageError likewise."""
    descriptor = open_inside(path, flags, run=run)
    if os.fstat(descriptor).st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise StorageError(
        f"{path} is a hard link: the same file has another name elsewhere, which would change too. "
        f"Put a copy of it in its place: cp {path} {path}.copy && mv {path}.copy {path}"
    )


@contextlib.contextmanager
def _link_refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in system.LINK_ERRORS:
            check_no_link(path)
        error.filename = str(path)
        raise


def _checked_file(descriptor: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise StorageError(f"{path} is no regular file. Move it away and start the same command again.")


def remove_file(path: Path) -> None:
    """Delete a file, or a link in its place; one that is not there is no mistake."""
    check_folders(path)
    path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Delete a folder with everything in it as far as that can be done; of a link only itself."""
    check_folders(folder)
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Have a folder, and those around it. Raises StorageError where one in a run is a link."""
    check_no_link(folder)
    folder.mkdir(parents=True, exist_ok=True)


def within(folder: Path, name: str) -> Path:
    """The path of a name that a file of the run holds, relative to a folder. Raises ValueError for
    one that could lead out of it: absolute, with ``..``, of another drive."""
    if not is_within(name):
        raise ValueError(f"{name[:40]!r} leads out of the run folder")
    return folder.joinpath(*name.split("/"))


def is_within(name: str) -> bool:
    """Whether a name that is relative to a folder lies in it, on every system."""
    parts = name.split("/")
    return all(PLAIN_NAME.fullmatch(part) and part not in {".", ".."} for part in parts)


def set_aside_link(path: Path) -> None:
    """Take away a link where a new file is to be written."""
    if path.is_symlink():
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
