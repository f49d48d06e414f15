"""Computes jobs: has an engine compute what a stage says, and stores what comes back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.engines.work import Result, Work
from review_embeddings.pipeline.models.device import pick_device
from review_embeddings.pipeline.progress import SILENT, Advance
from review_embeddings.pipeline.stages.inputs import Inputs, OpenedCheckpoints
from review_embeddings.pipeline.stages.plan import Before, plan, table_is_current
from review_embeddings.pipeline.stages.registry import BUILT_IN
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import Job, Stage
from review_embeddings.pipeline.stages.state import InputSource, RunState


def compute(session: BuildSession, state: RunState, jobs: Sequence[Job]) -> None:
    """Compute jobs in their order, neighbouring ones of a group checkpoint by checkpoint."""
    for _, some in itertools.groupby(jobs, key=lambda job: job.stage.group or job.stage.name):
        together = list(some)
        session.begin_writing()
        if together[0].stage.scope == "all":
            _compute_together(session, state, together)
        elif together[0].stage.group:
            _compute_group(session, state, together)
        else:
            for job in together:
                _compute(session, state, job)


def _compute_group(session: BuildSession, state: RunState, jobs: Sequence[Job]) -> None:
    steps = sorted({job.step for job in jobs})
    with _group_progress(session, state, jobs, len(steps)) as advance:
        for step in steps:
            for job in jobs:
                if job.step == step:
                    _compute(session, state, job)
            advance(1)


@contextmanager
def _group_progress(
    session: BuildSession, state: RunState, jobs: Sequence[Job], total: int
) -> Iterator[Advance]:
    """Of neighbouring jobs that are told of together; silent where they have no title."""
    group = jobs[0].stage.group
    if not group:
        yield lambda done: None
        return
    _note_estimate(session, state, jobs)
    with session.progress.stage(group, total=total, unit="checkpoints") as advance:
        yield advance


def _note_estimate(session: BuildSession, state: RunState, jobs: Sequence[Job]) -> None:
    """Say how long something will take that takes minutes."""
    stage, images = jobs[0].stage, len(state.images)
    seconds = stage.seconds(images, len(jobs)) if stage.seconds else 0.0
    if seconds <= 0:
        return
    kind = map_kind(state.map)
    cap, minutes = kind.cap or images, max(1, round(seconds / 60))
    sampled = f", on a sample of {cap:,} images, the others placed between them"
    session.progress.note(
        f"--map {kind.key} takes about {minutes} minute{'s' * (minutes > 1)} on two idle cores"
        f"{sampled if images > cap else ''}."
    )


# -- one result


def _compute(session: BuildSession, state: RunState, job: Job) -> None:
    stage, total = job.stage, len(state.images)
    count = total if stage.unit == "images" else 1
    with (
        session.timed(stage.timed_as or stage.name, count),
        _progress_of(session, state, job) as advance,
    ):
        inputs = Inputs(session, state, stage, advance)
        results = _results(session, state, job, inputs.of(job.step))
        metadata = _store(session, job, results, total)
    _note_recall(session, job, metadata, total)


def _progress_of(
    session: BuildSession, state: RunState, job: Job
) -> AbstractContextManager[Advance]:
    """Of a stage that says how far it is."""
    stage = job.stage
    if "advance" not in stage.inputs.values():
        return nullcontext(lambda done: None)
    total, unit = len(state.images), "images"
    if stage.units is not None:
        unit = stage.units
        total = getattr(state.settings, stage.settings[unit])
    title = stage.title.format(step=job.step)
    return session.progress.stage(title, total=total, unit=unit)


def _results(
    session: BuildSession, state: RunState, job: Job, inputs: Mapping[str, Any]
) -> Iterator[Result]:
    """What a stage gives for all rows, in order."""
    work = _work(session, state, job, inputs)
    rows = _rows_a_shard(session, state, job)
    if rows is None:
        return work.stream((0, work.total))
    if job.stage.reduction is not None:
        work = work.with_inputs(**_reduced(session, work, job.stage, rows))
    return session.engine.map(work, rows)


def _rows_a_shard(session: BuildSession, state: RunState, job: Job) -> int | None:
    """None where all rows are computed at once, in this process."""
    if job.stage.rows is None or not session.kind.spreads:
        return None
    shape = (len(state.images),) if job.stage.is_single else state.shape(job.step)
    return job.stage.rows_a_shard(shape)


def _reduced(session: BuildSession, work: Work, stage: Stage, rows: int) -> Mapping[str, Any]:
    """Further inputs, of the sum of something small of all rows."""
    assert stage.reduction is not None
    parts = replace(work, compute=stage.reduction.of_rows, keep="nowhere")
    sums = session.engine.map(parts, rows)
    total = next(sums)
    for one in sums:
        total = total + one
    return stage.reduction.finish(total)


def _work(session: BuildSession, state: RunState, job: Job, inputs: Mapping[str, Any]) -> Work:
    stage = job.stage
    settings = {key: getattr(state.settings, name) for key, name in stage.settings.items()}
    return Work(
        stage.compute,
        inputs={**inputs, **settings, **stage.constants},
        total=len(state.images),
        run=session.run.reference,
        key=str(job.fingerprint),
        title=stage.title.format(step=job.step),
        keep=stage.keep,
        long=stage.long,
        accelerated=stage.accelerated,
    )


def _store(
    session: BuildSession, job: Job, results: Iterator[Result], total: int
) -> Mapping[str, Any]:
    """Write the result as it comes; what is kept beside it."""
    assert job.fingerprint is not None
    first = next(results)
    following = next(results, None)
    if following is None:
        session.run.write_arrays(job.step, job.fingerprint, first.arrays, first.metadata)
        return first.metadata
    specs = {name: ((total, *one.shape[1:]), one.dtype) for name, one in first.arrays.items()}
    with session.run.writing(job.step, job.fingerprint, specs) as writer:
        for result in itertools.chain([first, following], results):
            for name, array in result.arrays.items():
                writer.append(name, array)
        writer.metadata.update(first.metadata)
    return first.metadata


def _note_recall(session: BuildSession, job: Job, metadata: Mapping[str, Any], total: int) -> None:
    """Say that neighbours are approximate."""
    recall = metadata.get("recall", 1.0)
    if recall < 1:
        session.progress.note(
            f"The neighbours at checkpoint {job.step} are approximate, because there are "
            f"{total:,} images: {100 * recall:.1f} % of the true ones were found in a sample."
        )


# -- one computation for all checkpoints


def _compute_together(session: BuildSession, state: RunState, jobs: Sequence[Job]) -> None:
    """A stage of scope ``all``: one result, or one for each checkpoint."""
    stage, images = jobs[0].stage, len(state.images)
    with (
        session.timed(stage.timed_as or stage.name, images * len(jobs)),
        _group_progress(session, state, jobs, len(state.steps)) as advance,
    ):
        results = folded(Inputs(session, state, stage, advance))
        if stage.is_single:
            _store(session, jobs[0], iter([results]), images)
            return
        by_step = {job.step: job for job in jobs}
        for step, result in zip(state.steps, results, strict=True):
            if step in by_step:
                _store(session, by_step[step], iter([result]), images)


def folded(inputs: Inputs) -> Any:
    """What the stage makes of one checkpoint after the other."""
    stage, state = inputs.stage, inputs.state
    once = {name: inputs.value(name) for name in inputs.of_the_run}
    settings = {key: getattr(state.settings, name) for key, name in stage.settings.items()}
    checkpoints = OpenedCheckpoints(inputs, state.steps)
    return stage.compute(checkpoints, **once, **settings, **stage.constants)


# -- while a device embeds


class Ahead:
    """Computes what follows from one checkpoint alone, in a thread, while a device embeds the next
    one.

    It only brings forward: what it has not come to when the last checkpoint is embedded, and what
    fails in it, the build computes in its place, and says there why it cannot.
    """

    def __init__(self, session: BuildSession, state: RunState) -> None:
        """``state`` is that of all checkpoints that the table is to hold."""
        self._session, self._state = session, state
        self._notes = _Notes()
        self._inside: BuildSession | None = None
        self._names: list[str] = []
        self._stopped = threading.Event()
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Ahead:
        return self

    def begin(self, step: int) -> None:
        """Of a checkpoint whose embeddings are there."""
        if self._thread is None:
            if not _embeds_elsewhere(self._session):
                return
            self._inside = self._session_inside()
            self._names = _of_one_checkpoint(self._state)
            self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._compute, step)

    def _session_inside(self) -> BuildSession:
        progress, request = self._notes, self._session.request
        if pick_device(request.device).type == "mps":  # which two threads are not to share
            request = replace(request, device="cpu")
        return replace(self._session, request=request, progress=progress, seconds={}, work={})

    def __exit__(self, *_: object) -> None:
        """Waits for the result that is being computed, and lets the others be."""
        self._stopped.set()
        if self._thread is None or self._inside is None:
            return
        self._thread.shutdown(wait=True, cancel_futures=True)
        for name, seconds in self._inside.seconds.items():
            self._session.seconds[name] = self._session.seconds.get(name, 0.0) + seconds
            count = self._session.work.get(name, 0) + self._inside.work[name]
            self._session.work[name] = count
        for text in self._notes.texts:
            self._session.progress.note(text)

    def _compute(self, step: int) -> None:
        assert self._inside is not None
        state = self._state.with_steps([step])
        try:
            for job in plan(state, self._names, Before()):
                if self._stopped.is_set():
                    return
                _compute(self._inside, state, job)
        except Exception:
            self._stopped.set()  # what is wrong shows again where the build comes to it


@dataclass
class _Notes:
    """Keeps what a thread has to tell."""

    texts: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.texts.append(text)

    def latest(self, text: str) -> None:
        pass

    stage = staticmethod(SILENT.stage)


def _embeds_elsewhere(session: BuildSession) -> bool:
    """Whether a checkpoint is embedded by a device of this process that is not the CPU, which the
    thread would take from it."""
    return not session.kind.spreads and pick_device(session.request.device).type != "cpu"


def _of_one_checkpoint(state: RunState) -> list[str]:
    """Stages that take nothing but the embeddings of one checkpoint, and what is made of these;
    without those that a table alone takes which is there already."""
    names: list[str] = []
    whole = table_is_current(state)
    for stage in state.stages.values():
        sources = [
            InputSource.of(text)
            for text in (*stage.identity.values(), *stage.inputs.values(), *stage.through)
        ]
        taken = {source.name for source in sources if source.name in state.stages}
        is_ours = stage.name in BUILT_IN and bool(taken)
        is_alone = stage.scope == "checkpoint" and not any(source.which for source in sources)
        is_short = stage.seconds is None and not (whole and stage.for_table)
        if is_ours and is_alone and is_short and taken <= {"embeddings", *names}:
            names.append(stage.name)
    return names
