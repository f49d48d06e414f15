"""Says in words for people why an image is in a list: in ranks and percentiles, never in scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.definition import ListDefinition
from review_embeddings.review.lists.groups import group_in_words
from review_embeddings.review.lists.suggestion import better_class, judged_at, label_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.review.lists.candidates import Candidates

REGIME = 1
"""How telling it is as what a label was judged: it stands last."""

DISAGREEMENT = 60
"""How telling it is that the nearest images have another label (`ListDefinition.strength`)."""


def reasons(
    definitions: Iterable[ListDefinition],
    images: Candidates,
    row: int,
    others: Iterable[tuple[int, str]] = (),
) -> list[str]:
    """Why an image is in some lists, and ``others`` with their strength; the strongest first, each
    once."""
    found = [(one.strength, text) for one in definitions for text in one.why(images, row)]
    ordered = sorted([*found, *others], key=lambda reason: -reason[0])
    return list(dict.fromkeys(text for _, text in ordered))


def regime(images: Candidates, row: int) -> list[str]:
    """As what its label is scored, and how that is known."""
    if images.regime is None or label_rank(images) == c.LABEL_RANK:
        return []
    return [f"label judged as {images.regime.of_image(row)}"]


def disagreement(label: str | None, near: Iterable[str | None]) -> str | None:
    """That most of the nearest images have another label, given theirs; None where they have not,
    or nothing can be said."""
    known = [one for one in near if one is not None]
    others = [one for one in known if one != label]
    if label is None or 2 * len(others) <= len(known):
        return None
    most = max(others, key=others.count)
    count, differ = others.count(most), f"{len(others)} of {len(known)}"
    if 2 * count <= len(known):
        return f"disagrees with its neighbours: {differ} have other labels"
    return f"disagrees with its neighbours: {count} of {len(known)} are {most}"


def outlier_at(step: int | None, rank: int, total: int) -> str:
    """``outlier rank 3 of 10,000 at step 420``."""
    return f"outlier rank {rank:,} of {total:,} at step {step}"


def of_last(images: Candidates, row: int) -> list[str]:
    """Its rank as an outlier at the later checkpoint."""
    return [outlier_at(images.last_step, images.value(c.OOD_RANK, row), len(images))]


def of_first(images: Candidates, row: int) -> list[str]:
    """Its rank as an outlier at the earlier checkpoint."""
    return [outlier_at(images.first_step, int(images.first(c.OOD_RANK)[row]), len(images))]


def of_consensus(images: Candidates, row: int) -> list[str]:
    """Its rank as an outlier over all checkpoints."""
    rank = images.value(c.CONSENSUS_RANK, row)
    return [f"outlier rank {rank:,} of {len(images):,} over all checkpoints"]


def of_both_ends(images: Candidates, row: int) -> list[str]:
    """That it is an outlier at both checkpoints."""
    ends = f"an outlier at step {images.first_step} and at step {images.last_step}"
    return [ends, *of_last(images, row)]


def of_new(images: Candidates, row: int) -> list[str]:
    """Since when it is an outlier."""
    since = images.value(c.OUTLIER_SINCE, row)
    if since < 0:  # of these two checkpoints, not of all
        return [f"no outlier at step {images.first_step} yet"]
    return [f"new among the outliers since step {since}"]


def of_resolved(images: Candidates, row: int) -> list[str]:
    """Since when it is no outlier any more."""
    since = images.value(c.OUTLIER_SINCE, row)
    if since < 0:
        return [f"no outlier at step {images.last_step} any more"]
    return [f"no outlier any more since step {since}"]


def of_label(images: Candidates, row: int) -> list[str]:
    """What fits better than its label, and the rank of its label."""
    ranks = images.last(label_rank(images))
    rank = (
        f"label fits worst: rank {ranks[row]:,} of {int((ranks > 0).sum()):,} "
        f"{judged_at(images, row)}"
    )
    better, learnt_at = better_class(images, row), images.value(c.LEARNT_AT, row)
    if better is not None:
        return [better, rank]
    return [*([f"label fits since step {learnt_at} only"] if learnt_at > 0 else []), rank]


def of_copy(images: Candidates, row: int) -> list[str]:
    """Which image it is a copy of, or what its copies are."""
    rows = _group(images, row)
    first, others = rows[0], [f"#{images.ids[one]}" for one in rows if one != row]
    is_near = images.value(c.DUPLICATE_KIND, row) == "near"
    if row != first:
        return [f"{'near ' if is_near else ''}copy of #{images.ids[first]}"]
    count = "a copy" if len(others) == 1 else f"{len(others)} copies"
    return [f"has {count}: {', '.join(others[:3])}{' …' if len(others) > 3 else ''}"]


def of_copy_with_another_label(images: Candidates, row: int) -> list[str]:
    """Which of its copies has which other label."""
    labels = images.labels
    other = next((one for one in _group(images, row) if labels[one] != labels[row]), None)
    if other is None:
        return ["its copies have different labels"]
    return [f"its copy #{images.ids[other]} has another label: {labels[other] or 'none'}"]


def _group(images: Candidates, row: int) -> NDArray[Any]:
    """The rows of an image and its copies, ascending."""
    groups = images.last(c.DUPLICATE_GROUP)
    rows: NDArray[Any] = (groups == groups[row]).nonzero()[0]
    return rows


def of_group(images: Candidates, row: int) -> list[str]:
    """Of which group it is, and how far it stands apart."""
    return [group_in_words(images, row), *of_apart(images, row)]


def of_apart(images: Candidates, row: int) -> list[str]:
    """Its rank by how far it and its nearest images stand apart."""
    rank = images.value(c.GROUP_RANK, row)
    return [f"far from every class, with its neighbours: rank {rank:,} of {len(images):,}"]


def of_leak(images: Candidates, row: int) -> list[str]:
    """Where it stands in the other split, and as what."""
    label = images.text(c.LEAK_LABEL, row)
    what = "also" if images.value(c.LEAK_KIND, row) == "exact" else "nearly the same"
    as_label = f" as {label}" if label and label != images.labels[row] else ""
    other = images.value(c.LEAK_OF, row)
    return [f"{what} in {images.settings.against}{as_label} (#{other})"]


def of_picture(images: Candidates, row: int) -> list[str]:
    """What is wrong with the picture."""
    return [str(images.value(c.IMAGE_ISSUE, row)).replace("_", " ")]


def of_forgotten(images: Candidates, row: int) -> list[str]:
    """How often it was forgotten."""
    return [f"forgotten {images.value(c.FORGOTTEN, row)} times"]


def of_changed_rank(images: Candidates, row: int) -> list[str]:
    """Its percentile now and in the earlier run."""
    now = float(images.value(c.OOD_PERCENTILE, row))
    before = now - float(images.since[row])
    return [f"outlier percentile {now:.1f}, in the earlier run {before:.1f}"]


def of_mover(images: Candidates, row: int) -> list[str]:
    """Its rank by the way that it went on the map."""
    moved = images.moved()
    rank = int((moved > moved[row]).sum()) + 1
    return [f"moved on the map: rank {rank:,} of {len(images):,}"]


def of_dispute(images: Candidates, row: int) -> list[str]:
    """Who decided what; nothing where that is not known."""
    return [images.disputes[row]] if row in images.disputes else []
