"""The nearest images of one image in the whole embedding, at the first and the last checkpoint,
whatever a 2-D map says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run.folder import RunFolder

SHOWN = 8
"""Neighbours of each checkpoint."""


def nearest_images(
    run: RunFolder | Path,
    row: int,
    steps: tuple[int, ...],
    positions: NDArray[np.int64] | None = None,
) -> list[dict[str, Any]]:
    """For each of the ``steps`` that the run's table has: the step, and rows and distances of the
    nearest images, nearest first.

    Where the page shows some ``positions`` only, rows are those of the page, and images that it
    does not show are left out. Raises SettingsError for a row that is none, RunError where the run
    has no table.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(run)
    manifest = table.read_manifest(folder)
    if manifest is None:
        raise RunError(
            f"Run {folder} has no table yet. Run: review-embeddings build --run {folder}"
        )
    found = []
    for step in dict.fromkeys(step for step in steps if step in manifest.steps):
        neighbors, distances = (
            folder.read_array(name, step) for name in ("neighbors", "distances")
        )
        if not 0 <= row < (len(neighbors) if positions is None else len(positions)):
            raise SettingsError(f"There is no image in row {row}.")
        near, far = (
            np.asarray(values[row if positions is None else positions[row]])
            for values in (neighbors, distances)
        )
        if positions is not None:
            at = np.searchsorted(positions, near).clip(max=len(positions) - 1)
            shown = positions[at] == near
            near, far = at[shown], far[shown]
        found.append(
            {
                "step": step,
                "rows": near[:SHOWN].tolist(),
                "distances": far[:SHOWN].astype(float).tolist(),
            }
        )
    return found
