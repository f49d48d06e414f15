"""Callbacks for any script that uses Hugging Face's Trainer: ``log.csv``, and embeddings of a data
set at every save.

    trainer.add_callback(EmbeddingCallback("uoft-cs/cifar10", split="test"))

Importing this module imports transformers; ``from pipeline import EmbeddingCallback`` does so when
it is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, SettingsError
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.folder import WEIGHTS, RunFolder, reference_to
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.training.live import LiveEmbedding
from review_embeddings.pipeline.training.log import TrainingLog

transformers = import_transformers()


class LogCallback(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # imported without its types
    """Keeps ``log.csv`` in the run folder: one row a logged step, on disk as soon as it was
    logged."""

    def __init__(self, run: str | Path | None = None) -> None:
        """``run`` is the run folder; by default the Trainer's output folder."""
        self._run = run
        self._log: TrainingLog | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the log at the training's first step, also where it goes on from a checkpoint."""
        if state.is_world_process_zero:
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
    with the configuration and the image processor that the embedding needs. Errors: SettingsError
    where the Trainer has no image processor or its model is sharded over several processes;
    ReviewError where the data set cannot be used.
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
        pooling: str | None = None,
        precision: str | None = None,
        batch_size: int | None = None,
        processor: Any = None,
        run: str | Path | None = None,
        progress: Progress = SILENT,
        report: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        """Say what is embedded; the arguments are those of `settings.DatasetReference` and
        `Settings`.

        ``limit`` embeds only so many images, a seeded sample balanced over the classes.
        ``processor`` is the image processor where the Trainer was not given it as
        ``processing_class``. ``report`` is called after each checkpoint with ``eval_loss``,
        ``eval_accuracy`` and so on of the embedded images, where they are what is evaluated.
        """
        super().__init__(run)
        self._reference = {
            "source": str(dataset),
            "split": split,
            "config": config,
            "revision": revision,
            "image_column": image_column,
            "label_column": label_column,
            "limit": limit,
        }
        self._settings = {"pooling": pooling, "precision": precision}
        self._batch_size = batch_size
        self._processor = processor
        self._progress = progress
        self.report = report
        self._live: LiveEmbedding | None = None

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
        if not state.is_world_process_zero:
            return
        processor = self._processor or processing_class
        _check_trainer(args, processor)
        run, model, step = self.run_folder(args), whole_model(model), state.global_step
        folder = run.checkpoint(0)
        if step == 0:
            save_first(model, processor, state, folder)
        elif not (folder / WEIGHTS).is_file():
            folder = Path(args.output_dir) / f"checkpoint-{step}"
        self._live = LiveEmbedding(run, self._request(args, run), self._progress)
        first = Checkpoint(step, str(folder), epoch=float(state.epoch or 0.0))
        self._live.prepare(first, model)
        if step == 0:
            self._embed(args, state, model, folder)

    def _request(self, args: Any, run: RunFolder) -> Request:
        output = Path(args.output_dir)
        is_outside = output.resolve() != run.path.resolve()
        return Request(
            dataset=self._reference,
            settings=self._settings,
            batch_size=self._batch_size,
            device=str(args.device),
            checkpoints=reference_to(output, run) if is_outside else None,
        )

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Embed with the weights as they are now."""
        if self._live is not None:
            self._embed(
                args,
                state,
                whole_model(model),
                Path(args.output_dir) / f"checkpoint-{state.global_step}",
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let other processes embed again."""
        self.close()

    def close(self) -> None:
        """Let other processes embed, or another callback: the training has ended, in whatever
        way."""
        if self._live is not None:
            self._live.close()

    def _embed(self, args: Any, state: Any, model: Any, folder: Path) -> None:
        assert self._live is not None
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        checkpoint = Checkpoint(
            state.global_step,
            str(folder),
            float(state.epoch or 0.0),
            float(losses[-1]) if losses else None,
        )
        try:
            self._live.embed(
                checkpoint, model, saved=(folder / WEIGHTS).is_file(), device=args.device
            )
        except CheckpointError as error:
            self._progress.note(f"Step {state.global_step} is not embedded: {error}")
            return
        if self.report is not None and (metrics := self._live.metrics(state.global_step)):
            self.report({f"eval_{name}": value for name, value in metrics.items()})


def _check_trainer(args: Any, processor: Any) -> None:
    """Raise SettingsError where the model of a Trainer cannot be embedded while it is trained."""
    if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
        raise SettingsError(
            "A model that is sharded over processes (FSDP, DeepSpeed) cannot be embedded while it "
            "is trained. Leave it out."
        )
    if processor is None:
        raise SettingsError(
            "EmbeddingCallback needs the image processor. Give Trainer(processing_class=…) or "
            "EmbeddingCallback(processor=…)."
        )


def whole_model(model: Any) -> Any:
    """The model without the wrappers of distributed training and compilation."""
    from accelerate.utils import extract_model_from_parallel

    return extract_model_from_parallel(model, keep_torch_compile=False)


def save_first(model: Any, processor: Any, state: Any, folder: Path) -> None:
    """Write the model before its first step as a checkpoint like the Trainer's."""
    with quiet_transformers():
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    state.save_to_json(str(folder / "trainer_state.json"))
