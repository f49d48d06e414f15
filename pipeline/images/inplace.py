"""Images that stay where they are: where each of a split lies, found without reading one, and the
reading of some of them.

Parquet files, WebDataset tars and folders of images, on a disk or wherever fsspec reaches.
``datasets`` says which files and columns there are and in which order, so that the images are those
it would give; it copies nothing. Decodes no image.
"""

from __future__ import annotations

import itertools
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.candidates import image_endings
from review_embeddings.pipeline.images.walk import local_path
from review_embeddings.pipeline.threads import chunks

if TYPE_CHECKING:
    import datasets
    import pyarrow

SUPPORTED = "Parquet files, WebDataset tars (.tar, not compressed) and folders of images"
"""What can be read in place, for people."""

BATCH_SIZE = 64
"""Images of a Parquet file in memory at once."""

INFERRED_EXAMPLES = 5
"""Examples of a tar from which it is seen what its files are, as many as ``datasets`` takes."""

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


@dataclass(frozen=True)
class Split:
    """One split of a data set that stays where it is."""

    kind: str
    """``parquet``, ``webdataset`` or ``imagefolder``."""
    features: Any
    """Names and types of its columns."""
    rows: datasets.IterableDataset | None
    """Of a folder of images."""
    files: Sequence[str]
    """Paths or addresses."""

    def locate(self, image: str, label: str | None) -> tuple[pyarrow.Table, list[Any]]:
        """Where each image lies (`locations_schema`), in order, and what the column of the labels
        says of it."""
        import pyarrow as pa

        look = {
            "parquet": self._in_parquet,
            "webdataset": self._in_tars,
            "imagefolder": self._in_folder,
        }[self.kind]
        schema = locations_schema()
        batches, values = [], list[Any]()
        for found in chunks(look(image, label), MAX_LOCATIONS):
            columns = zip(*(location for location, _ in found), strict=True)
            arrays = list(map(pa.array, columns, schema.types))
            batches.append(pa.record_batch(arrays, schema=schema))
            values += [value for _, value in found]
        return pa.Table.from_batches(batches, schema=schema), values

    def _in_parquet(self, image: str, label: str | None) -> Iterator[tuple[Location, Any]]:
        import pyarrow.parquet as parquet
        from datasets.table import cast_array_to_feature

        for name in self.files:
            with _opened(name) as stream, parquet.ParquetFile(stream) as file:
                values: Sequence[Any] = [None] * file.metadata.num_rows
                outer, field = split_name(self.features, label or "")
                if outer in file.schema_arrow.names:
                    column = file.read(columns=[label or outer]).column(0)
                    if not field:
                        column = cast_array_to_feature(column, self.features[outer])
                    values = [field_of(cell, field) for cell in column.to_pylist()]
                there = image in file.schema_arrow.names
            yield from (
                ((name, row, None, None) if there else NO_LOCATION, value)
                for row, value in enumerate(values)
            )

    def _in_tars(self, image: str, label: str | None) -> Iterator[tuple[Location, Any]]:
        import datasets

        column, field = split_name(self.features, label or "")
        features = self.features.items()
        images = [one for one, kind in features if isinstance(kind, datasets.Image)]
        for name in self.files:
            for key, members, read in tar_examples(name):
                value = key if column == "__key__" else None
                if column in members:
                    value = read(column)
                member = image_member(members, image, images)
                found = None if member is None else members[member]
                yield _location(name, found), field_of(value, field)

    def _in_folder(self, image: str, label: str | None) -> Iterator[tuple[Location, Any]]:
        import datasets

        column, field = split_name(self.features, label or "")
        assert self.rows is not None
        for row in self.rows.cast_column(image, datasets.Image(decode=False)):
            path = (row[image] or {}).get("path")
            yield (path, None, None, None), field_of(row.get(column), field)


def splits_in_place(builder: Any, source: str) -> dict[str, Callable[[], Split]]:
    """What opens each split of a data set that ``datasets`` has found and not prepared. Raises
    DatasetError for one of another kind."""
    files = getattr(builder.config, "data_files", None)
    if builder.name not in {"parquet", "webdataset", "imagefolder"} or not files:
        raise unsupported(source)

    def opened(name: str) -> Split:
        if builder.name == "webdataset":  # which `datasets` cannot open in a store
            return Split(builder.name, tar_features(files[name]), None, files[name])
        rows = builder.as_streaming_dataset(split=name)
        return Split(builder.name, rows.features, rows, files[name])

    return {str(name): partial(opened, str(name)) for name in files}


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


# -- tars


Members = dict[str, tarfile.TarInfo]
"""The files of an example by what follows the first dot of their names."""


def tar_examples(name: str) -> Iterator[tuple[str, Members, Callable[[str], Any]]]:
    """The examples of a tar: key, files, and what gives the content of one of these."""
    with _opened(name) as stream:
        for key, members in _examples(name, stream):
            found = dict(members)
            yield (
                key,
                found,
                lambda column, found=found: _read_member(  # type: ignore[misc]
                    column, stream, found[column]
                ),
            )


def image_member(members: Members, column: str, images: Sequence[str]) -> str | None:
    """The file that is the image of an example: that of the column, or the only image that no
    other column is, such as the one ``.jpg`` among many ``.png``."""
    if column in members:
        return column
    others = [
        one
        for one in members
        if one not in images and f".{one.rpartition('.')[2].lower()}" in image_endings()
    ]
    absent = [one for one in images if one not in members]
    return others[0] if len(others) == 1 and absent == [column] else None


