"""Owns the rule by which another class fits an image better than its label, and which one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.analysis.categories import EVEN
from review_embeddings.pipeline.table import columns as c

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.pipeline.analysis.remaining import Expectation
    from review_embeddings.review.lists.candidates import Candidates

BEST = "at the best checkpoints"
"""Where the labels of images that were not trained on are judged."""


def label_rank(images: Candidates) -> str:
    """The column by which labels are ranked: over all checkpoints, but for the one that somebody
    names."""
    over_all = bool((images.last(c.TRAJECTORY_LABEL_RANK) > 0).any())
    return c.TRAJECTORY_LABEL_RANK if over_all and not images.at_checkpoint else c.LABEL_RANK


def label_score(images: Candidates) -> str:
    """The column of the scores that `label_rank` ranks."""
    over_all = label_rank(images) == c.TRAJECTORY_LABEL_RANK
    return c.TRAJECTORY_LABEL_SCORE if over_all else c.LABEL_SCORE


def expected_wrong_labels(images: Candidates, count: int) -> Expectation:
    """How many of the labels that fit worst are expected to be wrong, or why that is not known."""
    from review_embeddings.pipeline.analysis.remaining import expected_labels

    scores = images.last(label_score(images)).astype(float)
    trained_on = None if images.regime is None else images.regime.trained_on
    return expected_labels(scores, count, trained_on=trained_on)


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


def judges(images: Candidates) -> str:
    """Who judges labels over the run."""
    return "head and leave-one-out" if images.head_judges else "leave-one-out"


def judged_at(images: Candidates, row: int) -> str:
    """What that score is of an image: ``at step 400`` of a checkpoint, or over the run, by whom
    and at which checkpoints."""
    if label_rank(images) == c.LABEL_RANK:
        return f"at step {images.last_step}"
    if images.regime is None:  # a table of an earlier version
        return "over all checkpoints"
    if not images.several:
        return f"by {judges(images)}"
    trained = images.regime.trained_on[row]
    where = "at all checkpoints" if trained else BEST
    return f"over the run, by {judges(images)} {where}"


def judged_over_run(images: Candidates) -> str:
    """Who judges the labels over the run, and at which checkpoints by whether the images were
    trained on; empty for tables of earlier versions."""
    if images.regime is None:
        return ""
    who = f"by {judges(images)}{' together' * images.head_judges}"
    trained = images.regime.trained_on
    if not images.several:
        return who
    if trained.all():
        return f"{who} at all checkpoints, for the images were trained on"
    if not trained.any():
        return f"{who} {BEST}, for the images count as not trained on"
    return f"{who}: of images trained on at all checkpoints, of the others {BEST}"


def head_alone(images: Candidates, row: int) -> str:
    """What the head predicts where that is not the class that is suggested, as ``the head alone:
    horse 54 %``; empty where it is, or nothing is suggested or predicted."""
    suggested, predicted = suggested_label(images, row), images.text(c.PREDICTION, row)
    if suggested is None or predicted in {"", suggested}:
        return ""
    at_end = images.final_step in {None, images.last_step}
    step = "" if at_end else f" at step {images.last_step}"
    name = "its label" if predicted == images.labels[row] else predicted
    return f"the head alone{step}: {name} {100 * images.value(c.CONFIDENCE, row):.0f} %"


def better_class(images: Candidates, row: int) -> str | None:
    """That another class fits better, and what the head says instead; None where none does."""
    suggested, other = suggested_label(images, row), head_alone(images, row)
    if suggested is None:
        return None
    over_run = label_rank(images) != c.LABEL_RANK and images.regime is not None
    together = f"by {judges(images)}{' together' * images.head_judges}; " if over_run else ""
    return f"another class fits better: {suggested}{f' ({together}{other})' if other else ''}"


def why_label(images: Candidates, row: int) -> str:
    """Why a label is listed, in one line."""
    other = head_alone(images, row)
    better = f"; {suggested_label(images, row)} fits better ({other})" if other else ""
    return f"label fits worst {judged_at(images, row)}{better}"
