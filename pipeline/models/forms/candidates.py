"""Which entries of a folder are checkpoints by their names, and at which step each was saved."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.forms.kinds import NO_WEIGHTS
from review_embeddings.pipeline.models.forms.pickles import read_pickle
from review_embeddings.pipeline.models.forms.timmfile import read_timm_file
from review_embeddings.pipeline.run.folder import CHECKPOINT_NAME
from review_embeddings.pipeline.text import is_number

BEST_FILE = "model_best.pth.tar"
"""timm's copy of the checkpoint that evaluated best."""

OPTIMIZER = "optimizer.bin"
"""The state of the optimizer as accelerate saves it."""

_WEIGHTS = re.compile(
    r".+\.(safetensors|bin|ckpt|pt)(\.index\.json)?|adapter_config\.json|pytorch_model_fsdp_\d+"
    r"|global_step\d+"
)
"""Names of weights and of what stands for them."""


@dataclass(frozen=True)
class Candidate:
    """A folder or file that is called like a checkpoint."""

    path: Path
    step: int | None
    """None where nothing says it."""
    epoch: float | None = None
    """Epochs that were trained, where the name counts these."""
    loss: float | None = None
    problem: str | None = None
    """Why it is none."""


def candidates_in(root: Path) -> list[Candidate]:
    """Everything in a folder that is called like a checkpoint, in the order of the steps; each step
    once, those that have a problem last."""
    found = [_candidate(path) for path in _named(root)]
    found = _with_steps(found)
    found.sort(key=lambda one: (one.step is None, one.step or 0, _rank(one)))
    steps: dict[int, str] = {}
    unique = []
    for one in found:
        if one.problem is None and one.step is not None:
            if one.step in steps and _is_copy(one):
                continue
            first = steps.setdefault(one.step, one.path.name)
            if first != one.path.name:
                reason = f"step {one.step} is {first} already"
                one = Candidate(one.path, one.step, problem=reason)
        unique.append(one)
    return unique


def best_in(root: Path) -> int | None:
    """The step of the checkpoint that timm calls the best; None where it has named none."""
    best = root / BEST_FILE
    if not best.is_file():
        return None
    return _candidate(best).step


def own_candidate(folder: Path) -> Candidate | None:
    """A folder that is a checkpoint of accelerate itself; None for any other one, and where a
    Trainer says the step."""
    match = CHECKPOINT_NAME.fullmatch(folder.name)
    if match is None or match[1] is None or (folder / "trainer_state.json").is_file():
        return None
    return _with_steps([_candidate(folder)])[0]


def weights_below(root: Path) -> list[Path]:
    """The files of weights and of adapters in a folder and its checkpoints, in whatever form: they
    change when one is added or replaced. Those of the folder itself count with it."""
    folders = [root, *(path for path in _named(root) if path.is_dir())]
    files = [path for path in _named(root) if path.is_file()]
    for folder in folders:
        names = (path for path in _children(folder) if _WEIGHTS.fullmatch(path.name))
        files.extend(path for path in names if not NO_WEIGHTS.fullmatch(path.name))
    return sorted(files)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:  # replaced at this moment
        raise_unavailable(error, folder)
        return []


def _named(root: Path) -> list[Path]:
    return sorted(child for child in _children(root) if CHECKPOINT_NAME.fullmatch(child.name))


def _rank(candidate: Candidate) -> tuple[bool, str]:
    """Which of two names of one step comes first: the one with the step in it."""
    return _is_copy(candidate) or candidate.epoch is not None, candidate.path.name


def _is_copy(candidate: Candidate) -> bool:
    """Whether it is timm's further copy of a checkpoint that may be there under its epoch."""
    return candidate.path.name in {BEST_FILE, "last.pth.tar"}


def _candidate(path: Path) -> Candidate:
    match = CHECKPOINT_NAME.fullmatch(path.name)
    assert match is not None
    unit, number = match[1], match[2]
    problem = _problem_with_entry(path, folder=unit is not None)
    if problem is not None:
        return Candidate(path, int(number) if number else None, problem=problem)
    if unit is None:
        return _timm_candidate(path)
    if unit == "epoch_":
        return Candidate(path, None, epoch=float(number) + 1)
    return Candidate(path, int(number))


def _problem_with_entry(path: Path, *, folder: bool) -> str | None:
    """Why an entry cannot be opened as a folder, or as a file."""
    try:
        path.stat()
    except OSError as error:
        if path.is_symlink():
            loop = error.errno == errno.ELOOP
            return (
                "it is a link that leads to itself" if loop else "it is a link that leads nowhere"
            )
        return f"it cannot be read: {reason_of(error)}"
    if folder and not path.is_dir():
        return "it is a file and not the folder of a checkpoint"
    if not folder and not path.is_file():
        return "it is a folder and not a file of weights"
    return None


def _timm_candidate(path: Path) -> Candidate:
    try:
        content = read_timm_file(path)
    except CheckpointError as error:
        number = path.name.removeprefix("checkpoint-").partition(".")[0]
        return Candidate(path, int(number) if is_number(number) else None, problem=str(error))
    return Candidate(path, content.epoch, epoch=content.epoch + 1.0, loss=content.loss)


# -- the steps of epochs


def _with_steps(found: list[Candidate]) -> list[Candidate]:
    """Epochs at the steps that their optimizers have counted, or where none has, at their
    numbers."""
    epochs = [one for one in found if one.step is None and one.epoch and one.problem is None]
    if not epochs:
        return found
    known = {one.path: _optimizer_steps(one.path) for one in epochs}
    lengths = [steps / float(one.epoch or 1) for one in epochs if (steps := known[one.path])]
    beside = any(one.step is not None and one.problem is None for one in found)
    return [
        _with_step(one, known[one.path], lengths, beside=beside) if one.path in known else one
        for one in found
    ]


def _with_step(
    one: Candidate, steps: int | None, lengths: list[float], *, beside: bool
) -> Candidate:
    epoch = float(one.epoch or 1)
    if steps is None and lengths:
        steps = round(epoch * lengths[-1])
    if steps is None and beside:
        reason = (
            f"its step is not known ({OPTIMIZER} does not count), and others beside it have one"
        )
        return Candidate(one.path, None, problem=reason)
    return Candidate(one.path, int(epoch) - 1 if steps is None else steps, epoch)


def _optimizer_steps(folder: Path) -> int | None:
    """How often an optimizer has stepped; None where it does not count (SGD) or cannot be read."""
    file = folder / OPTIMIZER
    if not file.is_file():
        return None
    try:
        return _most_steps(read_pickle(file, folder.name, mapped=True))
    except (CheckpointError, TypeError, ValueError):
        return None


def _most_steps(content: Any) -> int | None:
    states = content.get("state") if isinstance(content, dict) else None
    counts = [
        int(state["step"])
        for state in (states.values() if isinstance(states, dict) else ())
        if isinstance(state, dict) and "step" in state
    ]
    return max(counts, default=0) or None
