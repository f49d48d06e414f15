"""Fine-tunes an image classifier with Hugging Face's Trainer and saves checkpoints made to be
looked at.

Decides what a fine-tuning is made of (data, model, arguments, save points), refuses what cannot
work before anything long is begun, and goes on where a training was stopped or killed. The training
itself is done by `pipeline.trainer`.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.metrics import METRICS, classification_metrics
from review_embeddings.pipeline.errors import (
    DatasetError,
    ReviewError,
    RunError,
    SettingsError,
    StorageError,
    TrainingError,
    reason_of,
)
from review_embeddings.pipeline.images.dataset import (
    SPLITS_BY_PREFERENCE,
    OpenedDataset,
    open_dataset,
    split_names,
)
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.models.classifier import (
    check_fits,
    load_classifier,
    load_saved,
    read_model_config,
)
from review_embeddings.pipeline.models.device import is_out_of_memory
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.models.processor import Processor
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import (
    read_record,
    storage_errors,
    whole_file,
    write_json,
)
from review_embeddings.pipeline.run.folder import RunFolder, is_run
from review_embeddings.pipeline.run.info import package_versions
from review_embeddings.pipeline.run.records import FORMAT, as_json, unknown_keys
from review_embeddings.pipeline.settings import NOTHING, DatasetReference, Request
from review_embeddings.pipeline.stages.resolve import resolve_info
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.training.arguments import make, parse_values
from review_embeddings.pipeline.training.images import LabelledImages, collate, parse_augmentation
from review_embeddings.pipeline.training.log import read_rows
from review_embeddings.pipeline.training.schedule import save_points

if TYPE_CHECKING:
    from review_embeddings.pipeline.training.trainer import Outcome, SavePlan

TRAINING_FORMAT = 1
"""Raised when an older version could no longer read ``training.json``."""

DEFAULT_FRAMES = 11
"""Checkpoints where nothing was said: before the training and ten more."""

SAMPLE = 8
"""Images that are tried on the processor and the model before the training."""

KEEP_ALL = "all"

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
}
"""What may be different when a training goes on: the rest would make another training of it."""


# -- what is asked for


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
    """Train on so many images only, a seeded sample balanced over the classes."""
    processor: str | None = None
    """Model folder or Hub name whose image processor is used; None for the model's own."""
    image_size: int | None = None
    """Side in pixels of what the model takes; None for its own."""
    augment: str = "auto"
    """See `pipeline.training_images.parse_augmentation`."""
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
    """See `pipeline.schedule.save_points`."""
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


@dataclass(frozen=True)
class TrainingFile:
    """The contents of ``training.json``."""

    request: FineTuning
    steps: int = 0
    """Optimizer steps in all."""
    frames: list[int] = field(default_factory=list)
    """Steps of the checkpoints."""
    classes: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""


@dataclass(frozen=True)
class FineTuned:
    """What came of it."""

    run: RunFolder
    steps: int
    """Steps that were made in all."""
    total: int
    """Steps that were asked for."""
    frames: list[int]
    metrics: dict[int, dict[str, float]]
    """``eval_loss``, ``eval_accuracy``, ``eval_precision``, ``eval_recall``, ``eval_f1`` by step,
    from ``log.csv``."""
    best_step: int | None

    @property
    def finished(self) -> bool:
        return self.steps >= self.total


def finetune(
    run: RunFolder,
    said: Mapping[str, Any],
    *,
    resume: bool = False,
    progress: Progress = SILENT,
    stop: Callable[[], bool] = lambda: False,
    resume_seconds: float | None = None,
) -> FineTuned:
    """Fine-tune a model into a run folder; ``said`` holds fields of `FineTuning`.

    The same call goes on where a training was stopped or killed; with ``resume`` what was said
    before need not be said again, and more steps may be asked for. ``stop`` is asked after each
    step and ends the training in good order. A full state of the training is written at most every
    ``resume_seconds``. Raises ReviewError.
    """
    return _FineTuner(run, _decide(run, said, resume), progress, stop, resume_seconds).finetune()


