"""How long work reports what it does, without knowing who listens: the pipeline calls, the command
line draws. And how it is asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of units done since the last call."""


class Progress(Protocol):
    """What the pipeline reports while it works."""

    def stage(self, title: str, *, total: int, unit: str) -> AbstractContextManager[Advance]:
        """One piece of work of ``total`` units, from entering to leaving the context."""
        ...

    def note(self, text: str) -> None:
        """One line that a person should read, such as an image or a checkpoint that was left
        out."""
        ...

    def latest(self, text: str) -> None:
        """What was done last, such as a part of the work and by whom: shown beside the stage until
        the next one replaces it."""
        ...


class _Silent:
    """Reports to nobody."""

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        yield lambda done: None

    def note(self, text: str) -> None:
        pass

    def latest(self, text: str) -> None:
        pass


SILENT: Progress = _Silent()


@dataclass(eq=False)
class Activity:
    """What this process is doing that is no stage, such as loading a library."""

    text: str
    """For people, such as ``Opening the data set``; empty for what needs no word."""
    is_default: bool = False
    """Whether anything else that is known says more."""
    started: float = field(default_factory=time.monotonic)


_activities: list[Activity] = []


@contextmanager
def activity(text: str) -> Iterator[Activity]:
    """Let whoever shows it to people know what is done until the context is left, for the case that
    it takes long. The innermost counts; of an empty text nothing is shown."""
    begun = Activity(text)
    _activities.append(begun)
    try:
        yield begun
    finally:
        _activities.remove(begun)


@contextmanager
def default_activity(text: str) -> Iterator[None]:
    """Likewise where nothing else is known of what is done but by default."""
    current = current_activity()
    if current is not None and not current.is_default:
        yield
        return
    with activity(text) as begun:
        begun.is_default = True
        yield


def current_activity() -> Activity | None:
    """The innermost of this process; None where nothing was said."""
    return _activities[-1] if _activities else None


class Interrupted(KeyboardInterrupt):
    """A signal asks to end at once, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class StopRequests:
    """Whether somebody has asked to stop; can be asked for at any time, and from signal handlers.

    Another callable in its place may count how often it is asked: once after each step.
    """

    def __init__(self) -> None:
        self._made = False

    def __call__(self) -> bool:
        return self._made

    def add(self) -> None:
        """Ask to stop."""
        self._made = True
