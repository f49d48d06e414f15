"""The leave-one-out judge, and the label scores that are made of it and of the heads."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis import judge as judging
from review_embeddings.pipeline.analysis.judge import (
    SHARPNESSES,
    SHRINKAGES,
    Judge,
    fit_judge,
    fixed_order,
)
from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges, label_fit
from review_embeddings.pipeline.analysis.pooling import (
    Opinions,
    PooledLabels,
    PoolingRule,
    judged_labels,
    pooled,
    weights_of,
)

LAST = PoolingRule("last", "geometric", "equal", "log")
Array = NDArray[Any]


def hashes_of(total: int, seed: int = 0) -> list[str]:
    return [f"{number:064x}" for number in np.random.default_rng(seed).permutation(total)]


def made(total: int, dimension: int, classes: int, seed: int = 0) -> tuple[Array, Array]:
    """Embeddings around a centre a class, and labels of which some are wrong."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, total).astype(np.int32)
    centres = random.normal(0, 1, (classes, dimension))
    embeddings = (centres[labels] + random.normal(0, 1.5, (total, dimension))).astype(np.float32)
    labels[: total // 10] = random.integers(0, classes, total // 10)
    return embeddings, labels


def fitted(embeddings: Array, labels: Array, classes: int) -> tuple[Judge, Array]:
    judge = fit_judge(embeddings, labels, classes, fixed_order(hashes_of(len(labels)), labels))
    return judge, judge.probabilities(embeddings, labels, np.arange(len(labels)))


def refitted(embeddings: Array, labels: Array, classes: int) -> tuple[Array, Array]:
    """The probabilities (S, T, N, C) of a ridge regression that is fitted anew without each image,
    under every shrinkage and sharpness; the mean log-losses (S, T)."""
    rows = np.asarray(embeddings, dtype=np.float64)
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-12)
    targets, total = np.eye(classes)[labels], len(labels)
    power = np.linalg.svd(rows, compute_uv=False) ** 2
    mean = power[power > 1e-10 * power.max()].mean()
    found = np.empty((len(SHRINKAGES), len(SHARPNESSES), total, classes))
    for number, row in product(range(len(SHRINKAGES)), range(total)):
        kept = np.arange(total) != row
        middle, share = rows[kept].mean(axis=0), targets[kept].mean(axis=0)
        some = rows[kept] - middle
        ridge = some.T @ some + SHRINKAGES[number] * mean * np.eye(rows.shape[1])
        weights = np.linalg.solve(ridge, some.T @ (targets[kept] - share))
        value = (rows[row] - middle) @ weights + share
        for place, sharpness in enumerate(SHARPNESSES):
            likely = np.exp(sharpness * (value - value.max()))
            found[number, place, row] = likely / likely.sum()
    own = found[:, :, np.arange(total), labels]
    return found, -np.log(np.maximum(own, 1e-9)).mean(axis=2)


@pytest.mark.parametrize("shape", [(30, 5), (12, 20), (8, 8)])
def test_it_is_a_regression_fitted_anew_without_each_image(shape: tuple[int, int]) -> None:
    embeddings, labels = made(*shape, 3, seed=4)
    judge, likely = fitted(embeddings, labels, 3)
    found, losses = refitted(embeddings, labels, 3)
    number, place = np.unravel_index(losses.argmin(), losses.shape)
    assert (judge.shrinkage, judge.sharpness) == (SHRINKAGES[number], SHARPNESSES[place])
    np.testing.assert_allclose(likely, found[number, place], atol=1e-9)
    assert judge.loss == pytest.approx(losses.min())
    accuracy = (likely.argmax(axis=1) == labels).mean()
    assert judge.accuracy == pytest.approx(accuracy)
    assert judge.skill == pytest.approx(max(0.0, (accuracy - 1 / 3) / (2 / 3)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 40), st.integers(1, 50), st.integers(2, 6))
def test_the_order_of_the_rows_changes_nothing(
    seed: int, total: int, dimension: int, classes: int
) -> None:
    embeddings, labels = made(total, dimension, classes, seed)
    labels[np.random.default_rng(seed).random(total) < 0.2] = -1
    hashes, order = np.array(hashes_of(total)), np.random.default_rng(seed + 1).permutation(total)
    one = fit_judge(embeddings, labels, classes, fixed_order(hashes.tolist(), labels))
    other = fit_judge(
        embeddings[order],
        labels[order],
        classes,
        fixed_order(hashes[order].tolist(), labels[order]),
    )
    np.testing.assert_array_equal(one.coefficients, other.coefficients)
    np.testing.assert_array_equal(one.leverage[order], other.leverage)
    assert (one.shrinkage, one.sharpness, one.skill) == (
        other.shrinkage,
        other.sharpness,
        other.skill,
    )


