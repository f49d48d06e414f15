"""What became of each image over the checkpoints: every definition by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group, spearmanr

from review_embeddings.pipeline.analysis import trajectories
from review_embeddings.pipeline.analysis.categories import LIVES
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.analysis.trajectories import (
    CheckpointValues,
    TrajectoryBuilder,
    lives,
    margins,
    movement,
    overlap,
)


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each vector moved; of no neighbours that is how far it moved against them."""
    way = movement(before, after, np.empty((len(before), 0), dtype=int))
    np.testing.assert_array_equal(way.apart, way.moved)
    return way.moved


def likely(shares: object) -> ClassProbabilities:
    return ClassProbabilities.of_shares(np.array(shares))


def seen(
    step: int,
    probabilities: list[list[float]] | None = None,
    percentile: list[float] | None = None,
    total: int = 3,
) -> CheckpointValues:
    values = np.array(
        percentile if percentile is not None else np.linspace(10, 90, total), dtype=np.float32
    )
    return CheckpointValues(
        step=step,
        percentile=values,
        outlier=values < 20,
        neighbors=np.zeros((total, 1), dtype=int),
        moved=None if step == 0 else np.full(total, 0.5),
        kept=None if step == 0 else np.full(total, 0.25),
        apart=None if step == 0 else np.full(total, 0.125),
        probabilities=None if probabilities is None else likely(probabilities),
    )


def test_the_label_over_the_checkpoints_by_hand() -> None:
    builder = TrajectoryBuilder(np.array([0, 1, -1]))
    builder.add(seen(0, [[0.4, 0.6], [0.2, 0.8], [0.5, 0.5]]))
    builder.add(seen(10, [[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]))
    builder.add(seen(20, [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]))
    result = builder.finish()
    np.testing.assert_allclose(
        result.label_mean, np.array([0.7, (0.8 + 0.4 + 0.7) / 3, np.nan]), rtol=1e-6
    )
    np.testing.assert_allclose(
        result.label_variability,
        np.array([np.std([0.4, 0.9, 0.8]), np.std([0.8, 0.4, 0.7]), np.nan]),
        rtol=1e-5,
    )
    logits = [
        np.log([0.4 / 0.6, 0.9 / 0.1, 0.8 / 0.2]).mean(),
        np.log([0.8 / 0.2, 0.4 / 0.6, 0.7 / 0.3]).mean(),
    ]
    np.testing.assert_allclose(result.aum[:2], logits, rtol=1e-5)
    assert result.learnt_at.tolist() == [10, 20, -1]  # the second one was right at 0, wrong at 10
    assert result.forgotten.tolist() == [0, 1, 0] and result.flips.tolist() == [1, 2, 1]
    assert result.drift_from_neighbors.tolist() == [0.25] * 3
    assert result.drift.tolist() == [1.0, 1.0, 1.0] and result.neighbors_kept.tolist() == [0.25] * 3


def test_nothing_is_said_about_labels_without_labels_or_heads() -> None:
    for labels, probabilities in (([-1, -1, -1], [[0.5, 0.5]] * 3), ([0, 1, 0], None)):
        builder = TrajectoryBuilder(np.array(labels))
        builder.add(seen(0, probabilities))
        result = builder.finish()
        assert (
            np.isnan(result.label_mean).all()
            and np.isnan(result.aum).all()
            and result.learnt_at.tolist() == [-1, -1, -1]
        )


def test_margins_are_differences_of_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (20, 4))
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    given_class = np.arange(20) % 4
    expected = [
        row[label] - max(np.delete(row, label))
        for row, label in zip(logits, given_class, strict=True)
    ]
    np.testing.assert_allclose(margins(logs, given_class), expected)


