"""Declares the lists: which images a reviewer should look at first, and why.

Each is found on the page, by ``export --list KEY`` and in the summary, or on those that it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.analysis.categories import FINE, NOT_CHECKED
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists import words
from review_embeddings.review.lists.definition import LISTS, ListDefinition
from review_embeddings.review.lists.derived import MOVED, PERCENTILE_BEFORE, PERCENTILE_SINCE
from review_embeddings.review.lists.groups import (
    apart_in_no_group,
    group_by_group,
    group_in_words,
    in_group,
    lacks_scores,
    parts_of,
)
from review_embeddings.review.lists.suggestion import (
    another_class_fits,
    expected_wrong_labels,
    label_rank,
    why_label,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from review_embeddings.pipeline.analysis.remaining import Expectation
    from review_embeddings.review.lists.candidates import Candidates

RANK_CHANGE = 5
"""Percentile points from which an image has another rank than in an earlier run."""


def _ordered_by(values: NDArray[Any]) -> NDArray[Any]:
    """All images; none where all have the same value, of which the first would be no more atypical
    than the last."""
    differ: NDArray[Any] = (values != values[:1]).any().repeat(len(values))
    return differ


def _expected_atypical(column: str) -> Callable[[Candidates, int], Expectation]:
    """By the scores of a column, of which the lowest are the most atypical."""

    def expected(images: Candidates, count: int) -> Expectation:
        from review_embeddings.pipeline.analysis.remaining import expected_outliers

        return expected_outliers(images.last(column).astype(float), count)

    return expected


def _expected_in_groups(images: Candidates, count: int) -> Expectation:
    from review_embeddings.pipeline.analysis.remaining import expected_in_groups

    return expected_in_groups(images.last(c.GROUP), count)


def _needs_labels(images: Candidates) -> str:
    if (images.last(c.LABEL_RANK) > 0).any():
        return ""
    if any(images.labels):
        return (
            "needs label scores, which a model that gives an image several labels has not. Judge "
            f"the labels leave-one-out: {images.build_command('--cross-validate', 5)}"
        )
    return "is about labels, and this data set has none. Use another list."


def _is_copy(images: Candidates) -> NDArray[Any]:
    chosen: NDArray[Any] = images.last(c.DUPLICATE_GROUP) >= 0
    return chosen


def _is_leak(images: Candidates) -> NDArray[Any]:
    chosen: NDArray[Any] = images.last(c.LEAK_OF) >= 0
    return chosen


def _needs_another_split(images: Candidates) -> str:
    return (
        f"needs another split to look in. Run: {images.build_command('--against', 'train')}"
        if images.settings.against is None
        else ""
    )


def _is_poor(images: Candidates) -> NDArray[Any]:
    chosen: NDArray[Any] = ~images.late[c.IMAGE_ISSUE].isin([NOT_CHECKED, FINE]).to_numpy()
    return chosen


def _needs_image_quality(images: Candidates) -> str:
    return (
        ""
        if images.last(c.IMAGE_ISSUE_RANK).any()
        else "needs the images to be looked at once. Run: "
        f"{images.build_command('--image-quality')}"
    )


def _why_outlier(images: Candidates, row: int) -> str:
    return f"worst at step {images.last_step}"


def _between(images: Candidates) -> str:
    return f"between step {images.first_step} and {images.last_step}"


def _rank_changed(images: Candidates) -> NDArray[Any]:
    chosen: NDArray[Any] = images.decided & (abs(images.since) >= RANK_CHANGE)
    return chosen


def _at(column: str, end: str) -> str:
    return c.COLUMNS[column].at(end)


RANKS_OF_ENDS = (_at(c.OOD_RANK, "first"), _at(c.OOD_RANK, "last"))
LABEL_COLUMNS = (
    c.TRAJECTORY_LABEL_RANK,
    c.TRAJECTORY_LABEL_SCORE,
    c.TRAJECTORY_SUGGESTED_LABEL,
    c.LABEL_RANK,
    c.LABEL_SCORE,
    c.SELF_CONFIDENCE,
    c.SUGGESTED_LABEL,
    c.LEARNT_AT,
    c.PREDICTION,
    c.CONFIDENCE,
)
COPY_COLUMNS = (c.DUPLICATE_GROUP, c.DUPLICATE_KIND, c.DUPLICATE_LABELS_DIFFER)
GROUP_COLUMNS = (c.GROUP, c.GROUP_SCORE, c.GROUP_RANK)
LEAK_COLUMNS = (c.LEAK_OF, c.LEAK_KIND, c.LEAK_LABEL)

LISTS.add(
    ListDefinition(
        "worst",
        "most atypical at a checkpoint",
        "Worst {count} of last (step {last})",
        "The {count} most atypical images at step {last}",
        select=lambda images: _ordered_by(images.last(c.OOD_PERCENTILE)),
        order=lambda images: images.last(c.OOD_RANK),
        reason=_why_outlier,
        words=words.of_last,
        strength=45,
        by_suspicion=True,
        size="first",
        columns=(c.OOD_RANK, c.OOD_SCORE, c.OOD_PERCENTILE),
        page_columns=(_at(c.OOD_RANK, "last"),),
        expected=_expected_atypical(c.OOD_PERCENTILE),
        short=True,
    )
)
LISTS.add(
    ListDefinition(
        "consensus",
        "most atypical over all checkpoints",
        "Worst {count} over all checkpoints",
        "The {count} images of the lowest mean percentile over all checkpoints",
        select=lambda images: _ordered_by(images.last(c.MEAN_PERCENTILE)),
        order=lambda images: images.last(c.CONSENSUS_RANK),
        reason=lambda images, row: "worst over all checkpoints",
        words=words.of_consensus,
        strength=40,
        by_suspicion=True,
        size="first",
        columns=(c.OOD_RANK, c.CONSENSUS_RANK, c.MEAN_PERCENTILE),
        page_columns=(c.CONSENSUS_RANK,),
        expected=_expected_atypical(c.MEAN_PERCENTILE),
        several=True,
    )
)
LISTS.add(
    ListDefinition(
        "labels",
        "labels that another class fits better, worst first",
        "Labels most likely wrong ({count})",
        "Of the {limit} labels that fit worst those that another class fits better",
        select=another_class_fits,
        order=lambda images: images.last(label_rank(images)),
        extend=lambda images: images.last(label_rank(images)) > 0,
        reason=why_label,
        words=words.of_label,
        strength=70,
        by_suspicion=True,
        size="first",
        columns=LABEL_COLUMNS,
        page_columns=(c.TRAJECTORY_LABEL_RANK,),
        needs=_needs_labels,
        expected=expected_wrong_labels,
        short=True,
        suggests="relabel",
    )
)
LISTS.add(
    ListDefinition(
        "groups",
        "groups of images that stand apart from all classes, group by group",
        "Groups that stand apart",
        "Images that lie together and far from every class, group by group, the largest first",
        select=in_group,
        order=group_by_group,
        reason=group_in_words,
        words=words.of_group,
        strength=75,
        columns=GROUP_COLUMNS,
        page_columns=(c.GROUP, c.GROUP_RANK),
        expected=_expected_in_groups,
        needs=lacks_scores,
        severity="high",
        suggests="remove",
        parts=parts_of,
    )
)
LISTS.add(
    ListDefinition(
        "apart",
        "images that stand apart from all classes with their neighbours, in no group",
        "Far from every class ({count})",
        "With their neighbours far from every class, or unclear to the model; in no group",
        select=apart_in_no_group,
        order=lambda images: images.last(c.GROUP_RANK),
        extend=lambda images: (images.last(c.GROUP_RANK) > 0) & ~in_group(images),
        reason=lambda images, row: "far from every class, with its neighbours",
        words=words.of_apart,
        strength=43,
        by_suspicion=True,
        size="first",
        columns=GROUP_COLUMNS,
        page_columns=(c.GROUP_RANK,),
        expected=_expected_atypical(c.GROUP_SCORE),
        needs=lacks_scores,
        surfaces=("page", "export"),
    )
)
LISTS.add(
    ListDefinition(
        "duplicates",
        "images that are there more than once, group by group",
        "Duplicates",
        "The same file or the same picture, group by group",
        select=_is_copy,
        order=lambda images: images.last(c.DUPLICATE_GROUP),
        reason=lambda images, row: f"{images.value(c.DUPLICATE_KIND, row)} duplicate",
        words=words.of_copy,
        strength=55,
        columns=COPY_COLUMNS,
        page_columns=(c.DUPLICATE_GROUP, c.DUPLICATE_KIND),
        suggests="duplicate",
    )
)
LISTS.add(
    ListDefinition(
        "duplicate-labels",
        "duplicates with different labels",
        "Duplicates with different labels",
        "One of the labels is wrong",
        select=lambda images: images.last(c.DUPLICATE_LABELS_DIFFER),
        order=lambda images: images.last(c.DUPLICATE_GROUP),
        reason=lambda images, row: "duplicate with another label",
        words=words.of_copy_with_another_label,
        strength=80,
        columns=COPY_COLUMNS,
        page_columns=(c.DUPLICATE_GROUP, c.DUPLICATE_LABELS_DIFFER),
        severity="high",
        suggests="relabel",
    )
)
LISTS.add(
    ListDefinition(
        "pictures",
        "poor pictures (--image-quality)",
        "Poor pictures",
        "Dark, light, blurry, oddly long, empty, or gray among colour (--image-quality)",
        select=_is_poor,
        order=lambda images: images.last(c.IMAGE_ISSUE_RANK),
        reason=lambda images, row: str(images.value(c.IMAGE_ISSUE, row)),
        words=words.of_picture,
        strength=50,
        columns=(c.IMAGE_ISSUE, c.IMAGE_ISSUE_RANK),
        page_columns=(c.IMAGE_ISSUE, c.IMAGE_ISSUE_RANK),
        needs=_needs_image_quality,
    )
)
LISTS.add(
    ListDefinition(
        "leaks",
        "images that stand in the other split too (--against)",
        "Leaks",
        "These images stand in the other split too (--against)",
        select=_is_leak,
        order=lambda images: images.leak_order(),
        reason=lambda images, row: (
            f"also row {images.value(c.LEAK_OF, row)} of {images.settings.against}"
        ),
        words=words.of_leak,
        strength=65,
        columns=LEAK_COLUMNS,
        page_columns=(c.LEAK_OF,),
        needs=_needs_another_split,
        severity="high",
        suggests="remove",
    )
)
LISTS.add(
    ListDefinition(
        "leak-labels",
        "leaks with different labels",
        "Leaks with different labels",
        "These images stand in the other split too, with another label: one of the two is wrong",
        select=lambda images: _is_leak(images) & (images.leak_order() == 0),
        order=lambda images: images.last(c.LEAK_OF),
        reason=lambda images, row: f"{images.text(c.LEAK_LABEL, row)} in the other split",
        words=words.of_leak,
        strength=90,
        columns=LEAK_COLUMNS,
        page_columns=(c.LEAK_OF, c.LEAK_LABEL),
        needs=_needs_another_split,
        severity="high",
        surfaces=("page", "export"),
        suggests="remove",
    )
)
LISTS.add(
    ListDefinition(
        "forgotten",
        "predicted right and then wrong again, more than once",
        "Forgotten most often ({count})",
        "Predicted right and then wrong again, more than once, from checkpoint to checkpoint",
        select=lambda images: images.last(c.FORGOTTEN) > 1,
        order=lambda images: -images.last(c.FORGOTTEN),
        reason=lambda images, row: f"forgotten {images.value(c.FORGOTTEN, row)} times",
        words=words.of_forgotten,
        strength=35,
        size="first",
        columns=(c.FORGOTTEN,),
        page_columns=(c.FORGOTTEN,),
        severity="low",
        surfaces=("page", "export"),
    )
)
LISTS.add(
    ListDefinition(
        "rank-changed",
        "decided about, and of another rank than in an earlier run",
        "Decided, and another rank than before",
        f"Decided images whose percentile changed by {RANK_CHANGE} points or more since the "
        f"earlier run",
        select=_rank_changed,
        order=lambda images: -abs(images.since),
        reason=lambda images, row: f"percentile changed by {images.since[row]:+.1f}",
        words=words.of_changed_rank,
        strength=30,
        columns=(c.OOD_PERCENTILE,),
        page_columns=(PERCENTILE_BEFORE, PERCENTILE_SINCE),
        severity="high",
        surfaces=("page",),
    )
)
LISTS.add(
    ListDefinition(
        "first",
        "most atypical at the first checkpoint",
        "Worst {count} of first (step {first})",
        "The {count} most atypical images at step {first}",
        select=lambda images: _ordered_by(images.first(c.OOD_PERCENTILE)),
        order=lambda images: images.first(c.OOD_RANK),
        reason=lambda images, row: f"worst at step {images.first_step}",
        words=words.of_first,
        strength=20,
        by_suspicion=True,
        size="first",
        columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        first_columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        page_columns=(_at(c.OOD_RANK, "first"),),
        short=True,
        surfaces=("page",),
    )
)
LISTS.add(
    ListDefinition(
        "persistent",
        "atypical at the first and at the last checkpoint",
        "Worst {limit} of both",
        "Among the {limit} most atypical images at step {first} and at step {last}",
        select=lambda images: (
            images.among_worst(images.first(c.OOD_PERCENTILE))
            & images.among_worst(images.last(c.OOD_PERCENTILE))
        ),
        order=lambda images: images.first(c.OOD_RANK) + images.last(c.OOD_RANK),
        reason=lambda images, row: f"worst at step {images.first_step} and {images.last_step}",
        words=words.of_both_ends,
        strength=42,
        by_suspicion=True,
        size="within",
        columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        first_columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        page_columns=RANKS_OF_ENDS,
        severity="high",
        short=True,
    )
)
LISTS.add(
    ListDefinition(
        "new",
        "atypical at the last checkpoint, not at the first",
        "New in last (step {last})",
        "Among the {limit} most atypical images at step {last} but not at step {first}",
        select=lambda images: (
            images.among_worst(images.last(c.OOD_PERCENTILE))
            & ~images.among_worst(images.first(c.OOD_PERCENTILE))
        ),
        order=lambda images: images.last(c.OOD_RANK),
        reason=lambda images, row: f"new {_between(images)}",
        words=words.of_new,
        strength=41,
        by_suspicion=True,
        size="within",
        columns=(c.OOD_RANK, c.OOD_PERCENTILE, c.OUTLIER_SINCE),
        first_columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        page_columns=RANKS_OF_ENDS,
    )
)
LISTS.add(
    ListDefinition(
        "resolved",
        "atypical at the first checkpoint, not at the last",
        "Resolved between step {first} and step {last}",
        "Among the {limit} most atypical images at step {first} but not any more at step {last}",
        select=lambda images: (
            images.among_worst(images.first(c.OOD_PERCENTILE))
            & ~images.among_worst(images.last(c.OOD_PERCENTILE))
        ),
        order=lambda images: images.first(c.OOD_RANK),
        reason=lambda images, row: f"resolved {_between(images)}",
        words=words.of_resolved,
        strength=25,
        size="within",
        columns=(c.OOD_RANK, c.OOD_PERCENTILE, c.OUTLIER_SINCE),
        first_columns=(c.OOD_RANK, c.OOD_PERCENTILE),
        page_columns=RANKS_OF_ENDS,
        severity="low",
    )
)
LISTS.add(
    ListDefinition(
        "movers",
        "moved furthest on the map between two checkpoints",
        "Biggest movers ({count})",
        "Moved furthest on the map between step {first} and step {last}",
        select=lambda images: images.moved() > 0,
        order=lambda images: -images.moved(),
        reason=lambda images, row: f"moved {images.moved()[row]:.2f} {_between(images)}",
        words=words.of_mover,
        strength=10,
        size="first",
        columns=(c.X, c.Y),
        first_columns=(c.X, c.Y),
        page_columns=(MOVED,),
        severity="low",
        surfaces=("page", "export"),
    )
)
LISTS.add(
    ListDefinition(
        "decided",
        "decided about",
        "Decided",
        "Images with a decision, the most atypical first",
        select=lambda images: images.decided,
        order=lambda images: images.last(c.OOD_RANK),
        reason=lambda images, row: f"decided: {images.decisions[row]}",
        columns=(c.OOD_RANK,),
        surfaces=("export",),  # the page's column shows what is decided there at once
    )
)
LISTS.add(
    ListDefinition(
        "disputed",
        "reviewers differ about them, and nobody has resolved that",
        "Disputed",
        "Reviewers differ; apply refuses them until they agree, or a third who sees it decides",
        select=lambda images: images.disputed,
        order=lambda images: images.last(c.OOD_RANK),
        reason=lambda images, row: images.disputes.get(row, ""),
        words=words.of_dispute,
        strength=100,
        columns=(c.OOD_RANK,),
        severity="high",
    )
)
