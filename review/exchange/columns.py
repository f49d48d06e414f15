"""The columns of an exported list: those of the long table that are declared as exported, and those
about what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from review_embeddings.pipeline.table.column import COPY, Column
from review_embeddings.pipeline.table.column import DECISION as DECIDED
from review_embeddings.pipeline.table.columns import COLUMNS
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    DISPUTED,
    IMAGE_FILE,
    LISTED_AS,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)


@dataclass(frozen=True)
class ListColumn:
    """One column of a list."""

    name: str
    kind: str
    """int, float, bool or text."""
    meaning: str
    order: int
    """Group in which it stands (`pipeline.table.column`)."""


OWN = (
    ListColumn(
        DECISION,
        "text",
        "keep, relabel, remove, duplicate or unsure; empty where nobody decided or it is disputed",
        DECIDED,
    ),
    ListColumn(NEW_LABEL, "text", "the right class, of a relabel", DECIDED),
    ListColumn(NOTE, "text", "what the reviewer wrote", DECIDED),
    ListColumn(REVIEWER, "text", "who decided", DECIDED),
    ListColumn(DECIDED_AT, "text", "when, UTC", DECIDED),
    ListColumn(DISPUTED, "text", "who decided what, where reviewers differ; else empty", DECIDED),
    ListColumn(LISTED_AS, "text", "why the image is in this list", DECIDED),
    ListColumn(IMAGE_FILE, "text", "the copied image, with --images", COPY),
)
"""Columns that are not in the table."""


def of_table() -> list[Column]:
    """The columns of the long table that a list has."""
    return [column for column in COLUMNS if column.exported is not None]


def list_columns() -> list[ListColumn]:
    """Every column of a list, in order."""
    return sorted([*_from_table(), *OWN], key=lambda column: column.order)


def _from_table() -> Iterator[ListColumn]:
    for column in of_table():
        if (exported := column.exported) is not None:
            yield ListColumn(column.name, _kind(column), exported.meaning, exported.order)


def _kind(column: Column) -> str:
    if column.kind == "bool":
        return "bool"
    return {"int": "int", "flo": "float"}.get(column.kind[:3], "text")


def list_names() -> tuple[str, ...]:
    """The names of a list's columns, in order."""
    return tuple(column.name for column in list_columns())


def as_markdown() -> str:
    """The columns as the README shows them."""
    rows = [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in list_columns()]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])
