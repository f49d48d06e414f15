"""The demo's data and training, made small: what takes their place in trials of its ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sklearn.datasets import load_digits

from review_embeddings.review import demo

TRAINING = {**demo.TRAINING, "steps": 2, "save_steps": 2, "batch_size": 4}

MAX_DIGITS = 12


def load_few_digits() -> Any:
    """The first digits."""
    digits = load_digits()
    few = slice(0, MAX_DIGITS)
    return SimpleNamespace(
        images=digits.images[few], target=digits.target[few], target_names=digits.target_names
    )
