"""The long table of a run with what was decided about its images beside it: `read_table`. Writes
nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.table.columns import COLUMNS, IMAGE_HASH
from review_embeddings.review.decisions.kinds import DECISIONS, LEAVE
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import read_history
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    DISPUTED,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)

if TYPE_CHECKING:
    import pandas as pd

    from review_embeddings.pipeline.table.manifest import Checkpoints

FIELDS = {
    DECISION: "decision",
    NEW_LABEL: "new_label",
    NOTE: "note",
    REVIEWER: "reviewer",
    DECIDED_AT: "time",
    DISPUTED: "",
}
"""Columns about what was decided, and the field of a decision that each is; empty for none."""


def read_table(
    run: RunFolder | str | os.PathLike[str],
    checkpoints: Checkpoints | None = None,
    columns: str | Sequence[str] | None = None,
    *,
    decisions: bool = False,
) -> pd.DataFrame:
    """The long table of a run as one DataFrame: a row for each image and checkpoint, images in
    order within checkpoints in order of training.

    ``checkpoints`` is a step, ``"first"``, ``"last"``, ``"best"``, a range such as ``"0-100"``, or
    several of these; None for all. ``columns`` are names of columns of the table (None for all of
    them), or of what was decided about the image, which ``decisions`` adds to them:

    - ``decision``: keep, relabel, remove, duplicate or unsure (category)
    - ``new_label``: the right class, of a relabel (category)
    - ``note``, ``reviewer``: text
    - ``decided_at``: time in UTC
    - ``disputed``: who decided what, where reviewers differ

    These are missing where nobody decided, all but the last also where reviewers differ.
    ``embedding`` cells are read-only float32 views of shape (D,) on memory-mapped arrays, ``image``
    cells bytes. Raises RunError where the run has no table or not these checkpoints, SettingsError
    for an unknown column.

    >>> from review_embeddings import read_table
    >>> frame = read_table("runs/colors", "last", ["image_id", "label", "ood_rank", "decision"])
    >>> len(frame), list(frame)
    (36, ['image_id', 'label', 'ood_rank', 'decision'])
    >>> frame.loc[frame["decision"] == "remove", "image_id"].tolist()
    [7]
    >>> read_table("runs/colors", ["first", "50-100"], "checkpoint")["checkpoint"].unique().tolist()
    [10, 100]
    >>> read_table("runs/colors", columns="lable")
    Traceback (most recent call last):
        ...
    SettingsError: The table has no column 'lable'. Did you mean 'label'?
    """
    run = run if isinstance(run, RunFolder) else run_at(run)
    names = _names(columns, decisions)
    asked = [name for name in names if name in FIELDS]
    stored = [name for name in names if name not in FIELDS]
    needed = stored if not asked or IMAGE_HASH in stored else [*stored, IMAGE_HASH]
    frame = table.read(run, checkpoints=checkpoints, columns=needed)
    if asked:
        history = read_history(run, _warn)
        held = history.settled(LEAVE)
        for name in asked:
            if name == DISPUTED:
                words = {image: one.in_words for image, one in history.disputed().items()}
                frame[name] = frame[IMAGE_HASH].map(words).astype(object)
            else:
                frame[name] = _column(name, frame[IMAGE_HASH], held, _classes(run))
    return frame[names]


def _names(columns: str | Sequence[str] | None, decisions: bool) -> list[str]:
    known = (*COLUMNS.names(), *FIELDS)
    names = table.columns_named(COLUMNS.names() if columns is None else columns, known)
    return list(dict.fromkeys([*names, *(FIELDS if decisions else ())]))


def _column(
    name: str, hashes: pd.Series[str], held: Mapping[str, Decision], classes: Sequence[str]
) -> pd.Series[Any]:
    """A column about what was decided, of images by their hashes; missing where nobody did."""
    import pandas as pd

    values = {image: getattr(line, FIELDS[name]) for image, line in held.items()}
    column = hashes.map(values)
    if name == DECISION:
        return column.astype(pd.CategoricalDtype([*DECISIONS]))
    if name == NEW_LABEL:
        new = sorted({value for value in values.values() if value} - set(classes))
        return column.astype(pd.CategoricalDtype([*classes, *new]))
    if name == DECIDED_AT:
        return pd.to_datetime(column, utc=True, format="ISO8601")
    return column.astype(object)


def _classes(run: RunFolder) -> Sequence[str]:
    manifest = table.read_manifest(run)
    return (manifest.classes if manifest else None) or ()


def _warn(note: str) -> None:
    warnings.warn(note, stacklevel=4)
