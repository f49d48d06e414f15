"""Cuts the wide review frame from the long table: one row an image, the columns of every checkpoint
beside each other.

Spotlight links its views by row number, so this is what makes a brush in one plot select the same
images in the other. Which columns of the table are here is declared with them. The frame keeps to
what Spotlight shows rightly: integers, float32 without gaps, categoricals of strings, image bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.outliers import are_outliers, worst_count
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import column as declared
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table.column import Column, Where
from review_embeddings.review.decisions.kinds import DECISIONS, UNDECIDED
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.lists.candidates import distance_moved
from review_embeddings.review.lists.derived import (
    CORRECT,
    DECISION,
    MOVED,
    NEW_LABEL,
    OUTLIER,
    PERCENTILE_BEFORE,
    PERCENTILE_CHANGE,
    PERCENTILE_SINCE,
)

if TYPE_CHECKING:
    import pandas as pd

MAX_SHOWN = 10
"""Checkpoints with columns of their own: Spotlight works out statistics and colours of all columns
with every click."""

UNLABELLED = "(no label)"
"""Stands for a missing label or prediction, because Spotlight has no name for an empty category."""

NO_NEW_LABEL = "(none)"
"""Stands in the column ``new_label`` for images that were not relabelled; the page knows it too."""

ENDS = declared.ENDS
FIRST, LAST = ENDS
NOW = "now"
"""Stand in the names of columns for the first and the last shown checkpoint, and for that of the
slider."""

SLIDER = (c.X, c.Y, c.OOD_SCORE)
"""Columns of the long table that the slider changes on the page."""

OUTLIER_STATES = ["no", "first only", "last only", "both"]
"""Whether an image is among the worst of the first and of the last checkpoint."""


@dataclass(frozen=True)
class ReviewFrame:
    """The wide frame and what its columns stand for."""

    frame: pd.DataFrame
    """One row an image, RangeIndex in image order."""
    shown: list[int]
    """Checkpoints with columns of their own, ascending: the first and last of them are "first" and
    "last"."""
    steps: list[int]
    """All checkpoints of the table, ascending; the slider goes through them."""
    checkpoints: dict[int, table.CheckpointSummary]
    """What is known of each of them as a whole."""
    color_by: str | None
    """Column that colours the plots: the label, else the last prediction."""
    slider_start: int
    """The checkpoint that the columns ``x_now``, ``y_now`` and ``ood_now`` hold until the slider is
    moved."""
    watching: bool
    """Whether the run is still being trained, so that the columns ``x_first`` and ``x_last`` stand
    for changing checkpoints."""
    worst: int
    """How many of the most atypical images count as outliers in the column ``outlier``."""

    @property
    def first(self) -> int:
        return self.shown[0]

    @property
    def last(self) -> int:
        return self.shown[-1]


def tag(step: int) -> str:
    """How a checkpoint appears in the names of columns: ``x_000020``."""
    return f"{step:06d}"


def at(column: str, checkpoint: str | int) -> str:
    """What the frame calls a column of the table at a step, or ``first``, ``last`` or ``now``."""
    return table.COLUMNS[column].at(tag(checkpoint) if isinstance(checkpoint, int) else checkpoint)


def of_run(column: str, key: str) -> str:
    """What the frame calls a column of another run, by the run's key: ``x_000020__b``; of the
    page's own run, whose key is empty, what it calls it without."""
    return f"{column}__{key}" if key else column


