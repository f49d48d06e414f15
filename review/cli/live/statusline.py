"""Tells a person who waits for what: one line on standard error that goes again with the next
output, or a line that stays where there is no terminal.

It is shown once nothing was printed for a while; what is going on is known by
`progress.current_activity`. Where a command writes lines for programs nothing is shown.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import register_after_fork
from shutil import get_terminal_size
from typing import Any

from review_embeddings.pipeline.progress import current_activity
from review_embeddings.pipeline.text import visible
from review_embeddings.pipeline.textcolumns import width_of

SWITCH, OFF = "REVIEW_EMBEDDINGS_STATUS", "off"
"""The environment variable that keeps the line away, and its value."""

SILENT_SECONDS = 1.5
"""After so long without output a person is told."""

NEXT_SECONDS = 3.0
"""Without a terminal, after so long what is told is replaced by what goes on then."""

LOOK_EVERY = 0.25
"""Seconds between two looks at what is going on."""

AGAIN_SECONDS = 90.0
"""Without a terminal the same is told again after so long without any output."""


class StatusLine:
    """Shows the current activity on one stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._draws = bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._last = time.monotonic()
        self._shown = 0
        self._reported = ""
        self._is_ours = False
        self._muted = False

    @contextmanager
    def output(self) -> Iterator[None]:
        """Take the line away for an output of this process, which is made in this context."""
        with self._lock:
            self._clear()
            try:
                yield
            finally:
                self._last, self._is_ours = time.monotonic(), False

    def mute(self) -> None:
        """Show nothing from now on."""
        with self._lock:
            self._clear()
            self._muted = True

    def run(self) -> None:
        """Look on until `end`."""
        while not self._ended.wait(LOOK_EVERY):
            with self._lock, suppress(OSError, ValueError):
                self.look(time.monotonic())

    def end(self) -> None:
        """Take the line away for good."""
        self._ended.set()
        with self._lock, suppress(OSError, ValueError):
            self._clear()

    def forked(self) -> None:
        """In a child process: it has not the thread, and shows nothing."""
        self._lock, self._muted, self._shown = threading.RLock(), True, 0

    def look(self, now: float) -> None:
        """Show what is going on at a time of `time.monotonic`, where it has been silent long
        enough."""
        current = current_activity()
        if current is None or not current.text or self._muted:
            self._clear()
        elif now - self._last < self._patience:
            pass
        elif self._draws:
            self._draw(f"{current.text} … {now - current.started:.0f} s")
        else:
            self._report(current.text, now)

    @property
    def _patience(self) -> float:
        """Seconds without output after which something is shown."""
        if self._shown:
            return 0.0
        return NEXT_SECONDS if self._is_ours else SILENT_SECONDS

    def _draw(self, text: str) -> None:
        width = get_terminal_size().columns - 1
        line = visible(text)
        while width_of(line) > max(width, 0):
            line = line[:-1]
        size = width_of(line)
        self._write("\r" + line + " " * (self._shown - size))
        self._shown = size

    def _report(self, text: str, now: float) -> None:
        if text == self._reported and now - self._last < AGAIN_SECONDS:
            return
        self._reported, self._last, self._is_ours = text, now, True
        self._write(f"{visible(text)} …\n")

    def _clear(self) -> None:
        if self._shown:
            shown, self._shown = self._shown, 0
            with suppress(OSError, ValueError):
                self._write("\r" + " " * shown + "\r")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


_current: StatusLine | None = None


@contextmanager
def status_shown(stream: Any = None) -> Iterator[None]:
    """Let a person know for what they wait, until the context is left; on standard error where no
    ``stream`` is given. Of several processes of one training only the first one tells."""
    global _current
    stream = sys.stderr if stream is None else stream
    if stream is None or _current is not None or not _is_wanted():
        yield
        return
    line = StatusLine(getattr(stream, "unguarded", stream))
    thread = threading.Thread(target=line.run, daemon=True, name="status")
    _current = line
    register_after_fork(line, StatusLine.forked)
    thread.start()
    try:
        yield
    finally:
        line.end()
        thread.join()
        _current = None


def _is_wanted() -> bool:
    return os.environ.get("RANK", "0") == "0" and os.environ.get(SWITCH) != OFF


class _Watched:
    """A stream of a host's process: the line goes before anything is written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; the number of its characters."""
        with output():
            return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def status_in_host() -> Iterator[None]:
    """The same in the process of somebody else, such as a script: its streams are watched
    meanwhile, and are afterwards what they were."""
    before = sys.stdout, sys.stderr
    if not all(before):
        yield
        return
    with status_shown():
        watched = _Watched(before[0]), _Watched(before[1])
        sys.stdout, sys.stderr = watched
        try:
            yield
        finally:
            if (sys.stdout, sys.stderr) == watched:
                sys.stdout, sys.stderr = before


@contextmanager
def output() -> Iterator[None]:
    """What prints to the terminal does so in here."""
    if _current is None:
        yield
        return
    with _current.output():
        yield


def mute() -> None:
    """Show nothing more: the output is for a program."""
    if _current is not None:
        _current.mute()
