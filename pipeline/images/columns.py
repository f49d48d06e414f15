"""Finds the columns of images and labels of a data set, and reads the labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.inplace import feature_of
from review_embeddings.pipeline.settings import NOTHING, DatasetReference

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

IMAGE_NAMES = ("image", "img", "images", "picture", "photo")

LABEL_NAMES = ("label", "labels", "class", "category", "target", "cls")
"""Column names that decide between several columns of the right type."""

JSON_NAMES = ("json", "jsn")
"""Columns in which WebDataset keeps all that is known of an image: the label may be a field of
them, ``json.label``."""

TEXT_ENDINGS = ("cls", "txt")
"""Endings of WebDataset's files that may hold nothing but the label, as in ``0001.label.txt``."""

NO_LABELS = NOTHING
"""Given as the label column, it means: use no labels."""


def rows_of(
    table: pa.Table,
    info: datasets.DatasetInfo | None = None,
    split: datasets.NamedSplit | None = None,
) -> datasets.Dataset:
    """A table in memory as rows of ``datasets``.

    With a fingerprint of its own: the usual one pickles the table, which fails where packages lie
    in a folder that is not called site-packages.
    """
    import datasets
    from datasets.fingerprint import generate_random_fingerprint

    mark = generate_random_fingerprint()
    return datasets.Dataset(table, info=info, split=split, fingerprint=mark)


def quoted_names(names: Iterable[str]) -> str:
    """Names in quotation marks, for messages."""
    return ", ".join(repr(str(name)) for name in names) or "none"


def find_image_column(features: Any, reference: DatasetReference) -> str:
    """The column of the images. Raises DatasetError where it cannot be told."""
    import datasets

    named = reference.image_column
    if named is not None and named not in features:
        raise DatasetError(
            f"Data set {reference.source} has no column {named!r}; it has "
            f"{quoted_names(features)}. "
            f"Name one with --image-column."
        )
    column = named or _only_image_column(features, reference)
    feature = features[column]
    paths = getattr(feature, "dtype", None) in {"string", "large_string"}
    if not (isinstance(feature, datasets.Image) or _holds_image_files(feature) or paths):
        raise DatasetError(
            f"Column {column!r} of {reference.source} holds {feature}, not images. Name another "
            f"with --image-column."
        )
    return column


def _only_image_column(features: Any, reference: DatasetReference) -> str:
    import datasets

    candidates = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    if not candidates:
        candidates = [name for name, feature in features.items() if _holds_image_files(feature)]
    column = _one_of(candidates, IMAGE_NAMES)
    if column is not None:
        return column
    problem = f"no image column; its columns are {quoted_names(features)}"
    if candidates:
        problem = f"several image columns: {quoted_names(candidates)}"
    raise DatasetError(
        f"Data set {reference.source} has {problem}. Name the one to use with --image-column."
    )


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


def find_label_column(features: Any, reference: DatasetReference, image_column: str) -> str | None:
    """The column of the labels, None without one. Raises DatasetError where it may be several."""
    import datasets

    named = reference.label_column
    if named == NO_LABELS and NO_LABELS not in features:
        return None
    if named is not None:
        if feature_of(features, named) is None:
            raise DatasetError(
                f"Data set {reference.source} has no column {named!r}; it has "
                f"{quoted_names(features)}. Name one with --label-column."
            )
        return named
    class_labels = [
        name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)
    ]
    if column := _one_of(class_labels, LABEL_NAMES):
        return column
    if class_labels:
        raise DatasetError(
            f"Data set {reference.source} has several label columns: {quoted_names(class_labels)}. "
            f"Name the one to use with --label-column."
        )
    columns = [
        *LABEL_NAMES,
        *(f"{name}.{ending}" for ending in TEXT_ENDINGS for name in LABEL_NAMES),
        *(f"{outer}.{name}" for outer in JSON_NAMES for name in LABEL_NAMES),
    ]
    others = (name for name in columns if name != image_column)
    return next((name for name in others if feature_of(features, name) is not None), None)


def are_quantities(values: Sequence[Any]) -> bool:
    """Whether labels are measurements and no classes: numbers with fractions, most of which occur
    once."""
    counts = Counter(value for value in values if isinstance(value, float) and value == value)
    fractions = any(not value.is_integer() for value in counts)
    return fractions and 2 * list(counts.values()).count(1) > counts.total()


def label_notes(features: Any, column: str | None, reference: DatasetReference) -> list[str]:
    """What a person should hear of columns that may hold the labels, too, or instead."""
    if reference.label_column is not None or reference.labels_from == NO_LABELS:
        return []
    names = [name for name in features if _may_be_label(name, features[name])]
    others = [name for name in names if name != (column or "").partition(".")[0]]
    if not others:
        return []
    if column is None:
        return [f"Columns that may hold labels: {quoted_names(others)}; name one: --label-column"]
    return [
        f"Labels are column {column!r}, not {quoted_names(others)}; --label-column takes another"
    ]


def _may_be_label(name: str, feature: Any) -> bool:
    import datasets

    kind = str(getattr(feature, "dtype", ""))
    words = set(re.split(r"[^a-z]+", name.lower()))
    named = bool(words & {*LABEL_NAMES, "species", "breed", "classes", "categories", "y"})
    scalar = kind.startswith(("int", "uint", "string", "large_string", "bool"))
    return isinstance(feature, datasets.ClassLabel) or (named and scalar and "file" not in words)
