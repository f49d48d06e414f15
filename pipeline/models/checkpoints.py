"""Says which checkpoints a run has, their order, and which are the first and the last."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, RunError
from review_embeddings.pipeline.models.forms import form_of, weight_files
from review_embeddings.pipeline.models.weights import stamp_weights
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN, WEIGHTS


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of the model, named by its training step."""

    step: int
    """Global training step; 0 is the model before fine-tuning."""
    source: str
    """Model folder, or the Hub name of a base model."""
    epoch: float | None = None
    """None where the run does not say."""
    loss: float | None = None
    """Training loss last logged up to this step; None where the run does not say."""
    is_base: bool = False
    """The model before fine-tuning given with ``--base``: its head, if any, was made for other
    classes."""

    @property
    def folder(self) -> Path | None:
        """The model folder; None for a Hub name."""
        path = Path(self.source)
        return path if path.is_dir() else None


@dataclass(frozen=True)
class SkippedCheckpoint:
    """A folder that looks like a checkpoint but cannot be used."""

    name: str
    reason: str


@dataclass(frozen=True)
class FoundCheckpoints:
    """Every checkpoint of a run, in the order of training, and the folders that were left out."""

    usable: list[Checkpoint]
    skipped: list[SkippedCheckpoint]

    @property
    def steps(self) -> list[int]:
        return [checkpoint.step for checkpoint in self.usable]

    def by_step(self, step: int) -> Checkpoint:
        return next(checkpoint for checkpoint in self.usable if checkpoint.step == step)


def find_checkpoints(root: Path, base: str | None = None) -> FoundCheckpoints:
    """Find ``checkpoint-<step>`` folders in numeric order, the final model in ``root`` itself, and
    the base model as step 0.

    The final model is left out where a checkpoint has the same weights. Its step is the Trainer's
    last one, or one after the last checkpoint where the Trainer left no record. Raises
    CheckpointError for a base model that cannot be used and where every checkpoint is pickled.
    """
    usable: list[Checkpoint] = []
    skipped: list[SkippedCheckpoint] = []
    for step, folder in _numbered_folders(root):
        problem = form_of(folder).problem(folder)
        if problem is None:
            epoch, loss = _training_state(folder, step)
            usable.append(Checkpoint(step, str(folder), epoch, loss))
        else:
            skipped.append(SkippedCheckpoint(folder.name, problem))
    if (root / "config.json").is_file() or storage.exists(root / WEIGHTS):
        problem = form_of(root).problem(root)
        if problem is not None:
            skipped.append(SkippedCheckpoint(f"the final model in {root}", problem))
        elif final := _final_model(root, usable):
            usable.append(final)
    if base is not None:
        usable = [_base_model(base), *(checkpoint for checkpoint in usable if checkpoint.step != 0)]
    return FoundCheckpoints(usable, skipped)


def _numbered_folders(root: Path) -> list[tuple[int, Path]]:
    """The folders of checkpoints, in the order of their steps."""
    matches = [
        (re.fullmatch(r"checkpoint-(\d+)", folder.name), folder)
        for folder in root.glob(CHECKPOINT_PATTERN)
    ]
    return sorted((int(match[1]), folder) for match, folder in matches if match and folder.is_dir())


def select(steps: Sequence[int], wanted: Sequence[str]) -> list[int]:
    """Steps named by number, ``first``, ``last`` or a range of these such as ``20-400``, ascending
    and without repetition.

    Raises RunError where there are no checkpoints and CheckpointError for one that is not there.
    """
    if not steps:
        raise RunError(
            "The run has no checkpoints. Name the folder that holds checkpoint-<step> folders with "
            "--run or --checkpoints."
        )
    chosen: set[int] = set()
    for name in wanted:
        inside = _in_range(steps, name)
        if not inside:
            there = ", ".join(map(str, sorted(steps)))
            raise CheckpointError(
                f"There is no checkpoint {name}; there are {there}. Name one, first, last or a "
                f"range such as 0-100."
            )
        chosen |= inside
    return sorted(chosen)


def _in_range(steps: Sequence[int], name: str) -> set[int]:
    """The steps that ``20``, ``first`` or ``20-last`` names; empty where it names none."""
    ends = {"first": min(steps), "last": max(steps)}
    words = name.split("-")
    known = [word for word in words if word in ends or word.isdigit()]
    if len(known) != len(words) or len(words) > 2:
        return set()
    numbers = [ends[word] if word in ends else int(word) for word in words]
    return {step for step in steps if numbers[0] <= step <= numbers[-1]}


def _training_state(folder: Path, step: int) -> tuple[float | None, float | None]:
    """Epoch and last logged training loss at a step, from the Trainer's record in the folder."""
    state = _read_state(folder)
    epoch = state.get("epoch")
    losses = [
        entry["loss"]
        for entry in state.get("log_history", [])
        if "loss" in entry and entry.get("step", 0) <= step
    ]
    return (
        float(epoch) if isinstance(epoch, (int, float)) else None,
        float(losses[-1]) if losses else None,
    )


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _final_model(root: Path, checkpoints: list[Checkpoint]) -> Checkpoint | None:
    """The model in the run's own folder as a checkpoint; None where one of the checkpoints is the
    same model."""
    if _same_weights_as_one_of(root, checkpoints):
        return None
    state = _read_state(root)
    last = checkpoints[-1].step if checkpoints else 0
    recorded = state.get("global_step") or (
        _read_state(Path(checkpoints[-1].source)).get("max_steps") if checkpoints else None
    )
    step = recorded if isinstance(recorded, int) and recorded > last else last + 1
    epoch, loss = _training_state(root, step)
    return Checkpoint(step, str(root), epoch, loss)


def _same_weights_as_one_of(root: Path, checkpoints: list[Checkpoint]) -> bool:
    sizes = [storage.size_of(path) for path in weight_files(root)]
    alike = [
        checkpoint.source
        for checkpoint in reversed(checkpoints)
        if [storage.size_of(path) for path in weight_files(Path(checkpoint.source))] == sizes
    ]
    if not alike:
        return False
    final = stamp_weights(str(root)).sha256
    return any(stamp_weights(source).sha256 == final for source in alike)


def _base_model(base: str) -> Checkpoint:
    path = Path(base)
    if path.is_dir():
        problem = form_of(path).problem(path)
        if problem is not None:
            raise CheckpointError(
                f"The base model {base} cannot be used: {problem}. Name a folder with "
                f"model.safetensors and config.json."
            )
    elif path.is_absolute() or base.startswith((".", "~")):
        raise CheckpointError(
            f"The base model {base} is not there. Give the path of a model folder, or a Hub name."
        )
    return Checkpoint(0, str(path.resolve()) if path.is_dir() else base, epoch=0.0, is_base=True)
