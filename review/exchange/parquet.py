"""Writes rows as a Parquet file that holds their features, too."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

BATCH_SIZE = 1000
"""Rows of a row group where `datasets` cannot work it out, for there are none."""


def write_parquet(rows: datasets.Dataset, path: Path) -> None:
    """Write a new file."""
    rows.to_parquet(str(path), batch_size=None if len(rows) else BATCH_SIZE)


def keeps_features(features: Any) -> bool:
    """Whether a Parquet file gives back the names and types of columns: it knows no seconds, for
    one."""
    import datasets
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(features.arrow_schema.empty_table(), buffer)
    found = datasets.Features.from_arrow_schema(parquet.read_schema(buffer))
    return list(found.items()) == list(features.items())
