"""What the class view of a page draws: the predictions of its images at a checkpoint, and how well
each class is told at all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from review_embeddings.review.page.shownrun import ShownRun


def predictions_at(shown: ShownRun, step: int) -> bytes:
    """The predicted class of each image of the page, as little-endian int32: its index among those
    of the data set, -1 for another one or none. Raises SettingsError for a checkpoint that there is
    not."""
    codes = shown.predictions[shown.number_of(step)]
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