def is_main_process() -> bool:
    """Whether this is the process that writes, under torchrun and accelerate launch."""
    return os.environ.get("RANK", "0") == "0"


def _decide(run: RunFolder, said: Mapping[str, Any], resume: bool) -> FineTuning:
    """What is to be made, given what the run folder holds already."""
    said = {
        name: _absolute(value) if name in {"model", "dataset"} else value
        for name, value in said.items()
    }
    stored = _read_stored(run)
    if stored is None:
        if resume:
            raise RunError(
                f"{run} holds no fine-tuning that could go on (no training.json). Leave --resume "
                f"out to begin one."
            )
        if is_run(run.path):
            raise RunError(
                f"{run} holds another run, which would be written over. Name a new folder with "
                f"--run."
            )
        for name in ("model", "dataset"):
            if not said.get(name):
                raise SettingsError(
                    f"There is no --{name}. Name the "
                    f"{'model to start from' if name == 'model' else 'data set'}."
                )
        return FineTuning(**said)
    if (
        resume and len({"frames", "save_steps"} & set(said)) == 1
    ):  # what is said now takes the place of the other
        said = {"frames": None, "save_steps": None, **said}
    request = (
        replace(stored, **said)
        if resume
        else FineTuning(**{"model": stored.model, "dataset": stored.dataset, **said})
    )
    different = [
        entry.name
        for entry in fields(FineTuning)
        if getattr(request, entry.name) != getattr(stored, entry.name)
    ]
    refused = [name for name in different if not resume or name not in RESUMABLE_CHANGES]
    if refused:
        name = refused[0]
        was, now = getattr(stored, name), getattr(request, name)
        cure = (
            "Name a new folder with --run"
            if resume
            else "Go on with that one: --resume without it; or name a new folder with --run"
        )
        what = (
            "other TrainingArguments"
            if name == "arguments"
            else f"another {name.replace('_', ' ')}"
        )
        raise SettingsError(f"{run} holds a fine-tuning with {what}: {was}, not {now}. {cure}.")
    return request


def _absolute(name: str | None) -> str | None:
    path = Path(name).expanduser() if name else None
    return str(path.resolve()) if path is not None and path.exists() else name


def _read_stored(run: RunFolder) -> FineTuning | None:
    if not run.training.is_file():
        return None
    return _read_file(run).request


def _read_file(run: RunFolder) -> TrainingFile:
    cure = "Name a new folder with --run."
    return read_record(run.training, TrainingFile, cure=cure, known_format=TRAINING_FORMAT)


# -- the work


@dataclass(frozen=True)
class _Data:
    """The splits, opened."""

    train: LabelledImages
    evaluation: LabelledImages | None
    classes: list[str]
    eval_split: str | None
    review: OpenedDataset


