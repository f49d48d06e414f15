"""What a build would do: the same plan, and nothing computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from review_embeddings.pipeline.images.dataset import open_dataset
from review_embeddings.pipeline.images.pixels import PixelCache
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.models.checkpoints import FoundCheckpoints
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages.build import derived_stages, resolve, state_of
from review_embeddings.pipeline.stages.checkpoints import Wanted, choose, wanted_checkpoints
from review_embeddings.pipeline.stages.images import opened_reference
from review_embeddings.pipeline.stages.plan import NEW, Before, plan, why_images_stale
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import ONCE, Job
from review_embeddings.pipeline.stages.state import RunState

AFTER_IMAGES = "needs the images first"
"""Why a result of images that were never read is computed."""


def preview(run: RunFolder, request: Request, *, progress: Progress = SILENT) -> list[Job]:
    """The jobs that `build` would do for the same request, in their order. Writes nothing.

    Where the data set's files have changed, the same images are expected in them with the labels of
    now; whether the images themselves are others shows only when they are read. Raises ReviewError.
    """
    with ExitStack() as stack:
        return list(_jobs(BuildSession(run, request, progress, stack)))


def _jobs(session: BuildSession) -> Iterator[Job]:
    info, found, _, asked = resolve(session)
    stored = read_images(session.run)
    before = Before(info=session.run.read_info(), images=stored)
    reference, signature = opened_reference(session.run, info)
    reason = why_images_stale(stored, info, signature, before.info)
    if reason is not None:
        yield before.add(Job(STAGES["images"], ONCE, None, reason))
        stored = None if stored is None else _expected(stored, reference)
    if stored is None:
        yield from _all_after_images(session, info, found, asked)
        return
    state = state_of(session, info, found, stored)
    yield from plan(state, ["image_quality"], before)
    wanted = wanted_checkpoints(session, state, asked)
    chosen = choose(session, state, wanted, before)
    if chosen.jobs:
        yield from _pixels(state, chosen.jobs)
        yield from chosen.jobs
    steps = sorted([*chosen.current, *(job.step for job in chosen.jobs)])
    if steps:
        yield from plan(state.with_steps(steps), [*derived_stages(), "leaks", "table"], before)


def _expected(images: RunImages, reference: DatasetReference) -> RunImages | None:
    """The same images with the labels that the data set has now; None where it has not the same
    rows."""
    opened = open_dataset(reference)
    total = len(opened.rows)
    rows = set(balanced_sample(opened.labels, total, reference.limit, reference.seed).tolist())
    if not rows >= set(images.ids.tolist()):
        return None
    labels = None if opened.labels is None else opened.labels[images.ids]
    return replace(images, labels=labels, classes=opened.classes)


def _pixels(state: RunState, jobs: Sequence[Job]) -> Iterator[Job]:
    """The images as the models of some checkpoints take them, where they are not in the cache."""
    models = state.models
    sources = [models.processor_of(models.found.by_step(job.step)) for job in jobs]
    for digest in dict.fromkeys(source.digest for source in sources):
        if PixelCache(state.run, None, digest).open(state.images.digest) is None:
            yield Job(STAGES["pixels"], ONCE, None, NEW)


def _all_after_images(
    session: BuildSession, info: RunInfo, found: FoundCheckpoints, asked: Sequence[int]
) -> Iterator[Job]:
    """Every stage of the checkpoints that were asked for: nothing is known of the images."""
    wanted = Wanted([step for step in asked if step in found.steps], [])
    for stage in STAGES:
        set_up = all(need == "labels" or getattr(info.settings, need) for need in stage.needs)
        if stage.name not in {"images", "pixels"} and set_up:
            for step in stage.steps(wanted.steps):
                yield Job(stage, step, None, AFTER_IMAGES)
