"""Reads the long table as one pandas DataFrame, and validates it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.duplicates import KINDS
from review_embeddings.pipeline.analysis.imagequality import SCORED
from review_embeddings.pipeline.analysis.trajectories import LIVES
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.table.columns import COLUMN_NAMES, COLUMNS
from review_embeddings.pipeline.table.manifest import CheckpointFacts, manifest_with
from review_embeddings.pipeline.table.write import images_of_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The long table as one DataFrame: images in order within checkpoints in order of training.

    ``embedding`` cells are read-only float32 views of shape (D,) on memory-mapped arrays; ``image``
    cells are bytes, one object an image. Raises RunError where the run has no table or not these
    checkpoints, SettingsError for an unknown column.
    """
    import pandas as pd

    frames = [part for _, part in iterate(run, checkpoints=checkpoints, columns=columns)]
    if len(frames) == 1:
        return frames[0]
    joined = pd.concat(
        [frame.drop(columns=["embedding", "image"], errors="ignore") for frame in frames],
        ignore_index=True,
    )
    for name in ("embedding", "image"):
        if name in frames[0].columns:
            joined[name] = _objects([cell for frame in frames for cell in frame[name].array])
    return joined[list(frames[0].columns)]


def iterate(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[CheckpointFacts, pd.DataFrame]]:
    """The long table one checkpoint at a time, each as `read` gives it."""
    import pandas as pd

    run = run if isinstance(run, RunFolder) else run_at(run)
    names = list(COLUMN_NAMES if columns is None else columns)
    unknown = [name for name in names if name not in COLUMN_NAMES]
    if unknown:
        raise SettingsError(
            f"The table has no column {unknown[0]!r}; it has {', '.join(COLUMN_NAMES)}."
        )
    manifest = manifest_with(run, checkpoints)
    wanted = set(manifest.steps if checkpoints is None else checkpoints)
    stored = [
        column.name
        for column in COLUMNS
        if not column.joined and not column.of_image and column.name in names
    ]
    of_image = [column.name for column in COLUMNS if column.of_image and column.name in names]
    once = _read_part(run, manifest.images, of_image).to_pandas() if of_image else None
    pictures = _objects(images_of_table(run).read_bytes()) if "image" in names else None
    for facts in manifest.checkpoints:
        if facts.step not in wanted:
            continue
        frame = _read_part(run, facts.file, stored or ["image_id"]).to_pandas()
        if once is not None:
            frame[of_image] = once
        classes_of = {
            "label": manifest.classes,
            "prediction": manifest.prediction_classes,
            "suggested_label": manifest.classes,
        }
        for name, classes in {
            **classes_of,
            "outlier_life": list(LIVES),
            "duplicate_kind": list(KINDS),
            "leak_kind": list(KINDS),
        }.items():
            if (
                name in frame.columns
            ):  # the same categories for all checkpoints, in the data set's order
                frame[name] = pd.Categorical(frame[name], categories=classes or [])
        if "embedding" in names:
            frame["embedding"] = _objects(np.asarray(run.read_array("embeddings", facts.step)))
        if pictures is not None:
            frame["image"] = pictures
        yield facts, frame[names]


def _read_part(run: RunFolder, name: str, columns: Sequence[str]) -> pa.Table:
    """Columns of one of the table's files. Raises RunError for one that is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        return parquet.read_table(storage.fetched(run.table / name), columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        cure = f"Delete {run.table} and run: review-embeddings build --run {run}"
        raise RunError(
            f"{run.table / name} is damaged or was made by another version. {cure}"
        ) from error


def _objects(cells: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    """A column of Python objects; rows of a matrix become views on it."""
    column = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column[row] = cell
    return column


def validate(frame: pd.DataFrame) -> None:
    """Check a long table against the declaration. Raises RunError with the first rule that does not
    hold."""
    missing = [name for name in ("image_id", "checkpoint") if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in COLUMN_NAMES]
    if missing or unknown:
        raise RunError(f"The table lacks {missing} or has unknown columns {unknown}.")
    if frame.duplicated(["image_id", "checkpoint"]).any():
        raise RunError("The table has two rows with the same image_id and checkpoint.")
    if len(frame) != frame["image_id"].nunique() * frame["checkpoint"].nunique():
        raise RunError("The table is not complete: some image has no row for some checkpoint.")
    for column in COLUMNS:
        if column.name in frame.columns and not column.nullable and frame[column.name].isna().any():
            raise RunError(f"Column {column.name} of the table has missing values.")
    shares = [
        "ood_score",
        "confidence",
        "self_confidence",
        "label_score",
        "map_kept",
        "neighbors_kept",
        "neighbors_kept_ends",
    ]
    shares += [
        "label_mean",
        "label_variability",
        "trajectory_label_score",
        *(f"{name}_score" for name in SCORED),
    ]
    ranges = {
        "x": (-5, 5),
        "y": (-5, 5),
        "ood_percentile": (0, 100),
        "mean_percentile": (0, 100),
    } | dict.fromkeys(shares, (0, 1))
    for name, (low, high) in ranges.items():
        if name in frame.columns and not frame[name].dropna().between(low, high).all():
            raise RunError(f"Column {name} of the table has values outside [{low}, {high}].")
