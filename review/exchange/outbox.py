"""Takes the decisions that a page could not send and that were downloaded as a file: the messages,
in the order in which they were made, as if the page had sent them now. One that was saved already
is not saved twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.identity import run_id
from review_embeddings.review.decisions.answers import Saved
from review_embeddings.review.decisions.lines import TIME
from review_embeddings.review.decisions.log import DecisionLog, Note
from review_embeddings.review.decisions.messages import OUTBOX, Message, read_message
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.taking import MessageWriter

VERSION = 1
"""Of the format that the page writes (``frontend/core/file.js``)."""

KINDS = {"decisions": "decide", "lists": "list", "undo": "undo", "classes": "class"}
"""What a message of each route is."""

BESIDE = ("path", "time", "reason")
"""What stands beside a message in the file."""


@dataclass
class TakenOutbox:
    """What became of the messages."""

    saved: int = 0
    """Images on which they had an effect."""
    left: int = 0
    """Images about which somebody else had decided since."""
    known: int = 0
    """Messages that were saved before."""
    refused: list[str] = field(default_factory=list)
    """Why others could not be taken."""


def read_outbox(path: Path) -> dict[str, Any] | None:
    """The contents of an outbox; None for a file that is none. Raises SettingsError for one of a
    newer version."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    try:
        content = read_json_file(path)
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("format") != OUTBOX:
        return None
    if content.get("version") != VERSION or not isinstance(content.get("messages"), list):
        raise SettingsError(
            f"{path} was written by a newer version of review-embeddings, or is damaged. Upgrade: "
            f"pip install -U review-embeddings"
        )
    return content


def take_outbox(
    content: Mapping[str, Any],
    run: RunFolder,
    reviewed: ReviewedImages,
    log: DecisionLog,
    reviewer: str,
    note: Note,
) -> TakenOutbox:
    """Write what the messages say, inside `DecisionLog.appending`."""
    is_ours = content.get("run") == run_id(run)
    if not is_ours:
        note("The file was made for another run; what it says about images of this one is taken.")
    taker, taken = _Taker(run, reviewed, log, reviewer, is_ours), TakenOutbox()
    for number, one in enumerate(content["messages"], start=1):
        try:
            known = len(log.history.lines)
            saved = taker.take(one)
        except SettingsError as error:
            taken.refused.append(f"Message {number}: {error}")
            continue
        if len(log.history.lines) == known:
            taken.known += 1
        else:
            taken.saved += saved.saved
            taken.left += len(saved.left)
    return taken


@dataclass
class _Taker:
    """Takes one message after the other."""

    run: RunFolder
    reviewed: ReviewedImages
    log: DecisionLog
    reviewer: str
    is_ours: bool
    """Whether the messages were made for this run."""

    def take(self, one: object) -> Saved:
        """Raises SettingsError for a message that is wrong."""
        if not isinstance(one, dict) or one.get("path") not in KINDS:
            raise SettingsError("It is no message.")
        kind = KINDS[one["path"]]
        body = {name: value for name, value in one.items() if name not in BESIDE}
        if not self.is_ours:
            body["seen"] = 0  # its revisions are those of another file
        message = read_message(body, kind)
        if kind == "class":
            return self._add_class(message)
        writer = MessageWriter(self.reviewed, self.log, self.reviewer)
        if kind == "undo":
            return writer.undo(message)
        if kind == "list" and not message.names_images:
            return writer.change_list(message, [])
        ids = self.reviewed.ids_of(message.content.get("images"))
        if kind == "list":
            return writer.change_list(message, ids)
        return writer.decide(message, ids, _time_of(one))

    def _add_class(self, message: Message) -> Saved:
        name = message.text("name") or ""
        if name not in (self.reviewed.classes or ()):
            self.reviewed = self.reviewed.with_class(name)
            self.run.add_class(name)
        return Saved(0, self.log.revision, [])


def _time_of(one: Mapping[str, Any]) -> str | None:
    """When it was decided, by the browser's clock; None where that is not said."""
    time = one.get("time")
    is_time = isinstance(time, str) and TIME.fullmatch(time)
    return str(time) if is_time else None
