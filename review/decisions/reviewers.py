"""What each reviewer of an image has decided, which of these decisions counts, and where they
differ. Knows no file.

Of each reviewer the last decision is taken that was not taken back; of all of these the one that
was made last counts. Who has decided nothing about an image and says undecided takes back what the
others have. Where they differ, the image is disputed until the reviewers agree, or until
somebody who had not decided about it decides with all others' decisions in sight: that line is
marked as a resolution (`Decision.resolves`) and holds until somebody decides otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import UNDO, Decision


@dataclass(frozen=True)
class ImageDecisions:
    """What the reviewers of one image have decided."""

    lines: tuple[Decision, ...]
    """The last decision of each, in the order in which they were made."""
    counting: Decision | None
    """The one that counts; None where all that there are came too late (`Decision.proposal`)."""
    is_disputed: bool
    """Whether they differ, and nobody has resolved that."""
    before_resolving: tuple[Decision, ...] = ()
    """The last decision of each before any was made to end a dispute, for the agreement."""

    def of(self, reviewer: str) -> Decision | None:
        """The decision of one of them."""
        return next((line for line in self.lines if line.reviewer == reviewer), None)

    @property
    def in_words(self) -> str:
        """Who decided what: ``ada: keep; bob: relabel to cat``."""
        return "; ".join(f"{name_of(line.reviewer)}: {in_words(line)}" for line in self.lines)


def in_words(line: Decision) -> str:
    """A decision for people: ``relabel to cat``."""
    return str(line.decision) + (f" to {line.new_label}" if line.new_label is not None else "")


def name_of(reviewer: str) -> str:
    """A reviewer for people; decisions without a name are those of one reviewer."""
    return reviewer or "(no name)"


def is_same(one: Decision, other: Decision) -> bool:
    """Whether two decisions come to the same, whatever their notes say."""
    return (one.decision, one.new_label) == (other.decision, other.new_label)


def have_several(lines: Iterable[Decision]) -> bool:
    """Whether more than one reviewer has decided about images."""
    first: str | None = None
    for line in lines:
        if line.decision is None or line.reviewer == first:
            continue
        if first is not None:
            return True
        first = line.reviewer
    return False


def by_image(lines: Iterable[Decision]) -> dict[str, ImageDecisions]:
    """What was decided about each decided image, by its hash; ``lines`` in the order in which they
    were written."""
    images: dict[str, _Image] = {}
    for number, line in enumerate(lines):
        if line.decision is not None:
            images.setdefault(line.image_hash, _Image()).take(number, line)
    found = {image: one.decisions() for image, one in images.items()}
    return {image: one for image, one in found.items() if one.lines}


def disputed_images(lines: Sequence[Decision]) -> dict[str, ImageDecisions]:
    """What was decided about the disputed images, by their hash."""
    if not have_several(lines):
        return {}
    return {image: one for image, one in by_image(lines).items() if one.is_disputed}


@dataclass
class _Image:
    """The lines about one image, as they are read."""

    made: dict[str, list[tuple[int, Decision]]] = field(default_factory=dict)
    """What each reviewer decided and did not take back, with the number of the line."""
    last: Decision | None = None
    """The last line that counts."""

    def take(self, number: int, line: Decision) -> None:
        """The next line."""
        is_own_other_tab = self.last is not None and self.last.reviewer == line.reviewer
        if line.proposal and is_own_other_tab:
            return
        if not line.proposal:
            self.last = line
        made = self.made.setdefault(line.reviewer, [])
        if line.decision == UNDECIDED and not made and not line.request.startswith(UNDO):
            self.made = {}  # of others, on purpose
        elif not _taken_back(made, line) or (not made and self._is_own(line)):
            made.append((number, line))

    def _is_own(self, line: Decision) -> bool:
        """Whether an undo gave back what nobody else has decided: earlier versions gave back
        another reviewer's decision as one's own."""
        others = (made[-1][1] for name, made in self.made.items() if made and name != line.reviewer)
        return line.decision != UNDECIDED and not any(is_same(line, other) for other in others)

    def decisions(self) -> ImageDecisions:
        """What they come to."""
        last = sorted(filter(None, map(_last_of, self.made.values())))
        counted = (
            _last_of([one for one in made if not one[1].proposal]) for made in self.made.values()
        )
        counting = max(filter(None, counted), default=None)
        first = (
            _last_of([one for one in made if not one[1].resolves]) for made in self.made.values()
        )
        return ImageDecisions(
            tuple(one.line for one in last),
            None if counting is None else counting.line,
            self._is_disputed([one.line for one in last]),
            tuple(one.line for one in sorted(filter(None, first))),
        )

    def _is_disputed(self, last: Sequence[Decision]) -> bool:
        if all(is_same(line, last[0]) for line in last):
            return False
        resolving = [at for at, line in enumerate(last) if self._is_of_a_third(line)]
        if not resolving:
            return True
        at = resolving[-1]
        return not all(is_same(line, last[at]) for line in last[at:])

    def _is_of_a_third(self, line: Decision) -> bool:
        """Whether it resolves the dispute of others."""
        return line.resolves and all(one.resolves for _, one in self.made[line.reviewer])


@dataclass(frozen=True, order=True)
class _Numbered:
    number: int
    line: Decision = field(compare=False)


def _last_of(made: Sequence[tuple[int, Decision]]) -> _Numbered | None:
    """The last of some lines, with its number; None where that says undecided."""
    if not made or made[-1][1].decision == UNDECIDED:
        return None
    return _Numbered(*made[-1])


def _taken_back(made: list[tuple[int, Decision]], line: Decision) -> bool:
    """Drop the decision that a line takes back; False where it takes none back."""
    if not line.request.startswith(UNDO):
        return False
    for at in reversed(range(len(made))):
        known = made[at][1]
        if line.request == UNDO + known.request:
            del made[at]
            return True
        if known.proposal == line.proposal:
            return False
    return False


# -- what is written


def as_resolutions(
    lines: Sequence[Decision],
    known: Mapping[str, ImageDecisions],
    in_sight: Collection[str] | None = None,
) -> list[Decision]:
    """Lines that are about to be written, those marked that end a dispute: of somebody who had not
    decided about the image, or who takes over what another one has decided.

    ``known`` is what was decided before; ``in_sight`` are the images of which whoever decides knows
    that, None for all.
    """

    def ends_one(line: Decision) -> bool:
        about = known.get(line.image_hash)
        if about is None or not about.is_disputed or line.decision in {None, UNDECIDED}:
            return False
        if line.proposal or (in_sight is not None and line.image_hash not in in_sight):
            return False
        others = [one for one in about.lines if one.reviewer != line.reviewer]
        return len(others) == len(about.lines) or any(is_same(line, one) for one in others)

    return [replace(line, resolves=True) if ends_one(line) else line for line in lines]


# -- a second look


def decided_by(lines: Iterable[Decision], reviewer: str) -> set[str]:
    """The images about which somebody has decided."""
    own = (line for line in lines if line.reviewer == reviewer)
    return set(by_image(own))


def decided_by_others(lines: Sequence[Decision], reviewer: str) -> set[str]:
    """The images about which somebody else has decided."""
    return {
        image
        for image, one in by_image(lines).items()
        if any(line.reviewer != reviewer for line in one.lines)
    }


def in_second_look(lines: Sequence[Decision], reviewer: str) -> list[Decision]:
    """What somebody may know who is to decide by himself: his own lines, and those of others about
    images that he has decided about; no saved list of others."""
    own = decided_by(lines, reviewer)
    return [
        line if line.reviewer == reviewer else replace(line, list=None)
        for line in lines
        if line.reviewer == reviewer or (line.decision is not None and line.image_hash in own)
    ]