def _examples(name: str, stream: BinaryIO) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """The files of a tar that belong together, by what follows the first dot of their names; their
    content is passed over."""
    key, members = "", dict[str, tarfile.TarInfo]()
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            archive.members = []  # type: ignore[attr-defined]  # it would keep all it has seen
            parts = re.match(r"^((?:.*/|)[^.]+)[.]([^/]*)$", info.name)
            if not info.isreg() or parts is None or info.name.rpartition("/")[2].startswith("."):
                continue
            if members and parts[1] != key:
                yield key, members
                members = {}
            key = parts[1]
            if parts[2] in members:
                raise DatasetError(
                    f"Tar {name} has two files {info.name}. Write it anew, one file of each name."
                )
            members[parts[2]] = info
    if members:
        yield key, members


def _location(name: str, info: tarfile.TarInfo | None) -> Location:
    return NO_LOCATION if info is None else (name, info.offset_data, info.size, info.name)


def tar_features(names: Sequence[str]) -> Any:
    """Names and types of what belongs together in tars, from the first examples of the first one,
    as ``datasets`` infers them; image columns of which no example has two are one."""
    import datasets
    import pyarrow as pa

    name = names[0]
    first = _first_examples(name)
    if not first:
        raise DatasetError(
            f"Tar {name} has no images. Give one whose files are named as NUMBER.jpg and "
            f"NUMBER.cls are."
        )
    tables = [pa.Table.from_pylist([example]) for example in first]
    try:
        whole = pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException:  # values of several types, of which the first says enough here
        columns: dict[str, Any] = {}
        for table in tables:
            columns = {**{one.name: one.type for one in table.schema}, **columns}
        whole = pa.schema(list(columns.items())).empty_table()
    features = datasets.Features.from_arrow_schema(whole.schema)
    images = [one for one in features if f".{one.rpartition('.')[2].lower()}" in image_endings()]
    together = any(sum(one in example for one in images) > 1 for example in first)
    for column in images:
        if together or column == images[0]:
            features[column] = datasets.Image()
        else:
            del features[column]
    return features


def _first_examples(name: str) -> list[dict[str, Any]]:
    """The content of the first examples of a tar, by the names of its columns."""
    examples = []
    with _opened(name) as stream:
        for key, members in itertools.islice(_examples(name, stream), INFERRED_EXAMPLES):
            content = {one: _read_member(one, stream, info) for one, info in members.items()}
            examples.append({**content, "__key__": key})
    return examples


def _read_member(column: str, stream: BinaryIO, info: tarfile.TarInfo) -> Any:
    return _parse(column, _bytes_at(stream, info.offset_data, info.size))


def _parse(name: str, data: bytes) -> Any:
    """The content of a small file of a tar as ``datasets`` parses it by its ending; the bytes
    themselves for others."""
    ending = name.rpartition(".")[2].lower()
    if ending in {"cls", "cls2", "index", "inx", "id"}:
        return int(data)
    if ending in {"json", "jsn"}:
        return json.loads(data)
    return data.decode() if ending in {"txt", "text", "transcript"} else data


# -- reading


def read_cells(locations: pyarrow.Table, column: str) -> Iterator[Cell]:
    """The images at some locations, as ``datasets`` gives them; ``column`` names that of the images
    in Parquet.

    A file that is itself the image is only named. Every file and row group is read once if the
    locations ascend. Raises DatasetError where they are not what they were.
    """
    batches = locations.to_batches(max_chunksize=MAX_LOCATIONS)
    entries = (entry for batch in batches for entry in batch.to_pylist())
    for name, here in itertools.groupby(entries, key=lambda entry: entry["file"]):
        first = next(here)
        here = itertools.chain([first], here)
        if first["place"] is None:
            yield from ({"bytes": None, "path": name} for _ in here)
            continue
        with _opened(name) as stream:
            if first["size"] is None:
                yield from _from_parquet(name, stream, column, (entry["place"] for entry in here))
            else:
                yield from (_from_tar(stream, entry) for entry in here)


def _from_tar(stream: BinaryIO, entry: dict[str, Any]) -> Cell:
    return {"bytes": _bytes_at(stream, entry["place"], entry["size"]), "path": entry["path"]}


def _from_parquet(name: str, stream: BinaryIO, column: str, rows: Iterator[int]) -> Iterator[Cell]:
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
        raise DatasetError(
            f"{name} has no row {row} any more: it has changed. Read the images again with "
            f"`review-embeddings build`."
        )


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        return {"bytes": value.get("bytes"), "path": value.get("path")}
    if isinstance(value, str):
        return {"bytes": None, "path": value}
    return {"bytes": value, "path": None}


def _bytes_at(stream: BinaryIO, start: int, size: int) -> bytes:
    stream.seek(start)
    return stream.read(size)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A file, wherever fsspec reaches it; whatever goes wrong with it is a DatasetError."""
    import pyarrow as pa
    from fsspec.core import url_to_fs

    try:
        if Path(local_path(name)).is_file():  # whose name may look like an address
            with Path(local_path(name)).open("rb") as stream:
                yield stream
            return
        system, path = url_to_fs(name)
        with system.open(path, "rb") as stream:
            yield stream
    except (OSError, ImportError, tarfile.TarError, pa.ArrowException) as error:
        raise DatasetError(
            f"{name} cannot be read where it lies: {reason_of(error)} --in-place takes "
            f"{SUPPORTED}. Bring the file back, or name the data set anew with --dataset."
        ) from error
