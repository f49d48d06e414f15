"""Callbacks for any script that uses Hugging Face's Trainer: ``log.csv``, and embeddings of a data
set at every save.

    trainer.add_callback(EmbeddingCallback("uoft-cs/cifar10", split="test"))

Importing this module imports transformers; ``from pipeline import EmbeddingCallback`` does so when
it is reached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.forms.adapters.form import describe_adapter, is_adapted
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import whole_folder
from review_embeddings.pipeline.run.folder import RunFolder, reference_to
from review_embeddings.pipeline.settings import AUTO, Request, Settings, check_settings
from review_embeddings.pipeline.training.counts import PREFIX, counts_of, is_looked_on, report
from review_embeddings.pipeline.training.faults import FaultSwitch
from review_embeddings.pipeline.training.live import LiveEmbedding, how_to_review, is_saved
from review_embeddings.pipeline.training.log import TrainingLog
from review_embeddings.pipeline.training.recording.undisturbed import random_numbers_kept

transformers = import_transformers()


class LogCallback(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # imported without its types
    """Keeps ``log.csv`` in the run folder: one row a logged step, on disk as soon as it was
    logged.

    A file that cannot be written is told once, and ends no training.
    """

    def __init__(
        self,
        run: str | Path | None = None,
        progress: Progress = SILENT,
        *,
        strict: bool = False,
    ) -> None:
        """``run`` is the run folder; by default the Trainer's output folder. ``strict`` as of
        `FaultSwitch`."""
        self._run = run
        self._log: TrainingLog | None = None
        self._log_switch = FaultSwitch("log.csv", progress, self._stop_logging, strict=strict)

    def _stop_logging(self) -> None:
        self._log = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the log at the training's first step, also where it goes on from a checkpoint."""
        with self._log_switch.guarded():
            if state.is_world_process_zero and not self._log_switch.is_off:
                run = self.run_folder(args)
                self._log = TrainingLog(run.log)
                with run.lock(wait=True):
                    self._log.begin(state.global_step)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, object] | None = None,
        **_: Any,
    ) -> None:
        """Write the row."""
        with self._log_switch.guarded():
            if self._log is not None:
                self._log.add(state.global_step, logs or {})

    def run_folder(self, args: Any) -> RunFolder:
        """The run folder that is written to."""
        return RunFolder(Path(self._run or args.output_dir))


