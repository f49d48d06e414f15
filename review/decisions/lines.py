"""One line of ``decisions.jsonl``: what it holds, how it is written and read. Reads no file.

A line ends with the checksum of what stands before it, so that a flipped byte is no decision. One
of an earlier version, or of another program, has none and is read as it is.
"""

from __future__ import annotations

import getpass
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as dataclass_field
from datetime import datetime, timezone
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.bounded import parse_json
from review_embeddings.pipeline.run.checksums import KEY, KIND, checksum_of
from review_embeddings.pipeline.run.records import (
    UNKNOWN,
    NewerFormatError,
    RecordError,
    as_json,
    record_of,
    unknown_keys,
)
from review_embeddings.pipeline.settings import LATER
from review_embeddings.review.decisions.kinds import DECISIONS, RELABEL, UNDECIDED

READABLE = frozenset({*DECISIONS, UNDECIDED, None})
"""Decisions that a line may hold."""

MAX_NOTE = 2000
"""Characters of a note."""

MAX_LIST_NAME = 200
"""Characters of the name of a saved list."""

MAX_DECISION = 40
"""Characters of an unknown decision in a message."""

MAX_SEQUENCE = 2**52
"""Microseconds until the year 2112; larger numbers are no exact ones in a browser."""

FIRST_SEQUENCE = 10**15
"""Microseconds until 2001; smaller numbers are those of lines of earlier versions, by position."""

HALF = re.compile("[\ud800-\udfff]")
"""Half a character: a UTF-16 surrogate without the other one, which UTF-8 cannot hold."""

WHOLE = "\ufffd"
"""What is read in its place."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""A time of the file."""

UNDO = "undo-"
"""Before the name of a request: the request that takes it back."""


@dataclass(frozen=True)
class Compaction:
    """What a file says in place of lines that were moved out of it."""

    moved_to: str
    """File beside it."""
    until: int
    """Sequence of the last line then: before it, lines may lack."""
    written: Mapping[str, list[str]]
    """The images of each request that was moved, by the first `PREFIX` digits of their hash."""


PREFIX = 16
"""Digits by which images are told apart that one request was about."""


