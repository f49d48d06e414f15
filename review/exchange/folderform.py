"""A split as a folder of images: the files by class under their own names, and all other columns,
with their types, in ``metadata.parquet``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.run import system
from review_embeddings.review.exchange.parquet import write_parquet
from review_embeddings.review.exchange.sourcerows import (
    bytes_of,
    ending_by_content,
    file_name,
    image_cells,
)

if TYPE_CHECKING:
    import datasets

METADATA = "metadata.parquet"

ONE, SEVERAL = "file_name", "file_names"
"""What `datasets` takes for an image, or images, in the metadata: a column so called, or one whose
name ends so."""

ARCHIVE_WORDS = ("zip", "tar", "gz", "bz2", "xz", "zst", "lz4", "7z", "rar")


@dataclass(frozen=True)
class FolderSplit:
    """What is known of a split that may become a folder."""

    rows: datasets.Dataset
    image_column: str | None
    classes: Sequence[str]
    """Name of the class of each row, empty for none."""
    paths: Sequence[str]
    """File of each image as the data set names it, empty where there is no image."""
    endings: Sequence[str]
    """By the content of each image; empty where it cannot be told."""
    there: Sequence[bool]
    """Whether a row has an image."""

    def names(self) -> list[str | None]:
        """The file of each row in the folder; None for a row without an image."""
        taken, names = {METADATA.lower()}, list[str | None]()
        known = zip(self.classes, self.paths, self.endings, self.there, strict=True)
        for number, (name, path, ending, there) in enumerate(known):
            if not there:
                names.append(None)
                continue
            stem, suffix = _file(path, ending, number)
            folder = f"{safe_name(name)}/" if name else ""
            tries = (f"-{count}" for count in itertools.count(2))
            for more in itertools.chain([""], tries):
                if (one := f"{folder}{stem}{more}{suffix}").lower() not in taken:
                    break
            taken.add(one.lower())
            names.append(one)
        return names

    def first_files(self) -> list[str]:
        """A file by whose ending `datasets` knows a folder of images, where others have endings
        that it does not know."""
        names = [name for name in self.names() if name is not None]
        if all(map(_is_known, names)):
            return []
        plain = (name for name in names if _is_known(name) and not set(name) & set("*?[]{}!"))
        return list(itertools.islice(plain, 1))


def _file(path: str, ending: str, number: int) -> tuple[str, str]:
    """The stem and the ending of a file in the folder: its own where it has them."""
    own = safe_name(file_name(path)) if path else ""
    stem, suffix = (own.rpartition(".")[0], own.rpartition(".")[2]) if "." in own else (own, "")
    suffix = f".{suffix}" if suffix else ""
    if not own or not stem:
        return f"{number:07d}", ending or ".png"
    if not _is_known(f"x{suffix}") and (ending or not suffix):
        stem, suffix = own, ending or ".png"
    return _without_endings(stem), suffix


def _without_endings(stem: str) -> str:
    """A stem in which no part is the ending of another kind of file, by which `datasets` would
    judge the folder."""
    from datasets.packaged_modules import _EXTENSION_TO_MODULE

    first, *parts = stem.split(".")
    known = [
        f".{part.lower()}" in _EXTENSION_TO_MODULE or part.lower() in ARCHIVE_WORDS
        for part in parts
    ]
    joined = (("_" if bad else ".") + part for bad, part in zip(known, parts, strict=True))
    return first + "".join(joined) or "_"


def _is_known(name: str) -> bool:
    """Whether `datasets` takes a file for an image by its ending."""
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder

    return Path(name).suffix.lower() in ImageFolder.EXTENSIONS


def safe_name(text: str) -> str:
    """A name for one folder or file that cannot lead out of its place: separators, control
    characters, leading and last dots, and names of devices replaced."""
    plain = "".join(
        "_" if character in '/\\:*?"<>|' or not character.isprintable() else character
        for character in text
    ).strip()
    plain = plain.lstrip(".").rstrip(". ")
    plain = f"_{plain}" if system.is_reserved(plain) else plain
    if len(plain.encode()) > 200:
        stem, dot, ending = plain.rpartition(".")
        keep = f"{dot}{ending}" if stem and len(ending) < 10 else ""
        plain = plain.encode()[: 200 - len(keep)].decode(errors="ignore") + keep
    return plain or "_"


# -- what a folder cannot carry


def unsuited(name: str, split: FolderSplit) -> Iterator[str]:
    """What of a split a folder cannot carry, in words."""
    import datasets

    features = split.rows.features
    if split.image_column is None or features[split.image_column] != datasets.Image():
        yield f"the images of split {name!r} are no column of the type Image"
        return
    files = [one for one in split.names() if one is not None]
    if len(split.rows) and not any(map(_is_known, files)):
        yield f"split {name!r} has no image of a kind that `datasets` looks for in a folder"
    image_columns = {one for one, feature in features.items() if _is_image(feature)}
    for column, feature in features.items():
        if feature == datasets.Image():
            continue
        if feature == datasets.List(datasets.Image()):
            if split.rows.with_format("arrow")[:].column(column).null_count:
                yield f"column {column!r} has rows without a list of images"
        elif (kind := _decoded_kind(feature)) is not None:
            yield f"column {column!r} holds {kind}"
        yield from _taken_for_files(column, image_columns)


def _decoded_kind(feature: Any) -> str | None:
    """What is in a column that `datasets` decodes, or in a part of it; None for no such thing."""
    if hasattr(feature, "decode_example") and not isinstance(feature, (dict, list)):
        return f"{type(feature).__name__} that a folder has no place for"
    parts = feature.values() if isinstance(feature, dict) else ()
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    kinds = map(_decoded_kind, [*parts, *([] if inner is None else [inner])])
    return next((kind for kind in kinds if kind is not None), None)


def _taken_for_files(column: str, image_columns: set[str]) -> Iterator[str]:
    """A column that `datasets` takes for the names of image files, whatever the card says."""
    images = {f"{one}_{ending}" for one in image_columns for ending in (ONE, SEVERAL)}
    if column in {ONE, SEVERAL} or column in images:
        yield f"`datasets` takes the column {column!r} for the names of image files"


def names_files(features: Any) -> bool:
    """Whether `datasets` takes a column, or a part of one, for the names of image files, unless the
    card says what it holds."""
    return any(
        _means_files(name, feature) or _names_files_inside(feature)
        for name, feature in features.items()
        if not _is_image(feature)
    )


def _means_files(name: str, feature: Any) -> bool:
    import datasets

    texts = [datasets.Value("string"), datasets.Value("large_string")]
    if name == ONE or name.endswith(f"_{ONE}"):
        return feature in texts
    lists = [*(datasets.List(text) for text in texts), *([text] for text in texts)]
    return (name == SEVERAL or name.endswith(f"_{SEVERAL}")) and feature in lists


def _names_files_inside(feature: Any) -> bool:
    if isinstance(feature, dict):
        return any(
            _means_files(name, one) or _names_files_inside(one) for name, one in feature.items()
        )
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    return inner is not None and _names_files_inside(inner)


# -- writing


def write_folder(folder: Path, split: FolderSplit, features: Any) -> None:
    """Write the images and the metadata of a split; ``features`` are the columns of all splits, of
    which `datasets` wants the same in each: those that it lacks are null."""
    import datasets

    rows, names = split.rows, split.names()
    columns = [name for name, one in features.items() if _is_image(one)]
    metadata: dict[str, tuple[list[Any], Any]] = {}
    taken = {name.partition("/")[0].lower() for name in names if name is not None}
    for column in columns:
        several = features[column] != datasets.Image()
        if column not in rows.features:
            files: list[Any] = [None] * len(rows)
        elif column == split.image_column:
            files = _write_images(folder, rows, column, names)
        elif several:
            files = _write_lists(folder, rows, column, _subfolder(column, taken))
        else:
            inner = _subfolder(column, taken)
            numbered = [f"{inner}/{number:07d}" for number in range(len(rows))]
            files = _write_images(folder, rows, column, numbered)
        text = datasets.Value("string")
        key = f"{column}_{SEVERAL if several else ONE}"
        if columns == ["image"]:
            key = ONE
        metadata[column] = (files, (key, datasets.List(text) if several else text))
    _write_metadata(folder, rows, features, metadata)


def _is_image(feature: Any) -> bool:
    import datasets

    return feature in [datasets.Image(), datasets.List(datasets.Image())]


def _subfolder(column: str, taken: set[str]) -> str:
    """A folder for the images of a further column, which is no class's; adds it to those taken."""
    name = f"{safe_name(column)}-images"
    while name.lower() in taken:
        name += "_"
    taken.add(name.lower())
    return name


