"""What a training leaves to be scored: embeddings and class probabilities of the images at each
checkpoint, stored as one file."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Observed:
    """N images at K checkpoints in order of training, C classes."""

    given: NDArray[np.int64]
    """Shape (N,): the label that stands in the data set."""
    truth: NDArray[np.int64]
    """Shape (N,): the true class; -1 for foreign images."""
    group: NDArray[np.int64]
    """Shape (N,): number of the group of foreign images; -1 for the others."""
    embeddings: NDArray[np.float16]
    """Shape (K, N, D)."""
    log_probabilities: NDArray[np.float32]
    """Shape (K, N, C), of the head."""
    reference: NDArray[np.float32]
    """Shape (N, C): class probabilities by a model that was not trained on the images."""
    mirrored_embedding: NDArray[np.float16]
    """Shape (N, D): of the last checkpoint, images mirrored."""
    mirrored_log_probabilities: NDArray[np.float32]
    """Shape (N, C)."""
    second: NDArray[np.float32]
    """Shape (E, N, C): log-probabilities while the model is trained on other images afterwards; E
    is 0 where it was not."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Shape (N,): whether the label is wrong; not said of foreign images."""
        return np.asarray((self.given != self.truth) & (self.truth >= 0))

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, **{field.name: getattr(self, field.name) for field in fields(self)})
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> Observed:
        with np.load(path) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})

    def labelled(self, given: NDArray[np.int64]) -> Observed:
        """The same with other labels."""
        return replace(self, given=given)
