"""A kind of map of somebody's own: coordinates along two random directions, the same each time."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.mapkinds import MAP_KINDS, MapKind
from review_embeddings.pipeline.analysis.project import Projection


def random_projection(embeddings: NDArray[np.floating]) -> Projection:
    """The embeddings, shape (N, D), along two directions drawn with a fixed seed; centred on 0."""
    axes = np.random.default_rng(0).normal(size=(embeddings.shape[1], 2))
    points = np.asarray(embeddings, dtype=np.float64) @ axes
    return Projection(points - points.mean(axis=0), None)


KIND = MapKind("random", random_projection, "two random directions of each checkpoint")


def registered_here() -> AbstractContextManager[MapKind]:
    """Known within the context."""
    return MAP_KINDS.registered(KIND)
