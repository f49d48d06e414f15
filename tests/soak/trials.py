"""What a trial is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

Figures = Mapping[str, int]
"""What a round has counted, by name."""

Round = Callable[[int], Figures]
"""Does the round of a seed."""


@dataclass(frozen=True)
class Trial:
    """Something tried again and again with other seeds."""

    name: str
    rounds: int
    """In all; a round takes seconds."""
    must_be_zero: tuple[str, ...]
    """Figures of which one that is not zero is a failure."""
    prepare: Callable[[Path], AbstractContextManager[Round]]
    """Makes in an empty folder what all rounds share."""


TRIALS: dict[str, Trial] = {}


def trial(
    name: str, rounds: int, must_be_zero: tuple[str, ...]
) -> Callable[
    [Callable[[Path], AbstractContextManager[Round]]],
    Callable[[Path], AbstractContextManager[Round]],
]:
    """Declare a trial by the context that prepares it."""

    def declare(
        prepare: Callable[[Path], AbstractContextManager[Round]],
    ) -> Callable[[Path], AbstractContextManager[Round]]:
        TRIALS[name] = Trial(name, rounds, must_be_zero, prepare)
        return prepare

    return declare


def load() -> dict[str, Trial]:
    """All trials, in the order in which they are run."""
    from tests.soak import clients, commands, kills  # noqa: F401

    return TRIALS


def rounds_of(trial: Trial, folder: Path, seeds: Iterator[int]) -> Iterator[tuple[int, Figures]]:
    """Do rounds in a folder: each seed with what it counted."""
    folder.mkdir(parents=True, exist_ok=True)
    with trial.prepare(folder) as round_of:
        for seed in seeds:
            yield seed, round_of(seed)
