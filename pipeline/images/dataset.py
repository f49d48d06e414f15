"""Opens one split of whatever ``datasets`` can load, here and nowhere else."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.columns import (
    are_quantities,
    find_image_column,
    find_label_column,
    quoted_names,
    read_labels,
)
from review_embeddings.pipeline.images.inplace import (
    Split,
    feature_of,
    field_of,
    split_name,
    splits_in_place,
    unsupported,
)
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference

if TYPE_CHECKING:
    import datasets


SPLITS_BY_PREFERENCE = ("test", "validation", "valid", "val", "dev", "train")
"""Which split is reviewed where none was named: held-out images first, as the published example
does."""


@dataclass(frozen=True)
class OpenedDataset:
    """One split of a data set, its columns found, none of its images read."""

    rows: datasets.Dataset
    """The split, images not decoded; of images that are read in place, where each lies
    (`inplace.locations_schema`)."""
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
    image_column = find_image_column(found.features, reference)
    label_column = find_label_column(found.features, reference, image_column)
    with quiet_datasets(), _loading_errors(reference):
        rows, values = _undecoded(found, image_column, label_column)
    if label_column and _are_no_classes(values, reference, label_column):
        label_column = None
    labels, classes = (
        read_labels(feature_of(found.features, label_column), label_column, values)
        if label_column
        else (None, None)
    )
    known = label_column or reference.label_column  # "none" stays as given
    reference = replace(reference, split=split, image_column=image_column, label_column=known)
    return OpenedDataset(rows=rows, reference=reference, labels=labels, classes=classes)


def _are_no_classes(values: list[Any], reference: DatasetReference, column: str) -> bool:
    """Whether a column that was found holds measurements. Raises DatasetError where one
    of measurements was named."""
    if not are_quantities(values):
        return False
    if reference.label_column is not None:
        raise DatasetError(
            f"Column {column!r} of {reference.source} holds measurements, nearly all of them "
            f"different, not classes. Name another with --label-column, or 'none' for no labels."
        )
    return True


def _undecoded(
    found: Any, image_column: str, label_column: str | None
) -> tuple[datasets.Dataset, list[Any]]:
    """The rows with cells ``{"bytes", "path"}`` instead of decoded images, or where these lie, and
    what the column of labels says."""
    import datasets

    if isinstance(found, Split):
        locations, values = found.locate(image_column, label_column)
        return datasets.Dataset(locations), values
    rows, values = found.cast_column(image_column, datasets.Image(decode=False)), []
    if label_column is not None:
        column, field = split_name(rows.features, label_column)
        cells = rows.select_columns([column]).with_format("arrow")[:].column(column).to_pylist()
        values = [field_of(cell, field) for cell in cells]
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
            f"{quoted_names(splits)}. Name one of them with {option}."
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
