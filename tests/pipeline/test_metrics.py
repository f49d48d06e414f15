"""Accuracy, precision, recall, F1, loss."""

import numpy as np
import pytest

from review_embeddings.pipeline.analysis.metrics import classification_metrics, cross_entropy


def test_a_case_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 0, 1, 1, 0, 0])
    # class 0: 2 right of 4 predicted and 3 given; class 1: 1 of 2 and 2; class 2: never predicted
    metrics = classification_metrics(labels, predictions)
    assert metrics["accuracy"] == pytest.approx(3 / 6)
    assert metrics["precision"] == pytest.approx((2 / 4 + 1 / 2 + 0) / 3)
    assert metrics["recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert metrics["f1"] == pytest.approx((2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3) + 1 / 2 + 0) / 3)


def test_all_right_is_one_and_all_wrong_is_zero() -> None:
    labels = np.array([0, 1, 2, 1])
    assert set(classification_metrics(labels, labels).values()) == {1.0}
    assert set(classification_metrics(labels, (labels + 1) % 3).values()) == {0.0}


def test_cross_entropy_by_hand_and_finite_where_a_probability_is_zero() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float32)
    assert cross_entropy(np.array([0, 0]), probabilities) == pytest.approx(
        (np.log(2) + np.log(4)) / 2
    )
    assert np.isfinite(cross_entropy(np.array([1]), np.array([[1.0, 0.0]], dtype=np.float32)))
