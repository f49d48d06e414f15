"""Reads the long table as one pandas DataFrame, and validates it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DamagedError, RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.checksums import check
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.run.parquets import CheckedParquet
from review_embeddings.pipeline.table.column import Column
from review_embeddings.pipeline.table.columns import (
    CHECKPOINT,
    COLUMNS,
    EMBEDDING,
    EPOCH,
    IMAGE,
    IMAGE_ID,
)
from review_embeddings.pipeline.table.manifest import (
    Checkpoints,
    CheckpointSummary,
    Manifest,
    manifest_with,
    steps_named,
)
from review_embeddings.pipeline.table.schema import classes_of, stored_columns
from review_embeddings.pipeline.text import nearest_name

if TYPE_CHECKING:
    import pandas as pd


def read(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Checkpoints | None = None,
    columns: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """The long table as one DataFrame: images in order within checkpoints in order of training.

    ``checkpoints`` is a step, ``first``, ``last``, ``best``, a range such as ``0-100``, or several
    of these, None for all; ``columns`` are their names, None for all.
    ``embedding`` cells are read-only float32 views of shape (D,) on memory-mapped arrays; ``image``
    cells are bytes, one object an image. Raises RunError where the run has no table or not these
    checkpoints, SettingsError for an unknown column.
    """
    import pandas as pd

    frames = [part for _, part in iterate(run, checkpoints=checkpoints, columns=columns)]
    if len(frames) == 1:
        return frames[0]
    objects = [name for name in frames[0].columns if COLUMNS[name].joined]
    joined = pd.concat([frame.drop(columns=objects) for frame in frames], ignore_index=True)
    for name in objects:
        joined[name] = _objects([cell for frame in frames for cell in frame[name].array])
    return joined[list(frames[0].columns)]


def iterate(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Checkpoints | None = None,
    columns: str | Sequence[str] | None = None,
) -> Iterator[tuple[CheckpointSummary, pd.DataFrame]]:
    """The long table one checkpoint at a time, each as `read` gives it."""
    run = run if isinstance(run, RunFolder) else run_at(run)
    names = columns_named(columns, COLUMNS.names())
    manifest = manifest_with(run, checkpoints)
    wanted = set(steps_named(run, manifest, checkpoints))
    of_image = [column.name for column in stored_columns("image") if column.name in names]
    stored = [
        column.name for column in stored_columns("checkpoint-and-image") if column.name in names
    ]
    once = _read_part(run, manifest, manifest.images, of_image) if of_image else None
    images = _objects(images_of_table(run).read_bytes()) if IMAGE in names else None
    for one in manifest.checkpoints:
        if one.step not in wanted:
            continue
        frame = _read_part(run, manifest, one.file, stored or [IMAGE_ID])
        if once is not None:
            frame[of_image] = once
        if EPOCH in frame.columns:
            frame[EPOCH] = np.nan if one.epoch is None else one.epoch  # it may come after the table
        _set_categories(frame, manifest)
        if EMBEDDING in names:
            frame[EMBEDDING] = _objects(np.asarray(run.read_array("embeddings", one.step)))
        if images is not None:
            frame[IMAGE] = images
        yield one, frame[names]


def columns_named(columns: str | Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The columns of a table that are named; None for all. Raises SettingsError for one that is not
    among the ``known`` ones."""
    names = [columns] if isinstance(columns, str) else list(known if columns is None else columns)
    for name in names:
        if name not in known:
            near = nearest_name(str(name), known)
            hint = f"; it has {', '.join(known)}." if near is None else f". Did you mean {near!r}?"
            raise SettingsError(f"The table has no column {name!r}{hint}")
    return names


def images_of_table(run: RunFolder) -> RunImages:
    """The images that the table is about. Raises RunError where there are none."""
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no images.parquet. `{build_command(run)}` makes it.")
    return images


def _set_categories(frame: pd.DataFrame, manifest: Manifest) -> None:
    """Give categories their closed sets: the same for all checkpoints, in the declared order."""
    import pandas as pd

    for name in frame.columns:
        if COLUMNS[name].kind == "category":
            classes = list(classes_of(COLUMNS[name], manifest) or [])
            frame[name] = pd.Categorical(frame[name], categories=classes)


def _read_part(
    run: RunFolder, manifest: Manifest, name: str, columns: Sequence[str]
) -> pd.DataFrame:
    """Columns of one of the table's files. Raises DamagedError for one that is damaged or gone."""
    cure = f"Delete {run.table} and run: {build_command(run)}"
    path = storage.fetched(run.table / name)
    if not path.is_file():
        raise DamagedError(path, f"it is not there. {cure}")
    check(path, manifest.checksums.get(name), cure)
    with CheckedParquet(path, cure) as file:
        absent = {name for name in columns if name not in file.schema.names}
        needed = [name for name in absent if not _may_be_absent(COLUMNS[name])]
        if needed:
            raise DamagedError(path, f"it has no column {min(needed)}. {cure}")
        frame: pd.DataFrame = file.read(
            [name for name in columns if name not in absent]
        ).to_pandas()
        for name in absent:
            frame[name] = _nothing(COLUMNS[name])
        return frame[list(columns)]


def _may_be_absent(column: Column) -> bool:
    """Whether a table of an earlier version is read without it, as one that knows no value."""
    return column.nullable or column.missing is not None


def _nothing(column: Column) -> float | int | str | None:
    """What stands in a column where nothing is known."""
    if column.missing is not None:
        return column.missing
    return np.nan if column.kind.startswith("float") else None


def _objects(cells: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    """A column of Python objects; rows of a matrix become views on it."""
    column = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column[row] = cell
    return column


def validate(frame: pd.DataFrame) -> None:
    """Check a long table against the declaration. Raises RunError with the first rule that does not
    hold."""
    missing = [name for name in (IMAGE_ID, CHECKPOINT) if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in COLUMNS]
    if missing or unknown:
        raise RunError(f"The table lacks {missing} or has unknown columns {unknown}.")
    if frame.duplicated([IMAGE_ID, CHECKPOINT]).any():
        raise RunError("The table has two rows with the same image_id and checkpoint.")
    if len(frame) != frame[IMAGE_ID].nunique() * frame[CHECKPOINT].nunique():
        raise RunError("The table is not complete: some image has no row for some checkpoint.")
    for name in frame.columns:
        _check_values(COLUMNS[name], frame[name])


def _check_values(column: Column, values: pd.Series[Any]) -> None:
    """Nulls, bounds and the closed set of a column. Raises RunError."""
    if not column.nullable and values.isna().any():
        raise RunError(f"Column {column.name} of the table has missing values.")
    known = values[values.notna() & (values != column.missing)]
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    if (column.low, column.high) != (None, None) and not known.between(low, high).all():
        raise RunError(f"Column {column.name} of the table has values outside [{low:g}, {high:g}].")
    if isinstance(column.categories, tuple) and not known.isin(column.categories).all():
        raise RunError(
            f"Column {column.name} of the table has values that are none of "
            f"{', '.join(column.categories)}."
        )
