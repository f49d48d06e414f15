"""Finds the files of a data set that holds its images in Parquet, Arrow or tar files, by split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from review_embeddings.pipeline.images.card import Card
from review_embeddings.pipeline.images.columns import rows_of
from review_embeddings.pipeline.images.folders import ONLY_SPLIT, Listing
from review_embeddings.pipeline.images.inplace import (
    Split,
    folder_in_place,
    parquet_in_place,
    unsupported,
)
from review_embeddings.pipeline.images.plainpath import plain_path
from review_embeddings.pipeline.images.splitwords import SPELLINGS, split_names_of
from review_embeddings.pipeline.images.tars import read_tars, tars_in_place
from review_embeddings.pipeline.images.walk import Entry, local_path

LOADERS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
"""What reads files with these endings."""

BATCHES = {"batch_size": 1000}
"""Rows read at once, where a file does not say it."""

NUMBERED = re.compile(r"(?P<split>\w+(\.\w+)*)-\d{5}-of-\d{5,}\.\w+")
"""How ``datasets`` names the files of a split."""


def shards_of(listing: Listing) -> tuple[str, list[Entry]]:
    """The files that hold the images of a folder, and what reads them; none where its images lie
    there as they are. What makes up more of the folder counts."""
    kinds: dict[str, list[Entry]] = {}
    for entry in listing.others:
        if entry.ending in LOADERS and not any(part.startswith(".") for part in entry.parts):
            kinds.setdefault(entry.ending, []).append(entry)
    if not kinds:
        return "", []
    sizes = {ending: sum(entry.size for entry in some) for ending, some in kinds.items()}
    largest = max(sizes, key=lambda ending: sizes[ending])
    if sizes[largest] < sum(entry.size for entry in listing.images):
        return "", []
    return largest, kinds[largest]


def shard_splits(entries: Sequence[Entry], card: Card, notes: list[str]) -> dict[str, list[Entry]]:
    """The files of each split: as the card says, as ``datasets`` names files, by folders, or by
    words in the files' names; all in one split where these say nothing of some."""
    if named := card.split_files(entry.name for entry in entries):
        return {
            split: [one for one in entries if one.name in some] for split, some in named.items()
        }
    splits = _numbered(entries) or _by_folder(entries) or _by_word(entries)
    if splits is None:
        words = [entry.name for entry in entries if _word_of(entry)]
        if words:
            notes.append(f"Read all {len(entries)} files as one split, {', '.join(words[:3])} too")
        return {ONLY_SPLIT: list(entries)}
    found: dict[str, list[Entry]] = {}
    for entry, split in zip(entries, splits, strict=True):
        found.setdefault(split, []).append(entry)
    return found


def _numbered(entries: Sequence[Entry]) -> list[str] | None:
    found = [NUMBERED.fullmatch(entry.name.rsplit("/", 1)[-1]) for entry in entries]
    return [one["split"] for one in found if one] if all(found) else None


def _by_folder(entries: Sequence[Entry]) -> list[str] | None:
    above = 0
    while all(len(entry.parts) > above for entry in entries):
        tops = [entry.parts[above] for entry in entries]
        names = split_names_of(set(tops))
        if names is not None:
            return [names[top] for top in tops]
        if len(set(tops)) > 1:
            return None
        above += 1
    return None


def _by_word(entries: Sequence[Entry]) -> list[str] | None:
    words = [_word_of(entry) for entry in entries]
    return [word for word in words if word] if all(words) else None


def _word_of(entry: Entry) -> str | None:
    """The split in the name of a file: ``test`` of ``cifar10_test-0.tar``."""
    stem = entry.name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    found = {SPELLINGS[word] for word in re.split(r"[\W\d_]+", stem) if word in SPELLINGS}
    return found.pop() if len(found) == 1 else None


def features_of_shards(ending: str, files: Sequence[str], declared: Any = None) -> Any:
    """Names and types of the columns that any of some Parquet files has; None for other kinds, of
    which ``datasets`` finds out itself.

    What a file lacks is missing in its rows. Columns that are numbers in one and texts in another
    are texts; what the card has declared counts before all.
    """
    import datasets
    import pyarrow.parquet as parquet

    if ending != ".parquet":
        return None
    merged: dict[str, Any] = {}
    for file in files:
        features = datasets.Features.from_arrow_schema(parquet.read_schema(file))
        for name, feature in features.items():
            merged[name] = _wider(merged.get(name), feature)
    declared = {name: one for name, one in (declared or {}).items() if name in merged}
    return datasets.Features({**merged, **declared})


