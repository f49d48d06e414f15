"""What the page's slider asks for: the map and the scores of one checkpoint, read from the table
when somebody goes there.

They are no columns of the page, because Spotlight works out statistics and colours of all its
columns with every click.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c

BUILT_ANEW = "The run was built anew since this page was opened. Start the same command again."
"""Why a page that is older than its run gets no values."""

SHOWN = (c.X, c.Y, c.OOD_SCORE)
"""Columns of the long table behind the page's ``x_now``, ``y_now`` and ``ood_now``."""


def values_at(
    run: Path, step: int, fingerprint: str, positions: NDArray[np.int64] | None = None
) -> bytes:
    """The columns `SHOWN` of a checkpoint, one after the other, as little-endian float32, in image
    order; of some ``positions`` only.

    Raises RunError where the run's table is not the one with this fingerprint any more,
    SettingsError for a checkpoint it has not.
    """
    folder = RunFolder(run)
    manifest = table.read_manifest(folder)
    if manifest is None or manifest.fingerprint != fingerprint:
        raise RunError(BUILT_ANEW)
    if step not in manifest.steps:
        raise SettingsError(f"There is no checkpoint {step}.")
    part = table.read(folder, checkpoints=[step], columns=list(SHOWN))
    values = np.stack([part[name].to_numpy() for name in SHOWN]).astype("<f4")
    return (values if positions is None else values[:, positions]).tobytes()
