"""Owns ``decisions.jsonl``: what people decided about images, kept for good.

The file is only ever added to. Lines that this version cannot read stay in it and are told to
everybody who reads it: `read_history` and `writing` do not go without somebody to tell."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import (
    UNKNOWN,
    NewerFormatError,
    RecordError,
    as_json,
    record_of,
    unknown_keys,
)
from review_embeddings.review.decisions.kinds import DECISIONS, RELABEL, UNDECIDED

Note = Callable[[str], None]
"""Takes one line that a person should read."""

READABLE = frozenset({*DECISIONS, UNDECIDED, None})
"""Decisions that a line may hold."""

MAX_NOTE = 2000
"""Characters of a note."""

MAX_LIST_NAME = 200
"""Characters of the name of a saved list."""

MAX_DECISION = 40
"""Characters of an unknown decision in a message."""

MAX_NAMED = 5
"""Unreadable lines that are named; the others are counted."""


@dataclass(frozen=True)
class Decision:
    """One line of the file: a decision about one image, or that it stands in a saved list."""

    time: str
    """UTC, ISO 8601 with microseconds and ``Z``."""
    reviewer: str
    image_hash: str
    """SHA-256 (hex) of the image's bytes: what the decision is about."""
    image_id: int
    """Row of the data set's split when it was decided; the hash counts."""
    label: str | None
    """The given label then."""
    decision: str | None
    """One of `DECISIONS`, or `UNDECIDED`; None where the line only puts the image into a list."""
    new_label: str | None = None
    """The right class, of a relabel."""
    note: str = ""
    list: str | None = None
    """Name of a saved list. The images of the last request with this name make up the list."""
    checkpoints: tuple[int, ...] = ()
    """Steps on screen."""
    request: str = ""
    """The same for all images that were decided at once; a request that is repeated is not written
    twice."""
    version: str = ""
    """Of the program."""
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""


@dataclass(frozen=True)
class UnreadableLine:
    """A line of the file that counts for nothing, because this version cannot read it."""

    number: int
    """From 1 on."""
    reason: str
    """Such as ``it is no JSON``."""
    newer: bool = False
    """Whether a newer version can."""


@dataclass
class History:
    """All decisions, in the order in which they were made."""

    lines: list[Decision] = field(default_factory=list)
    unreadable: list[UnreadableLine] = field(default_factory=list)

    def current(self) -> dict[str, Decision]:
        """The decision that counts for each decided image, by its hash."""
        last = {line.image_hash: line for line in self.lines if line.decision is not None}
        return {image: line for image, line in last.items() if line.decision != UNDECIDED}

    def saved_lists(self) -> dict[str, list[str]]:
        """The image hashes of each saved list, in their order; the last list saved under a name
        counts."""
        lists: dict[str, tuple[str, list[str]]] = {}
        for line in self.lines:
            if line.list is None:
                continue
            request, members = lists.get(line.list, ("", []))
            if request != line.request or not members:
                members = []
                lists[line.list] = (line.request, members)
            if line.image_hash not in members[-1:]:
                members.append(line.image_hash)
        return {name: list(dict.fromkeys(members)) for name, (_, members) in lists.items()}


def read_history(run: RunFolder, note: Note) -> History:
    """Read the file; empty where there is none. ``note`` is told of lines that cannot be read and
    of one that a crash has cut off: they are left out."""
    try:
        content = run.decisions.read_bytes()
    except FileNotFoundError:
        return History()
    except OSError as error:
        raise RunError(
            f"{run.decisions} cannot be read ({error.strerror}). Check its rights."
        ) from error
    whole, _, torn = content.rpartition(b"\n")
    history = _parse_all(whole.split(b"\n"))
    if history.unreadable:
        note(about_unreadable(run, history.unreadable))
    if torn:
        note(
            f"The last line of {run.decisions} was cut off by a crash and is left out ({len(torn)} "
            f"bytes)."
        )
    return history


def about_unreadable(run: RunFolder, lines: Sequence[UnreadableLine]) -> str:
    """The one sentence that says which lines of the file cannot be read, and why the first ones
    cannot."""
    named = ", ".join(f"{line.number} ({line.reason})" for line in lines[:MAX_NAMED])
    more = f" and {len(lines) - MAX_NAMED:,} more" if len(lines) > MAX_NAMED else ""
    subject, verb = ("Line", "does") if len(lines) == 1 else ("Lines", "do")
    return f"{subject} {named}{more} of {run.decisions} cannot be read and {verb} not count."


