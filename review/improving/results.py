"""Writes what came of a proof into its folder: the numbers, the lines of the terminal, what was
changed, and what each model says of each image. Computes nothing."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from review_embeddings.pipeline.csvfile import csv_text
from review_embeddings.pipeline.run.files import whole_file, write_json
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.exchange.formats import write_list
from review_embeddings.review.exchange.reports import CHANGES, change_row
from review_embeddings.review.improving.evidence import Arms, ComparedArms, Proof
from review_embeddings.review.improving.folder import BEFORE, ProofFolder, arm_name
from review_embeddings.review.improving.selection import ChangedImages


def write_changes(selection: ChangedImages, folder: ProofFolder) -> None:
    """Write which training images the decisions change. Raises StorageError."""
    rows = selection.listed.rows
    changes = (replace(one, row=int(rows[one.row])) for one in selection.changes)
    cells = [[row[name] for name in CHANGES] for row in map(change_row, changes)]
    _write_text(folder.changes, csv_text([list(CHANGES), *cells], quoting=csv.QUOTE_ALL))


def write_results(proof: Proof, arms: Arms, lines: Sequence[str], folder: ProofFolder) -> None:
    """Write all that was found. Raises StorageError."""
    import pandas as pd

    write_json(folder.result, {"format_version": 1, **as_values(proof)})
    _write_text(folder.report, "\n".join(lines) + "\n")
    first = arms[BEFORE, proof.seeds[0]]
    frame = {c.IMAGE_ID: first.ids, c.IMAGE_HASH: first.hashes, c.LABEL: first.labels}
    answers = {arm_name(*arm): one.predictions for arm, one in arms.items()}
    write_list(pd.DataFrame({**frame, **answers}), folder.predictions, "parquet")


def _write_text(path: Any, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def as_values(proof: Proof) -> dict[str, Any]:
    """All numbers of a proof, for JSON."""
    return {
        "verdict": proof.verdict,
        "seeds": list(proof.seeds),
        "overall": _values(proof.overall),
        "classes": {name: _values(one) for name, one in proof.classes.items()},
        "corrected": None if proof.corrected is None else _values(proof.corrected),
        "carried": {kind: _values(one) for kind, one in proof.carried.items()},
    }


def _values(one: ComparedArms) -> dict[str, Any]:
    return {
        "before": list(one.before),
        "after": list(one.after),
        **{name: _plain(value) for name, value in asdict(one.difference).items()},
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
