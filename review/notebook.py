"""Shows the progress of the pipeline in a notebook: a line for each stage, which is replaced while
the stage runs."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.text import visible

EVERY = 0.5
"""Seconds between two changes of a line: each is a message to the browser, and is kept."""


def in_notebook() -> bool:
    """Whether what a cell gives is shown as HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """Shows each stage in the output of the cell that runs."""

    def __init__(self) -> None:
        self._latest = ""

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        started = changed = time.perf_counter()
        line = _Line(f"{title} …")
        done, self._latest = 0, ""

        def advance(count: int) -> None:
            nonlocal done, changed
            done += count
            now = time.perf_counter()
            if now - changed >= EVERY:
                changed = now
                left = _left(now - started, done, total)
                line.change(f"{title}: {done:,} of {total:,} {unit}{left}{self._latest}")

        try:
            yield advance
        finally:
            seconds = time.perf_counter() - started
            line.change(f"{title}: {done:,} {unit} in {seconds:.1f} s")
            self._latest = ""

    def note(self, text: str) -> None:
        _Line(text)

    def latest(self, text: str) -> None:
        self._latest = f", the latest {text}"


def _left(seconds: float, done: int, total: int) -> str:
    """How long the rest takes at this rate, where that is worth saying."""
    rest = seconds / done * (total - done) if done else 0.0
    return f", {rest:,.0f} s left" if rest >= 1 else ""


class _Line:
    """A line of the output that can be changed."""

    def __init__(self, text: str) -> None:
        self._id = uuid.uuid4().hex
        self._display(text, update=False)

    def change(self, text: str) -> None:
        """Let another text take the place of this one."""
        self._display(text, update=True)

    def _display(self, text: str, *, update: bool) -> None:
        from IPython import display

        publish: Any = display.publish_display_data
        publish({"text/plain": visible(text)}, transient={"display_id": self._id}, update=update)
