"""Writes the long table as one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table.columns import COLUMNS
from review_embeddings.pipeline.table.formats import Format, endings, format_of
from review_embeddings.pipeline.table.reader import iterate

if TYPE_CHECKING:
    import pandas as pd


def export(
    run: RunFolder,
    out: Path,
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> int:
    """Write the long table to one file, in the format of its ending; returns its rows.

    Parquet holds everything, the other formats all but vectors and images. One checkpoint is in
    memory at a time.
    """
    form = format_of(out)
    if form is None:
        raise SettingsError(
            f"Cannot write {out.name}: the ending must be one of {', '.join(endings())}."
        )
    names = _columns_for(form, columns)
    rows = 0

    def parts() -> Iterator[pd.DataFrame]:
        nonlocal rows
        for _, frame in iterate(run, checkpoints=checkpoints, columns=names):
            rows += len(frame)
            yield frame

    with whole_file(out) as temporary:
        form.write(parts(), temporary)
    return rows


def _columns_for(form: Format, columns: Sequence[str] | None) -> Sequence[str]:
    """The columns that were asked for, else those that the format can hold."""
    joined = [column.name for column in COLUMNS if column.joined and not form.joined]
    names = columns or [column.name for column in COLUMNS if column.name not in joined]
    refused = next((name for name in joined if name in names), None)
    if refused is not None:
        raise SettingsError(
            f"A {form.key.upper()} file cannot hold {refused}. Write a .parquet file, or leave the "
            f"column out with --columns."
        )
    return names
