"""Puts the final model of a training, the best or the last, into the run's own folder, and says
whether it is there. Whatever was interrupted: a training is finished when its final model is what
its last full state says."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from pathlib import Path

from review_embeddings.pipeline.models.trainerstate import TRAINER_STATE, read_state
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import (
    ADAPTER_WEIGHTS,
    CHECKPOINT_PATTERN,
    MODEL_FILES,
    RunFolder,
)
from review_embeddings.pipeline.run.inside import remove_file, remove_tree
from review_embeddings.pipeline.training.resume import (
    TrainingState,
    newest_state,
    planned_steps,
)

NOT_OF_THE_MODEL = re.compile(
    r"trainer_state\.json|unlogged_loss\.json|(optimizer|scheduler|scaler)\b.*|rng_state.*"
)
"""Files of a full state, or of a checkpoint, that are the training's."""

WRITING = ".writing"
"""Folder beside the full states where the next one is written."""

UNLOGGED = "unlogged_loss.json"
"""Beside a full state: the sum of the losses that no row of the log has yet, and of how many
steps."""

COMPARED = (".json", ".safetensors")
"""Endings of the files that make the model; others, such as a model card, people may change."""

WEIGHT_NAMES = (*MODEL_FILES, ADAPTER_WEIGHTS)
"""What makes a folder one with a model: goes first and comes last, so that no folder ever holds the
configuration of one model with the weights of another."""


def best_step(state: TrainingState) -> int | None:
    """The step that evaluated best up to a full state, where the training looked for it."""
    record = read_state(state.folder / TRAINER_STATE)
    return None if record is None else record.best_step


def is_finished(run: RunFolder) -> bool:
    """Whether a training was made here and its last model is in the run folder."""
    state = newest_state(run)
    if state is None or state.step != planned_steps(run):
        return False
    return is_final_in_place(run, state, None)


def is_final_in_place(run: RunFolder, state: TrainingState, best: int | None) -> bool:
    """Whether the final model, that of ``best`` or of the last full state, is in the run folder."""
    files = _model_files(_source(run, state, best))
    compared = [file for file in files if file.suffix in COMPARED]
    is_recorded = (run.path / TRAINER_STATE).is_file()
    return is_recorded and all(_is_same(file, run.path / file.name) for file in compared)


def put_final(run: RunFolder, state: TrainingState, best: int | None) -> None:
    """Put the final model where ``from_pretrained`` finds it, and the Trainer's record of all steps
    beside it. Raises StorageError."""
    files = _model_files(_source(run, state, best))
    weights = [file for file in files if _holds_weights(file.name)]
    for file in weights:
        if not _is_same(file, run.path / file.name):
            remove_file(run.path / file.name)
    rest = [file for file in files if file not in weights]
    remove_tree(state.folder.with_name(WRITING))  # of a kill
    for file in (*rest, state.folder / TRAINER_STATE, *sorted(weights, key=_is_last)):
        if not _is_same(file, run.path / file.name):
            _link_or_copy(file, run.path / file.name)


def remove_older_states(state: Path) -> None:
    """Delete the full states of ours beside the one that counts, as far as that can be done."""
    for other in state.parent.glob(CHECKPOINT_PATTERN):
        if other != state and (other / UNLOGGED).is_file() and not other.is_symlink():
            remove_tree(other)


def _source(run: RunFolder, state: TrainingState, best: int | None) -> Path:
    """The folder that holds the final model: a checkpoint where it was kept, else the state."""
    kept = run.checkpoint(state.step if best is None else best)
    return kept if kept.is_dir() else state.folder


def _model_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.is_file() and not NOT_OF_THE_MODEL.fullmatch(file.name)
    )


def _holds_weights(name: str) -> bool:
    return name in WEIGHT_NAMES or name.endswith((".safetensors", ".bin"))


def _is_last(file: Path) -> bool:
    """Whether it names the other files of the weights."""
    return file.name in MODEL_FILES


def _is_same(file: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    return file.samefile(target) or filecmp.cmp(file, target, shallow=False)


def _link_or_copy(file: Path, target: Path) -> None:
    with whole_file(target) as temporary:
        try:
            os.link(file, temporary)
        except OSError:  # another file system, or one without links
            shutil.copyfile(file, temporary)
