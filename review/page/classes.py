"""What the class view of a page draws: the predictions of its images at a checkpoint, and how well
each class is told at all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.review.page.shownrun import ShownRun
from review_embeddings.review.page.slider import BUILT_ANEW


def predictions_at(shown: ShownRun, step: int, fingerprint: str) -> bytes:
    """The predicted class of each image of the page, as little-endian int32: its index among those
    of the data set, -1 for another one or none.

    Raises RunError for a page of another table than the one with this fingerprint, SettingsError
    for a checkpoint that it has not.
    """
    if shown.manifest.fingerprint != fingerprint:
        raise RunError(BUILT_ANEW)
    if step not in shown.steps:
        raise SettingsError(f"There is no checkpoint {step}.")
    codes = shown.predictions[shown.steps.index(step)]
    return np.where(codes < len(shown.images.classes or []), codes, -1).astype("<i4").tobytes()


def accuracy_of(shown: ShownRun) -> dict[str, Any]:
    """Of each class at each checkpoint, as JSON: ``accuracy`` by step and then by class, None where
    it is not known. Of all images of the run, also where the page shows a sample."""
    return {
        "steps": shown.steps,
        "classes": shown.images.classes or [],
        "accuracy": [
            [None if one != one else one for one in row]
            for row in np.round(shown.accuracy, 4).tolist()
        ],
    }
