"""Finds what options name: runs, paths on this machine, and requests to the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.api import make_request
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.review.cli.declare import values_of
from review_embeddings.review.cli.options import ComputeOptions, InputOptions, ResultOptions
from review_embeddings.review.cli.output import progress

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.stages.stage import Job


def find_run(name: str | None) -> RunFolder:
    """The run folder of this name, or the one that is meant where none is given."""
    from review_embeddings.pipeline.models.forms import trainings
    from review_embeddings.pipeline.run import folder

    if name is not None:
        progress()  # shows what is copied from a store
        run = folder.run_at(name)
        if (instead := trainings.instead_of_file(run.path, "--run")) is not None:
            raise RunError(instead)
        return run
    found = folder.find_run(Path())
    if found is None:
        raise RunError(
            trainings.what_lies_in(Path(), certain=True)
            or "There is no run here: neither this folder nor one in runs/ has run.json or "
            "checkpoint-<step> folders. "
            "Name one with --run DIR (any Trainer output folder, with --dataset the first time), "
            f"or try: {command_line('demo')}"
        )
    return found


def existing_run(name: str | None) -> RunFolder:
    """Likewise, for commands that only read what a run holds already."""
    run = find_run(name)
    if not run.path.is_dir():
        raise RunError(
            f"There is no run {run}: no such folder. Name one that was built or reviewed with "
            f"--run."
        )
    return run


def reviewed_runs(names: Sequence[str]) -> list[RunFolder]:
    """The runs of ``--decisions-from``. Raises RunError for one without decisions."""
    from review_embeddings.pipeline.run.folder import run_at

    runs = [run_at(name) for name in names]
    for run in runs:
        if not run.decisions.is_file():
            raise RunError(
                f"--decisions-from {run}: there are no decisions (decisions.jsonl). Name a run "
                f"that was reviewed."
            )
    return runs


def request_of(
    inputs: InputOptions,
    results: ResultOptions,
    compute: ComputeOptions,
    checkpoints: Sequence[str] = (),
) -> Request:
    """What these options ask of a build; no checkpoint is named for all of them."""
    return make_request(values_of(inputs, results, compute) | {"checkpoint": checkpoints})


def preview_run(run: RunFolder, request: Request) -> list[Job]:
    """What building it would compute; with notes of what opening the data set says."""
    from review_embeddings.pipeline.stages.preview import preview

    return preview(run, request, progress=progress())


def build_run(run: RunFolder, request: Request) -> Built:
    """Bring the table of a run up to date, with its progress on the terminal."""
    from review_embeddings.pipeline.stages.build import build

    return build(run, request, progress=progress())