class _FineTuner:
    """One call of `finetune`."""

    def __init__(
        self,
        run: RunFolder,
        request: FineTuning,
        progress: Progress,
        stop: Callable[[], bool],
        resume_seconds: float | None,
    ) -> None:
        self.run = run
        self.request = request
        self.progress = progress
        self._stop = stop
        self._resume_seconds = resume_seconds
        self._locked = False
        self._begun = False

    def finetune(self) -> FineTuned:
        request = self.request
        kinds = parse_augmentation(request.augment)
        values = parse_values(request.arguments)
        batch_size = int(values.get("per_device_train_batch_size", request.batch_size))
        accumulation = int(values.get("gradient_accumulation_steps", 1))
        _check_ranges({**values, "batch-size": batch_size}, request)
        read_model_config(request.model)  # a wrong name is told before a data set is downloaded
        opened = self._open()
        with ExitStack() as stack:
            while True:
                model, processor = self._load(opened.classes)
                data = self._prepare(opened, Processor(processor))
                side = self._check_model(data, model)
                arguments = self._arguments(values, batch_size, accumulation)
                total = self._total(len(data.train), arguments)
                frames = self._frames(total)
                plan = self._plan(frames, total, data, arguments)
                data.train.augmented(kinds, seed=request.seed, smallest=side)
                state, step = self._state_to_resume()
                if step > total:
                    raise SettingsError(
                        f"{self.run} is at step {step} already, and {total} were asked for. Ask "
                        f"for more, or for none."
                    )
                if state is not None and step == total:
                    return FineTuned(self.run, step, total, frames, evaluations(self.run), None)
                self._check_disk(model, data, plan, side, state)
                if is_main_process() and not self._locked:
                    stack.enter_context(self.run.training_lock())
                    self._locked = True
                self._tell_where_it_goes_on(state, step, total)
                arguments.max_steps = total
                try:
                    outcome = self._train(
                        model if state is None else load_saved(state),
                        processor,
                        data,
                        arguments,
                        plan,
                        state,
                        frames,
                    )
                except ReviewError:
                    raise
                except Exception as error:
                    if is_out_of_memory(error):
                        batch_size, accumulation = self._smaller(batch_size, accumulation, error)
                        del model
                        continue
                    if self._begun:
                        raise
                    raise SettingsError(
                        f"The Trainer cannot begin with these arguments: {reason_of(error)} Change "
                        f"what was given with --set."
                    ) from error
                self._note_unreadable(data.train)
                return FineTuned(
                    self.run, outcome.step, total, frames, evaluations(self.run), outcome.best_step
                )

    def _load(self, classes: list[str]) -> tuple[Any, Any]:
        request = self.request
        return load_classifier(
            request.model,
            classes,
            processor=request.processor,
            image_size=request.image_size,
            seed=request.seed,
        )

    def _tell_where_it_goes_on(self, state: Path | None, step: int, total: int) -> None:
        if self._begun:
            return
        if state is not None:
            self.progress.note(f"Going on from step {step} of {total}")
        elif self.run.training.is_file():
            self.progress.note(
                "Beginning again at step 0: the training was ended before its state was saved"
            )

    # -- data

    def _open(self) -> _Opened:
        request = self.request
        reference = DatasetReference(
            request.dataset,
            request.config,
            request.revision,
            request.train_split,
            request.image_column,
            request.label_column,
        )
        names = split_names(reference)
        train = open_dataset(reference, option="--train-split")
        labels, classes = _check_labels(train)
        chosen = np.flatnonzero(labels >= 0)
        if len(chosen) < len(labels):
            self.progress.note(
                f"{len(labels) - len(chosen)} training images have no label and are left out"
            )
        chosen = chosen[
            balanced_sample(labels[chosen], len(chosen), request.limit or None, request.seed)
        ]
        if request.limit and request.limit < len(classes):
            raise DatasetError(
                f"--limit {request.limit} is less than one image for each of the {len(classes)} "
                f"classes. Use more."
            )
        absent = [name for index, name in enumerate(classes) if not np.any(labels[chosen] == index)]
        if len(absent) >= len(classes) - 1:
            present = [name for name in classes if name not in absent]
            raise DatasetError(
                f"Split {request.train_split!r} of {request.dataset} has images of one class only "
                f"({', '.join(present)}). "
                "Give one with two classes or more."
            )
        if absent:
            self.progress.note(
                f"No training images of {len(absent)} of {len(classes)} classes: "
                f"{', '.join(absent[:5])}{' …' * (len(absent) > 5)}"
            )
        eval_split = self._eval_split(names)
        held_out = (
            None
            if eval_split is None
            else open_dataset(replace(train.reference, split=eval_split), option="--eval-split")
        )
        review_split = request.split or next(
            (name for name in SPLITS_BY_PREFERENCE if name in names), request.train_split
        )
        known = {
            request.train_split: train,
            **({eval_split: held_out} if eval_split and held_out else {}),
        }
        review = known.get(review_split) or open_dataset(
            replace(train.reference, split=review_split)
        )
        self._review_split = review_split
        evaluating = f", evaluating on {eval_split!r} ({len(held_out.rows):,})" if held_out else ""
        self.progress.note(
            f"Training on split {request.train_split!r} of {request.dataset}: {len(chosen):,} "
            f"images{evaluating}"
        )
        return _Opened(train, chosen, labels[chosen], classes, held_out, eval_split, review)

    def _eval_split(self, names: Sequence[str]) -> str | None:
        request = self.request
        if request.eval_split == NOTHING or request.arguments.get("eval_strategy") == "no":
            return None
        if request.eval_split is not None:
            return request.eval_split
        preferred = ("validation", "valid", "val", "dev", "test")
        found = next(
            (name for name in preferred if name in names and name != request.train_split), None
        )
        if found is None:
            self.progress.note(
                "There is no split to evaluate on (validation, test); name one with --eval-split"
            )
        return found

    def _prepare(self, opened: _Opened, processor: Processor) -> _Data:
        train = LabelledImages(opened.train, opened.chosen, opened.labels, processor)
        evaluation = None
        if opened.held_out is not None:
            labels = _labels_by_name(opened.held_out, opened.classes)
            rows = np.flatnonzero(labels >= 0)
            if not len(rows):
                raise DatasetError(
                    f"Split {opened.eval_split!r} of {self.request.dataset} has no image of a "
                    f"class that is trained. "
                    "Name another with --eval-split."
                )
            if len(rows) < len(labels):
                self.progress.note(
                    f"{len(labels) - len(rows)} images of split {opened.eval_split!r} have no "
                    f"label that is trained and are left out"
                )
            evaluation = LabelledImages(opened.held_out, rows, labels[rows], processor)
        return _Data(train, evaluation, opened.classes, opened.eval_split, opened.review)

    def _check_model(self, data: _Data, model: Any) -> int:
        """Try a few real images on processor and model before anything long begins; the side of
        what the model takes."""
        import torch

        places = np.linspace(0, len(data.train) - 1, min(SAMPLE, len(data.train))).astype(int)
        rows = [row for row in (data.train[place] for place in places) if row is not None]
        if not rows:
            raise DatasetError(
                f"None of {len(places)} images of {self.request.dataset} can be read. Check the "
                f"files, or name another --image-column."
            )
        shapes = sorted({tuple(row["pixel_values"].shape) for row in rows})
        if len(shapes) > 1:
            sizes = ", ".join("x".join(map(str, shape[1:])) for shape in shapes[:3])
            raise DatasetError(
                f"The image processor of {self.request.model} gives images of different sizes "
                f"({sizes}). Set one with --image-size."
            )
        check_fits(model, torch.stack([rows[0]["pixel_values"]]), name=self.request.model)
        patch = getattr(model.config, "patch_size", None)
        if isinstance(patch, int) and any(side % patch for side in shapes[0][1:]):
            self.progress.note(
                f"Images of {min(shapes[0][1:])} pixels are no whole number of patches of {patch}: "
                f"the last rows may not be seen"
            )
        return int(min(shapes[0][1:]))

    # -- arguments and plan

    def _arguments(self, values: Mapping[str, Any], batch_size: int, accumulation: int) -> Any:
        import torch

        cuda = torch.cuda.is_available()
        accelerated = cuda or torch.backends.mps.is_available()
        defaults: dict[str, Any] = {
            "output_dir": str(self.run.path),
            "max_steps": 1,
            "learning_rate": 5e-5,
            "warmup_steps": 0.1,
            "weight_decay": 0.01,
            "logging_steps": 10,
            "per_device_eval_batch_size": 64,
            "bf16": not values.get("fp16") and has_bf16(values.get("use_cpu") is True),
            "use_cpu": not accelerated,
            "dataloader_pin_memory": cuda,
            "dataloader_num_workers": min(8, os.cpu_count() or 1) if accelerated else 0,
            "seed": self.request.seed,
            "label_names": ["labels"],
            "report_to": "none",
            "disable_tqdm": True,
            "log_level": "error",
            "logging_nan_inf_filter": False,
            "ddp_timeout": 4 * 3600,  # the others wait while one process embeds
            "save_strategy": "no",
            "save_only_model": True,
            "remove_unused_columns": False,
        }
        sizes = {
            "per_device_train_batch_size": batch_size,
            "gradient_accumulation_steps": accumulation,
        }
        return make({**values, **sizes}, defaults)

    def _total(self, images: int, arguments: Any) -> int:
        """Optimizer steps in all."""
        self._steps_an_epoch = steps_an_epoch(
            images,
            arguments.train_batch_size,
            arguments.world_size,
            arguments.gradient_accumulation_steps,
            arguments.dataloader_drop_last,
        )
        if self.request.steps is not None:
            if self.request.steps < 1:
                raise SettingsError(f"--steps {self.request.steps} is out of range. Use 1 or more.")
            return self.request.steps
        if not self.request.epochs > 0:
            raise SettingsError(f"--epochs {self.request.epochs} is out of range. Use more than 0.")
        return math.ceil(self.request.epochs * self._steps_an_epoch)

    def _frames(self, total: int) -> list[int]:
        request = self.request
        frames = (
            request.frames
            if request.frames is not None or request.save_steps is not None
            else DEFAULT_FRAMES
        )
        return save_points(total, every=request.save_steps, frames=frames, spacing=request.spacing)

    def _plan(self, frames: list[int], total: int, data: _Data, arguments: Any) -> SavePlan:
        from review_embeddings.pipeline.training.trainer import SavePlan

        request = self.request
        evaluated: set[int] = set()
        if data.evaluation is not None and not self._evaluates_by_embedding(data):
            by_trainer = (
                str(getattr(arguments.eval_strategy, "value", arguments.eval_strategy)) != "no"
            )
            ends = (
                set()
                if by_trainer
                else set(range(self._steps_an_epoch, total, self._steps_an_epoch))
            )
            evaluated = {total} | (set(frames) if request.load_best else ends)
        metric = None
        if request.load_best:
            if data.evaluation is None:
                raise SettingsError(
                    "--load-best needs an evaluation. Name a split with --eval-split."
                )
            name = str(arguments.metric_for_best_model or "accuracy").removeprefix("eval_")
            if name not in {"loss", *METRICS}:
                raise SettingsError(
                    f"--set metric_for_best_model={name} is not known. Use one of loss, "
                    f"{', '.join(METRICS)}."
                )
            metric = f"eval_{name}"
        greater = arguments.greater_is_better
        arguments.metric_for_best_model = (
            None  # the best is kept here, and a Trainer that also looks for it would get in the way
        )
        return SavePlan(
            frames=frozenset(frames),
            kept=frozenset({0, *kept_steps(request.keep, frames)}),
            evaluated=frozenset(evaluated),
            best_metric=metric,
            greater_is_better=not (metric or "").endswith("loss")
            if greater is None
            else bool(greater),
        )

    def _evaluates_by_embedding(self, data: _Data) -> bool:
        """Whether what is embedded is what is evaluated, so that one forward pass gives both."""
        return (
            self.request.embed
            and not self.request.probe
            and data.eval_split == data.review.reference.split
        )

    # -- the run folder

    def _state_to_resume(self) -> tuple[Path | None, int]:
        """The full state of the training in the run folder and its step; None and 0 where there is
        none."""
        states = {
            int(path.name.rpartition("-")[2]): path
            for path in self.run.resume.glob("checkpoint-*")
            if (path / "trainer_state.json").is_file()
        }
        return (states[max(states)], max(states)) if states else (None, 0)

    def _write_records(self, total: int, frames: list[int], classes: list[str]) -> None:
        """What the run is made of: ``training.json`` for going on, ``run.json`` for the review."""
        with storage_errors(self.run.path), ExitStack() as stack:
            request = self.review_request()
            session = BuildSession(self.run, request, self.progress, stack, wait=True)
            session.write_info(resolve_info(self.run, request))
        with self.run.lock(wait=True):
            known = _read_file(self.run).unknown if self.run.training.is_file() else {}
            file = TrainingFile(self.request, total, frames, classes, package_versions(), known)
            write_json(self.run.training, {FORMAT: TRAINING_FORMAT, **as_json(file)})

    def review_request(self) -> Request:
        """What the run is reviewed with."""
        request = self.request
        return Request(
            dataset={
                "source": request.dataset,
                "config": request.config,
                "revision": request.revision,
                "split": self._review_split,
                "image_column": request.image_column,
                "label_column": request.label_column,
                "limit": request.probe,
            },
            settings={"pooling": request.pooling, "precision": request.precision},
        )

    def _check_disk(
        self, model: Any, data: _Data, plan: SavePlan, side: int, state: Path | None
    ) -> None:
        """Raise StorageError where the run will not fit on the disk."""
        weights = sum(
            tensor.numel() * tensor.element_size() for tensor in model.state_dict().values()
        )
        review = min(len(data.review.rows), self.request.probe or len(data.review.rows))
        dimension = int(
            getattr(model.config, "hidden_size", 0)
            or getattr(model.config, "num_features", 0)
            or 1024
        )
        kept = sum(not self.run.checkpoint(step).is_dir() for step in plan.kept) + (
            plan.best_metric is not None
        )
        parts = {
            f"{kept} checkpoints of {_gigabytes(weights)}": kept * weights,
            "the state to resume from, twice while it is replaced": weights * (3 if state else 6),
        }
        if self.request.embed:
            parts[f"embeddings of {review:,} images at {len(plan.frames)} checkpoints"] = (
                len(plan.frames) * review * 4 * (dimension + len(data.classes))
            )
            parts["prepared images"] = review * 3 * side * side
        needed = sum(parts.values())
        folder = next(
            path
            for path in (self.run.path.resolve(), *self.run.path.resolve().parents)
            if path.exists()
        )
        free = shutil.disk_usage(folder).free
        if needed > free:
            listed = ", ".join(f"{name}: {_gigabytes(size)}" for name, size in parts.items())
            raise StorageError(
                f"This fine-tuning needs {_gigabytes(needed)} in {self.run} ({listed}), and "
                f"{_gigabytes(free)} are free. "
                f"Ask for fewer --frames, {'' if self.request.embed else '--embed and '}--keep "
                f"first,last, or another --run."
            )

    # -- training

    def _train(
        self,
        model: Any,
        processor: Any,
        data: _Data,
        arguments: Any,
        plan: SavePlan,
        state: Path | None,
        frames: list[int],
    ) -> Outcome:
        from review_embeddings.pipeline.training.callback import EmbeddingCallback, LogCallback
        from review_embeddings.pipeline.training.trainer import (
            RESUME_SECONDS,
            Beginning,
            FirstCheckpoint,
            PlanCallback,
        )

        def begin() -> None:
            self._begun = True
            if is_main_process():
                self._write_records(arguments.max_steps, frames, data.classes)

        seconds = RESUME_SECONDS if self._resume_seconds is None else self._resume_seconds
        following = PlanCallback(data.train, self._stop, self.progress.note, seconds)
        embedding: EmbeddingCallback | None = None
        recorders: list[Any] = [FirstCheckpoint(self.run, processor), LogCallback()]
        if self.request.embed:
            asked = self.review_request()
            embedding = EmbeddingCallback(
                **{
                    ("dataset" if name == "source" else name): value
                    for name, value in asked.dataset.items()
                },
                **asked.settings,
                processor=processor,
                progress=self.progress,
            )
            recorders = [embedding]
        by_embedding = self._evaluates_by_embedding(data)
        arguments.eval_on_start = data.evaluation is not None and not by_embedding and state is None
        with quiet_transformers(), ExitStack() as stack:
            trainer = self._make_trainer(
                model, processor, data, arguments, plan, [Beginning(begin), *recorders, following]
            )
            following.trainer = trainer
            if embedding is not None:
                embedding.report = trainer.log if by_embedding else None
                stack.callback(embedding.close)
            to_go = arguments.max_steps - (
                0 if state is None else int(state.name.rpartition("-")[2])
            )
            with (
                self.progress.stage("Fine-tuning", total=to_go, unit="steps") as advance,
                following.showing(advance),
            ):
                trainer.train(resume_from_checkpoint=None if state is None else str(state))
            if trainer.is_world_process_zero() and following.outcome.step >= arguments.max_steps:
                self._finish(trainer, following.outcome)
        return following.outcome

    def _make_trainer(
        self,
        model: Any,
        processor: Any,
        data: _Data,
        arguments: Any,
        plan: SavePlan,
        callbacks: list[Any],
    ) -> Any:
        from review_embeddings.pipeline.training.trainer import CheckpointTrainer

        trainer = CheckpointTrainer(
            self.run,
            plan,
            model=model,
            args=arguments,
            train_dataset=data.train,
            eval_dataset=data.evaluation,
            data_collator=collate,
            processing_class=processor,
            compute_metrics=_metrics_of,
            callbacks=callbacks,
        )
        trainer.remove_callback(import_transformers().PrinterCallback)
        return trainer

    def _finish(self, trainer: Any, outcome: Outcome) -> None:
        """Put the final model, the best or the last, into the run's own folder, where
        ``from_pretrained`` finds it."""
        step = (
            outcome.best_step
            if self.request.load_best and outcome.best_step is not None
            else outcome.step
        )
        saved = self.run.checkpoint(step)
        trainer.save_state()
        if not saved.is_dir():
            trainer.save_model(str(self.run.path))
            return
        for file in saved.iterdir():
            if file.name != "trainer_state.json":
                with whole_file(self.run.path / file.name) as temporary:
                    try:
                        os.link(file, temporary)
                    except OSError:  # another file system, or one without links
                        shutil.copyfile(file, temporary)

    def _smaller(self, batch_size: int, accumulation: int, error: BaseException) -> tuple[int, int]:
        """The next smaller batch that makes the same step with gradients accumulated. Raises
        TrainingError where there is none."""
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise TrainingError(
                f"Not enough memory for batches of {batch_size} images. Start the same again with "
                f"--batch-size {max(1, batch_size // 2)} "
                f"--set gradient_accumulation_steps={2 * accumulation} in another --run."
            ) from error
        smaller = max((size for size in range(1, batch_size) if batch_size % size == 0), default=0)
        if not smaller:
            raise TrainingError(
                "Not enough memory for a single image. Use a smaller --image-size or a smaller "
                "--model."
            ) from error
        factor = batch_size // smaller
        self.progress.note(
            f"Not enough memory for batches of {batch_size} images: going on with {smaller}, "
            f"gradients accumulated over {factor * accumulation}"
        )
        return smaller, accumulation * factor

    def _note_unreadable(self, images: LabelledImages) -> None:
        rows = images.ids[images.unreadable.numpy()]
        if len(rows):
            self.progress.note(
                f"Left out training images that cannot be read; {len(rows)} were met, such as row "
                f"{rows[0]} of the split"
            )


