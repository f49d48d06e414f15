"""What takes the place of parts of the program so that it kills itself at a certain step of a
training (`forked.Forks.end_of` replaces them)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

AT_ONCE = 0.0
"""Seconds between two full states."""

EACH_STATE = {"review_embeddings.pipeline.training.trainer:RESUME_SECONDS": "killing:AT_ONCE"}
"""So that a training keeps a full state whenever it may."""


def at_step(number: int) -> dict[str, str]:
    """So that a training is killed after that step, one of those below."""
    stops = "review_embeddings.review.cli.training.finetune:stop_requests"
    return {**EACH_STATE, stops: f"killing:AFTER_{number}"}


def _killed_after(number: int) -> Callable[[Any], AbstractContextManager[Callable[[], bool]]]:
    @contextmanager
    def stop_requests(note: Any) -> Iterator[Callable[[], bool]]:
        steps = iter(range(1, number))

        def stop() -> bool:
            if next(steps, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return False

        yield stop

    return stop_requests


AFTER_1, AFTER_5, AFTER_7 = map(_killed_after, (1, 5, 7))
