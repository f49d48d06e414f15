"""Which checkpoints the table is to hold, and the embedding of those that are not embedded yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import (
    BusyError,
    CheckpointError,
    DatasetError,
    ReviewError,
    RunError,
)
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.stages.embedding import Embedding, embed
from review_embeddings.pipeline.stages.execute import Ahead
from review_embeddings.pipeline.stages.plan import NEW, Before, plan
from review_embeddings.pipeline.stages.resolve import embedded_steps
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import Job
from review_embeddings.pipeline.stages.state import RunState


@dataclass(frozen=True)
class Wanted:
    """The checkpoints that a table could hold."""

    asked: list[int]
    """Steps that were asked for, ascending."""
    kept: list[int]
    """Steps that the table holds already and that were not asked for."""

    @property
    def steps(self) -> list[int]:
        """All of them, ascending."""
        return sorted({*self.asked, *self.kept})


@dataclass
class Chosen:
    """What became of them."""

    current: list[int] = field(default_factory=list)
    """Steps whose embeddings are there."""
    jobs: list[Job] = field(default_factory=list)
    """Embeddings that are to be computed."""
    first_error: ReviewError | None = None
    asked: list[int] = field(default_factory=list)
    """Steps at least one of which the table is to hold; none where nothing was asked for."""


def wanted_checkpoints(session: BuildSession, state: RunState, asked: Sequence[int]) -> Wanted:
    """Those that were asked for and those that the table holds already."""
    known = {
        *state.models.found.steps,
        *embedded_steps(session.run, state.info, state.models.found),
    }
    before = table.known_steps(session.run)
    for step in before:
        if step not in known:
            session.progress.note(
                f"Checkpoint {step} leaves the table: neither its weights nor its embeddings are "
                "part of the run any more."
            )
    kept = [step for step in before if step in known and step not in asked]
    return Wanted(list(asked), kept)


def choose(session: BuildSession, state: RunState, wanted: Wanted, before: Before) -> Chosen:
    """Which checkpoints the table holds now, and which are to be embedded first."""
    stale = {job.step: job for job in plan(state.with_steps(wanted.steps), ["embeddings"], before)}
    now = _embedded_now(wanted.steps, stale) if session.request.piecemeal else wanted.steps
    chosen = Chosen(asked=[] if session.request.wanted is None else wanted.asked)
    for step in wanted.steps:
        if step not in stale:
            chosen.current.append(step)
            _note_version(session, state, step)
        elif _can_be_embedded(session, state, wanted, stale[step]):
            if stale[step].reason != NEW:
                session.progress.note(f"Checkpoint {step} is embedded again: {stale[step].reason}")
            if step in now:
                chosen.jobs.append(stale[step])
            else:
                session.waiting.append(step)
    _note_faults(session, state, chosen.current)
    return chosen


def _embedded_now(steps: Sequence[int], stale: dict[int, Job]) -> list[int]:
    """The steps that a piecemeal request may embed: the first, and the newest that is stale."""
    return [steps[0], max(stale)] if stale else []


def _note_version(session: BuildSession, state: RunState, step: int) -> None:
    stage = state.stages["embeddings"]
    version = state.version(stage, step)
    if version < stage.version:
        session.progress.note(
            f"Checkpoint {step} was embedded by an older version (method {version} of "
            f"{stage.version}) and its weights are not there any more: its results stay as they "
            "are."
        )


def _note_faults(session: BuildSession, state: RunState, steps: Sequence[int]) -> None:
    """Say which results are wrong and cannot be made anew."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for reason in state.faults(step):
            found.setdefault(reason, []).append(str(step))
    for reason, names in found.items():
        session.progress.note(
            f"Embeddings of an earlier version, checkpoint {', '.join(names)}: {reason}. The "
            "weights are not there any more: the results stay, marked as wrong."
        )


def _can_be_embedded(session: BuildSession, state: RunState, wanted: Wanted, job: Job) -> bool:
    """Whether a checkpoint that is stale is to be embedded; says why not."""
    progress, run, step = session.progress, session.run, job.step
    if step not in state.models.found.steps:
        why = "its weights are not there any more"
        if state.info.recorded:
            why = "it was recorded with others, and without its weights"
        gone = f"Checkpoint {step} cannot be embedded again for these images and settings: {why}."
        if step in wanted.asked and session.request.wanted is not None:
            named = "" if state.info.recorded else "their folder with --checkpoints, or "
            raise CheckpointError(f"{gone} Name {named}another checkpoint.")
        progress.note(gone)
        return False
    if step in wanted.kept:
        progress.note(
            f"Checkpoint {step} leaves the table: {job.reason}. "
            f"`{build_command(run)}` brings it back."
        )
        return False
    return True


def embed_all(session: BuildSession, state: RunState, chosen: Chosen) -> list[int]:
    """Embed what is to be embedded; the steps that the table holds now.

    A checkpoint that cannot be embedded is left out, and the reason said. Raises ReviewError where
    none is left, or none of those that were asked for.
    """
    current = list(chosen.current)
    expected = sorted({*current, *(job.step for job in chosen.jobs)})
    with Ahead(session, state.with_steps(expected)) as ahead:
        for position, job in enumerate(chosen.jobs):
            later = [other.step for other in chosen.jobs[position + 1 :]]
            if _is_embedded(session, state, chosen, job.step, later):
                current.append(job.step)
                if later:
                    ahead.begin(job.step)
    if not current or (chosen.asked and not set(chosen.asked) & set(current)):
        why = "their weights are not there any more. Name their folder with --checkpoints."
        if state.info.recorded:
            why = "they were recorded with others, without their weights. Record them again."
        raise chosen.first_error or RunError(
            f"No checkpoint of {session.run} has embeddings of these images, and {why}"
        )
    return sorted(current)


def _is_embedded(
    session: BuildSession, state: RunState, chosen: Chosen, step: int, later: Sequence[int]
) -> bool:
    """Embed a checkpoint; False, and the reason said, where it cannot be."""
    try:
        _embed(session, state, step, _following(state, later))
    except (CheckpointError, DatasetError, BusyError) as error:
        if isinstance(error, BusyError) and session.request.wanted is not None:
            raise
        chosen.first_error = chosen.first_error or error
        if isinstance(error, BusyError) and session.request.piecemeal:
            session.waiting.append(step)
        else:
            session.progress.note(f"Left out checkpoint {step}: {error}")
        return False
    return True


def _embed(session: BuildSession, state: RunState, step: int, following: Checkpoint | None) -> None:
    key = state.key(step)
    assert key is not None
    checkpoint = state.models.found.by_step(step)
    embed(session, Embedding(state.models, state.images, checkpoint, key, following=following))
    state.forget_key(step)


def _following(state: RunState, later: Sequence[int]) -> Checkpoint | None:
    """The next of some checkpoints that was never embedded."""
    never = (step for step in later if state.run.result_metadata("embeddings", step) is None)
    step = next(never, None)
    return None if step is None else state.models.found.by_step(step)
