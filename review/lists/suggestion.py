"""Owns the rule by which another class fits an image better than its label, and which one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.outlook import FIRST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.review.lists.candidates import Candidates

EVEN = 0.5
"""Label quality at which the given label and the best other one are as likely as each other."""


def label_rank(images: Candidates) -> str:
    """The column by which labels are ranked: over all checkpoints, but for the one that somebody
    names."""
    over_all = bool((images.last(c.TRAJECTORY_LABEL_RANK) > 0).any())
    return c.TRAJECTORY_LABEL_RANK if over_all and not images.at_checkpoint else c.LABEL_RANK


def label_score(images: Candidates) -> str:
    """The column of the scores that `label_rank` ranks."""
    over_all = label_rank(images) == c.TRAJECTORY_LABEL_RANK
    return c.TRAJECTORY_LABEL_SCORE if over_all else c.LABEL_SCORE


def expected_wrong_labels(images: Candidates) -> float | None:
    """How many of the labels that fit worst are expected to be wrong."""
    from review_embeddings.pipeline.analysis.remaining import expected_wrong

    scores = images.last(label_score(images)).astype(float)
    return expected_wrong(scores, FIRST)


def another_class_fits(images: Candidates) -> NDArray[Any]:
    """Which images have a label that another class fits better than, shape (N,)."""
    chosen: NDArray[Any] = images.last(label_score(images)) < EVEN  # NaN without a label
    return chosen


def suggested_label(images: Candidates, row: int) -> str | None:
    """The class that fits an image better than its label, by the score that ranks the labels. None
    where none does."""
    if not another_class_fits(images)[row]:
        return None
    over_all = label_rank(images) == c.TRAJECTORY_LABEL_RANK
    best = images.text(c.TRAJECTORY_SUGGESTED_LABEL, row) if over_all else ""
    best = best or images.text(c.SUGGESTED_LABEL, row)  # of tables of earlier versions
    return None if best in {"", images.labels[row]} else best


def judged_at(images: Candidates, row: int) -> str:
    """Where that score looks at an image: `` at step 400``, or over all checkpoints at one that
    was trained on."""
    if label_rank(images) == c.LABEL_RANK:
        return f"at step {images.last_step}"
    at_last = images.regime is not None and not images.regime.trained_on[row]
    return f"at step {images.final_step}" if at_last else "over all checkpoints"
