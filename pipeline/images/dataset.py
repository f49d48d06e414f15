"""Opens one split of whatever ``datasets`` can load, here and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.columns import (
    are_quantities,
    find_image_column,
    find_label_column,
    label_notes,
    rows_of,
)
from review_embeddings.pipeline.images.inplace import (
    Split,
    feature_of,
    field_of,
    locations_schema,
    split_name,
)
from review_embeddings.pipeline.images.labels import UNLABELLED, Labels, number_labels, read_labels
from review_embeddings.pipeline.images.opening import follow
from review_embeddings.pipeline.images.sources import (
    FIRST_RULES,
    NO_ACCOUNT,
    SPLITS_BY_PREFERENCE,
    Account,
    DataSource,
    choose_split,
    find_source,
    open_split,
)
from review_embeddings.pipeline.images.walk import walk
from review_embeddings.pipeline.machine import (
    FULL,
    UNAVAILABLE,
    full_folder,
    raise_unavailable,
)
from review_embeddings.pipeline.progress import activity
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import is_utf8
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import NOTHING, DatasetReference

if TYPE_CHECKING:
    import datasets

__all__ = ["SPLITS_BY_PREFERENCE"]

RULES = 3
"""Version of the rules by which images and labels are found; `FIRST_RULES` for runs from before
there were others. 2 read folders, and 3 tars, other than before."""


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
    account: Account = NO_ACCOUNT
    """What the data set holds beside these rows."""
    numbered: bool = False
    """Whether the classes are numbers, which may be those of a head's outputs."""
    former: Mapping[str, str] = field(default_factory=dict)
    """What renamed classes were called when the run was made, by the names of now."""

    def with_classes(self, names: Sequence[str], *, of: str) -> OpenedDataset:
        """The same with the labels as indices into ``names``, as `number_labels` does it; ``of``
        says whose classes they are. Raises as it does."""
        labels = Labels(self.labels, self.classes, self.numbered)
        found, notes = number_labels(labels, names, self.reference, of=of)
        account = replace(self.account, notes=[*self.account.notes, *notes])
        return replace(
            self, labels=found.codes, classes=found.classes, numbered=False, account=account
        )


def open_dataset(reference: DatasetReference, *, option: str = "--split") -> OpenedDataset:
    """Open the split and find its image and label columns by feature type.

    ``option`` is how a person names the split. Raises DatasetError where the data set cannot be
    loaded or has not the split or columns, and names those there are.
    """
    loaded = load_split(reference, option)
    found, split, account = loaded.rows, loaded.split, loaded.account
    here, notes = _without_absent_columns(loaded, reference)
    image_column = find_image_column(found.features, here)
    label_column = None
    if here.labels_from != NOTHING:
        label_column = find_label_column(found.features, here, image_column)
    with quiet_datasets(), _loading_errors(reference):
        rows, values = _undecoded(found, image_column, label_column)
        if reference.in_place and not isinstance(found, Split):
            rows = _locations(rows, image_column)
    if label_column and _are_no_classes(values, reference, label_column):
        label_column = None
    labels = UNLABELLED
    if label_column:
        feature = feature_of(found.features, label_column)
        ignore = reference.ignore_labels
        labels = read_labels(feature, label_column, values, ignore=ignore)
    notes += labels.notes
    notes += label_notes(found.features, label_column, here)
    if labels.numbered and any(isinstance(value, str) for value in values):
        notes.append("Labels are digits as text: they are taken for the numbers of classes")
    account = replace(account, notes=[*account.notes, *notes])
    known = label_column or reference.label_column  # "none" stays as given
    reference = replace(
        reference,
        split=split,
        image_column=image_column,
        label_column=known,
        reading=reference.reading or RULES,
    )
    opened = OpenedDataset(rows, reference, labels.codes, labels.classes, account, labels.numbered)
    if reference.class_names is None:
        return opened
    return opened.with_classes(reference.class_names, of="the classes of --classes")


