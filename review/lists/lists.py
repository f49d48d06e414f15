"""The ready-made lists: which images a reviewer should look at first, each one a click in
Spotlight's Issues widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.categories import FINE, NOT_CHECKED
from review_embeddings.review.decisions.log import UNDECIDED
from review_embeddings.review.page.frame import UNLABELLED, ReviewFrame

if TYPE_CHECKING:
    import pandas as pd

SHORT = 8
"""Length of the short list of outliers: one row of images in the inspector, as in the published
example."""


EVEN = 0.5
"""Label quality at which the given label and the best other one are as likely as each other."""

RANK_CHANGE = 5
"""Percentile points from which an image has another rank than in an earlier run."""


@dataclass(frozen=True)
class ImageList:
    """A named selection of images."""

    title: str
    rows: list[int]
    """Row numbers of the review frame, the most striking first."""
    severity: str
    """``high``, ``medium`` or ``low``, as Spotlight colours it."""
    columns: list[str]
    """Columns that the list was made from."""
    description: str


def ready_made_lists(review: ReviewFrame) -> list[ImageList]:
    """The worst of the checkpoints, labels, copies, leaks, poor pictures, and what changed between
    the ends; empty ones are left out."""
    return [made for made in _all_lists(review) if made.rows]


def _all_lists(review: ReviewFrame) -> Iterator[ImageList]:
    lengths = sorted({min(SHORT, review.worst), review.worst})
    for length in lengths:
        yield _worst(review.frame, "last", f"step {review.last}", length)
    yield from _of_images(review, lengths)
    if "percentile_since" in review.frame.columns:
        yield _decided_since(review.frame)
    if review.first != review.last:
        yield from _of_both_ends(review, lengths)


def _of_images(review: ReviewFrame, lengths: Sequence[int]) -> Iterator[ImageList]:
    """Labels that fit worst, copies, poor pictures, leaks, and what is forgotten most often."""
    frame, worst, last = review.frame, review.worst, f"step {review.last}"
    by = next(
        (name for name in ("trajectory_label_rank", "label_rank_last") if name in frame.columns),
        None,
    )
    if by is not None:
        rank = frame[by].to_numpy()
        another = frame[by.replace("rank", "score")].to_numpy() < EVEN
        over = "over all checkpoints" if by.startswith("trajectory") else f"at {last}"
        for length in lengths:
            yield ImageList(
                f"Labels most likely wrong ({length})",
                _ordered((rank <= length) & another, rank),
                "high" if length <= SHORT else "medium",
                [by],
                f"Of the {length} labels that fit worst {over} those that another class fits "
                f"better",
            )
    group = frame["duplicate_group"].to_numpy()
    yield ImageList(
        "Duplicates",
        _ordered(group >= 0, group),
        "medium",
        ["duplicate_group", "duplicate_kind"],
        "The same file or the same picture, group by group",
    )
    yield ImageList(
        "Duplicates with different labels",
        _ordered(frame["duplicate_labels_differ"].to_numpy(), group),
        "high",
        ["duplicate_group", "duplicate_labels_differ"],
        "One of the labels is wrong",
    )
    if "image_issue_rank" in frame.columns:
        poor = ~frame["image_issue"].isin([NOT_CHECKED, FINE]).to_numpy()
        yield ImageList(
            "Poor pictures",
            _ordered(poor, frame["image_issue_rank"].to_numpy()),
            "medium",
            ["image_issue", "image_issue_rank"],
            "Dark, light, blurry, oddly long, empty, or gray among colour (--image-quality)",
        )
    if "leak_kind" in frame.columns:
        leak, order = frame["leak_of"].to_numpy() >= 0, leak_order(frame)
        yield ImageList(
            "Leaks",
            _ordered(leak, order),
            "high",
            ["leak_of"],
            "These images stand in the other split too (--against)",
        )
        yield ImageList(
            "Leaks with different labels",
            _ordered(leak & (order == 0), frame["leak_of"].to_numpy()),
            "high",
            ["leak_of", "leak_label"],
            "These images stand in the other split too, with another label: one of the two is "
            "wrong",
        )
    if "forgotten" in frame.columns:
        often = frame["forgotten"].to_numpy()
        yield ImageList(
            f"Forgotten most often ({worst})",
            _ordered(_first(-often, worst) & (often > 1), -often),
            "low",
            ["forgotten"],
            "Predicted right and then wrong again, more than once, from checkpoint to checkpoint",
        )


def leak_order(frame: pd.DataFrame) -> NDArray[np.int64]:
    """How striking each leak is, by the columns of the table: 0 for another label there, 1 for the
    same file, 2 for the same picture."""
    unknown = [None, np.nan, "", UNLABELLED]
    there = frame["leak_label"].astype(object)
    here = frame["label"].astype(object) if "label" in frame.columns else there
    differ = (frame["leak_of"] >= 0) & ~there.isin(unknown) & ~here.isin(unknown) & (here != there)
    return np.where(differ, 0, np.where(frame["leak_kind"] == "exact", 1, 2)).astype(np.int64)


def _decided_since(frame: pd.DataFrame) -> ImageList:
    since = frame["percentile_since"].to_numpy()
    decided = (frame["decision"] != UNDECIDED).to_numpy()
    return ImageList(
        "Decided, and another rank than before",
        _ordered(decided & (np.abs(since) >= RANK_CHANGE), -np.abs(since)),
        "high",
        ["percentile_before", "percentile_since"],
        f"Decided images whose percentile changed by {RANK_CHANGE} points or more since the "
        f"earlier run",
    )


def _of_both_ends(review: ReviewFrame, lengths: Sequence[int]) -> Iterator[ImageList]:
    """Worst of the first and of both checkpoints, new, resolved, and moved furthest."""
    frame, worst = review.frame, review.worst
    last, first = f"step {review.last}", f"step {review.first}"
    for length in lengths:
        yield _worst(frame, "first", first, length)
    early, late = (frame[f"rank_{end}"].to_numpy() <= worst for end in ("first", "last"))
    both = frame["rank_first"].to_numpy() + frame["rank_last"].to_numpy()
    for length in lengths:
        within = (frame["rank_first"].to_numpy() <= length) & (
            frame["rank_last"].to_numpy() <= length
        )
        yield ImageList(
            f"Worst {length} of both",
            _ordered(within, both),
            "high",
            ["rank_first", "rank_last"],
            f"Among the {length} most atypical images at {first} and at {last}",
        )
    yield ImageList(
        f"New in last ({last})",
        _ordered(late & ~early, frame["rank_last"].to_numpy()),
        "medium",
        ["rank_first", "rank_last"],
        f"Among the {worst} most atypical images at {last} but not at {first}",
    )
    yield ImageList(
        f"Resolved between {first} and {last}",
        _ordered(early & ~late, frame["rank_first"].to_numpy()),
        "low",
        ["rank_first", "rank_last"],
        f"Among the {worst} most atypical images at {first} but not any more at {last}",
    )
    moved = frame["moved"].to_numpy()
    yield ImageList(
        f"Biggest movers ({worst})",
        _ordered(_first(-moved, worst) & (moved > 0), -moved),
        "low",
        ["moved"],
        f"Moved furthest on the map between {first} and {last}",
    )


def _first(by: NDArray[np.number], count: int) -> NDArray[np.bool_]:
    """Which rows are the first ``count`` by these values."""
    chosen = np.zeros(len(by), dtype=bool)
    chosen[np.argsort(by, kind="stable")[:count]] = True
    return chosen


def _worst(frame: pd.DataFrame, end: str, step: str, length: int) -> ImageList:
    rank = frame[f"rank_{end}"].to_numpy()
    return ImageList(
        f"Worst {length} of {end} ({step})",
        _ordered(rank <= length, rank),
        "high" if length <= SHORT else "medium",
        [f"ood_{end}"],
        f"The {length} most atypical images at {step}",
    )


def _ordered(chosen: NDArray[np.bool_], by: NDArray[np.number]) -> list[int]:
    rows = np.flatnonzero(chosen)
    return [int(row) for row in rows[np.argsort(by[rows], kind="stable")]]
