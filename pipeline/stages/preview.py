"""What a build would do: the same plan, and nothing computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256

from review_embeddings.pipeline.analysis.imagequality import require_cleanvision
from review_embeddings.pipeline.images.columns import NO_LABELS
from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.pixels import PixelCache
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.models.checkpoints import FoundCheckpoints
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import derived_stages, resolve, state_of
from review_embeddings.pipeline.stages.checkpoints import Wanted, choose, wanted_checkpoints
from review_embeddings.pipeline.stages.images import check_against, open_images
from review_embeddings.pipeline.stages.plan import NEW, Before, plan
from review_embeddings.pipeline.stages.proof import due_proof
from review_embeddings.pipeline.stages.registry import STAGES, pixels_key
from review_embeddings.pipeline.stages.renamed import former_names
from review_embeddings.pipeline.stages.rules import plan_reading, skipped_rows
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
    planned = plan_reading(session.run, info, stored, before.info, reread=session.request.reread)
    info, reference = planned.info, planned.reference
    if planned.reason is not None:
        yield before.add(Job(STAGES["images"], ONCE, None, planned.reason))
        stored = (
            None
            if stored is None
            else _expected(session.run, stored, open_images(reference, found, asked))
        )
    check_against(session.run, info)
    if info.settings.image_quality:
        require_cleanvision()
    if stored is None:
        yield from _all_after_images(session, info, found, asked)
        return
    state = state_of(session, info, found, stored)
    yield from plan(state, ["image_quality"], before)
    wanted = wanted_checkpoints(session, state, asked)
    chosen = choose(session, state, wanted, before)
    if chosen.jobs:
        yield from _pixels(state, chosen.jobs)
        if due := due_proof(session, state, wanted.steps):
            yield due.job
        yield from chosen.jobs
    steps = sorted([*chosen.current, *(job.step for job in chosen.jobs)])
    if steps:
        yield from plan(state.with_steps(steps), [*derived_stages(), "leaks", "table"], before)


def _expected(run: RunFolder, images: RunImages, opened: OpenedDataset) -> RunImages | None:
    """The same images with the labels that the data set has now; None where its rows are others."""
    reference = opened.reference
    total = len(opened.rows)
    rows = balanced_sample(opened.labels, total, reference.limit, reference.seed)
    known = len(images) + skipped_rows(run)
    if len(rows) != known or not set(rows.tolist()) >= set(images.ids.tolist()):
        return None
    if not _same_files(images, opened):
        return None
    labels = None if opened.labels is None else opened.labels[images.ids]
    former = former_names(images, opened)
    return replace(images, labels=labels, classes=opened.classes, former=former)


def _same_files(images: RunImages, opened: OpenedDataset) -> bool:
    """Whether the files of the rows are those of the images: by their names, or where these have
    changed by their content."""
    paths = _paths_of(opened)
    for position, row in enumerate(images.ids.tolist() if paths else []):
        file, known = paths[row], images.paths[position]
        moved = file is not None and known is not None and not file.endswith(known)
        if moved and sha256(read_file(file)).hexdigest() != images.hashes[position]:
            return False
    return True


def _paths_of(opened: OpenedDataset) -> list[str | None]:
    """The file of each row; empty where the data set does not name files beside the images."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, name = opened.rows.data.table, str(opened.reference.image_column)
    kind = rows.schema.field(name).type if name in rows.column_names else pa.null()
    if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
        return []
    paths: list[str | None] = pc.struct_field(rows.column(name), "path").to_pylist()
    return paths


def _pixels(state: RunState, jobs: Sequence[Job]) -> Iterator[Job]:
    """The images as the models of some checkpoints take them, where they are not in the cache."""
    models = state.models
    sources = [models.processor_of(models.found.by_step(job.step)) for job in jobs]
    for digest in dict.fromkeys(source.digest for source in sources):
        if PixelCache(state.run, None, digest).open(pixels_key(state.images.digest)) is None:
            yield Job(STAGES["pixels"], ONCE, None, NEW)


def _all_after_images(
    session: BuildSession, info: RunInfo, found: FoundCheckpoints, asked: Sequence[int]
) -> Iterator[Job]:
    """Every stage of the checkpoints that were asked for: nothing is known of the images."""
    wanted = Wanted([step for step in asked if step in found.steps], [])
    for stage in STAGES:
        set_up = all(_may_have(info, need) for need in stage.needs)
        if stage.name not in {"images", "pixels"} and set_up:
            for step in stage.steps(wanted.steps):
                yield Job(stage, step, None, AFTER_IMAGES)


def _may_have(info: RunInfo, need: str) -> bool:
    """Whether a run has what a stage needs, as far as that is known without its data set."""
    if need == "labels":
        return info.dataset.label_column != NO_LABELS
    return bool(getattr(info.settings, need))
