"""Owns ``decisions.jsonl``: what people decided about images, kept for good."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder

KEEP, RELABEL, REMOVE, DUPLICATE, UNSURE = "keep", "relabel", "remove", "duplicate", "unsure"

DECISIONS = (KEEP, RELABEL, REMOVE, DUPLICATE, UNSURE)
"""It is right as it is, it has another label, it does not belong here, it is there twice, it is to
be looked at again."""

UNDECIDED = "undecided"
"""Takes a decision back."""

MAX_NOTE = 2000
"""Characters of a note."""

MAX_LIST_NAME = 200
"""Characters of the name of a saved list."""


@dataclass(frozen=True)
class Decision:
    """One line of the file: what was said about one image, or that it stands in a saved list."""

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


@dataclass
class History:
    """Everything that was said, in the order in which it was said."""

    lines: list[Decision] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""

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


def read_history(run: RunFolder) -> History:
    """Read the file; lines that cannot be read are left out and told. Empty where there is no
    file."""
    try:
        content = run.decisions.read_bytes()
    except FileNotFoundError:
        return History()
    except OSError as error:
        raise RunError(
            f"{run.decisions} cannot be read ({error.strerror}). Check its rights."
        ) from error
    history = History()
    whole, _, torn = content.rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            history.lines.append(_parse(line))
        except (ValueError, TypeError, KeyError):
            history.faults.append(
                f"Line {number} of {run.decisions} cannot be read and is left out."
            )
    if torn:
        history.faults.append(
            f"The last line of {run.decisions} was cut off by a crash and is left out ({len(torn)} "
            f"bytes)."
        )
    return history


def _parse(line: bytes) -> Decision:
    content = json.loads(line)
    decision = Decision(**{**content, "checkpoints": tuple(content.get("checkpoints", ()))})
    if not isinstance(decision.image_hash, str) or decision.decision not in {
        *DECISIONS,
        UNDECIDED,
        None,
    }:
        raise ValueError("not a decision")
    return decision


def as_line(decision: Decision) -> bytes:
    """The line of the file, with its end."""
    content = asdict(decision)
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a character, which a browser can send and UTF-8 cannot hold
        return json.dumps(content, separators=(",", ":")).encode() + b"\n"


class DecisionWriter:
    """The one process that adds to the file of a run."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._torn = _set_torn_line_aside(run)
        self.history = read_history(run)
        self.history.faults += self._torn
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
def writing(run: RunFolder) -> Iterator[DecisionWriter]:
    """Be the only process that decides about the images of a run. Raises BusyError where another
    one is."""
    with run.decision_lock():
        writer = DecisionWriter(run)
        try:
            yield writer
        finally:
            writer.close()


def _set_torn_line_aside(run: RunFolder) -> list[str]:
    """Move a last line without its end out of the file, so that the next one does not grow together
    with it."""
    if not run.decisions.is_file():
        return []
    with storage_errors(run.decisions), run.decisions.open("r+b") as file:
        content = file.read()
        torn = content[content.rfind(b"\n") + 1 :]
        if not torn:
            return []
        with run.torn_decisions.open("ab") as aside:
            aside.write(torn + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        file.truncate(len(content) - len(torn))
        os.fsync(file.fileno())
    storage.added_to(run.decisions)
    return [
        f"The last line of {run.decisions} was cut off by a crash; it was moved to "
        f"{run.torn_decisions.name}."
    ]


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


FIELDS = tuple(entry.name for entry in fields(Decision))
"""Keys of a line, in their order."""
