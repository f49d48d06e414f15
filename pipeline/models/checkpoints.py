"""Says which checkpoints a run has, their order, and which are the first and the last."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from review_embeddings.pipeline.errors import CheckpointError, RunError
from review_embeddings.pipeline.models.adapters.hub import REVISION_MARK
from review_embeddings.pipeline.models.final import (
    StoredWeights,
    final_model,
    still_guessed,
)
from review_embeddings.pipeline.models.form import Form
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.trainerstate import refreshed
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN
from review_embeddings.pipeline.run.history import TrainingHistory

BEST = "best"
"""Names the checkpoint that evaluated best."""


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
    step_known: bool = True
    """False for a final model of which nothing says at which step it was saved: it stands one after
    the last checkpoint."""

    adapts: str | None = None
    """The base model of an adapter, a folder or a Hub name; None for a whole model."""

    borrows_head: bool = False
    """Whether an adapter has no head of its own but that of its base model, if any."""

    @property
    def has_own_head(self) -> bool:
        """Whether its head, if any, was trained in this run, so that it has to fit the data set."""
        return not (self.is_base or self.borrows_head)

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
    notes: list[str] = field(default_factory=list)
    """What people should know about those that are used."""
    history: TrainingHistory = field(default_factory=TrainingHistory)
    """What is known of the training."""

    @property
    def steps(self) -> list[int]:
        return [checkpoint.step for checkpoint in self.usable]

    def by_step(self, step: int) -> Checkpoint:
        return next(checkpoint for checkpoint in self.usable if checkpoint.step == step)


def find_checkpoints(
    root: Path,
    base: str | None = None,
    *,
    history: TrainingHistory | None = None,
    stored: Mapping[int, StoredWeights] | None = None,
) -> FoundCheckpoints:
    """Find ``checkpoint-<step>`` folders in numeric order, the final model in ``root`` itself, and
    the base model as step 0.

    The final model is left out where a checkpoint is the same model, and where it is a mixture of
    two; otherwise it stands at the step at which it was saved, or one after the last checkpoint
    where that is not known (`final_model`). ``history`` is what the run knows of its training and
    ``stored`` the weights of its embeddings. Raises CheckpointError for a base model that cannot
    be used.
    """
    history = refreshed(TrainingHistory(), root, "") if history is None else history
    usable: list[Checkpoint] = []
    skipped: list[SkippedCheckpoint] = []
    for step, folder in _numbered_folders(root):
        form = form_of(folder, base)
        problem = form.problem(folder)
        if problem is None:
            record = history.at(step)
            one = Checkpoint(step, str(folder), record.epoch, record.loss)
            usable.append(_with_form(one, form))
        else:
            skipped.append(SkippedCheckpoint(folder.name, problem))
    found = FoundCheckpoints(usable, skipped, history=history)
    if form_of(root, base).matches(root):
        found = _with_final(found, root, base, stored or {})
    else:
        kept = still_guessed(history, stored or {})
        found = replace(found, history=replace(history, guessed=kept))
    if base is None and 0 not in found.steps:
        base = _base_of_adapters(found.usable)
    if base is not None:
        others = [checkpoint for checkpoint in found.usable if checkpoint.step != 0]
        found = replace(found, usable=[_base_model(base), *others])
    return found


def _with_final(
    found: FoundCheckpoints, root: Path, base: str | None, stored: Mapping[int, StoredWeights]
) -> FoundCheckpoints:
    """With the model in the run's own folder, unless it is left out."""
    name = f"the final model in {root}"
    form = form_of(root, base)
    problem = form.problem(root)
    if problem is not None:
        return replace(found, skipped=[*found.skipped, SkippedCheckpoint(name, problem)])
    sources = {checkpoint.step: checkpoint.source for checkpoint in found.usable}
    final = final_model(root, sources, found.history, stored)
    history = replace(found.history, final=final.comparison, guessed=sorted(final.guessed))
    usable, skipped, notes = found.usable, found.skipped, found.notes
    if final.step is not None:
        record = final.record
        history = history.with_record(final.step, record)
        one = Checkpoint(final.step, str(root), record.epoch, record.loss, False, record.step_known)
        usable = sorted([*usable, _with_form(one, form)], key=lambda checkpoint: checkpoint.step)
        if not record.step_known:
            notes = [*notes, _about_unknown(name, final.step)]
    if final.reason:
        skipped = [*skipped, SkippedCheckpoint(name, final.reason)]
    return FoundCheckpoints(usable, skipped, notes, history)


def _about_unknown(name: str, step: int) -> str:
    return (
        f"T{name[1:]} is none of its checkpoints, and nothing says at which step it was "
        f"saved: it stands last as {step} (final, step not known)"
    )


def _numbered_folders(root: Path) -> list[tuple[int, Path]]:
    """The folders of checkpoints, in the order of their steps."""
    matches = [
        (re.fullmatch(r"checkpoint-(\d+)", folder.name), folder)
        for folder in root.glob(CHECKPOINT_PATTERN)
    ]
    return sorted((int(match[1]), folder) for match, folder in matches if match and folder.is_dir())


def select(steps: Sequence[int], wanted: Sequence[str], *, best: int | None = None) -> list[int]:
    """Steps named by number, ``first``, ``last``, ``best`` or a range of these such as ``20-400``,
    ascending and without repetition.

    ``best`` is the step of the checkpoint that evaluated best. Raises RunError where there are no
    checkpoints and CheckpointError for one that is not there or not known.
    """
    if not steps:
        raise RunError(
            "The run has no checkpoints. Name the folder that holds checkpoint-<step> folders with "
            "--run or --checkpoints."
        )
    named = {"first": min(steps), "last": max(steps)}
    if best is not None:
        named[BEST] = best
    chosen: set[int] = set()
    for name in wanted:
        inside = _in_range(steps, name, named)
        if not inside:
            raise CheckpointError(_not_there(steps, name, best))
        chosen |= inside
    return sorted(chosen)


def _not_there(steps: Sequence[int], name: str, best: int | None) -> str:
    there = ", ".join(map(str, sorted(steps)))
    if BEST in name.split("-") and best is None:
        return (
            f"Which checkpoint is the best is not known: no trainer_state.json of this run names "
            f"one. Name a step, first or last; there are {there}."
        )
    which = f"{name} (step {best})" if name == BEST else name
    return (
        f"There is no checkpoint {which}; there are {there}. Name one, first, last, best or a "
        f"range such as 0-100."
    )


def _in_range(steps: Sequence[int], name: str, named: Mapping[str, int]) -> set[int]:
    """The steps that ``20``, ``first`` or ``20-last`` names; empty where it names none."""
    words = name.split("-")
    known = [word for word in words if word in named or word.isdecimal()]
    if len(known) != len(words) or len(words) > 2:
        return set()
    numbers = [named[word] if word in named else int(word) for word in words]
    return {step for step in steps if numbers[0] <= step <= numbers[-1]}


def _with_form(checkpoint: Checkpoint, form: Form) -> Checkpoint:
    """The checkpoint with what its form says of its base model and its head."""
    path = Path(checkpoint.source)
    return replace(checkpoint, adapts=form.base_model(path), borrows_head=not form.saves_head(path))


def _base_of_adapters(checkpoints: list[Checkpoint]) -> str | None:
    """The model before the training of the first adapter; None where there is no adapter, or only a
    revision of the Hub that is not its newest."""
    base = next((one.adapts for one in checkpoints if one.adapts is not None), None)
    return None if base is None or (REVISION_MARK in base and not Path(base).exists()) else base


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
