"""What a run is made from: what its folder says, changed by what was asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, RunError, SettingsError
from review_embeddings.pipeline.models.checkpoints import (
    Checkpoint,
    FoundCheckpoints,
    SkippedCheckpoint,
    find_checkpoints,
)
from review_embeddings.pipeline.models.final import StoredWeights
from review_embeddings.pipeline.models.forms.trainings import (
    instead_of_file,
    trainings_in,
    what_lies_in,
)
from review_embeddings.pipeline.models.preprocessing import processor_file, settings_problem
from review_embeddings.pipeline.models.trainerstate import refreshed
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.folder import RunFolder, is_run, reference_to
from review_embeddings.pipeline.run.history import read_history
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import (
    AUTO,
    NOTHING,
    DatasetReference,
    Request,
    Settings,
)

WITH_WEIGHTS = ("against", "pooling", "precision", "processor")
"""Settings that need the weights of a model."""

OF_THE_IMAGES = ("source", "config", "revision", "split", "image_column", "limit")
"""What says which images there are: other ones would have to be embedded."""


def resolve_info(run: RunFolder, request: Request) -> RunInfo:
    """What the run folder says, changed by what was asked for. Raises RunError."""
    if (instead := instead_of_file(run.path, "--run")) is not None:
        raise RunError(instead)
    known = run.read_info()
    source = request.dataset.get("source")
    if known is None and source is None:
        raise RunError(_not_known(run, request))
    info = known or RunInfo(dataset=DatasetReference(source=""))
    info = _with_dataset(run, info, request.dataset)
    base = info.base if request.base is None else local_reference(run, request.base)
    return replace(
        info,
        settings=_changed_settings(run, info.settings, request.settings),
        base=base,
        checkpoints=_checkpoints_folder(run, info, request),
    )


def _not_known(run: RunFolder, request: Request) -> str:
    if not is_run(run.path) and not request.checkpoints:
        return what_lies_in(run.path) or (
            f"{run} is no run: it has neither run.json nor checkpoint-<step> folders. "
            f"Name a Trainer's output folder with --run, or try: {command_line('demo')}"
        )
    return (
        f"{run} was not reviewed before, so its data set is not known. "
        "Name it with --dataset (a Hub name, a folder of images, a .parquet file) and, where it "
        "has several, --split."
    )


def _with_dataset(run: RunFolder, info: RunInfo, dataset: Mapping[str, Any]) -> RunInfo:
    """With another data set nothing of the old one applies; a limit of 0 takes a limit away."""
    changes = {key: value for key, value in dataset.items() if value is not None}
    if "source" in changes:
        changes["source"] = local_reference(run, changes["source"])
        if changes["source"] != info.dataset.source:
            info = info.with_source(changes["source"])
    if changes.get("limit") == 0:
        changes["limit"] = None
    if changes.get("class_names") == []:
        changes["class_names"] = None
    return replace(info, dataset=replace(info.dataset, **changes))


def _changed_settings(run: RunFolder, settings: Settings, asked: Mapping[str, Any]) -> Settings:
    changes = {key: value for key, value in asked.items() if value is not None}
    if changes.get("processor") is not None:
        changes["processor"] = local_reference(run, changes["processor"])
    if changes.get("against") == NOTHING:
        changes["against"] = None
    return replace(settings, **changes)


def _checkpoints_folder(run: RunFolder, info: RunInfo, request: Request) -> str:
    if request.checkpoints is None:
        return info.checkpoints
    path = storage.opened(request.checkpoints)
    if not path.is_dir():
        raise RunError(
            instead_of_file(path, "--checkpoints")
            or f"The folder of checkpoints {request.checkpoints} is not there. Name one that holds "
            "checkpoint-<step> folders."
        )
    return reference_to(path, run)


def local_reference(run: RunFolder, name: str) -> str | None:
    """A path as run.json keeps it; a Hub name as it is; None for what is cleared."""
    if name == NOTHING:
        return None
    path = Path(name).expanduser()
    return reference_to(path, run) if path.exists() else name


def resolved(run: RunFolder, name: str) -> str:
    """The other way round: a path that can be opened from here, or a Hub name."""
    inside = run.path / name
    return str(inside) if inside.exists() else name


# -- checkpoints


def checkpoints_of(
    run: RunFolder, info: RunInfo, request: Request, progress: Progress
) -> FoundCheckpoints:
    """The checkpoints whose weights are there. Raises RunError and CheckpointError where the run
    has neither these nor embeddings."""
    if info.recorded:
        return _recorded_checkpoints(run, info)
    root = run.checkpoint_root(info)
    storage.renew(root)  # a training may have put new ones into a store
    history = refreshed(read_history(run), root, info.checkpoints)
    found = find_checkpoints(
        root, _base_model(run, info), history=history, stored=_stored_weights(run)
    )
    if info.settings.processor is None:
        found = _with_processors(found)
    only_base = all(checkpoint.is_base for checkpoint in found.usable)
    if request.checkpoints is not None and only_base and not found.skipped:
        raise RunError(
            _named_by_checkpoints(what_lies_in(root))
            or f"{storage.address_of(root)} holds no checkpoints. Name a folder with "
            "checkpoint-<step> folders or a model with --checkpoints."
        )
    for skipped in found.skipped:
        progress.note(f"Left out {skipped.name}: {skipped.reason}")
    for note in found.notes:
        progress.note(note)
    if not found.usable and not embedded_steps(run, info, found):
        _raise_nothing(run, root, found.skipped)
    return found


def _named_by_checkpoints(answer: str | None) -> str | None:
    """An answer to ``--run`` as one to ``--checkpoints``."""
    return answer and answer.replace("with --run ", "with --checkpoints ")


def _with_processors(found: FoundCheckpoints) -> FoundCheckpoints:
    """Without the checkpoints whose own image processor has settings that cannot be read."""
    problems = {one.step: _processor_problem(one) for one in found.usable if not one.is_base}
    skipped = [
        SkippedCheckpoint(Path(one.source).name, f"{problem}. --processor takes another model's")
        for one in found.usable
        if (problem := problems.get(one.step))
    ]
    usable = [one for one in found.usable if not problems.get(one.step)]
    return replace(found, usable=usable, skipped=[*found.skipped, *skipped])


def _processor_problem(checkpoint: Checkpoint) -> str | None:
    file = processor_file(Path(checkpoint.source))
    return None if file is None else settings_problem(file)


def without_weights(run: RunFolder, what: str) -> str:
    """The sentence for what cannot be had of a run that a `Recorder` made."""
    return f"{what} needs the weights of a model, and run {run} has none: it was recorded."


def check_recorded(run: RunFolder, info: RunInfo, request: Request) -> None:
    """Raise SettingsError where something is asked of a recorded run that needs weights."""
    known = run.read_info()
    if not info.recorded or known is None:
        return
    asked = {
        **{name: request.settings.get(name) for name in WITH_WEIGHTS},
        "checkpoints": request.checkpoints,
        "base": request.base,
    }
    named = [name for name, value in asked.items() if value not in {None, NOTHING, AUTO}]
    named += [
        "dataset" if name == "source" else name.replace("_", "-")
        for name in OF_THE_IMAGES
        if getattr(known.dataset, name) != getattr(info.dataset, name)
    ]
    if named:
        option = f"--{named[0]}"
        raise SettingsError(f"{without_weights(run, option)} Leave it out.")


def _recorded_checkpoints(run: RunFolder, info: RunInfo) -> FoundCheckpoints:
    """None at all: what is trained beside the recording is not embedded in another way."""
    found = FoundCheckpoints([], [], history=read_history(run))
    if not embedded_steps(run, info, found):
        raise RunError(
            f"Run {run} is empty: nothing was recorded yet. Recorder.record adds a checkpoint to "
            "it."
        )
    return found


def _base_model(run: RunFolder, info: RunInfo) -> str | None:
    base = None if info.base is None else resolved(run, info.base)
    embedded = run.result_metadata("embeddings", 0)
    gone = base is not None and not Path(base).exists()
    if gone and embedded is not None and embedded.get("base") == info.base:
        return None  # the run was copied without it; what was computed from it is still there
    return base


def _raise_nothing(run: RunFolder, root: Path, skipped: Iterable[SkippedCheckpoint]) -> None:
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in itertools.islice(skipped, 3))
    if reasons:
        below = trainings_in(root)
        raise CheckpointError(
            f"No checkpoint of {run.path} can be used. {reasons}{f'. {below}' if below else ''}"
        )
    raise RunError(
        what_lies_in(root)
        or f"Run {run} is empty: there is no checkpoint-<step> folder with model.safetensors in "
        "it. Name the Trainer's output folder with --run or --checkpoints."
    )


def _stored_weights(run: RunFolder) -> dict[int, StoredWeights]:
    """The weights of the embeddings that the run has, by step."""
    found = {}
    for step in run.steps_with("embeddings"):
        metadata = run.result_metadata("embeddings", step) or {}
        key, files = metadata.get("key"), metadata.get("weight_files")
        weights = key.get("weights") if isinstance(key, dict) else None
        if isinstance(weights, str) and isinstance(files, list):
            known = metadata.get("step_known")
            found[step] = StoredWeights(weights, files, known if type(known) is bool else None)
    return found


def embedded_steps(run: RunFolder, info: RunInfo, found: FoundCheckpoints) -> list[int]:
    """Steps with embeddings, but for those of a base model that is not the run's any more, and of
    the final model at a step that was a guess."""
    steps = [step for step in run.steps_with("embeddings") if step not in found.history.guessed]
    bases = {step: (run.result_metadata("embeddings", step) or {}).get("base") for step in steps}
    return [step for step in steps if bases[step] in {None, info.base}]
