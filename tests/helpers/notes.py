"""A progress that keeps what is said to people."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from review_embeddings.pipeline.progress import SILENT


class Notes:
    """Keeps the notes and shows no stage."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(
        self, title: str, *, total: int, unit: str
    ) -> AbstractContextManager[Callable[[int], None]]:
        return SILENT.stage(title, total=total, unit=unit)

    def note(self, text: str) -> None:
        self.lines.append(text)

    def latest(self, text: str) -> None:
        pass

    @property
    def faults(self) -> list[str]:
        """Those by which what looks on ends its work."""
        return [line for line in self.lines if "switched off" in line]
