"""Owns ``training.json``: the options that a run was made with, and which others may resume it.

Writes ``run.json`` beside it, so that the run can be reviewed while it is trained, and finds the
state that a training resumes from. Knows no model and no data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.dataset import RULES
from review_embeddings.pipeline.images.sources import FIRST_RULES
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.files import (
    check_files,
    read_record,
    storage_errors,
    write_json,
)
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN, RunFolder, is_run
from review_embeddings.pipeline.run.info import package_versions
from review_embeddings.pipeline.run.records import FORMAT, as_json, unknown_keys
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.resolve import resolve_info
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.training.options import RESUMABLE_CHANGES, FineTuning
from review_embeddings.pipeline.training.plan import Schedule

TRAINING_FORMAT = 1
"""Raised when an older version could no longer read ``training.json``."""

NEW_RUN = "Name a new folder with --run"

REQUIRED = {"model": "model to start from", "dataset": "data set"}
"""Options without a default."""

OPTIONS = {"arguments": "--set", "class_names": "--classes"}
"""Options whose names are not those of their fields."""

EXCLUSIVE = ({"frames", "save_steps"}, {"epochs", "steps"})
"""Options of which only one may be given."""

DEFAULTS = {entry.name: entry.default for entry in fields(FineTuning)}
"""What an option is that is left out."""


@dataclass(frozen=True)
class TrainingFile:
    """The contents of ``training.json``."""

    request: FineTuning
    steps: int = 0
    """Optimizer steps in all."""
    frames: list[int] = field(default_factory=list)
    """Steps of the checkpoints."""
    classes: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""


@dataclass(frozen=True)
class TrainingState:
    """A full state of a training, from which it can be resumed."""

    folder: Path
    step: int


def newest_state(run: RunFolder) -> TrainingState | None:
    """The full state of the training in the run folder; None where there is none."""
    states = [
        TrainingState(folder, int(folder.name.rpartition("-")[2]))
        for folder in run.resume.glob(CHECKPOINT_PATTERN)
        if (folder / "trainer_state.json").is_file()
    ]
    return max(states, key=lambda state: state.step, default=None)


def check_state(run: RunFolder, state: TrainingState) -> None:
    """Raise DamagedError where a file of a full state is not as it was written."""
    cure = f"Delete {run.resume}; the same command trains from the start."
    check_files(state.folder, cure)


def resolve_options(run: RunFolder, options: Mapping[str, Any], *, resume: bool) -> FineTuning:
    """What is to be made, given what the run folder holds already.

    ``options`` holds fields of `FineTuning`. Raises SettingsError for options that exclude each
    other, and RunError or SettingsError where the run holds something else.
    """
    for pair in EXCLUSIVE:
        if pair <= options.keys():
            first, second = sorted(map(_option, pair))
            raise SettingsError(f"{first} and {second} exclude each other. Give one of them.")
    options = {
        name: _absolute(value) if name in REQUIRED else value for name, value in options.items()
    }
    stored = read_options(run)
    if stored is None:
        _check_new(run, options, resume=resume)
        return FineTuning(**options, reading=RULES)
    options = {**options, "reading": stored.reading}
    if resume:
        request = _with_changes(stored, options)
    else:
        request = FineTuning(**{"model": stored.model, "dataset": stored.dataset, **options})
    _check_compatible(run, stored, request, resume=resume)
    return request


def read_options(run: RunFolder) -> FineTuning | None:
    """The options that a run was made with; None where no fine-tuning was begun here."""
    if not run.training.is_file():
        return None
    request = _read_file(run).request
    return replace(request, reading=request.reading or FIRST_RULES)


def planned_steps(run: RunFolder) -> int | None:
    """Optimizer steps that were asked for; None where no fine-tuning was begun here."""
    return _read_file(run).steps if run.training.is_file() else None


def trained_classes(run: RunFolder) -> list[str]:
    """The class of each output of the models that a fine-tuning made here; empty where none was
    begun."""
    return _read_file(run).classes if run.training.is_file() else []


def _read_file(run: RunFolder) -> TrainingFile:
    return read_record(
        run.training,
        TrainingFile,
        cure=f"{NEW_RUN}.",
        known_format=TRAINING_FORMAT,
        shared=True,
    )


def write_records(
    run: RunFolder,
    request: FineTuning,
    review: Request,
    schedule: Schedule,
    classes: list[str],
    progress: Progress,
) -> None:
    """Write ``training.json`` for going on, then ``run.json`` for the review: a folder with the
    second alone would be another run."""
    info = resolve_info(run, review)
    with run.lock(wait=True):
        unknown = _read_file(run).unknown if run.training.is_file() else {}
        file = TrainingFile(
            request, schedule.total, schedule.frames, classes, package_versions(), unknown
        )
        write_json(run.training, {FORMAT: TRAINING_FORMAT, **as_json(file)})
    with storage_errors(run.path), ExitStack() as stack:
        session = BuildSession(run, review, progress, stack, wait=True)
        session.write_info(info)


def _absolute(name: str | None) -> str | None:
    path = Path(name).expanduser() if name else None
    return str(path.resolve()) if path is not None and path.exists() else name


def _check_new(run: RunFolder, options: Mapping[str, Any], *, resume: bool) -> None:
    """Raise ReviewError where no fine-tuning can be begun."""
    if resume:
        raise RunError(
            f"{run} holds no fine-tuning that could go on (no training.json). Leave --resume out "
            f"to begin one."
        )
    if is_run(run.path):
        raise RunError(f"{run} holds another run, which would be written over. {NEW_RUN}.")
    for name, noun in REQUIRED.items():
        if not options.get(name):
            raise SettingsError(f"There is no --{name}. Name the {noun}.")


def check_new_folder(run: RunFolder, request: FineTuning) -> None:
    """Raise SettingsError where a new run would lie in its data set, or among other things."""
    named = [Path(name) for name in (request.model, request.dataset) if name]
    given = [path.resolve() for path in named if path.exists()]
    where = run.path.resolve()
    if request.dataset and Path(request.dataset).resolve() in {where, *where.parents}:
        raise SettingsError(
            f"--run {run} lies in the data set, which is never changed. {NEW_RUN} elsewhere."
        )
    found = sorted(where.iterdir()) if where.is_dir() else []
    others = [
        one.name
        for one in found
        if not one.name.startswith(".") and not any(path.is_relative_to(one) for path in given)
    ]
    if others:
        raise SettingsError(
            f"--run {run} holds other things already ({others[0]}), beside which no run is made. "
            f"{NEW_RUN}."
        )


def _with_changes(stored: FineTuning, options: Mapping[str, Any]) -> FineTuning:
    """The stored options with those that are given now; of two that exclude each other the one
    given now counts."""
    for pair in EXCLUSIVE:
        if pair & options.keys():
            options = {**{name: DEFAULTS[name] for name in pair}, **options}
    return replace(stored, **options)


def _check_compatible(
    run: RunFolder, stored: FineTuning, request: FineTuning, *, resume: bool
) -> None:
    """Raise SettingsError where the run holds a fine-tuning with other options."""
    for name in (entry.name for entry in fields(FineTuning)):
        before, now = getattr(stored, name), getattr(request, name)
        if before == now or name == "device" or (resume and name in RESUMABLE_CHANGES):
            continue
        option = _option(name)
        other_way = f"--resume without {option} goes on with that one; --run names a new folder"
        raise SettingsError(
            f"{run} holds a fine-tuning with another {option}: {_shown(before)}, not "
            f"{_shown(now)}. {NEW_RUN if resume else other_way}."
        )


def _option(name: str) -> str:
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")


def _shown(value: Any) -> str:
    """The value of an option that may have been left out."""
    return "left out" if value in (None, {}, ()) else str(value)
