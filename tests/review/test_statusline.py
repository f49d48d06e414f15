"""What a person who waits is told: after a while, of what goes on, and no longer than until
something is printed."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from review_embeddings.pipeline.progress import activity, current_activity, default_activity
from review_embeddings.review.cli.live import statusline
from review_embeddings.review.cli.live.statusline import (
    AGAIN_SECONDS,
    NEXT_SECONDS,
    SILENT_SECONDS,
    StatusLine,
)


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests keep the line away."""
    monkeypatch.delenv(statusline.SWITCH, raising=False)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    return FakeTerminal()


def shown_at(line: StatusLine, *seconds: float) -> list[str]:
    """What a line adds to its stream when it looks at these times since its last output."""
    stream, start, added = line._stream, line._last, []
    for second in seconds:
        before = len(stream.getvalue())
        line.look(start + second)
        added.append(stream.getvalue()[before:])
    return added


def test_a_terminal_shows_what_goes_on_until_something_is_printed(screen: FakeTerminal) -> None:
    line = StatusLine(screen)
    with activity("Opening the data set") as begun:
        begun.started = line._last
        early, first, later = shown_at(line, SILENT_SECONDS - 0.1, SILENT_SECONDS, 3.0)
    assert early == ""
    assert first == "\rOpening the data set … 2 s"
    assert later == "\rOpening the data set … 3 s"
    with line.output():
        screen.write("done\n")
    cleared = "\r" + " " * len("Opening the data set … 3 s") + "\r"
    assert screen.getvalue().endswith(f"{cleared}done\n")


def test_a_line_is_no_wider_than_the_terminal(screen: FakeTerminal) -> None:
    line = StatusLine(screen)
    with activity("データセット" * 20):
        (shown,) = shown_at(line, 2.0)
    assert len(shown) == 1 + 39 // 2


def test_a_file_gets_a_line_for_each_thing_that_takes_long() -> None:
    line = StatusLine(io.StringIO())
    with activity("Loading torch"):
        assert shown_at(line, SILENT_SECONDS, SILENT_SECONDS + 1) == ["Loading torch …\n", ""]
        assert shown_at(line, AGAIN_SECONDS) == ["Loading torch …\n"]
    with activity("Starting Spotlight"):
        assert shown_at(line, NEXT_SECONDS - 0.1, NEXT_SECONDS) == ["", "Starting Spotlight …\n"]


def test_nothing_is_shown_where_nothing_is_to_be_told(screen: FakeTerminal) -> None:
    line = StatusLine(screen)
    assert shown_at(line, 100.0) == [""]
    with activity("Preparing the page"), activity(""):
        assert shown_at(line, 100.0) == [""]
    line.mute()  # a command with --json
    with activity("Preparing the page"):
        assert shown_at(line, 100.0) == [""]


def test_what_is_known_comes_before_what_is_said_by_default() -> None:
    with default_activity("Reading the run"), default_activity("Looking up what there is to do"):
        assert (current_activity() or pytest.fail()).text == "Looking up what there is to do"
        with activity("Opening the data set"), default_activity("Reading the images"):
            assert (current_activity() or pytest.fail()).text == "Opening the data set"


def test_control_characters_of_names_reach_no_terminal(screen: FakeTerminal) -> None:
    line = StatusLine(screen)
    with activity("Opening \x1b[2J"):
        (shown,) = shown_at(line, 2.0)
    assert "\x1b" not in shown


SLOW = textwrap.dedent("""
    import time
    import click
    from review_embeddings.pipeline.progress import activity
    from review_embeddings.review.cli import program
    from review_embeddings.review.cli.live import statusline

    @click.command()
    def cli():
        with activity("Opening the data set"):
            while not (statusline._current._shown or statusline._current._reported):
                time.sleep(0.01)
        click.echo("opened")

    statusline.SILENT_SECONDS = statusline.LOOK_EVERY = 0.05
    program.cli = cli
    program.main()
""")
"""The program with a command that takes until it is told."""


def _run(source: str, stream: int) -> None:
    subprocess.run(
        [sys.executable, "-c", source],
        stdout=stream,
        stderr=stream,
        env=os.environ | {"TERM": "xterm"},
        check=True,
    )


def _read(descriptor: int) -> str:
    found = b""
    while select.select([descriptor], [], [], 0)[0]:
        try:
            found += os.read(descriptor, 1 << 16)
        except OSError:
            break
    return found.decode()


def test_the_program_tells_it_on_a_real_terminal() -> None:
    ours, theirs = pty.openpty()
    _run(SLOW, theirs)
    output = _read(ours)
    os.close(ours)
    os.close(theirs)
    assert "\rOpening the data set … " in output
    assert output.endswith(" \ropened\r\n"), "and takes it away again"


def test_the_program_tells_it_in_a_file(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as file:
        _run(SLOW, file.fileno())
    assert (tmp_path / "output").read_text() == "Opening the data set …\nopened\n"


def test_a_variable_keeps_it_away(screen: FakeTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with statusline.status_shown(screen):
        assert statusline._current is not None
    monkeypatch.setenv(statusline.SWITCH, statusline.OFF)
    with statusline.status_shown(screen):
        assert statusline._current is None


def test_outputs_without_a_status_line_are_as_they_were() -> None:
    assert statusline._current is None
    with statusline.output():
        pass
    statusline.mute()


IN_HOST = textwrap.dedent("""
    import sys, time
    from review_embeddings.pipeline.progress import activity
    from review_embeddings.review.cli.live import statusline

    statusline.SILENT_SECONDS = statusline.LOOK_EVERY = 0.05
    before = sys.stdout, sys.stderr
    with statusline.status_in_host():
        with activity("Starting Spotlight"):
            while not statusline._current._shown:
                time.sleep(0.01)
        print("Spotlight: http")
    assert (sys.stdout, sys.stderr) == before and statusline._current is None
    print("mine")
""")
"""A script of somebody that opens a review."""


def test_a_script_is_told_too_and_keeps_its_streams() -> None:
    ours, theirs = pty.openpty()
    _run(IN_HOST, theirs)
    output = _read(ours)
    os.close(ours)
    os.close(theirs)
    assert "\rStarting Spotlight … " in output
    assert output.endswith(" \rSpotlight: http\r\nmine\r\n")