def _locations(rows: datasets.Dataset, image: str) -> datasets.Dataset:
    """Where the files lie that are the images (`inplace.locations_schema`)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = locations_schema()
    cells = rows.with_format("arrow").select_columns([image])[:].column(image)
    empty = [pa.nulls(len(rows), field.type) for field in schema][1:]
    table = pa.Table.from_arrays(
        [pc.struct_field(cells, "path").cast(pa.string()), *empty], schema=schema
    )
    return rows_of(table)


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
        return rows_of(locations), values
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
    if root.is_dir() and reference.reading != FIRST_RULES:
        listed = [(one.name, one.size, one.modified) for one in walk(reference.source).entries]
        return fingerprint(files=listed)
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    entries = [
        (path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    return fingerprint(files=entries)


def split_names(reference: DatasetReference) -> list[str]:
    """The splits that a data set has. Raises DatasetError where it cannot be loaded."""
    with quiet_datasets(), _loading_errors(reference):
        return find_source(reference).splits


@dataclass(frozen=True)
class LoadedSplit:
    """One split, its columns not looked at yet."""

    rows: Any
    """A `datasets.Dataset`, or a `Split` that is read in place."""
    split: str
    account: Account
    source: DataSource


def _without_absent_columns(
    loaded: LoadedSplit, reference: DatasetReference
) -> tuple[DatasetReference, list[str]]:
    """The reference without the named columns that this split lacks and another one has, as test
    splits without labels do, with what a person should hear of it."""
    image, label = reference.image_column, reference.label_column
    notes = list[str]()
    if image is not None and _is_elsewhere_only(loaded, image, reference):
        reference = replace(reference, image_column=None)
    if label not in {None, NOTHING} and _is_elsewhere_only(loaded, str(label), reference):
        reference = replace(reference, label_column=NOTHING)
        notes.append(
            f"Split {loaded.split!r} has no column {label!r}, which other splits have: its images "
            f"have no label"
        )
    return reference, notes


def _is_elsewhere_only(loaded: LoadedSplit, column: str, reference: DatasetReference) -> bool:
    if feature_of(loaded.rows.features, column) is not None:
        return False
    with quiet_datasets(), _loading_errors(reference):
        others = (name for name in loaded.source.splits if name != loaded.split)
        return any(
            feature_of(loaded.source.open(name).features, column) is not None for name in others
        )


def load_split(reference: DatasetReference, option: str = "--split") -> LoadedSplit:
    """A split with all its columns and features as they are. Raises DatasetError."""
    opening = activity(f"Opening the data set {reference.source}")
    with opening, quiet_datasets(), _loading_errors(reference):
        source = find_source(reference)
        split = choose_split(reference, source, option)
        found = open_split(source, split)
        if reference.split is None and not isinstance(found, Split) and not len(found):
            opened = ((name, source.open(name)) for name in source.splits)
            split, found = next((pair for pair in opened if len(pair[1])), (split, found))
        return LoadedSplit(found, split, source.account_of(split), source)


@contextmanager
def _loading_errors(reference: DatasetReference) -> Iterator[None]:
    """Whatever ``datasets`` raises while it loads becomes one DatasetError; it has no common base
    class of its own. What lies below the data set's address may be read from here on."""
    _refuse_halves(reference)
    follow(reference.source)
    try:
        yield
    except (DatasetError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise_unavailable(error, full_folder() or _cache(), FULL | UNAVAILABLE)
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
            f"Data set {reference.source} {where}cannot be loaded: {_causes(error)} {cure}"
        ) from error


def _refuse_halves(reference: DatasetReference) -> None:
    """Raise DatasetError for a name with a byte that is no UTF-8: ``datasets`` opens none."""
    for what in ("source", "config", "revision", "split"):
        name = getattr(reference, what)
        if name is not None and not is_utf8(name):
            raise DatasetError(
                f"The {'path' if what == 'source' else what} of the data set, {name}, has a byte "
                f"that is no UTF-8, and no such data set can be read. Give it another name."
            )


def _cache() -> str:
    """Where `datasets` writes."""
    import datasets

    return str(datasets.config.HF_DATASETS_CACHE)


def _causes(error: BaseException) -> str:
    """What an error says, and behind it what it came of: ``datasets`` often says only that there
    was one."""
    reasons, one = [reason_of(error, lines=3)], error.__cause__
    while one is not None:
        if (reason := reason_of(one, lines=3)) not in reasons:
            reasons.append(reason)
        one = one.__cause__
    return " ".join(reasons if len(reasons) < 3 else [reasons[0], reasons[-1]])


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
