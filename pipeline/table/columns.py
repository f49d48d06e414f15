"""Declares the columns of the long table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from review_embeddings.pipeline.analysis.duplicates import KINDS
from review_embeddings.pipeline.analysis.imagequality import GRAY, ISSUES, SCORED
from review_embeddings.pipeline.analysis.trajectories import LIVES

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column of the long table."""

    name: str
    kind: Literal[
        "int64", "int32", "float32", "float64", "bool", "string", "category", "vector", "bytes"
    ]
    """How it is stored; ``category`` is a dictionary of strings, ``vector`` a view on a row of a
    memory-mapped array."""
    unit: str
    values: str
    """Range of the values, and what null means where there can be nulls."""
    meaning: str
    """What it says, with its direction where it has one."""
    nullable: bool = False
    joined: bool = False
    """Not in the Parquet files of the table but joined from the images and arrays of the run on
    reading."""
    of_image: bool = False
    """About the image over all checkpoints: kept once an image and the same in all of its rows."""


_of_image = partial(Column, of_image=True)

COLUMNS: tuple[Column, ...] = (
    Column(
        "image_id",
        "int64",
        "row",
        ">= 0",
        "row of the data set's split; what people and exports call the image",
    ),
    Column(
        "image_hash",
        "string",
        "",
        "64 hex digits",
        "SHA-256 of the image's bytes as stored; survives reordering and new runs",
    ),
    Column(
        "path",
        "string",
        "",
        "a path; null where the data set names no files",
        "the image's file, relative to the data set's folder",
        nullable=True,
    ),
    Column(
        "checkpoint",
        "int64",
        "steps",
        ">= 0",
        "global training step; 0 is the model before fine-tuning",
    ),
    Column(
        "epoch",
        "float64",
        "epochs",
        ">= 0; null where the run does not say",
        "passes over the training data",
        nullable=True,
    ),
    Column(
        "label",
        "category",
        "",
        "a class; null for unlabelled images",
        "the given label",
        nullable=True,
    ),
    Column(
        "prediction",
        "category",
        "",
        "a class; null without a head",
        "the class this checkpoint finds most probable",
        nullable=True,
    ),
    Column(
        "confidence",
        "float32",
        "probability",
        "[0, 1]; null without a head",
        "probability of the prediction",
        nullable=True,
    ),
    Column(
        "embedding",
        "vector",
        "",
        "finite, D values",
        "the image's vector under this checkpoint, fp32",
        joined=True,
    ),
    Column(
        "x",
        "float32",
        "",
        "[-5, 5]",
        "aligned 2-D coordinate; one frame of reference and one range for all checkpoints",
    ),
    Column("y", "float32", "", "[-5, 5]", "aligned 2-D coordinate, likewise"),
    Column(
        "ood_score",
        "float32",
        "",
        "[0, 1]",
        "cleanlab's out-of-distribution score; lower is more atypical; not comparable across "
        "checkpoints",
    ),
    Column(
        "ood_rank",
        "int32",
        "rank",
        "1 to N",
        "place by ood_score within the checkpoint; 1 is the most atypical",
    ),
    Column(
        "ood_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "ood_rank as a percentage, ties shared; lower is more atypical; comparable across "
        "checkpoints",
    ),
    Column(
        "self_confidence",
        "float32",
        "probability",
        "[0, 1]; null without a label",
        "probability of the given label; of the neighbours' labels where the checkpoint has no "
        "head",
        nullable=True,
    ),
    Column(
        "label_score",
        "float32",
        "",
        "[0, 1]; null without a label",
        "cleanlab's label quality (normalised margin); lower is more likely wrong",
        nullable=True,
    ),
    Column(
        "label_rank",
        "int32",
        "rank",
        "1 to N; 0 without a label",
        "place by label_score; 1 is the label most likely wrong",
    ),
    Column(
        "suggested_label",
        "category",
        "",
        "a class; null for unlabelled data",
        "the class that fits best",
        nullable=True,
    ),
    Column(
        "label_issue",
        "bool",
        "",
        "true or false",
        "cleanlab's filter takes the label for wrong; means little before the model has learnt, "
        "then misses many: see the rank",
    ),
    Column(
        "map_kept",
        "float32",
        "share",
        "[0, 1]",
        "share of the image's 15 nearest neighbours in the embedding that are its nearest on the "
        "map too; low: do not trust its place",
    ),
    _of_image(
        "mean_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "mean of ood_percentile; lower is more atypical",
    ),
    _of_image(
        "consensus_rank",
        "int32",
        "rank",
        "1 to N",
        "place by mean_percentile; 1 is the most atypical",
    ),
    _of_image(
        "outlier_life",
        "category",
        "",
        ", ".join(LIVES),
        "whether it is among the worst at the first and at the last checkpoint; passing: only in "
        "between",
    ),
    _of_image(
        "outlier_since",
        "int64",
        "steps",
        ">= 0; -1 where it does not apply",
        "step at which it was resolved or emerged",
    ),
    _of_image(
        "duplicate_group",
        "int64",
        "",
        "an image_id; -1 for images that are there once",
        "first image of its group of copies",
    ),
    _of_image(
        "duplicate_kind",
        "category",
        "",
        ", ".join(KINDS),
        "exact: the same file; near: the same picture, changed",
    ),
    _of_image(
        "duplicate_labels_differ", "bool", "", "true or false", "its copies have different labels"
    ),
    _of_image(
        "leak_of",
        "int64",
        "row",
        "row of the other split; -1 for none",
        "the same image in the split that was named with --against",
    ),
    _of_image(
        "leak_kind",
        "category",
        "",
        ", ".join(KINDS),
        "whether it is the same file there or the same picture, changed",
    ),
    _of_image(
        "leak_label", "category", "", "a class; null for none", "its label there", nullable=True
    ),
    _of_image(
        "leak_path",
        "string",
        "",
        "a path; null for none",
        "its file there, relative to the data set's folder",
        nullable=True,
    ),
    _of_image(
        "image_issue",
        "category",
        "",
        ", ".join(ISSUES),
        "what is most wrong with the picture itself (--image-quality; cleanvision)",
    ),
    _of_image(
        "image_issue_rank",
        "int32",
        "rank",
        "1 to N; 0 where not checked",
        "place by how far its worst score lies below the threshold",
    ),
    *(
        _of_image(
            f"{name}_score",
            "float32",
            "",
            "[0, 1]; null where not checked",
            f"cleanvision's; lower is more {said}",
            nullable=True,
        )
        for name, said in zip(
            SCORED, ("oddly long or high", "dark", "light", "empty", "blurry"), strict=True
        )
    ),
    _of_image(GRAY, "bool", "", "true or false", "without colour (--image-quality)"),
    _of_image(
        "drift",
        "float32",
        "",
        ">= 0",
        "way in the embedding, each checkpoint laid onto the one before; a vector is about 1 long",
    ),
    _of_image(
        "neighbors_kept",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours that stay from checkpoint to checkpoint, the mean",
    ),
    _of_image(
        "neighbors_kept_ends",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours at the first checkpoint that are so at the last",
    ),
    _of_image(
        "label_mean",
        "float32",
        "probability",
        "[0, 1]; null without label or heads",
        "mean probability of the given label (confidence in data-set cartography)",
        nullable=True,
    ),
    _of_image(
        "label_variability",
        "float32",
        "probability",
        "[0, 0.5]; null likewise",
        "its standard deviation over checkpoints",
        nullable=True,
    ),
    _of_image(
        "aum",
        "float32",
        "logit",
        "any; null likewise",
        "area under the margin; lower is more likely wrong",
        nullable=True,
    ),
    _of_image(
        "learnt_at",
        "int64",
        "steps",
        ">= 0; -1 for never",
        "first step after which the prediction stays right; here and in the next two with "
        "--cross-validate that of its classifiers",
    ),
    _of_image("forgotten", "int32", "times", ">= 0", "how often a right prediction turned wrong"),
    _of_image("flips", "int32", "times", ">= 0", "how often the prediction changed"),
    _of_image(
        "trajectory_label_score",
        "float32",
        "",
        "[0, 1]; null without label",
        "label quality over all checkpoints, from predictions and neighbours' labels; lower is "
        "more likely wrong",
        nullable=True,
    ),
    _of_image(
        "trajectory_label_rank",
        "int32",
        "rank",
        "1 to N; 0 without label",
        "place by it; 1 is the label most likely wrong",
    ),
    Column(
        "image",
        "bytes",
        "",
        "an image file",
        "the image as the data set stores it; one object shared by all rows of an image",
        joined=True,
    ),
)
"""Every column of the long table, in order. The schema, the checks and the table in the README come
from here."""

COLUMN_NAMES = tuple(column.name for column in COLUMNS)


def arrow_schema(*, of_image: bool = False) -> pa.Schema:
    """Arrow schema of the table's Parquet files: every column that is not joined, of a checkpoint
    or of the images."""
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
            pa.field(c.name, types[c.kind], nullable=c.nullable)
            for c in COLUMNS
            if not c.joined and c.of_image == of_image
        ]
    )


def as_markdown() -> str:
    """The declared columns as the table in the README."""
    lines = ["| column | type | unit | values | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{c.name}` | {c.kind} | {c.unit} | {c.values} | {c.meaning} |" for c in COLUMNS]
    return "\n".join(lines)
