"""The formats in which tables and lists leave and lists come back, each declared once. Needs no
numeric library until something is written or read.

A format that is added here can be given to ``table --out``, ``export --format`` and ``import``.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.csvfile import append_frame, csv_bytes, unguarded
from review_embeddings.pipeline.registry import Registry
from review_embeddings.pipeline.run.bounded import for_arrow, parse_json, read_bytes, read_parquet
from review_embeddings.pipeline.table.columns import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


MAX_LIST_BYTES = 256 << 20
"""Of a list that came back: a million rows."""


@dataclass(frozen=True)
class ListRows:
    """The rows of a list that came back, with what people call them."""

    columns: list[str]
    """Names of the columns, also where there is no row."""
    rows: list[dict[str, Any]]
    numbers: list[int]
    """Number of each row, as what shows such a file numbers it: of a CSV file the headings are
    row 1."""


@dataclass(frozen=True)
class Format:
    """A kind of file that holds rows."""

    key: str
    ending: str
    """Of its files, with the dot."""
    write: Callable[[Iterable[pd.DataFrame], Path], None]
    """Writes one table, given in parts of the same columns, into an empty file."""
    read: Callable[[Path], list[dict[str, Any]]]
    """The rows of a file; raises ValueError, OSError or csv.Error where it cannot be read."""
    write_list: Callable[[pd.DataFrame, Path], None] | None = None
    """Writes a list for people; None where it is written like any table."""
    joined: bool = False
    """Whether a cell can hold a vector or an image."""
    read_list: Callable[[Path], ListRows] | None = None
    """Reads a list that came back, as ``read`` does; None where its rows are numbered from 1 and
    say the columns."""

    def write_rows(self, frame: pd.DataFrame, path: Path) -> None:
        """Write a list for people."""
        if self.write_list is not None:
            self.write_list(frame, path)
        else:
            self.write([frame], path)

    def list_rows(self, path: Path) -> ListRows:
        """Read a list that came back."""
        if self.read_list is not None:
            return self.read_list(path)
        rows = self.read(path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it holds no list of rows")
        columns = dict.fromkeys(name for row in rows for name in row)
        return ListRows(list(columns), rows, list(range(1, len(rows) + 1)))


FORMATS: Registry[Format] = Registry("format", lambda one: one.key)


def keys() -> tuple[str, ...]:
    """What ``export --format`` takes."""
    return FORMATS.names()


def endings() -> tuple[str, ...]:
    """What the names of files end in."""
    return tuple(one.ending for one in FORMATS)


def format_of(path: Path) -> Format | None:
    """The format of a file by its ending; None for one that is not known."""
    return next((one for one in FORMATS if one.ending == path.suffix.lower()), None)


# -- CSV


def _write_csv(parts: Iterable[pd.DataFrame], path: Path) -> None:
    for number, part in enumerate(parts):
        append_frame(part, path, header=number == 0)


def _write_csv_list(frame: pd.DataFrame, path: Path) -> None:
    """Text quoted, and no cell that a spreadsheet runs."""
    records = [list(record.values()) for record in _records(frame)]
    path.write_bytes(csv_bytes([list(frame.columns), *records], quoting=csv.QUOTE_NONNUMERIC))


def _read_csv(path: Path) -> list[dict[str, Any]]:
    return _read_csv_list(path).rows


def _read_csv_list(path: Path) -> ListRows:
    """Rows of a CSV file; commas, semicolons or tabs, as spreadsheets of many countries write them;
    headings in any case."""
    text = _text_of(path)
    first = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True
    )
    numbered = ((number, cells) for number, cells in enumerate(reader, start=1) if any(cells))
    _, headings = next(numbered, (1, list[str]()))
    columns = [name.strip().lower() for name in headings]
    numbers, rows = [], []
    for number, cells in numbered:
        cells = cells + [""] * (len(columns) - len(cells))
        numbers.append(number)
        rows.append(dict(zip(columns, map(unguarded, cells), strict=False)))
    return ListRows(columns, rows, numbers)


# -- JSON


def _write_json(parts: Iterable[pd.DataFrame], path: Path) -> None:
    """One array, as ``json.dumps(…, indent=1)`` has it."""
    with path.open("wb") as file:
        file.write(b"[")
        between = b"\n "
        for record in _all_records(parts):
            file.write(between)
            text = json.dumps(record, ensure_ascii=False, indent=1).replace("\n", "\n ")
            file.write(_encoded(text))
            between = b",\n "
        file.write(b"]\n" if between == b"\n " else b"\n]\n")


def _read_json(path: Path) -> Any:
    return parse_json(_encoded(_text_of(path)), MAX_LIST_BYTES)


def _write_jsonl(parts: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        for record in _all_records(parts):
            file.write(_encoded(json.dumps(record, ensure_ascii=False) + "\n"))


def _read_jsonl(path: Path) -> list[Any]:
    return [record for _, record in _numbered_jsonl(path)]


def _numbered_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(_text_of(path).split("\n"), start=1):
        if line.strip():
            yield number, parse_json(_encoded(line))


def _read_jsonl_list(path: Path) -> ListRows:
    numbered = list(_numbered_jsonl(path))
    if not all(isinstance(record, dict) for _, record in numbered):
        raise ValueError("it holds no list of rows")
    columns = dict.fromkeys(name for _, record in numbered for name in record)
    return ListRows(
        list(columns), [record for _, record in numbered], [number for number, _ in numbered]
    )


# -- Parquet


def _write_parquet(parts: Iterable[pd.DataFrame], path: Path) -> None:
    """Embeddings are fixed-size lists of float32 and images plain bytes."""
    import pyarrow.parquet as parquet

    writer: Any = None
    with for_arrow(path, "wb") as target:
        try:
            for part in parts:
                table = _as_arrow(part)
                writer = writer or parquet.ParquetWriter(target, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def _as_arrow(frame: pd.DataFrame) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    joined = [name for name in frame.columns if name in COLUMNS and COLUMNS[name].joined]
    table = pa.Table.from_pandas(frame.drop(columns=joined), preserve_index=False)
    for name in joined:
        if COLUMNS[name].kind == "vector":
            matrix = np.stack(list(frame[name]))
            cells = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
        else:
            cells = pa.array(frame[name], pa.binary())
        table = table.append_column(name, cells)
    return table.select(list(frame.columns))


def _read_parquet(path: Path) -> list[dict[str, Any]]:

    rows: list[dict[str, Any]] = read_parquet(path).to_pylist()
    return rows


def _read_parquet_list(path: Path) -> ListRows:

    table = read_parquet(path)
    try:
        rows = table.to_pylist()
    except OverflowError as error:
        raise ValueError(f"it holds a time that is out of range ({error})") from error
    except KeyError as error:
        raise ValueError(f"it holds times of an unknown time zone ({error})") from error
    except ValueError as error:
        if "zoneinfo" not in str(error):  # what pyarrow says of an unknown zone without pytz
            raise
        raise ValueError("it holds times of an unknown time zone") from error
    return ListRows(table.column_names, rows, list(range(1, len(table) + 1)))


# -- what they share


def _all_records(parts: Iterable[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for part in parts:
        yield from _records(part)


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows with values as JSON has them, null for a gap."""
    columns = [_plain(frame[name]) for name in frame.columns]
    for row in zip(*columns, strict=True):
        yield dict(zip(frame.columns, row, strict=True))


