"""Writes the long table as one Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table.columns import COLUMNS
from review_embeddings.pipeline.table.read import iterate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


EXPORT_FORMATS = (".parquet", ".csv")


def export(
    run: RunFolder,
    out: Path,
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> int:
    """Write the long table to one Parquet file (everything) or CSV file (without vectors and
    pictures); returns its rows.

    One checkpoint is in memory at a time. In Parquet, embeddings are fixed-size lists of float32
    and images plain bytes.
    """
    if out.suffix.lower() not in EXPORT_FORMATS:
        raise SettingsError(
            f"Cannot write {out.name}: the ending must be one of {', '.join(EXPORT_FORMATS)}."
        )
    if out.suffix.lower() == ".csv":
        columns = columns or [column.name for column in COLUMNS if not column.joined]
        joined = [column.name for column in COLUMNS if column.joined and column.name in columns]
        if joined:
            raise SettingsError(
                f"A CSV file cannot hold {joined[0]}. Write a .parquet file, or leave the column "
                f"out with --columns."
            )
    rows = 0
    with whole_file(out) as temporary:
        writer: Any = None
        try:
            for _, frame in iterate(run, checkpoints=checkpoints, columns=columns):
                if out.suffix.lower() == ".csv":
                    frame.to_csv(temporary, mode="a", header=rows == 0, index=False)
                else:
                    arrow = _arrow_export(frame)
                    if writer is None:
                        import pyarrow.parquet as parquet

                        writer = parquet.ParquetWriter(temporary, arrow.schema, compression="zstd")
                    writer.write_table(arrow)
                rows += len(frame)
        finally:
            if writer is not None:
                writer.close()
    return rows


def _arrow_export(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    table = pa.Table.from_pandas(
        frame.drop(columns=["embedding", "image"], errors="ignore"), preserve_index=False
    )
    for name in frame.columns:
        if name == "embedding":
            matrix = np.stack(list(frame[name]))
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
            table = table.append_column(name, vectors)
        elif name == "image":
            table = table.append_column(name, pa.array(frame[name], pa.binary()))
    return table.select(list(frame.columns))
