"""What a page is told about decisions. Knows no file and no route."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.savedlists import SavedList


@dataclass(frozen=True)
class DescribedDecision:
    """A decision about an image."""

    image: str
    """SHA-256 (hex)."""
    decision: str
    new_label: str | None
    note: str
    reviewer: str
    time: str
    request: str

    @staticmethod
    def of(line: Decision) -> DescribedDecision:
        """What a line says."""
        return DescribedDecision(
            line.image_hash,
            str(line.decision),
            line.new_label,
            line.note,
            line.reviewer,
            line.time,
            line.request,
        )

    @staticmethod
    def about(image: str, line: Decision | None) -> DescribedDecision:
        """What counts for an image; None where nothing does."""
        if line is None:
            return DescribedDecision(image, UNDECIDED, None, "", "", "", "")
        return DescribedDecision.of(line)


@dataclass(frozen=True)
class Changes:
    """The decisions that count now, of the images that changed since a revision."""

    revision: int
    reset: bool
    """Whether these are all decisions, and what was known before does not count."""
    rows: list[int]
    decisions: list[str]
    """By position in ``rows``, as the next three."""
    new_labels: list[str | None]
    reviewers: list[str | None]
    times: list[str | None]
    notes: dict[int, str]
    """By row, where there is one."""
    proposals: list[DescribedDecision]
    """All that are open."""
    faults: list[str]
    """What a person should know of the file."""
    lists: str
    """Another text after each change of a saved list."""
    several: dict[int, list[DescribedDecision]]
    """By row, what each reviewer has decided, of images that several have decided about."""
    disputed: list[int]
    """All rows about which reviewers differ and that nobody has resolved."""

    @staticmethod
    def of(
        shown: Sequence[tuple[int, Decision | None]],
        *,
        revision: int,
        reset: bool,
        proposals: Iterable[Decision],
        faults: list[str],
        lists: str,
        several: Mapping[int, Sequence[Decision]],
        disputed: list[int],
    ) -> Changes:
        """What counts by row; None for an undecided one."""
        lines = [line for _, line in shown]
        return Changes(
            revision,
            reset,
            [row for row, _ in shown],
            [UNDECIDED if line is None else str(line.decision) for line in lines],
            [None if line is None else line.new_label for line in lines],
            [None if line is None else line.reviewer for line in lines],
            [None if line is None else line.time for line in lines],
            {row: line.note for row, line in shown if line is not None and line.note},
            list(map(DescribedDecision.of, proposals)),
            faults,
            lists,
            {row: list(map(DescribedDecision.of, made)) for row, made in several.items()},
            disputed,
        )


@dataclass(frozen=True)
class DescribedList:
    """A saved list, by the rows of the page."""

    name: str
    rows: list[int]
    """In the order of the list; of an image that is there several times, the first one."""
    images: int
    """All of it, also those that the page does not show."""
    reviewer: str
    time: str
    """When it was saved or renamed last."""

    @staticmethod
    def of(known: SavedList, rows_of: Callable[[str], Sequence[int]]) -> DescribedList:
        """A list, with the rows of an image on the page."""
        images, last = known.images, known.last
        rows = [row for image in images for row in rows_of(image)[:1]]
        return DescribedList(known.name, rows, len(images), last.reviewer, last.time)


@dataclass(frozen=True)
class Saved:
    """What became of a message, once it is on disk."""

    saved: int
    """Images on which it had an effect."""
    revision: int
    left: list[DescribedDecision]
    """What counts for those on which it had none, because somebody else decided since."""

    @staticmethod
    def of(
        images: Sequence[str],
        left: Sequence[str],
        counting: Mapping[str, Decision],
        revision: int,
    ) -> Saved:
        """For the images of a message and those ``left`` of them."""
        described = [DescribedDecision.about(image, counting.get(image)) for image in left]
        return Saved(len(images) - len(left), revision, described)
