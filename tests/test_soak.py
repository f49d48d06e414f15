"""A round of each long trial; `python -m tests.soak` runs all of them."""

from pathlib import Path

import pytest

from tests.soak.trials import load, rounds_of

TRIALS = load()


@pytest.mark.parametrize("name", TRIALS)
def test_a_round_counts_nothing_that_must_be_zero(name: str, tmp_path: Path) -> None:
    trial = TRIALS[name]
    for _, figures in rounds_of(trial, tmp_path / name, iter([0])):
        assert {count: figures.get(count, 0) for count in trial.must_be_zero} == dict.fromkeys(
            trial.must_be_zero, 0
        )
