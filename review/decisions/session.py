"""What Spotlight's server does with decisions from the page: checks them, writes them, and tells
every page which count.

Runs in Spotlight's server process. Nothing that comes from a browser is ever a path, a command or
HTML here: images are row numbers, everything else is checked against what there is or kept as plain
text.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import BusyError, RunError, SettingsError, StorageError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.log import (
    Decision,
    DecisionWriter,
    History,
    now,
    read_history,
    writing,
)
from review_embeddings.review.decisions.reviewed import ReviewedImages

MAX_REQUEST = 100
"""Characters of a request's name."""

MAX_CHECKPOINTS = 100
"""Checkpoints that can be on screen."""

FIELDS = {
    "decide": {"request", "rows", "decision", "new_label", "note", "checkpoints"},
    "list": {"request", "rows", "name"},
    "undo": {"request"},
}
"""What a message may hold; anything else is refused."""


class ReadOnlyError(Exception):
    """Nobody can decide here; the message says why."""


@dataclass(frozen=True)
class Changes:
    """The decisions that count now, of the images that changed since a revision."""

    revision: int
    rows: list[int]
    decisions: list[str]
    new_labels: list[str | None]
    notes: dict[int, str]
    """By row, where there is one."""


class DecisionSession:
    """The decisions of one review on a page. Safe to be called from several threads."""

    def __init__(
        self,
        run: RunFolder,
        reviewer: str,
        earlier: Sequence[RunFolder] = (),
        shown: NDArray[np.int64] | None = None,
    ) -> None:
        """Take the run for writing, or for reading where that cannot be; ``earlier`` runs lend
        their decisions.

        ``shown`` are the rows of the run's arrays that the page shows, None for all.
        """
        images = read_images(run)
        if images is None:
            raise RunError(f"Run {run} has no images. Run: review-embeddings build --run {run}")
        images = images if shown is None else images.take(shown)
        self._images: RunImages = images
        self._reviewed = ReviewedImages.of(images)
        self._reviewer = reviewer
        self._guard = threading.Lock()
        self._stack = ExitStack()
        self._writer: DecisionWriter | None = None
        self._faults: list[str] = []
        self.read_only = ""
        """Why nothing can be decided; empty where it can."""
        self._own = self._take(run)
        self._earlier = [
            line for other in earlier for line in read_history(other, self._faults.append).lines
        ]
        self._rows: dict[str, list[int]] = {}
        for row, image_hash in enumerate(images.hashes):
            self._rows.setdefault(image_hash, []).append(row)

    def _take(self, run: RunFolder) -> History:
        """The run's own decisions, and the file for further ones where nobody else has it."""
        try:
            self._writer = self._stack.enter_context(writing(run, self._faults.append))
        except (BusyError, StorageError) as error:
            self.read_only = str(error)
            self._faults.clear()
            return read_history(run, self._faults.append)
        return self._writer.history

    def close(self) -> None:
        """Let others decide."""
        self._stack.close()

    # -- what counts

    @property
    def _lines(self) -> list[Decision]:
        return [*self._earlier, *self._own.lines]

    def changes(self, since: int) -> Changes:
        """The decision about every image that a line after the revision ``since`` is about; 0 for
        all."""
        with self._guard:
            lines = self._lines
            touched = dict.fromkeys(
                line.image_hash for line in lines[max(0, since) :] if line.decision is not None
            )
            current = History(lines).current()
        rows: list[int] = []
        decisions: list[str] = []
        new_labels: list[str | None] = []
        notes: dict[int, str] = {}
        for image_hash in touched:
            line = current.get(image_hash)
            for row in self._rows.get(image_hash, ()):
                rows.append(row)
                decisions.append(UNDECIDED if line is None else str(line.decision))
                new_labels.append(None if line is None else line.new_label)
                if line is not None and line.note:
                    notes[row] = line.note
        return Changes(len(lines), rows, decisions, new_labels, notes)

    def metadata(self) -> dict[str, Any]:
        """What does not change in a session, and the names of the saved lists."""
        copies = [rows for rows in self._rows.values() if len(rows) > 1]
        with self._guard:
            lists = sorted(History(self._lines).saved_lists())
        return {
            "images": len(self._images),
            "classes": list(self._images.classes or []),
            "reviewer": self._reviewer,
            "read_only": self.read_only,
            "copies": copies,
            "lists": lists,
            "faults": self._faults,
        }

    # -- what the page sends

    def decide(self, message: object) -> int:
        """Write a decision about some rows; the number of images, once they are on disk. Raises
        SettingsError for a wrong message."""
        content = _checked(message, "decide")
        lines = self._reviewed.decide(
            self._ids(content.get("rows")),
            _text(content, "decision"),
            new_label=_text(content, "new_label"),
            note=_text(content, "note") or "",
            checkpoints=_steps(content.get("checkpoints", [])),
            reviewer=self._reviewer,
            request=_request(content),
        )
        return self._write(lines)

    def save_list(self, message: object) -> int:
        """Write the rows, in their order, as a list with a name."""
        content = _checked(message, "list")
        lines = self._reviewed.decide(
            self._ids(content.get("rows")),
            None,
            list_name=_text(content, "name") or "",
            reviewer=self._reviewer,
            request=_request(content),
        )
        return self._write(lines)

    def undo(self, message: object) -> int:
        """Give the images of a request the decisions back that they had before it."""
        request = _request(_checked(message, "undo"))
        with self._guard:
            lines = self._lines
        before: dict[str, Decision] = {}
        restored: list[Decision] = []
        for line in lines:
            if line.decision is None:
                continue
            if line.request == request:
                restored.append(self._restored(line, before.get(line.image_hash)))
            else:
                before[line.image_hash] = line
        if not restored:
            raise SettingsError("There is nothing to undo: this was not decided here.")
        return self._write(restored)

    def _restored(self, line: Decision, before: Decision | None) -> Decision:
        """The line that gives an image the decision back that it had before another."""
        undone = replace(
            line, time=now(), reviewer=self._reviewer, request=f"undo-{line.request}", unknown={}
        )
        if before is None:
            return replace(undone, decision=UNDECIDED, new_label=None, note="")
        return replace(
            undone,
            decision=before.decision,
            new_label=before.new_label,
            note=before.note,
            unknown=before.unknown,
        )

    def _write(self, lines: Sequence[Decision]) -> int:
        if self._writer is None:
            raise ReadOnlyError(self.read_only)
        with self._guard:
            self._writer.append(lines)
        return len(lines)

    def _ids(self, rows: object) -> list[int]:
        if not isinstance(rows, list) or not rows:
            raise SettingsError("No images were named. Select some.")
        count = len(self._images)
        if len(rows) > count:
            raise SettingsError(f"{len(rows)} images were named, the run has {count}.")
        for row in rows:
            if type(row) is not int or not 0 <= row < count:
                raise SettingsError(
                    f"{str(row)[:40]!r} is no row of this review (0 to {count - 1})."
                )
        ids = self._images.ids
        return [int(ids[row]) for row in dict.fromkeys(rows)]


