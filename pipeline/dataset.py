"""Turns a data set into the images of a run: id, content hash, label and bytes of each, and which
were skipped and why.

Everything ``datasets`` can load is opened here and nowhere else. Once ``images.parquet`` is written
the data set itself is not needed any more, so that a run folder can be copied to another machine;
but for images that are read in place (`pipeline.inplace`), which ``images.parquet`` only says where
to find.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from pipeline import storage
from pipeline.errors import DatasetError, RunError, reason_of
from pipeline.images import UNREADABLE, decode, open_image, to_rgb
from pipeline.inplace import (
    Cell,
    Split,
    feature_of,
    field_of,
    places_schema,
    read_cells,
    split_name,
    splits_in_place,
    unsupported,
)
from pipeline.runfolder import NOTHING, DatasetReference, RunFolder, fingerprint, whole_file
from pipeline.threads import chunks, in_threads

if TYPE_CHECKING:
    import datasets
    import pyarrow
    from PIL import Image

SPLITS_BY_PREFERENCE = ("test", "validation", "valid", "val", "dev", "train")
"""Which split is reviewed where none was named: held-out images first, as the published example
does."""

IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
LABEL_NAMES = ("label", "labels", "class", "category", "target", "cls")
"""Column names that decide between several columns of the right type."""

JSON_NAMES = ("json", "jsn")
"""Columns in which WebDataset keeps all that is known of an image: the label may be a field of
them, ``json.label``."""

NO_LABELS = NOTHING
"""Given as the label column, it means: use no labels."""

PREVIEW_SIDE = 512
"""Longest side, in pixels, of what Spotlight gets of a large image: larger than it is ever drawn
there."""

BROWSER_FORMATS = {"JPEG", "PNG", "GIF", "WEBP"}
"""What a browser shows as it is, provided it is 8-bit and not turned by EXIF."""

ROW_GROUP = 256
"""Images in a row group of images.parquet: what is in memory at once while they are read back."""

CHUNK = 64
"""Images decoded and prepared as one piece of work by a thread."""


# -- opening a data set


@dataclass(frozen=True)
class OpenedDataset:
    """One split of a data set, its columns found, none of its images read."""

    rows: datasets.Dataset
    """The split, images not decoded; of images that are read in place, where each lies
    (`pipeline.inplace.places_schema`)."""
    reference: DatasetReference
    """The reference with split and columns filled in."""
    labels: NDArray[np.int32] | None
    """Index of the class of each row of the split, -1 where it has none; None for unlabelled
    data."""
    classes: list[str] | None
    """Names of the classes; None for unlabelled data."""


def open_dataset(reference: DatasetReference, *, option: str = "--split") -> OpenedDataset:
    """Open the split and find its image and label columns by feature type.

    ``option`` is how a person names the split. Raises DatasetError where the data set cannot be
    loaded or has not the split or columns, and names those there are.
    """
    found, split = _load_split(reference, option)
    image_column = _find_image_column(found.features, reference)
    label_column = _find_label_column(found.features, reference, image_column)
    with quiet_datasets(), _loading_errors(reference):
        rows, values = _without_pictures(found, image_column, label_column)
    labels, classes = (
        _read_labels(feature_of(found.features, label_column), label_column, values)
        if label_column
        else (None, None)
    )
    known = label_column or reference.label_column  # "none" stays what was said
    reference = replace(reference, split=split, image_column=image_column, label_column=known)
    return OpenedDataset(rows=rows, reference=reference, labels=labels, classes=classes)


def _without_pictures(
    found: Any, image_column: str, label_column: str | None
) -> tuple[datasets.Dataset, list[Any]]:
    """The rows with cells ``{"bytes", "path"}`` instead of decoded pictures, or where these lie,
    and what the column of labels says."""
    import datasets

    if isinstance(found, Split):
        places, values = found.index(image_column, label_column)
        return datasets.Dataset(places), values
    rows, values = found.cast_column(image_column, datasets.Image(decode=False)), []
    if label_column is not None:
        column, field = split_name(rows.features, label_column)
        values = [
            field_of(cell, field)
            for cell in rows.select_columns([column])
            .with_format("arrow")[:]
            .column(column)
            .to_pylist()
        ]
    return rows, values


def source_signature(reference: DatasetReference, run: RunFolder) -> str | None:
    """A cheap fingerprint of a data set's files: names, sizes and times, or what a store says
    instead.

    None for a Hub name, for what is not there (any more) or cannot be reached, and for data inside
    the run folder, which is copied with it.
    """
    if storage.is_address(reference.source):
        there = storage.versions(reference.source)
        return None if there is None else fingerprint(files=there)
    root = Path(reference.source)
    if not root.exists() or root.resolve().is_relative_to(run.path.resolve()):
        return None
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    entries = [
        (path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    return fingerprint(files=entries)


@dataclass(frozen=True)
class _Source:
    """A data set whose splits are known, none of them opened."""

    splits: list[str]
    open: Callable[[str], Any]
    """Gives a `datasets.Dataset`, or a `Split` that is read in place."""
    sliceable: bool = False
    """Whether ``test[:500]`` and ``train+test`` can be opened."""


def split_names(reference: DatasetReference) -> list[str]:
    """The splits that a data set has. Raises DatasetError where it cannot be loaded."""
    with quiet_datasets(), _loading_errors(reference):
        return _find_source(reference).splits


def load_rows(reference: DatasetReference) -> datasets.Dataset:
    """A split with all its columns and features as they are. Raises DatasetError."""
    return _load_split(reference, "--split")[0]


def _load_split(reference: DatasetReference, option: str) -> tuple[datasets.Dataset, str]:
    with quiet_datasets(), _loading_errors(reference):
        source = _find_source(reference)
        split = _choose_split(reference, source, option)
        return source.open(split), split


def _find_source(reference: DatasetReference) -> _Source:
    import datasets

    path = Path(reference.source)
    if path.is_dir() and (
        (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()
    ):
        if reference.in_place:
            raise unsupported(reference.source)
        saved = datasets.load_from_disk(str(path))
        if isinstance(saved, datasets.Dataset):
            return _Source([str(saved.split or "train")], lambda name: saved)
        return _Source([str(name) for name in saved], saved.__getitem__)
    builder = _find_builder(reference)
    if reference.in_place:
        splits = splits_in_place(builder, reference.source)
        return _Source(list(splits), lambda name: splits[name]())
    builder.download_and_prepare()
    return _Source(
        [str(name) for name in builder.info.splits or {}],
        lambda name: builder.as_dataset(split=name),
        sliceable=True,
    )


def _find_builder(reference: DatasetReference) -> Any:
    """What ``datasets`` makes of a file, a folder, an address that fsspec reaches or a Hub name;
    nothing is copied yet."""
    import datasets
    from datasets.data_files import DataFilesDict, get_data_patterns
    from datasets.load import infer_module_for_data_files

    source, path = reference.source, Path(reference.source)
    if path.is_file() or "://" in source:
        loader = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}.get(
            path.suffix.lower()
        )
        if loader is not None:
            return datasets.load_dataset_builder(loader, data_files=source)
        if path.is_file():
            raise DatasetError(
                f"Data set {path} is a {path.suffix or 'nameless'} file. Give a folder, a "
                f".parquet, .arrow or .tar file, or a Hub name."
            )
        files = DataFilesDict.from_patterns(get_data_patterns(source), base_path=source)
        loader, options = infer_module_for_data_files(files)
        return datasets.load_dataset_builder(loader, data_files=files, **options)
    if not path.exists() and (path.is_absolute() or source.startswith((".", "~"))):
        raise DatasetError(
            f"Data set {source} is not there. Give the path of a folder or file that is, or a Hub "
            f"name."
        )
    return datasets.load_dataset_builder(source, name=reference.config, revision=reference.revision)


def _choose_split(reference: DatasetReference, source: _Source, option: str) -> str:
    """The split to use: the one named (``test[:500]`` counts where the library can slice), or the
    preferred one."""
    splits = source.splits
    if not splits:
        raise DatasetError(f"Data set {reference.source} has no images. Give one that has.")
    if reference.split is None:
        return next((name for name in SPLITS_BY_PREFERENCE if name in splits), splits[0])
    names = (
        re.sub(r"\[[^\]]*\]", "", reference.split).split("+")
        if source.sliceable
        else [reference.split]
    )
    if not all(name.strip() in splits for name in names):
        raise DatasetError(
            f"Data set {reference.source} has no split {reference.split!r}; it has "
            f"{_listing(splits)}. Name one of them with {option}."
        )
    return reference.split


@contextmanager
def _loading_errors(reference: DatasetReference) -> Iterator[None]:
    """Whatever ``datasets`` raises while it loads becomes one DatasetError; it has no common base
    class of its own."""
    try:
        yield
    except (DatasetError, KeyboardInterrupt):
        raise
    except Exception as error:
        where, cure = (
            "",
            "Give a Hub name that can be reached, a folder of images by class, a .parquet file or "
            "a save_to_disk folder.",
        )
        if "://" in reference.source:
            cure = (
                "Check the address and what reaches it; where HF_HUB_OFFLINE is set, only "
                "--in-place reads from a server."
            )
        elif not Path(reference.source).exists():
            where = "is no path here and "
        raise DatasetError(
            f"Data set {reference.source} {where}cannot be loaded: {reason_of(error, lines=3)} "
            f"{cure}"
        ) from error


@contextmanager
def quiet_datasets() -> Iterator[None]:
    """Keep the libraries' own progress bars and reports of retries off the terminal."""
    import datasets

    hub = logging.getLogger("huggingface_hub")
    was_on, level = datasets.are_progress_bars_disabled() is False, hub.level
    datasets.disable_progress_bars()
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        hub.setLevel(level)
        if was_on:
            datasets.enable_progress_bars()


