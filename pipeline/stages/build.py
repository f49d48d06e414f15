"""Takes a run from checkpoints and a data set to the long table.

Every result carries a fingerprint of what it was computed from. Unchanged input is never computed
again, changed input always is, and a process that is killed leaves nothing behind that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.engines.kinds import engine_kind
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.loading import imports_observed
from review_embeddings.pipeline.models.checkpoints import FoundCheckpoints, select
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.progress import SILENT, Progress, default_activity
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import NOTHING, Request, check_settings
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.stages.checkpoints import (
    choose,
    embed_all,
    wanted_checkpoints,
)
from review_embeddings.pipeline.stages.execute import compute
from review_embeddings.pipeline.stages.images import images_of
from review_embeddings.pipeline.stages.keys import Models
from review_embeddings.pipeline.stages.leaks import find_leaks
from review_embeddings.pipeline.stages.plan import Before, plan
from review_embeddings.pipeline.stages.proof import prove
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.stages.resolve import (
    check_recorded,
    checkpoints_of,
    embedded_steps,
    resolve_info,
    resolved,
)
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.state import RunState
from review_embeddings.pipeline.stages.tabulate import tabulate

ELSEWHERE = {"images", "pixels", "image_quality", "embeddings", "leaks", "table"}
"""Stages that are computed by steps of their own."""


def build(
    run: RunFolder, request: Request, *, progress: Progress = SILENT, wait: bool = False
) -> Built:
    """Bring the table of a run up to date with the checkpoints and settings asked for. Raises
    ReviewError.

    With ``wait`` another process that writes to the run is waited for; without, it is a BusyError.
    """
    looking = default_activity("Looking up what there is to do")
    with ExitStack() as stack, imports_observed(), looking:
        return _build(BuildSession(run, request, progress, stack, wait=wait))


def _build(session: BuildSession) -> Built:
    """The steps of a build."""
    info, found, available, wanted = resolve(session)
    known = session.run.read_info()
    read = images_of(session, info, found, wanted)
    info, images, before = read.info, read.images, Before(known, read.before)
    state = state_of(session, info, found, images)
    _note_useless(session, images)
    _compute(session, state, ["image_quality"], before)
    candidates = wanted_checkpoints(session, state, wanted)
    prove(session, state, candidates.steps)
    checkpoints = choose(session, state, candidates, before)
    state = state.with_steps(embed_all(session, state, checkpoints))
    _compute(session, state, derived_stages(), before)
    session.write_info(info)
    session.write_history(found.history)
    _find_leaks(session, state, before)
    manifest = _tabulate(session, state, before)
    return Built(
        session.run,
        info,
        images,
        manifest,
        [step for step in wanted if step in state.steps],
        available,
        session.waiting,
        session.seconds,
        session.work,
    )


def resolve(
    session: BuildSession,
) -> tuple[RunInfo, FoundCheckpoints, list[int], list[int]]:
    """What the run is made from, its checkpoints, their steps, and those that were asked for."""
    run, request = session.run, session.request
    engine_kind(request.engine, request.address)
    info = resolve_info(run, request)
    check_settings(info.settings)
    _check_map(run, info)
    check_recorded(run, info, request)
    if request.settings.get("processor") not in {None, NOTHING}:
        # A wrong name is refused before it is kept.
        load_processor([resolved(run, str(info.settings.processor))])
    found = checkpoints_of(run, info, request, session.progress)
    available = sorted({*found.steps, *embedded_steps(run, info, found)})
    wanted = (
        available
        if request.wanted is None
        else select(available, request.wanted, best=found.history.best)
    )
    return info, found, available, wanted


def _check_map(run: RunFolder, info: RunInfo) -> None:
    """Raise SettingsError where another kind of map is asked for than that of the table, and what
    makes it is not installed: before anything else is computed."""
    manifest = table.read_manifest(run)
    if manifest is None or manifest.map != info.settings.map:
        map_kind(info.settings.map).check_installed()


def state_of(
    session: BuildSession, info: RunInfo, found: FoundCheckpoints, images: RunImages
) -> RunState:
    """The run as stages see it."""
    request = session.request
    return RunState(
        session.run,
        info,
        Models(session.run, info, found, request.device),
        images,
        piecemeal=request.piecemeal,
        exact=session.kind.spreads,
        align_to=request.align_to,
    )


def _note_useless(session: BuildSession, images: RunImages) -> None:
    if session.request.settings.get("cross_validate") and images.labels is None:
        session.progress.note("--cross-validate does nothing here: there are no labels.")


def derived_stages() -> list[str]:
    """Names of the stages that follow from embeddings alone."""
    return [stage.name for stage in STAGES if stage.name not in ELSEWHERE]


def _compute(session: BuildSession, state: RunState, names: Sequence[str], before: Before) -> None:
    jobs = list(plan(state, names, before))
    compute(session, state, jobs)


def _find_leaks(session: BuildSession, state: RunState, before: Before) -> None:
    for job in plan(state, ["leaks"], before):

        def build_inside(run: RunFolder, request: Request) -> RunImages:
            return build(run, request, progress=session.progress).images

        find_leaks(session, state, job, build_inside)


def _tabulate(session: BuildSession, state: RunState, before: Before) -> table.Manifest:
    for job in plan(state, ["table"], before):
        tabulate(session, state, job)
    manifest = table.read_manifest(session.run)
    assert manifest is not None
    return manifest
