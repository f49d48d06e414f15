"""Reads how a training went: from ``log.csv`` where it was written here, and from what the Trainer
itself has logged. Where both say something ``log.csv`` counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from review_embeddings.pipeline import table
from review_embeddings.pipeline.models.trainerstate import accuracy_in, history_of, number_of
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import Rows
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.training.log import read_rows

Curve = list[tuple[int, float]]
"""Steps, ascending, and values."""

OF_REVIEWED = "*"
"""Stands behind an accuracy that the training did not measure."""

OF_REVIEWED_NOTE = f"{OF_REVIEWED} of the reviewed images; the others as the training evaluated"

OF_EVALUATION = "training's evaluation"
"""Says of an accuracy that the training measured it, on the images that it evaluated on."""

Measured = Literal["evaluation", "reviewed images"]
"""On which images an accuracy was measured: those that the training evaluated on, or those of the
run, by the checkpoint's own predictions."""


@dataclass(frozen=True)
class CheckpointMetrics:
    """How well a checkpoint does."""

    eval_loss: float | None = None
    accuracy: float | None = None
    """Share of the images whose label is predicted, in [0, 1]."""
    measured: Measured | None = None
    """None without an accuracy."""

    @property
    def accuracy_text(self) -> str:
        """For people, marked where it is of the reviewed images; empty without one."""
        mark = OF_REVIEWED if self.measured == "reviewed images" else ""
        return "" if self.accuracy is None else f"{self.accuracy:.3f}{mark}"


@dataclass(frozen=True)
class TrainingCurves:
    """What was logged, by step; finite numbers only."""

    rows: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def of(self, name: str) -> Curve:
        """The values of one name."""
        return [(step, row[name]) for step, row in self.rows.items() if name in row]

    @property
    def loss(self) -> Curve:
        """Training loss."""
        return self.of("loss")

    @property
    def eval_loss(self) -> Curve:
        """Loss of the evaluations."""
        return self.of("eval_loss")

    @property
    def accuracy(self) -> Curve:
        """Accuracy of the evaluations, in [0, 1]: percents are taken for what they are."""
        found = {step: accuracy_in(row) for step, row in self.rows.items()}
        known = {step: value for step, value in found.items() if value is not None}
        percents = any(1 < value <= 100 for value in known.values())
        shares = {step: value / 100 if percents else value for step, value in known.items()}
        return [(step, value) for step, value in shares.items() if 0 <= value <= 1]


def accuracy_note(metrics: Iterable[CheckpointMetrics]) -> str:
    """On which images some accuracies were measured, for people; empty without any."""
    kinds = {one.measured for one in metrics if one.measured is not None}
    if kinds == {"evaluation"}:
        return f"accuracy: {OF_EVALUATION}"
    if kinds == {"reviewed images"}:
        return f"{OF_REVIEWED} of the reviewed images"
    return OF_REVIEWED_NOTE if kinds else ""


def read_curves(run: RunFolder, manifest: table.Manifest | None = None) -> TrainingCurves:
    """How the training of a run went; where nobody logged a loss, as far as each checkpoint of the
    table remembers it."""
    rows = _joined(history_of(run).rows(), _logged_here(run))
    curves = TrainingCurves(dict(sorted(rows.items())))
    if curves.loss or manifest is None:
        return curves
    for one in manifest.checkpoints:
        if one.loss is not None and one.step_known:
            rows.setdefault(one.step, {})["loss"] = one.loss
    return TrainingCurves(dict(sorted(rows.items())))


def _logged_here(run: RunFolder) -> Rows:
    """The rows of ``log.csv``, as far as they hold numbers."""
    found = []
    for logged in read_rows(run.log):
        values = {name: number_of(_float(text)) for name, text in logged.items() if text}
        row = {name: value for name, value in values.items() if value is not None}
        found.append({**row, "step": int(logged["step"])})
    return found


def _joined(logged: Rows, here: Rows) -> dict[int, dict[str, float]]:
    """Both logs by step. Of each name, what was logged here counts from its first to its last
    step."""
    ranges: dict[str, tuple[float, float]] = {}
    for row in here:
        for name in row:
            ranges[name] = (ranges.get(name, (row["step"],))[0], row["step"])
    rows: dict[int, dict[str, float]] = {}
    for row in logged:
        for name, value in row.items():
            first, last = ranges.get(name, (math.inf, -math.inf))
            if not first <= row["step"] <= last:
                rows.setdefault(int(row["step"]), {})[name] = value
    for row in here:
        rows.setdefault(int(row["step"]), {}).update(row)
    return rows


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def metrics_of(
    run: RunFolder, manifest: table.Manifest, curves: TrainingCurves, steps: Sequence[int]
) -> dict[int, CheckpointMetrics]:
    """How well some checkpoints of the table do: as the training evaluated at their step, else by
    their predictions of the images of the run."""
    accuracies, losses = dict(curves.accuracy), dict(curves.eval_loss)
    found = {}
    for one in manifest.checkpoints:
        if one.step not in steps:
            continue
        accuracy = accuracies.get(one.step) if one.step_known else None
        eval_loss = losses.get(one.step) if one.step_known else None
        if accuracy is not None:
            found[one.step] = CheckpointMetrics(eval_loss, accuracy, "evaluation")
        elif (own := _matched(run, manifest, one)) is not None:
            found[one.step] = CheckpointMetrics(eval_loss, own, "reviewed images")
        else:
            found[one.step] = CheckpointMetrics(eval_loss)
    return found


def _matched(
    run: RunFolder, manifest: table.Manifest, one: table.CheckpointSummary
) -> float | None:
    """Share of the labelled images whose label is predicted; read from the table where an earlier
    version made it."""
    if one.matched is not None or not (manifest.classes and manifest.prediction_classes):
        return one.matched
    rows = table.read(run, checkpoints=[one.step], columns=[c.LABEL, c.PREDICTION])
    known = rows[c.LABEL].notna() & rows[c.PREDICTION].notna()
    if not known.any():
        return None
    labels, predictions = (rows.loc[known, name].astype(str) for name in (c.LABEL, c.PREDICTION))
    return float((labels == predictions).mean())
