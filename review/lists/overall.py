"""Names the class that fits an image best over all checkpoints of a table: by the two witnesses
that judge its label over all of them. Reads single images of the stored arrays, when it is
asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.trajectories import both_witnesses, weight_of
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.heads import StoredProbabilities, stored_probabilities


@dataclass(frozen=True)
class OverallFit:
    """What all checkpoints together say of the classes of an image."""

    run: RunFolder
    images: RunImages
    manifest: table.Manifest
    folds: int
    """Of a cross-validation, 0 without."""

    def best_class(self, row: int) -> str | None:
        """The class that fits an image best; None for data without labels, and where the arrays are
        not there."""
        classes = self.images.classes
        if not classes or self.images.labels is None or not self._witnesses:
            return None
        some = slice(row, row + 1)
        total = np.zeros(len(classes))
        for weight, stored, neighbors in self._witnesses:
            likely = None if stored is None else stored.of(some)
            shares = likely.shares if likely is not None and likely.one_label else None
            near = self.images.labels[neighbors[some]]
            total += weight * both_witnesses(near, shares, len(classes))[0]
        return classes[int(total.argmax())]

    @cached_property
    def _witnesses(self) -> list[tuple[float, StoredProbabilities | None, NDArray[Any]]]:
        """How much each checkpoint counts, its probabilities and its neighbours, opened."""
        stages, steps = ("embeddings", "neighbors"), self.manifest.steps
        if any(self.run.result_metadata(stage, step) is None for stage in stages for step in steps):
            return []
        count = len(self.images.classes or [])
        weights = [
            1.0 if one.matched is None else weight_of(one.matched, count)
            for one in self.manifest.checkpoints
        ]
        weights = weights if any(weights) else [1.0] * len(weights)
        return [
            (
                weight,
                stored_probabilities(self.run, self.images, self.folds, step),
                self.run.read_array("neighbors", step),
            )
            for weight, step in zip(weights, steps, strict=True)
        ]
