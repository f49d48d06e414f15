"""The one writer of CSV files, and what reads their cells back: no cell of text begins as a
spreadsheet would run it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that some spreadsheet would run; the last four are the full-width forms of the
first."""

GUARD = "'"
"""Stands before such a cell, and before one that begins with it, to be removed again."""


class Number(str):
    """A text that is a number, which is written as it is: a sign before it begins no formula."""

    def __init__(self, text: str) -> None:
        """Raises ValueError where it is none."""
        float(text)


def guarded(text: str) -> str:
    """A CSV cell that no spreadsheet runs as a formula; `unguarded` gives it back."""
    return GUARD + text if text.startswith((*FORMULA, GUARD)) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given. A single quote that a person wrote before other text
    stays."""
    return text[1:] if text.startswith(GUARD) and text[1:].startswith((*FORMULA, GUARD)) else text


def csv_text(rows: Iterable[Iterable[Any]], *, quoting: int = csv.QUOTE_MINIMAL) -> str:
    """Rows as the text of a CSV file: texts guarded, nothing for None, numbers as they are."""
    return "".join(_line([_cell(value) for value in row], quoting) for row in rows)


def _line(cells: list[Any], quoting: int) -> str:
    """A row with its end. A cell with either half of the writer's own line end is quoted: another
    program would take a carriage return for the end of the row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(cells)
    return f"{buffer.getvalue()[:-2]}\n"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    is_text = isinstance(value, str) and not isinstance(value, Number)
    return guarded(value) if is_text else value


def csv_bytes(rows: Iterable[Iterable[Any]], *, quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """The same, as UTF-8; half a character stays what it is."""
    return csv_text(rows, quoting=quoting).encode("utf-8", "surrogatepass")


def append_frame(frame: pd.DataFrame, path: Path, *, header: bool) -> None:
    """Add the rows of a frame to a CSV file, its texts and categories guarded."""
    texts: dict[str, Any] = {}
    for name, kind in frame.dtypes.items():
        values = frame[name]
        if kind == "category":
            texts[str(name)] = values.cat.rename_categories(lambda one: guarded(str(one)))
        elif str(kind) in {"object", "string", "str"}:
            texts[str(name)] = values.map(_cell)
    returns = any(_has_return(values) for values in texts.values())
    quoting: Any = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    with path.open("a", encoding="utf-8", errors="surrogatepass", newline="") as file:
        frame.assign(**texts).to_csv(file, header=header, index=False, quoting=quoting)


def _has_return(values: Any) -> bool:
    """Whether a carriage return is in one of the texts; pandas would not quote it."""
    texts = values.cat.categories if values.dtype == "category" else values
    return any(isinstance(text, str) and "\r" in text for text in texts)


def csv_rows(text: str) -> Iterator[Mapping[str, str]]:
    """The rows of such a text by their headings, guards removed."""
    for row in csv.DictReader(io.StringIO(text.replace("\0", "\ufffd"), newline="")):
        yield {name: unguarded(value or "") for name, value in row.items() if name is not None}
