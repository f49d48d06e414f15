"""Label quality per checkpoint: cleanlab's numbers, ranks by hand, and labels of neighbours where
there is no head."""

import warnings

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.analysis.labels import (
    label_quality,
    neighbor_probabilities,
)


def test_a_case_by_hand() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    quality = label_quality(np.array([0, 0, 1, -1]), probabilities)
    np.testing.assert_allclose(quality.self_confidence, [0.7, 0.1, 0.5, np.nan], rtol=1e-6)
    np.testing.assert_allclose(
        quality.score, [(0.7 - 0.2 + 1) / 2, (0.1 - 0.6 + 1) / 2, 0.5, np.nan], rtol=1e-6
    )
    assert quality.rank.tolist() == [3, 1, 2, 0]
    assert (
        quality.suggested.tolist() == [0, 1, 0, 2]
        and quality.issue.dtype == bool
        and not quality.issue[3]
    )


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(20, 80))
def test_it_is_cleanlabs(seed: int, classes: int, total: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.5), total)
    labels = random.integers(0, classes, total)
    quality = label_quality(labels, probabilities.astype(np.float32))
    exact = probabilities.astype(np.float32).astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        quality.score,
        get_label_quality_scores(labels, exact, method="normalized_margin"),
        rtol=1e-5,
        atol=1e-7,
    )
    np.testing.assert_allclose(
        quality.self_confidence,
        get_label_quality_scores(labels, exact, method="self_confidence"),
        rtol=1e-5,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(quality.issue, find_label_issues(labels, exact, n_jobs=1))
    assert sorted(quality.rank.tolist()) == list(range(1, total + 1))
    assert (np.diff(quality.score[np.argsort(quality.rank)]) >= 0).all()


def test_no_labels_and_one_class() -> None:
    none = label_quality(np.full(3, -1), np.full((3, 2), 0.5))
    assert np.isnan(none.score).all() and none.rank.tolist() == [0, 0, 0] and not none.issue.any()
    single = label_quality(np.zeros(3, dtype=int), np.ones((3, 1)))
    assert single.score.tolist() == [1, 1, 1] and single.rank.tolist() == [1, 2, 3]


def test_a_split_of_one_of_several_classes() -> None:
    for label in (0, 1):
        quality = label_quality(np.full(3, label), np.array([[0.6, 0.4]] * 3))
        np.testing.assert_allclose(quality.self_confidence, 0.6 - 0.2 * label, rtol=1e-6)
        assert not quality.issue.any()


def test_neighbours_speak_for_a_label_but_not_an_image_for_itself() -> None:
    labels = np.array([0, 0, 1, 1, -1])
    neighbors = np.array([[1, 2, 4], [0, 2, 3], [3, 0, 1], [2, 4, 4], [4, 4, 4]])
    expected = np.array([[1 / 2, 1 / 2], [1 / 3, 2 / 3], [2 / 3, 1 / 3], [0, 1], [1 / 2, 1 / 2]])
    np.testing.assert_allclose(neighbor_probabilities(labels, neighbors, 2), expected)


def test_a_planted_wrong_label_comes_first() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    points = np.eye(3)[labels] * 5 + random.normal(0, 0.3, (90, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    neighbors = np.argsort(distances, axis=1)[:, 1:11]
    labels[[4, 40]] = 2, 0
    quality = label_quality(labels, neighbor_probabilities(labels, neighbors, 3))
    assert set(np.argsort(quality.rank)[:2].tolist()) == {4, 40}
    assert quality.suggested[[4, 40]].tolist() == [0, 1]


@pytest.mark.parametrize("column", ["self_confidence", "score"])
def test_values_stay_in_their_range(column: str) -> None:
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1e-30, 1 - 1e-30]])
    values = getattr(label_quality(np.array([0, 0, 0]), probabilities), column)
    assert ((values >= 0) & (values <= 1)).all()
