"""The images of a run, as ``images.parquet`` has them.

Once it is written the data set itself is not needed any more, so that a run folder can be copied to
another machine; but for images that are read in place (`images.inplace`), of which it only says
where to find them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.decode import FIRST_GREY_RULES
from review_embeddings.pipeline.images.inplace import Cell, locations_schema, read_cells
from review_embeddings.pipeline.images.opening import check_followed, follow
from review_embeddings.pipeline.images.preview import for_viewers, shown_in_browser
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.images.sources import FIRST_RULES
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import parse_json
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import fingerprint, record_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import CheckedParquet, numbers_of
from review_embeddings.pipeline.run.records import FORMAT, RecordError, check_format, record_of
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.threads import in_threads

if TYPE_CHECKING:
    import pyarrow

READ_AGAIN = "Delete it; it is read from the data set again."
"""The cure for a damaged ``images.parquet``."""


FEW = 16
"""Images that are decoded from Parquet at once."""


@dataclass(frozen=True)
class RunImages:
    """What ``images.parquet`` says about each image, the files themselves left there, or where the
    data set has them."""

    path: Path
    ids: NDArray[np.int64]
    """Shape (N,): row of the split, ascending. Row i of every array of the run is the image
    ``ids[i]``."""
    hashes: list[str]
    """SHA-256 (hex) of each image's bytes."""
    paths: list[str | None]
    """File of each image, relative to the data set's folder where it lies inside; None where the
    data set names none."""
    labels: NDArray[np.int32] | None
    """Shape (N,): class index, -1 without one; None for unlabelled data."""
    classes: list[str] | None
    """Names of the classes; None for unlabelled data."""
    key: str
    """Fingerprint of the reference that these images were read by (`images_key`)."""
    signature: str | None
    """Fingerprint of the local files that they were read from (`source_signature`); None for a Hub
    name."""
    rows: NDArray[np.int64] | None = None
    """Which rows of the file these are, ascending; None for all."""
    version: int = 1
    """Of the reading by which they came about."""
    column: str | None = None
    """Column of the images in the data set where they are read in place; None where they are in the
    file itself."""
    deep: int | None = None
    """By which rules grey of more than 8 bits was read (`decode.to_rgb`); None for the first ones,
    and where there is none."""
    former: Mapping[str, str] = field(default_factory=dict)
    """What classes that the data set has renamed since were called when the checkpoints of the run
    met them, by the names of now."""

    def take(self, positions: NDArray[np.integer]) -> RunImages:
        """Some of the images, given by their positions, ascending."""
        chosen = np.asarray(positions, dtype=np.int64)
        return replace(
            self,
            ids=self.ids[chosen],
            hashes=[self.hashes[position] for position in chosen],
            paths=[self.paths[position] for position in chosen],
            labels=None if self.labels is None else self.labels[chosen],
            rows=self._rows_of(chosen),
        )

    def _rows_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return positions if self.rows is None else self.rows[positions]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"RunImages({len(self):,} images, {self.path})"

    @property
    def grey_rules(self) -> int:
        """By which rules grey of more than 8 bits is shown."""
        return self.deep or FIRST_GREY_RULES

    @property
    def digest(self) -> str:
        """Fingerprint of the images and their order: what embeddings depend on."""
        rules = [] if self.deep is None else [f"deep grey by rules {self.deep}"]
        joined = hashlib.sha256("\n".join([*self.hashes, *rules]).encode())
        return joined.hexdigest()[:32]

    @property
    def label_names(self) -> list[str | None] | None:
        """Name of each image's class; None for unlabelled data."""
        if self.labels is None or self.classes is None:
            return None
        return [self.classes[label] if label >= 0 else None for label in self.labels.tolist()]

    def read_bytes(self, *, preview: bool = False) -> list[bytes]:
        """The image files in order; with ``preview``, what a browser should show of them."""
        return [data for _, data in self.read_some(range(len(self)), preview=preview)]

    def read_some(
        self, positions: Sequence[int], *, preview: bool = False
    ) -> Iterator[tuple[int, bytes]]:
        """The image files at some positions, ascending, each with its position; only the row groups
        they lie in are read.

        Raises DatasetError where one that is read in place is gone or is not the one that the run
        was made from.
        """
        chosen: NDArray[np.int64] = np.unique(np.asarray(positions, dtype=np.int64))
        read = self._read_stored if self.column is None else self._read_in_place
        yield from zip(chosen.tolist(), read(chosen, preview=preview), strict=True)

    def _read_stored(self, positions: NDArray[np.int64], *, preview: bool) -> Iterator[bytes]:
        rows, start = self._rows_of(positions), 0
        columns = ["image", "preview"] if preview else ["image"]
        with CheckedParquet(self.path, READ_AGAIN) as file:
            for group in range(file.metadata.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                inside = rows[slice(*np.searchsorted(rows, (start, stop)))]
                if len(inside):
                    for one in _rows_of_group(file, group, columns, inside - start):
                        data = one.get("preview") or one["image"]
                        yield for_viewers(data) if preview else data
                start = stop

    def locations(self, positions: NDArray[np.int64]) -> pyarrow.Table:
        """Where some of the images lie that are read in place (`inplace.locations_schema`)."""
        import pyarrow as pa

        rows = self._rows_of(positions)
        with CheckedParquet(self.path, READ_AGAIN) as file:
            found = file.read(locations_schema().names).take(rows)
        files = [
            file if _ABSOLUTE.match(file) else f"{folder_of(self.path)}{file}"
            for file in found.column("file").to_pylist()
        ]
        self._follow_source()
        for name in {*files}:
            _check_location(name)
        return found.set_column(
            found.schema.get_field_index("file"), "file", pa.array(files, pa.string())
        )

    @property
    def read_again(self) -> str:
        """The cure where an image is another one than it was."""
        return f"`{build_command(RunFolder(self.path.parent))}` reads the images again."

    def _follow_source(self) -> None:
        """Let the address be read that ``run.json`` names as the data set's."""
        info = RunFolder(self.path.parent).read_info()
        if info is not None:
            follow(info.dataset.source)

    def _read_in_place(self, positions: NDArray[np.int64], *, preview: bool) -> Iterator[bytes]:
        def read(item: tuple[int, Cell]) -> bytes:
            data = self.checked(*item)
            return for_viewers(shown_in_browser(data, self.grey_rules)) if preview else data

        cells = read_cells(self.locations(positions), str(self.column), self.read_again)
        return in_threads(read, zip(positions.tolist(), cells, strict=True))

    def checked(self, position: int, cell: Cell) -> bytes:
        """The bytes of an image that is read in place. Raises DatasetError where they are gone or
        not those of the run."""
        file = cell["path"] or "a row of a Parquet file"
        image = f"Image {self.ids[position]} of the run, {file},"
        try:
            data: bytes = read_file(str(file)) if cell["bytes"] is None else cell["bytes"]
        except OSError as error:
            raise DatasetError(
                f"{image} cannot be read where it lies: {reason_of(error)} Bring it back, or name "
                f"the data set anew with --dataset."
            ) from error
        if hashlib.sha256(data).hexdigest() != self.hashes[position]:
            raise DatasetError(f"{image} has changed since. {self.read_again}")
        return data

    def read_files(self) -> Iterator[bytes]:
        """The image files one after the other, a row group in memory at a time."""
        return (data for _, data in self.read_some(range(len(self))))


class OpenedImages:
    """Single images of a run, again and again: the file, or where they lie, is opened once. Safe to
    be asked from several threads."""

    def __init__(self, images: RunImages) -> None:
        self._images, self._guard = images, threading.Lock()
        self._locations: pyarrow.Table | None = None
        self._file: CheckedParquet | None = None
        self._ends: NDArray[np.int64] = np.zeros(0, np.int64)

    def file(self, position: int) -> bytes:
        """The file of an image. Raises DatasetError where it is read in place and is gone or is not
        the one that the run was made from."""
        if self._images.column is None:
            return self._stored(position, "image") or b""
        with self._guard:
            if self._locations is None:
                self._locations = self._images.locations(np.arange(len(self._images)))
        (cell,) = read_cells(
            self._locations.slice(position, 1), self._images.column, self._images.read_again
        )
        return self._images.checked(position, cell)

    def preview(self, position: int) -> bytes | None:
        """What is kept of it for browsers, of `PREVIEW_SIDE` pixels; None where there is none."""
        return None if self._images.column is not None else self._stored(position, "preview")

    def _stored(self, position: int, column: str) -> bytes | None:
        rows = self._images.rows
        row = position if rows is None else int(rows[position])
        with self._guard:
            if self._file is None:
                self._file = CheckedParquet(self._images.path, READ_AGAIN)
                groups = range(self._file.metadata.num_row_groups)
                sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
                self._ends = np.cumsum(sizes)
            group = int(np.searchsorted(self._ends, row, side="right"))
            start = int(self._ends[group - 1]) if group else 0
            inside = np.array([row - start])
            (one,) = _rows_of_group(self._file, group, [column], inside)
        return one[column]


def _rows_of_group(
    file: CheckedParquet, group: int, columns: list[str], rows: NDArray[np.int64]
) -> Iterator[dict[str, bytes]]:
    """Some rows of a row group, ascending, few in memory at once: one image in its dictionary may
    stand for all rows."""
    start = 0
    for batch in file.batches(group, columns, FEW):
        inside = rows[slice(*np.searchsorted(rows, (start, start + len(batch))))]
        yield from batch.take(inside - start).to_pylist()
        start += len(batch)


def images_schema(*, in_place: bool = False) -> pyarrow.Schema:
    """Columns of ``images.parquet``: with the images, or with where they lie."""
    import pyarrow as pa

    there = [pa.field("image", pa.binary(), nullable=False), pa.field("preview", pa.binary())]
    return pa.schema(
        [
            pa.field("image_id", pa.int64(), nullable=False),
            pa.field("image_hash", pa.string(), nullable=False),
            pa.field("label", pa.int32()),
            pa.field("path", pa.string()),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            *(
                [field for field in locations_schema() if field.name != "path"]
                if in_place
                else there
            ),
        ]
    )


def _check_location(file: str) -> None:
    try:
        check_followed(file)
    except OSError as error:
        raise DatasetError(
            f"An image of the run cannot be read where it lies: {error}. Name the data set anew "
            f"with --dataset."
        ) from error


_ABSOLUTE = re.compile(r"/|\w+:[/\\]")
"""How a path or an address begins that does not depend on where the run folder is."""


def folder_of(file: Path) -> str:
    """What the absolute paths of all that lies beside a file begin with."""
    return f"{file.parent.resolve().as_posix()}/"


def read_images(run: RunFolder) -> RunImages | None:
    """What is known about the images of a run; None where they were not read yet."""
    if not storage.exists(run.images):
        return None
    with CheckedParquet(storage.fetched(run.images), READ_AGAIN) as file:
        known = {**(file.schema.metadata or {}), **(file.metadata.metadata or {})}
        with record_errors(run.images, cure=READ_AGAIN):
            content = _metadata_of(known)
            check_format(content)
            if not _has_columns(file.schema, images_schema(in_place="column" in content)):
                return None  # written by an older version: read again from the data set
            metadata = record_of(_Metadata, content)
        return _from_file(run.images, file, metadata)


def _from_file(path: Path, file: CheckedParquet, metadata: _Metadata) -> RunImages:
    table = file.read(["image_id", "image_hash", "label", "path"])
    labels = None
    if metadata.classes is not None:
        labels = numbers_of(table.column("label"), missing=-1).astype(np.int32)
    return RunImages(
        path=path,
        ids=numbers_of(table.column("image_id")),
        hashes=table.column("image_hash").to_pylist(),
        paths=table.column("path").to_pylist(),
        labels=labels,
        classes=metadata.classes,
        key=metadata.key,
        signature=metadata.signature,
        version=metadata.version,
        column=metadata.column,
        deep=metadata.deep,
        former=metadata.former,
    )


@dataclass(frozen=True)
class _Metadata:
    """What ``images.parquet`` says about all images, as metadata of its schema."""

    key: str
    classes: list[str] | None
    signature: str | None
    column: str | None = None
    version: int = 1
    deep: int | None = None
    former: dict[str, str] = field(default_factory=dict)


DEEP = "deep"
"""Key of the rules of deep grey, of files that hold some."""


def _json(text: str) -> Any:
    return parse_json(text.encode())


METADATA: dict[str, Callable[[str], Any]] = {
    "key": str,
    "classes": _json,
    "signature": _json,
    "column": str,
    "version": int,
    DEEP: int,
    "former": _json,
}
"""What reads the text of each of them."""


def _metadata_of(stored: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The metadata that this version knows. Raises RecordError for what cannot be decoded."""
    content: dict[str, Any] = {}
    for key, read in {FORMAT: _json, **METADATA}.items():
        if key.encode() in stored:
            try:
                content[key] = read(stored[key.encode()].decode())
            except (ValueError, RecursionError):
                raise RecordError("cannot be decoded", key) from None
    return content


def _has_columns(schema: pyarrow.Schema, wanted: pyarrow.Schema) -> bool:
    """Whether a file has all the wanted columns; a newer version may have written more."""
    kinds = dict(zip(schema.names, schema.types, strict=True))
    return all(kinds.get(field.name) == field.type for field in wanted)


def images_key(reference: DatasetReference) -> str:
    """Fingerprint of everything that decides which images a run holds."""
    return fingerprint(
        source=reference.source,
        config=reference.config,
        revision=reference.revision,
        split=reference.split,
        image_column=reference.image_column,
        label_column=reference.label_column,
        limit=reference.limit,
        seed=reference.seed if reference.limit is not None else None,
        **({"in_place": True} if reference.in_place else {}),
        **{name: value for name, value in _added(reference).items() if value is not None},
    )


def _added(reference: DatasetReference) -> dict[str, Any]:
    """What came later; None where it is as it was before."""
    return {
        "split_folders": reference.split_folders,
        "labels_from": reference.labels_from,
        "first_label": reference.first_label,
        "ignore_labels": reference.ignore_labels or None,
        "class_names": reference.class_names,
        "reading": None if reference.reading == FIRST_RULES else reference.reading,
    }
