"""A build of a run from Python, with the options of the command line under the same names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.settings import NOTHING, DatasetReference, Request, Settings

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.stages.stage import Job

DATASET_OPTIONS = tuple(
    field.name
    for field in fields(DatasetReference)
    if field.name not in {"source", "seed", "reading", "class_names"}
)
"""Options that are fields of `DatasetReference`, beside ``dataset``, which is its source."""

SETTINGS_OPTIONS = tuple(field.name for field in fields(Settings))


def build(
    run: RunFolder | str | os.PathLike[str],
    *,
    dataset: str | os.PathLike[str] | None = None,
    config: str | None = None,
    revision: str | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    limit: int | None = None,
    in_place: bool | None = None,
    split_folders: bool | None = None,
    labels_from: str | None = None,
    first_label: int | None = None,
    ignore_labels: bool | None = None,
    classes: str | os.PathLike[str] | Sequence[str] | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    base: str | os.PathLike[str] | None = None,
    processor: str | os.PathLike[str] | None = None,
    checkpoint: str | int | Sequence[str | int] = (),
    pooling: str | None = None,
    precision: str | None = None,
    align_to: str | None = None,
    map: str | None = None,
    against: str | None = None,
    cross_validate: int | None = None,
    trained_on: str | None = None,
    image_quality: bool | None = None,
    scaling: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    engine: str = "local",
    address: str | None = None,
    reread: bool = False,
    progress: Progress = SILENT,
    wait: bool = False,
) -> Built:
    """Bring the table of a run up to date, as ``review-embeddings build`` does with the options of
    these names.

    What is not given stays as the run folder has it. ``checkpoint`` is a step, ``"first"``,
    ``"last"``, ``"best"``, a range such as ``"0-100"`` or several of them; none means all. With
    ``wait`` another process that writes to the run is waited for; without, it is a BusyError.
    Raises ReviewError.
    """
    options = locals()  # before anything else is local
    from review_embeddings.pipeline.run.folder import RunFolder, run_at
    from review_embeddings.pipeline.stages.build import build as build_run

    folder = run if isinstance(run, RunFolder) else run_at(run)
    return build_run(folder, make_request(options), progress=progress, wait=wait)


def preview(
    run: RunFolder | str | os.PathLike[str], *, progress: Progress = SILENT, **options: Any
) -> list[Job]:
    """What `build` would compute with the same options: for which checkpoint and why. Computes and
    writes nothing. Raises ReviewError."""
    from review_embeddings.pipeline.run.folder import RunFolder, run_at
    from review_embeddings.pipeline.stages.preview import preview as preview_of

    unknown = sorted(set(options) - set(signature(build).parameters))
    if unknown:
        raise TypeError(f"preview() takes no {', '.join(unknown)}; it takes what build() takes")
    folder = run if isinstance(run, RunFolder) else run_at(run)
    return preview_of(folder, make_request(options), progress=progress)


def make_request(options: Mapping[str, Any]) -> Request:
    """The request of options by their names, as `build` and the command of this name take them.

    One that is missing or None stays as the run folder has it; other names are left alone.
    """
    given = {name: _text(value) for name, value in options.items()}
    wanted = given.get("checkpoint", ())
    steps = [wanted] if isinstance(wanted, (str, int)) else wanted
    return Request(
        dataset={
            "source": given.get("dataset"),
            "class_names": read_class_names(given.get("classes")),
            **{name: given.get(name) for name in DATASET_OPTIONS},
        },
        settings={name: given.get(name) for name in SETTINGS_OPTIONS},
        checkpoints=given.get("checkpoints"),
        base=given.get("base"),
        wanted=[str(step) for step in steps] or None,
        device=given.get("device"),
        batch_size=given.get("batch_size"),
        engine=given.get("engine") or "local",
        address=given.get("address"),
        reread=bool(given.get("reread")),
    )


def read_class_names(given: str | Sequence[str] | None) -> list[str] | None:
    """The names that ``--classes`` gives: as they are, or those of a file, a line each; no names
    clear them. Raises DatasetError for a file that cannot be read or names a class twice."""
    if given is None or not isinstance(given, str):
        return None if given is None else list(given)
    if given == NOTHING:
        return []
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"--classes {given} cannot be read: {reason_of(error)} Name a text file (UTF-8) with "
            f"the name of a class on each line, the first that of number 0."
        ) from error
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) < len(names) or not names:
        raise DatasetError(f"--classes {given} names no class, or one twice. Name each once.")
    return names


def _text(value: Any) -> Any:
    """A path as text; everything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value
