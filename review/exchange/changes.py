"""Says what decisions change in the rows of a data set, and which of them change nothing and why.
Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from review_embeddings.pipeline.images.sources import names_evaluation
from review_embeddings.review.decisions.kinds import DUPLICATE, RELABEL, REMOVE
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.exchange.labelcolumn import LabelColumn
from review_embeddings.review.exchange.sourcerows import StoredImage

REMOVED, SECOND_COPY, RELABELLED = "removed", "duplicate", "relabelled"
"""The changes."""

CHANGING = frozenset({REMOVE, RELABEL, DUPLICATE})
"""Decisions that ask for one."""

CLEANED = "_cleaned"
"""What follows the name of an evaluation split in that of its cleaned copy."""


def is_evaluation(split: str) -> bool:
    """Whether a split is one that models are compared on, by its name, and no cleaned copy."""
    return not split.endswith(CLEANED) and names_evaluation(split)


@dataclass(frozen=True)
class SplitRows:
    """What is known of a split of the source."""

    name: str
    images: Sequence[StoredImage]
    labels: LabelColumn | None

    def label_of(self, row: int) -> str:
        """The class of a row, empty for none."""
        return "" if self.labels is None else self.labels.name_of(row)


@dataclass(frozen=True)
class Change:
    """What is done with one row of a split of the source."""

    split: str
    row: int
    path: str
    """Its file as the data set names it."""
    change: str
    label: str
    """Its class before."""
    decision: Decision


@dataclass
class FoundChanges:
    """All that is done, in the order of the rows, and what is not."""

    changes: list[Change] = field(default_factory=list)
    without_effect: dict[str, str] = field(default_factory=dict)
    """Why a decision changes nothing, by the hash of its image."""

    def of_split(self, split: str) -> dict[int, Change]:
        """The changes of one split, by row."""
        return {one.row: one for one in self.changes if one.split == split}

    def count(self, change: str) -> int:
        """How many rows are changed so."""
        return sum(one.change == change for one in self.changes)

    @property
    def relabelled(self) -> Counter[tuple[str, str]]:
        """How many rows got a new class, by old and new one."""
        return Counter(
            (one.label, str(one.decision.new_label))
            for one in self.changes
            if one.change == RELABELLED
        )


def find_changes(
    splits: Sequence[SplitRows],
    decisions: Mapping[str, Decision],
    groups: Mapping[str, str],
    reviewed: Sequence[str],
    *,
    only: Sequence[str] = (),
    in_evaluation: bool = False,
) -> FoundChanges:
    """What decisions, by the hash of their image, change in the splits.

    Removed images go wherever they are, relabelled ones get their new label. Of the ``reviewed``
    splits an image marked as a duplicate goes where another one of its group of copies (``groups``)
    stays: one that is not marked, else the first that is. Only the splits ``only`` are changed, if
    any are named. A split that has a cleaned copy beside it stays, unless ``in_evaluation``: its
    copy is changed.
    """
    names = [split.name for split in splits]
    still = {name for name in names if only and name not in only}
    if not in_evaluation:
        still |= {name for name in names if name + CLEANED in names}
    finder = _Finder(decisions, groups)
    units = _units(names, reviewed, still)
    staying = {unit: finder.staying(s for s in splits if s.name in unit) for unit in units}
    for split in splits:
        if split.name not in still:
            unit = next((one for one in units if split.name in one), None)
            finder.look(split, None if unit is None else staying[unit])
    changed = {one.decision.image_hash for one in finder.found.changes}
    there = {image.image_hash for split in splits for image in split.images}
    for image, decision in decisions.items():
        if decision.decision in CHANGING and image not in changed:
            reason = "the image is not in the data set"
            if image in there:
                reason = finder.reasons.get(image, "its split is left as it is")
            finder.found.without_effect[image] = reason
    return finder.found


def _units(names: Sequence[str], reviewed: Sequence[str], still: set[str]) -> list[tuple[str, ...]]:
    """Which splits were reviewed together, so that one copy in all of them stays: those named, each
    by its cleaned copy where it is left as it is itself."""
    copies = [name + CLEANED for name in reviewed if name + CLEANED in names]
    now = [name + CLEANED if name + CLEANED in names else name for name in reviewed]
    if any(name in still and name + CLEANED in copies for name in reviewed):
        return [tuple(now)]
    return [tuple(reviewed), *((copy,) for copy in copies)]


class _Finder:
    """Goes through the splits one after the other."""

    def __init__(self, decisions: Mapping[str, Decision], groups: Mapping[str, str]) -> None:
        self.found = FoundChanges()
        self.reasons: dict[str, str] = {}
        self._decisions = decisions
        self._groups = groups

    def staying(self, splits: Iterable[SplitRows]) -> set[str]:
        """The groups of copies of which an image stays whatever becomes of the duplicates."""
        return {
            self._group(image.image_hash)
            for split in splits
            for image in split.images
            if image.image_hash is not None and not self._goes(image.image_hash)
        }

    def _goes(self, image: str) -> bool:
        decision = self._decisions.get(image)
        return decision is not None and decision.decision in {DUPLICATE, REMOVE}

    def _group(self, image: str) -> str:
        return self._groups.get(image, image)

    def look(self, split: SplitRows, staying: set[str] | None) -> None:
        """Find the changes of one split; ``staying`` is None for one that was not reviewed."""
        for row, image in enumerate(split.images):
            decision = self._decisions.get(image.image_hash or "")
            if decision is None or decision.decision not in CHANGING:
                continue
            label = split.label_of(row)
            change, reason = self._change(decision, split, label, staying)
            if change:
                path = image.path
                self.found.changes.append(Change(split.name, row, path, change, label, decision))
            else:
                self.reasons.setdefault(decision.image_hash, reason)

    def _change(
        self, decision: Decision, split: SplitRows, label: str, staying: set[str] | None
    ) -> tuple[str, str]:
        """The change of an image, or why there is none. The first duplicate of a group of which
        none is in ``staying`` stays and joins it."""
        if decision.decision == REMOVE:
            return REMOVED, ""
        if decision.decision == RELABEL:
            if split.labels is None:
                return "", "its split has no labels"
            same = decision.new_label == label
            return ("", "it has that label already") if same else (RELABELLED, "")
        if staying is None:
            return "", "duplicates are looked for in the reviewed split only"
        group = self._group(decision.image_hash)
        if group not in staying:
            staying.add(group)
            return "", "a duplicate of which no other copy is known stays"
        return SECOND_COPY, ""


def new_values(split: SplitRows, changes: Mapping[int, Change]) -> tuple[dict[int, Any], list[str]]:
    """The value of each row that gets a new label, and the names that the column cannot say."""
    values, unknown = dict[int, Any](), dict[str, None]()
    for row, one in changes.items():
        if one.change != RELABELLED or split.labels is None:
            continue
        name = str(one.decision.new_label)
        try:
            values[row] = split.labels.value_of(name)
        except KeyError:
            unknown[name] = None
    return values, list(unknown)
