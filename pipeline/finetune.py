"""Fine-tunes an image classifier with Hugging Face's Trainer and saves checkpoints made to be looked at.

Turns a model, its image processor and a labelled data set into a folder of ``checkpoint-<step>`` folders, step 0 (the model
before any training) among them. It does not choose the model or the data, and computes nothing from the checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.libraries import import_transformers
from pipeline.progress import SILENT, Progress
from pipeline.runfolder import RunFolder
from pipeline.trainlog import TrainingLog

if TYPE_CHECKING:
    import datasets
    import transformers


@dataclass(frozen=True)
class TrainingSettings:
    """What one fine-tuning is made with."""

    steps: int
    """Optimizer steps in all."""
    save_steps: int
    """A checkpoint every so many steps; step 0 and the last step are saved as well."""
    batch_size: int = 32
    """Images a step."""
    learning_rate: float = 5e-5
    """Peak learning rate of AdamW."""
    warmup_steps: int = 0
    """Steps of linear warm-up; linear decay to 0 follows."""
    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW."""
    horizontal_flip: bool = True
    """Mirror every other image at random; off for digits and letters."""
    bf16: bool = False
    """Train under bfloat16 autocast."""
    seed: int = 42
    """Seeds the head's weights, the order of the images and the flips."""


def finetune(
    model: transformers.PreTrainedModel,
    processor: transformers.BaseImageProcessor,
    images: datasets.Dataset,
    *,
    image_column: str,
    label_column: str,
    folder: Path,
    settings: TrainingSettings,
    progress: Progress = SILENT,
) -> None:
    """Train ``model`` in place on ``images`` and write its checkpoints to ``folder``.

    Checkpoints hold the weights as safetensors, the configuration, the image processor and ``trainer_state.json``; no
    optimizer state. ``log.csv`` gets a row for every logged step. Source: Hugging Face ``transformers.Trainer``.
    """
    import torch

    transformers = import_transformers()
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        save_steps=settings.save_steps,
        logging_steps=max(1, min(settings.save_steps, 10)),
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        bf16=settings.bf16,
        use_cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        dataloader_pin_memory=torch.cuda.is_available(),
        save_only_model=True,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )

    log = TrainingLog(RunFolder(folder).log)

    class Reporter(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # imported without its types
        """Saves the model before the first step, keeps log.csv and passes the steps on to the progress display."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            log.begin(state.global_step)
            trainer.save_model(str(folder / "checkpoint-0"))
            state.save_to_json(str(folder / "checkpoint-0" / "trainer_state.json"))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            log.add(state.global_step, logs or {})

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            advance(1)

    generator = torch.Generator().manual_seed(settings.seed)
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=images,
        data_collator=_Collator(processor, image_column, label_column, settings.horizontal_flip, generator),
        processing_class=processor,
        callbacks=[Reporter()],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    with progress.stage("Fine-tuning", total=settings.steps, unit="steps") as advance:
        trainer.train()
    trainer.save_model(str(folder))
    trainer.save_state()


class _Collator:
    """Turns rows of the data set into one batch of pixel values and labels."""

    def __init__(self, processor: Any, image_column: str, label_column: str, flip: bool, generator: Any) -> None:
        self.processor = processor
        self.image_column = image_column
        self.label_column = label_column
        self.flip = flip
        self.generator = generator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        from pipeline.images import to_rgb

        pixels = self.processor([to_rgb(row[self.image_column]) for row in rows], return_tensors="pt")["pixel_values"]
        if self.flip:
            mirrored = torch.rand(len(rows), generator=self.generator) < 0.5
            pixels[mirrored] = pixels[mirrored].flip(-1)
        return {"pixel_values": pixels, "labels": torch.tensor([row[self.label_column] for row in rows])}


def set_image_size(model: transformers.PreTrainedModel, processor: transformers.BaseImageProcessor, pixels: int) -> None:
    """Make ``processor`` give square images of ``pixels`` x ``pixels``, cropping and resizing in the way it did before.

    timm's processor is saved as a part of the model's configuration, which is therefore changed as well.
    """
    if hasattr(processor, "data_config"):
        import timm

        processor.data_config["input_size"] = (3, pixels, pixels)
        processor.val_transforms = timm.data.create_transform(**processor.data_config, is_training=False)
        model.config.pretrained_cfg["input_size"] = [3, pixels, pixels]
        return
    for name in ("size", "crop_size"):
        if setting := getattr(processor, name, None):
            setattr(processor, name, {key: pixels for key in dict(setting) if dict(setting)[key] is not None})
