"""Writes and reads lists, in any of the formats of the table."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.table.formats import FORMATS, endings, format_of

if TYPE_CHECKING:
    import pandas as pd


def write_list(frame: pd.DataFrame, out: Path, form: str) -> None:
    """Write a list in one of the `FORMATS`, whole or not at all. Raises StorageError where it
    cannot be written."""
    with whole_file(out) as temporary:
        FORMATS[form].write_rows(frame, temporary)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a list in any of the formats. Raises SettingsError where it cannot be read."""
    known = ", ".join(endings())
    if not path.is_file():
        raise SettingsError(f"{path} is not there. Give a file with decisions: {known}.")
    form = format_of(path)
    if form is None:
        raise SettingsError(f"{path} is not of a known kind. Give one of {known}.")
    try:
        rows = form.read(path)
    except (ValueError, OSError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}. Give a file such as `review-embeddings export` "
            f"writes."
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError(
            f"{path} holds no list of rows. Give a file such as `review-embeddings export` writes."
        )
    return rows


def ending_of(data: bytes) -> str:
    """The ending of an image file, by its contents."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        known = {"JPEG": ".jpg", "TIFF": ".tif"}
        return known.get(str(image.format), f".{str(image.format).lower()}")
