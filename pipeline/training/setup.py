"""Puts together what a Trainer is started with, and tries a few images on it before anything long
begins; says how long a step takes. Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.models.classifier import (
    check_fits,
    load_classifier,
    logits_of,
    size_options,
)
from review_embeddings.pipeline.models.processor import Processor
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.arguments import make, own_defaults
from review_embeddings.pipeline.training.augmentations import parse_augmentation
from review_embeddings.pipeline.training.data import Splits, TrainingData, labelled_images
from review_embeddings.pipeline.training.devices import keep_on
from review_embeddings.pipeline.training.images import LabelledImages, collate
from review_embeddings.pipeline.training.lora import (
    LORA_LEARNING_RATE,
    check_runs,
    note_lora,
    with_lora,
)
from review_embeddings.pipeline.training.options import Batch, FineTuning
from review_embeddings.pipeline.training.plan import SavePlan, Schedule, make_plan, make_schedule

MAX_TRIED = 8
"""Images that are tried on the processor and the model before the training."""

MAX_LISTED = 3
"""Sizes that a message lists."""


@dataclass(frozen=True)
class Setup:
    """What a Trainer is started with."""

    request: FineTuning
    splits: Splits
    model: Any
    processor: Any
    """Image processor of transformers."""
    data: TrainingData
    arguments: Any
    """TrainingArguments."""
    schedule: Schedule
    plan: SavePlan
    side: int
    """Shorter side, in pixels, of what the model takes."""

    @property
    def evaluates_by_embedding(self) -> bool:
        return evaluates_by_embedding(self.request, self.splits)


def set_up(
    run: RunFolder,
    request: FineTuning,
    values: Mapping[str, Any],
    batch: Batch,
    splits: Splits,
    progress: Progress,
) -> Setup:
    """Load the model and everything else that the options ask for; ``values`` are parsed fields of
    TrainingArguments. Raises ReviewError where they do not go together."""
    model, processor = load_classifier(
        request.model,
        splits.classes,
        processor=request.processor,
        image_size=request.image_size,
        seed=request.seed,
    )
    data = labelled_images(request, splits, Processor(processor), progress)
    side = _try_images(request, data.train, model, progress)
    arguments = _training_arguments(run, request, values, batch)
    schedule = make_schedule(request, len(data.train), arguments)
    plan = make_plan(
        request,
        schedule,
        arguments,
        has_evaluation=data.evaluation is not None,
        evaluates_by_embedding=evaluates_by_embedding(request, splits),
    )
    if request.lora is not None:
        model = _with_lora(request, request.lora, model, data.train)
        note_lora(model, request.lora, progress)
    data.train.augmented(parse_augmentation(request.augment), seed=request.seed, smallest=side)
    return Setup(request, splits, model, processor, data, arguments, schedule, plan, side)


def evaluates_by_embedding(request: FineTuning, splits: Splits) -> bool:
    """Whether what is embedded is what is evaluated, so that one forward pass gives both."""
    is_same = splits.eval_split == splits.review.reference.split
    return request.embed and not request.probe and is_same


def _training_arguments(
    run: RunFolder, request: FineTuning, values: Mapping[str, Any], batch: Batch
) -> Any:
    sizes = {
        "per_device_train_batch_size": batch.size,
        "gradient_accumulation_steps": batch.accumulation,
    }
    own = own_defaults(values, request.device)
    if request.lora is not None:
        own["learning_rate"] = LORA_LEARNING_RATE
    fixed = {"output_dir": str(run.path), "seed": request.seed}
    arguments = make({**values, **sizes}, {**own, **fixed})
    keep_on(arguments, request.device)
    return arguments


def _try_images(request: FineTuning, images: LabelledImages, model: Any, progress: Progress) -> int:
    """The shorter side of what the model takes, found with a few real images. Raises ReviewError
    where they cannot be read or do not fit the model."""
    import torch

    count = min(MAX_TRIED, len(images))
    positions = np.linspace(0, len(images) - 1, count).astype(int)
    rows = [row for row in map(images.__getitem__, positions) if row is not None]
    if not rows:
        raise DatasetError(
            f"None of {count} images of {request.dataset} can be read. Check the files, or name "
            f"another --image-column."
        )
    shapes = sorted({tuple(row["pixel_values"].shape) for row in rows})
    if len(shapes) > 1:
        sizes = ", ".join("x".join(map(str, shape[1:])) for shape in shapes[:MAX_LISTED])
        raise DatasetError(
            f"The image processor of {request.model} gives images of different sizes ({sizes}). "
            f"Set one with --image-size."
        )
    check_fits(model, torch.stack([rows[0]["pixel_values"]]), name=request.model)
    sides = shapes[0][1:]
    _note_patches(model, sides, progress)
    return int(min(sides))


def _with_lora(request: FineTuning, rank: int, model: Any, images: LabelledImages) -> Any:
    """The model with adapters, tried on an image."""
    import torch

    adapted = with_lora(model, rank, seed=request.seed, source=request.model)
    rows = map(images.__getitem__, range(min(MAX_TRIED, len(images))))
    first = next((row for row in rows if row is not None), None)
    if first is not None:
        check_runs(adapted, torch.stack([first["pixel_values"]]), source=request.model)
    return adapted


def _note_patches(model: Any, sides: tuple[int, ...], progress: Progress) -> None:
    patch = getattr(model.config, "patch_size", None)
    if isinstance(patch, int) and any(side % patch for side in sides):
        progress.note(
            f"Images of {min(sides)} pixels are no whole number of patches of {patch}: the last "
            f"rows may not be seen"
        )


# -- how long it takes


@dataclass(frozen=True)
class Speed:
    """How long the parts of a fine-tuning take on this machine now."""

    step: float
    """Seconds of an optimizer step."""
    image: float
    """Seconds to evaluate an image."""

    def seconds(self, steps: int, evaluated: int) -> float:
        """Of a training with so many steps, and so many images evaluated in all."""
        return steps * self.step + evaluated * self.image


def measure(setup: Setup) -> Speed:
    """Make steps with the model of a setup, which is not to be trained afterwards, and time them;
    the first of each kind warms up and does not count."""
    import torch

    arguments, device = setup.arguments, setup.arguments.device
    model = setup.model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    size = min(arguments.per_device_train_batch_size, len(setup.data.train))
    batches = arguments.gradient_accumulation_steps

    def step() -> None:
        for _ in range(batches):
            _forward(setup, model, size).backward()
        optimizer.step()
        optimizer.zero_grad()

    def evaluate() -> None:
        with torch.no_grad():
            _forward(setup, model, size)

    return Speed(_timed(step, device), _timed(evaluate, device) / size)


def _forward(setup: Setup, model: Any, size: int) -> Any:
    """The loss of a batch, read and processed as in the training."""
    import torch
    from torch.nn.functional import cross_entropy

    device = setup.arguments.device
    batch = collate([setup.data.train[index] for index in range(size)])
    pixels, labels = (batch[name].to(device) for name in ("pixel_values", "labels"))
    kind = torch.float16 if setup.arguments.fp16 else torch.bfloat16
    is_mixed = bool(setup.arguments.bf16 or setup.arguments.fp16)
    with torch.autocast(device.type, dtype=kind, enabled=is_mixed):
        output = model(pixel_values=pixels, **size_options(model, pixels))
        return cross_entropy(logits_of(output), labels)


def _timed(work: Callable[[], None], device: Any) -> float:
    """Seconds of the second time."""
    import torch

    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    return seconds
