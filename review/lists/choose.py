"""Chooses the images of a list from the candidates, for the page, an export or the summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.lists.candidates import Candidates, first_of
from review_embeddings.review.lists.definition import ImageList, ListDefinition, lists_of
from review_embeddings.review.lists.outlook import FIRST

SHORT = 8
"""Length of a short list: one row of images in the inspector, as in the published example."""


def offered(definition: ListDefinition, candidates: Candidates) -> bool:
    """Whether the run has what a list is about."""
    if definition.between and candidates.early is None:
        return False
    if definition.several and not candidates.several:
        return False
    return not definition.needs(candidates)


def choose(
    definition: ListDefinition,
    candidates: Candidates,
    *,
    limit: int | None = None,
    top: int | None = None,
    per_class: bool = False,
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Rows of the images of a list, in its order.

    ``limit`` cuts a list of the first ones, or says among how many of the worst the images are (by
    default as many as count as outliers). With ``top`` somebody asks for a number, and gets it as
    far as there are images for it; with ``per_class`` numbers are of each class. ``among``, shape
    (N,), says which images may be taken.
    """
    number = top or limit or candidates.worst
    if definition.size == "within":
        candidates = replace(candidates, outliers=number, per_class=per_class)
    members = definition.select(candidates)
    if top is not None and definition.extend is not None:
        members = members | definition.extend(candidates)
    if among is not None:
        members = members & among
    rows = np.flatnonzero(members)
    rows = rows[np.argsort(definition.order(candidates)[rows], kind="stable")]
    if definition.size == "within" or (definition.size == "all" and top is None):
        return rows
    return first_of(rows, number, candidates.labels if per_class else None)


def ready_made_lists(candidates: Candidates) -> list[ImageList]:
    """The lists of the page; empty ones are left out, and short ones that are not shorter."""
    return [made for one in lists_of("page") for made in _of_page(one, candidates)]


def _of_page(definition: ListDefinition, candidates: Candidates) -> Iterator[ImageList]:
    if not offered(definition, candidates):
        return
    worst = candidates.worst
    whole = made_list(definition, candidates, worst)
    short = made_list(definition, candidates, SHORT)
    if definition.short and worst > SHORT and short.rows and short.rows != whole.rows:
        yield replace(short, severity="high", key="")
    if whole.rows:
        alone = definition.short and worst <= SHORT
        yield replace(whole, severity="high") if alone else whole
    yield from _parts(definition, candidates, whole)


def _parts(
    definition: ListDefinition, candidates: Candidates, whole: ImageList
) -> Iterator[ImageList]:
    """A list for each part of another."""
    for part in () if definition.parts is None else definition.parts(candidates):
        yield replace(
            whole,
            key=f"{definition.key}-{part.key}",
            title=part.title,
            rows=part.rows,
            description=part.description,
            medoid=part.row,
            expected=_of_part(whole, len(part.rows)),
            section=whole.title,
        )


def _of_part(whole: ImageList, size: int) -> float | None:
    """How many of the first images of a part are expected to be real: the share of the whole."""
    if whole.expected is None:
        return None
    return whole.expected / min(FIRST, len(whole.rows)) * min(FIRST, size)


def made_list(definition: ListDefinition, candidates: Candidates, limit: int) -> ImageList:
    """A list with its texts."""
    rows = choose(definition, candidates, limit=limit).tolist()
    values = {
        "count": f"{len(rows):,}",
        "limit": f"{limit:,}",
        "first": candidates.first_step,
        "last": candidates.last_step,
    }
    expectation = definition.expected(candidates, min(FIRST, len(rows)))
    return ImageList(
        definition.title.format(**values),
        rows,
        definition.severity,
        list(definition.page_columns),
        definition.description.format(**values),
        definition.key,
        definition.suggests,
        expected=None if expectation is None else expectation.real,
        unestimated="" if expectation is None else expectation.why,
        by_suspicion=definition.by_suspicion,
    )
