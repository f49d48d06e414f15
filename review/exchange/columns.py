"""Declares the columns of a list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListColumn:
    """One column of a list."""

    name: str
    kind: str
    """int, float, bool or text."""
    meaning: str


COLUMNS = (
    ListColumn("image_id", "int", "row of the data set's split"),
    ListColumn("image_hash", "text", "SHA-256 of the image's bytes; decisions are kept by it"),
    ListColumn(
        "path",
        "text",
        "the image's file, relative to the data set's folder; empty where the data set names none",
    ),
    ListColumn("label", "text", "the given label"),
    ListColumn(
        "decision", "text", "keep, relabel, remove, duplicate or unsure; empty where nobody decided"
    ),
    ListColumn("new_label", "text", "the right class, of a relabel"),
    ListColumn("note", "text", "what the reviewer wrote"),
    ListColumn("reviewer", "text", "who decided"),
    ListColumn("decided_at", "text", "when, UTC"),
    ListColumn("listed_as", "text", "why the image is in this list"),
    ListColumn("checkpoint", "int", "step of the checkpoint that the next eight columns are of"),
    ListColumn("prediction", "text", "the class it finds most probable"),
    ListColumn("confidence", "float", "its probability"),
    ListColumn(
        "ood_score", "float", "cleanlab's out-of-distribution score; lower is more atypical"
    ),
    ListColumn("ood_rank", "int", "place by it; 1 is the most atypical"),
    ListColumn("ood_percentile", "float", "that place in percent"),
    ListColumn(
        "label_score",
        "float",
        "cleanlab's label quality (normalised margin); lower is more likely wrong",
    ),
    ListColumn(
        "label_rank", "int", "place by it; 1 is the label most likely wrong; 0 without a label"
    ),
    ListColumn("suggested_label", "text", "the class that fits best"),
    ListColumn(
        "trajectory_label_score",
        "float",
        "label quality over all checkpoints of the table; lower is more likely wrong",
    ),
    ListColumn("trajectory_label_rank", "int", "place by it; 0 without label"),
    ListColumn(
        "duplicate_group",
        "int",
        "image_id of the first image of its group of copies; -1 for images that are there once",
    ),
    ListColumn("duplicate_kind", "text", "no, near or exact"),
    ListColumn("duplicate_labels_differ", "bool", "its copies have different labels"),
    ListColumn(
        "leak_of", "int", "row of the same image in the split named with --against; -1 for none"
    ),
    ListColumn("leak_kind", "text", "no, near or exact"),
    ListColumn("leak_label", "text", "its label there"),
    ListColumn("leak_path", "text", "its file there"),
    ListColumn(
        "image_issue",
        "text",
        "what is most wrong with the picture itself; not checked without --image-quality",
    ),
    ListColumn("image_issue_rank", "int", "place by it; 0 where not checked"),
    ListColumn(
        "outlier_life",
        "text",
        "never, passing, resolved, emergent or persistent, over all checkpoints of the table",
    ),
    ListColumn(
        "mean_percentile",
        "float",
        "mean of ood_percentile over all checkpoints of the table; lower is more atypical",
    ),
    ListColumn("consensus_rank", "int", "place by mean_percentile"),
    ListColumn("image_file", "text", "the copied image, with --images"),
)
"""Every column of a list, in order. The README's table comes from here."""

NAMES = tuple(column.name for column in COLUMNS)

TEXTS = frozenset(column.name for column in COLUMNS if column.kind == "text")


def as_markdown() -> str:
    """The columns as the README shows them."""
    rows = [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in COLUMNS]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])
