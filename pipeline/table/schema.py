"""What follows from the declared columns: the Arrow schema, the classes of a category, the table in
the README."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.table.column import Column, Per
from review_embeddings.pipeline.table.columns import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

    from review_embeddings.pipeline.table.manifest import Manifest


def stored_columns(per: Per) -> list[Column]:
    """The columns in the Parquet file of a checkpoint, or in that of the images."""
    return [column for column in COLUMNS if not column.joined and column.per == per]


def columns_from(stage: str, per: Per) -> list[Column]:
    """The columns whose values are an array of a stage, as it is."""
    sourced = [column for column in COLUMNS if column.per == per]
    return [one for one in sourced if one.stored_in is not None and one.stored_in.stage == stage]


def values_from(
    stage: str, per: Per, read: Callable[[str], NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The values of these columns, by name; ``read`` gives an array of the stage by its name."""
    values = {}
    for column in columns_from(stage, per):
        source = column.stored_in
        assert source is not None
        array = np.asarray(read(source.array))
        values[column.name] = array if source.field is None else np.array(array[source.field])
    return values


def classes_of(column: Column, manifest: Manifest) -> tuple[str, ...] | list[str] | None:
    """The categories of a column in the table with this manifest; None where there are none."""
    if isinstance(column.categories, str):
        classes: list[str] | None = getattr(manifest, column.categories)
        return classes
    return column.categories


def arrow_schema(per: Per) -> pa.Schema:
    """Arrow schema of the Parquet file of a checkpoint, or of that of the images."""
    import pyarrow as pa

    types: dict[str, Any] = {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
        "category": pa.dictionary(pa.int32(), pa.string()),
    }
    return pa.schema(
        [
            pa.field(column.name, types[column.kind], nullable=column.nullable)
            for column in stored_columns(per)
        ]
    )


def as_markdown() -> str:
    """The declared columns as the table in the README."""
    lines = ["| column | type | unit | values | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{c.name}` | {c.kind} | {c.unit} | {c.values} | {c.meaning} |" for c in COLUMNS]
    return "\n".join(lines)
