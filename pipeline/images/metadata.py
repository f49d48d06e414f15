"""Reads the files beside images that say more of them: ``metadata.csv``, ``.jsonl`` and
``.parquet``, a row an image."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.walk import Entry, local_path

if TYPE_CHECKING:
    import pyarrow

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

NAMELESS = ""
"""Stands for the file of a row that names none."""

FILE_NAME = "file_name"
"""The column that names the images."""

ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
"""What text files may be written in; the last takes every byte."""


@dataclass(frozen=True)
class Metadata:
    """The rows of all metadata files of a folder, one below the other."""

    table: pyarrow.Table
    """All their columns but the one of the file names."""
    rows: Mapping[str, Sequence[int]]
    """By the name of an image in the folder, the rows that are about it."""
    files: Sequence[str]
    """Names of the metadata files."""


def is_metadata(entry: Entry) -> bool:
    """Whether a file is one of those."""
    return entry.name.rsplit("/", 1)[-1].lower() in METADATA_NAMES


def read_metadata(entries: Sequence[Entry]) -> Metadata | None:
    """What metadata files say; None without any, and where one names several images a row, which
    ``datasets`` reads.

    Raises DatasetError for one that cannot be read or names no files.
    """
    import pyarrow as pa

    tables, names = [], list[str]()
    for entry in entries:
        table = _read(entry)
        if FILE_NAME not in table.column_names:
            if any(name.endswith(("_file_name", "file_names")) for name in table.column_names):
                return None
            raise DatasetError(
                f"{entry.name} has no column {FILE_NAME!r}, which says of which image a row is. "
                f"Name the column so, or leave the file out with --labels-from folder."
            )
        folder = "/".join(entry.parts)
        named = table.column(FILE_NAME).cast(pa.string()).to_pylist()
        names += [_in_folder(folder, name) if name else NAMELESS for name in named]
        tables.append(table.drop_columns([FILE_NAME]))
    if not tables:
        return None
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        listed = ", ".join(entry.name for entry in entries)
        raise DatasetError(
            f"The columns of {listed} do not fit together: {reason_of(error)} Give columns of one "
            f"name the same kind of values in all of them."
        ) from error
    return Metadata(whole, rows, [entry.name for entry in entries])


def _in_folder(folder: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(folder, name.replace("\\", "/")))


def _read(entry: Entry) -> pyarrow.Table:
    import pyarrow as pa

    try:
        data = _bytes_of(entry)
        if entry.ending == ".parquet":
            import pyarrow.parquet as parquet

            return parquet.read_table(io.BytesIO(data))
        text = _text_of(data)
        return _from_csv(text) if entry.ending == ".csv" else _from_json(text)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(
            f"{entry.name} cannot be read: {reason_of(error)} Mend it, or read the labels from the "
            f"folders with --labels-from folder."
        ) from error


def _bytes_of(entry: Entry) -> bytes:
    if "://" not in entry.file:
        return Path(local_path(entry.file)).read_bytes()
    import fsspec

    with fsspec.open(entry.file, "rb") as file:
        data: bytes = file.read()
    return data


def _text_of(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("it is no text")


def _from_csv(text: str) -> pyarrow.Table:
    """A table, its columns apart by the first of ``,``, ``;`` and tab that names the files."""
    import pyarrow.csv as csv

    head = text.split("\n", 1)[0]
    fitting = (mark for mark in ",;\t" if FILE_NAME in _names(head, mark))
    options = csv.ParseOptions(delimiter=next(fitting, ","), newlines_in_values=True)
    return csv.read_csv(io.BytesIO(text.encode()), parse_options=options)


def _names(head: str, mark: str) -> list[str]:
    return [name.strip().strip('"') for name in head.split(mark)]


def _from_json(text: str) -> pyarrow.Table:
    """A table of one object a line; a column of numbers and texts is one of texts."""
    import json

    import pyarrow as pa

    lines = (line for line in text.splitlines() if line.strip())
    try:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in columns})


def _column(values: list[Any]) -> pyarrow.Array:
    import pyarrow as pa

    try:
        return pa.array(values)
    except pa.ArrowException:
        texts = [None if value is None else _as_text(value) for value in values]
        return pa.array(texts, pa.string())


def _as_text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
