"""Groups of images that stand apart, as lists show them: their images, what their labels claim, and
the name by which people know them. Which images belong together is decided in the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.definition import ListPart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.review.lists.candidates import Candidates

WORTH_A_LOOK = 6
"""Group score above which an image is worth a look."""

LABELS_SHOWN = 3


def in_group(images: Candidates) -> NDArray[Any]:
    """Which images belong to a group, shape (N,)."""
    chosen: NDArray[Any] = images.last(c.GROUP) >= 0
    return chosen


def apart_in_no_group(images: Candidates) -> NDArray[Any]:
    """Which images stand apart and belong to none, shape (N,)."""
    chosen: NDArray[Any] = (images.last(c.GROUP_SCORE) > WORTH_A_LOOK) & ~in_group(images)
    return chosen


def group_by_group(images: Candidates) -> NDArray[Any]:
    """The order of the images of groups, shape (N,): the largest group first, in each the images
    that stand apart most."""
    import numpy as np

    groups = images.last(c.GROUP)
    names, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.lexsort((images.last(c.GROUP_RANK), names[members], -sizes[members]))
    position = np.empty(len(groups), dtype=np.int64)
    position[order] = np.arange(len(groups))
    return position


def parts_of(images: Candidates) -> Iterator[ListPart]:
    """Each group as a list of its own, the largest first."""
    rows = in_group(images).nonzero()[0]
    rows = rows[group_by_group(images)[rows].argsort(kind="stable")]
    groups = images.last(c.GROUP)[rows]
    for name in dict.fromkeys(groups.tolist()):
        members = rows[groups == name].tolist()
        claims = _claims(images, members)
        count = f"{len(members):,} images that stand apart together"
        yield ListPart(
            str(name),
            f"Group of #{name}",
            members,
            f"{count}; {claims}" if claims else count,
            images.row_of(name),
        )


def groups_in_words(images: Candidates) -> str:
    """How many groups the run has, or why none is listed."""
    if lacks_scores(images):
        return f"not computed. Run: {images.build_command()}"
    groups = images.last(c.GROUP)
    count, members = len(set(groups[groups >= 0].tolist())), int((groups >= 0).sum())
    if not count:
        return "no group stands apart"
    return f"{count:,} stand{'s' * (count == 1)} apart, {members:,} images in all"


def lacks_scores(images: Candidates) -> str:
    """What a run without group scores needs for them; empty with them."""
    if (images.last(c.GROUP_RANK) > 0).any():
        return ""
    return f"needs scores that this run has not. Run: {images.build_command()}"


def group_in_words(images: Candidates, row: int) -> str:
    """Of which group the image in a row is one."""
    groups = images.last(c.GROUP)
    members = (groups == groups[row]).nonzero()[0].tolist()
    claims = _claims(images, members)
    what = f"one of a group of {len(members):,} that stand apart"
    return f"{what}; {claims}" if claims else what


def _claims(images: Candidates, rows: list[int]) -> str:
    """``labels: cat (20), dog (18), …``; empty without labels."""
    counts = Counter(images.labels[row] for row in rows)
    named = [(name, count) for name, count in counts.items() if name is not None]
    named.sort(key=lambda one: (-one[1], one[0]))
    shown = [f"{name} ({count:,})" for name, count in named[:LABELS_SHOWN]]
    more = ["…"] if len(named) > LABELS_SHOWN else []
    return f"labels: {', '.join([*shown, *more])}" if shown else ""