class EmbeddingCallback(LogCallback):
    """Embeds a split of a data set before the first step and at every save, with the weights that
    are in memory.

    The run folder (the Trainer's output folder) can then be reviewed at any time, also while the
    training goes on. Training and random state stay untouched. Step 0 is saved as ``checkpoint-0``,
    with the configuration and the image processor that the embedding needs. Of a model of peft the
    adapter is at work, and what is saved is the adapter.

    What cannot work is refused before the first step: SettingsError where the Trainer has no image
    processor or its model is none of transformers or sharded over several processes, ReviewError
    where the data set cannot be used or the folder not be written. Any later fault is told once, in
    one line, and switches the callback off: no training is ended by it.

    >>> from review_embeddings import EmbeddingCallback, build
    >>> trainer.add_callback(EmbeddingCallback("data/colors", split="train"))
    >>> result = trainer.train()  # two steps, each saved
    >>> build(trainer.args.output_dir).manifest.steps
    [0, 1, 2]
    """

    def __init__(
        self,
        dataset: str | Path,
        *,
        split: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        limit: int | None = None,
        reading: Mapping[str, Any] | None = None,
        pooling: str | None = None,
        precision: str | None = None,
        trained_on: str | None = None,
        batch_size: int | None = None,
        processor: Any = None,
        run: str | Path | None = None,
        progress: Progress = SILENT,
        report: Callable[[dict[str, float]], None] | None = None,
        strict: bool = False,
        reread: bool = False,
    ) -> None:
        """Say what is embedded; the arguments are those of `settings.DatasetReference` and
        `Settings`.

        ``limit`` embeds only so many images, a seeded sample balanced over the classes. ``reading``
        holds further fields of the reference (`settings.READING_FIELDS`), where a data set can be
        read in two ways.
        ``processor`` is the image processor where the Trainer was not given it as
        ``processing_class``. ``report`` is called after each checkpoint with ``eval_loss``,
        ``eval_accuracy`` and so on of the embedded images, where they are what is evaluated.
        ``strict`` as of `FaultSwitch`, ``reread`` as of `settings.Request`.
        """
        super().__init__(run, progress, strict=strict)
        self._reference = {
            "source": str(dataset),
            "split": split,
            "config": config,
            "revision": revision,
            "image_column": image_column,
            "label_column": label_column,
            "limit": limit,
            **(reading or {}),
        }
        self._settings = {"pooling": pooling, "precision": precision, "trained_on": trained_on}
        given = (pooling or AUTO, precision or AUTO)
        check_settings(Settings(*given, trained_on=trained_on or AUTO))
        self._batch_size, self._reread = batch_size, reread
        self._processor = processor
        self._progress = progress
        self.report = report
        self._metrics: dict[str, float] = {}
        self._live: LiveEmbedding | None = None
        self._switch = FaultSwitch("The embedding", progress, self._release, strict=strict)
        self._counts_switch = FaultSwitch(f"What is logged as {PREFIX}…", progress, lambda: None)

    def on_train_begin(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        processing_class: Any = None,
        **_: Any,
    ) -> None:
        """Save and embed the model before its first step."""
        super().on_train_begin(args, state, control)
        if state.is_world_process_zero and not self._switch.is_off:
            processor = self._processor or processing_class
            with self._switch.guarded(refuses=True), random_numbers_kept():
                self._begin(args, state, model, processor)
            self._report(state)
            with self._counts_switch.guarded():
                self._report_counts(args, state, control)

    def _begin(self, args: Any, state: Any, model: Any, processor: Any) -> None:
        model = _check_trainer(args, model, processor)
        run, step = self.run_folder(args), state.global_step
        folder = run.checkpoint(0)
        if step == 0:
            save_first(model, processor, state, folder)
        elif not is_saved(folder):
            folder = Path(args.output_dir) / f"checkpoint-{step}"
        self._live = LiveEmbedding(run, self._request(args, run), self._progress)
        first = Checkpoint(step, str(folder), epoch=float(state.epoch or 0.0))
        for note in self._live.prepare(first, model):
            self._switch.note(note)
        if step == 0:
            self._embed(args, state, model, folder)

    def _request(self, args: Any, run: RunFolder) -> Request:
        output = Path(args.output_dir)
        is_outside = output.resolve() != run.path.resolve()
        return Request(
            dataset=self._reference,
            settings=self._settings,
            batch_size=self._batch_size,
            reread=self._reread,
            device=str(args.device),
            checkpoints=reference_to(output, run) if is_outside else None,
        )

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Embed with the weights as they are now."""
        if self._live is not None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            with self._switch.guarded(), random_numbers_kept():
                self._embed(args, state, whole_model(model), folder)
            self._report(state)
            with self._counts_switch.guarded():
                self._report_counts(args, state, control)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let other processes embed again, and say how to review what is there."""
        with self._switch.guarded():
            if self._live is not None:
                self._switch.note_at_end(how_to_review(self.run_folder(args)))
            self.close()

    def close(self) -> None:
        """Let other processes embed, or another callback: the training has ended, in whatever
        way."""
        with self._switch.guarded():
            self._release()

    def _release(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.close()

    def _embed(self, args: Any, state: Any, model: Any, folder: Path) -> None:
        assert self._live is not None
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        checkpoint = Checkpoint(
            state.global_step,
            str(folder),
            float(state.epoch or 0.0),
            float(losses[-1]) if losses else None,
        )
        self._live.embed(checkpoint, model, saved=is_saved(folder), device=args.device)
        if self.report is not None:
            self._metrics = self._live.metrics(state.global_step)

    def _report_counts(self, args: Any, state: Any, control: Any) -> None:
        """Log what a review would find at this checkpoint, where the training reports to a service:
        nobody else would wait for it."""
        live = self._live
        if live is None or self._counts_switch.is_off or not is_looked_on(args):
            return
        with random_numbers_kept():
            counts = counts_of(live.live, live.embedded) if live.embedded else {}
        report(counts, args, state, control)

    def _report(self, state: Any) -> None:
        """Call what was given for it: its faults are not ours, and some of them are meant, such as
        the end of a search."""
        metrics, self._metrics = self._metrics, {}
        if self.report is not None and metrics:
            self.report({f"eval_{name}": value for name, value in metrics.items()})


def _check_trainer(args: Any, model: Any, processor: Any) -> Any:
    """The model of a Trainer without wrappers. Raises SettingsError where it cannot be embedded
    while it is trained."""
    sharding = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    is_sharded = any(os.environ.get(name, "").lower() == "true" for name in sharding)
    if is_sharded or getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
        raise SettingsError(
            "A model that is sharded over processes (FSDP, DeepSpeed) cannot be embedded while it "
            "is trained. Leave it out."
        )
    if processor is None:
        raise SettingsError(
            "EmbeddingCallback needs the image processor. Give Trainer(processing_class=…) or "
            "EmbeddingCallback(processor=…)."
        )
    model = whole_model(model)
    if not hasattr(model, "save_pretrained") or not (hasattr(model, "config") or is_adapted(model)):
        raise SettingsError(
            f"EmbeddingCallback embeds models of transformers, and {type(model).__name__} is none. "
            "Use pipeline.Recorder, which takes any module of torch."
        )
    return model


def whole_model(model: Any) -> Any:
    """The model without the wrappers of distributed training and compilation."""
    from accelerate.utils import extract_model_from_parallel

    return extract_model_from_parallel(model, keep_torch_compile=False)


def save_first(model: Any, processor: Any, state: Any, folder: Path) -> None:
    """Write the model before its first step as a checkpoint like the Trainer's, whole or not at
    all. Raises StorageError."""
    with whole_folder(folder) as temporary:
        with quiet_transformers():
            model.save_pretrained(temporary)
            describe_adapter(model, temporary)
            processor.save_pretrained(temporary)
        state.save_to_json(str(temporary / "trainer_state.json"))
