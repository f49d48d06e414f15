"""Reads what Hugging Face's Trainer writes down in ``trainer_state.json``: epoch, loss, metrics and
which checkpoint is the best. Whatever such a file holds, nothing is raised: what is no number is
not known."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.checksums import tell
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN, RunFolder
from review_embeddings.pipeline.run.history import (
    CheckpointRecord,
    Rows,
    StateSummary,
    TrainingHistory,
    columns_of,
    read_history,
)
from review_embeddings.pipeline.run.info import RunInfo

TRAINER_STATE = "trainer_state.json"

MAX_STEP = 2**53 - 1
"""The largest number that JavaScript holds as a whole one; no training is as long."""

MAX_NUMBER = 1e15
"""What is larger is no measurement, and figures cannot draw it."""

LOGGED = ("epoch", "loss", "learning_rate", "grad_norm")
"""What a row of the log may hold beside the metrics of an evaluation."""

EVALUATED = "eval_"
"""What the names of metrics begin with."""

NO_METRICS = ("_runtime", "_per_second", "_time")
"""Ends of the names of what says how long an evaluation took."""

MAX_NAME, MAX_METRICS = 100, 64
"""Characters of the name of a metric, and how many of them a row may hold."""

ACCURACIES = {"eval_accuracy", "eval_acc"}
"""What people call the share of the images whose class is predicted."""

MAX_REMEMBERED = 256
"""Records that one process keeps in memory."""

BEST_FOLDER = re.compile(r"checkpoint-(\d+)[\\/]*$")


@dataclass(frozen=True)
class TrainerState:
    """The contents of a ``trainer_state.json``, as far as they make sense."""

    global_step: int | None = None
    max_steps: int | None = None
    epoch: float | None = None
    best_step: int | None = None
    rows: Rows = field(default_factory=list)
    """One a step, ascending: ``step`` and finite numbers."""

    def record_at(self, step: int) -> CheckpointRecord:
        """What it says of the checkpoint at a step."""
        record = record_from(self.rows, step)
        own = self.global_step in {None, step}
        return replace(record, epoch=self.epoch) if own and self.epoch is not None else record


def record_from(rows: Rows, step: int) -> CheckpointRecord:
    """What a log says of the checkpoint at a step."""
    losses = [row["loss"] for row in rows if "loss" in row and row["step"] <= step]
    here = next((row for row in rows if row["step"] == step), {})
    metrics = {name: value for name, value in here.items() if name.startswith(EVALUATED)}
    return CheckpointRecord(here.get("epoch"), losses[-1] if losses else None, metrics)


def read_state(path: Path) -> TrainerState | None:
    """A ``trainer_state.json``; None where it cannot be read. Raises StorageError
    where the disk fails."""
    try:
        content = read_json_file(path)
    except (OSError, ValueError) as error:
        raise_unavailable(error, path)
        return None
    if not isinstance(content, dict):
        return None
    return TrainerState(
        global_step=_step(content.get("global_step")),
        max_steps=_step(content.get("max_steps")),
        epoch=_epoch(content.get("epoch")),
        best_step=_best_step(content),
        rows=_rows(content.get("log_history")),
    )


@functools.lru_cache(maxsize=MAX_REMEMBERED)
def _read_once(path: Path, stamp: tuple[int, ...]) -> TrainerState | None:
    """The same of a file with some size and time, which commands that only read ask for again and
    again."""
    return read_state(path)


def _best_step(content: Mapping[str, Any]) -> int | None:
    """From the folder where it names one, since that was saved."""
    folder = content.get("best_model_checkpoint")
    match = BEST_FOLDER.search(folder) if isinstance(folder, str) else None
    named = _whole(match[1]) if match else None
    return _step(content.get("best_global_step")) if named is None else named


def _whole(digits: str) -> int | None:
    return _step(int(digits)) if len(digits) <= len(str(MAX_STEP)) else None


def _step(value: object) -> int | None:
    """A global step; None for what is none."""
    number = value if type(value) is int else None
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    return number if number is not None and 0 <= number <= MAX_STEP else None


def number_of(value: object) -> float | None:
    """A finite number that a figure can draw; None for anything else."""
    if type(value) not in {int, float}:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # one of the two types above
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) <= MAX_NUMBER else None


def _epoch(value: object) -> float | None:
    number = number_of(value)
    return number if number is not None and number >= 0 else None


def _rows(history: object) -> Rows:
    """The entries of ``log_history``, those of one step put together."""
    found: dict[int, dict[str, float]] = {}
    for entry in history if isinstance(history, list) else []:
        step = _step(entry.get("step")) if isinstance(entry, dict) else None
        if step is not None and len(values := dict(_values(entry))) > 0:
            found.setdefault(step, {"step": step}).update(values)
    return [found[step] for step in sorted(found) if found[step].keys() - {"step", "epoch"}]


def _values(entry: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    """What is kept of an entry."""
    metrics = (name for name in entry if _is_metric(name))
    for name in itertools.chain(LOGGED, itertools.islice(metrics, MAX_METRICS)):
        value = _epoch(entry.get(name)) if name == "epoch" else number_of(entry.get(name))
        if value is not None:
            yield name, value


def _is_metric(name: str) -> bool:
    return (
        name.startswith(EVALUATED)
        and len(name) <= MAX_NAME
        and name.isprintable()
        and not name.endswith(NO_METRICS)
    )


# -- the run's file, brought up to date


def refreshed(history: TrainingHistory, root: Path, name: str) -> TrainingHistory:
    """What is known, with what the records below ``root``, called ``name`` in ``run.json``, say
    now. Files that were read already are not read again; what is gone stays known."""
    files = dict(_state_files(root))
    history = _without_gone(history, root, files)
    if files and history.root not in {"", name}:
        history = TrainingHistory(unknown=history.unknown)  # of another training
    changed = {
        folder: stamp
        for folder, stamp in files.items()
        if folder not in history.states or history.states[folder].stamp != stamp
    }
    if not changed:
        return history
    history = replace(history, root=name)
    for folder, stamp in changed.items():
        path = root / folder / TRAINER_STATE
        state = _read_once(path, tuple(stamp))
        if folder in history.states:
            _tell_changes(path, history.rows(), state)
        history = _with_state(history, folder, stamp, state)
    return history


def _tell_changes(path: Path, known: Rows, state: TrainerState | None) -> None:
    """Say that a record which was read before has other numbers about the same steps now."""
    before = {row["step"]: row for row in known}
    rows = [] if state is None else state.rows
    others = [row["step"] for row in rows if _differs(before.get(row["step"], {}), row)]
    if others or state is None:
        what = f"says other numbers of step {others[0]:g}" if others else "cannot be read"
        tell(path, f"{path} {what}, unlike before: it was written again, or is damaged.")


def _differs(known: Mapping[str, float], read: Mapping[str, float]) -> bool:
    return any(name in known and known[name] != value for name, value in read.items())


def _without_gone(
    history: TrainingHistory, root: Path, files: Mapping[str, list[int]]
) -> TrainingHistory:
    """Without the record of a final model that is there no more while there is a model."""
    if "" not in history.states or "" in files or not (root / "config.json").is_file():
        return history
    kept = {folder: state for folder, state in history.states.items() if folder}
    return replace(history, states=kept)


def _state_files(root: Path) -> Iterator[tuple[str, list[int]]]:
    """Folder below ``root`` and stamp of each record."""
    for path in [*sorted(root.glob(f"{CHECKPOINT_PATTERN}/{TRAINER_STATE}")), root / TRAINER_STATE]:
        try:
            folder = path.parent.relative_to(root).as_posix()
            yield "" if folder == "." else folder, list(storage.stamp_of(path))
        except OSError:  # none, or it was replaced at this moment
            continue


def _with_state(
    history: TrainingHistory, folder: str, stamp: list[int], state: TrainerState | None
) -> TrainingHistory:
    read = state or TrainerState()
    summary = StateSummary(stamp, read.global_step, read.max_steps, read.epoch, read.best_step)
    history = replace(history, states={**history.states, folder: summary})
    if match := BEST_FOLDER.fullmatch(folder):
        step = _whole(match[1])
        if step is not None:
            record = merged(history.at(step), read.record_at(step))
            history = history.with_record(step, record)
    return _with_log(history, read.rows)


def merged(known: CheckpointRecord, read: CheckpointRecord) -> CheckpointRecord:
    """What is read, and what was known and it does not say, unless it is of another training."""
    if None not in {known.epoch, read.epoch} and known.epoch != read.epoch:
        return read
    return CheckpointRecord(
        known.epoch if read.epoch is None else read.epoch,
        known.loss if read.loss is None else read.loss,
        {**known.metrics, **read.metrics},
    )


def _with_log(history: TrainingHistory, rows: Rows) -> TrainingHistory:
    """With the rows of a log; of two that differ the one that reaches further counts."""
    known = history.rows()
    if not rows:
        return history
    steps = {row["step"] for row in rows}
    if known and known[-1]["step"] > rows[-1]["step"]:
        have = {row["step"] for row in known}
        joined = [*known, *(row for row in rows if row["step"] not in have)]
    else:
        joined = [*(row for row in known if row["step"] not in steps), *rows]
    return replace(history, log=columns_of(sorted(joined, key=lambda row: row["step"])))


def history_of(run: RunFolder, info: RunInfo | None = None) -> TrainingHistory:
    """What is known of a run's training now: from its file, and from the records where they are on
    this machine. Writes nothing. Raises RunError."""
    history = read_history(run)
    info = info or run.read_info()
    if info is None or storage.is_address(info.checkpoints):
        return history
    return refreshed(history, run.checkpoint_root(info), info.checkpoints)


# -- what a metric means


def accuracy_in(metrics: Mapping[str, float]) -> float | None:
    """The accuracy among the metrics of an evaluation; None without one. Other metrics whose names
    contain the word (balanced, top 5, of one of several data sets) are not it."""
    return next((metrics[name] for name in metrics if name.casefold() in ACCURACIES), None)
