"""What the lines of a file come to: which decision counts for an image, which lists there are, what
was proposed, and what an undo gives back. Knows no file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.kinds import DISPUTED, LAST, LEAVE, UNDECIDED
from review_embeddings.review.decisions.lines import (
    FIRST_SEQUENCE,
    UNDO,
    Compaction,
    Decision,
    UnreadableLine,
)
from review_embeddings.review.decisions.reviewers import (
    ImageDecisions,
    by_image,
    disputed_images,
    have_several,
)
from review_embeddings.review.decisions.savedlists import saved_lists

MAX_DISPUTED = 3
"""Disputed images that a message names; the others are counted."""


@dataclass
class History:
    """All decisions, in the order in which they were made."""

    lines: list[Decision] = field(default_factory=list)
    unreadable: list[UnreadableLine] = field(default_factory=list)
    taken: str = ""
    """When they were read. As `Decision.time`."""
    digest: str | None = None
    """SHA-256 (hex) of the file that was read; None where there is none."""
    compacted: Compaction | None = None
    """What lacks among the lines."""

    def current(self) -> dict[str, Decision]:
        """The decision that counts for each decided image, by its hash: the last one, of several
        reviewers the last one that its reviewer has not taken back."""
        if have_several(self.lines):
            counting = {image: one.counting for image, one in self.by_image().items()}
            return {image: line for image, line in counting.items() if line is not None}
        last = last_decisions(self.lines)
        return {image: line for image, line in last.items() if line.decision != UNDECIDED}

    def by_image(self) -> dict[str, ImageDecisions]:
        """What each reviewer has decided about each decided image, by its hash."""
        return by_image(self.lines)

    def disputed(self) -> dict[str, ImageDecisions]:
        """Likewise of the images about which reviewers differ and that nobody has resolved."""
        return disputed_images(self.lines)

    def settled(self, disputed: str | None) -> dict[str, Decision]:
        """The decision that counts for each decided image, by its hash, for what is done with it:
        of disputed images the last one (`LAST`) or none (`LEAVE`).

        Raises SettingsError where there are such and nothing is said of them.
        """
        current, differing = self.current(), self.disputed()
        if disputed not in {None, *DISPUTED}:
            raise SettingsError(
                f"--disputed {disputed} is not known. Use one of {', '.join(DISPUTED)}."
            )
        if differing and disputed is None:
            raise SettingsError(about_disputed(differing))
        if disputed == LAST:
            return current
        return {image: line for image, line in current.items() if image not in differing}

    def saved_lists(self) -> dict[str, list[str]]:
        """The image hashes of each saved list that there is, in their order."""
        return {name: one.images for name, one in saved_lists(self.lines).items()}

    def proposals(self) -> list[Decision]:
        """Decisions that do not count and that nobody has answered yet: the last one of each
        reviewer about an image, where no later one counts. Of a list that was imported none is
        asked about: they are disputed."""
        open_ones: dict[str, dict[tuple[str, str], Decision]] = {}
        for line in self.lines:
            if line.decision is None:
                continue
            if not line.proposal:
                open_ones.pop(line.image_hash, None)
                continue
            open_ones.setdefault(line.image_hash, {})[line.reviewer, line.client] = line
        found = [line for lines in open_ones.values() for line in lines.values()]
        return [
            line
            for line in found
            if line.decision != UNDECIDED and (line.client or not line.imported)
        ]


def about_disputed(differing: Mapping[str, ImageDecisions]) -> str:
    """The sentence about images that are disputed, with the first ones, and what can be done."""
    shown = [
        f"image {one.lines[-1].image_id} ({one.in_words})"
        for one in itertools.islice(differing.values(), MAX_DISPUTED)
    ]
    more = len(differing) - len(shown)
    images = "1 image is" if len(differing) == 1 else f"{len(differing):,} images are"
    return (
        f"{images} disputed: {', '.join(shown)}{f' and {more:,} more' if more else ''}. Resolve "
        f"them in the list Disputed of a review, or say --disputed {LAST} (the last decision "
        f"counts) or --disputed {LEAVE} (they stay as they are)."
    )


def last_decisions(lines: Iterable[Decision]) -> dict[str, Decision]:
    """The last line that counts for each image, by its hash; `UNDECIDED` ones too."""
    return {
        line.image_hash: line for line in lines if line.decision is not None and not line.proposal
    }


def in_order(lines: Iterable[Decision], last: int = 0) -> list[Decision]:
    """Lines of a file, behind one with the sequence ``last``, with a sequence each; those that have
    none follow the line before them."""
    numbered = []
    for line in lines:
        if line.sequence <= 0:
            line = replace(line, sequence=last + 1)
        last = max(last, line.sequence)
        numbered.append(line)
    return numbered


def standing(lines: Iterable[Decision]) -> list[Decision]:
    """What was decided about one image and not taken back since, oldest first: an undo takes the
    last one away."""
    stack: list[Decision] = []
    for line in lines:
        if line.decision is None or line.proposal:
            continue
        if stack and line.request == UNDO + stack[-1].request:
            stack.pop()
        else:
            stack.append(line)
    return stack


def moment_of(time: str) -> datetime:
    """A time as it stands in the file; the beginning of all for what is none."""
    seconds, _, fraction = time.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)


def latest_times(lines: Sequence[Decision]) -> dict[str, datetime]:
    """When the last decision about each image was made at the latest, by its hash.

    A clock that was ahead is known by the lines that were written later: none was made after
    them."""
    found: dict[str, datetime] = {}
    bound = datetime.now(timezone.utc)
    for line in reversed(lines):
        made = min(moment_of(line.time), bound)
        if line.decision is not None and not line.proposal:
            found.setdefault(line.image_hash, made)
        if not line.imported and line.sequence >= FIRST_SEQUENCE:
            bound = made
    return found
