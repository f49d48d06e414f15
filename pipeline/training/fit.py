"""Runs Hugging Face's Trainer on what was set up, from the start or from a full state, and leaves
the final model in the run folder. Decides nothing about the training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.analysis.metrics import classification_metrics
from review_embeddings.pipeline.models.classifier import load_saved
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.progress import Progress, default_activity
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import READING_FIELDS
from review_embeddings.pipeline.training.data import review_request
from review_embeddings.pipeline.training.finish import (
    best_step,
    is_final_in_place,
    put_final,
    remove_older_states,
)
from review_embeddings.pipeline.training.images import collate
from review_embeddings.pipeline.training.lora import load_adapter
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.resume import TrainingState, newest_state
from review_embeddings.pipeline.training.setup import Setup

if TYPE_CHECKING:
    from review_embeddings.pipeline.training.callback import EmbeddingCallback
    from review_embeddings.pipeline.training.trainer import (
        CheckpointTrainer,
        Outcome,
        PlanCallback,
    )


def fit(
    run: RunFolder,
    setup: Setup,
    state: TrainingState | None,
    *,
    on_begin: Callable[[], None],
    stop: Callable[[], bool],
    progress: Progress,
    resume_seconds: float | None,
    reread: bool = False,
) -> Outcome:
    """Train, from ``state`` on where there is one. ``on_begin`` is called when the Trainer has
    accepted everything; the other arguments are those of `finetune`."""
    from review_embeddings.pipeline.training import trainer as trainers
    from review_embeddings.pipeline.training.callback import LogCallback

    seconds = trainers.RESUME_SECONDS if resume_seconds is None else resume_seconds
    plan = trainers.PlanCallback(setup.data.train, stop, progress.note, seconds)
    embedding = _embedding_callback(setup, progress, reread=reread) if setup.request.embed else None
    first = trainers.FirstCheckpoint(run, setup.processor)
    recorders = (
        [first, LogCallback(progress=progress, strict=True)] if embedding is None else [embedding]
    )
    _complete_arguments(setup, is_resumed=state is not None)
    model = setup.model if state is None else _model_of(setup, state)
    with quiet_transformers(), ExitStack() as stack:
        callbacks = [trainers.Beginning(on_begin), *recorders, plan]
        trainer = _make_trainer(run, setup, model, callbacks)
        plan.trainer = trainer
        if embedding is not None:
            embedding.report = trainer.log if setup.evaluates_by_embedding else None
            stack.callback(embedding.close)
        _train(trainer, plan, setup, state, progress)
        if trainer.is_world_process_zero() and plan.outcome.step >= setup.schedule.total:
            with default_activity("Writing the final model"):
                finish(run, setup.request)
    return plan.outcome


def finish(run: RunFolder, request: FineTuning) -> int | None:
    """Put the final model, the best or the last, into the run folder where it is not there; returns
    the step that evaluated best. The training's last step must have been made."""
    state = newest_state(run)
    assert state is not None
    remove_older_states(state.folder)
    best = best_step(state)
    wanted = best if request.load_best else None
    if not is_final_in_place(run, state, wanted):
        with run.lock(wait=True):
            put_final(run, state, wanted)
    return best


def _model_of(setup: Setup, state: TrainingState) -> Any:
    """The model with the weights that a training goes on from."""
    if setup.request.lora is None:
        return load_saved(state.folder)
    return load_adapter(setup.model, state.folder)


def _embedding_callback(setup: Setup, progress: Progress, *, reread: bool) -> EmbeddingCallback:
    from review_embeddings.pipeline.training.callback import EmbeddingCallback

    review = review_request(setup.request, setup.splits)
    dataset = dict(review.dataset)
    return EmbeddingCallback(
        dataset.pop("source"),
        reading={name: dataset.pop(name) for name in READING_FIELDS},
        **dataset,
        **review.settings,
        processor=setup.processor,
        progress=progress,
        strict=True,
        reread=reread,
    )


def _complete_arguments(setup: Setup, *, is_resumed: bool) -> None:
    """Set what was planned in TrainingArguments."""
    arguments = setup.arguments
    by_trainer = setup.data.evaluation is not None and not setup.evaluates_by_embedding
    arguments.max_steps = setup.schedule.total
    arguments.eval_on_start = by_trainer and not is_resumed
    # the best is kept by the plan, and a Trainer that also looks for it would get in the way
    arguments.metric_for_best_model = None


def _make_trainer(
    run: RunFolder, setup: Setup, model: Any, callbacks: list[Any]
) -> CheckpointTrainer:
    from review_embeddings.pipeline.training.trainer import CheckpointTrainer

    trainer = CheckpointTrainer(
        run,
        setup.plan,
        model=model,
        args=setup.arguments,
        train_dataset=setup.data.train,
        eval_dataset=setup.data.evaluation,
        data_collator=collate,
        processing_class=setup.processor,
        compute_metrics=_metrics_of,
        callbacks=callbacks,
    )
    trainer.remove_callback(import_transformers().PrinterCallback)
    return trainer


def _train(
    trainer: CheckpointTrainer,
    plan: PlanCallback,
    setup: Setup,
    state: TrainingState | None,
    progress: Progress,
) -> None:
    from review_embeddings.pipeline.training.trainer import StoppedAtStartError

    left = setup.schedule.total - (0 if state is None else state.step)
    with (
        progress.stage("Fine-tuning", total=left, unit="steps") as advance,
        plan.showing(advance),
        suppress(StoppedAtStartError),
    ):
        trainer.train(resume_from_checkpoint=None if state is None else str(state.folder))


def _metrics_of(evaluated: Any) -> dict[str, float]:
    """What the Trainer's evaluation reports, from its predictions (logits, or several outputs with
    the logits first)."""
    outputs = evaluated.predictions
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    predicted = np.asarray(logits).argmax(axis=1)
    return classification_metrics(np.asarray(evaluated.label_ids), predicted)