def _write_images(
    folder: Path, rows: datasets.Dataset, column: str, names: Sequence[str | None]
) -> list[str | None]:
    """Write the images of a column; gives the name of each, None for a row without one."""
    written: list[str | None] = []
    for name, cell in zip(names, image_cells(rows, column), strict=True):
        data, _ = bytes_of(cell)
        if name is None or data is None:
            written.append(None)
            continue
        if not Path(name).suffix:
            name += _ending_of(cell, data)
        written.append(_write(folder, name, data))
    return written


def _write(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


def _ending_of(cell: dict[str, Any], data: bytes) -> str:
    return _file(str(cell.get("path") or ""), ending_by_content(data), 0)[1]


def _write_lists(
    folder: Path, rows: datasets.Dataset, column: str, inner: str
) -> list[list[str | None]]:
    """Write the images of a column of lists."""
    lists = rows.with_format("arrow")[:].column(column).to_pylist()
    written = []
    for number, cells in enumerate(lists):
        names = list[str | None]()
        for place, cell in enumerate(cells):
            data, _ = bytes_of(cell or {})
            if data is None:
                names.append(None)
                continue
            name = f"{inner}/{number:07d}-{place}{_ending_of(cell, data)}"
            names.append(_write(folder, name, data))
        written.append(names)
    return written


def _write_metadata(
    folder: Path, rows: datasets.Dataset, features: Any, files: dict[str, tuple[list[Any], Any]]
) -> None:
    """Write all columns in their order, those of images as the names of their files."""
    import datasets
    import pyarrow as pa

    kinds, columns = datasets.Features(), dict[str, Any]()
    for name, feature in features.items():
        values, (key, kind) = files.get(name, (None, (name, feature)))
        kinds[key] = kind
        if values is None and name in rows.features:
            columns[key] = rows.select_columns([name]).with_format("arrow")[:].column(name)
        else:
            type_ = kinds.arrow_schema.field(key).type
            columns[key] = pa.array(values or [None] * len(rows), type_)
    table = pa.table(columns).cast(kinds.arrow_schema)
    info = datasets.DatasetInfo(features=kinds)
    write_parquet(datasets.Dataset(table, info=info), folder / METADATA)
