"""Hugging Face's Trainer with checkpoints made to be looked at: when they are saved, which are
kept, and how a training goes on.

Checkpoints hold the weights only. Beside them one full state of the training is kept, the newest,
so that a training that was killed can go on. Importing this module imports transformers.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import TrainingError
from review_embeddings.pipeline.models.classifier import logits_of, size_options
from review_embeddings.pipeline.models.forms.adapters.form import describe_adapter
from review_embeddings.pipeline.models.libraries import import_transformers, random_state_kept
from review_embeddings.pipeline.progress import Advance, StopRequests
from review_embeddings.pipeline.run.files import (
    read_record,
    storage_errors,
    whole_folder,
    write_checksums,
    write_json,
)
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import check_no_link, remove_file, remove_tree
from review_embeddings.pipeline.training.callback import save_first, whole_model
from review_embeddings.pipeline.training.finish import UNLOGGED, WRITING, remove_older_states
from review_embeddings.pipeline.training.images import LabelledImages
from review_embeddings.pipeline.training.plan import SavePlan

transformers = import_transformers()

PICKLED_ARGUMENTS = "training_args.bin"
"""The Trainer pickles its arguments beside every model; ours are in training.json."""

RESUME_SECONDS = 30.0
"""Least time between two full states."""

RESUME_SHARE = 0.05
"""Part of the time that writing full states may take."""


@dataclass(frozen=True)
class _Unlogged:
    """The contents of `UNLOGGED`."""

    loss: float
    steps: int


@dataclass
class Outcome:
    """What became of a training."""

    step: int = 0
    """Last step that was made."""
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    """``eval_loss``, ``eval_accuracy`` and so on by step, as far as this process evaluated."""
    best_step: int | None = None


class CheckpointTrainer(transformers.Trainer):  # type: ignore[misc, name-defined]  # imported without its types
    """A Trainer that saves after the steps of a plan and reports at which step a loss stopped being
    finite."""

    def __init__(self, run: RunFolder, plan: SavePlan, **arguments: Any) -> None:
        super().__init__(**arguments)
        if not _takes_labels(self.model):
            self.compute_loss_func: Any = _cross_entropy
        self.run_folder = run
        self.plan = plan
        self._redirected: Path | None = None
        self._bad_step: Any = None

    # -- the forward pass

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any
    ) -> Any:
        """Let models that were made for another image size interpolate their positions."""
        return super().compute_loss(
            model,
            {**inputs, **size_options(whole_model(model), inputs["pixel_values"])},
            *arguments,
            **options,
        )

    def training_step(self, *arguments: Any, **options: Any) -> Any:
        """Remember, without waiting for the device, the first step whose loss is not finite."""
        import torch

        loss = super().training_step(*arguments, **options)
        if self._bad_step is None:
            self._bad_step = torch.zeros((), dtype=torch.long, device=loss.device)
        is_first = (self._bad_step == 0) & ~torch.isfinite(loss.detach())
        self._bad_step = torch.where(is_first, self.state.global_step + 1, self._bad_step)
        return loss

    def check_finite(self) -> None:
        """Raise TrainingError if a loss was not finite since the training began."""
        step = 0 if self._bad_step is None else int(self._bad_step)
        if step:
            good = max((frame for frame in self.plan.frames if frame < step), default=0)
            raise TrainingError(
                f"The loss is not finite at step {step}: the training has diverged. What was saved "
                f"up to step {good} is kept and can be "
                f"reviewed. Start anew in another --run with a lower rate: --set "
                f"learning_rate={self.args.learning_rate / 10:g}"
            )

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Evaluate without drawing from the random numbers of the training."""
        with random_state_kept():
            return super().evaluate(*arguments, **options)

    # -- saving

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step in self.plan.kept:
            self.save_weights()

    def save_weights(self) -> None:
        """Write the weights of this step as a checkpoint, whatever the plan says; whole or not at
        all."""
        if not self.is_world_process_zero():
            super()._save_checkpoint(self.model, None)
            return
        checkpoint = self.run_folder.checkpoint(self.state.global_step)
        with whole_folder(checkpoint) as temporary, self._redirected_to(temporary):
            super()._save_checkpoint(self.model, None)
            written = temporary / checkpoint.name
            for file in list(written.iterdir()):
                file.rename(temporary / file.name)
            written.rmdir()

    def save_state_to_resume(self) -> None:
        """Write weights, optimizer, schedule and random states in place of the full state that was
        there; all processes call it. Raises StorageError."""
        root = self.run_folder.resume
        name = self.run_folder.checkpoint(self.state.global_step).name
        writing = root / WRITING
        with storage_errors(root / name):
            self._clear(writing)
            self.args.save_only_model = False
            try:
                with self._redirected_to(writing):
                    super()._save_checkpoint(self.model, None)
                self._keep_loss(writing / name)
            except BaseException:  # no process waits for the others any more
                if self.is_world_process_zero():
                    remove_tree(writing)
                raise
            finally:
                self.args.save_only_model = True
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                self._replace_state(root, writing / name)

    def _clear(self, folder: Path) -> None:
        if self.is_world_process_zero():
            remove_tree(folder)
        self.accelerator.wait_for_everyone()

    def _replace_state(self, root: Path, written: Path) -> None:
        final = root / written.name
        try:
            write_checksums(written)
            remove_tree(final)
            check_no_link(final)
            written.rename(final)
        finally:
            remove_tree(written.parent)
        remove_older_states(final)

    @contextmanager
    def _redirected_to(self, root: Path) -> Iterator[None]:
        """Have checkpoints written into another folder."""
        self._redirected = root
        try:
            yield
        finally:
            self._redirected = None

    # A training that is stopped between two rows of the log has losses that are not in any row yet;
    # they go into the next one.

    def _keep_loss(self, folder: Path) -> None:
        if self.is_world_process_zero():
            steps = self.state.global_step - self._globalstep_last_logged
            write_json(
                folder / UNLOGGED, {"loss": float(self._tr_loss) if steps else 0.0, "steps": steps}
            )

    def take_up_loss(self) -> None:
        """Take up the losses since the last row of the log, of a training that goes on."""
        kept = self.run_folder.resume / f"checkpoint-{self.state.global_step}" / UNLOGGED
        if self.state.global_step and kept.is_file():
            unlogged = read_record(
                kept, _Unlogged, cure="Delete it; the next row of the log lacks these losses."
            )
            self._tr_loss += unlogged.loss
            self._globalstep_last_logged -= unlogged.steps

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._redirected) if self._redirected else super()._get_output_dir(trial)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        folder = Path(output_dir or self.args.output_dir)
        remove_file(folder / PICKLED_ARGUMENTS)
        describe_adapter(whole_model(self.model), folder)


