"""How many real finds a list has left: on lists of many shapes whose truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.remaining import (
    LEARNT,
    LEAST_DECIDED,
    NOT_DECIDED,
    TOO_MANY,
    Expectation,
    expected_labels,
    expected_wrong,
    remaining,
)

Shape = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def level(share: float) -> Shape:
    return lambda t: np.full_like(t, share)


def edge(at: float) -> Shape:
    return lambda t: np.where(t < at, 0.95, 0.05)


SHAPES: dict[str, Shape] = {
    "nothing": lambda t: 0 * t + 0.02,
    "few": lambda t: 0.1 * np.exp(-3 * t),
    **{f"{share} throughout": level(share) for share in (0.1, 0.3, 0.5, 0.7, 0.95)},
    "falling": lambda t: 1 - t,
    "falling slowly": lambda t: 0.8 - 0.6 * t,
    "falling from less": lambda t: 0.4 - 0.3 * t,
    "falling fast": lambda t: np.exp(-3 * t),
    "falling faster": lambda t: 0.9 * np.exp(-6 * t),
    "falling at first": lambda t: 1 - np.sqrt(t),
    "falling late": lambda t: 1 - t**3,
    **{f"edge at {at}": edge(at) for at in (0.2, 0.4, 0.7)},
    "slope": lambda t: 1 / (1 + np.exp(10 * (t - 0.5))),
    "two levels": lambda t: np.where(t < 0.3, 0.8, 0.3),
    "best in the middle": lambda t: 0.3 + 0.4 * np.exp(-(((t - 0.3) / 0.2) ** 2)),
}
"""Probability of being real along a list."""

ORDERS: dict[str, Callable[[np.random.Generator], NDArray[np.int64]]] = {
    "from the top": lambda random: np.arange(30),
    "with gaps": lambda random: random.choice(60, 30, replace=False),
    "anywhere": lambda random: random.choice(100, 30, replace=False),
}
"""Which 30 of 100 images were decided."""


def results(order: str, seeds: int = 6) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether the interval held the truth, and half its width, for each setting."""
    held, widths = [], []
    position = (np.arange(100) + 0.5) / 100
    for number, shape in enumerate(SHAPES.values()):
        for seed in range(seeds):
            random = np.random.default_rng([seed, number])
            truth = (random.random(100) < shape(position)).astype(np.int8)
            verdicts = np.full(100, NOT_DECIDED, dtype=np.int8)
            chosen = ORDERS[order](random)
            verdicts[chosen] = truth[chosen]
            found = remaining(verdicts)
            assert found is not None and found.real == truth[chosen].sum()
            held.append(found.low <= truth[verdicts == NOT_DECIDED].sum() <= found.high)
            widths.append((found.high - found.low) / 2)
    return np.array(held), np.array(widths)


def test_intervals_hold_the_truth_as_often_as_they_say_and_are_narrow() -> None:
    made = {order: results(order) for order in ORDERS}
    for order in ("with gaps", "anywhere"):
        assert 0.8 <= made[order][0].mean() <= 0.97, order
        assert np.median(made[order][1]) <= 12
    # nobody foresees an edge beyond all that was seen
    assert made["from the top"][0].mean() >= 0.6 and np.median(made["from the top"][1]) <= 17


