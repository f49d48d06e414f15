"""Writes the splits of a cleaned data set as files: a `save_to_disk` data set, a folder of images,
Parquet. Says before that what a form cannot carry. Knows no decision."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError, StorageError
from review_embeddings.pipeline.images.dataset import quiet_datasets
from review_embeddings.pipeline.images.plainpath import plain_folder
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.temporary import temporary_path
from review_embeddings.review.exchange.folderform import (
    FolderSplit,
    names_files,
    unsuited,
    write_folder,
)
from review_embeddings.review.exchange.formcard import CARD, SplitFiles, card, common_columns
from review_embeddings.review.exchange.forms import DISK, FOLDER, FORMS, PARQUET
from review_embeddings.review.exchange.parquet import keeps_features, write_parquet
from review_embeddings.review.exchange.sourcerows import CHUNK, bare_name, bytes_of, file_name

if TYPE_CHECKING:
    import datasets

SPLIT_NAME = re.compile(r"\w+(\.\w+)*")
"""Names of splits that `datasets` takes."""


@dataclass(frozen=True)
class CleanedSplit:
    """A split as it is to be written."""

    rows: datasets.Dataset
    folder: FolderSplit
    """What a folder of images needs to know of it."""
    hashes: Sequence[str | None] = ()
    """SHA-256 (hex) of the image of each row; None for one without."""


def check_form(cleaned: Mapping[str, CleanedSplit], form: str) -> None:
    """Raise SettingsError where a form cannot carry a data set; names the forms that can."""
    problems = _problems(cleaned, form)
    if problems:
        others = [f"--as {one}" for one in FORMS if not _problems(cleaned, one)]
        raise SettingsError(
            f"--as {form} cannot carry this data set: {'; '.join(problems)}. Use "
            f"{' or '.join(others)}."
        )


def _problems(cleaned: Mapping[str, CleanedSplit], form: str) -> list[str]:
    """What a form cannot carry; nothing for `DISK`."""
    if form == DISK:
        return []
    problems = [
        f"{name!r} is no name of a split that it can have"
        for name in cleaned
        if not SPLIT_NAME.fullmatch(name)
    ]
    problems += [
        f"split {name!r} has no rows, and `datasets` loads no such file"
        for name, split in cleaned.items()
        if not len(split.rows)
    ]
    if form == FOLDER:
        found = (one for name, split in cleaned.items() for one in unsuited(name, split.folder))
        problems += dict.fromkeys([*found, *_partial_image_lists(cleaned)])
    return problems


def _partial_image_lists(cleaned: Mapping[str, CleanedSplit]) -> Iterator[str]:
    """Columns of lists of images that some splits lack: `datasets` takes no null for a list of
    files."""
    import datasets

    features = [split.rows.features for split in cleaned.values()]
    for column in dict.fromkeys(name for one in features for name in one):
        lists = [one.get(column) == datasets.List(datasets.Image()) for one in features]
        if any(lists) and not all(lists):
            yield f"column {column!r} of lists of images is not in all splits"


def write_cleaned(
    cleaned: Mapping[str, CleanedSplit],
    out: Path,
    form: str,
    reports: Mapping[str, str],
    *,
    single: bool = False,
) -> None:
    """Write the splits in one of `FORMS`, and the reports by file name, beside ``out``, and rename
    it all when it is whole. ``single`` writes the only split as a data set without splits."""
    temporary = temporary_path(out)
    embedded = temporary_path(out.with_name(f"images-of-{out.name}"))
    try:
        for folder in (temporary, embedded):
            folder.mkdir()
        with quiet_datasets(), plain_folder(temporary) as whole, plain_folder(embedded) as work:
            _write_splits(cleaned, whole, form, work, single=single)
        if form != DISK:
            text = card(_files(cleaned, form), _identity(cleaned, out, reports))
            (temporary / CARD).write_text(text, encoding="utf-8")
        for name, text in reports.items():
            (temporary / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        _remove(embedded)
        if out.exists():
            out.rmdir()  # an empty folder
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(embedded, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Delete what is not needed any more, before all is in its place. Raises StorageError."""
    try:
        # On Windows its files may be open yet.
        shutil.rmtree(folder, ignore_errors=system.is_windows())
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(
            f"{folder} cannot be deleted ({reason}). Check its disk, then start the same command "
            f"again."
        ) from error


def _write_splits(
    cleaned: Mapping[str, CleanedSplit], folder: Path, form: str, work: Path, *, single: bool
) -> None:
    if form == DISK:
        filled = {name: with_files(one.rows, work / name) for name, one in cleaned.items()}
        _save_to_disk(filled, folder, single=single)
        return
    columns = common_columns({name: split.rows.features for name, split in cleaned.items()})
    for name, split in cleaned.items():
        (folder / name).mkdir(parents=True)
        if form == PARQUET:
            write_parquet(with_files(split.rows, work / name), folder / name / "data.parquet")
        else:
            write_folder(folder / name, split.folder, columns or split.rows.features)


