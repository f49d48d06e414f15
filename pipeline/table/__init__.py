"""Owns the long table: one row per image and checkpoint. Declares its columns, writes, validates
and reads it. Knows no stage and no model.

    from review_embeddings.pipeline import table

    frame = table.read("runs/cifar10")  # everything, one pandas DataFrame
    frame = table.read("runs/cifar10", checkpoints=[0, 400], columns=["x", "y", "label"])

The table of a run is a set of Parquet files, one a checkpoint, and a manifest that is written last
and names them: what the manifest does not name is not there. Embeddings and images stay in their
own files and are joined on reading.
"""

from review_embeddings.pipeline.table.columns import (
    COLUMN_NAMES,
    COLUMNS,
    Column,
    arrow_schema,
    as_markdown,
)
from review_embeddings.pipeline.table.export import EXPORT_FORMATS, export
from review_embeddings.pipeline.table.manifest import (
    CheckpointFacts,
    Manifest,
    known_steps,
    read_manifest,
)
from review_embeddings.pipeline.table.read import iterate, read, validate
from review_embeddings.pipeline.table.write import Findings, Leaks, TablePart, write

__all__ = [
    "COLUMNS",
    "COLUMN_NAMES",
    "EXPORT_FORMATS",
    "CheckpointFacts",
    "Column",
    "Findings",
    "Leaks",
    "Manifest",
    "TablePart",
    "arrow_schema",
    "as_markdown",
    "export",
    "iterate",
    "known_steps",
    "read",
    "read_manifest",
    "validate",
    "write",
]
