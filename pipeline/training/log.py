"""Owns ``log.csv``: one row a logged training step, the same columns whatever a version of the
Trainer logs.

A row is on disk as soon as the step was logged. What is logged later for the same step (the
evaluation) goes into the same row, and a training that goes on from a checkpoint first takes back
the rows after it, so that no step is there twice.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.csvfile import Number, csv_bytes, unguarded
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.run.bounded import read_bytes
from review_embeddings.pipeline.run.checksums import KIND, checksum_of, tell
from review_embeddings.pipeline.run.files import storage_errors, whole_file
from review_embeddings.pipeline.run.inside import open_inside

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "grad_norm",
    "eval_loss",
    "eval_accuracy",
    "eval_precision",
    "eval_recall",
    "eval_f1",
)
"""``step``: global training step; ``epoch``: passes over the data; the rest is empty where it was
not logged."""


MAX_LOG_BYTES = 256 << 20
"""Of the file: two million steps."""

CHECKSUM = "checksum"
"""The last column: of the row's other cells (`run.checksums`)."""

CHECKSUM_LENGTH = len(checksum_of(b""))


class TrainingLog:
    """Appends to ``log.csv``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._step: int | None = None
        self._row: dict[str, float] = {}
        self._start = 0

    def begin(self, step: int) -> None:
        """Start at a step: 0 for a new training, the checkpoint's for one that goes on; rows after
        it are taken back."""
        kept = (
            [row for row in read_rows(self._path) if int(row["step"]) <= step] if step > 0 else []
        )
        _write_rows(self._path, kept)
        self._step, self._row = None, {}
        if (
            kept and int(kept[-1]["step"]) == step
        ):  # what is logged for this step once more replaces its row
            self._step = step
            self._row = {
                name: float(value) for name, value in kept[-1].items() if value and name != "step"
            }
            self._start = self._path.stat().st_size - len(_line(kept[-1]))
        else:
            self._start = self._path.stat().st_size

    def add(self, step: int, logged: Mapping[str, object]) -> None:
        """Put what was logged at a step into its row; names that have no column are left out."""
        values = {
            name: float(value)
            for name, value in logged.items()
            if name in COLUMNS and isinstance(value, (int, float))
        }
        if not values.keys() - {"epoch"}:
            return
        if step != self._step:
            self._start = self._path.stat().st_size
            self._step, self._row = step, {}
        self._row |= values
        with (
            storage_errors(self._path),
            os.fdopen(open_inside(self._path, os.O_RDWR), "r+b") as file,
        ):
            file.seek(self._start)
            file.write(_line({"step": step, **self._row}))
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _line(row: Mapping[str, object]) -> bytes:
    """A row as it stands in the file."""
    cells = {name: str(row.get(name, "")) for name in COLUMNS}
    return csv_bytes([[*map(_number, cells.values()), _checksum(cells)]])


def _number(text: str) -> Any:
    """The number that a cell is, which is no formula; the text itself where it is none."""
    with suppress(ValueError):
        return Number(text) if text else ""
    return text


def _checksum(cells: Mapping[str, str]) -> str:
    """Of a row's cells as text."""
    return checksum_of(",".join(cells[name] for name in COLUMNS).encode())


def _write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    heading = ",".join([*COLUMNS, CHECKSUM]) + "\n"
    with whole_file(path) as temporary:
        temporary.write_bytes(heading.encode() + b"".join(map(_line, rows)))


def put_row(path: Path, step: int, logged: Mapping[str, object]) -> None:
    """Put what was logged at a step into a ``log.csv``, in place of what its row has of it; what is
    there of other steps stays. Without a value that has a column nothing is written."""
    values = {
        name: repr(float(value))
        for name, value in logged.items()
        if name in COLUMNS and isinstance(value, (int, float))
    }
    if not values.keys() - {"epoch"}:
        return
    rows = {int(row["step"]): row for row in read_rows(path)}
    rows[step] = {**rows.get(step, {}), "step": str(step), **values}
    _write_rows(path, (rows[one] for one in sorted(rows)))


def evaluations(path: Path) -> dict[int, dict[str, float]]:
    """Every evaluation in a ``log.csv``, by step."""
    return {
        int(row["step"]): {
            name: float(value) for name, value in row.items() if name.startswith("eval_") and value
        }
        for row in read_rows(path)
        if row["eval_accuracy"]
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a ``log.csv`` as text, in order; a last row that a crash has cut off is left out.
    Empty where there is no file. Rows that are not as they were written are told, and count."""
    rows, changed = _read(path)
    if changed:
        tell(
            path,
            f"{path}: {len(changed):,} rows (the first: step {changed[0]}) are not as they were "
            f"written: they were edited, or are damaged. They count as they are.",
        )
    return [cells for cells in rows if cells["step"].isdecimal() and cells["step"].isascii()]


def changed_rows(path: Path) -> tuple[int, list[str]]:
    """How many rows a ``log.csv`` has, and the steps of those that are not as they were written."""
    rows, changed = _read(path)
    return len(rows), changed


def _read(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """All rows, and the steps of those that are not as they were written."""
    if not path.is_file():
        return [], []
    try:
        text = read_bytes(path, MAX_LOG_BYTES).decode("utf-8", "replace").replace("\0", "\ufffd")
    except ValueError as error:
        raise RunError(f"{path} cannot be read: {error}. Move it away.") from error
    heading, *lines = text.split("\n")
    names = _cells(heading)
    rows: list[dict[str, str]] = []
    changed = ["?"] if KIND in heading else []  # which the first row has run into
    for number, line in enumerate(lines, start=1):
        named = dict(zip(names, _cells(line), strict=False))
        cells = {name: named.get(name, "") for name in COLUMNS}
        stored = _stored_checksum(line)
        as_written = stored in {None, _checksum(cells)}
        if number == len(lines) and len(stored or "") < CHECKSUM_LENGTH:
            break  # cut off
        rows.append(cells)
        changed += [] if as_written else [cells["step"] or "?"]
    return rows, changed


def _cells(line: str) -> list[str]:
    """The cells of one line, which hold no line breaks."""
    return [unguarded(cell) for cell in next(csv.reader([line]), [])]


def _stored_checksum(line: str) -> str | None:
    """What stands in the place of a row's checksum; None where the row has none."""
    last = line.rstrip("\r").rpartition(",")[2]
    return last if KIND in line or len(last) == CHECKSUM_LENGTH else None
