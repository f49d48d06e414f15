"""Fine-tunes an image classifier with Hugging Face's Trainer and saves checkpoints made to be
looked at.

The order of the steps: options, data, model, plan, training. What cannot work is refused before
anything long is begun, a training that was stopped or killed goes on, and one that does not fit
the memory is tried again with smaller batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import (
    ReviewError,
    SettingsError,
    TrainingError,
    reason_of,
)
from review_embeddings.pipeline.machine import is_out_of_memory
from review_embeddings.pipeline.models.classifier import read_model_config
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import check_trained_into
from review_embeddings.pipeline.training.arguments import parse_values
from review_embeddings.pipeline.training.data import Splits, open_splits, review_request
from review_embeddings.pipeline.training.devices import check_device, training_arithmetic
from review_embeddings.pipeline.training.disk import check_disk
from review_embeddings.pipeline.training.fit import finish, fit
from review_embeddings.pipeline.training.images import LabelledImages
from review_embeddings.pipeline.training.log import evaluations
from review_embeddings.pipeline.training.options import Batch, FineTuning, check_options
from review_embeddings.pipeline.training.resume import (
    TrainingState,
    check_new_folder,
    check_state,
    newest_state,
    resolve_options,
    write_records,
)
from review_embeddings.pipeline.training.setup import Setup, set_up
from review_embeddings.pipeline.training.trained import write_trained_images

if TYPE_CHECKING:
    from review_embeddings.pipeline.training.trainer import Outcome


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
    device: str | None = None
    """The device that was named."""

    @property
    def finished(self) -> bool:
        return self.steps >= self.total


def finetune(
    run: RunFolder,
    options: Mapping[str, Any],
    *,
    resume: bool = False,
    reread: bool = False,
    progress: Progress = SILENT,
    stop: Callable[[], bool] = lambda: False,
    resume_seconds: float | None = None,
) -> FineTuned:
    """Fine-tune a model into a run folder; ``options`` holds fields of `FineTuning`.

    The same call goes on where a training was stopped or killed; with ``resume`` options given
    before need not be given again, and more steps may be asked for. ``stop`` is asked after each
    step and ends the training in good order. ``reread`` as of `Request`, for the images that are
    embedded meanwhile. A full state of the training is written at most every
    ``resume_seconds``. Raises ReviewError.
    """
    check_device(options.get("device"), {}, is_new=True)
    request = resolve_options(run, options, resume=resume)
    if is_main_process() and not run.training.is_file():
        check_new_folder(run, request)
    values = parse_values(request.arguments)
    check_device(request.device, values, is_new="device" in options)
    batch = Batch.of(request, values)
    check_options(request, values, batch)
    read_model_config(request.model)  # a wrong name is refused before a data set is downloaded
    if reread and not request.embed:
        raise SettingsError(
            f"--reread goes with --embed: nothing else is read for the review here. Use it with "
            f"`{build_command(run)}`."
        )
    splits = open_splits(request, progress)
    training = _FineTuner(run, request, values, splits, progress, stop, resume_seconds, reread)
    return training.train(batch)


def is_main_process() -> bool:
    """Whether this is the process that writes, under torchrun and accelerate launch."""
    return os.environ.get("RANK", "0") == "0"


@dataclass
class _FineTuner:
    """One call of `finetune`, its options and data known."""

    run: RunFolder
    request: FineTuning
    values: Mapping[str, Any]
    splits: Splits
    progress: Progress
    stop: Callable[[], bool]
    resume_seconds: float | None
    reread: bool
    has_begun: bool = False
    """Whether a Trainer has accepted everything."""
    is_locked: bool = False
    """Whether this process holds the run's training lock."""

    def train(self, batch: Batch) -> FineTuned:
        """Train in batches of this size, or smaller ones where the memory does not suffice."""
        with ExitStack() as lock:
            while True:
                setup = self._set_up(batch)
                state = newest_state(self.run)
                if self._is_at_the_end(setup, state):
                    return self._finish(setup, lock)
                if state is not None:
                    check_state(self.run, state)
                check_disk(self.run, setup, has_state=state is not None)
                self._lock(lock)
                self._note_start(setup, state)
                try:
                    outcome = self._fit(setup, state)
                except ReviewError:
                    raise
                except Exception as error:
                    batch = self._batch_after(error, batch)
                    del setup  # its memory is needed for the next one
                    continue
                self._note_unreadable(setup.data.train)
                return self._result(setup, outcome.step, outcome.best_step)

    def _set_up(self, batch: Batch) -> Setup:
        return set_up(self.run, self.request, self.values, batch, self.splits, self.progress)

    def _finish(self, setup: Setup, lock: ExitStack) -> FineTuned:
        """Make up for what a kill has kept from being made after the last step."""
        best = None
        if is_main_process():
            self._lock(lock)
            best = finish(self.run, self.request)
        return self._result(setup, setup.schedule.total, best)

    def _is_at_the_end(self, setup: Setup, state: TrainingState | None) -> bool:
        total = setup.schedule.total
        if state is not None and state.step > total:
            raise SettingsError(
                f"{self.run} is at step {state.step} already, and {total} were asked for. Ask for "
                f"more, or for none."
            )
        return state is not None and state.step == total

    def _lock(self, lock: ExitStack) -> None:
        """Take the training's lock once; the first process does for all."""
        if is_main_process() and not self.is_locked:
            lock.enter_context(self.run.training_lock())
            check_trained_into(self.run.path)
            self.is_locked = True

    def _fit(self, setup: Setup, state: TrainingState | None) -> Outcome:
        def begin() -> None:
            self.has_begun = True
            if is_main_process():
                self._write_records(setup)

        return fit(
            self.run,
            setup,
            state,
            on_begin=begin,
            stop=self.stop,
            progress=self.progress,
            resume_seconds=self.resume_seconds,
            reread=self.reread,
        )

    def _write_records(self, setup: Setup) -> None:
        review = review_request(self.request, self.splits)
        classes = self.splits.classes
        write_records(self.run, self.request, review, setup.schedule, classes, self.progress)
        splits, listed = self.splits, self.request.train_list
        write_trained_images(
            self.run,
            splits.train,
            splits.rows,
            [classes[label] for label in splits.labels.tolist()],
            self.progress,
            listed=None if listed is None else Path(listed),
        )

    def _batch_after(self, error: Exception, batch: Batch) -> Batch:
        """The batch to try next; raises where the error has another cause than the memory."""
        if is_out_of_memory(error):
            return _smaller_batch(batch, error, self.progress)
        if self.has_begun:
            raise error
        raise SettingsError(
            f"The Trainer cannot begin with these arguments: {reason_of(error)} Change what was "
            f"given with --set."
        ) from error

    def _result(self, setup: Setup, steps: int, best_step: int | None) -> FineTuned:
        schedule = setup.schedule
        metrics = evaluations(self.run.log)
        device = self.request.device
        return FineTuned(
            self.run, steps, schedule.total, schedule.frames, metrics, best_step, device
        )

    def _note_start(self, setup: Setup, state: TrainingState | None) -> None:
        if self.has_begun:
            return
        self.progress.note(f"Training on {training_arithmetic(setup.arguments)}")
        if state is not None:
            self.progress.note(f"Going on from step {state.step} of {setup.schedule.total}")
        elif self.run.training.is_file():
            self.progress.note(
                "Beginning again at step 0: the training was ended before its state was saved"
            )

    def _note_unreadable(self, images: LabelledImages) -> None:
        rows = images.ids[images.unreadable.numpy()]
        if len(rows):
            self.progress.note(
                f"Left out training images that cannot be read; {len(rows)} were met, such as row "
                f"{rows[0]} of the split"
            )


def _smaller_batch(batch: Batch, error: Exception, progress: Progress) -> Batch:
    """The next smaller batch that makes the same step. Raises TrainingError where there is none."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError(
            f"Not enough memory for batches of {batch.size} images. Start the same again with "
            f"--batch-size {max(1, batch.size // 2)} "
            f"--set gradient_accumulation_steps={2 * batch.accumulation} in another --run."
        ) from error
    smaller = batch.smaller()
    if smaller is None:
        raise TrainingError(
            "Not enough memory for a single image. Use a smaller --image-size or a smaller --model."
        ) from error
    progress.note(
        f"Not enough memory for batches of {batch.size} images: going on with {smaller.size}, "
        f"gradients accumulated over {smaller.accumulation}"
    )
    return smaller
