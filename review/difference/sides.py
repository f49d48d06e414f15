"""Reads what is compared of a data set, or of the images of a run: the hash of each image, its
class, its file and its key. Decodes no image.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError, RunError, SettingsError
from review_embeddings.pipeline.images.columns import quoted_names
from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset, split_names
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.images.walk import walked_once
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.threads import in_threads
from review_embeddings.review.difference.compare import ComparedRow
from review_embeddings.review.exchange.sourcerows import (
    bytes_of,
    image_cells,
    name_inside,
    root_of,
)

if TYPE_CHECKING:
    import datasets

KEY_NAMES = ("__key__", "id", "image_id", "key", "uid", "uuid", "file_name", "filename")
"""Columns that are taken for a key where none is named."""

AT_REVISION = re.compile(r"(?P<source>[\w.-]+(/[\w.-]+)?)@(?P<revision>\S+)")
"""A data set on the Hub at a revision: ``NAME@REVISION``."""

WITHOUT_LABELS = "has no labels"


@dataclass(frozen=True)
class ReadingRequest:
    """How both data sets are read."""

    splits: tuple[str, ...] = ()
    """Only these; all where none is named."""
    keys: tuple[str, ...] = ()
    """Columns whose values say which row is which; found by name where none is named."""
    reference: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of `DatasetReference`."""


EVERYTHING = ReadingRequest()


@dataclass
class Side:
    """One of the two data sets, opened and not read."""

    name: str
    """As a person named it."""
    opened: dict[str, OpenedDataset]
    """Of a data set, by split."""
    run: RunFolder | None = None
    images: RunImages | None = None
    """Of a run."""
    split: str = ""
    """Of a run: the split that its images are."""
    notes: list[str] = field(default_factory=list)

    @property
    def splits(self) -> list[str]:
        """The names of its splits."""
        return [self.split] if self.images is not None else list(self.opened)

    @property
    def classes(self) -> list[str] | None:
        """Names of its classes, of all splits; None where no split has labels."""
        if self.images is not None:
            return self.images.classes
        known = [one.classes for one in self.opened.values() if one.classes is not None]
        return list(dict.fromkeys(name for names in known for name in names)) if known else None

    @property
    def numbered(self) -> bool:
        """Whether its classes are numbers that may be those of other classes."""
        labelled = [one for one in self.opened.values() if one.classes is not None]
        return bool(labelled) and all(one.numbered for one in labelled)

    @property
    def root(self) -> Path | None:
        """Its folder or file on this machine; None for one that lies elsewhere."""
        path = self.run.path if self.run is not None else Path(self._source)
        return path if path.exists() else None

    @property
    def _source(self) -> str:
        return next((one.reference.source for one in self.opened.values()), self.name)

    def columns(self) -> set[str]:
        """Columns that all splits have."""
        found = [set(one.rows.column_names) for one in self.opened.values()]
        return set.intersection(*found) if found else set()

    def read(self, keys: Sequence[str], progress: Progress = SILENT) -> list[ComparedRow]:
        """All its rows, split by split."""
        if self.images is not None:
            return list(_rows_of_run(self.images, self.split))
        rows = list[ComparedRow]()
        for split, opened in self.opened.items():
            title = f"Reading {split} of {self.name}"
            with progress.stage(title, total=len(opened.rows), unit="images") as advance:
                rows += _rows_of(split, opened, keys, advance)
        return rows

    def pictures(self, rows: Sequence[ComparedRow]) -> Iterator[tuple[ComparedRow, bytes]]:
        """The image files of some rows; those that cannot be read are left out."""
        for split in dict.fromkeys(row.split for row in rows):
            some = sorted((row for row in rows if row.split == split), key=lambda row: row.row)
            yield from self._pictures_of(split, some)

    def _pictures_of(
        self, split: str, rows: Sequence[ComparedRow]
    ) -> Iterator[tuple[ComparedRow, bytes]]:
        if self.images is not None:
            position = {number: place for place, number in enumerate(self.images.ids.tolist())}
            by_position = {position[row.row]: row for row in rows}
            for place, data in _read_some(self.images, sorted(by_position)):
                yield by_position[place], data
            return
        opened = self.opened[split]
        some = opened.rows.select([row.row for row in rows])
        for row, cell in zip(rows, image_cells(some, _image_column(opened)), strict=True):
            stored, _ = bytes_of(cell)
            if stored is not None:
                yield row, stored


@dataclass(frozen=True)
class OpenedSides:
    """Both data sets, and how they are compared."""

    before: Side
    after: Side
    keys: tuple[str, ...]
    """Columns that say which row is which."""
    labels: bool
    """Whether both have labels."""
    notes: list[str]
    """What a person should hear of it."""


def open_sides(before: str, after: str, request: ReadingRequest = EVERYTHING) -> OpenedSides:
    """Open both data sets, their numbers of classes by the names of the other one where only that
    has names. Raises ReviewError."""
    with walked_once():
        sides = [_open(name, request) for name in (before, after)]
    notes = _same_splits(sides, request)
    for one, other in ((0, 1), (1, 0)):
        if sides[one].numbered and sides[other].classes and not sides[other].numbered:
            _name_numbers(sides[one], sides[other])
            notes.append(
                f"The labels of {sides[one].name} are numbers: they are taken for the classes of "
                f"{sides[other].name}"
            )
    lacking = [side.name for side in sides if side.classes is None]
    if len(lacking) == 1:
        notes.append(f"{lacking[0]} {WITHOUT_LABELS}: labels are not compared")
    for side in sides:
        notes += side.notes
    return OpenedSides(sides[0], sides[1], _keys(sides, request), not lacking, notes)