def _listing(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"


# -- columns


def _find_image_column(features: Any, reference: DatasetReference) -> str:
    import datasets

    named = reference.image_column
    if named is not None and named not in features:
        raise DatasetError(
            f"Data set {reference.source} has no column {named!r}; it has {_listing(features)}. "
            f"Name one with --image-column."
        )
    candidates = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    if not candidates:
        candidates = [name for name, feature in features.items() if _holds_image_files(feature)]
    column = named or _one_of(candidates, IMAGE_NAMES)
    if column is None:
        problem = (
            f"several image columns: {_listing(candidates)}"
            if candidates
            else f"no image column; its columns are {_listing(features)}"
        )
        raise DatasetError(
            f"Data set {reference.source} has {problem}. Name the one to use with --image-column."
        )
    feature = features[column]
    paths = getattr(feature, "dtype", None) in {"string", "large_string"}
    if not (isinstance(feature, datasets.Image) or _holds_image_files(feature) or paths):
        raise DatasetError(
            f"Column {column!r} of {reference.source} holds {feature}, not images. Name another "
            f"with --image-column."
        )
    return column


def _holds_image_files(feature: Any) -> bool:
    """Whether a column without the Image type looks like encoded files: bytes, or the Hub's
    ``{bytes, path}``."""
    if isinstance(feature, dict):
        return set(feature) == {"bytes", "path"}
    return getattr(feature, "dtype", None) in {"binary", "large_binary"}


def _one_of(candidates: Sequence[str], preferred: Sequence[str]) -> str | None:
    """The only candidate, or the one with the name that comes first among the preferred ones."""
    if len(candidates) == 1:
        return candidates[0]
    return next((name for name in preferred if name in candidates), None)


def _find_label_column(features: Any, reference: DatasetReference, image_column: str) -> str | None:
    import datasets

    named = reference.label_column
    if named == NO_LABELS and NO_LABELS not in features:
        return None
    if named is not None:
        if feature_of(features, named) is None:
            raise DatasetError(
                f"Data set {reference.source} has no column {named!r}; it has "
                f"{_listing(features)}. Name one with --label-column."
            )
        return named
    class_labels = [
        name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)
    ]
    if column := _one_of(class_labels, LABEL_NAMES):
        return column
    if class_labels:
        raise DatasetError(
            f"Data set {reference.source} has several label columns: {_listing(class_labels)}. "
            f"Name the one to use with --label-column."
        )
    columns = [*LABEL_NAMES, *(f"{outer}.{name}" for outer in JSON_NAMES for name in LABEL_NAMES)]
    return next(
        (
            name
            for name in columns
            if name != image_column and feature_of(features, name) is not None
        ),
        None,
    )


