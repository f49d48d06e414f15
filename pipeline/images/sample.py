"""Draws a seeded sample of a data set, balanced over its classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balanced_sample(
    labels: NDArray[np.int32] | None, total: int, limit: int | None, seed: int
) -> NDArray[np.int64]:
    """Row numbers, ascending, of a seeded sample with as equal a number of images from each class
    as there are.

    Rows without a label count as a class of their own. All rows where ``limit`` is None or not
    smaller than ``total``.
    """
    if limit is None or limit >= total:
        return np.arange(total, dtype=np.int64)
    generator = np.random.default_rng(seed)
    if labels is None:
        return np.sort(generator.choice(total, size=limit, replace=False)).astype(np.int64)
    shuffled = generator.permutation(total)
    # The position of a row among the shuffled rows of its class: taking by that position first
    # takes one of each class in turn.
    position = np.empty(total, dtype=np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        position[members] = np.arange(len(members))
    order = shuffled[np.argsort(position[shuffled], kind="stable")]
    return np.sort(order[:limit]).astype(np.int64)
