"""What is known of the data set's classes for each image, whatever kind of head said it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassProbabilities:
    """Probabilities of the data set's classes, C of them, for N images."""

    shares: NDArray[np.float64]
    """Shape (N, C): of these classes alone; rows sum to 1."""
    predicted: NDArray[np.int64]
    """Shape (N,): index of the most probable class; C or more where it is none of these."""
    own: NDArray[np.float64] | None = None
    """Shape (N, C): as the head gives them among all of its outputs; None where those are
    ``shares``, because it has no others."""
    one_label: bool = True
    """Whether exactly one class is right for an image. Otherwise each probability stands by itself,
    and ``shares`` mean nothing."""

    @property
    def stated(self) -> NDArray[np.float64]:
        """Shape (N, C): the probability of each class on the scale of the prediction's."""
        return self.shares if self.own is None else self.own

    @classmethod
    def of_shares(cls, shares: NDArray[Any]) -> ClassProbabilities:
        """Of rows that sum to 1 over the classes."""
        exact = np.asarray(shares, dtype=np.float64)
        return cls(exact, exact.argmax(axis=1))

    @classmethod
    def of_outputs(
        cls, outputs: NDArray[np.floating], columns: Sequence[int], *, one_label: bool
    ) -> ClassProbabilities:
        """Of all outputs of a head, shape (N, O), of which ``columns`` are the classes in their
        order."""
        own = np.asarray(outputs, dtype=np.float64)[:, columns]
        # a head that knows other classes may give these nothing at all
        shares = np.maximum(own, np.finfo(np.float64).tiny)
        shares = np.asarray(shares / shares.sum(axis=1, keepdims=True))
        if one_label and len(columns) == outputs.shape[1]:
            return cls.of_shares(shares)
        classes = np.arange(outputs.shape[1]) + len(columns)
        classes[list(columns)] = np.arange(len(columns))
        return cls(shares, classes[outputs.argmax(axis=1)], own, one_label)
