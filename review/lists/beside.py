"""What several runs say of the same images, for the lists that are about runs beside each other.

The first run is A, the others B, C and so on; an image is wrong in a run where the run's prediction
is not the label of A: one yardstick for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.lists.derived import LETTERS


@dataclass(frozen=True)
class RunsBeside:
    """K runs on the N images of the first one. What is not known of an image that not all of them
    have is -1 or NaN."""

    common: NDArray[np.bool_]
    """Shape (N,): which images all runs have."""
    classes: tuple[str, ...]
    """The names of all classes of all runs, those of the first one's labels first."""
    labels: NDArray[np.int64]
    """Shape (K, N): index of the label in each run; -1 without one."""
    predictions: NDArray[np.int64]
    """Shape (K, N): index of the predicted class; -1 without a head."""
    confidence: NDArray[np.float64]
    """Shape (K, N): its probability, in [0, 1]; NaN without a head."""
    disagreement: NDArray[np.float64]
    """Shape (N,): how much the runs' probabilities disagree (`pairs.disagreement`), in [0, 1],
    higher is more; NaN where not all have a head that says one class an image."""
    moved: NDArray[np.float64]
    """Shape (N,): how far an image lies from where A has it, against its neighbours there; the
    largest over the other runs. >= 0; NaN where that was not worked out."""

    def __len__(self) -> int:
        """K, the number of runs."""
        return len(self.labels)

    @property
    def letters(self) -> str:
        return LETTERS[: len(self)]

    @cached_property
    def predicted(self) -> NDArray[np.bool_]:
        """Which images every run predicts, shape (N,)."""
        return np.asarray(self.common & (self.predictions >= 0).all(axis=0))

    @cached_property
    def judged(self) -> NDArray[np.bool_]:
        """Which images have a label in A and a prediction in every run, shape (N,)."""
        return np.asarray(self.common & (self.labels[0] >= 0) & (self.predictions >= 0).all(axis=0))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which predictions are the label of A, shape (K, N); False where nothing is judged."""
        return np.asarray(self.judged & (self.predictions == self.labels[0]))

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """Which predictions are not the label of A, shape (K, N); False where nothing is judged."""
        return np.asarray(self.judged & (self.predictions != self.labels[0]))

    @cached_property
    def own_right(self) -> NDArray[np.bool_]:
        """Which predictions are the label of the same run, shape (K, N)."""
        return np.asarray(self._own_known & (self.predictions == self.labels))

    @cached_property
    def own_wrong(self) -> NDArray[np.bool_]:
        """Which predictions are not the label of the same run, shape (K, N)."""
        return np.asarray(self._own_known & (self.predictions != self.labels))

    @property
    def _own_known(self) -> NDArray[np.bool_]:
        return np.asarray(self.common & (self.labels >= 0) & (self.predictions >= 0))

    @cached_property
    def followed(self) -> NDArray[np.bool_]:
        """Which images have a label and a prediction in the first run and in the last, shape
        (N,)."""
        return np.asarray(self._own_known[0] & self._own_known[-1])

    @cached_property
    def all_wrong(self) -> NDArray[np.bool_]:
        """Shape (N,)."""
        return np.asarray(self.wrong.all(axis=0))

    def only_wrong(self, run: int) -> NDArray[np.bool_]:
        """What one run alone has wrong, shape (N,)."""
        return np.asarray(self.wrong[run] & (self.wrong.sum(axis=0) == 1))

    @cached_property
    def disagree(self) -> NDArray[np.bool_]:
        """Where not all runs predict the same class, shape (N,)."""
        return np.asarray(self.predicted & (self.predictions != self.predictions[0]).any(axis=0))

    @cached_property
    def fixed(self) -> NDArray[np.bool_]:
        """Wrong in the first run by its own label, right in the last one by its own, shape (N,): by
        the model, or by a label that was corrected."""
        return np.asarray(self.own_wrong[0] & self.own_right[-1])

    @cached_property
    def broken(self) -> NDArray[np.bool_]:
        """Right in the first run by its own label, wrong in the last one by its own, shape (N,)."""
        return np.asarray(self.own_right[0] & self.own_wrong[-1])

    def name(self, code: int) -> str:
        """The class of an index; ``?`` for none."""
        return self.classes[code] if code >= 0 else "?"

    def opinion(self, run: int, row: int) -> str:
        """``A: dog 0.93``."""
        sure = self.confidence[run, row]
        share = "" if np.isnan(sure) else f" {sure:.2f}"
        return f"{LETTERS[run]}: {self.name(int(self.predictions[run, row]))}{share}"

    def opinions(self, row: int) -> str:
        """What every run says of an image."""
        return ", ".join(self.opinion(run, row) for run in range(len(self)))
