"""Shows the progress of the pipeline: a bar with rate and time left, or a line a stage where there
is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from review_embeddings.pipeline.loading import loading_seconds
from review_embeddings.pipeline.progress import Advance, activity
from review_embeddings.pipeline.text import visible

QUIET = 60.0
"""Seconds between the lines about a stage where there is no terminal to draw on."""


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:,.{0 if speed >= 10 else 1}f} {task.fields['unit']}/s")


class TerminalProgress:
    """Shows each stage while it runs, those inside it below it, and keeps one line of each when it
    is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._running: list[TaskID] = []
        self._latest = ""

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        title, started = visible(title), time.perf_counter()
        noted, loaded = started, loading_seconds()
        done = 0
        with activity(title), self._drawing() as bars:
            task = bars.add_task(title, total=total, unit=unit, latest="")
            self._running.append(task)
            self._latest = ""

            def advance(count: int) -> None:
                nonlocal done, noted
                done += count
                bars.advance(task, count)
                if not self._console.is_terminal and time.perf_counter() - noted > QUIET:
                    noted = time.perf_counter()
                    self.note(
                        f"{title}: {done:,} of {total:,} {unit}"
                        + (f", the latest {self._latest}" if self._latest else "")
                    )

            try:
                yield advance
            finally:
                bars.remove_task(self._running.pop())
                self._latest = ""
        seconds = time.perf_counter() - started - (loading_seconds() - loaded)
        rate = f", {done / seconds:,.0f} {unit}/s" if done >= 10 * seconds > 5 else ""
        self.note(f"{title}: {done:,} {unit} in {seconds:.1f} s{rate}")

    @contextmanager
    def _drawing(self) -> Iterator[Progress]:
        """The bars on the screen: one display, begun by the outermost stage."""
        if self._bars is not None:
            yield self._bars
            return
        columns = (
            TextColumn("{task.description}{task.fields[latest]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as self._bars:
            try:
                yield self._bars
            finally:
                self._bars = None

    def note(self, text: str) -> None:
        self._console.print(Text(visible(text)), soft_wrap=True)

    def latest(self, text: str) -> None:
        self._latest = text = visible(text)
        if self._bars is not None:
            # a line of its own, so that the bar does not move
            self._bars.update(self._running[-1], latest=f"\n  {text}")