# -- parts that need no state


@dataclass(frozen=True)
class _Opened:
    """The splits, their rows chosen, no image read."""

    train: OpenedDataset
    chosen: NDArray[np.int64]
    labels: NDArray[np.int32]
    classes: list[str]
    held_out: OpenedDataset | None
    eval_split: str | None
    review: OpenedDataset


def evaluations(run: RunFolder) -> dict[int, dict[str, float]]:
    """Every evaluation in a run's ``log.csv``, by step."""
    found = {}
    for row in read_rows(run.log):
        if row["eval_accuracy"]:
            found[int(row["step"])] = {
                name: float(value)
                for name, value in row.items()
                if name.startswith("eval_") and value
            }
    return found


def steps_an_epoch(
    images: int, batch_size: int, processes: int, accumulation: int, drop_last: bool = False
) -> int:
    """Optimizer steps of one pass over the images, as the Trainer counts them; at least 1."""
    batches = images // batch_size if drop_last else math.ceil(images / batch_size)
    return max(1, math.ceil(math.ceil(batches / processes) / accumulation))


def kept_steps(keep: str, frames: Sequence[int]) -> list[int]:
    """The checkpoints that ``--keep`` names. Raises SettingsError for one that is not made."""
    names = [name.strip() for name in keep.split(",") if name.strip()]
    if names == [KEEP_ALL]:
        return list(frames)
    chosen = []
    for name in names:
        if name in {"first", "last"}:
            chosen.append(frames[0] if name == "first" else frames[-1])
        elif name.isdigit() and int(name) in frames:
            chosen.append(int(name))
        else:
            raise SettingsError(
                f"--keep {name}: no checkpoint is made there. Use {KEEP_ALL}, or some of first, "
                f"last and {_few(frames)}."
            )
    if not chosen:
        raise SettingsError(
            f"--keep names nothing. Use {KEEP_ALL}, or some of first, last and {_few(frames)}."
        )
    return chosen