def test_no_label_speaks_for_itself() -> None:
    embeddings, labels = made(60, 6, 3, seed=1)
    judge, likely = fitted(embeddings, labels, 3)
    changed = labels.copy()
    changed[20] = (labels[20] + 1) % 3
    other, told = fitted(embeddings, changed, 3)
    assert (judge.shrinkage, judge.sharpness) == (other.shrinkage, other.sharpness)
    np.testing.assert_allclose(told[20], likely[20], atol=1e-9)
    assert not np.allclose(told[21], likely[21], atol=1e-9)


def test_blocks_of_rows_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = made(50, 7, 4, seed=2)
    _, whole = fitted(embeddings, labels, 4)
    monkeypatch.setattr(judging, "BLOCK_VALUES", 21)
    _, parts = fitted(embeddings, labels, 4)
    np.testing.assert_allclose(parts, whole, atol=1e-9)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([-1, -1, -1, -1], 3),
        ([-1, 2, -1, -1], 3),
        ([1, 1, 1, 1], 3),
        ([0, 0, 0, 0], 1),
        ([0, 1, 2, 3], 1000),
        ([0, 1, -1, 0], 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_odd_labels_and_embeddings_are_judged(
    labels: list[int], classes: int, scale: float
) -> None:
    embeddings = (np.random.default_rng(0).normal(size=(4, 3)) * scale).astype(np.float32)
    judge, likely = fitted(embeddings, np.array(labels, dtype=np.int32), classes)
    assert np.isfinite(likely).all() and 0 <= judge.skill <= 1
    np.testing.assert_allclose(likely.sum(axis=1), 1)
    assert ((judge.leverage >= 0) & (judge.leverage < 1)).all()


def test_the_only_image_of_a_class_is_not_expected_to_be_of_it() -> None:
    embeddings, labels = made(40, 5, 2, seed=3)
    labels[7] = 2
    assert fitted(embeddings, labels, 3)[1][7].argmax() != 2


# -- pooling


def test_judges_are_pooled_by_hand() -> None:
    head, held_out = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
    both = [Opinions(1.0, 1.0, [head, held_out])]
    np.testing.assert_allclose(pooled(LAST, both), [[2 / 3, 1 / 3]])  # sqrt of 0.4 and of 0.1
    arithmetic = PoolingRule("all", "arithmetic", "skill", "log")
    np.testing.assert_allclose(pooled(arithmetic, both), [[0.65, 0.35]])
    later = [
        Opinions(0.2, 0.6, [head]),
        Opinions(0.6, 0.8, [held_out]),
    ]  # a quarter, three
    np.testing.assert_allclose(pooled(arithmetic, later), [[0.575, 0.425]])
    doubting = PoolingRule("all", "arithmetic", "skill and doubt", "log")
    np.testing.assert_allclose(pooled(doubting, later), [[0.62, 0.38]])  # 0.08 and 0.12
    by_heart = [Opinions(0.5, 0.75, [head]), Opinions(1.0, 1.0, [held_out])]
    share = 0.005 / 0.13  # of the one that agrees with every label
    expected = 0.8 - 0.3 * share
    np.testing.assert_allclose(pooled(doubting, by_heart), [[expected, 1 - expected]])
    steep = PoolingRule("all", "arithmetic", "odds", "log")
    rates = [(1.0, 0.8), (0.9, 0.75), (0.3, 0.6), (0.0, 0.5)]  # odds of 4, 3, 1.5 and no skill
    skilled = [Opinions(*rate, [judge]) for rate, judge in zip(rates, [head] * 4, strict=True)]
    second = 0.75**16  # 0.01002, just not negligible
    weights = weights_of(steep, [one.skill for one in skilled], [one.accuracy for one in skilled])
    np.testing.assert_allclose(weights, np.array([1, second, 0, 0]) / (1 + second))
    np.testing.assert_allclose(pooled(steep, skilled), head)
    np.testing.assert_allclose(pooled(steep, by_heart), held_out, rtol=1e-6)
    without = [Opinions(0.0, 0.5, [head]), Opinions(0.0, 0.5, [held_out])]
    np.testing.assert_allclose(pooled(arithmetic, without), [[0.65, 0.35]])


@pytest.mark.parametrize(
    ("margin", "scores"),
    [
        ("log", [0.6 / 0.9, 0.1 / 0.7, 0.5]),
        ("root", [(1 + 0.6**0.5 - 0.3**0.5) / 2, (1 + 0.1**0.5 - 0.6**0.5) / 2, 0.5]),
        ("self-confidence", [0.8, 0.05, 0.7]),
    ],
)
def test_margins_lie_between_0_and_1_with_ties_in_the_middle(
    margin: Any, scores: list[float]
) -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.4, 0.4, 0.2], [0.2, 0.3, 0.5]])
    labels = np.array([0, 2, 1, -1])
    found = judged_labels(PoolingRule("all", "geometric", "skill", margin), shares, labels)
    np.testing.assert_allclose(found.score[:3], scores)
    assert np.isnan(found.score[3])
    assert found.suggested.tolist() == [1, 0, 0, 2], "the best class but the label"