class StoppedAtStartError(Exception):
    """Somebody has asked to stop before the first step of this process was made."""


class PlanCallback(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # likewise
    """Makes the plan happen. To be the last of the callbacks, so that a checkpoint is embedded
    before it counts as done."""

    def __init__(
        self,
        images: LabelledImages,
        stop: Callable[[], bool],
        note: Callable[[str], None],
        resume_seconds: float,
    ) -> None:
        self.trainer: CheckpointTrainer | None = None
        self.outcome = Outcome()
        self._images = images
        self._stop = stop
        self._note = note
        self._resume_seconds = resume_seconds
        self._advance: Advance = lambda count: None
        self._saved_at = time.monotonic()
        self._saving_took = 0.0
        self._resumable_at: int | None = None

    @contextmanager
    def showing(self, advance: Advance) -> Iterator[None]:
        """Call ``advance`` for each step that is made."""
        self._advance = advance
        yield

    @property
    def _trainer(self) -> CheckpointTrainer:
        assert self.trainer is not None
        return self.trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved_at = time.monotonic()
        self._resumable_at = state.global_step or None
        self.outcome.step, self.outcome.best_step = state.global_step, state.best_global_step
        if isinstance(self._stop, StopRequests) and self._stop():
            raise StoppedAtStartError  # a Trainer that has begun makes a step in any case
        self._trainer.take_up_loss()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._images.epoch = int(state.epoch or 0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step, plan = state.global_step, self._trainer.plan
        self._advance(1)
        if step in plan.frames:
            control.should_log = control.should_save = True
        if step in plan.evaluated:
            control.should_evaluate = True
        if not (control.should_save or control.should_evaluate):
            self._stop_if_asked(control)
        if control.should_log or control.should_save or control.should_training_stop:
            self._trainer.check_finite()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        metrics = {
            name: float(value) for name, value in (logs or {}).items() if name.startswith("eval_")
        }
        if "eval_accuracy" in metrics:
            self.outcome.metrics[state.global_step] = metrics
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            loss = f"training loss {losses[-1]:.3f}, " if losses else ""
            self._note(
                f"Step {state.global_step}: {loss}evaluation loss {metrics['eval_loss']:.3f}, "
                f"accuracy {metrics['eval_accuracy']:.3f}"
            )

        plan = self._trainer.plan
        if (
            "loss" in (logs or {})
            and state.global_step not in plan.frames | plan.evaluated
            and self._is_due()
        ):
            self._save_state(state)  # between two checkpoints that are far apart

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step and not control.should_save:
            self._stop_if_asked(control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._keep_best(state)
        if self._is_due():
            self._save_state(state)
        self._stop_if_asked(control)

    def _stop_if_asked(self, control: Any) -> None:
        """To be called once a step, when all that belongs to it is done: its evaluation, its
        checkpoint, the embedding of that."""
        if self._stop():
            control.should_training_stop = True
            self._trainer.check_finite()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.outcome.step, self.outcome.best_step = state.global_step, state.best_global_step
        if self._resumable_at != state.global_step:
            self._save_state(state)

    def _keep_best(self, state: Any) -> None:
        """Keep the weights of the checkpoint that is better than all before, and let go of the one
        that was."""
        plan, step = self._trainer.plan, state.global_step
        value = self.outcome.metrics.get(step, {}).get(plan.best_metric or "")
        if value is None or not state.is_world_process_zero:
            return
        before = state.best_metric
        if before is not None and (value <= before if plan.greater_is_better else value >= before):
            return
        last_best, state.best_metric, state.best_global_step = state.best_global_step, value, step
        if step not in plan.kept:
            self._trainer.save_weights()
        if last_best is not None and last_best not in plan.kept:
            remove_tree(self._trainer.run_folder.checkpoint(last_best))

    def _is_due(self) -> bool:
        """Whether it is time for a full state; the first process decides for all."""
        from accelerate.utils import broadcast_object_list

        passed = time.monotonic() - self._saved_at
        due = [
            self._resumable_at is None
            or passed >= max(self._resume_seconds, self._saving_took / RESUME_SHARE)
        ]
        if self._trainer.args.world_size > 1:
            broadcast_object_list(due)
        return due[0]

    def _save_state(self, state: Any) -> None:
        started = time.monotonic()
        self._trainer.save_state_to_resume()
        self._saved_at = time.monotonic()
        self._saving_took = self._saved_at - started
        self._resumable_at = state.global_step


class Beginning(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # likewise
    """Calls something when the Trainer has accepted everything and the first step is about to be
    made."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._begin()


class FirstCheckpoint(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # likewise
    """Saves the model before its first step. To be the first of the callbacks."""

    def __init__(self, run: RunFolder, processor: Any) -> None:
        self._run = run
        self._processor = processor

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        if state.is_world_process_zero and state.global_step == 0:
            save_first(whole_model(model), self._processor, state, self._run.checkpoint(0))


def _takes_labels(model: Any) -> bool:
    """Whether a model of transformers computes its loss itself."""
    return "labels" in inspect.signature(type(whole_model(model)).forward).parameters


def _cross_entropy(output: Any, labels: Any, *, num_items_in_batch: Any = None) -> Any:
    """The loss of a model that gives its logits only, as the Trainer asks for it."""
    from torch.nn.functional import cross_entropy

    if num_items_in_batch is None:
        return cross_entropy(logits_of(output), labels)
    return cross_entropy(logits_of(output), labels, reduction="sum") / num_items_in_batch