def test_consensus_and_stability() -> None:
    builder = TrajectoryBuilder(np.full(5, -1))
    percentiles: list[list[float]] = [
        [10, 30, 50, 70, 90],
        [10, 50, 30, 70, 90],
        [90, 70, 50, 30, 10],
    ]
    for step, values in enumerate(percentiles):
        builder.add(seen(step, percentile=values, total=5))
    result = builder.finish()
    np.testing.assert_allclose(result.mean_percentile, np.mean(percentiles, axis=0), rtol=1e-6)
    assert result.consensus_rank.tolist() == [1, 3, 2, 4, 5]  # means of 36.7, 50, 43.3, 56.7, 63.3
    for one in range(3):
        for other in range(3):
            assert result.correlation[one][other] == pytest.approx(
                spearmanr(percentiles[one], percentiles[other]).statistic, abs=1e-4
            )
    assert result.overlap == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("history", "life", "since"),
    [
        ("....", "never", -1),
        (".x..", "passing", -1),
        ("xx..", "resolved", 20),
        ("x.x.", "resolved", 30),
        ("..xx", "emergent", 20),
        (".x.x", "emergent", 30),
        ("xxxx", "persistent", -1),
        ("x..x", "persistent", -1),
    ],
)
def test_the_life_of_an_outlier(history: str, life: str, since: int) -> None:
    outliers = np.array([[mark == "x"] for mark in history])
    kinds, steps = lives(outliers, [0, 10, 20, 30])
    assert LIVES[kinds[0]] == life and steps[0] == since


def test_one_checkpoint_has_persistent_outliers_only() -> None:
    kinds, steps = lives(np.array([[True, False]]), [7])
    assert [LIVES[kind] for kind in kinds] == ["persistent", "never"] and steps.tolist() == [-1, -1]


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_turning_scaling_and_shifting_a_space_is_no_movement(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    before = random.normal(size=(20, 5))
    after = scale * before @ ortho_group.rvs(5, random_state=seed) + random.normal(size=5)
    np.testing.assert_allclose(moved(before, after), 0, atol=1e-6)


def test_one_image_that_moves_is_the_one_that_moved() -> None:
    before = np.random.default_rng(0).normal(size=(200, 6))
    after = before.copy()
    after[7] += 4
    way = moved(before, after)
    assert way.argmax() == 7 and way[7] > 5 * np.median(way)
    assert (
        moved(before, np.zeros((200, 3))).tolist() == [0] * 200
        and not moved(before, np.ones((200, 6))).any()
    )


def test_who_goes_with_its_neighbours_has_not_left_them() -> None:
    random = np.random.default_rng(0)
    groups = np.arange(90) % 3
    before = random.normal(0, 0.01, (90, 4)) + np.eye(4)[groups]
    after = before.copy()
    after[groups == 0] += [0, 0, 0, 2]  # a group moves as a whole
    after[1] = after[2]  # and one image alone, from its group into another
    near = np.array(
        [
            [row for row in range(90) if groups[row] == groups[one] and row != one][:9]
            for one in range(90)
        ]
    )
    way = movement(before, after, near)
    np.testing.assert_allclose(way.moved, moved(before, after))
    assert way.moved[groups == 0].min() > 5 * np.median(way.apart[groups == 0])
    assert way.apart.argmax() == 1 and way.apart[1] > 3 * np.sort(way.apart)[-2]


def test_movement_against_the_neighbours_by_hand() -> None:
    before = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    after = np.array([[2.0, 0], [-2, 0], [0, 1.5], [0, -1.5]])  # turned by nothing
    way = movement(before, after, np.array([[2, 3], [2, 3], [0, 1], [0, 2]]))
    small, large = np.sqrt([10 / 4, 12.5 / 4])
    ways = after / large - before / small
    np.testing.assert_allclose(way.moved, np.linalg.norm(ways, axis=1))
    expected = [*ways[:2], ways[2], ways[3] - (ways[0] + ways[2]) / 2]
    np.testing.assert_allclose(way.apart, np.linalg.norm(expected, axis=1))


def test_overlap_by_hand() -> None:
    one, other = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 1, 9], [7, 8, 9]])
    np.testing.assert_allclose(overlap(one, other), [2 / 3, 0])
    assert overlap(one[:, :0], other[:, :0]).tolist() == [1, 1]


