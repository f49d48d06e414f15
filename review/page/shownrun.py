"""Reads once what the cards of a page need of its run: compact columns of all checkpoints, and the
larger arrays opened, so that one image costs no more than a few rows.

Whatever is read is checked by its checksum. It counts for one table: one that was made anew is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.labels import shares_of
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.errors import OtherTableError, RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Settings
from review_embeddings.pipeline.stages.heads import Likelihoods, stored_probabilities
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.page.frame import SLIDER
from review_embeddings.review.page.shownas import BUILT_ANEW, fingerprint_in

NUMBERS = (
    c.X,
    c.Y,
    c.OOD_SCORE,
    c.OOD_RANK,
    c.OOD_PERCENTILE,
    c.SELF_CONFIDENCE,
    c.CONFIDENCE,
)
"""Columns of every checkpoint that are kept as they are."""


@dataclass(frozen=True)
class ShownRun:
    """The images of a page at all checkpoints of its run's table."""

    folder: RunFolder
    name: str
    """Of the table that the page shows."""
    manifest: table.Manifest
    settings: Settings
    images: RunImages
    """Of the whole run."""
    positions: NDArray[np.int64]
    """Rows of the run's arrays that the page shows, by row of the page."""
    numbers: Mapping[str, NDArray[Any]]
    """Column name -> shape (checkpoints, rows of the page)."""
    predictions: NDArray[np.int32]
    """Shape (checkpoints, rows of the page): index into the prediction classes; -1 for none."""
    accuracy: NDArray[np.float64]
    """Shape (checkpoints, classes): share of the images of a class in the whole run whose label is
    predicted; NaN where there are none, or no predictions."""
    probabilities: tuple[Likelihoods | None, ...]
    """By which labels are judged, one a checkpoint; None where the nearest images judge them."""
    neighbors: tuple[NDArray[Any], ...]
    """Shape (N, k) each: rows of the run."""
    distances: tuple[NDArray[Any], ...]
    """Shape (N, k) each: of these."""

    @property
    def steps(self) -> list[int]:
        return self.manifest.steps

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """Shape (N,): class index, -1 without one."""
        labels = self.images.labels
        return np.full(len(self.images), -1, np.int32) if labels is None else labels

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Shape (N,): row of the page, -1 for an image that it does not show."""
        rows = np.full(len(self.images), -1, np.intp)
        rows[self.positions] = np.arange(len(self.positions))
        return rows

    def rows_of(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
        """The rows of the page that show some images of the run; -1 for those that none shows."""
        rows: NDArray[np.intp] = self._rows[positions]
        return rows

    def check(self) -> None:
        """Raise OtherTableError where the run has another table now than the one that was read."""
        manifest = table.read_manifest(self.folder)
        if manifest is None or manifest.fingerprint != self.manifest.fingerprint:
            raise OtherTableError(BUILT_ANEW)

    def number_of(self, step: int) -> int:
        """Which checkpoint it is. Raises SettingsError for one that there is not."""
        if step not in self.steps:
            raise SettingsError(f"There is no checkpoint {step}.")
        return self.steps.index(step)

    def values_at(self, step: int) -> bytes:
        """The columns `SLIDER` of a checkpoint, one after the other, as little-endian float32, by
        row of the page. Raises SettingsError for a checkpoint that there is not."""
        at = self.number_of(step)
        return np.stack([self.numbers[name][at] for name in SLIDER]).astype("<f4").tobytes()

    def position_of(self, row: int) -> int:
        """The row of the run's arrays. Raises SettingsError for a row that the page has not."""
        if not 0 <= row < len(self.positions):
            raise SettingsError(f"There is no image in row {row}.")
        return int(self.positions[row])

    def label_of(self, position: int) -> str | None:
        """The given label of an image."""
        code = int(self.labels[position])
        return None if code < 0 or self.images.classes is None else self.images.classes[code]

    def judged(self, at: int, position: int) -> ClassProbabilities:
        """What an image is by that by which labels are judged, at a checkpoint by its number; of
        data with labels."""
        stored = self.probabilities[at]
        if stored is not None:
            return stored.of(slice(position, position + 1))
        near = self.labels[self.neighbors[at][position : position + 1]]
        return ClassProbabilities.of_shares(shares_of(near, len(self.images.classes or [])))


def read_shown(folder: RunFolder, name: str, positions: NDArray[np.int64] | None) -> ShownRun:
    """Read it for a page of the table with this name. Raises OtherTableError where that is not the
    one of the run any more."""
    manifest, images, info = table.read_manifest(folder), read_images(folder), folder.read_info()
    if manifest is None or images is None or info is None:
        raise RunError(f"{folder} is not there any more as it was. Bring it back.")
    if manifest.fingerprint != fingerprint_in(name):
        raise OtherTableError(BUILT_ANEW)
    chosen = np.arange(len(images)) if positions is None else positions
    numbers: dict[str, list[NDArray[Any]]] = {name: [] for name in NUMBERS}
    predictions, accuracy = [], []
    for _, part in table.iterate(folder, columns=[*NUMBERS, c.PREDICTION]):
        for column, values in numbers.items():
            values.append(part[column].to_numpy()[chosen])
        codes = np.array(part[c.PREDICTION].cat.codes, dtype=np.int32)
        predictions.append(codes[chosen])
        accuracy.append(_class_accuracy(images, codes))
    return ShownRun(
        folder,
        name,
        manifest,
        info.settings,
        images,
        chosen,
        {name: np.stack(values) for name, values in numbers.items()},
        np.stack(predictions),
        np.stack(accuracy),
        tuple(_probabilities(folder, images, info.settings, step) for step in manifest.steps),
        *(
            tuple(folder.read_array(array, step) for step in manifest.steps)
            for array in ("neighbors", "distances")
        ),
    )


def _probabilities(
    folder: RunFolder, images: RunImages, settings: Settings, step: int
) -> Likelihoods | None:
    if images.classes is None:
        return None
    return stored_probabilities(folder, images, settings.cross_validate, step)


def _class_accuracy(images: RunImages, predictions: NDArray[np.int32]) -> NDArray[np.float64]:
    """Share of the images of each class whose label is predicted, shape (classes,); NaN where there
    are none, or no predictions. ``predictions``, shape (N,): class index, -1 for none."""
    count, labels = len(images.classes or []), images.labels
    if labels is None or not (predictions >= 0).any():
        return np.full(count, np.nan)
    known = labels >= 0
    total = np.bincount(labels[known], minlength=count)
    right = np.bincount(labels[known & (labels == predictions)], minlength=count)
    with np.errstate(invalid="ignore"):
        return np.asarray(right / total)
