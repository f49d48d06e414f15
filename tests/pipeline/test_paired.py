"""Differences between models of the same seeds on the same images: values reasoned by hand, and how
often a gain is called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from review_embeddings.pipeline.analysis.paired import (
    GAIN,
    LOSS,
    NOISE,
    UNDECIDABLE,
    paired_difference,
    seeds_needed,
    shared_level,
)
from tests.benchmarks.improving import WAYS, Size, synthetic, trials


def right(*rows: str) -> np.ndarray:
    """``"10"`` is a seed whose model is right about the first of two images."""
    return np.array([[mark == "1" for mark in row] for row in rows])


def test_the_difference_is_the_mean_over_seeds_and_images() -> None:
    found = paired_difference(right("1000", "1100"), right("1110", "1100"))
    assert found.difference == 2 / 8 and found.by_seed == (0.5, 0.0)
    assert (found.better, found.worse, found.images) == (2, 0, 4)


def test_the_variance_is_that_of_two_crossed_random_effects() -> None:
    # d = [[0, 1, 1, 0], [0, 0, 0, 0]]: seeds .5 and 0, images 0 .5 .5 0, mean .25.
    # MS_seed = 4 (.0625 + .0625) / 1 = .5; MS_image = 2 (4 * .0625) / 3 = 1/6; the rest of d is
    # +-.25 everywhere: MS_rest = 8 * .0625 / 3 = 1/6.  (.5 + 1/6 - 1/6) / 8 = 1/16.
    found = paired_difference(right("1000", "1100"), right("1110", "1100"))
    assert found.standard_error == pytest.approx(0.25)
    freedom = 0.5**2 / (0.5**2 / 1 + (1 / 6) ** 2 / 3 + (1 / 6) ** 2 / 3)
    assert found.degrees_of_freedom == max(1.0, freedom) == 1.0
    reach = stats.t.ppf(0.975, 1) * 0.25
    assert reach > 1 and (found.low, found.high) == (-1.0, 1.0), "no difference is larger"


def test_one_seed_decides_nothing_whatever_it_shows() -> None:
    found = paired_difference(np.zeros((1, 100), bool), np.ones((1, 100), bool))
    assert found.difference == 1 and found.verdict == UNDECIDABLE


def test_the_same_predictions_are_no_proof_of_no_difference() -> None:
    same = np.ones((3, 100), dtype=bool)
    found = paired_difference(same, same)
    # What happens to fewer than 1 - .05 ** (1 / 100) = 2.95 % of images may show on none of 100.
    assert found.verdict == NOISE and found.high == pytest.approx(0.0295, abs=1e-4)
    assert found.low == -found.high


def test_no_noise_is_no_power_without_end() -> None:
    same = np.ones((3, 100), dtype=bool)
    assert paired_difference(same, same).detectable == 0.06, "six images convince the sign test"
    assert paired_difference(same, same, level=0.99).detectable == 0.08, "2 / 2 ** 8 is 0.8 %"


def test_few_discordant_images_have_to_convince_the_sign_test() -> None:
    before, after = np.zeros((3, 400), dtype=bool), np.zeros((3, 400), dtype=bool)
    after[:, :5] = True
    assert paired_difference(before, after).low > 0, "by the normal approximation"
    assert paired_difference(before, after).verdict == NOISE, "2 / 2 ** 5 is 6 %"
    after[:, :6] = True
    assert paired_difference(before, after).verdict == GAIN, "2 / 2 ** 6 is 3 %"
    assert paired_difference(after, before).verdict == LOSS


def test_shapes_that_do_not_pair_are_refused() -> None:
    for shapes in (((2, 3), (3, 2)), ((2, 0), (2, 0)), ((4,), (4,))):
        with pytest.raises(ValueError, match="no \\(S, N\\)"):
            paired_difference(*(np.zeros(shape, dtype=bool) for shape in shapes))


correct = st.tuples(st.integers(1, 5), st.integers(1, 30)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@given(correct)
def test_turning_the_arms_round_turns_the_interval_round(
    arms: tuple[np.ndarray, np.ndarray],
) -> None:
    one, other = paired_difference(*arms), paired_difference(*arms[::-1])
    assert one.difference == -other.difference and (one.low, one.high) == (-other.high, -other.low)
    assert one.low <= one.difference <= one.high and one.degrees_of_freedom >= 1
    opposite = {GAIN: LOSS, LOSS: GAIN}
    assert other.verdict == opposite.get(one.verdict, one.verdict)


@given(correct, st.randoms(use_true_random=False))
def test_neither_the_order_of_the_seeds_nor_of_the_images_matters(
    arms: tuple[np.ndarray, np.ndarray], chance: object
) -> None:
    generator = np.random.default_rng(chance.randrange(1000))  # type: ignore[attr-defined]
    seeds, images = map(generator.permutation, arms[0].shape)
    one = paired_difference(*arms)
    other = paired_difference(*(arm[seeds][:, images] for arm in arms))
    assert other.low == pytest.approx(one.low) and other.high == pytest.approx(one.high)
    assert sorted(other.by_seed) == pytest.approx(sorted(one.by_seed))


@given(correct)
def test_the_variance_is_never_less_than_that_of_seeds_or_images_alone(
    arms: tuple[np.ndarray, np.ndarray],
) -> None:
    d = arms[1].astype(float) - arms[0]
    seeds, images = d.shape
    found = paired_difference(*arms).standard_error ** 2
    if seeds > 1:
        assert found >= np.var(d.mean(axis=1), ddof=1) / seeds - 1e-12
    if images > 1:
        assert found >= np.var(d.mean(axis=0), ddof=1) / images - 1e-12


def test_more_intervals_share_the_level() -> None:
    assert shared_level(1) == pytest.approx(0.95) and shared_level(10) == pytest.approx(0.995)


def test_no_number_of_seeds_makes_up_for_too_few_images() -> None:
    generator = np.random.default_rng(0)
    before = np.tile(generator.random(200) < 0.5, (3, 1))
    after = np.where(generator.random(200) < 0.1, ~before, before)
    after ^= generator.random((3, 200)) < 0.02
    found = paired_difference(before, after)
    assert seeds_needed(found, 1e-4) is None, "the images alone are noisier"
    needed = seeds_needed(found, 0.2)
    assert needed is not None and needed > 3


def test_random_removals_are_no_gain_and_true_labels_are_one() -> None:
    """The calibration of `tests.benchmarks.improving` in short: synthetic embeddings."""
    x, y = synthetic(1500)
    size = Size(train=400, evaluated=1000, changed=60)
    gains = {
        way: sum(one.verdict == GAIN for one in trials(x, y, way, size, 20))
        for way in WAYS
        if way != "wrong ones removed"
    }
    assert gains["removed at random"] <= 1 and gains["the same again, other seeds"] <= 1
    assert gains["true labels of wrong ones"] >= 15
