"""The order of a list by the gain to be expected of a decision: the probability that an image is
really wrong times how many images one decision about it settles."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.gain import by_gain
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.definition import ListDefinition
from review_embeddings.review.lists.outlook import FIRST, verdict

GROUPS = "groups"
"""The list whose columns say which images are a group."""


def in_order_of_gain(
    definition: ListDefinition, images: RunImages, candidates: Candidates, rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The rows of a list, the most suspicious first, in that order; ``candidates`` know the columns
    of the groups too."""
    verdicts = np.array([verdict(candidates.decisions[row]) for row in rows], dtype=np.int8)
    settles = settled_by(definition, images, candidates)[rows]
    expectation = definition.expected(candidates, min(FIRST, len(rows)))
    expected = None if expectation is None else expectation.real
    return rows[by_gain(verdicts, settles, expected)]


def settled_by(
    definition: ListDefinition, images: RunImages, candidates: Candidates
) -> NDArray[np.int64]:
    """How many images a decision about each settles, shape (N,): its exact copies and, unless the
    list is about labels, its group."""
    copies = Counter(images.hashes)
    settles = np.array([copies[image] for image in images.hashes], dtype=np.int64)
    if definition.suggests == "relabel":
        return settles
    groups = candidates.last(c.GROUP).astype(np.int64)
    names, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    found: NDArray[np.int64] = np.maximum(settles, np.where(names < 0, 1, sizes)[members])
    return found
