"""OOD scores are cleanlab's, whoever searched the neighbours, and defined where cleanlab's own call
is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.outliers import (
    are_outliers,
    ood_scores,
    rank_scores,
    worst_count,
)


def ours(points: np.ndarray) -> np.ndarray:
    return ood_scores(points, nearest_neighbors(points, 10))


@pytest.mark.parametrize("dimensions", [2, 3, 4, 96])
def test_equals_cleanlab_called_as_the_example_does(dimensions: int) -> None:
    from cleanlab.outlier import OutOfDistribution

    points = np.random.default_rng(dimensions).normal(size=(400, dimensions)).astype(np.float32)
    theirs = OutOfDistribution().fit_score(features=points, verbose=False)
    np.testing.assert_allclose(ours(points), theirs, atol=2e-6)


def test_equals_cleanlab_with_exact_duplicates() -> None:
    from cleanlab.outlier import OutOfDistribution

    points = np.random.default_rng(3).normal(size=(120, 16)).astype(np.float32)
    points[40:46] = points[7]
    points[80] = points[81]
    theirs = OutOfDistribution().fit_score(features=points, verbose=False)
    np.testing.assert_allclose(ours(points), theirs, atol=2e-6)


def test_the_odd_one_out_has_the_lowest_score() -> None:
    points = (
        np.random.default_rng(4).normal(size=(60, 8)).astype(np.float32) * 0.05
        + np.eye(8, dtype=np.float32)[0]
    )
    points[17] = -np.eye(8)[3]
    scores = ours(points)
    assert scores.argmin() == 17 and (scores >= 0).all() and (scores <= 1).all()


@pytest.mark.parametrize("total", [1, 2, 5, 10, 11])
def test_small_sets_have_a_defined_score(total: int) -> None:
    scores = ours(np.random.default_rng(5).normal(size=(total, 8)).astype(np.float32))
    assert scores.shape == (total,) and np.isfinite(scores).all()
    assert total > 1 or scores.tolist() == [1.0]


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_constant_embeddings_are_all_typical(value: float) -> None:
    assert ours(np.full((30, 8), value, dtype=np.float32)).tolist() == [1.0] * 30


def test_ranks_and_percentiles_by_hand() -> None:
    ranking = rank_scores(np.array([0.5, 0.1, 0.5, 0.9], dtype=np.float32))
    assert ranking.rank.tolist() == [2, 1, 3, 4]  # equal scores in image order
    assert ranking.percentile.tolist() == [50.0, 12.5, 50.0, 87.5]  # 100 (mean rank - 1/2) / 4


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
def test_ranks_are_a_permutation_in_order_of_the_scores(values: list[float]) -> None:
    scores = np.array(values, dtype=np.float32)
    ranking = rank_scores(scores)
    assert sorted(ranking.rank) == list(range(1, len(values) + 1))
    assert (np.diff(scores[np.argsort(ranking.rank)]) >= 0).all()
    assert (ranking.percentile > 0).all() and (ranking.percentile < 100).all()
    assert ranking.percentile.mean() == pytest.approx(50)


def test_equal_scores_are_nobodys_outliers() -> None:
    values = np.array([0.1, 0.2, 0.2, 0.2, 0.9])
    assert are_outliers(values, 1).tolist() == [True, False, False, False, False]
    assert are_outliers(values, 2).tolist() == [True, False, False, False, False], "which of three?"
    assert are_outliers(values, 4).tolist() == [True, True, True, True, False]
    assert are_outliers(values, 9).all()
    for count in (1, 4, 9):
        assert not are_outliers(np.full(5, 0.3), count).any()
    assert not are_outliers(np.array([0.5]), 1).any() and not len(are_outliers(np.array([]), 1))


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60, unique=True))
def test_of_different_scores_the_outliers_are_the_first_by_rank(values: list[float]) -> None:
    ranking, count = rank_scores(np.array(values)), worst_count(len(values))
    assert (are_outliers(ranking.percentile, count) == (ranking.rank <= count)).all()


def test_no_more_than_a_quarter_of_a_tiny_set_are_outliers() -> None:
    assert [worst_count(total) for total in (1, 3, 4, 8, 20, 32)] == [1, 1, 1, 2, 5, 8]


@pytest.mark.parametrize("dimensions", [2, 8])
@pytest.mark.parametrize("length", [1e-30, 1e30])
def test_scores_do_not_depend_on_the_length_of_the_vectors(dimensions: int, length: float) -> None:
    points = np.random.default_rng(0).normal(size=(60, dimensions)).astype(np.float32)
    np.testing.assert_allclose(
        ours((points * np.float64(length)).astype(np.float32)), ours(points), atol=1e-6
    )