def test_one_class_has_no_other() -> None:
    found: PooledLabels = judged_labels(LAST, np.ones((2, 1)), np.array([0, -1]))
    assert found.score[0] == 1 and np.isnan(found.score[1]) and found.suggested.tolist() == [-1, -1]


# -- over a run


def says(shares: list[list[float]], skill: float = 1.0) -> CheckpointJudges:
    values = np.array(shares)
    return CheckpointJudges(skill, skill, lambda rows: values[rows])


EARLY = [[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.2, 0.8]]
LATE = [[0.3, 0.7], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]]


def test_only_the_best_checkpoints_judge_what_was_not_trained_on() -> None:
    labels = np.array([0, 0, 0, -1])
    fit = label_fit([says(EARLY, 0.7), says(LATE, 0.9)], labels, 2, np.arange(4))
    np.testing.assert_allclose(fit.score, np.array([0.3, 0.6, 0.1, np.nan]), rtol=1e-6)
    assert fit.rank.tolist() == [2, 3, 1, 0] and fit.suggested.tolist() == [1, 1, 1, 0]


def test_all_checkpoints_judge_what_was_trained_on() -> None:
    labels, trained = np.array([0, 0, 0, -1]), np.ones(4, dtype=bool)
    fit = label_fit([says(EARLY), says(LATE)], labels, 2, np.arange(4), trained)
    odds = np.sqrt([9 * 3 / 7, 1 / 4 * 6 / 4, 9 / 9])
    np.testing.assert_allclose(fit.score[:3], odds / (1 + odds), rtol=1e-6)
    assert fit.rank.tolist() == [3, 1, 2, 0]


def test_two_regimes_are_merged_by_percentile() -> None:
    """Two images trained on and one not: percentiles of 1/4, 3/4 and 1/2."""
    labels, trained = np.array([0, 0, 0, -1]), np.array([True, True, False, False])
    fit = label_fit([says(EARLY, 0.99), says(LATE, 0.995)], labels, 2, np.arange(4), trained)
    np.testing.assert_allclose(fit.score[2], 0.1, rtol=1e-3)
    assert fit.rank.tolist() == [3, 1, 2, 0]


def test_a_checkpoint_without_a_head_is_judged_alone() -> None:
    embeddings, labels = made(30, 4, 3)
    judge, likely = fitted(embeddings, labels, 3)
    rows, uniform = np.array([5, 7]), np.full((30, 3), 1 / 3)
    both = CheckpointJudges.of(judge, embeddings, labels, lambda rows: uniform[rows])
    held_out, own = both.opinions(rows).shares
    np.testing.assert_allclose(held_out, likely[rows], atol=1e-12)
    np.testing.assert_array_equal(own, uniform[rows])
    (alone,) = CheckpointJudges.of(judge, embeddings, labels, None).opinions(rows).shares
    np.testing.assert_array_equal(alone, held_out)


def test_equal_scores_are_ranked_in_the_fixed_order() -> None:
    labels, order = np.array([0, 0, 0]), np.array([2, 0, 1])
    fit = label_fit([says([[0.5, 0.5]] * 3)], labels, 2, order)
    assert fit.rank.tolist() == [2, 3, 1] and fit.score.tolist() == [0.5] * 3