def test_movement_in_blocks_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.linalg import orthogonal_procrustes

    random = np.random.default_rng(0)
    before, after = (random.normal(size=(50, 6)).astype(np.float32) + 100 for _ in range(2))

    def normalised(vectors: np.ndarray) -> np.ndarray:
        centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
        return np.asarray(centred / np.sqrt((centred**2).sum(axis=1).mean()))

    one, other = normalised(before), normalised(after)
    expected = np.linalg.norm(one @ orthogonal_procrustes(one, other)[0] - other, axis=1)
    np.testing.assert_allclose(moved(before, after), expected, rtol=1e-6)
    monkeypatch.setattr("review_embeddings.pipeline.analysis.project.BLOCK_VALUES", 42)
    np.testing.assert_allclose(moved(before, after), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("held", [0, 10_000])
def test_the_way_has_the_bits_of_the_steps_one_by_one(
    dtype: type[np.floating], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.linalg import orthogonal_procrustes

    monkeypatch.setattr("review_embeddings.pipeline.analysis.project.BLOCK_VALUES", 37 * 24)
    monkeypatch.setattr(trajectories, "NEAR_VALUES", 5 * 24)
    monkeypatch.setattr(trajectories, "HELD_VALUES", held)
    random = np.random.default_rng(2)
    before, after = ((random.normal(size=(150, 24)) + 3).astype(dtype) for _ in range(2))
    scaled = []
    for vectors in (before, after):
        centred = vectors - np.mean(vectors, axis=0, dtype=np.float64)
        squares = 0.0
        for start in range(0, 150, 37):
            squares += float(np.square(centred[start : start + 37]).sum())
        scaled.append(centred / np.sqrt(squares / 150))
    products = np.zeros((24, 24))
    for start in range(0, 150, 37):
        products += scaled[0][start : start + 37].T @ scaled[1][start : start + 37]
    rotation = orthogonal_procrustes(np.eye(24), products)[0]
    turned = [scaled[0][start : start + 37] @ rotation for start in range(0, 150, 37)]
    expected = (scaled[1] - np.concatenate(turned)).astype(np.result_type(dtype, np.float32))
    found = trajectories._ways(before, after)
    assert found is not None and found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_the_area_under_the_margin_is_that_of_the_logits() -> None:
    """As far as float32 holds a probability; the paper has no clip."""
    import torch

    logits = np.random.default_rng(0).normal(0, 25, (3, 200, 4))
    labels = np.arange(200) % 4
    builder = TrajectoryBuilder(labels)
    for step, some in enumerate(logits):
        stored = torch.from_numpy(some).float().softmax(dim=-1).numpy()
        builder.add(
            replace(seen(step, total=200), probabilities=ClassProbabilities.of_shares(stored))
        )
    expected = np.mean([margins(some, labels) for some in logits], axis=0)
    held = np.all([np.ptp(some, axis=1) < 87 for some in logits], axis=0)
    assert (expected[held] < -30).any() and held.sum() > 100
    result = builder.finish().aum
    np.testing.assert_allclose(result[held], expected[held], rtol=1e-4, atol=1e-4)
    assert result.min() >= -103.3 and result.max() <= 103.3


def test_equal_images_are_ranked_by_their_ids_in_any_order() -> None:
    percentiles, ids = [50.0, 10.0, 50.0, 50.0], np.array([7, 4, 9, 2])
    for order in ([0, 1, 2, 3], [3, 0, 2, 1]):
        builder = TrajectoryBuilder(np.array([0, 0, 0, 0]), ids[order])
        builder.add(seen(0, percentile=[percentiles[row] for row in order], total=4))
        result = builder.finish()
        assert dict(zip(ids[order].tolist(), result.consensus_rank.tolist(), strict=True)) == {
            4: 1,
            2: 2,
            7: 3,
            9: 4,
        }


def test_where_nothing_is_an_outlier_none_is_lost() -> None:
    builder = TrajectoryBuilder(np.full(3, -1))
    for step in (0, 10):
        builder.add(seen(step, percentile=[50.0] * 3))
    result = builder.finish()
    assert [LIVES[life] for life in result.life] == ["never"] * 3
    assert result.overlap == [[1.0, 1.0], [1.0, 1.0]]
