"""Says what is different between two data sets: in lines for the terminal, in Markdown for a pull
request, and as the rows of a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review_embeddings.review.difference.compare import (
    ADDED,
    KINDS,
    MOVED,
    RELABELLED,
    REMOVED,
    REPLACED,
    ComparedRow,
    Difference,
    Differences,
)

if TYPE_CHECKING:
    import pandas as pd

MAX_PAIRS = 20
"""Pairs of classes, or of splits, that a summary names; the others are counted."""

COLUMNS = (
    "change",
    "split",
    "row",
    "path",
    "image_hash",
    "label",
    "to_split",
    "to_row",
    "to_path",
    "to_image_hash",
    "to_label",
    "copy",
)
"""Columns of the list: what a row was, and what it is."""

NO_LABEL = "no label"


@dataclass(frozen=True)
class SummaryRow:
    """A line of the summary."""

    name: str
    text: str
    inner: bool = False
    """Whether it says more of the line above it."""


def summary_rows(found: Differences) -> Iterator[SummaryRow]:
    """The summary: the splits, and how many rows there are of each kind."""
    for split in _splits(found):
        yield SummaryRow(split, _sizes(found, split))
    yield from _classes(found)
    yield SummaryRow("same", f"{found.same:,}")
    for kind in KINDS:
        yield SummaryRow(kind, _count(found, kind))
        for pair, count in _pairs(found, kind):
            yield SummaryRow(pair, f"{count:,}", inner=True)


def _classes(found: Differences) -> Iterator[SummaryRow]:
    for side, title in enumerate(("classes only in the first", "classes only in the second")):
        if names := found.classes_only_in(side):
            rest = f" and {len(names) - MAX_PAIRS:,} more" if len(names) > MAX_PAIRS else ""
            yield SummaryRow(title, ", ".join(names[:MAX_PAIRS]) + rest)


def lines(found: Differences) -> Iterator[str]:
    """The summary for the terminal."""
    for row in summary_rows(found):
        yield f"{'  ' if row.inner else ''}{row.name}: {row.text}"
    if not found:
        yield "There is no difference."


def markdown(found: Differences, names: Mapping[str, str] | None = None) -> str:
    """The summary as Markdown, names as code, so that none is read as anything else.

    ``names`` says more of some splits.
    """
    parts = ["| split | rows before | rows after |", "| --- | ---: | ---: |"]
    for split in _splits(found):
        before, after = found.before.get(split), found.after.get(split)
        more = f" ({(names or {})[split]})" if split in (names or {}) else ""
        cells = [f"{_code(split)}{more}", *(_number(one) for one in (before, after))]
        parts.append(f"| {' | '.join(cells)} |")
    parts += ["", f"- unchanged: {found.same:,}"]
    for kind in KINDS:
        parts.append(f"- {kind}: {_count(found, kind)}")
        parts += [f"  - {pair}: {count:,}" for pair, count in _pairs(found, kind, code=True)]
    return "\n".join(parts) + "\n"


def headline(found: Differences) -> str:
    """``3 removed, 2 relabelled``."""
    counts = {kind: len(found.of(kind)) for kind in KINDS}
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "no change"


def as_frame(found: Differences) -> pd.DataFrame:
    """The rows of the list, in the order of the summary."""
    import pandas as pd

    return pd.DataFrame([_record(one) for one in found.rows], columns=list(COLUMNS), dtype=object)


def _record(one: Difference) -> dict[str, Any]:
    before, after = _cells(one.before), _cells(one.after)
    values = ["; ".join(one.kinds), *before, *after, "yes" if one.copy else ""]
    return dict(zip(COLUMNS, values, strict=True))


def _cells(row: ComparedRow | None) -> list[Any]:
    if row is None:
        return ["", None, "", "", ""]
    return [row.split, row.row, row.path, row.image_hash or "", row.label]


def _splits(found: Differences) -> list[str]:
    return list(dict.fromkeys([*found.before, *found.after]))


def _sizes(found: Differences, split: str) -> str:
    before, after = found.before.get(split), found.after.get(split)
    if before is None:
        return f"only in the second, {after:,} images"
    if after is None:
        return f"only in the first, {before:,} images"
    return f"{before:,} -> {after:,} images"


def _count(found: Differences, kind: str) -> str:
    rows = found.of(kind)
    if kind == RELABELLED and not found.labels:
        return "not compared"
    copies = sum(one.copy for one in rows)
    if not copies:
        return f"{len(rows):,}"
    where = "is still there" if kind == REMOVED else "was there already"
    return f"{len(rows):,} (of {copies:,} the same image {where})"


def _pairs(found: Differences, kind: str, *, code: bool = False) -> Iterator[tuple[str, int]]:
    """Old and new class, or split, with their number; the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    if kind in {RELABELLED, MOVED}:
        counts = found.relabelled if kind == RELABELLED else found.moved
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for pair, count in ordered[:MAX_PAIRS]:
        old, new = (_named(name, code) for name in pair)
        yield f"{old} -> {new}", count
    if rest := ordered[MAX_PAIRS:]:
        yield f"{len(rest):,} other pairs", sum(count for _, count in rest)


def _named(name: str, code: bool) -> str:
    if not name:
        return NO_LABEL
    return _code(name) if code else name


def _code(text: str) -> str:
    """A text as code in Markdown, on one line and in one cell of a table."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return f"`{plain.replace('`', chr(39)).replace('|', '/')}`"


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def notes_of(found: Differences, keys: Sequence[str]) -> Iterator[str]:
    """What a person should hear of how rows were told apart."""
    if keys and found.of(REPLACED):
        yield f"Which image has changed says column {', '.join(keys)}, else the name of its file"
    elif found.of(REMOVED) and found.of(ADDED):
        sides = [[one.before for one in found.of(REMOVED)], [one.after for one in found.of(ADDED)]]
        if not all(any(row is not None and row.path for row in side) for side in sides):
            yield (
                "No file names say which image became which: a changed one counts as removed and "
                "added"
            )