def _few(frames: Sequence[int]) -> str:
    return ", ".join(map(str, frames[:6])) + (" …" if len(frames) > 6 else "")


def has_bf16(on_cpu: bool = False) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32."""
    import torch

    if torch.cuda.is_available() and not on_cpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.mps.is_available() and not on_cpu:
        return False
    read = getattr(torch.cpu, "get_capabilities", None)
    found = read() if read else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def _check_ranges(values: Mapping[str, Any], request: FineTuning) -> None:
    """Raise SettingsError for numbers that TrainingArguments takes and no training can be made
    with."""
    import torch

    for name, least in (
        ("gradient_accumulation_steps", 1),
        ("batch-size", 1),
        ("learning_rate", 0),
        ("weight_decay", 0),
        ("max_grad_norm", 0),
        ("dataloader_num_workers", 0),
    ):
        if name in values and values[name] < least:
            raise SettingsError(f"{name}={values[name]} is out of range. Use {least} or more.")
    if not 0 <= request.seed < 2**32:
        raise SettingsError(f"--seed {request.seed} is out of range. Use 0 to {2**32 - 1}.")
    if values.get("fp16") and not torch.cuda.is_available():
        raise SettingsError(
            "fp16=true needs a CUDA GPU. Leave it out; bf16 is used where the hardware has it."
        )


def _check_labels(opened: OpenedDataset) -> tuple[NDArray[np.int32], list[str]]:
    """Labels and classes of the training split. Raises DatasetError where it cannot be learnt
    from."""
    name = f"Split {opened.reference.split!r} of {opened.reference.source}"
    if opened.labels is None or opened.classes is None:
        raise DatasetError(
            f"{name} has no labels, or none that were found; its columns are "
            f"{', '.join(opened.rows.features)}. "
            "Name one with --label-column; a folder of images needs a folder for each of two "
            "classes or more."
        )
    feature = opened.rows.features[str(opened.reference.label_column)]
    if "float" in str(getattr(feature, "dtype", "")) and any(
        "." in label for label in opened.classes
    ):
        raise DatasetError(
            f"Column {opened.reference.label_column!r} of {name} holds numbers ({feature.dtype}), "
            f"not classes. "
            "Name another with --label-column."
        )
    return opened.labels, opened.classes


def _labels_by_name(opened: OpenedDataset, classes: list[str]) -> NDArray[np.int32]:
    """Labels of another split as indices into the classes that are trained; -1 for any other."""
    if opened.labels is None or opened.classes is None:
        raise DatasetError(
            f"Split {opened.reference.split!r} of {opened.reference.source} has no labels. Name "
            f"another with --eval-split."
        )
    index = {name: place for place, name in enumerate(classes)}
    place = np.array([index.get(name, -1) for name in opened.classes] + [-1], dtype=np.int32)
    return place[opened.labels]


def _metrics_of(evaluated: Any) -> dict[str, float]:
    """What the Trainer's evaluation reports, from its predictions (logits, or several outputs with
    the logits first)."""
    logits = (
        evaluated.predictions[0]
        if isinstance(evaluated.predictions, tuple)
        else evaluated.predictions
    )
    return classification_metrics(
        np.asarray(evaluated.label_ids), np.asarray(logits).argmax(axis=1)
    )


def _gigabytes(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return (
                f"{size / factor:,.2f} {unit}"
                if size < 10 * factor
                else f"{size / factor:,.0f} {unit}"
            )
    return f"{size:.0f} bytes"
