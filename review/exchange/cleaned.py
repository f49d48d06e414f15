"""Writes the splits of a cleaned data set as files: a `save_to_disk` data set, a folder of images,
Parquet. Knows no decision."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.images.dataset import quiet_datasets
from review_embeddings.pipeline.images.inplace import feature_of, field_of, split_name
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.run.temporary import TEMPORARY_PREFIX
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.exchange.formats import ending_of

if TYPE_CHECKING:
    import datasets

CHUNK = 256
"""Rows in memory at once."""


def write_cleaned(
    cleaned: Mapping[str, datasets.Dataset],
    out: Path,
    form: str,
    reference: DatasetReference,
    reports: Mapping[str, str],
) -> None:
    """Write the splits in one of `FORMS`, and the reports by file name, beside ``out``, and rename
    it all when it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{out.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with quiet_datasets():
            _write_splits(cleaned, temporary, form, reference)
        for name, text in reports.items():
            (temporary / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        if out.exists():
            out.rmdir()  # an empty folder
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_splits(
    cleaned: Mapping[str, datasets.Dataset], folder: Path, form: str, reference: DatasetReference
) -> None:
    import datasets

    if form == "disk":
        datasets.DatasetDict(dict(cleaned)).save_to_disk(str(folder))
        return
    for split, rows in cleaned.items():
        (folder / split).mkdir(parents=True)
        if form == "parquet":
            _with_files(rows).to_parquet(str(folder / split / "data.parquet"))
        else:
            _write_folder(folder / split, replace(reference, split=split), rows)


def _with_files(rows: datasets.Dataset) -> datasets.Dataset:
    """The rows with the bytes of image files that they only name."""
    from datasets.table import embed_table_storage

    embedded = rows.with_format("arrow").map(
        embed_table_storage, batched=True, batch_size=CHUNK, keep_in_memory=True
    )
    return embedded.with_format(**rows.format)


def _write_folder(folder: Path, reference: DatasetReference, rows: datasets.Dataset) -> None:
    """Images in folders by class under numbered names, and all other columns in
    ``metadata.jsonl``."""
    import datasets

    column, label_column = str(reference.image_column), reference.label_column or ""
    label_of = _label_reader(rows, column, label_column)
    lines: list[str] = []
    for number, row in enumerate(rows.cast_column(column, datasets.Image(decode=False))):
        label, data = label_of(row), _image_bytes(row.pop(column))
        subfolder = "" if label is None else f"{safe_name(str(label))}/"
        name = f"{subfolder}{number:07d}{ending_of(data)}"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        if label_column in row:
            row[label_column] = label
        lines.append(json.dumps({"file_name": name, **row}, default=str) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")


def _label_reader(
    rows: datasets.Dataset, column: str, label_column: str
) -> Callable[[Mapping[str, Any]], Any]:
    """What gives the label of a row: a class by its name, another value as it is."""
    import datasets

    feature = feature_of(rows.features, label_column)
    outer, field = split_name(rows.features, label_column)

    def label_of(row: Mapping[str, Any]) -> Any:
        value = field_of(row[outer], field) if outer in row and outer != column else None
        if isinstance(feature, datasets.ClassLabel) and value is not None and value >= 0:
            return feature.int2str(value)
        return value

    return label_of


def _image_bytes(cell: Mapping[str, Any] | None) -> bytes:
    """The bytes of an image, which lie in its cell or in the file that it names."""
    data: bytes | None = (cell or {}).get("bytes")
    return read_file(str((cell or {}).get("path"))) if data is None else data


def safe_name(text: str) -> str:
    """A name for one folder that cannot lead out of its place: separators, control characters and
    leading dots replaced."""
    plain = "".join(
        "_" if character in '/\\:*?"<>|' or not character.isprintable() else character
        for character in text
    )
    return plain.strip().lstrip(".")[:100] or "_"