def test_of_lists_of_wrong_labels_the_first_thirty_say_how_many_are_left() -> None:
    """Lists of scores, of which wrong labels have lower ones, from many of them to few."""
    held, widths = [], []
    for share, gap in itertools.product((0.005, 0.02, 0.05, 0.1, 0.2), (1.0, 2.0, 3.0)):
        for seed in range(6):
            random = np.random.default_rng([seed, round(1000 * share), round(10 * gap)])
            wrong = random.random(4000) < share
            odds = random.normal(2, 2, 4000) - gap * wrong
            truth = wrong[np.argsort(odds)[:100]]
            found = remaining(np.where(np.arange(100) < 30, truth, NOT_DECIDED))
            assert found is not None
            held.append(found.low <= truth[30:].sum() <= found.high)
            widths.append((found.high - found.low) / 2)
    assert np.mean(held) >= 0.8 and np.median(widths) <= 15


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=30, max_size=400))
def test_an_estimate_lies_within_what_is_possible(verdicts: list[int]) -> None:
    found = remaining(np.array(verdicts, dtype=np.int8))
    decided = [one for one in verdicts if one != NOT_DECIDED]
    assert (found is None) == (len(decided) < LEAST_DECIDED)
    if found is not None:
        assert (found.decided, found.real) == (len(decided), sum(decided))
        assert 0 <= found.low <= found.high <= len(verdicts) - len(decided)
        assert 0 <= found.left <= len(verdicts) - len(decided)
        assert found == remaining(np.array(verdicts, dtype=np.int8))


def test_an_edge_is_an_end_and_all_decided_is_known() -> None:
    verdicts = np.full(100, NOT_DECIDED)
    verdicts[:40] = np.arange(40) < 15  # fifteen real ones, then none
    found = remaining(verdicts)
    assert found is not None and found.left < 2 and found.high <= 5
    assert found.precision == pytest.approx(15 / 40)
    verdicts[:] = np.arange(100) < 15
    found = remaining(verdicts)
    assert found is not None and (found.left, found.low, found.high) == (0, 0, 0)


def test_a_long_list_is_taken_in_parts() -> None:
    truth = np.random.default_rng(0).random(5000) < 0.3
    verdicts = np.where(np.arange(5000) % 10 == 0, truth, NOT_DECIDED)
    found = remaining(verdicts)
    assert found is not None and found.low <= truth[np.arange(5000) % 10 > 0].sum() <= found.high


def scores_of(
    total: int, wrong: float, worth: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Label scores by a model whose log-odds are worth so much of what they say, and which labels
    are wrong."""
    random = np.random.default_rng(seed)
    lead = random.gamma(2.0, 2.0, total)  # of the class that the model prefers
    is_right = random.random(total) < 1 / (1 + np.exp(-worth * lead))
    is_wrong = random.random(total) < wrong
    odds = np.where(is_right, lead, -lead) * np.where(is_wrong, -1, 1)
    return 1 / (1 + np.exp(-odds)), is_wrong


def test_the_scores_say_about_how_many_are_wrong() -> None:
    errors = []
    for wrong, worth in itertools.product((0.0, 0.01, 0.05, 0.1, 0.2), (0.6, 1.0, 1.5)):
        for seed in range(3):
            scores, is_wrong = scores_of(4000, wrong, worth, seed)
            expected = expected_wrong(scores, 100)
            assert expected is not None and 0 <= expected <= 100
            errors.append(expected - is_wrong[np.argsort(scores)[:100]].sum())
    assert np.abs(errors).mean() <= 4 and np.abs(errors).max() <= 15


def test_of_labels_that_were_trained_on_nothing_is_expected_and_it_is_said_why() -> None:
    scores, _ = scores_of(1000, 0.1, 1.0, 0)
    some = np.arange(1000) == 7
    assert expected_labels(scores, 100, trained_on=some) == Expectation(None, LEARNT)
    assert expected_labels(np.full(3, np.nan), 100, trained_on=some) == Expectation(None)
    known = expected_labels(scores, 100, trained_on=np.zeros(1000, dtype=bool))
    assert known == expected_labels(scores, 100) == Expectation(expected_wrong(scores, 100))


def test_scores_of_a_model_that_has_learnt_little_say_nothing() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        assert expected_labels(random.random(500), 100) == Expectation(None, TOO_MANY)
    assert (
        expected_wrong(np.full(5, np.nan), 100) is None and expected_wrong(np.array([]), 9) is None
    )
    assert expected_wrong(np.full(50, 0.9), 100) == 0
