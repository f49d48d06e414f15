"""What becomes of a decision, and of an undo, where somebody else has decided about the same image
since. Knows no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.history import standing
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import UNDO, Decision, now


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


def as_proposals(
    lines: Sequence[Decision],
    counting: Mapping[str, Decision],
    author: Author,
    seen: int | None,
) -> list[Decision]:
    """The lines of a message; as a proposal each about whose image somebody else has said
    something else since the revision ``seen``, None for a message that takes no heed.

    ``counting`` are the last lines that count, by image.
    """

    def is_late(line: Decision) -> bool:
        other = counting.get(line.image_hash)
        if seen is None or line.decision is None or other is None or other.sequence <= seen:
            return False
        return not author.made(other) and not line.same_as(other)

    return [replace(line, proposal=is_late(line)) for line in lines]


def undoing(lines: Sequence[Decision], request: str, author: Author) -> list[Decision]:
    """The lines that take a request back, of those images about which nothing was decided since.

    ``lines`` are all that are known. Raises SettingsError for a request that is not there and one
    of another reviewer.
    """
    made = [line for line in lines if line.request == request and line.decision is not None]
    if not made:
        raise SettingsError("There is nothing to undo: this was not decided here.")
    if other := next((line for line in made if line.reviewer != author.reviewer), None):
        raise SettingsError(
            f"This was decided by {other.reviewer}. Only one's own decisions can be undone."
        )
    about = _by_image(lines, {line.image_hash for line in made})
    undone = (_undone(line, about[line.image_hash], author) for line in made)
    return [line for line in undone if line is not None]


def _by_image(lines: Iterable[Decision], images: Iterable[str]) -> dict[str, list[Decision]]:
    about: dict[str, list[Decision]] = {image: [] for image in images}
    for line in lines:
        if line.image_hash in about:
            about[line.image_hash].append(line)
    return about


def _undone(line: Decision, about: Sequence[Decision], author: Author) -> Decision | None:
    """The line that gives an image the decision back that it had before another; None where that
    one does not count any more."""
    undone = replace(
        line,
        time=now(),
        client=author.client,
        request=UNDO + line.request,
        decision=UNDECIDED,
        new_label=None,
        note="",
        sequence=0,
        unknown={},
    )
    counting = standing(about)
    if line.proposal:
        return undone
    if not counting or counting[-1].request != line.request:
        return None
    if len(counting) == 1:
        return undone
    before = counting[-2]
    return replace(
        undone,
        decision=before.decision,
        new_label=before.new_label,
        note=before.note,
        unknown=before.unknown,
    )
