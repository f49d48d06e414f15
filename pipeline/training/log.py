"""Owns ``log.csv``: one row a logged training step, the same columns whatever a version of the
Trainer logs.

A row is on disk as soon as the step was logged. What is logged later for the same step (the
evaluation) goes into the same row, and a training that goes on from a checkpoint first takes back
the rows after it, so that no step is there twice.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from review_embeddings.pipeline.run.files import storage_errors, whole_file

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
        with (
            whole_file(self._path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        self._step, self._row = None, {}
        if (
            kept and int(kept[-1]["step"]) == step
        ):  # what is logged for this step once more replaces its row
            self._step = step
            self._row = {
                name: float(value) for name, value in kept[-1].items() if value and name != "step"
            }
            self._start = self._path.stat().st_size - len(self._line(step, self._row))
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
        with storage_errors(self._path), self._path.open("r+b") as file:
            file.seek(self._start)
            file.write(self._line(step, self._row))
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _line(step: int, row: Mapping[str, float]) -> bytes:
        buffer = io.StringIO()
        csv.DictWriter(buffer, COLUMNS, lineterminator="\n").writerow({"step": step, **row})
        return buffer.getvalue().encode()


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
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[one] for one in sorted(rows))


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
    Empty where there is no file."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    rows = [row for row in csv.DictReader(io.StringIO(whole)) if row.get("step", "").isdigit()]
    return [{name: row.get(name) or "" for name in COLUMNS} for row in rows]
