"""What is declared of a column of the long table: how it is stored and checked, where the review
shows it, and whether the lists have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "int64", "int32", "float32", "float64", "bool", "string", "category", "vector", "bytes"
]

Where = Literal["each", "first", "last", "image", "inspector", "inspector first", "inspector last"]

Per = Literal["image", "checkpoint-and-image"]

EACH: Where = "each"
"""Beside each shown checkpoint."""

ENDS: tuple[Where, ...] = ("first", "last")
"""Of the first and of the last shown checkpoint."""

ONCE: Where = "image"
"""Once, for a column that is about the image over all checkpoints."""

INSPECTOR: Where = "inspector"
"""Under the pictures of the selected images."""

INSPECTED_ENDS: tuple[Where, ...] = ("inspector first", "inspector last")
"""Likewise, of the first and of the last checkpoint."""


@dataclass(frozen=True)
class Shown:
    """Where the review page shows a column, under which name."""

    where: tuple[Where, ...] = ()
    """Empty for a column that it does not show."""
    name: str | None = None
    """What the page calls it, before ``_first`` or ``_000020``; None for the name of the column."""
    needs: str | None = None
    """The column that must have a value somewhere for this one to be shown; None for itself where
    it can be null, else for none."""
    order: int = 0
    """Columns of the page stand in this order, of equal numbers in that of the table."""


@dataclass(frozen=True)
class Source:
    """A stored array whose values are those of a column."""

    stage: str
    array: str
    field: str | None
    """Of a structured array; None for all of another one."""


IDENTITY, DECISION, AT_CHECKPOINT, LABEL_OVER_ALL, ABOUT_IMAGE = range(5)
LIFE, CONSENSUS, OTHER, COPY = range(5, 9)
"""Groups of the columns of a list, in their order; within one they stand in that of the table."""


@dataclass(frozen=True)
class Exported:
    """A column of the lists that are exported."""

    meaning: str
    """What it says there."""
    order: int = OTHER
    """One of the groups above."""


@dataclass(frozen=True)
class Column:
    """One column of the long table."""

    name: str
    kind: Kind
    """How it is stored; ``category`` is a dictionary of strings, ``vector`` a view on a row of a
    memory-mapped array."""
    unit: str
    values: str
    """Range of the values, and what null means where there can be nulls."""
    meaning: str
    """What it says, with its direction where it has one."""
    nullable: bool = False
    joined: bool = False
    """Not in the Parquet files of the table but joined from the images and arrays of the run on
    reading."""
    per: Per = "checkpoint-and-image"
    """``image``: about the image over all checkpoints, kept once an image and the same in all of
    its rows."""
    low: float | None = None
    """Smallest value; None where there is no bound."""
    high: float | None = None
    missing: int | str | None = None
    """The value, outside the bounds or first of the categories, that means there is none."""
    direction: Literal["lower", "higher"] | None = None
    """Which values are worse; None where neither are."""
    categories: tuple[str, ...] | Literal["classes", "prediction_classes"] | None = None
    """The closed set that a category is of, or which classes of the table's manifest it is of."""
    shown: Shown = Shown()
    exported: Exported | None = None
    """None for a column that lists do not have."""
    source: str | None = None
    """``stage.array``, or ``stage.array:field`` of a structured one, where the values are a stored
    array as it is; None where the table works them out."""

    @property
    def stored_in(self) -> Source | None:
        """The parts of the source."""
        if self.source is None:
            return None
        array, _, field = self.source.partition(":")
        stage, _, name = array.partition(".")
        return Source(stage, name, field or None)

    @property
    def page_name(self) -> str:
        """What the review page calls it, without the checkpoint."""
        return self.shown.name or self.name

    def at(self, checkpoint: str) -> str:
        """What the page calls it at ``first``, ``last``, ``now`` or a step."""
        return f"{self.page_name}_{checkpoint}"

    @property
    def needed(self) -> str | None:
        """The column that must have a value somewhere for this one to be shown."""
        return self.shown.needs or (self.name if self.nullable else None)

    @property
    def worst_is_missing(self) -> bool:
        """Whether the value for "none" would stand for the worst one where values are compared."""
        return self.missing is not None and self.direction == "lower" and self.categories is None

    @property
    def harmless(self) -> float:
        """Stands for a null among other values, where there can be no gap: nobody should look at
        an image because of it."""
        bound = self.high if self.direction == "lower" else self.low
        return 0.0 if bound is None else bound
