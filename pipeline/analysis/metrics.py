"""What a classifier is worth on a split: accuracy, and precision, recall and F1 averaged over the
classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

METRICS = ("accuracy", "precision", "recall", "f1")


def classification_metrics(labels: NDArray[Any], predictions: NDArray[Any]) -> dict[str, float]:
    """Accuracy and macro-averaged precision, recall and F1, each in [0, 1], higher is better.

    ``labels`` and ``predictions`` are class indices of shape (N,). Every class that occurs in
    either counts the same; a class that is never predicted has precision 0. Source: scikit-learn.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, average="macro", zero_division=0
    )
    values = (accuracy_score(labels, predictions), precision, recall, f1)
    return {name: float(value) for name, value in zip(METRICS, values, strict=True)}


def cross_entropy(labels: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Mean negative log-likelihood, in nats, of the labels (N,) under probabilities (N, C); what
    ``eval_loss`` is."""
    chosen = np.take_along_axis(probabilities, labels[:, None].astype(np.int64), axis=1)[:, 0]
    return float(-np.log(np.maximum(chosen.astype(np.float64), np.finfo(np.float32).tiny)).mean())