def wide_frame(
    run: RunFolder,
    images: RunImages,
    shown: Sequence[int],
    *,
    watching: bool = False,
    decisions: Mapping[str, Decision] | None = None,
    before: Mapping[str, float] | None = None,
    pictures: bool = True,
) -> ReviewFrame:
    """Build the frame for ``shown`` checkpoints, evenly thinned where they are more than
    `MAX_SHOWN`.

    ``decisions`` are those that hold, by image hash; ``before`` is the percentile of each image at
    the last checkpoint of an earlier run. A frame that is ``watching`` has the same columns for
    both ends however many checkpoints there are yet. Without ``pictures`` it has none, and
    `with_pictures` adds them.
    """
    import pandas as pd

    manifest = table.read_manifest(run)
    if manifest is None:
        raise ReviewError(f"Run {run} has no table. Run: {build_command(run)}")
    shown = _thinned(sorted(set(shown)))
    steps = manifest.steps
    start = shown[-1] if watching else _start_of_slider(steps, shown)
    columns = _identity_columns(images) | _decision_columns(images, decisions or {})
    checkpoints = _read_checkpoints(run, shown, start, both_ends=watching or len(shown) > 1)
    columns |= checkpoints.each
    for end, part in checkpoints.ends.items():
        columns |= _end_columns(end, part)
    columns |= _image_columns(run, shown[-1])
    if before:
        columns |= _since_columns(images, before, checkpoints.ends[LAST])
    if FIRST in checkpoints.ends:
        columns |= _change_columns(checkpoints.ends, worst_count(len(images)))
    if watching:
        columns |= _watched_columns(columns, shown)
    if watching or len(steps) > 1:
        columns |= checkpoints.now
    frame = pd.DataFrame(columns)
    _check(frame)
    review = ReviewFrame(
        frame=frame,
        shown=list(shown),
        steps=steps,
        checkpoints={one.step: one for one in manifest.checkpoints},
        color_by=_first_of(frame, c.LABEL, at(c.PREDICTION, LAST)),
        slider_start=start,
        watching=watching,
        worst=worst_count(len(images)),
    )
    return with_pictures(review, images) if pictures else review


def with_pictures(review: ReviewFrame, images: RunImages) -> ReviewFrame:
    """The frame with the pictures of its images."""
    frame = review.frame.copy(deep=False)
    frame.insert(1, c.IMAGE, _one_object_each(images.read_bytes(preview=True)))
    return replace(review, frame=frame)


def long_frame(run: RunFolder, steps: Sequence[int] | None = None) -> pd.DataFrame:
    """The long table for Spotlight: no vectors, texts or numbers with gaps, the checkpoint as a
    category.

    Its rows are not linked by image.
    """
    import pandas as pd

    columns = [
        column
        for column in table.COLUMNS
        if column.kind not in {"vector", "string"} and column.name != c.EPOCH
    ]
    frame = table.read(run, checkpoints=steps, columns=[column.name for column in columns])
    for column in columns:
        values = frame[column.name]
        if column.nullable and values.isna().all():
            frame = frame.drop(columns=column.name)
        elif column.nullable and column.kind == "category":
            frame[column.name] = _without_gaps(values)
    numbers = frame.select_dtypes("number").columns
    frame = frame.drop(columns=[name for name in numbers if frame[name].isna().any()])
    order = [f"step {tag(step)}" for step in sorted(frame[c.CHECKPOINT].unique())]
    frame[c.CHECKPOINT] = pd.Categorical(
        [f"step {tag(step)}" for step in frame[c.CHECKPOINT]], categories=order
    )
    _check(frame)
    return frame


def _without_gaps(values: pd.Series[Any]) -> pd.Series[Any]:
    gap = _free_name(UNLABELLED, values.cat.categories)
    named = values.cat.add_categories(gap).fillna(gap)
    return named.cat.remove_unused_categories()


def _free_name(name: str, taken: Iterable[str]) -> str:
    """A name of ours that no class has."""
    classes = set(taken)
    while name in classes:
        name = f"{name} *"
    return name


def _first_of(frame: pd.DataFrame, *names: str) -> str | None:
    return next((name for name in names if name in frame.columns), None)


def _thinned(shown: Sequence[int]) -> list[int]:
    """At most `MAX_SHOWN` of the checkpoints: the first, the last, and others evenly between
    them."""
    count = min(len(shown), MAX_SHOWN)
    positions = np.linspace(0, len(shown) - 1, count).round().astype(int)
    return [shown[position] for position in positions]


