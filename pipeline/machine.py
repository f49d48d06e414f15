"""Turns what the machine refuses (room on a disk, a file, memory) into a sentence that names the
file and says what to do, in whichever way a library reports it. Catches nothing."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import ReviewError, StorageError, reason_of

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""There is no room."""

READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""There is no right to it."""

FAILING = frozenset(
    getattr(errno, name)
    for name in ("EIO", "ENXIO", "ENODEV", "ESTALE", "EREMOTEIO")
    if hasattr(errno, name)
)
"""The disk or the network share does not work."""

TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
"""Files that are open."""

NO_MEMORY = frozenset({errno.ENOMEM})
"""What the kernel needs for a file."""

MISPLACED = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG})
"""There can be no such file, such as in /proc."""

UNUSABLE = frozenset(
    {
        *(errno.EBUSY, errno.EAGAIN, errno.ENOLCK, errno.EDEADLK, errno.ENOSYS, errno.EOPNOTSUPP),
        *(errno.EXDEV, errno.EMLINK, errno.ENOTEMPTY, errno.ELOOP),
    }
)
"""The file system has not what is needed, or somebody else uses the file."""

UNAVAILABLE = FAILING | TOO_MANY | NO_MEMORY
"""Says nothing of the file: it may be whole, and is not to be taken for damaged or absent."""

OF_FILES = FULL | READ_ONLY | UNAVAILABLE | MISPLACED | UNUSABLE

NUMBER_IN_TEXT = re.compile(r"\(os error (\d+)\)|\berrno (\d+)\b", re.IGNORECASE)
"""How Rust (safetensors, tokenizers) and Arrow name an errno."""

FILE_IN_TEXT = re.compile(r"local file '([^']+)'")
"""How Arrow names a file."""

UNOPENED = re.compile(r"No such file or directory: (.+)", re.DOTALL)
"""What safetensors says of every file that it cannot open, whatever the reason."""

TEXTS = (
    (re.compile(r"No space left on device|database or disk is full", re.I), errno.ENOSPC),
    (re.compile(r"Disk quota exceeded", re.I), errno.EDQUOT),
    (re.compile(r"disk I/O error|Input/output error", re.I), errno.EIO),
    (re.compile(r"Read-only file system|readonly database", re.I), errno.EROFS),
    (re.compile(r"Too many open files", re.I), errno.EMFILE),
)
"""How libraries name it that keep no number: SQLite, ffmpeg, C++."""

UNWRITTEN = re.compile(r"inline_container|PytorchStreamWriter|iostream error", re.I)
"""What torch says where a file could not be written, whatever the reason."""

LITTLE = 1 << 20
"""Bytes that are free on a disk which is full."""

_TEMPORARY = re.compile(r"^\.writing-(?:[0-9a-f]{8}-)?\d+-")


@dataclass(frozen=True)
class Refusal:
    """What the machine refused."""

    number: int | None
    """The errno; None where a file was not written and nothing says why."""
    path: str | None = None
    """The file, where it is known."""

    @property
    def reason(self) -> str:
        """In the words of the operating system."""
        return "it was not written whole" if self.number is None else os.strerror(self.number)


def refusal_in(error: BaseException) -> Refusal | None:
    """What the machine refused, by an error or what caused it; None for any other error. Memory is
    another matter: `is_out_of_memory`."""
    return next(filter(None, map(_refusal_of, _chain(error))), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of its accelerator does not
    suffice."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
    )


def sentence_about(refusal: Refusal, path: object, *, writing: bool = True) -> str:
    """What the refusal means for a file, and what to do; with ``writing`` it was being written."""
    make = next((make for numbers, make in _SENTENCES if refusal.number in numbers), _unwritten)
    return make(path, refusal.reason, writing)


def about_any(error: BaseException, place: object = None) -> str | None:
    """The sentence about an error that reached the top, where the machine refused something; None
    for any other. ``place`` is where the work was done, for an error that names no file."""
    if any(map(is_out_of_memory, _chain(error))):
        detail = f" ({reason_of(error).rstrip('.')})" if str(error).strip() else ""
        return (
            f"There is not enough memory{detail}. Close other programs, or take fewer images "
            f"(--limit) or smaller batches (--batch-size), then start the same command again."
        )
    refusal = refusal_in(error)
    if refusal is None:
        return None
    full = full_folder(place) if refusal.path is None and refusal.number in FULL else None
    where = refusal.path or full or place or Path.cwd()
    return sentence_about(refusal, where, writing=refusal.number in FULL)


def raise_unavailable(
    error: BaseException, path: object, numbers: frozenset[int] = UNAVAILABLE
) -> None:
    """Raise StorageError where the machine refused to read a file; to be called before an error of
    reading is taken for what the file is."""
    refusal = refusal_in(error)
    if refusal is not None and refusal.number in numbers:
        where = path if refusal.path is None else refusal.path
        raise StorageError(sentence_about(refusal, where, writing=False)) from error


def named_path(name: str) -> str:
    """The path that a person knows: of a temporary file the one whose place it takes."""
    parts = [_TEMPORARY.sub("", part) for part in Path(name).parts]
    return str(Path(*parts)) if parts else name


def full_folder(place: object = None) -> str | None:
    """The first of the folders that are written to whose disk has no room left."""
    for folder in (place, tempfile.gettempdir(), os.environ.get("HF_HOME"), Path.home(), "."):
        if folder is not None and _is_full(Path(str(folder))):
            return str(folder)
    return None


def _is_full(folder: Path) -> bool:
    try:
        known = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        return shutil.disk_usage(known).free < LITTLE
    except (OSError, StopIteration):
        return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def _refusal_of(error: BaseException) -> Refusal | None:
    """What one error says by itself."""
    if isinstance(error, ReviewError):
        return None
    if isinstance(error, OSError) and error.errno in OF_FILES:
        return Refusal(error.errno, _file_of(error))
    text = str(error)
    if isinstance(error, FileNotFoundError) and (unopened := UNOPENED.fullmatch(text)):
        return _refusal_to_open(unopened[1])
    found = NUMBER_IN_TEXT.search(text)
    number = int(found[1] or found[2]) if found else None
    number = next((one for words, one in TEXTS if words.search(text)), number)
    if number in OF_FILES - MISPLACED | {errno.ENAMETOOLONG}:
        return Refusal(number, _file_of(error))
    return Refusal(None) if UNWRITTEN.search(text) else None


def _refusal_to_open(name: str) -> Refusal | None:
    """Why a regular file could not be opened; None where there is none."""
    path = Path(name)
    if not path.is_file():
        return None
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        return Refusal(error.errno, named_path(name))
    return Refusal(errno.EIO, named_path(name))  # it has passed


def _file_of(error: BaseException) -> str | None:
    names = [getattr(error, "filename2", None), getattr(error, "filename", None)]
    name = next((one for one in names if isinstance(one, (str, bytes))), None)
    if name is None and (found := FILE_IN_TEXT.search(str(error))):
        name = found[1]
    return None if name is None else named_path(os.fsdecode(name))


# -- sentences: of the path, the reason, and whether it was being written


def _full(path: object, reason: str, writing: bool) -> str:
    return (
        f"The disk is full while writing {path}. Free some space and start the same command again."
    )


def _over_limit(path: object, reason: str, writing: bool) -> str:
    return (
        f"The disk is full while writing {path} ({reason}: a quota, or a limit of the size of "
        f"files as of `ulimit -f`). Free some space or have it raised, then start the same "
        f"command again."
    )


def _forbidden(path: object, reason: str, writing: bool) -> str:
    what = "written to" if writing else "read or written"
    return (
        f"{path} cannot be {what} ({reason}). Use a place of your own with --out or --run "
        "(--run NEW --checkpoints FOLDER reviews checkpoints that lie elsewhere)."
    )


def _failing(path: object, reason: str, writing: bool) -> str:
    what = "writing" if writing else "reading or writing"
    return (
        f"The disk or network share fails while {what} {path} ({reason}). Check it, then start "
        f"the same command again."
    )


def _too_many(path: object, reason: str, writing: bool) -> str:
    return (
        f"{path} cannot be opened ({reason}). Close other programs or allow more open files "
        f"(`ulimit -n 4096`), then start the same command again."
    )


def _no_memory(path: object, reason: str, writing: bool) -> str:
    return (
        f"There is not enough memory to open or write {path} ({reason}). Close other programs, "
        f"then start the same command again."
    )


def _misplaced(path: object, reason: str, writing: bool) -> str:
    what = "written to" if writing else "opened"
    return f"{path} cannot be {what} ({reason}). Use another path."


def _unusable(path: object, reason: str, writing: bool) -> str:
    return (
        f"{path} cannot be used ({reason}): the file system does not offer what is needed, or "
        f"another program uses the file. Try it again, or name a folder on another disk."
    )


def _unwritten(path: object, reason: str, writing: bool) -> str:
    if _is_full(Path(str(path))):
        return _full(path, os.strerror(errno.ENOSPC), writing)
    return (
        f"{path} cannot be written ({reason}). Check the disk and the room on it, then start the "
        f"same command again."
    )


_Sentence = Callable[[object, str, bool], str]

_SENTENCES: Iterable[tuple[frozenset[int], _Sentence]] = (
    (frozenset({errno.ENOSPC}), _full),
    (FULL, _over_limit),
    (READ_ONLY, _forbidden),
    (FAILING, _failing),
    (TOO_MANY, _too_many),
    (NO_MEMORY, _no_memory),
    (MISPLACED, _misplaced),
    (UNUSABLE, _unusable),
)
