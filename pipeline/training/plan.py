"""Plans a fine-tuning: how many steps it has, and after which of them a checkpoint is made, its
weights are kept and the model is evaluated. Knows no images and starts no trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from review_embeddings.pipeline.analysis.metrics import METRICS
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.training.options import DEFAULT_FRAMES, FineTuning
from review_embeddings.pipeline.training.schedule import kept_steps, save_points, steps_an_epoch

DEFAULT_METRIC = "accuracy"
"""By which the best checkpoint is chosen where no metric was named."""


@dataclass(frozen=True)
class Schedule:
    """The steps of a fine-tuning."""

    total: int
    """Optimizer steps in all."""
    epoch: int
    """Optimizer steps of one pass over the images."""
    frames: list[int]
    """Steps after which a checkpoint is made, ascending; 0 and the last among them."""


@dataclass(frozen=True)
class SavePlan:
    """What happens after which training steps."""

    frames: frozenset[int]
    """A checkpoint is made: embedded, saved or both."""
    kept: frozenset[int]
    """Its weights are kept; step 0 always."""
    evaluated: frozenset[int]
    """The Trainer evaluates."""
    best_metric: str | None = None
    """The checkpoint that is best by it is kept as well; None for none."""
    greater_is_better: bool = True


def make_schedule(request: FineTuning, images: int, arguments: Any) -> Schedule:
    """The steps of a training on so many images, given its TrainingArguments. Raises SettingsError
    for numbers out of range."""
    epoch = steps_an_epoch(
        images,
        arguments.train_batch_size,
        arguments.world_size,
        arguments.gradient_accumulation_steps,
        arguments.dataloader_drop_last,
    )
    total = _total_steps(request, epoch)
    is_given = request.frames is not None or request.save_steps is not None
    frames = save_points(
        total,
        every=request.save_steps,
        frames=request.frames if is_given else DEFAULT_FRAMES,
        spacing=request.spacing,
    )
    return Schedule(total, epoch, frames)


def make_plan(
    request: FineTuning,
    schedule: Schedule,
    arguments: Any,
    *,
    has_evaluation: bool,
    evaluates_by_embedding: bool,
) -> SavePlan:
    """The plan of a training, given its TrainingArguments and whether it has images to evaluate,
    which may be those that are embedded anyway. Raises SettingsError."""
    metric = _best_metric(request, arguments, has_evaluation) if request.load_best else None
    greater = arguments.greater_is_better
    by_trainer = has_evaluation and not evaluates_by_embedding
    return SavePlan(
        frames=frozenset(schedule.frames),
        kept=frozenset({0, *kept_steps(request.keep, schedule.frames)}),
        evaluated=_evaluated(request, schedule, arguments) if by_trainer else frozenset(),
        best_metric=metric,
        greater_is_better=not (metric or "").endswith("loss") if greater is None else bool(greater),
    )


def _total_steps(request: FineTuning, epoch: int) -> int:
    if request.steps is not None:
        if request.steps < 1:
            raise SettingsError(f"--steps {request.steps} is out of range. Use 1 or more.")
        return request.steps
    if not request.epochs > 0:
        raise SettingsError(f"--epochs {request.epochs} is out of range. Use more than 0.")
    return math.ceil(request.epochs * epoch)


def _evaluated(request: FineTuning, schedule: Schedule, arguments: Any) -> frozenset[int]:
    """Steps after which the Trainer is made to evaluate: the last, and each checkpoint where the
    best is looked for, else the end of each epoch unless the Trainer has a strategy of its own."""
    if request.load_best:
        return frozenset({schedule.total, *schedule.frames})
    strategy = getattr(arguments.eval_strategy, "value", arguments.eval_strategy)
    if str(strategy) != "no":
        return frozenset({schedule.total})
    return frozenset({schedule.total, *range(schedule.epoch, schedule.total, schedule.epoch)})


def _best_metric(request: FineTuning, arguments: Any, has_evaluation: bool) -> str:
    if not has_evaluation:
        raise SettingsError("--load-best needs an evaluation. Name a split with --eval-split.")
    name = str(arguments.metric_for_best_model or DEFAULT_METRIC).removeprefix("eval_")
    if name not in {"loss", *METRICS}:
        raise SettingsError(
            f"--set metric_for_best_model={name} is not known. Use one of loss, "
            f"{', '.join(METRICS)}."
        )
    return f"eval_{name}"