def _read_labels(
    feature: Any, column: str, values: list[Any]
) -> tuple[NDArray[np.int32], list[str]]:
    """Class index of each row (-1: none) and the names of the classes, in the data set's order.

    Names that are not declared are sorted: numbers by value, anything else as text.
    """
    import datasets

    if isinstance(feature, datasets.ClassLabel):
        names = [str(name) for name in feature.names]
        return np.array(
            [-1 if value is None or value < 0 else value for value in values], dtype=np.int32
        ), names
    if any(isinstance(value, (list, dict, bytes)) for value in values):
        raise DatasetError(
            f"Column {column!r} holds {feature}, not one class an image. Name another with "
            f"--label-column, or 'none' for no labels."
        )
    values = [
        int(value) if isinstance(value, float) and value.is_integer() else value for value in values
    ]
    present = {value for value in values if value is not None and value == value}
    numeric = all(isinstance(value, (int, float)) for value in present)
    ordered = sorted(present) if numeric else sorted(present, key=str)
    index = {value: position for position, value in enumerate(ordered)}
    return np.array([index.get(value, -1) for value in values], dtype=np.int32), [
        str(value) for value in ordered
    ]


# -- a sample


def balanced_sample(
    labels: NDArray[np.int32] | None, total: int, limit: int | None, seed: int
) -> NDArray[np.int64]:
    """Row numbers, ascending, of a seeded sample with as equal a number of images from each class
    as there are.

    Rows without a label count as a class of their own. All rows where ``limit`` is None or not
    smaller than ``total``.
    """
    if limit is None or limit >= total:
        return np.arange(total, dtype=np.int64)
    generator = np.random.default_rng(seed)
    if labels is None:
        return np.sort(generator.choice(total, size=limit, replace=False)).astype(np.int64)
    shuffled = generator.permutation(total)
    # The place of a row among the shuffled rows of its class: taking by that place first takes one
    # of each class in turn.
    place = np.empty(total, dtype=np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = np.arange(len(members))
    order = shuffled[np.argsort(place[shuffled], kind="stable")]
    return np.sort(order[:limit]).astype(np.int64)


# -- reading images


@dataclass(frozen=True)
class ImageFacts:
    """What is kept of one readable image of the split."""

    image_id: int
    """Row of the split."""
    image_hash: str
    """SHA-256 (hex) of the file's bytes."""
    path: str
    """The file's path as the data set names it; empty where it names none."""
    label: int
    """Index of its class; -1 without one."""
    width: int
    height: int


@dataclass(frozen=True)
class ImageRecord(ImageFacts):
    """The image itself, too."""

    data: bytes
    """The file as the data set stores it."""
    preview: bytes | None
    """What a browser should show instead; None where ``data`` itself will do."""
    rgb: Image.Image
    """The decoded picture."""


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read."""

    image_id: int
    path: str
    reason: str


def read_image(
    image_id: int, label: int, cell: Cell | None, root: Path | None = None, *, preview: bool = True
) -> ImageRecord | SkippedImage:
    """Read and decode one cell of the image column; a file that cannot be read comes back with the
    reason.

    Paths inside ``root``, the data set's folder, are kept relative to it. Without ``preview`` none
    is made.
    """
    file = (cell or {}).get("path") or ""
    path = (
        Path(file).relative_to(root).as_posix()
        if root and file and Path(file).is_relative_to(root)
        else file
    )
    try:
        data = (cell or {}).get("bytes")
        if data is None:
            if not file:
                return SkippedImage(image_id, path, "no image in this row")
            data = read_file(file)
        stored = decode(data)
        rgb = to_rgb(stored)
    except UnidentifiedImageError:
        return SkippedImage(image_id, path, "not an image of a known format")
    except UNREADABLE as error:
        return SkippedImage(image_id, path, reason_of(error).replace(repr(file), "the file"))
    shown = _preview(stored, rgb) if preview else None
    return ImageRecord(
        image_id,
        hashlib.sha256(data).hexdigest(),
        path,
        label,
        rgb.width,
        rgb.height,
        data,
        shown,
        rgb,
    )


def read_all(
    cells: Iterable[tuple[int, int, Cell | None]],
    root: Path,
    prepare: Callable[[list[Image.Image]], NDArray[Any]] | None,
    *,
    preview: bool = True,
    workers: int | None = None,
) -> Iterator[tuple[list[ImageRecord | SkippedImage], NDArray[Any] | None]]:
    """Read images, given by row, label and cell, some at a time, with what ``prepare`` makes of
    them; in threads, some ahead."""

    def read(
        some: list[tuple[int, int, Cell | None]],
    ) -> tuple[list[ImageRecord | SkippedImage], NDArray[Any] | None]:
        records = [read_image(*one, root=root, preview=preview) for one in some]
        pictures = [record.rgb for record in records if isinstance(record, ImageRecord)]
        return records, prepare(pictures) if prepare and pictures else None

    return in_threads(read, chunks(cells, CHUNK), workers)


def read_file(path: str) -> bytes:
    """A file on disk, or one inside an archive or on a server as ``datasets`` names it
    (``zip://a.png::/data/images.zip``)."""
    if "://" not in path:
        return Path(path).read_bytes()
    import fsspec

    with fsspec.open(path, "rb") as file:
        data: bytes = file.read()
    return data


def shown_in_browser(data: bytes) -> bytes:
    """A readable image file, or what a browser should show of it; decoded only where that is not
    the file itself."""
    with open_image(data) as stored:
        if _shows_as_it_is(stored):
            return data
        stored.load()
        return _preview(stored, to_rgb(stored)) or data


def _shows_as_it_is(stored: Image.Image) -> bool:
    plain = (
        stored.format in BROWSER_FORMATS
        and stored.mode in {"L", "RGB"}
        and stored.getexif().get(0x0112, 1) == 1
    )
    return plain and max(stored.size) <= PREVIEW_SIDE


def _preview(stored: Image.Image, rgb: Image.Image) -> bytes | None:
    """A picture that every browser shows the way people see it; None where the file itself is one
    of moderate size."""
    if _shows_as_it_is(stored):
        return None
    small = rgb.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    if stored.format == "JPEG":
        small.save(buffer, "JPEG", quality=90)
    else:
        small.save(buffer, "PNG")
    return buffer.getvalue()


# -- the images of a run


@dataclass(frozen=True)
class RunImages:
    """What ``images.parquet`` says about each image, the pictures themselves left there, or where
    the data set has them."""

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
    places: NDArray[np.int64] | None = None
    """Which rows of the file these are, ascending; None for all."""
    column: str | None = None
    """Column of the images in the data set where they are read in place; None where they are in the
    file itself."""

    def take(self, places: NDArray[np.integer]) -> RunImages:
        """Some of the images, given by their places, ascending."""
        chosen = np.asarray(places, dtype=np.int64)
        return replace(
            self,
            ids=self.ids[chosen],
            hashes=[self.hashes[place] for place in chosen],
            paths=[self.paths[place] for place in chosen],
            labels=None if self.labels is None else self.labels[chosen],
            places=chosen if self.places is None else self.places[chosen],
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """Fingerprint of the pictures and their order: what embeddings depend on."""
        joined = hashlib.sha256("\n".join(self.hashes).encode())
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
        self, places: Sequence[int], *, preview: bool = False
    ) -> Iterator[tuple[int, bytes]]:
        """The image files at some places, ascending, each with its place; only the row groups they
        lie in are read.

        Raises DatasetError where one that is read in place is gone or is not the one that the run
        was made from.
        """
        import pyarrow.parquet as parquet

        wanted: NDArray[np.int64] = np.unique(np.asarray(places, dtype=np.int64))
        if self.column is not None:
            yield from zip(
                wanted.tolist(), self._read_in_place(wanted, preview=preview), strict=True
            )
            return
        rows, start = wanted if self.places is None else self.places[wanted], 0
        columns = ["image", "preview"] if preview else ["image"]
        with parquet.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                here = slice(*np.searchsorted(rows, (start, stop)))
                if here.start < here.stop:
                    found = (
                        file.read_row_group(group, columns=columns)
                        .take(rows[here] - start)
                        .to_pylist()
                    )
                    yield from (
                        (int(place), one.get("preview") or one["image"])
                        for place, one in zip(wanted[here], found, strict=True)
                    )
                start = stop

    def where(self, places: NDArray[np.int64]) -> pyarrow.Table:
        """Where some of the images lie that are read in place
        (`pipeline.inplace.places_schema`)."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        rows = places if self.places is None else self.places[places]
        found = parquet.read_table(self.path, columns=places_schema().names).take(rows)
        files = [
            file if _ABSOLUTE.match(file) else f"{_folder_of(self.path)}{file}"
            for file in found.column("file").to_pylist()
        ]
        return found.set_column(
            found.schema.get_field_index("file"), "file", pa.array(files, pa.string())
        )

    def _read_in_place(self, places: NDArray[np.int64], *, preview: bool) -> Iterator[bytes]:
        def read(one: tuple[int, Cell]) -> bytes:
            place, cell = one
            image = (
                f"Image {self.ids[place]} of the run, {cell['path'] or 'a row of a Parquet file'},"
            )
            try:
                data: bytes = (
                    read_file(str(cell["path"])) if cell["bytes"] is None else cell["bytes"]
                )
            except OSError as error:
                raise DatasetError(
                    f"{image} cannot be read where it lies: {reason_of(error)} Bring it back, or "
                    f"name the data set anew with --dataset."
                ) from error
            if hashlib.sha256(data).hexdigest() != self.hashes[place]:
                raise DatasetError(
                    f"{image} has changed since. `review-embeddings build --run "
                    f"{self.path.parent}` reads the images again."
                )
            return shown_in_browser(data) if preview else data

        return in_threads(
            read,
            zip(places.tolist(), read_cells(self.where(places), str(self.column)), strict=True),
        )

    def read_pictures(self) -> Iterator[bytes]:
        """The image files one after the other, a row group in memory at a time."""
        return (data for _, data in self.read_some(range(len(self))))


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
            *([field for field in places_schema() if field.name != "path"] if in_place else there),
        ]
    )


@contextmanager
def writing_images(
    run: RunFolder, opened: OpenedDataset, signature: str | None
) -> Iterator[ImagesWriter]:
    """Write ``skipped.csv`` and then ``images.parquet`` when the context is left without an error.

    Raises DatasetError where not one image could be read.
    """
    import pyarrow.parquet as parquet

    metadata = {
        "classes": json.dumps(opened.classes, ensure_ascii=False),
        "key": images_key(opened.reference),
        "signature": json.dumps(signature),
        **({"column": str(opened.reference.image_column)} if opened.reference.in_place else {}),
    }
    schema = images_schema(in_place=opened.reference.in_place)
    places = opened.rows.data.table if opened.reference.in_place else None
    with whole_file(run.images) as temporary:
        with parquet.ParquetWriter(
            temporary, schema.with_metadata(metadata), compression="zstd"
        ) as file:
            writer = ImagesWriter(
                file,
                schema,
                _folder_of(run.images),
                labelled=opened.labels is not None,
                places=places,
            )
            yield writer
            writer.finish(opened.reference)
        _write_skipped(run.skipped, writer.skipped)


class ImagesWriter:
    """Takes images in the order of the split, or only what is known of them where it has the
    ``places`` of all."""

    def __init__(
        self,
        file: Any,
        schema: pyarrow.Schema,
        folder: str,
        *,
        labelled: bool,
        places: pyarrow.Table | None,
    ) -> None:
        self._file, self._schema = file, schema
        self._folder = folder
        self._labelled = labelled
        self._places = places
        self._waiting: list[dict[str, Any]] = []
        self.skipped: list[SkippedImage] = []
        self.count = 0

    def add(self, record: ImageFacts | SkippedImage) -> None:
        """Take the next image, or note that it could not be read."""
        if isinstance(record, SkippedImage):
            self.skipped.append(record)
            return
        self.count += 1
        self._waiting.append(
            {
                "image_id": record.image_id,
                "image_hash": record.image_hash,
                "label": record.label if self._labelled and record.label >= 0 else None,
                "path": record.path or None,
                "width": record.width,
                "height": record.height,
                **(
                    {"image": record.data, "preview": record.preview}
                    if isinstance(record, ImageRecord)
                    else {}
                ),
            }
        )
        if len(self._waiting) == ROW_GROUP:
            self._flush()

    def finish(self, reference: DatasetReference) -> None:
        """Write what is left. Raises DatasetError where there is nothing at all."""
        if self.count == 0:
            name = f"split {reference.split!r} of {reference.source}"
            if not self.skipped:
                raise DatasetError(
                    f"The {name} has no images. Name another with --split or --dataset."
                )
            first = self.skipped[0]
            raise DatasetError(
                f"None of the {len(self.skipped)} images of {name} can be read; the first "
                f"({first.path or f'row {first.image_id}'}): "
                f"{first.reason}. Check the files, or name another column with --image-column."
            )
        self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting and self._places is not None:
            found = self._places.take([row["image_id"] for row in self._waiting]).to_pylist()
            for row, place in zip(
                self._waiting, found, strict=True
            ):  # a file in the run folder is found when that was moved
                row.update(
                    file=place["file"].removeprefix(self._folder),
                    place=place["place"],
                    size=place["size"],
                )
        if self._waiting:
            self._file.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
            self._waiting = []


_ABSOLUTE = re.compile(r"/|\w+:[/\\]")
"""How a path or an address begins that does not depend on where the run folder is."""


def _folder_of(file: Path) -> str:
    """What the absolute paths of all that lies beside a file begin with."""
    return f"{file.parent.resolve().as_posix()}/"


def _write_skipped(path: Path, skipped: list[SkippedImage]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image_id", "path", "reason"])
        rows.writerows([image.image_id, image.path, image.reason] for image in skipped)


def read_images(run: RunFolder) -> RunImages | None:
    """What is known about the images of a run; None where they were not read yet."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not storage.exists(run.images):
        return None
    try:
        file = parquet.ParquetFile(storage.fetched(run.images))
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"{run.images} is damaged ({reason_of(error)}) Delete it; it is read from the data set "
            f"again."
        ) from error
    if file.schema_arrow.names not in (images_schema().names, images_schema(in_place=True).names):
        return None  # written by another version: read again from the data set
    metadata = file.schema_arrow.metadata
    classes = json.loads(metadata[b"classes"])
    table = file.read(columns=["image_id", "image_hash", "label", "path"])
    labels = None
    if classes is not None:
        labels = table.column("label").fill_null(-1).to_numpy().astype(np.int32)
    return RunImages(
        path=run.images,
        ids=table.column("image_id").to_numpy(),
        hashes=table.column("image_hash").to_pylist(),
        paths=table.column("path").to_pylist(),
        labels=labels,
        classes=classes,
        key=metadata[b"key"].decode(),
        signature=json.loads(metadata[b"signature"]),
        column=metadata[b"column"].decode() if b"column" in metadata else None,
    )


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
    )