def _wider(known: Any, feature: Any) -> Any:
    """The type that holds the values of both."""
    from datasets import ClassLabel

    kinds = [getattr(one, "dtype", None) for one in (known, feature)]
    if known is None or kinds[0] == "null":
        return feature
    scalar = not isinstance(known, ClassLabel) and not isinstance(feature, ClassLabel)
    if scalar and kinds[1] in {"string", "large_string"} and kinds[0] != kinds[1]:
        return feature
    if scalar and str(kinds[0]).startswith("int") and str(kinds[1]).startswith("float"):
        return feature
    return known


# -- opening


def open_shards(ending: str, files: Sequence[str], declared: Any) -> Any:
    """The rows of one split, with all columns: by themselves, as other splits may have others.

    ``declared`` are the types of columns by the card, or None.
    """
    import datasets

    paths = [plain_path(local_path(file)) for file in files]
    features = features_of_shards(ending, paths, declared)
    as_numbers, numbers = _numbers_for_classes(features, paths)
    if ending == ".parquet" and not (paths := [file for file in paths if _rows_in(file)]):
        empty = features.arrow_schema.empty_table()  # which `datasets` cannot open
        return rows_of(empty, datasets.DatasetInfo(features=features))
    sizes = {} if ending != ".parquet" or all(map(_begins_with_rows, paths)) else BATCHES
    builder = datasets.load_dataset_builder(
        LOADERS[ending], data_files={ONLY_SPLIT: paths}, features=as_numbers, **sizes
    )
    builder.download_and_prepare()
    rows = builder.as_dataset(split=ONLY_SPLIT)
    return _with_features(rows, {name: features[name] for name in numbers})


def _rows_in(file: str) -> int:
    import pyarrow.parquet as parquet

    rows: int = parquet.read_metadata(file).num_rows
    return rows


def _begins_with_rows(file: str) -> bool:
    """Whether the first row group of a file is not empty: `datasets` reads as many rows at once as
    it has."""
    import pyarrow.parquet as parquet

    return bool(parquet.read_metadata(file).row_group(0).num_rows)


def _numbers_for_classes(features: Any, files: Sequence[str]) -> tuple[Any, list[str]]:
    """The features with numbers instead of the classes that are stored as numbers in all files, and
    their names: `datasets` opens no file in which a number is no class."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if features is None:
        return None, []
    schemas = [parquet.read_schema(file) for file in files]
    names = [
        name
        for name, feature in features.items()
        if isinstance(feature, datasets.ClassLabel)
        and all(
            pa.types.is_integer(one.field(name).type) or pa.types.is_null(one.field(name).type)
            for one in schemas
            if name in one.names
        )
    ]
    number = datasets.Value("int64")
    changed = {name: number if name in names else one for name, one in features.items()}
    return datasets.Features(changed), names


def _with_features(rows: Any, changed: dict[str, Any]) -> Any:
    """The rows with other types of the same storage; no value is looked at."""
    import datasets

    if not changed:
        return rows
    info = rows.info.copy()
    info.features = datasets.Features({**rows.features, **changed})
    table = rows.data.cast(info.features.arrow_schema)
    return datasets.Dataset(table, info=info, split=rows.split, fingerprint=rows._fingerprint)


def shards_in_place(ending: str, files: Sequence[str], declared: Any) -> Split:
    """The same, where it lies; tars are `read_tars`."""
    features = features_of_shards(ending, [local_path(file) for file in files], declared)
    return parquet_in_place(files, features)


def splits_in_place(builder: Any, source: str) -> dict[str, Callable[[], Split]]:
    """What opens each split of a data set that ``datasets`` has found and not prepared. Raises
    DatasetError for one of another kind."""
    files = getattr(builder.config, "data_files", None)
    if builder.name not in {"parquet", "webdataset", "imagefolder"} or not files:
        raise unsupported(source)

    def opened(name: str) -> Split:
        if builder.name == "webdataset":  # which `datasets` cannot open in a store
            return tars_in_place(read_tars(files[name]))
        rows = builder.as_streaming_dataset(split=name)
        if builder.name == "imagefolder":
            return folder_in_place(rows)
        return parquet_in_place(files[name], rows.features)

    return {str(name): partial(opened, str(name)) for name in files}
