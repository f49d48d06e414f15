"""Writes what messages say into the file of a run, whoever brings them: a page or an outbox that
was downloaded. Knows no route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.answers import Saved
from review_embeddings.review.decisions.conflicts import as_proposals, undoing
from review_embeddings.review.decisions.history import last_decisions
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import UNDO, Author, Decision
from review_embeddings.review.decisions.log import DecisionLog
from review_embeddings.review.decisions.messages import Message
from review_embeddings.review.decisions.reviewed import ReviewedImages, check_list_name
from review_embeddings.review.decisions.reviewers import (
    as_resolutions,
    decided_by,
    have_several,
    in_second_look,
)
from review_embeddings.review.decisions.savedlists import (
    SavedList,
    removing,
    renaming,
    saved_lists,
)

SOMEBODY = "somebody else"
"""In place of a reviewer's name that is not to be said."""


class MessageWriter:
    """Takes messages about the images of a run, inside `DecisionLog.appending`."""

    def __init__(
        self,
        reviewed: ReviewedImages,
        log: DecisionLog,
        reviewer: str,
        *,
        second_look: bool = False,
    ) -> None:
        """In a ``second_look`` nobody is asked about what others have decided, and their lists are
        none of one's own."""
        self._reviewed, self._log, self._reviewer = reviewed, log, reviewer
        self._second_look = second_look

    def decide(self, message: Message, ids: Sequence[int], time: str | None = None) -> Saved:
        """Write a decision about some images; ``time`` is when it was made, None for now. Raises
        SettingsError for one that cannot be made."""
        lines = self._reviewed.decide(
            ids,
            message.text("decision"),
            new_label=message.text("new_label"),
            note=message.text("note") or "",
            checkpoints=message.steps,
            reviewer=self._reviewer,
            request=message.request,
            time=time,
        )
        return self._write(lines, message, imported=time is not None)

    def change_list(
        self, message: Message, ids: Sequence[int], lent: Sequence[Decision] = ()
    ) -> Saved:
        """Save images, in their order, as a list with a name; rename a list or remove it. Raises
        SettingsError."""
        name = message.text("rename_to")
        if name is None and not message.removes:
            return self._save_list(message, ids)
        if ids or (name is not None and message.removes):
            raise SettingsError("A list is saved, renamed or removed. Say one of them.")
        if not self._is_written(message.request):
            known = self._known_list(message, lent)
            author = Author(self._reviewer, message.client)
            if name is None:
                self._log.append(removing(known, message.request, author))
            else:
                self._check_free(name, lent)
                self._log.append(renaming(known, name, message.request, author))
        return self._saved([], [])

    def _known_list(self, message: Message, lent: Sequence[Decision]) -> SavedList:
        """The list that a message names, as whoever wrote it knew it."""
        name = message.text("name") or ""
        known = saved_lists(self._in_sight([*lent, *self._log.history.lines])).get(name)
        if known is None:
            raise SettingsError(f"There is no saved list {name} any more. Name one of those saved.")
        seen, last = self._known(message.seen), known.last
        author = Author(self._reviewer, message.client)
        if seen is not None and last.sequence > seen and not author.made(last):
            raise SettingsError(
                f"{last.reviewer} has saved the list {name} anew meanwhile. Look at it, then say "
                f"it again."
            )
        return known

    def _check_free(self, name: str, lent: Sequence[Decision]) -> None:
        check_list_name(name)
        if name in saved_lists([*lent, *self._log.history.lines]):
            raise SettingsError(f"There is a saved list {name} already. Use another name.")

    def _is_written(self, request: str) -> bool:
        moved = self._log.history.compacted
        return bool(self._lines_of(request)) or (moved is not None and request in moved.written)

    def _in_sight(self, lines: Sequence[Decision]) -> Sequence[Decision]:
        """Of some lines those that the page may show."""
        return in_second_look(lines, self._reviewer) if self._second_look else lines

    def _unnamed(self, lines: Sequence[Decision]) -> Sequence[Decision]:
        """Lines that say in a second look that others have made them, and not who."""
        if not self._second_look:
            return lines
        return [
            line if line.reviewer == self._reviewer else replace(line, reviewer=SOMEBODY)
            for line in lines
        ]

    def _save_list(self, message: Message, ids: Sequence[int]) -> Saved:
        name = message.text("name") or ""
        known = saved_lists(self._log.history.lines).get(name) if self._second_look else None
        if known is not None and known.last.reviewer != self._reviewer:
            raise SettingsError(f"There is a saved list {name} already. Use another name.")
        lines = self._reviewed.decide(
            ids,
            None,
            list_name=name,
            reviewer=self._reviewer,
            request=message.request,
        )
        return self._write(lines, message)

    def undo(self, message: Message, lent: Sequence[Decision] = ()) -> Saved:
        """Give the images of a request the decisions back that they had before it, but for those
        about which somebody has decided since, and its lists what they held; earlier runs ``lent``
        theirs. Raises SettingsError."""
        self._check_not_moved(message.request)
        author = Author(self._reviewer, message.client)
        known = self._unnamed([*lent, *self._log.history.lines])
        self._log.append(undoing(known, message.request, author))
        undone = {line.image_hash for line in self._lines_of(UNDO + message.request)}
        lines = self._lines_of(message.request)
        images = dict.fromkeys(line.image_hash for line in lines if line.decision is not None)
        return self._saved(list(images), [image for image in images if image not in undone])

    def _check_not_moved(self, request: str) -> None:
        """Raise SettingsError for a request before which lines may have been moved away."""
        moved = self._log.history.compacted
        if moved is None or self._lines_of(UNDO + request):
            return
        is_old = any(line.sequence <= moved.until for line in self._lines_of(request))
        if is_old or request in moved.written:
            raise SettingsError(
                f"This was decided before the decisions were compacted (into {moved.moved_to}) and "
                f"cannot be undone any more. Decide again."
            )

    def _write(
        self, lines: Sequence[Decision], message: Message, *, imported: bool = False
    ) -> Saved:
        author = Author(self._reviewer, message.client)
        lines = [replace(line, client=author.client, imported=imported) for line in lines]
        history, seen = self._log.history, self._known(message.seen)
        if self._second_look:
            seen = None
            lines = self._own_only(lines)
        lines = as_proposals(lines, last_decisions(history.lines), author, seen)
        if have_several(history.lines):
            lines = as_resolutions(lines, history.by_image(), self._sighted(lines))
        self._log.append(lines)
        late = {line.image_hash for line in self._lines_of(message.request) if line.proposal}
        images = list(dict.fromkeys(line.image_hash for line in lines))
        return self._saved(images, [image for image in images if image in late])

    def _own_only(self, lines: Sequence[Decision]) -> list[Decision]:
        """Lines without those that take back what others have decided."""
        own = decided_by(self._log.history.lines, self._reviewer)
        return [line for line in lines if line.decision != UNDECIDED or line.image_hash in own]

    def _sighted(self, lines: Sequence[Decision]) -> set[str] | None:
        """The images of which the page shows what others have decided; None for all."""
        if any(line.imported for line in lines):
            return set()  # an outbox says nothing of what was in sight
        if not self._second_look:
            return None
        return decided_by(self._log.history.lines, self._reviewer)

    def _known(self, seen: int | None) -> int | None:
        """A revision that a page has seen; 0 for one of a file that was replaced since."""
        return seen if seen is None or self._log.floor <= seen <= self._log.revision else 0

    def _saved(self, images: Sequence[str], left: Sequence[str]) -> Saved:
        counting = last_decisions(self._in_sight(self._log.history.lines))
        return Saved.of(images, left, counting, self._log.revision)

    def _lines_of(self, request: str) -> list[Decision]:
        return [line for line in self._log.history.lines if line.request == request]