def _start_of_slider(steps: Sequence[int], shown: Sequence[int]) -> int:
    """Where the slider stands at first: the middle of the training, which no plot of its own
    shows."""
    others = [step for step in steps if step not in shown] or list(steps)
    return others[len(others) // 2]


def _one_object_each(files: Sequence[bytes]) -> np.ndarray:
    column = np.empty(len(files), dtype=object)
    column[:] = files
    return column


def _categorical(values: Sequence[object], categories: Sequence[str]) -> pd.Categorical:
    """A category for every value; missing ones get a name of their own, because Spotlight has none
    for them."""
    import pandas as pd

    missing = np.array([value is None or value != value for value in values], dtype=bool)
    name = _free_name(UNLABELLED, categories)
    names = [*categories, name] if missing.any() else list(categories)
    return pd.Categorical(
        [name if gap else value for value, gap in zip(values, missing, strict=True)],
        categories=names,
    )


# -- columns of the images and of what was decided about them


def _as_new(label: str) -> str:
    """A class in the column of new labels; the page writes it so, too."""
    return f"{label} (class)" if label == NO_NEW_LABEL else label


def _identity_columns(images: RunImages) -> dict[str, object]:
    columns: dict[str, object] = {c.IMAGE_ID: images.ids}
    if (names := images.label_names) is not None:
        columns[c.LABEL] = _categorical(names, images.classes or [])
    return columns


def _decision_columns(images: RunImages, decisions: Mapping[str, Decision]) -> dict[str, object]:
    """What was decided about each image; the plugin in the page keeps these columns up to date."""
    import pandas as pd

    lines = [decisions.get(image_hash) for image_hash in images.hashes]
    decided = [UNDECIDED if line is None else line.decision for line in lines]
    columns: dict[str, object] = {
        DECISION: pd.Categorical(decided, categories=[UNDECIDED, *DECISIONS])
    }
    if images.classes:
        new = [
            NO_NEW_LABEL if line is None or line.new_label is None else _as_new(line.new_label)
            for line in lines
        ]
        known = [NO_NEW_LABEL, *map(_as_new, images.classes)]
        names = [*dict.fromkeys(known), *sorted(set(new) - set(known))]
        columns[NEW_LABEL] = pd.Categorical(new, categories=names)
    return columns


# -- columns of the table


def shown_in(*where: Where) -> list[Column]:
    """The columns that the page shows there, in its order."""
    shown = [column for column in table.COLUMNS if set(where) & set(column.shown.where)]
    return sorted(shown, key=lambda column: column.shown.order)


@dataclass(frozen=True)
class _Checkpoints:
    """What was read of the checkpoints."""

    each: dict[str, object]
    """Columns of the shown ones, under the names of the frame."""
    now: dict[str, object]
    """Columns of that of the slider."""
    ends: dict[Where, pd.DataFrame]
    """Columns of the table at the first and the last shown one, or at the last only."""


def _read_checkpoints(
    run: RunFolder, shown: Sequence[int], start: int, *, both_ends: bool
) -> _Checkpoints:
    """Read them, each once."""
    each, at_ends = shown_in(declared.EACH), shown_in(*ENDS)
    wanted = [column.name for column in (*each, *at_ends)]
    wanted += [column.needed for column in at_ends if column.needed is not None]
    wanted += [c.LABEL, *SLIDER]
    steps = {FIRST: shown[0], LAST: shown[-1]} if both_ends else {LAST: shown[-1]}
    read = _Checkpoints({}, {}, {})
    parts = table.iterate(
        run, checkpoints=sorted({*shown, start}), columns=list(dict.fromkeys(wanted))
    )
    for checkpoint, part in parts:
        if checkpoint.step in shown:
            read.each.update({at(one.name, checkpoint.step): _values(one, part) for one in each})
        if checkpoint.step == start:
            read.now.update({at(name, NOW): part[name].to_numpy() for name in SLIDER})
        read.ends.update({end: part for end, step in steps.items() if step == checkpoint.step})
    return read


def _end_columns(end: Where, part: pd.DataFrame) -> dict[str, object]:
    """What the page shows of the first or the last checkpoint."""
    columns: dict[str, object] = {
        one.at(end): _values(one, part) for one in shown_in(end) if _is_known(one, part)
    }
    if part[c.PREDICTION].notna().any() and part[c.LABEL].notna().any():
        agrees = part[c.PREDICTION].astype(object) == part[c.LABEL].astype(object)
        columns[f"{CORRECT}_{end}"] = agrees.to_numpy()
    return columns


def _image_columns(run: RunFolder, step: int) -> dict[str, object]:
    """What is known of each image over all checkpoints; nothing about labels, predictions and
    pictures where there is nothing."""
    shown = shown_in(declared.ONCE)
    names = [column.name for column in shown]
    names += [column.needed for column in shown if column.needed is not None]
    part = table.read(run, checkpoints=[step], columns=list(dict.fromkeys(names)))
    return {one.page_name: _values(one, part) for one in shown if _is_known(one, part)}


def _is_known(column: Column, part: pd.DataFrame) -> bool:
    """Whether there is what a column needs."""
    if column.needed is None:
        return True
    needed = table.COLUMNS[column.needed]
    known = part[needed.name].notna()
    if needed.missing is not None:
        known &= part[needed.name] != needed.missing
    return bool(known.any())


def _values(column: Column, part: pd.DataFrame) -> object:
    """The values of a column, with none missing: Spotlight draws gaps at the origin."""
    values = part[column.name]
    if column.kind == "category" and column.nullable:
        return _categorical(list(values), list(values.cat.categories))
    if column.kind == "category":
        return values.array
    if column.nullable:
        return values.fillna(column.harmless).to_numpy()
    if column.worst_is_missing:
        known = (values != column.missing).to_numpy()
        return np.where(known, values.to_numpy(), len(part))
    return values.to_numpy()


# -- columns that are worked out


def _since_columns(
    images: RunImages, before: Mapping[str, float], last: pd.DataFrame
) -> dict[str, object]:
    """How atypical each image was in an earlier run, and what has become of it; no change for
    images that are new."""
    now = last[c.OOD_PERCENTILE].to_numpy()
    then = np.array(
        [before.get(image_hash, now[row]) for row, image_hash in enumerate(images.hashes)],
        dtype=np.float32,
    )
    return {PERCENTILE_BEFORE: then, PERCENTILE_SINCE: now - then}


def _change_columns(ends: Mapping[Where, pd.DataFrame], worst: int) -> dict[str, object]:
    """What happened to each image between the first and the last checkpoint."""
    import pandas as pd

    first, last = ends[FIRST], ends[LAST]
    early, late = (are_outliers(part[c.OOD_PERCENTILE].to_numpy(), worst) for part in (first, last))
    states = np.array(OUTLIER_STATES)[early + 2 * late]
    return {
        PERCENTILE_CHANGE: last[c.OOD_PERCENTILE].to_numpy() - first[c.OOD_PERCENTILE].to_numpy(),
        MOVED: distance_moved(first, last),
        OUTLIER: pd.Categorical(states, categories=OUTLIER_STATES),
    }


def _watched_columns(columns: Mapping[str, object], shown: Sequence[int]) -> dict[str, object]:
    """The maps of both ends, whichever checkpoints these are."""
    steps = {FIRST: shown[0], LAST: shown[-1]}
    return {at(name, end): columns[at(name, steps[end])] for name in (c.X, c.Y) for end in ENDS}


def _check(frame: pd.DataFrame) -> None:
    """What Spotlight would draw wrongly without a word: gaps are drawn at (0, 0), free strings are
    evaluated as Python."""
    numbers = frame.select_dtypes("number")
    if not np.isfinite(numbers.to_numpy(dtype=np.float64)).all():
        broken = next(name for name in numbers.columns if not np.isfinite(numbers[name]).all())
        raise ReviewError(
            f"Column {broken} of the review has gaps. Delete the run's table folder and build it "
            f"again."
        )
    for name in frame.columns:
        values = frame[name]
        known = values.dtype == "category" or values.dtype.kind in "biuf"
        if not known and not all(isinstance(cell, bytes) for cell in values.array):
            raise ReviewError(
                f"Column {name} of the review holds free values. Delete the run's table folder and "
                f"build it again."
            )
