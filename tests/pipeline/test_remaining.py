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
    LEAST_DECIDED,
    NOT_DECIDED,
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
    for order, (held, _) in made.items():
        assert 0.8 <= held.mean() <= 0.97, order
    assert 0.85 <= np.concatenate([held for held, _ in made.values()]).mean() <= 0.95
    assert np.median(np.concatenate([width for _, width in made.values()])) <= 15
    assert np.median(made["anywhere"][1]) <= 11 and np.median(made["with gaps"][1]) <= 15
    # of what lies beyond all that was seen less is known
    assert np.median(made["from the top"][1]) <= 25


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
            assert (expected is None) == ((scores > 0.5).mean() < 0.8)
            if expected is not None:
                errors.append(abs(expected - is_wrong[np.argsort(scores)[:100]].sum()))
    assert len(errors) >= 30 and np.mean(errors) <= 10 and max(errors) <= 30


def test_scores_of_a_model_that_has_learnt_little_say_nothing() -> None:
    random = np.random.default_rng(0)
    assert expected_wrong(random.random(500), 100) is None
    assert (
        expected_wrong(np.full(5, np.nan), 100) is None and expected_wrong(np.array([]), 9) is None
    )
    assert expected_wrong(np.full(50, 0.9), 100) == 0
