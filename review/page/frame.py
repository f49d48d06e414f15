"""Cuts the wide review frame from the long table: one row an image, the columns of every checkpoint
beside each other.

Spotlight links its views by row number, so this is what makes a brush in one plot select the same
images in the other. The frame keeps to what Spotlight shows rightly: integers, float32 without
gaps, categoricals of strings, image bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.categories import GRAY, SCORED
from review_embeddings.pipeline.analysis.outliers import worst_count
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import DECISIONS, UNDECIDED, Decision

if TYPE_CHECKING:
    import pandas as pd

MAX_SHOWN = 10
"""Checkpoints with columns of their own: Spotlight works out statistics and colours of all columns
with every click."""

UNLABELLED = "(no label)"
"""Stands for a missing label or prediction, because Spotlight has no name for an empty category."""

NO_NEW_LABEL = "(none)"
"""Stands in the column ``new_label`` for images that were not relabelled; the page knows it too."""

ENDS = ("first", "last")

OF_ENDS = ("label_score", "label_rank", "suggested_label", "map_kept")
"""Further columns of the table that the first and the last checkpoint have."""

OF_IMAGES = (
    "consensus_rank",
    "outlier_life",
    "duplicate_group",
    "duplicate_kind",
    "duplicate_labels_differ",
    "leak_of",
    "drift",
    "neighbors_kept",
    "flips",
    "trajectory_label_score",
    "trajectory_label_rank",
    "aum",
    "label_variability",
    "learnt_at",
    "forgotten",
)
"""Columns over all checkpoints of the table."""

OF_PICTURES = ("image_issue", "image_issue_rank", *(f"{name}_score" for name in SCORED), GRAY)
"""Columns about the pictures themselves, where they were checked."""

ABOUT_LABELS = OF_IMAGES[OF_IMAGES.index("trajectory_label_score") :]
ABOUT_PREDICTIONS = OF_IMAGES[OF_IMAGES.index("aum") :]

NOT_JUDGED = {
    "trajectory_label_score": 1.0,
    "trajectory_label_rank": np.iinfo(np.int32).max,
    "aum": 0.0,
    "label_variability": 0.0,
}
"""What stands for an image without a label among others that have one: Spotlight draws gaps at the
origin."""

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
    facts: dict[int, table.CheckpointFacts]
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
        raise ReviewError(f"Run {run} has no table. Run: review-embeddings build --run {run}")
    shown = _thinned(sorted(set(shown)))
    steps = manifest.steps
    start = shown[-1] if watching else _start_of_slider(steps, shown)
    columns: dict[str, object] = {"image_id": images.ids}
    if (names := images.label_names) is not None:
        columns["label"] = _categorical(names, images.classes or [])
    columns |= _decision_columns(images, decisions or {})
    wanted = [
        "label",
        "prediction",
        "confidence",
        "x",
        "y",
        "ood_score",
        "ood_rank",
        "ood_percentile",
        *OF_ENDS,
    ]
    ends: dict[str, pd.DataFrame] = {}
    now: dict[str, object] = {}
    for facts, part in table.iterate(run, checkpoints=sorted({*shown, start}), columns=wanted):
        values = {
            name: part[column].to_numpy()
            for name, column in (("x", "x"), ("y", "y"), ("ood", "ood_score"))
        }
        if facts.step in shown:
            columns |= {f"{name}_{tag(facts.step)}": column for name, column in values.items()}
        if facts.step == start:
            now = {f"{name}_now": column for name, column in values.items()}
        if facts.step == shown[0] and (watching or len(shown) > 1):
            ends["first"] = part
        if facts.step == shown[-1]:
            ends["last"] = part
    for end, part in ends.items():
        columns |= _end_columns(end, part)
    columns |= _image_columns(
        table.read(
            run,
            checkpoints=[shown[-1]],
            columns=[*OF_IMAGES, "leak_kind", "leak_label", *OF_PICTURES],
        )
    )
    if before:
        columns |= _since_columns(images, before, ends["last"])
    worst = worst_count(len(images))
    if "first" in ends:
        columns |= _change_columns(ends["first"], ends["last"], worst)
    if watching:
        columns |= {
            f"{name}_{end}": columns[f"{name}_{tag(step)}"]
            for name in "xy"
            for end, step in zip(ENDS, _ends(shown), strict=True)
        }
    if watching or len(steps) > 1:
        columns |= now
    frame = pd.DataFrame(columns)
    predicted = "prediction_last" if "prediction_last" in frame.columns else None
    _check(frame)
    review = ReviewFrame(
        frame=frame,
        shown=list(shown),
        steps=steps,
        facts={facts.step: facts for facts in manifest.checkpoints},
        color_by="label" if "label" in frame.columns else predicted,
        slider_start=start,
        watching=watching,
        worst=worst,
    )
    return with_pictures(review, images) if pictures else review


def with_pictures(review: ReviewFrame, images: RunImages) -> ReviewFrame:
    """The frame with the pictures of its images."""
    frame = review.frame.copy(deep=False)
    frame.insert(1, "image", _one_object_each(images.read_bytes(preview=True)))
    return replace(review, frame=frame)


def long_frame(run: RunFolder, steps: Sequence[int] | None = None) -> pd.DataFrame:
    """The long table for Spotlight: no vectors, hashes or numbers with gaps, the checkpoint as a
    category.

    Its rows are not linked by image.
    """
    import pandas as pd

    names = [
        column.name
        for column in table.COLUMNS
        if column.name not in {"embedding", "image_hash", "path", "leak_path", "epoch"}
    ]
    frame = table.read(run, checkpoints=steps, columns=names)
    for name in ("label", "prediction", "leak_label"):
        if frame[name].isna().all():
            frame = frame.drop(columns=name)
        else:
            frame[name] = (
                frame[name]
                .cat.add_categories(UNLABELLED)
                .fillna(UNLABELLED)
                .cat.remove_unused_categories()
            )
    frame = frame.drop(
        columns=[name for name in frame.select_dtypes("number").columns if frame[name].isna().any()]
    )
    order = [f"step {tag(step)}" for step in sorted(frame["checkpoint"].unique())]
    frame["checkpoint"] = pd.Categorical(
        [f"step {tag(step)}" for step in frame["checkpoint"]], categories=order
    )
    _check(frame)
    return frame


def _ends(shown: Sequence[int]) -> tuple[int, int]:
    return shown[0], shown[-1]


def _thinned(shown: Sequence[int]) -> list[int]:
    """At most `MAX_SHOWN` of the checkpoints: the first, the last, and others evenly between
    them."""
    places = np.linspace(0, len(shown) - 1, min(len(shown), MAX_SHOWN)).round().astype(int)
    return [shown[place] for place in places]


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
    names = [*categories, UNLABELLED] if missing.any() else list(categories)
    return pd.Categorical(
        [UNLABELLED if gap else value for value, gap in zip(values, missing, strict=True)],
        categories=names,
    )


def _decision_columns(images: RunImages, decisions: Mapping[str, Decision]) -> dict[str, object]:
    """What was said about each image; the plugin in the page keeps these columns up to date."""
    import pandas as pd

    said = [decisions.get(image_hash) for image_hash in images.hashes]
    verdicts = [UNDECIDED if line is None else line.decision for line in said]
    columns: dict[str, object] = {
        "decision": pd.Categorical(verdicts, categories=[UNDECIDED, *DECISIONS])
    }
    if images.classes:
        new = [
            NO_NEW_LABEL if line is None or line.new_label is None else line.new_label
            for line in said
        ]
        names = [NO_NEW_LABEL, *images.classes, *sorted(set(new) - {NO_NEW_LABEL, *images.classes})]
        columns["new_label"] = pd.Categorical(new, categories=names)
    return columns


def _end_columns(end: str, part: pd.DataFrame) -> dict[str, object]:
    """What the table and the inspector show of the first or the last checkpoint."""
    columns: dict[str, object] = {
        f"ood_{end}": part["ood_score"].to_numpy(),
        f"rank_{end}": part["ood_rank"].to_numpy(),
        f"percentile_{end}": part["ood_percentile"].to_numpy(),
        f"map_kept_{end}": part["map_kept"].to_numpy(),
    }
    if (judged := part["label_rank"].to_numpy() > 0).any():
        columns[f"label_score_{end}"] = (
            part["label_score"].fillna(1.0).to_numpy()
        )  # an image without a label is no suspect
        columns[f"label_rank_{end}"] = np.where(judged, part["label_rank"].to_numpy(), len(part))
        columns[f"suggested_{end}"] = _categorical(
            list(part["suggested_label"]), list(part["suggested_label"].cat.categories)
        )
    if part["prediction"].notna().any():
        columns[f"prediction_{end}"] = _categorical(
            list(part["prediction"]), list(part["prediction"].cat.categories)
        )
        columns[f"confidence_{end}"] = part["confidence"].fillna(0).to_numpy()
        if part["label"].notna().any():
            agrees = (part["prediction"].astype(object) == part["label"].astype(object)).to_numpy()
            columns[f"correct_{end}"] = agrees
    return columns


def _image_columns(part: pd.DataFrame) -> dict[str, object]:
    """What is known of each image over all checkpoints; nothing about labels, predictions and
    pictures where there is nothing."""
    columns: dict[str, object] = {}
    judged = part["trajectory_label_rank"].to_numpy() > 0
    headed = bool(part["aum"].notna().any())
    for name in OF_IMAGES:
        if name in ABOUT_LABELS:
            if judged.any() and (
                headed or name not in ABOUT_PREDICTIONS
            ):  # an image without a label is no suspect
                columns[name] = np.where(
                    judged, part[name].to_numpy(), NOT_JUDGED.get(name, part[name].to_numpy())
                )
        else:
            columns[name] = _as_it_is(part[name])
    if (part["leak_of"] >= 0).any():
        columns["leak_kind"] = _as_it_is(part["leak_kind"])
        columns["leak_label"] = _categorical(
            list(part["leak_label"]), list(part["leak_label"].cat.categories)
        )
    if part["image_issue_rank"].any():
        columns |= {name: _as_it_is(part[name]) for name in OF_PICTURES}
    return columns


def _as_it_is(column: pd.Series) -> object:
    return column.array if column.dtype == "category" else column.to_numpy()


def _since_columns(
    images: RunImages, before: Mapping[str, float], last: pd.DataFrame
) -> dict[str, object]:
    """How atypical each image was in an earlier run, and what has become of it; no change for
    images that are new."""
    now = last["ood_percentile"].to_numpy()
    then = np.array(
        [before.get(image_hash, now[row]) for row, image_hash in enumerate(images.hashes)],
        dtype=np.float32,
    )
    return {"percentile_before": then, "percentile_since": now - then}


def _change_columns(first: pd.DataFrame, last: pd.DataFrame, worst: int) -> dict[str, object]:
    """What happened to each image between the first and the last checkpoint."""
    import pandas as pd

    early, late = (part["ood_rank"].to_numpy() <= worst for part in (first, last))
    states = np.where(
        early & late, "both", np.where(early, "first only", np.where(late, "last only", "no"))
    )
    steps = last[["x", "y"]].to_numpy() - first[["x", "y"]].to_numpy()
    return {
        "percentile_change": last["ood_percentile"].to_numpy() - first["ood_percentile"].to_numpy(),
        "moved": np.hypot(steps[:, 0], steps[:, 1]).astype(np.float32),
        "outlier": pd.Categorical(states, categories=OUTLIER_STATES),
    }


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
        if frame[name].dtype == object and not all(
            isinstance(cell, bytes) for cell in frame[name].array
        ):
            raise ReviewError(
                f"Column {name} of the review holds free values. Delete the run's table folder and "
                f"build it again."
            )