def _parse_all(lines: Sequence[bytes]) -> History:
    history = History()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            history.lines.append(_parse(line))
        except NewerFormatError:
            reason = "made by a newer version of review-embeddings"
            history.unreadable.append(UnreadableLine(number, reason, newer=True))
        except RecordError as error:
            history.unreadable.append(UnreadableLine(number, str(error)))
    return history


def _parse(line: bytes) -> Decision:
    try:
        content = json.loads(line)
    except UnicodeDecodeError:
        raise RecordError("it is no UTF-8 text") from None
    except (ValueError, RecursionError):
        raise RecordError("it is no JSON") from None
    decision = record_of(Decision, content)
    if decision.decision not in READABLE:
        shown = json.dumps(decision.decision)[:MAX_DECISION]
        raise RecordError(f"is {shown}, none of {', '.join((*DECISIONS, UNDECIDED))}", "decision")
    if decision.decision == RELABEL and decision.new_label is None:
        raise RecordError("is missing", "new_label")
    return decision


def as_line(decision: Decision) -> bytes:
    """The line of the file, with its end."""
    content = as_json(decision)
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a character, which a browser can send and UTF-8 cannot hold
        return json.dumps(content, separators=(",", ":")).encode() + b"\n"


class DecisionWriter:
    """The one process that adds to the file of a run."""

    def __init__(self, run: RunFolder, note: Note) -> None:
        self._run = run
        _set_torn_line_aside(run, note)
        self.history = read_history(run, note)
        self._written = {(line.request, line.image_hash, line.list) for line in self.history.lines}
        with storage_errors(run.decisions):
            existed = run.decisions.exists()
            self._file = os.open(run.decisions, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if not existed:
            _sync_folder(run)

    def append(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Write the lines that are not there yet and wait until they are on disk, and in the store
        if there is one; returns them.

        Raises StorageError; where the disk is full nothing stays of what was begun.
        """
        new = [
            line
            for line in decisions
            if (line.request, line.image_hash, line.list) not in self._written
        ]
        if not new:
            return []
        size = os.fstat(self._file).st_size
        with storage_errors(self._run.decisions):
            try:
                waiting = memoryview(b"".join(map(as_line, new)))
                while waiting:
                    waiting = waiting[os.write(self._file, waiting) :]
                os.fsync(self._file)
                storage.added_to(self._run.decisions)
            except (OSError, StorageError):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, size)
                raise
        self.history.lines += new
        self._written |= {(line.request, line.image_hash, line.list) for line in new}
        return new

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@contextmanager
def writing(run: RunFolder, note: Note) -> Iterator[DecisionWriter]:
    """Be the only process that decides about the images of a run; ``note`` as of `read_history`.
    Raises BusyError where another one is."""
    with run.decision_lock():
        writer = DecisionWriter(run, note)
        try:
            yield writer
        finally:
            writer.close()


def _set_torn_line_aside(run: RunFolder, note: Note) -> None:
    """Move a last line without its end out of the file, so that the next one does not grow together
    with it."""
    if not run.decisions.is_file():
        return
    with storage_errors(run.decisions), run.decisions.open("r+b") as file:
        content = file.read()
        torn = content[content.rfind(b"\n") + 1 :]
        if not torn:
            return
        with run.torn_decisions.open("ab") as aside:
            aside.write(torn + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        file.truncate(len(content) - len(torn))
        os.fsync(file.fileno())
    storage.added_to(run.decisions)
    note(
        f"The last line of {run.decisions} was cut off by a crash; it was moved to "
        f"{run.torn_decisions.name}."
    )


def _sync_folder(run: RunFolder) -> None:
    """Have the name of a new file on disk as well as its contents."""
    with contextlib.suppress(OSError):
        folder = os.open(run.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def now() -> str:
    """The time as it stands in the file."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_request() -> str:
    """A name for what is decided at once."""
    return uuid.uuid4().hex


def login_name() -> str:
    """Who decides, where nothing else was said."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, as in some containers
        return "unknown"


def program_version() -> str:
    """Version of the installed program."""
    from importlib import metadata

    try:
        return metadata.version("review-embeddings")
    except metadata.PackageNotFoundError:
        return "unknown"


FIELDS = tuple(entry.name for entry in fields(Decision) if entry.name != UNKNOWN)
"""Keys of a line, in their order."""
