"""Trains a run's settings again, on another list of rows and labels and with other seeds, by the
same code as `finetune`, and reads what the models say of the evaluation split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import remove_tree
from review_embeddings.pipeline.training.arguments import parse_values
from review_embeddings.pipeline.training.data import Splits
from review_embeddings.pipeline.training.finetune import FineTuned, finetune
from review_embeddings.pipeline.training.options import Batch, FineTuning
from review_embeddings.pipeline.training.plan import Schedule
from review_embeddings.pipeline.training.resume import read_options, trained_classes
from review_embeddings.pipeline.training.setup import Speed, measure, set_up

OF_EVALUATION = {"eval_strategy", "eval_steps", "eval_delay", "eval_on_start"}
"""Arguments of the Trainer that say when it evaluates: here that is after the last step."""

ENDS = 2
"""Checkpoints of a training: before it and after."""


@dataclass(frozen=True)
class Evaluated:
    """What the final model of a training says of the evaluation split."""

    ids: NDArray[np.int64]
    """Shape (N,): row of the split, ascending."""
    hashes: list[str]
    labels: list[str]
    """The given class of each image; empty for none."""
    predictions: list[str]
    """The class that the model gives each image."""


def settings_of(run: RunFolder) -> FineTuning:
    """How a run was trained. Raises RunError where nothing here can train it again."""
    stored = read_options(run)
    if stored is None:
        raise RunError(
            f"{run} was not made by finetune, so its training cannot be "
            f"repeated from here. Write the cleaned data set with "
            f"`{command_line('apply', '--run', run, '--out', 'DIR')}`, train on both with your own "
            f"program and three seeds or more each, and compare them on the test split as it was."
        )
    return stored


def arm_settings(stored: FineTuning, eval_split: str, device: str | None) -> FineTuning:
    """The same training, but for what is kept and embedded of it: the evaluation split, before and
    after. Where the best checkpoint counts, all are made as they were."""
    arguments = {
        name: value for name, value in stored.arguments.items() if name not in OF_EVALUATION
    }
    same = replace(
        stored,
        arguments=arguments,
        eval_split=eval_split,
        split=eval_split,
        probe=None,
        embed=True,
        keep="last",
        trained_on=None,
        device=device or stored.device,
    )
    if stored.load_best:
        return same
    return replace(same, frames=ENDS, save_steps=None, spacing="even")


def as_options(settings: FineTuning) -> dict[str, Any]:
    """The options that differ from their defaults, as `finetune` takes them."""
    defaults = {entry.name: entry.default for entry in fields(FineTuning)}
    values = {entry.name: getattr(settings, entry.name) for entry in fields(FineTuning)}
    del values["reading"]
    return {name: value for name, value in values.items() if value != defaults[name]}


def train(
    run: RunFolder,
    settings: FineTuning,
    *,
    progress: Progress,
    stop: Callable[[], bool],
) -> FineTuned:
    """Make a training, or go on with it. Raises ReviewError."""
    return finetune(run, as_options(settings), progress=progress, stop=stop)


def final_step(tuned: FineTuned, settings: FineTuning) -> int:
    """The step of the final model."""
    best = tuned.best_step if settings.load_best else None
    return tuned.total if best is None else best


def forget_state(run: RunFolder) -> None:
    """Delete the optimizer's state of a training that is finished: it goes on no more."""
    remove_tree(run.resume)


def measured(run: RunFolder, settings: FineTuning, splits: Splits) -> tuple[Speed, Schedule]:
    """How long a step and an image of the evaluation take, from steps made now, and the steps and
    checkpoints of a training; nothing is kept. Raises ReviewError."""
    values = parse_values(settings.arguments)
    batch = Batch.of(settings, values)
    setup = set_up(run, settings, values, batch, splits, SILENT)
    return measure(setup), setup.schedule


def evaluated(run: RunFolder, step: int) -> Evaluated:
    """Read what the model of a step says of the images that were embedded with it. Raises RunError
    where nothing is there."""
    images = read_images(run)
    if images is None or not run.array("probabilities", step).exists():
        raise RunError(f"{run} has no predictions of step {step}. Delete it; it is trained again.")
    classes = trained_classes(run)
    chosen = np.asarray(run.read_array("probabilities", step)).argmax(axis=1)
    labels = images.label_names or [None] * len(images)
    return Evaluated(
        images.ids,
        list(images.hashes),
        [label or "" for label in labels],
        [classes[index] for index in chosen.tolist()],
    )


def check_split(name: str | None, settings: FineTuning, cleaned: str) -> str:
    """The evaluation split. Raises SettingsError for one on which nothing is proved."""
    if name is None:
        raise SettingsError(
            "The run was evaluated on no split. Name one with --eval-split, of images that were "
            "not trained on."
        )
    if name == settings.train_split:
        raise SettingsError(
            f"--eval-split {name} is the split that is trained on: the decisions change it, and "
            f"a model that is evaluated on what it has learnt proves nothing. Name another one."
        )
    if name.endswith(cleaned):
        raise SettingsError(
            f"--eval-split {name} was changed by decisions itself: a better accuracy on a changed "
            f"test set is no proof. Name the untouched one, {name.removesuffix(cleaned)}; "
            f"--corrected shows the changed one beside it."
        )
    return name
