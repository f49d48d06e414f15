"""What the terminal shows while something works, and what stays of it."""

import io
import re

import pytest
from rich.console import Console

from review_embeddings.review.cli.live import terminal
from review_embeddings.review.cli.live.terminal import TerminalProgress


def test_what_was_done_last_stands_under_its_stage_and_does_not_stay() -> None:
    written = io.StringIO()
    progress = TerminalProgress(Console(file=written, force_terminal=True, width=100))
    with (
        progress.stage("Embedding", total=10, unit="images") as advance,
        progress.stage("Shards", total=10, unit="images"),
    ):
        progress.latest("images 0-4 by [one]")
        progress.latest("images 5-9 by [two]")
        assert progress._bars is not None
        progress._bars.refresh()
        advance(10)
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert any("  images 5-9 by [two]" in line for line in lines)
    kept = [line for line in lines if re.search(r" in \d+\.\d s", line)]
    assert re.search(r"Embedding: 10 images in \d+\.\d s", kept[-1])


def test_without_a_terminal_it_is_noted_with_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "QUIET", -1.0)
    written = io.StringIO()
    progress = TerminalProgress(Console(file=written))
    with progress.stage("Shards", total=10, unit="images") as advance:
        advance(2)
        progress.latest("images 2-4 by one")
        advance(3)
    lines = written.getvalue().splitlines()
    assert lines[:2] == [
        "Shards: 2 of 10 images",
        "Shards: 5 of 10 images, the latest images 2-4 by one",
    ]
