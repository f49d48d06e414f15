"""Makes rows of the images of a folder: the file, what metadata says of it, and its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.columns import LABEL_NAMES, rows_of
from review_embeddings.pipeline.images.folders import FolderSplits
from review_embeddings.pipeline.settings import DatasetReference

if TYPE_CHECKING:
    import datasets
    import pyarrow

IMAGE = "image"
LABEL = "label"


def with_one_label(read: FolderSplits, reference: DatasetReference) -> FolderSplits:
    """The same folder without its classes where metadata has labels, which is said."""
    if read.metadata is None or read.classes is None:
        return read
    column = _label_of(read.metadata.table, reference)
    if column is None:
        return read
    note = (
        f"Labels are column {column!r} of {read.metadata.files[0]}, not the folders; "
        f"--labels-from folder takes these"
    )
    return replace(read, classes=None, labels={}, notes=[*read.notes, note])


def _label_of(table: pyarrow.Table, reference: DatasetReference) -> str | None:
    names = [reference.label_column, *LABEL_NAMES]
    return next((name for name in names if name in table.column_names), None)


def folder_rows(read: FolderSplits, split: str, features: Any) -> datasets.Dataset:
    """The rows of a split in the order of the metadata, and by name of file where it says nothing;
    ``features`` are those of the card, or None.

    Raises DatasetError where these do not fit.
    """
    import datasets
    import pyarrow as pa

    entries, metadata = read.splits[split], read.metadata
    pairs: list[tuple[Any, int | None]] = [
        (entry, row)
        for entry in entries
        for row in (metadata.rows.get(entry.name, [None]) if metadata else [None])
    ]
    pairs.sort(key=lambda pair: (pair[1] is None, pair[1] or 0))
    files = [{"bytes": None, "path": entry.file} for entry, _ in pairs]
    columns: dict[str, Any] = {}
    kinds = datasets.Features()
    if metadata is not None:
        rows = pa.array([row for _, row in pairs], pa.int64())
        kinds = datasets.Features.from_arrow_schema(metadata.table.schema)
        columns = dict(
            zip(metadata.table.column_names, metadata.table.take(rows).columns, strict=True)
        )
    image = IMAGE if IMAGE not in columns else "picture"
    kinds = datasets.Features({image: datasets.Image(), **kinds})
    columns = {image: pa.array(files, datasets.Image().pa_type), **columns}
    if read.classes is not None:
        names = _ordered(read.classes, features)
        code = {name: number for number, name in enumerate(names)}
        found = [code.get(read.labels.get(entry.name, "")) for entry, _ in pairs]
        kinds[LABEL] = datasets.ClassLabel(names=names)
        columns[LABEL] = pa.array(found, pa.int64())
    rows = rows_of(pa.table(columns), datasets.DatasetInfo(features=kinds))
    return _as_declared(rows, features)


def _ordered(classes: Sequence[str], features: Any) -> list[str]:
    """The classes in the order of the card, where it has all of them."""
    import datasets

    for feature in (features or {}).values():
        if isinstance(feature, datasets.ClassLabel) and set(classes) <= set(feature.names):
            return list(feature.names)
    return list(classes)


def _as_declared(rows: datasets.Dataset, features: Any) -> datasets.Dataset:
    import datasets

    for name, feature in (features or {}).items():
        if name not in rows.features or isinstance(feature, datasets.Image):
            continue
        if rows.features[name] != feature:
            try:
                rows = rows.cast_column(name, feature)
            except Exception as error:
                raise DatasetError(
                    f"Column {name!r} is not what README.md says, {feature}: {reason_of(error)} "
                    f"Mend one of them."
                ) from error
    return rows
