"""Images that stay where they are: where each of a split lies, found without reading one, and the
reading of some of them.

Parquet files, WebDataset tars and folders of images, on a disk or wherever fsspec reaches.
``datasets`` says which files and columns there are and in which order, so that the images are those
it would give; it copies nothing. Decodes no image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.opening import SUPPORTED, bytes_at, opened
from review_embeddings.pipeline.threads import chunks

if TYPE_CHECKING:
    import datasets
    import pyarrow

BATCH_SIZE = 64
"""Images of a Parquet file in memory at once."""

READ_AHEAD_BYTES = 2**20
"""Bytes of a Parquet file that are fetched at once: its row groups may be larger than the
memory."""

MAX_LOCATIONS = 2**16
"""Locations that are Python objects at the same time."""

Cell = dict[str, Any]
"""One image as ``datasets`` gives it undecoded: ``bytes``, or None where only the file is named,
and ``path``."""

Location = tuple[str | None, int | None, int | None, str | None]
"""A row of `locations_schema`."""

NO_LOCATION: Location = (None, None, None, None)
"""Of a row without an image."""


def locations_schema() -> pyarrow.Schema:
    """Where an image lies: ``file``, ``place`` and ``size`` in it (Parquet: the row; tar: the first
    byte and how many), and ``path``, the name in a tar."""
    import pyarrow as pa

    return pa.schema(
        [("file", pa.string()), ("place", pa.int64()), ("size", pa.int64()), ("path", pa.string())]
    )


Look = Callable[[str, "str | None"], Iterator[tuple[Location, Any]]]
"""Of a column of images and one of labels, or None: where each image lies, and its label."""


@dataclass(frozen=True)
class Split:
    """One split of a data set that stays where it is."""

    features: Any
    """Names and types of its columns."""
    look: Look

    def locate(self, image: str, label: str | None) -> tuple[pyarrow.Table, list[Any]]:
        """Where each image lies (`locations_schema`), in order, and what the column of the labels
        says of it."""
        import pyarrow as pa

        schema = locations_schema()
        batches, values = [], list[Any]()
        for found in chunks(self.look(image, label), MAX_LOCATIONS):
            columns = zip(*(location for location, _ in found), strict=True)
            arrays = list(map(pa.array, columns, schema.types))
            batches.append(pa.record_batch(arrays, schema=schema))
            values += [value for _, value in found]
        return pa.Table.from_batches(batches, schema=schema), values


def parquet_in_place(files: Sequence[str], features: Any) -> Split:
    """The rows of Parquet files, by paths or addresses; what a file lacks is missing."""
    return Split(features, partial(_in_parquet, files, features))


def _in_parquet(
    files: Sequence[str], features: Any, image: str, label: str | None
) -> Iterator[tuple[Location, Any]]:
    import pyarrow.parquet as parquet
    from datasets.table import cast_array_to_feature

    outer, field = split_name(features, label or "")
    for name in files:
        with opened(name) as stream, parquet.ParquetFile(stream) as file:
            values: Sequence[Any] = [None] * file.metadata.num_rows
            if outer in file.schema_arrow.names:
                column = file.read(columns=[label or outer]).column(0)
                if not field and not _is_class_number(features[outer], column.type):
                    column = cast_array_to_feature(column, features[outer])
                values = [field_of(cell, field) for cell in column.to_pylist()]
            there = image in file.schema_arrow.names
        yield from (
            ((name, row, None, None) if there else NO_LOCATION, value)
            for row, value in enumerate(values)
        )


def folder_in_place(rows: datasets.IterableDataset) -> Split:
    """The files of a folder of images."""
    return Split(rows.features, partial(_in_folder, rows))


def _in_folder(
    rows: datasets.IterableDataset, image: str, label: str | None
) -> Iterator[tuple[Location, Any]]:
    import datasets

    column, field = split_name(rows.features, label or "")
    for row in rows.cast_column(image, datasets.Image(decode=False)):
        path = (row[image] or {}).get("path")
        yield (path, None, None, None), field_of(row.get(column), field)


def _is_class_number(feature: Any, kind: Any) -> bool:
    """Whether classes are stored as numbers, which `datasets` would refuse where one is no
    class."""
    import datasets
    import pyarrow as pa

    return isinstance(feature, datasets.ClassLabel) and pa.types.is_integer(kind)


def unsupported(source: str) -> DatasetError:
    """For a data set that cannot stay where it is."""
    return DatasetError(
        f"Data set {source} cannot be read in place: --in-place takes {SUPPORTED}. Give one of "
        f"these, or --no-in-place."
    )


# -- columns


def feature_of(features: Any, column: str) -> Any:
    """The type of a column, or of a field of a column of structs that is named with a dot
    (``json.label``); None for no such thing."""
    outer, field = split_name(features, column)
    fields = features.get(outer)
    return fields if not field else fields.get(field) if isinstance(fields, dict) else None


def split_name(features: Any, column: str) -> tuple[str, str]:
    """The column and the field in it; an empty one for the column itself."""
    outer, _, field = (column, "", "") if column in features else column.partition(".")
    return outer, field


def field_of(cell: Any, field: str) -> Any:
    """The field of a struct, or all of what stands in a column."""
    return cell if not field else (cell or {}).get(field)


# -- reading


def read_cells(
    locations: pyarrow.Table, column: str, cure: str = "Start the same command again."
) -> Iterator[Cell]:
    """The images at some locations, as ``datasets`` gives them; ``column`` names that of the images
    in Parquet.

    A file that is itself the image is only named. Every file and row group is read once if the
    locations ascend. Raises DatasetError with the ``cure`` where they are not what they were.
    """
    batches = locations.to_batches(max_chunksize=MAX_LOCATIONS)
    entries = (entry for batch in batches for entry in batch.to_pylist())
    for name, here in itertools.groupby(entries, key=lambda entry: entry["file"]):
        first = next(here)
        here = itertools.chain([first], here)
        if first["place"] is None:
            yield from ({"bytes": None, "path": name} for _ in here)
            continue
        with opened(name) as stream:
            if first["size"] is None:
                yield from _from_parquet(
                    name, stream, column, (entry["place"] for entry in here), cure
                )
            else:
                yield from (_from_tar(stream, entry) for entry in here)


def _from_tar(stream: BinaryIO, entry: dict[str, Any]) -> Cell:
    return {"bytes": bytes_at(stream, entry["place"], entry["size"]), "path": entry["path"]}


def _from_parquet(
    name: str, stream: BinaryIO, column: str, rows: Iterator[int], cure: str
) -> Iterator[Cell]:
    """The images in some rows, ascending."""
    import pyarrow.parquet as parquet

    row, start = next(rows, None), 0
    with parquet.ParquetFile(stream, buffer_size=READ_AHEAD_BYTES, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if row is not None and row < stop:
                for batch in file.iter_batches(BATCH_SIZE, row_groups=[group], columns=[column]):
                    while row is not None and row < start + len(batch):
                        yield _cell(batch.column(0)[row - start].as_py())
                        row = next(rows, None)
                    start += len(batch)
                    if row is None or row >= stop:
                        break
            start = stop
    if row is not None:
        raise DatasetError(f"{name} has no row {row} any more: it has changed. {cure}")


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        return {"bytes": value.get("bytes"), "path": value.get("path")}
    if isinstance(value, str):
        return {"bytes": None, "path": value}
    return {"bytes": value, "path": None}
