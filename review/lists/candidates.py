"""What the table and the decisions say of all images of a run: what lists choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.outliers import are_outliers, worst_count
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.settings import Settings
from review_embeddings.pipeline.stages.regime import Regime
from review_embeddings.pipeline.table import columns as c

if TYPE_CHECKING:
    import pandas as pd

    from review_embeddings.review.lists.beside import RunsBeside


@dataclass(frozen=True)
class Candidates:
    """All images of a run at an earlier and a later of its checkpoints, or at one."""

    ids: NDArray[np.int64]
    """Shape (N,): what people call the images."""
    labels: Sequence[str | None]
    """The given labels; None without one."""
    decisions: Sequence[str | None]
    """What was decided about each image; None where nobody decided."""
    late: pd.DataFrame
    """Columns of the long table at the later checkpoint, one row an image."""
    last_step: int
    early: pd.DataFrame | None = None
    """Likewise at the earlier one; None where there is one checkpoint."""
    first_step: int | None = None
    several: bool = True
    """Whether the table has several checkpoints."""
    settings: Settings = field(default_factory=Settings)
    before: NDArray[np.float32] | None = None
    """Shape (N,): percentile of each image at the end of an earlier run; None without one."""
    at_checkpoint: bool = False
    """Whether labels are judged at the later checkpoint, not over all of them."""
    outliers: int | None = None
    """How many of the most atypical images count as outliers; None for the number of the
    review."""
    per_class: bool = False
    """Whether these are so many of each class."""
    regime: Regime | None = None
    """Which images the models were trained on, whose labels are judged over all checkpoints and
    not at the last one; None for tables of earlier versions, which knew no difference."""
    final_step: int | None = None
    """The last checkpoint of the table."""
    head_judges: bool = True
    """Whether the head of that has a say about labels over the run, beside leave-one-out."""
    run: str = "DIR"
    """By what a command names the run."""
    disputes: Mapping[int, str] = field(default_factory=dict)
    """Which reviewer decided what about each disputed image, by its row."""
    beside: RunsBeside | None = None
    """What other runs say of these images; None where none stands beside this one."""

    def __len__(self) -> int:
        return len(self.ids)

    def build_command(self, *options: object) -> str:
        """What computes for the run what it lacks."""
        return build_command(self.run, *options)

    @property
    def worst(self) -> int:
        """How many of the most atypical images count as outliers."""
        return worst_count(len(self)) if self.outliers is None else self.outliers

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """Which images are decided about, shape (N,)."""
        return np.array([one is not None for one in self.decisions], dtype=bool)

    @property
    def disputed(self) -> NDArray[np.bool_]:
        """About which images reviewers differ, shape (N,)."""
        mask = np.zeros(len(self), dtype=bool)
        mask[[*self.disputes]] = True
        return mask

    @property
    def since(self) -> NDArray[np.float32]:
        """Percentile now minus that of the earlier run, shape (N,); 0 without one."""
        now = self.last(c.OOD_PERCENTILE)
        return np.zeros_like(now) if self.before is None else now - self.before

    def last(self, column: str) -> NDArray[Any]:
        """A column at the later checkpoint, shape (N,)."""
        return self.late[column].to_numpy()

    def first(self, column: str) -> NDArray[Any]:
        """A column at the earlier checkpoint, shape (N,)."""
        assert self.early is not None, "such lists are offered where there are two checkpoints"
        return self.early[column].to_numpy()

    def value(self, column: str, row: int) -> Any:
        """Of one image, at the later checkpoint."""
        return self.late[column].iat[row]

    def text(self, column: str, row: int) -> str:
        """Likewise as a text, empty for null."""
        value = self.value(column, row)
        return "" if value is None or value != value else str(value)

    def row_of(self, image: int) -> int:
        """The row of an image by its id."""
        return int(np.flatnonzero(self.ids == image)[0])

    def among_worst(self, percentiles: NDArray[Any]) -> NDArray[np.bool_]:
        """Which images are the outliers by their percentiles, shape (N,), of all or each class."""
        labels = np.array(self.labels if self.per_class else [None] * len(self), dtype=object)
        mask = np.zeros(len(self), dtype=bool)
        for label in dict.fromkeys(labels.tolist()):
            some = labels == label
            mask[some] = are_outliers(percentiles[some], self.worst)
        return mask

    def moved(self) -> NDArray[np.float32]:
        """How far each image moved on the map, shape (N,)."""
        return self._moved

    @cached_property
    def _moved(self) -> NDArray[np.float32]:
        assert self.early is not None, "such lists are offered where there are two checkpoints"
        return distance_moved(self.early, self.late)

    def leak_order(self) -> NDArray[np.int64]:
        """How striking each leak is, shape (N,): 0 for another label there, 1 for the same file, 2
        for the same picture."""
        there = self.late[c.LEAK_LABEL].astype(object)
        here = np.array(self.labels, dtype=object)
        known = there.notna().to_numpy() & np.array([one is not None for one in here])
        differ = (self.last(c.LEAK_OF) >= 0) & known & (here != there.to_numpy())
        exact = (self.late[c.LEAK_KIND] == "exact").to_numpy()
        return np.where(differ, 0, np.where(exact, 1, 2)).astype(np.int64)


def distance_moved(first: pd.DataFrame, last: pd.DataFrame) -> NDArray[np.float32]:
    """How far each image moved on the map between two checkpoints, shape (N,)."""
    way = last[[c.X, c.Y]].to_numpy() - first[[c.X, c.Y]].to_numpy()
    distances: NDArray[np.float32] = np.hypot(way[:, 0], way[:, 1]).astype(np.float32)
    return distances


def first_of(
    positions: NDArray[np.intp], count: int, labels: Sequence[str | None] | None
) -> NDArray[np.intp]:
    """The first ``count`` of some positions or, with labels, of those of each class."""
    if labels is None:
        return positions[:count]
    seen: dict[str | None, int] = {}
    kept = []
    for position in positions.tolist():
        label = labels[position]
        seen[label] = seen.get(label, 0) + 1
        kept.append(seen[label] <= count)
    chosen: NDArray[np.intp] = positions[np.array(kept, dtype=bool)]
    return chosen
