"""Says what decisions change in the images that a run was trained on: the lists of rows and labels
before and after, and without each kind of change. Changes nothing in the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.training.trained import TrainList
from review_embeddings.review.exchange.changes import (
    RELABELLED,
    REMOVED,
    SECOND_COPY,
    Change,
    SplitRows,
    find_changes,
)
from review_embeddings.review.exchange.labelcolumn import LabelColumn
from review_embeddings.review.exchange.sourcerows import StoredImage, stored_images

if TYPE_CHECKING:
    from review_embeddings.review.decisions.lines import Decision

KINDS = {"relabels": RELABELLED, "removals": REMOVED, "duplicates": SECOND_COPY}
"""The changes that can be left out as a group, by their name."""


@dataclass(frozen=True)
class Decided:
    """What was decided, and what is needed to apply it."""

    decisions: Mapping[str, Decision]
    """By the hash of their image."""
    groups: Mapping[str, str]
    """As of `find_changes`."""
    reviewed: Sequence[str]
    """Splits in which copies were looked for."""
    taken: str
    """When the decisions were read. UTC, ISO 8601."""
    source: str
    """Where they come from, for people."""


@dataclass(frozen=True)
class ChangedImages:
    """The images of a split, and what decisions change in them."""

    listed: TrainList
    """As they are."""
    changes: Sequence[Change]
    """`Change.row` is the position in the list."""

    def count(self, kind: str) -> int:
        """How many images a kind of `KINDS` changes."""
        return sum(one.change == KINDS[kind] for one in self.changes)

    @property
    def kinds(self) -> list[str]:
        """The kinds that change an image."""
        return [kind for kind in KINDS if self.count(kind)]

    def applied(self, *, without: str | None = None) -> TrainList:
        """The images with all changes, or ``without`` those of one of `KINDS`."""
        left_out = None if without is None else KINDS[without]
        changes = {one.row: one for one in self.changes if one.change != left_out}
        labels, kept = list(self.listed.labels), np.ones(len(self.listed), dtype=bool)
        for row, one in changes.items():
            if one.change == RELABELLED:
                labels[row] = str(one.decision.new_label)
            else:
                kept[row] = False
        return _taken(self.listed, labels, np.flatnonzero(kept))


def _taken(listed: TrainList, labels: Sequence[str], kept: NDArray[np.int64]) -> TrainList:
    positions = kept.tolist()
    return TrainList(
        listed.rows[kept],
        [listed.hashes[position] for position in positions],
        [labels[position] for position in positions],
    )


def listed_images(
    opened: OpenedDataset,
    rows: NDArray[np.int64],
    labels: Sequence[str],
    title: str,
    progress: Progress,
) -> TrainList:
    """Rows of a split with the hashes of their images and the names of their classes."""
    cells = opened.rows.select(rows)
    with progress.stage(title, total=len(rows), unit="images") as advance:
        found = stored_images(cells, opened.reference.image_column, advance)
    return TrainList(rows, [one.image_hash for one in found], list(labels))


def select(split: str, listed: TrainList, decided: Decided) -> ChangedImages:
    """What the decisions change in the images of a split; ``reviewed`` says whether second copies
    may go."""
    names = LabelColumn("label", None, listed.labels, {name: name for name in listed.labels})
    images = [StoredImage(one, "") for one in listed.hashes]
    reviewed = [split] if split in decided.reviewed else []
    found = find_changes(
        [SplitRows(split, images, names)],
        decided.decisions,
        decided.groups,
        reviewed,
        in_evaluation=True,
    )
    return ChangedImages(listed, found.changes)
