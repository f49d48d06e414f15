"""Writes and reads lists as CSV, Parquet, JSON or JSON Lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.review.exchange.columns import NAMES

if TYPE_CHECKING:
    import pandas as pd


FORMATS = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "jsonl": ".jsonl"}
"""Forms of a list and the endings of their files."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""

GUARD = "'"
"""Stands before such a cell, and before one that begins with it, so that it can be taken away
again."""


def write_list(frame: pd.DataFrame, out: Path, form: str) -> None:
    """Write a list in one of `FORMATS`, whole or not at all. Raises StorageError where it cannot be
    written."""
    with whole_file(out) as temporary:
        if form == "parquet":
            frame.to_parquet(temporary, index=False, compression="zstd")
        else:
            temporary.write_bytes(_as_text(frame, form).encode("utf-8", "surrogatepass"))


def _as_text(frame: pd.DataFrame, form: str) -> str:
    records = [
        {name: _plain(value) for name, value in zip(NAMES, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    if form == "json":
        return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
    if form == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(NAMES)
    for record in records:
        writer.writerow(
            [
                "" if value is None else guarded(value) if isinstance(value, str) else value
                for value in record.values()
            ]
        )
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """A number or text as JSON has it; the shortest digits that give the same float32, null for a
    gap."""
    if isinstance(value, (np.floating, float)):
        return None if np.isnan(value) else float(str(np.float32(value)))
    return value.item() if isinstance(value, np.generic) else value


def guarded(text: str) -> str:
    """A CSV cell that no spreadsheet runs as a formula; `unguarded` gives it back."""
    return GUARD + text if text.startswith((*FORMULA, GUARD)) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given. A single quote that a person wrote before other text
    stays."""
    return text[1:] if text.startswith(GUARD) and text[1:].startswith((*FORMULA, GUARD)) else text


def ending_of(data: bytes) -> str:
    """The ending of an image file, by its contents."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        known = {"JPEG": ".jpg", "TIFF": ".tif"}
        return known.get(str(image.format), f".{str(image.format).lower()}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a list in any of the formats. Raises SettingsError where it cannot be read."""
    if not path.is_file():
        raise SettingsError(
            f"{path} is not there. Give a file with decisions: {', '.join(FORMATS.values())}."
        )
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            import pyarrow.parquet as parquet

            rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
            return rows
        data = path.read_bytes()
        wide = data.startswith(
            (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        )  # how spreadsheets write "Unicode text"
        text = data.decode("utf-16") if wide else data.decode("utf-8-sig", "surrogatepass")
        if ending == ".json":
            rows = json.loads(text)
        elif ending == ".jsonl":
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        elif ending == ".csv":
            rows = _read_csv(text)
        else:
            raise SettingsError(
                f"{path} is not of a known kind. Give one of {', '.join(FORMATS.values())}."
            )
    except (ValueError, OSError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}. Give a file such as `review-embeddings export` "
            f"writes."
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError(
            f"{path} holds no list of rows. Give a file such as `review-embeddings export` writes."
        )
    return rows


def _read_csv(text: str) -> list[dict[str, Any]]:
    """Rows of a CSV file; commas, semicolons or tabs, as spreadsheets of many countries write them;
    headings in any case."""
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True
    )
    return [
        {
            name.strip().lower(): unguarded(value or "")
            for name, value in row.items()
            if name is not None
        }
        for row in reader
    ]
