"""A build of a run from Python, with the options of the command line under the same names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from review_embeddings.pipeline.errors import DatasetError, SettingsError, reason_of
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.settings import NOTHING, DatasetReference, Request, Settings
from review_embeddings.pipeline.text import nearest_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.stages.stage import Job

DATASET_OPTIONS = tuple(
    field.name
    for field in fields(DatasetReference)
    if field.name not in {"source", "seed", "reading", "class_names"}
)
"""Options that are fields of `DatasetReference`, beside ``dataset``, which is its source."""

PathName = str | os.PathLike[str]


class BuildKeywords(TypedDict, total=False):
    """What `build` takes by name, of what is built; other functions that build take it too."""

    dataset: PathName | None
    config: str | None
    revision: str | None
    split: str | None
    image_column: str | None
    label_column: str | None
    limit: int | None
    in_place: bool | None
    split_folders: bool | None
    labels_from: str | None
    first_label: int | None
    ignore_labels: bool | None
    classes: PathName | Sequence[str] | None
    checkpoints: PathName | int | Sequence[str | int] | None
    base: PathName | None
    processor: PathName | None
    checkpoint: str | int | Sequence[str | int]
    pooling: str | None
    precision: str | None
    align_to: str | None
    map: str | None
    against: str | None
    cross_validate: int | None
    trained_on: str | None
    image_quality: bool | None
    scaling: str | None
    device: str | None
    batch_size: int | None
    engine: str
    address: str | None
    reread: bool


SETTINGS_OPTIONS = tuple(field.name for field in fields(Settings))


def build(
    run: RunFolder | str | os.PathLike[str],
    *,
    dataset: PathName | None = None,
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
    classes: PathName | Sequence[str] | None = None,
    checkpoints: PathName | int | Sequence[str | int] | None = None,
    base: PathName | None = None,
    processor: PathName | None = None,
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
    ``"last"``, ``"best"``, a range such as ``"0-100"`` or several of them; none means all.
    ``checkpoints`` is the folder that they are in, where that is not the run; if it is steps or
    such names it stands for ``checkpoint``. With ``wait`` another process that writes to the run is
    waited for; without, it is a BusyError. Raises ReviewError.

    >>> from review_embeddings import build
    >>> built = build("runs/colors", dataset="data/colors", split="train")
    >>> built.manifest.steps, len(built.images)
    ([10, 20, 100], 36)
    """
    options = locals()  # before anything else is local
    from review_embeddings.pipeline.run.folder import RunFolder, run_at
    from review_embeddings.pipeline.stages.build import build as build_run

    folder = run if isinstance(run, RunFolder) else run_at(run)
    return build_run(folder, request_of(options), progress=progress, wait=wait)


def preview(
    run: RunFolder | str | os.PathLike[str],
    *,
    progress: Progress = SILENT,
    **options: Unpack[BuildKeywords],
) -> list[Job]:
    """What `build` would compute with the same options: for which checkpoint and why. Computes and
    writes nothing. Raises ReviewError."""
    from review_embeddings.pipeline.run.folder import RunFolder, run_at
    from review_embeddings.pipeline.stages.preview import preview as preview_of

    check_keywords("preview", options)
    folder = run if isinstance(run, RunFolder) else run_at(run)
    return preview_of(folder, request_of(options), progress=progress)


def check_keywords(function: str, options: Mapping[str, Any], own: Iterable[str] = ()) -> None:
    """Raise TypeError for a keyword that is none of `build`, and none of the function's ``own``
    ones."""
    known = BuildKeywords.__annotations__
    for name in options:
        if name not in known:
            near = nearest_name(name, [*own, *known])
            hint = "it takes what build() takes" if near is None else f"did you mean {near}?"
            raise TypeError(f"{function}() takes no {name}; {hint}")


STEPS = re.compile(r"(first|last|best|\d+)(-(first|last|best|\d+))?")
"""Names of checkpoints, which no folder of checkpoints has."""


def request_of(options: Mapping[str, Any]) -> Request:
    """The request of keywords of `build`, where ``checkpoints`` may be steps. Raises SettingsError
    where these are given twice."""
    steps = options.get("checkpoints")
    if steps is None or not _are_steps(steps):
        return make_request(options)
    if options.get("checkpoint") not in (None, ()):
        raise SettingsError(
            f"checkpoints={steps!r} and checkpoint={options['checkpoint']!r} both say which "
            f"checkpoints. Give one of them."
        )
    return make_request({**options, "checkpoint": steps, "checkpoints": None})


def _are_steps(given: object) -> bool:
    if isinstance(given, (str, os.PathLike)):
        return bool(STEPS.fullmatch(os.fspath(given))) and not Path(given).exists()
    return True


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
