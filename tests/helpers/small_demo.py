"""The demo's data and training, made small: what takes their place in trials of its ends, and in
the test of what it learns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sklearn.datasets import load_digits

from review_embeddings.review import demo

TRAINING = {**demo.TRAINING, "steps": 2, "save_steps": 2, "batch_size": 4}

MAX_DIGITS = 12


ENOUGH = {**demo.TRAINING, "steps": 224, "save_steps": 56}

ENOUGH_DIGITS = 300
"""With so many, and as many steps as `ENOUGH` says, they are learnt."""


def load_few_digits() -> Any:
    """The first digits."""
    return _digits(MAX_DIGITS)


def load_enough_digits() -> Any:
    """More of them."""
    return _digits(ENOUGH_DIGITS)


def _digits(count: int) -> Any:
    digits = load_digits()
    some = slice(0, count)
    return SimpleNamespace(
        images=digits.images[some], target=digits.target[some], target_names=digits.target_names
    )
