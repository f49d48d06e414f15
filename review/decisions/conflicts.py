"""What becomes of a decision, and of an undo, where somebody else has decided about the same image
since. Knows no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.history import standing
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import UNDO, Author, Decision, now
from review_embeddings.review.decisions.savedlists import undoing_lists


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
    """The lines that take a request back, of those images about which nothing was decided since,
    and of lists.

    ``lines`` are all that are known. Raises SettingsError for a request that is not there, one of
    another reviewer, and for a list that was changed since.
    """
    made = [line for line in lines if line.request == request]
    if not made:
        raise SettingsError("There is nothing to undo: this was not decided here.")
    if other := next((line for line in made if line.reviewer != author.reviewer), None):
        raise SettingsError(
            f"This was decided by {other.reviewer}. Only one's own decisions can be undone."
        )
    decided = [line for line in made if line.decision is not None]
    about = _by_image(lines, {line.image_hash for line in decided})
    undone = (_undone(line, about[line.image_hash], author) for line in decided)
    return [
        *(line for line in undone if line is not None),
        *undoing_lists(lines, request, author),
    ]


def _by_image(lines: Iterable[Decision], images: Iterable[str]) -> dict[str, list[Decision]]:
    about: dict[str, list[Decision]] = {image: [] for image in images}
    for line in lines:
        if line.image_hash in about:
            about[line.image_hash].append(line)
    return about


def _undone(line: Decision, about: Sequence[Decision], author: Author) -> Decision | None:
    """The line that gives an image the decision back that its reviewer had made before another;
    None where that one does not count any more."""
    undone = replace(
        line,
        time=now(),
        client=author.client,
        request=UNDO + line.request,
        decision=UNDECIDED,
        new_label=None,
        note="",
        sequence=0,
        resolves=False,
        unknown={},
    )
    counting = standing(about)
    if line.proposal:
        return undone
    if not counting or counting[-1].request != line.request:
        return None
    own = [one for one in counting[:-1] if one.reviewer == line.reviewer]
    if not own:
        return undone
    before = own[-1]
    return replace(
        undone,
        decision=before.decision,
        new_label=before.new_label,
        note=before.note,
        unknown=before.unknown,
    )
