"""Looks for the images of a run in another split of the data set, embedded in a run of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.compute import ComparedSplit
from review_embeddings.pipeline.stages.inputs import pictures_of, scratch_folder
from review_embeddings.pipeline.stages.resolve import resolved
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import Job
from review_embeddings.pipeline.stages.state import RunState, against_run

Build = Callable[[RunFolder, Request], RunImages]
"""Brings a run up to date and gives its images."""


def find_leaks(session: BuildSession, state: RunState, job: Job, build: Build) -> None:
    """Compare the images with those of the other split. Raises ReviewError."""
    assert job.fingerprint is not None
    session.begin_writing()
    inside = against_run(session.run, str(state.settings.against))
    other = build(inside, _request(session, state, job.step))
    with session.timed(job.stage.name, len(state.images)):
        result = job.stage.compute(
            slice(0, len(state.images)),
            images=_split(session, session.run, state.images, job.step),
            others=_split(session, inside, other, job.step),
            device=session.request.device,
            scratch=scratch_folder(session.run),
        )
        session.run.write_arrays(job.step, job.fingerprint, result.arrays, result.metadata)


def _split(session: BuildSession, run: RunFolder, images: RunImages, step: int) -> ComparedSplit:
    pictures = pictures_of(images, session.progress)
    return ComparedSplit(images.ids, images.hashes, run.read_array("embeddings", step), pictures)


def _request(session: BuildSession, state: RunState, step: int) -> Request:
    """The other split, embedded with one checkpoint."""
    dataset = {
        **asdict(state.info.dataset),
        "source": resolved(session.run, state.info.dataset.source),
        "split": str(state.settings.against),
        "limit": 0,
    }
    settings = {
        name: getattr(state.settings, name) for name in ("pooling", "precision", "processor")
    }
    return Request(
        dataset={name: value for name, value in dataset.items() if value is not None},
        settings={name: value for name, value in settings.items() if value is not None},
        checkpoints=str(session.run.checkpoint_root(state.info)),
        wanted=[str(step)],
        device=session.request.device,
        batch_size=session.request.batch_size,
        engine=session.request.engine,
        address=session.request.address,
    )


def stored_leaks(state: RunState) -> table.Leaks:
    """Which images are in the other split too, with label and file there. Raises CheckpointError
    where that is not known and cannot be found out any more."""
    split = str(state.settings.against)
    steps = state.steps_of(state.stages["leaks"])
    if not steps:
        raise CheckpointError(
            f"--against {split} needs the weights of a checkpoint, and none are there any more."
        )
    row, kind = np.array(state.run.read_array("leaks", steps[0])).T
    there = read_images(against_run(state.run, split))
    assert there is not None
    found = np.where(row >= 0, np.searchsorted(there.ids, row), -1).tolist()
    code = {name: number for number, name in enumerate(state.images.classes or [])}
    names = there.label_names or [None] * len(there)
    label = [-1 if at < 0 else code.get(names[at] or "", -1) for at in found]
    return table.Leaks(
        row,
        kind.astype(np.int8),
        np.array(label, dtype=np.int32),
        [None if at < 0 else there.paths[at] for at in found],
    )