def open_session(settings: Mapping[str, Any]) -> DecisionSession | None:
    """The session that the program asked Spotlight's server for; None for one without decisions."""
    if "run" not in settings:
        return None
    earlier = [RunFolder(Path(name)) for name in settings.get("earlier", [])]
    return DecisionSession(
        RunFolder(Path(settings["run"])),
        str(settings.get("reviewer", "unknown")),
        earlier,
        shown_rows(settings),
    )


def shown_rows(settings: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The rows of the run's arrays that the page shows; None for all."""
    return np.load(settings["places"]) if "places" in settings else None


def _checked(message: object, kind: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise SettingsError("The message is no JSON object.")
    unknown = sorted(set(message) - FIELDS[kind])
    if unknown:
        raise SettingsError(f"The message has the unknown field {unknown[0][:40]!r}.")
    return message


def _request(content: Mapping[str, Any]) -> str:
    request = content.get("request")
    if (
        not isinstance(request, str)
        or not 0 < len(request) <= MAX_REQUEST
        or not request.isascii()
        or not request.isprintable()
    ):
        raise SettingsError("The message has no usable request name.")
    return request


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name} is no text.")
    return value


def _steps(value: object) -> list[int]:
    if (
        not isinstance(value, list)
        or len(value) > MAX_CHECKPOINTS
        or not all(type(step) is int and step >= 0 for step in value)
    ):
        raise SettingsError("The checkpoints are no list of steps.")
    return value
