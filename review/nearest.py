"""The nearest images of one image in the whole embedding, at the first and the last checkpoint, whatever a 2-D map says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import table
from pipeline.errors import RunError, SettingsError
from pipeline.runfolder import RunFolder

SHOWN = 8
"""Neighbours of each checkpoint."""


def nearest_images(run: RunFolder | Path, row: int, steps: tuple[int, ...]) -> list[dict[str, Any]]:
    """For each of the ``steps`` that the run's table has: the step, and rows and distances of the nearest images, nearest first.

    Raises SettingsError for a row that is none, RunError where the run has no table.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(run)
    manifest = table.read_manifest(folder)
    if manifest is None:
        raise RunError(f"Run {folder.path} has no table yet. Run: review-embeddings build --run {folder.path}")
    found = []
    for step in dict.fromkeys(step for step in steps if step in manifest.steps):
        neighbors, distances = (folder.read_array(name, step) for name in ("neighbors", "distances"))
        if not 0 <= row < len(neighbors):
            raise SettingsError(f"There is no image in row {row}.")
        found.append({"step": step, "rows": neighbors[row, :SHOWN].tolist(), "distances": distances[row, :SHOWN].astype(float).tolist()})
    return found
