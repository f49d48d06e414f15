"""What Spotlight's server does with decisions from the page: checks them, writes them, and tells
every page which count.

Runs in Spotlight's server process. Nothing that comes from a browser is ever a path, a command or
HTML here: images are named by their content or their row, everything else is checked against what
there is or kept as plain text. Other reviews of the run may decide at the same time; who writes
holds the lock of the file no longer than that takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import (
    BusyError,
    ReviewError,
    RunError,
    SettingsError,
    StorageError,
    UnwritableError,
)
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import read_npy
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.identity import OtherRunError, RunIdentity
from review_embeddings.review.decisions.answers import Changes, DescribedList, Saved
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import DecisionLog, about_unreadable
from review_embeddings.review.decisions.messages import Message, read_message
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.reviewers import (
    ImageDecisions,
    have_several,
    in_second_look,
)
from review_embeddings.review.decisions.savedlists import lists_version, saved_lists
from review_embeddings.review.decisions.taking import MessageWriter


class ReadOnlyError(Exception):
    """Nobody can decide here; the message says why."""


STORE_SECONDS = 10.0
"""Between two looks for decisions that other machines put into an object store."""


@dataclass(frozen=True)
class _Known:
    """What the page may know."""

    lines: list[Decision]
    """Of all runs, those of earlier ones first."""
    own: list[Decision]
    """Of the run."""
    current: dict[str, Decision]
    """The decision that counts for each decided image, by its hash."""
    by_image: dict[str, ImageDecisions]
    """What each reviewer has decided about it; empty where there is one reviewer."""

    @cached_property
    def several(self) -> set[str]:
        """The images that more than one reviewer has decided about."""
        return {image for image, one in self.by_image.items() if len(one.lines) > 1}

    @cached_property
    def disputed(self) -> list[str]:
        """The images about which reviewers differ."""
        return [image for image, one in self.by_image.items() if one.is_disputed]


class DecisionSession:
    """The decisions of one review on a page. Safe to be called from several threads."""

    def __init__(
        self,
        run: RunFolder,
        reviewer: str,
        earlier: Sequence[RunFolder] = (),
        shown: NDArray[np.int64] | None = None,
        *,
        second_look: bool = False,
    ) -> None:
        """``earlier`` runs lend their decisions. ``shown`` are the rows of the run's arrays that
        the page shows, None for all. In a ``second_look`` nothing is told of what others have
        decided about an image before the reviewer has."""
        images = read_images(run)
        if images is None:
            raise RunError(f"Run {run} has no images. Run: {build_command(run)}")
        self._run = run
        self._classes = images.classes
        self._reviewed = ReviewedImages.of(images)
        self._images: RunImages = images if shown is None else images.take(shown)
        self._reviewer = reviewer
        self._guard = threading.Lock()
        self._notes: dict[str, None] = {}
        self._log = DecisionLog(run, self._note)
        self._second_look = second_look
        self._writer = self._new_writer()
        self._known: tuple[object, _Known] | None = None
        self._earlier = [DecisionLog(other, self._note) for other in earlier]
        self._earlier_revisions: list[int] = []
        self._floor = 0
        self._trouble = ""
        self._rows: dict[str, list[int]] = {}
        for row, image_hash in enumerate(self._images.hashes):
            self._rows.setdefault(image_hash, []).append(row)
        self._file = RunIdentity(run)
        self._stack = ExitStack()
        self._looked = 0.0
        self.read_only = ""
        """Why nothing can be decided; empty where it can."""
        with self._guard:
            self._open()
            self._refresh()

    @property
    def run_id(self) -> str:
        """Names the run that is decided about."""
        return self._file.id

    def _note(self, sentence: str) -> None:
        self._notes[sentence] = None

    def _open(self) -> None:
        """Be known to those who must not write while a review is open, make the file where there is
        none, and find out whether it can be written to."""
        self.read_only = ""
        try:
            self._stack.close()
            self._stack.enter_context(self._run.review_lock())
            with self._log.appending():
                self._log.create()
        except BusyError:
            pass  # the next decision waits again
        except UnwritableError as error:
            self.read_only = str(error)

    def close(self) -> None:
        """End the session."""
        self._stack.close()

    # -- what counts

    def _refresh(self) -> None:
        """Read what others have decided, but of no other run that lies in the place of this one."""
        self._trouble = ""
        try:
            self._file.check()
        except (ReviewError, OtherRunError) as error:
            self._trouble = str(error)
            return
        if time.monotonic() - self._looked > STORE_SECONDS:
            with suppress(StorageError):
                storage.renew(self._run.decisions)
            self._looked = time.monotonic()
        self._log.refresh()
        if self._log.lacking:
            self._restore()
        for log in self._earlier:
            log.refresh()
        revisions = [log.revision for log in self._earlier]
        if revisions != self._earlier_revisions:
            self._earlier_revisions = revisions
            self._floor = self._revision + 1

    def _restore(self) -> None:
        """Have in the file again what another program has dropped from it."""
        try:
            with self._log.appending():
                pass
        except StorageError as error:
            self._note(str(error))

    @property
    def _revision(self) -> int:
        return max(self._log.revision, self._floor)

    @property
    def _lent(self) -> list[Decision]:
        """Lines of earlier runs."""
        return [line for log in self._earlier for line in log.history.lines]

    @property
    def _shown(self) -> _Known:
        """What the page may know of the lines."""
        lines, lent = self._log.history.lines, self._lent
        state = (id(lines), len(lines), self._log.floor, self._earlier_revisions)
        if self._known is None or self._known[0] != state:
            both = [*lent, *lines]
            if self._second_look:
                both = in_second_look(both, self._reviewer)
                of_run = {line.key for line in lines}
                lines = [line for line in both if line.key in of_run]
            by_image = History(both).by_image() if have_several(both) else {}
            self._known = (state, _Known(both, lines, History(both).current(), by_image))
        return self._known[1]

    @property
    def _faults(self) -> list[str]:
        unreadable = [
            about_unreadable(log.run, log.history.unreadable, reasons=not self._second_look)
            for log in (self._log, *self._earlier)
            if log.history.unreadable
        ]
        return [*filter(None, [self._trouble]), *unreadable, *self._notes]

    def changes(self, since: int) -> Changes:
        """The decision about every image that a line after the revision ``since`` is about; 0 for
        all."""
        with self._guard:
            self._refresh()
            revision, shown = self._revision, self._shown
            floor = max(self._floor, self._log.floor)
            reset = since > 0 and not floor <= since <= revision
            faults = self._faults
            logs = [log.history.lines for log in (self._log, *self._earlier)]
            versions = [str(lists_version(lines)) for lines in logs]
            if self._second_look:
                versions = [str(lists_version(shown.lines))]
        is_all = not since or reset
        touched = _touched(shown.lines, 0) if is_all else _touched(shown.own, since)
        return Changes.of(
            [(row, shown.current.get(image)) for image in touched for row in self._rows_of(image)],
            revision=revision,
            reset=reset,
            proposals=History(shown.own).proposals(),
            faults=faults,
            lists="-".join(versions),
            several={
                row: shown.by_image[image].lines
                for image in touched
                if image in shown.several
                for row in self._rows_of(image)
            },
            disputed=sorted(row for image in shown.disputed for row in self._rows_of(image)),
        )

    def by_image(self) -> dict[str, ImageDecisions]:
        """What several reviewers have decided about each image, by its hash; empty for one."""
        with self._guard:
            self._refresh()
            return self._shown.by_image

    def saved_lists(self) -> list[DescribedList]:
        """The saved lists, by name."""
        with self._guard:
            self._refresh()
            lists = saved_lists(self._shown.lines)
        return [DescribedList.of(lists[name], self._rows_of) for name in sorted(lists)]

    def standing(self) -> tuple[int, dict[str, Decision]]:
        """The revision, and the decision that counts for each decided image, by its hash."""
        with self._guard:
            self._refresh()
            return self._revision, self._shown.current

    def _rows_of(self, image_hash: str) -> Sequence[int]:
        return self._rows.get(image_hash, ())

    def metadata(self) -> dict[str, Any]:
        """What does not change in a session, and the names of the saved lists."""
        copies = [rows for rows in self._rows.values() if len(rows) > 1]
        with self._guard:
            if self.read_only:
                self._open()  # it may have become writable
            self._refresh()
            self._read_classes()
            lists = sorted(History(self._shown.lines).saved_lists())
            faults = self._faults
        return {
            "run": self.run_id,
            "images": len(self._images),
            "classes": list(self._reviewed.classes or []),
            "reviewer": self._reviewer,
            "second_look": self._second_look,
            "read_only": self.read_only,
            "copies": copies,
            "lists": lists,
            "faults": faults,
        }

    @property
    def image_hashes(self) -> Sequence[str]:
        """SHA-256 (hex) of each image, by row."""
        return self._images.hashes

    def hashes(self) -> bytes:
        """SHA-256 of each image, 32 bytes, by row."""
        return bytes.fromhex("".join(self._images.hashes))

    # -- what the page sends

    def decide(self, content: object) -> Saved:
        """Write a decision about some images; what became of it, once it is on disk. Raises
        SettingsError for a wrong message."""
        message = self._checked(content, "decide")
        ids = self._ids(message)
        with self._appending():
            if message.content.get("new_label") not in (self._reviewed.classes or ()):
                self._read_classes()  # somebody else may have added it
            return self._answer(self._writer.decide(message, ids))

    def change_list(self, content: object) -> Saved:
        """Write the images, in their order, as a list with a name; rename one or remove it."""
        message = self._checked(content, "list")
        is_saved = message.names_images or not (message.removes or message.text("rename_to"))
        ids = self._ids(message) if is_saved else []
        with self._appending():
            return self._answer(self._writer.change_list(message, ids, self._lent))

    def undo(self, content: object) -> Saved:
        """Give the images of a request the decisions back that they had before it, but for those
        that somebody has decided about since, and its lists what they held."""
        message = self._checked(content, "undo")
        with self._appending():
            return self._answer(self._writer.undo(message, self._lent))

    def add_class(self, content: object) -> Saved:
        """Keep a class that the data set does not have, to which images may be relabelled."""
        message = self._checked(content, "class")
        name = message.text("name") or ""
        with self._appending():
            self._read_classes()
            if name not in (self._reviewed.classes or ()):
                self._reviewed.with_class(name)  # raises where it cannot be added
                self._run.add_class(name)
                self._read_classes()
            return Saved(0, self._revision, [])

    def _read_classes(self) -> None:
        """Know the classes that people added to the run meanwhile."""
        info = self._run.read_info()
        if info is None or self._classes is None:
            return
        classes = [*self._classes, *info.added_classes]
        if classes != self._reviewed.classes:
            self._reviewed = replace(self._reviewed, classes=classes)
            self._writer = self._new_writer()

    def _new_writer(self) -> MessageWriter:
        return MessageWriter(
            self._reviewed, self._log, self._reviewer, second_look=self._second_look
        )

    def _answer(self, saved: Saved) -> Saved:
        """With the revision of this page, which earlier runs raise too."""
        return replace(saved, revision=self._revision)

    @contextmanager
    def _appending(self) -> Iterator[None]:
        """Be the only one that writes. Raises ReadOnlyError where nobody can."""
        with self._guard:
            self._file.check()
            try:
                with self._log.appending():
                    yield
            except UnwritableError as error:
                self.read_only = str(error)
                raise ReadOnlyError(self.read_only) from error
            self.read_only = ""

    def _checked(self, content: object, kind: str) -> Message:
        """Raises SettingsError, and OtherRunError for a message that was made for another run."""
        message = read_message(content, kind)
        if message.run not in {None, self.run_id}:
            raise OtherRunError(
                "This was decided for another run than the one that is open here. Open that one."
            )
        return message

    def _ids(self, message: Message) -> list[int]:
        """Ids of the images that a message names."""
        if "images" in message.content:
            return self._reviewed.ids_of(message.content["images"])
        rows, count = message.content.get("rows"), len(self._images)
        if not isinstance(rows, list) or not rows:
            raise SettingsError("No images were named. Select some.")
        if len(rows) > count:
            raise SettingsError(f"{len(rows)} images were named, the run has {count}.")
        for row in rows:
            if type(row) is not int or not 0 <= row < count:
                raise SettingsError(
                    f"{str(row)[:40]!r} is no row of this review (0 to {count - 1})."
                )
        ids = self._images.ids
        return [int(ids[row]) for row in dict.fromkeys(rows)]


def _touched(lines: Iterable[Decision], since: int) -> list[str]:
    """The images that lines after a revision are about."""
    return list(
        dict.fromkeys(
            line.image_hash for line in lines if line.decision is not None and line.sequence > since
        )
    )


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
        second_look=bool(settings.get("second_look", False)),
    )


def shown_rows(settings: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The rows of the run's arrays that the page shows; None for all."""
    return read_npy(Path(settings["places"])) if "places" in settings else None
