"""How likely the images of a list are real, part by part, and the order by expected gain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.analysis.gain import by_gain, chances_along, part_of
from review_embeddings.pipeline.analysis.remaining import BINS, NOT_DECIDED, NOT_REAL, REAL

OPEN = np.full(100, NOT_DECIDED)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([NOT_DECIDED, NOT_REAL, REAL]), max_size=300), st.data())
def test_chances_are_probabilities_that_fall_along_the_list(
    verdicts: list[int], data: st.DataObject
) -> None:
    expected = data.draw(st.none() | st.floats(0, min(100, len(verdicts))))
    found = chances_along(np.array(verdicts, dtype=int), expected)
    assert len(found) == min(BINS, len(verdicts))
    assert ((found > 0) & (found < 1)).all() and (np.diff(found) <= 1e-12).all()


def test_what_the_scores_let_expect_is_about_the_sum_of_the_first() -> None:
    for expected in (10, 40, 80):
        found = chances_along(OPEN, expected)
        assert found.sum() == pytest.approx(expected, abs=8)


def test_decisions_correct_it() -> None:
    before = chances_along(OPEN, 50.0)
    kept, real = OPEN.copy(), OPEN.copy()
    kept[:30], real[:30] = NOT_REAL, REAL
    assert chances_along(kept, 50.0)[:30].max() < before[:30].min()
    assert chances_along(real, 50.0)[:30].min() > before[:30].max()


def test_a_list_longer_than_the_parts_has_equal_ones() -> None:
    assert part_of(np.arange(4), 4).tolist() == [0, 1, 2, 3]
    assert np.bincount(part_of(np.arange(1000), 1000)).tolist() == [5] * BINS


def test_the_gain_is_the_chance_times_what_a_decision_settles() -> None:
    alone = np.ones(100, dtype=int)
    assert by_gain(OPEN, alone, 20).tolist() == list(range(100)), "nothing distinguishes"
    many = alone.copy()
    many[60] = 1000
    assert by_gain(OPEN, many, 20).tolist() == [60, *range(60), *range(61, 100)]
