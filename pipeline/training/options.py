"""Owns the options of a fine-tuning and the ranges of their values. Knows no run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.settings import LATER
from review_embeddings.pipeline.training.augmentations import parse_augmentation
from review_embeddings.pipeline.training.lora import check_lora

DEFAULT_FRAMES = 11
"""Checkpoints where no number is given: before the training and ten more."""

KEEP_ALL = "all"

MAX_SEED = 2**32 - 1
"""Largest seed that NumPy's generators take."""

MINIMA = {
    "gradient_accumulation_steps": 1,
    "batch-size": 1,
    "learning_rate": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    "dataloader_num_workers": 0,
}
"""Least values of numbers of which TrainingArguments takes smaller ones, too."""

RESUMABLE_CHANGES = {
    "epochs",
    "steps",
    "save_steps",
    "frames",
    "spacing",
    "keep",
    "embed",
    "load_best",
    "probe",
    "pooling",
    "precision",
    "device",
    "trained_on",
}
"""Options that may be different when a training is resumed: any other would make it another
training."""


@dataclass(frozen=True)
class FineTuning:
    """What a fine-tuning is made of. Kept in the run folder, so that the same can go on."""

    model: str
    """Model folder or Hub name."""
    dataset: str
    """As `DatasetReference.source`."""
    config: str | None = None
    revision: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    train_split: str = "train"
    eval_split: str | None = None
    """None for validation, else test, where there is one; ``none`` for no evaluation."""
    limit: int | None = None
    """Train on at most so many images, a seeded sample balanced over the classes."""
    processor: str | None = None
    """Model folder or Hub name whose image processor is used; None for the model's own."""
    image_size: int | None = None
    """Side in pixels of what the model takes; None for its own."""
    lora: int | None = None
    """Rank of the low-rank adapters that are trained instead of the whole model, with the head."""
    augment: str = "auto"
    """See `training.augmentations.parse_augmentation`."""
    epochs: float = 3.0
    steps: int | None = None
    """Optimizer steps in all, instead of epochs."""
    batch_size: int = 32
    """Images a step and process."""
    seed: int = 42
    """Of the head's weights, the order of the images, the augmentation."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Fields of TrainingArguments as they were written."""
    save_steps: int | None = None
    frames: int | None = None
    spacing: str = "even"
    """See `training.schedule.save_points`."""
    keep: str = KEEP_ALL
    """Whose weights are kept: ``all``, or some of ``first``, ``last`` and steps separated by
    commas; step 0 in any case."""
    load_best: bool = False
    """Keep the checkpoint with the best evaluation as well, and make it the final model."""
    embed: bool = False
    """Embed the images to review at each save point."""
    split: str | None = None
    """Split to review; None for test, else validation, else train."""
    probe: int | None = None
    """Review so many images only, a seeded sample balanced over the classes."""
    pooling: str | None = None
    precision: str | None = None
    device: str | None = None
    """On which to train and embed; None for the best there is. Does not change what the training
    is."""
    split_folders: bool | None = field(default=None, metadata=LATER)
    """This and all below as in `DatasetReference`."""
    labels_from: str | None = field(default=None, metadata=LATER)
    first_label: int | None = field(default=None, metadata=LATER)
    ignore_labels: bool = field(default=False, metadata=LATER)
    class_names: list[str] | None = field(default=None, metadata=LATER)
    reading: int | None = field(default=None, metadata=LATER)
    """None in the files of versions that had the first rules only."""
    trained_on: str | None = field(default=None, metadata=LATER)
    """As in `Settings`; None for what is known."""
    train_list: str | None = field(default=None, metadata=LATER)
    """File of a `training.trained.TrainList`: the rows of the training split that are trained on,
    and their labels, in place of its own."""


@dataclass(frozen=True)
class Batch:
    """The images of one optimizer step and process."""

    size: int
    """Images of one forward pass."""
    accumulation: int
    """Forward passes whose gradients are added up for one step."""

    @staticmethod
    def of(request: FineTuning, values: Mapping[str, Any]) -> Batch:
        """As the options say; ``values`` are parsed fields of TrainingArguments."""
        return Batch(
            int(values.get("per_device_train_batch_size", request.batch_size)),
            int(values.get("gradient_accumulation_steps", 1)),
        )

    def smaller(self) -> Batch | None:
        """The next smaller batch that makes the same step; None for a single image."""
        size = max((size for size in range(1, self.size) if self.size % size == 0), default=0)
        return Batch(size, self.accumulation * (self.size // size)) if size else None


def check_options(request: FineTuning, values: Mapping[str, Any], batch: Batch) -> None:
    """Raise SettingsError for what TrainingArguments takes and no training can be made with."""
    import torch

    parse_augmentation(request.augment)
    check_lora(request.lora)
    numbers = {**values, "batch-size": batch.size}
    for name, least in MINIMA.items():
        if name in numbers and numbers[name] < least:
            raise SettingsError(f"{name}={numbers[name]} is out of range. Use {least} or more.")
    if not 0 <= request.seed <= MAX_SEED:
        raise SettingsError(f"--seed {request.seed} is out of range. Use 0 to {MAX_SEED}.")
    on_cpu = (request.device or "").split(":")[0] == "cpu"
    if values.get("fp16") and (on_cpu or not torch.cuda.is_available()):
        raise SettingsError(
            "fp16=true needs a CUDA GPU. Leave it out; bf16 is used where the hardware has it."
        )
