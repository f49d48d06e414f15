"""What Spotlight's server does with decisions from the page: checks them, writes them, and tells
every page what holds.

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
from review_embeddings.review.decisions.judged import Judged
from review_embeddings.review.decisions.log import (
    UNDECIDED,
    Decision,
    DecisionWriter,
    History,
    now,
    read_history,
    writing,
)

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
    """What holds now about the images that changed since a revision."""

    revision: int
    rows: list[int]
    decisions: list[str]
    new_labels: list[str | None]
    notes: dict[int, str]
    """By row, where there is one."""


class Deciding:
    """The decisions of one session. Safe to be called from several threads."""

    def __init__(
        self,
        run: RunFolder,
        reviewer: str,
        earlier: Sequence[RunFolder] = (),
        places: NDArray[np.int64] | None = None,
    ) -> None:
        """Take the run for writing, or for reading where that cannot be; ``earlier`` runs lend
        their decisions.

        ``places`` are the images that the page shows, None for all.
        """
        images = read_images(run)
        if images is None:
            raise RunError(f"Run {run} has no images. Run: review-embeddings build --run {run}")
        images = images if places is None else images.take(places)
        self._images: RunImages = images
        self._judged = Judged.of(images)
        self._reviewer = reviewer
        self._guard = threading.Lock()
        self._stack = ExitStack()
        self._writer: DecisionWriter | None = None
        self._own: History
        self.read_only = ""
        """Why nothing can be decided; empty where it can."""
        try:
            self._writer = self._stack.enter_context(writing(run))
            self._own = self._writer.history
        except (BusyError, StorageError) as error:
            self.read_only = str(error)
            self._own = read_history(run)
        self._earlier = [line for other in earlier for line in read_history(other).lines]
        self._rows: dict[str, list[int]] = {}
        for row, image_hash in enumerate(images.hashes):
            self._rows.setdefault(image_hash, []).append(row)

    def close(self) -> None:
        """Let others decide."""
        self._stack.close()

    # -- what holds

    @property
    def _lines(self) -> list[Decision]:
        return [*self._earlier, *self._own.lines]

    def changes(self, since: int) -> Changes:
        """What holds about every image that a line after the revision ``since`` is about; 0 for
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

    def facts(self) -> dict[str, Any]:
        """What does not change in a session, and the names of the saved lists."""
        copies = [rows for rows in self._rows.values() if len(rows) > 1]
        with self._guard:
            lists, faults = sorted(History(self._lines).saved_lists()), list(self._own.faults)
        return {
            "images": len(self._images),
            "classes": list(self._images.classes or []),
            "reviewer": self._reviewer,
            "read_only": self.read_only,
            "copies": copies,
            "lists": lists,
            "faults": faults,
        }

    # -- what is said

    def decide(self, message: object) -> int:
        """Write a decision about some rows; the number of images, once they are on disk. Raises
        SettingsError for a wrong message."""
        said = _checked(message, "decide")
        ids = self._ids(said["rows"])
        lines = self._judged.decide(
            ids,
            _text(said, "decision"),
            new_label=_text(said, "new_label"),
            note=_text(said, "note") or "",
            checkpoints=_steps(said.get("checkpoints", [])),
            reviewer=self._reviewer,
            request=_request(said),
        )
        return self._write(lines)

    def save_list(self, message: object) -> int:
        """Write the rows, in their order, as a list with a name."""
        said = _checked(message, "list")
        return self._write(
            self._judged.decide(
                self._ids(said["rows"]),
                None,
                list_name=_text(said, "name") or "",
                reviewer=self._reviewer,
                request=_request(said),
            )
        )

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
            if line.request != request:
                before[line.image_hash] = line
                continue
            was = before.get(line.image_hash)
            kept: dict[str, Any] = {"decision": UNDECIDED, "new_label": None, "note": ""}
            if was is not None:
                kept = {"decision": was.decision, "new_label": was.new_label, "note": was.note}
            restored.append(
                replace(
                    line, **kept, time=now(), reviewer=self._reviewer, request=f"undo-{request}"
                )
            )
        if not restored:
            raise SettingsError("There is nothing to undo: this was not decided here.")
        return self._write(restored)

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


def open_session(settings: Mapping[str, Any]) -> Deciding | None:
    """The session that the program asked Spotlight's server for; None for one without decisions."""
    if "run" not in settings:
        return None
    earlier = [RunFolder(Path(name)) for name in settings.get("earlier", [])]
    return Deciding(
        RunFolder(Path(settings["run"])),
        str(settings.get("reviewer", "unknown")),
        earlier,
        shown_places(settings),
    )


def shown_places(settings: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The rows of the run's arrays that the page shows; None for all."""
    return np.load(settings["places"]) if "places" in settings else None


def _checked(message: object, kind: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise SettingsError("The message is no JSON object.")
    unknown = sorted(set(message) - FIELDS[kind])
    if unknown:
        raise SettingsError(f"The message has the unknown field {unknown[0][:40]!r}.")
    return message


def _request(said: Mapping[str, Any]) -> str:
    request = said.get("request")
    if (
        not isinstance(request, str)
        or not 0 < len(request) <= MAX_REQUEST
        or not request.isascii()
        or not request.isprintable()
    ):
        raise SettingsError("The message has no usable request name.")
    return request


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
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
