"""Writes rows as a Parquet file that holds their features, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

BATCH_SIZE = 1000
"""Rows of a row group where `datasets` cannot work it out, for there are none."""


def write_parquet(rows: datasets.Dataset, path: Path) -> None:
    """Write a new file."""
    rows.to_parquet(str(path), batch_size=None if len(rows) else BATCH_SIZE)
