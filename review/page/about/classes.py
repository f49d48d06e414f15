"""What the class view of a page draws: the predictions of its images at a checkpoint of a run, and
how well each class is told at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from review_embeddings.review.page.shownrun import ShownRun


def predictions_at(shown: ShownRun, step: int, classes: Sequence[str]) -> bytes:
    """The predicted class of each image of the page, as little-endian int32: its index among the
    ``classes``, by name, -1 for another one or none. Raises SettingsError for a checkpoint that
    there is not."""
    index = {name: at for at, name in enumerate(classes)}
    known = [index.get(name, -1) for name in shown.manifest.prediction_classes or []]
    codes = shown.predictions[shown.number_of(step)]
    found: bytes = np.array([*known, -1])[codes].astype("<i4").tobytes()
    return found


def accuracy_of(shown: ShownRun, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """Of each class at each checkpoint, as JSON: ``accuracy`` by step and then by
    class, None where it is not known. ``classes`` are by default those of the run. Of all of its
    images, also where the page shows some."""
    classes = (shown.images.classes or []) if classes is None else classes
    index = {name: at for at, name in enumerate(shown.images.classes or [])}
    at = [index.get(name, -1) for name in classes]
    values = np.pad(shown.accuracy, ((0, 0), (0, 1)), constant_values=np.nan)[:, at]
    return {
        "steps": shown.steps,
        "classes": list(classes),
        "accuracy": [
            [None if one != one else one for one in row] for row in np.round(values, 4).tolist()
        ],
    }