def _open(name: str, request: ReadingRequest) -> Side:
    run = _run_of(name)
    if run is not None:
        return _open_run(name, run)
    at = AT_REVISION.fullmatch(name)
    source, revision = name, request.reference.get("revision")
    if at and not storage.is_address(name) and not Path(name).exists():
        source, revision = at["source"], at["revision"]
    fields = {**request.reference, "source": source, "revision": revision}
    reference = DatasetReference(**fields)
    there = split_names(reference)
    chosen = [split for split in there if not request.splits or split in request.splits]
    if not chosen:
        raise SettingsError(
            f"{name} has no split {quoted_names(request.splits)}; it has {quoted_names(there)}. "
            f"Name others with --split."
        )
    opened = {split: open_dataset(replace(reference, split=split)) for split in chosen}
    notes = dict.fromkeys(note for one in opened.values() for note in one.account.notes)
    return Side(name, opened, notes=[f"{name}: {note}" for note in notes])


def _run_of(name: str) -> RunFolder | None:
    """The run of this name; None for a data set."""
    if storage.is_address(name):
        if not storage.versions(f"{name.rstrip('/')}/run.json"):
            return None
        return run_at(name)
    run = RunFolder(Path(name))
    return run if run.run_json.is_file() else None


def _open_run(name: str, run: RunFolder) -> Side:
    info, images = run.read_info(), read_images(run)
    if info is None or images is None:
        raise RunError(
            f"Run {run} has no images yet. Run: {build_command(run)}; or name its data set."
        )
    notes = []
    if info.dataset.limit is not None:
        notes.append(f"{name} is a run with a sample of {len(images):,} images")
    return Side(name, {}, run, images, str(info.dataset.split or "train"), notes)


def _same_splits(sides: Sequence[Side], request: ReadingRequest) -> list[str]:
    """A run has one split: of a data set beside it only that is compared, where it has it."""
    runs = [side for side in sides if side.images is not None]
    if len(runs) != 1 or request.splits:
        return []
    run, other = runs[0], next(side for side in sides if side.images is None)
    if run.split not in other.opened or len(other.opened) == 1:
        return []
    other.opened = {run.split: other.opened[run.split]}
    return [f"Run {run.name} has split {run.split!r} alone; no other of {other.name} is compared"]


def _name_numbers(side: Side, other: Side) -> None:
    names, of = other.classes or [], f"the classes of {other.name}"
    side.opened = {
        split: one if one.classes is None else one.with_classes(names, of=of)
        for split, one in side.opened.items()
    }


def _keys(sides: Sequence[Side], request: ReadingRequest) -> tuple[str, ...]:
    """The key columns: those named, or the first of `KEY_NAMES` that both have."""
    for side in sides:
        lacking = [name for name in request.keys if name not in side.columns()]
        if lacking:
            what = "is a run, which keeps no such column" if side.run else "has no such column"
            raise SettingsError(f"--key {lacking[0]}: {side.name} {what}. Name another, or none.")
    if request.keys:
        return request.keys
    both = sides[0].columns() & sides[1].columns()
    return tuple(name for name in KEY_NAMES if name in both)[:1]


# -- rows


def _rows_of_run(images: RunImages, split: str) -> Iterator[ComparedRow]:
    labels = images.label_names or [None] * len(images)
    known = zip(images.ids.tolist(), images.hashes, labels, images.paths, strict=True)
    for number, image_hash, label, path in known:
        yield ComparedRow(split, number, image_hash, label or "", path or "")


def _rows_of(
    split: str, opened: OpenedDataset, keys: Sequence[str], advance: Callable[[int], None]
) -> Iterator[ComparedRow]:
    cells = image_cells(opened.rows, _image_column(opened), advance)
    labels = _labels(opened)
    values = _key_values(opened.rows, keys)
    root = root_of(opened.reference.source)
    for row, (image_hash, path) in enumerate(in_threads(_hashed, cells)):
        name = name_inside(path, root)
        yield ComparedRow(split, row, image_hash, labels[row], name, values[row])


def _read_some(images: RunImages, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The images of a run at some positions; without those that lie elsewhere and have gone."""
    if images.column is None:
        yield from images.read_some(positions, preview=True)
        return
    for one in positions:
        with suppress(DatasetError):
            yield from images.read_some([one], preview=True)


def _hashed(cell: Mapping[str, Any]) -> tuple[str | None, str]:
    data, _ = bytes_of(dict(cell))
    digest = None if data is None else hashlib.sha256(data).hexdigest()
    return digest, str(cell.get("path") or "")


def _image_column(opened: OpenedDataset) -> str:
    column = opened.reference.image_column
    if column is None:
        raise DatasetError(f"Data set {opened.reference.source} has no image column.")
    return column


def _labels(opened: OpenedDataset) -> list[str]:
    if opened.labels is None or opened.classes is None:
        return [""] * len(opened.rows)
    return [opened.classes[code] if code >= 0 else "" for code in opened.labels.tolist()]


def _key_values(rows: datasets.Dataset, keys: Sequence[str]) -> Sequence[tuple[str, ...] | None]:
    if not keys:
        return [None] * len(rows)
    table = rows.select_columns(list(keys)).with_format("arrow")[:]
    columns = [table.column(name).to_pylist() for name in keys]
    return [
        None if any(value is None for value in values) else tuple(map(str, values))
        for values in zip(*columns, strict=True)
    ]
