"""A round of each long trial, with a kill of each command; `python -m tests.soak` runs all of them,
with more."""

from pathlib import Path

import pytest

from tests.soak import kills
from tests.soak.trials import load, rounds_of

TRIALS = load()


@pytest.mark.parametrize("name", TRIALS)
def test_a_round_counts_nothing_that_must_be_zero(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills, "KILLS", dict.fromkeys(kills.KILLS, 1))
    trial = TRIALS[name]
    for _, figures in rounds_of(trial, tmp_path / name, iter([0])):
        assert {count: figures.get(count, 0) for count in trial.must_be_zero} == dict.fromkeys(
            trial.must_be_zero, 0
        )