def _save_to_disk(splits: Mapping[str, Any], folder: Path, *, single: bool) -> None:
    import datasets

    # One shard for no rows: of itself `datasets` counts none, and then cannot load the split.
    shards = {name: None if len(rows) else 1 for name, rows in splits.items()}
    if single:
        ((name, rows),) = splits.items()
        rows.save_to_disk(str(folder), num_shards=shards[name])
    else:
        datasets.DatasetDict(dict(splits)).save_to_disk(str(folder), num_shards=shards)


def _identity(cleaned: Mapping[str, CleanedSplit], out: Path, reports: Mapping[str, str]) -> str:
    """A fingerprint of a cleaned data set at its place.

    `datasets` keeps what it has loaded by the name of the folder and its card alone, and would
    otherwise give one cleaned data set for another.
    """
    fingerprints = [str(split.rows._fingerprint) for split in cleaned.values()]
    known = "\n".join([str(out.resolve()), *reports.values(), *fingerprints])
    return hashlib.sha256(known.encode(errors="surrogatepass")).hexdigest()


def _files(cleaned: Mapping[str, CleanedSplit], form: str) -> dict[str, SplitFiles]:
    """Where each split lies."""
    found = {}
    for name, split in cleaned.items():
        patterns, features = [f"{name}/data.parquet"], split.rows.features
        if form == FOLDER:
            first = (f"{name}/{file}" for file in split.folder.first_files())
            patterns = [*first, f"{name}/**"]
        declared = (form == FOLDER and names_files(features)) or not keeps_features(features)
        found[name] = SplitFiles(patterns, features, declared)
    return found


# -- image files that are only named


def with_files(rows: datasets.Dataset, work: Path, *, bare: bool = False) -> datasets.Dataset:
    """The rows with the bytes of image files that they only name; one that is not there is null.

    ``work`` is a new folder for what is made on the way. With ``bare`` no image keeps more of its
    path than the name of the file.
    """
    columns = [
        name
        for name in rows.column_names
        if _lacks_bytes(rows, name) or (bare and holds_images(rows.features[name]))
    ]
    if not columns or not len(rows):
        return rows
    work.mkdir()
    embedded = rows.with_format("arrow").map(
        partial(_embed, features=rows.features, columns=columns, bare=bare),
        batched=True,
        batch_size=CHUNK,
        features=rows.features,
        cache_file_name=str(work / "rows.arrow"),
    )
    return embedded.with_format(**rows.format)


def _lacks_bytes(rows: datasets.Dataset, column: str) -> bool:
    """Whether images in a column may lie in files of their own."""
    import datasets
    import pyarrow.compute as pc

    feature = rows.features[column]
    if not isinstance(feature, datasets.Image):
        return holds_images(feature)
    table = rows.data.column(column)  # of all rows of the source: it is only looked at
    return any(
        pc.any(pc.and_(chunk.is_valid(), pc.struct_field(chunk, "bytes").is_null())).as_py()
        for chunk in table.chunks
        if len(chunk)
    )


def holds_images(feature: Any) -> bool:
    """Whether there are images in a column, or in a part of what it holds."""
    import datasets

    if isinstance(feature, datasets.Image):
        return True
    if isinstance(feature, dict):
        return any(map(holds_images, feature.values()))
    if isinstance(feature, list):
        return holds_images(feature[0])
    inner = getattr(feature, "feature", None)
    return inner is not None and holds_images(inner)


def _embed(table: Any, *, features: Any, columns: list[str], bare: bool) -> Any:
    import pyarrow as pa

    for name in columns:
        position = table.column_names.index(name)
        kind = table.schema.field(name).type
        cells = [_embedded(features[name], one, bare) for one in table.column(name).to_pylist()]
        table = table.set_column(position, table.schema.field(name), pa.array(cells, type=kind))
    return table


def _embedded(feature: Any, value: Any, bare: bool) -> Any:
    """A value with the bytes of every image file in it."""
    import datasets

    if value is None or not holds_images(feature):
        return value
    if isinstance(feature, datasets.Image):
        path, data = value.get("path"), value.get("bytes")
        if data is not None or not path:
            return {**value, "path": bare_name(path)} if bare and path else value
        data, _ = bytes_of(value)
        return None if data is None else {"bytes": data, "path": file_name(path)}
    if isinstance(feature, dict):
        return {name: _embedded(feature[name], one, bare) for name, one in value.items()}
    inner = feature[0] if isinstance(feature, list) else feature.feature
    return [_embedded(inner, one, bare) for one in value]
