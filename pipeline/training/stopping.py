"""Requests to stop a training in good order."""

from __future__ import annotations


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