def _plain(column: pd.Series[Any]) -> Iterator[Any]:
    """Of a float32 the shortest digits that give the same one."""
    import numpy as np

    short = column.dtype == np.float32
    for value in column:
        if value is None or value != value:
            yield None
        elif short:
            yield float(str(np.float32(value)))
        else:
            yield value.item() if isinstance(value, np.generic) else value


def _encoded(text: str) -> bytes:
    """JSON as bytes; half a character, which UTF-8 cannot hold, as JSON's escape of it."""
    return text.encode("utf-8", "backslashreplace")


def _text_of(path: Path) -> str:
    """The text of a file, also where a spreadsheet wrote it as "Unicode text"."""
    data = read_bytes(path, MAX_LIST_BYTES)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig", "surrogatepass")


FORMATS.add(
    Format(
        "csv", ".csv", _write_csv, _read_csv, write_list=_write_csv_list, read_list=_read_csv_list
    )
)
FORMATS.add(
    Format(
        "parquet",
        ".parquet",
        _write_parquet,
        _read_parquet,
        joined=True,
        read_list=_read_parquet_list,
    )
)
FORMATS.add(Format("json", ".json", _write_json, _read_json))
FORMATS.add(Format("jsonl", ".jsonl", _write_jsonl, _read_jsonl, read_list=_read_jsonl_list))