@dataclass(frozen=True)
class Decision:
    """One line of the file: a decision about one image, or that it stands in a saved list."""

    time: str
    """When it was decided. UTC, ISO 8601 with microseconds and ``Z``."""
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
    sequence: int = 0
    """Order of the lines: microseconds since 1970 when it was written, by the clock of whoever
    wrote it, but always more than any line before. 0 in lines of earlier versions, which stand in
    their order."""
    client: str = dataclass_field(default="", metadata=LATER)
    """Which browser decided; empty where it was none."""
    proposal: bool = dataclass_field(default=False, metadata=LATER)
    """Whether it does not count, because somebody else had decided about the image before it
    arrived."""
    imported: bool = dataclass_field(default=False, metadata=LATER)
    """Whether ``time`` comes from a file and not from the clock of whoever wrote the line."""
    compacted: Compaction | None = dataclass_field(default=None, repr=False, metadata=LATER)
    """Of a line that is about no image."""
    resolves: bool = dataclass_field(default=False, metadata=LATER)
    """Whether it was made to end a dispute, with what the others have decided in sight."""
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""

    def same_as(self, other: Decision) -> bool:
        """Whether it says the same of its image."""
        mine = (self.decision, self.new_label, self.note)
        return mine == (other.decision, other.new_label, other.note)

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What stands once in a file."""
        return (self.request, self.image_hash, self.list)


@dataclass(frozen=True)
class Author:
    """Who decides."""

    reviewer: str
    client: str = ""
    """Which browser; empty where that is not said."""

    def made(self, line: Decision) -> bool:
        """Whether a line is one's own: of the same browser or, where that is not known, of the
        same reviewer."""
        if self.client and line.client:
            return self.client == line.client
        return self.reviewer == line.reviewer


@dataclass(frozen=True)
class UnreadableLine:
    """A line of the file that counts for nothing, because this version cannot read it."""

    number: int
    """From 1 on."""
    reason: str
    """Such as ``it is no JSON``."""
    newer: bool = False
    """Whether a newer version can."""


MAX_LINE_BYTES = 1 << 20
"""Of a line: far more than the longest note has."""


CHANGED = f'it is not as it was written; delete its "{KEY}" if that was on purpose'
"""Of a line whose checksum does not fit."""


def read_line(line: bytes) -> Decision:
    """A line without its end. Raises RecordError, NewerFormatError."""
    try:
        content = parse_json(line, MAX_LINE_BYTES)
    except UnicodeDecodeError as error:
        raise RecordError(f"it is no UTF-8 text at byte {error.start + 1}") from None
    except ValueError:
        raise RecordError("it is no JSON") from None
    if isinstance(content, dict) and not _is_as_written(line, content.pop(KEY, None), content):
        raise RecordError(CHANGED)
    decision = record_of(Decision, content)
    if b"\\ud" in line.lower():
        decision = _whole(decision)
    if decision.decision not in READABLE:
        shown = json.dumps(decision.decision)[:MAX_DECISION]
        raise RecordError(f"is {shown}, none of {', '.join((*DECISIONS, UNDECIDED))}", "decision")
    if decision.decision == RELABEL and decision.new_label is None:
        raise RecordError("is missing", "new_label")
    return decision


def unreadable_line(number: int, error: RecordError) -> UnreadableLine:
    """What is kept of a line that cannot be read."""
    if isinstance(error, NewerFormatError):
        return UnreadableLine(number, "made by a newer version of review-embeddings", newer=True)
    return UnreadableLine(number, str(error))


def _whole(decision: Decision) -> Decision:
    """A decision without half characters, which earlier versions wrote; what is unknown stays."""
    texts = {name: getattr(decision, name) for name in FIELDS}
    whole: dict[str, Any] = {
        name: HALF.sub(WHOLE, text) for name, text in texts.items() if isinstance(text, str)
    }
    return replace(decision, **whole)


def as_line(decision: Decision) -> bytes:
    """The line of the file, with its checksum and its end. Raises SettingsError for a text that is
    no Unicode."""
    content = as_json(decision)
    try:
        return _with_checksum(_encoded(content))
    except UnicodeEncodeError:
        for name in FIELDS:
            check_text(name, content[name])
    return _with_checksum(_encoded(content, ascii_only=True))  # it is in what is unknown


def _encoded(content: Mapping[str, Any], *, ascii_only: bool = False) -> bytes:
    return json.dumps(content, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def _with_checksum(line: bytes) -> bytes:
    """A line's object with the checksum of its bytes as the last key, and the line's end."""
    return line[:-1] + _checksum_key(checksum_of(line)) + b"}\n"


def _checksum_key(checksum: str) -> bytes:
    return f',"{KEY}":"{checksum}"'.encode()


def _is_as_written(line: bytes, checksum: object, content: Mapping[str, Any]) -> bool:
    """Whether a line, or else its content as it would be written, has its checksum; what has none
    or one of a later version is taken as it is."""
    if checksum is None or (isinstance(checksum, str) and not checksum.startswith(KIND)):
        return True
    if not isinstance(checksum, str):
        return False
    if checksum == checksum_of(line.rstrip().replace(_checksum_key(checksum), b"", 1)):
        return True
    escaped = HALF.search(json.dumps(content, ensure_ascii=False)) is not None
    return checksum == checksum_of(_encoded(content, ascii_only=escaped))


def check_text(name: str, value: object) -> None:
    """Raise SettingsError with the place for a text that is no valid Unicode."""
    half = HALF.search(value) if isinstance(value, str) else None
    if half is not None:
        raise SettingsError(
            f"{name} is no valid Unicode: character {half.start() + 1} is half a one "
            f"(U+{ord(half.group()):04X}). Write it anew."
        )


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


FIELDS = tuple(
    entry.name for entry in fields(Decision) if entry.name != UNKNOWN and entry.metadata != LATER
)
"""Keys of every line, in their order."""
