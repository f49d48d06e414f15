"""Writes and reads lists, in any of the formats of the table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import SettingsError, reason_of
from review_embeddings.pipeline.images.decode import open_image
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.table.formats import FORMATS, ListRows, endings, format_of

if TYPE_CHECKING:
    import pandas as pd


def write_list(frame: pd.DataFrame, out: Path, form: str) -> None:
    """Write a list in one of the `FORMATS`, whole or not at all. Raises StorageError where it
    cannot be written."""
    with whole_file(out) as temporary:
        FORMATS[form].write_rows(frame, temporary)


def read_rows(path: Path) -> ListRows:
    """The rows of a list in any of the formats. Raises SettingsError where it cannot be read or is
    empty."""
    known = ", ".join(endings())
    if not path.is_file():
        raise SettingsError(f"{path} is not there. Give a file with decisions: {known}.")
    form = format_of(path)
    if form is None:
        raise SettingsError(f"{path} is not of a known kind. Give one of {known}.")
    try:
        listed = form.list_rows(path)
    except (ValueError, OSError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read: {reason_of(error)} Give a file such as "
            f"`{command_line('export')}` writes."
        ) from error
    if not listed.columns:
        raise SettingsError(
            f"{path} is empty: it has neither columns nor rows. Give a file such as "
            f"`{command_line('export')}` writes."
        )
    return listed


def ending_of(data: bytes) -> str:
    """The ending of an image file, by its contents."""
    with open_image(data) as image:
        known = {"JPEG": ".jpg", "TIFF": ".tif"}
        return known.get(str(image.format), f".{str(image.format).lower()}")
