"""Images before and after a training: what the first and the last checkpoint take them for, and
the image that is nearest to them at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

PAIRS = 3
"""Images that are shown before and after."""

COLUMNS = ("image_id", "prediction", "confidence")


@dataclass(frozen=True)
class End:
    """An image at the first or the last checkpoint."""

    prediction: str
    confidence: float
    """The probability of that, in [0, 1]; NaN without a head."""
    nearest: int | None
    """Index of the image whose embedding is nearest; None where that was not stored."""


@dataclass(frozen=True)
class ChangedImage:
    """One image before and after the training."""

    image: int
    """Its index."""
    before: End
    after: End

    @property
    def images(self) -> list[int]:
        """Indices of all images that are shown."""
        nearest = [end.nearest for end in (self.before, self.after)]
        return [self.image, *(image for image in nearest if image is not None)]


def read_pairs(run: RunFolder, steps: Sequence[int], images: RunImages) -> tuple[ChangedImage, ...]:
    """The images that the training changed most plainly; none where it predicts nothing, or there
    is one checkpoint only."""
    if len(steps) < 2:
        return ()
    ends = [steps[0], steps[-1]]
    parts = [part for _, part in table.iterate(run, checkpoints=ends, columns=COLUMNS)]
    predictions = [_names(part) for part in parts]
    confidences = [_confidences(part) for part in parts]
    near = [_nearest(run, step) for step in ends]
    pairs = []
    chosen = choose_pairs(
        predictions[0], predictions[1], confidences[0], confidences[1], _labels(images)
    )
    for image in chosen:
        before, after = (
            End(
                str(predictions[end][image]),
                float(confidences[end][image]),
                None if nearest is None else int(nearest[image, 0]),
            )
            for end, nearest in enumerate(near)
        )
        pairs.append(ChangedImage(image, before, after))
    return tuple(pairs)


def choose_pairs(
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    sure_before: NDArray[np.float64],
    sure_after: NDArray[np.float64],
    labels: NDArray[np.str_] | None,
) -> list[int]:
    """Indices of up to `PAIRS` images whose predicted class changed, to the label where there are
    labels; those first of which both checkpoints are surest, each of another class.

    All of shape (N,): predicted classes, "" without, their probabilities in [0, 1], and labels.
    """
    changed = (before != "") & (after != "") & (before != after)
    if labels is not None:
        changed &= after == labels
    sure = np.minimum(np.nan_to_num(sure_before), np.nan_to_num(sure_after))
    order = np.flatnonzero(changed)[np.argsort(-sure[changed], kind="stable")].tolist()
    others: dict[str, int] = {}
    for image in order:
        others.setdefault(str(after[image]), image)
    distinct = list(others.values())
    return [*distinct, *(image for image in order if image not in distinct)][:PAIRS]


def shown_images(leaders: NDArray[np.int64], pairs: Sequence[ChangedImage]) -> list[int]:
    """Indices of all images of which the film shows a picture, ascending."""
    more = [image for pair in pairs for image in pair.images]
    return sorted({*np.unique(leaders).tolist(), *more})


def _names(part: pd.DataFrame) -> NDArray[np.str_]:
    values = part["prediction"].astype(object)
    return np.array(["" if value != value else str(value) for value in values], dtype=np.str_)


def _confidences(part: pd.DataFrame) -> NDArray[np.float64]:
    return part["confidence"].to_numpy(dtype=np.float64, na_value=np.nan)


def _labels(images: RunImages) -> NDArray[np.str_] | None:
    """Names, "" without one; None where no image has one."""
    labels = images.labels
    if labels is None or not (labels >= 0).any():
        return None
    names = np.array([*(images.classes or []), ""], dtype=np.str_)
    return names[np.where(labels >= 0, labels, len(names) - 1)]


def _nearest(run: RunFolder, step: int) -> NDArray[np.integer] | None:
    """Shape (N, k): the images nearest to each, the nearest first; None where they are not
    stored."""
    try:
        neighbors = run.read_array("neighbors", step)
    except (ReviewError, OSError):  # a table without them makes a film too
        return None
    return neighbors if neighbors.ndim == 2 and neighbors.shape[1] else None
