"""Owns ``decisions.jsonl``: what people decided about images, kept for good.

The file is only ever added to, by any number of processes that take turns. Lines that this version
cannot read stay in it and are told to everybody who reads it: `read_history` and `writing` do not
go without somebody to tell. A file that another program put in its place is noticed and read
anew."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import open_regular
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import open_alone, open_inside
from review_embeddings.pipeline.run.records import RecordError
from review_embeddings.review.decisions.history import History, in_order
from review_embeddings.review.decisions.lines import (
    MAX_SEQUENCE,
    PREFIX,
    Decision,
    UnreadableLine,
    as_line,
    now,
    read_line,
    unreadable_line,
)

Note = Callable[[str], None]
"""Takes one line that a person should read."""

MAX_FILE_BYTES = 256 << 20
"""Of the file: some 800,000 decisions."""

ADD = os.O_WRONLY | os.O_CREAT | os.O_APPEND
"""How a file is opened that only grows."""

MAX_NAMED = 5
"""Unreadable lines that are named; the others are counted."""

PROBE = 1024
"""Bytes at the beginning, and before the end of what was read, by which a file is known again."""

MAX_TRIES = 3
"""How often lines are written again into a file that was replaced while they were written."""


def read_history(run: RunFolder, note: Note) -> History:
    """Read the file; empty where there is none. ``note`` is told of lines that cannot be read and
    of one that a crash has cut off: they are left out."""
    log = DecisionLog(run, note)
    log.refresh()
    log.report()
    return log.history


@contextmanager
def writing(run: RunFolder, note: Note) -> Iterator[DecisionLog]:
    """Be the only process that adds decisions to a run; ``note`` as of `read_history`. Raises
    BusyError where another one does so for long."""
    log = DecisionLog(run, note)
    with log.appending():
        log.report()
        yield log


def about_unreadable(
    run: RunFolder, lines: Sequence[UnreadableLine], *, reasons: bool = True
) -> str:
    """The one sentence that says which lines of the file cannot be read, and with ``reasons`` why
    the first ones cannot."""
    named = ", ".join(
        f"{line.number} ({line.reason})" if reasons else str(line.number)
        for line in lines[:MAX_NAMED]
    )
    more = f" and {len(lines) - MAX_NAMED:,} more" if len(lines) > MAX_NAMED else ""
    subject, verb = ("Line", "is") if len(lines) == 1 else ("Lines", "are")
    return f"{subject} {named}{more} of {run.decisions} cannot be read and {verb} left out."


@dataclass(frozen=True)
class _Mark:
    """How far a file was read, and how it is known again."""

    device: int
    inode: int
    offset: int
    """Bytes that were read."""
    head: bytes
    """Its first bytes."""
    tail: bytes
    """Those before the offset."""
    is_open: bool
    """Whether they end with a line that lacks its end."""

    def is_of(self, file: int) -> bool:
        """Whether an open file is the one that was read, only longer."""
        status = os.fstat(file)
        if (status.st_dev, status.st_ino) != (self.device, self.inode):
            return False
        if status.st_size < self.offset or os.pread(file, len(self.head), 0) != self.head:
            return False
        if os.pread(file, len(self.tail), self.offset - len(self.tail)) != self.tail:
            return False
        return not self.is_open or os.pread(file, 1, self.offset) in {b"", b"\n"}


class DecisionLog:
    """The file of a run as one process knows it: reads what others add, and adds to it itself.

    Not to be used by several threads at once.
    """

    def __init__(self, run: RunFolder, note: Note) -> None:
        self.run, self._note = run, note
        self.history = History()
        self.floor = 0
        """Revision from which on all has to be read anew by whoever knows an earlier one."""
        self._mark: _Mark | None = None
        self._status: tuple[int, ...] | None = None
        self._torn = b""
        self._line_count = 0
        self._written: set[tuple[str, str, str | None]] = set()
        self.own: list[Decision] = []
        """Lines that this process has added."""
        self._sha256 = hashlib.sha256()

    @property
    def revision(self) -> int:
        """Of what is known: larger after every change."""
        last = self.history.lines[-1].sequence if self.history.lines else 0
        return max(last, self.floor)

    # -- reading

    def refresh(self) -> None:
        """Read what was added since; all of it where the file is another one. Raises RunError
        where it cannot be read."""
        path = self.run.decisions
        try:
            if self._status == (status := _status_of(path)) and status is not None:
                return
            self._read()
            self._status = status
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(f"{path} cannot be read ({reason}). Check its rights.") from error
        self.history.taken = now()
        self.history.digest = self._digest()

    def _digest(self) -> str | None:
        if self._mark is None:
            return None
        whole = self._sha256.copy()
        whole.update(self._torn)
        return whole.hexdigest()

    def _read(self) -> None:
        try:
            file = open_regular(self.run.decisions)
        except FileNotFoundError:
            if self._mark is not None:
                with self._anew():
                    pass
            return
        try:
            if self._mark is None or self._mark.is_of(file):
                self._read_on(file)
            else:
                with self._anew():
                    self._read_on(file)
        finally:
            os.close(file)

    @contextmanager
    def _anew(self) -> Iterator[None]:
        """Read a file from its beginning that was replaced; it is told where that took lines
        away."""
        revision, before = self.revision, self.history.lines
        self.history = History()
        self._mark, self._torn, self._line_count, self._written = None, b"", 0, set()
        self._sha256 = hashlib.sha256()
        yield
        if self.history.lines[: len(before)] != before:
            self.floor = max(revision, self.revision) + 1
            self._note(f"{self.run.decisions} was replaced by another program and read anew.")

    def _read_on(self, file: int) -> None:
        offset = 0 if self._mark is None else self._mark.offset
        content = _read_from(file, offset)
        lines = content.split(b"\n")
        self._torn = lines.pop()
        is_open = not content and self._mark is not None and self._mark.is_open
        if self._torn and _is_whole(self._torn):
            lines.append(self._torn)
            self._torn, is_open = b"", True
        if self._mark is not None and self._mark.is_open and content:
            lines = lines[1:]  # the end of the line that was read before
        self._take(lines)
        self._mark = _mark_at(file, offset + len(content) - len(self._torn), is_open)
        self._sha256.update(content[: len(content) - len(self._torn)])

    def _take(self, lines: Sequence[bytes]) -> None:
        """Add lines, as they stand in the file, to what is known."""
        read: list[Decision] = []
        for line in lines:
            self._line_count += 1
            if not line.strip():
                continue
            try:
                self._sort(_in_range(read_line(line)), read)
            except RecordError as error:
                self.history.unreadable.append(unreadable_line(self._line_count, error))
        if not read:
            return
        last = self.history.lines[-1].sequence if self.history.lines else 0
        numbered = in_order(read, last)
        if last and min(line.sequence for line in numbered) <= last:
            self.floor = self.revision + 1  # merged in: they belong before what was read
        self.history.lines += numbered
        self.history.lines.sort(key=lambda line: line.sequence)
        self._written |= {line.key for line in numbered}

    def _sort(self, line: Decision, read: list[Decision]) -> None:
        """Add a line to those that were ``read``, unless it is about what was moved."""
        if line.compacted is None:
            read.append(line)
        else:
            self.history.compacted = line.compacted

    def has(self, line: Decision) -> bool:
        """Whether the file has a line, or had it before it was compacted."""
        moved = {} if self.history.compacted is None else self.history.compacted.written
        return line.key in self._written or line.image_hash[:PREFIX] in moved.get(line.request, ())

    def report(self) -> None:
        """Tell of lines that cannot be read."""
        if self.history.unreadable:
            self._note(about_unreadable(self.run, self.history.unreadable))
        if self._torn:
            self._note(
                f"The last line of {self.run.decisions} was cut off by a crash and is left out "
                f"({len(self._torn)} bytes)."
            )

    # -- adding

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Be the only process that adds lines, with all that others have added read. Raises
        BusyError, StorageError."""
        with self.run.decision_lock():
            self.refresh()
            self._set_torn_line_aside()
            self._restore()
            yield

    def create(self) -> None:
        """Make the file, inside `appending`, where there is none. Raises StorageError where it
        cannot be written to."""
        with storage_errors(self.run.decisions):
            existed = self.run.decisions.exists()
            os.close(open_alone(self.run.decisions, ADD, run=self.run.path))
        if not existed:
            _sync_folder(self.run)

    @property
    def lacking(self) -> list[Decision]:
        """Lines of this process that the file has not any more."""
        return [line for line in self.own if not self.has(line)]

    def _restore(self) -> None:
        """Add lines of this process again where another program has dropped them."""
        lacking = self.lacking
        if lacking:
            self._write(lacking)
            what = "1 decision" if len(lacking) == 1 else f"{len(lacking):,} decisions"
            self._note(
                f"{what} of this review, which the file put in the place of {self.run.decisions} "
                f"lacked, were added again."
            )

    def append(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Write the lines that are not there yet, inside `appending`, and wait until they are on
        disk, and in the store if there is one; returns them.

        Raises StorageError; where the disk is full nothing stays of what was begun.
        """
        new = [line for line in decisions if not self.has(line)]
        if not new:
            return []
        first = max(self.revision + 1, time.time_ns() // 1000)
        new = [replace(line, sequence=first + index) for index, line in enumerate(new)]
        self._write(new)
        self.own += new
        return new

    def _write(self, lines: Sequence[Decision]) -> None:
        """Write lines, and again where the file was replaced meanwhile, until it has them."""
        for _ in range(MAX_TRIES):
            self._write_once([line for line in lines if not self.has(line)])
            self.refresh()
            if all(map(self.has, lines)):
                return
        raise StorageError(
            f"{self.run.decisions} is replaced by another program again and again. Stop it."
        )

    def _write_once(self, lines: Sequence[Decision]) -> None:
        content = b"".join(map(as_line, lines))
        if self._mark is not None and self._mark.is_open:
            content = b"\n" + content
        path = self.run.decisions
        with storage_errors(path):
            existed = path.exists()
            file = open_alone(path, ADD, run=self.run.path)
            try:
                size = os.fstat(file).st_size
                try:
                    _write_whole(file, content)
                    os.fsync(file)
                    storage.added_to(path)
                except (OSError, StorageError):
                    with contextlib.suppress(OSError):
                        os.ftruncate(file, size)
                    raise
            finally:
                os.close(file)
            if not existed:
                _sync_folder(self.run)

    def _set_torn_line_aside(self) -> None:
        """Move a last line without its end out of the file, so that the next one does not grow
        together with it."""
        if not self._torn or self._mark is None:
            return
        path, aside = self.run.decisions, self.run.torn_decisions
        with storage_errors(path), os.fdopen(open_alone(path, os.O_RDWR), "r+b") as file:
            with os.fdopen(open_inside(aside, ADD), "ab") as torn:
                torn.write(self._torn + b"\n")
                torn.flush()
                os.fsync(torn.fileno())
            file.truncate(self._mark.offset)
            os.fsync(file.fileno())
        storage.added_to(path)
        self._torn = b""
        self._note(f"The last line of {path} was cut off by a crash; it was moved to {aside.name}.")


def _in_range(line: Decision) -> Decision:
    """A sequence that no clock gives is none."""
    return line if 0 <= line.sequence < MAX_SEQUENCE else replace(line, sequence=0)


def _is_whole(line: bytes) -> bool:
    """Whether a last line without its end is all there."""
    try:
        read_line(line)
    except RecordError:
        return False
    return True


def _status_of(path: Path) -> tuple[int, ...] | None:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read_from(file: int, offset: int) -> bytes:
    """The rest of an open file."""
    with os.fdopen(os.dup(file), "rb") as opened:
        opened.seek(offset)
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise OSError(f"more than {MAX_FILE_BYTES >> 20} MB")
    return content


def _mark_at(file: int, offset: int, is_open: bool) -> _Mark:
    status = os.fstat(file)
    tail = min(PROBE, offset)
    return _Mark(
        status.st_dev,
        status.st_ino,
        offset,
        os.pread(file, tail, 0),
        os.pread(file, tail, offset - tail),
        is_open,
    )


def _write_whole(file: int, content: bytes) -> None:
    """One write; more only where the system takes less at once."""
    waiting = memoryview(content)
    while waiting:
        waiting = waiting[os.write(file, waiting) :]


def _sync_folder(run: RunFolder) -> None:
    """Have the name of a new file on disk as well as its contents."""
    with contextlib.suppress(OSError):
        folder = os.open(run.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
