"""``finetune``: checkpoints to look at, from a model and a data set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.run.commandline import build_command, command_line
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import Choice, local_path, option, takes, values_of
from review_embeddings.review.cli.errors import SignalRequests, end, stop_requests
from review_embeddings.review.cli.jsonlines import current, write_result
from review_embeddings.review.cli.options import (
    DatasetOptions,
    EmbeddingOptions,
    ReadingOptions,
    debug_option,
    json_option,
    trained_on_option,
    wait_option,
)
from review_embeddings.review.cli.output import print_checkpoints, print_fine_tuned, progress
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.waiting import when_free

if TYPE_CHECKING:
    from review_embeddings.pipeline.progress import Progress
    from review_embeddings.pipeline.training.finetune import FineTuned


@dataclass(frozen=True, kw_only=True)
class TrainingDataOptions:
    """The model and the images that it learns."""

    model: str | None = option(
        "--model",
        metavar="NAME",
        help="Model to start from: a folder, a Hub name, or a timm model on the Hub (timm/…).",
    )
    data: DatasetOptions
    reading: ReadingOptions
    train_split: str | None = option(
        "--train-split", metavar="NAME", help="Split to train on. Default: train."
    )
    eval_split: str | None = option(
        "--eval-split",
        metavar="NAME",
        help="Split to evaluate on; none for no evaluation. Default: validation, else test.",
    )
    limit: int | None = option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Train on N images only, a seeded sample balanced over classes.",
    )
    processor: str | None = option(
        "--processor",
        metavar="MODEL",
        help="Model whose image processor is used. Default: the model's own.",
    )
    image_size: int | None = option(
        "--image-size",
        type=click.IntRange(min=8),
        metavar="N",
        help="Side in pixels of what the model takes. Default: its own.",
    )
    lora: int | None = option(
        "--lora",
        type=click.IntRange(min=1),
        metavar="R",
        help="Train low-rank adapters of rank R and the head instead of the whole model (needs "
        "peft): checkpoints of megabytes.",
    )
    augment: str | None = option(
        "--augment",
        metavar="HOW",
        choices=choices.augmentations,
        help="auto, none, or some of {choices} with commas between. Default: auto (flips; crops "
        "of large images).",
    )


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """How long it learns, and in which batches."""

    epochs: float | None = option(
        "--epochs", type=float, metavar="N", help="Passes over the training images. Default: 3."
    )
    steps: int | None = option(
        "--steps", type=int, metavar="N", help="Optimizer steps in all, instead of epochs."
    )
    batch_size: int | None = option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="Images a step and process. Default: 32.",
    )
    device: str | None = option(
        "--device",
        metavar="NAME",
        help="What to train and embed on: cpu, cuda, cuda:1, mps. Default: the best there is.",
    )
    seed: int | None = option(
        "--seed",
        type=int,
        metavar="N",
        help="Seed of the head, the order of the images and the augmentation. Default: 42.",
    )


@dataclass(frozen=True, kw_only=True)
class ArgumentOptions:
    """Fields of ``TrainingArguments``."""

    pairs: tuple[str, ...] = option(
        "--set",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any field of transformers' TrainingArguments. Repeatable.",
    )
    args_file: str | None = option("--args", metavar="FILE", help="A YAML file of such fields.")

    def read(self) -> dict[str, Any]:
        """The fields of the file, and over them those given one by one."""
        from review_embeddings.pipeline.training.arguments import parse_pairs, read_file

        of_file = read_file(Path(self.args_file)) if self.args_file else {}
        return {**of_file, **parse_pairs(self.pairs)}


@dataclass(frozen=True, kw_only=True)
class SavingOptions:
    """Which checkpoints are kept, and what is embedded of them."""

    save_steps: int | None = option(
        "--save-steps",
        type=int,
        metavar="N",
        help="A checkpoint every N steps, and at step 0 and the last.",
    )
    frames: int | None = option(
        "--frames",
        type=int,
        metavar="K",
        help="K checkpoints in all, step 0 and the last among them. Default: 11.",
    )
    spacing: str | None = option(
        "--spacing",
        type=Choice(choices.spacings),
        help="Distances between them: even, or growing (log). Default: even.",
    )
    keep: str | None = option(
        "--keep",
        metavar="WHICH",
        help="Whose weights to keep: all, or some of first,last,STEP; step 0 always. Default: all.",
    )
    load_best: bool | None = option(
        "--load-best",
        is_flag=True,
        default=None,
        help="Keep the checkpoint that evaluates best and make it the final model.",
    )
    embed: bool | None = option(
        "--embed",
        is_flag=True,
        default=None,
        help="Embed the images to review at every checkpoint while training.",
    )
    probe: int | None = option(
        "--probe",
        type=click.IntRange(min=1),
        metavar="N",
        help="Review N images only, a fixed sample balanced over classes.",
    )
    trained_on: str | None = trained_on_option()
    embedding: EmbeddingOptions


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """A fine-tuning, begun or resumed."""

    run: str = option("--run", required=True, metavar="DIR", help="Folder to make the run in.")
    data: TrainingDataOptions
    schedule: ScheduleOptions
    arguments: ArgumentOptions
    saving: SavingOptions
    resume: bool = option(
        "--resume",
        is_flag=True,
        help="Go on with the options of before; more --steps or --epochs may be asked for.",
    )
    json_lines: bool = json_option()
    wait: bool = wait_option()
    debug: bool = debug_option()

    def given(self) -> dict[str, Any]:
        """The fields of `FineTuning` that are given."""
        from review_embeddings.pipeline.api import read_class_names

        values = values_of(self.data, self.schedule, self.saving)
        del values["reread"]  # of this start alone
        values["class_names"] = read_class_names(values.pop("classes")) or None
        given = {name: value for name, value in values.items() if value is not None}
        arguments = self.arguments.read()
        return {**given, "arguments": arguments} if arguments or not self.resume else given


@click.command("finetune")
@takes(FinetuneOptions, activity="Setting up the training")
def finetune_command(options: FinetuneOptions) -> None:
    """Fine-tune an image classifier, with checkpoints to look at. The run can be reviewed with
    --first --last at once.

    Can be stopped at any time: the same command goes on where it was. On several GPUs:
    torchrun --nproc-per-node 4 --no-python -- review-embeddings finetune …
    """
    from review_embeddings.pipeline.progress import SILENT
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.training.finetune import finetune, is_main_process

    given = options.given()
    shown: Progress = progress() if is_main_process() else SILENT
    run = RunFolder(local_path(options.run, "--run"))

    def train() -> tuple[FineTuned, SignalRequests]:
        with stop_requests(shown.note) as stop:
            tuned = finetune(
                run,
                given,
                resume=options.resume,
                reread=options.data.reading.reread,
                progress=shown,
                stop=stop,
            )
            return tuned, stop

    alone = os.environ.get("WORLD_SIZE", "1") == "1"  # others would wait for this one only so long
    tuned, stop = when_free(train, shown.note, wait=options.wait and alone)
    if is_main_process():
        _report(tuned, options, shown, stop)


def _report(
    tuned: FineTuned, options: FinetuneOptions, shown: Progress, stop: SignalRequests
) -> None:
    """Print what came of it; end with the code of the signal that stopped it."""
    from review_embeddings.pipeline.api import build

    for_people = current() is None
    if for_people:
        print_fine_tuned(tuned)
    unmade = stop() and bool(options.saving.embed)
    if tuned.finished and options.saving.embed and not unmade:
        built = build(tuned.run, progress=shown, wait=True, device=tuned.device)
        if for_people:
            print_checkpoints(built)
    if not write_result("finetune", **_result(tuned)):
        say(f"Review it with: {command_line('--first', '--last', '--run', options.run)}")
    if not tuned.finished:
        end(f"Go on with: {command_line('finetune', '--resume', '--run', options.run)}", stop.code)
    if unmade:
        end(f"Make its table with: {build_command(options.run)}", stop.code)


def _result(tuned: FineTuned) -> dict[str, Any]:
    return {
        "run": str(tuned.run),
        "steps": tuned.steps,
        "total": tuned.total,
        "finished": tuned.finished,
        "best_step": tuned.best_step,
        "metrics": tuned.metrics,
    }
