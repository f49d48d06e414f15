"""Owns the long table: one row per image and checkpoint. Declares its columns, writes, validates
and reads it. Knows no stage and no model.

    from review_embeddings.pipeline import table

    frame = table.read("runs/cifar10")  # everything, one pandas DataFrame
    frame = table.read("runs/cifar10", checkpoints=[0, 400], columns=["x", "y", "label"])

The table of a run is a set of Parquet files, one a checkpoint, and a manifest that is written last
and names them: what the manifest does not name is not there. Embeddings and images stay in their
own files and are joined on reading.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from review_embeddings.pipeline.table.column import Column, Exported, Shown, Source
    from review_embeddings.pipeline.table.columns import COLUMNS
    from review_embeddings.pipeline.table.consistent import consistently
    from review_embeddings.pipeline.table.exporter import export
    from review_embeddings.pipeline.table.formats import FORMATS, Format
    from review_embeddings.pipeline.table.manifest import (
        CheckpointSummary,
        Manifest,
        known_steps,
        manifest_with,
        read_manifest,
        written_records,
    )
    from review_embeddings.pipeline.table.reader import columns_named, iterate, read, validate
    from review_embeddings.pipeline.table.schema import arrow_schema, as_markdown, columns_from
    from review_embeddings.pipeline.table.writer import Findings, Leaks, TablePart, write

_HOMES = {
    "column": ("Column", "Exported", "Shown", "Source"),
    "columns": ("COLUMNS",),
    "consistent": ("consistently",),
    "exporter": ("export",),
    "formats": ("FORMATS", "Format"),
    "manifest": (
        "CheckpointSummary",
        "Manifest",
        "known_steps",
        "manifest_with",
        "read_manifest",
        "written_records",
    ),
    "reader": ("columns_named", "iterate", "read", "validate"),
    "schema": ("arrow_schema", "as_markdown", "columns_from", "values_from"),
    "writer": ("Findings", "Leaks", "TablePart", "write"),
}
"""Module of each name; imported when a name is asked for, since the command line asks the
declarations for their keys without a numeric library."""

__all__ = [
    "COLUMNS",
    "FORMATS",
    "CheckpointSummary",
    "Column",
    "Exported",
    "Findings",
    "Format",
    "Leaks",
    "Manifest",
    "Shown",
    "Source",
    "TablePart",
    "arrow_schema",
    "as_markdown",
    "columns_from",
    "columns_named",
    "consistently",
    "export",
    "iterate",
    "known_steps",
    "manifest_with",
    "read",
    "read_manifest",
    "validate",
    "values_from",
    "write",
    "written_records",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
