"""Says how the maps of a film lie: as in the table, or each turned onto the next one; and how far
they then are turned against the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.project import RANGE, turn_onto_next
from review_embeddings.review.animation.options import AS_TABLE

VISIBLE = RANGE / 1000
"""Points that are less far from where the table has them stand on the same pixel."""


def film_maps(
    maps: NDArray[np.float32], align: str, *, shared_basis: bool
) -> tuple[NDArray[np.float32], list[str]]:
    """The coordinates that a film shows, shape (K, N, 2), of those of the table; and of each
    checkpoint what sets them apart from the table's, for people: empty where nothing does.

    Maps that stand in one basis are never turned.
    """
    if align == AS_TABLE or shared_basis:
        return maps, [""] * len(maps)
    turned = turn_onto_next(maps).astype(np.float32)
    return turned, [turned_by(ours, table) for ours, table in zip(turned, maps, strict=True)]


def turned_by(shown: NDArray[np.floating], table: NDArray[np.floating]) -> str:
    """How a map of shape (N, 2) is turned or mirrored against that of the table, for people; empty
    where that cannot be seen."""
    from scipy.linalg import orthogonal_procrustes

    if float(np.abs(shown - table).max(initial=0.0)) < VISIBLE:
        return ""
    rotation, _ = orthogonal_procrustes(np.asarray(table, np.float64), shown)
    if np.linalg.det(rotation) < 0:
        return "mirrored against the table"
    degrees = abs(float(np.degrees(np.arctan2(rotation[0, 1], rotation[0, 0]))))
    return f"turned {degrees:.{0 if degrees >= 0.95 else 1}f}° against the table"
