"""What signals and lost streams become: Ctrl-C, SIGTERM and SIGHUP an exception in the work, a
reader that has gone or a closed terminal the end of the output."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from review_embeddings.pipeline.progress import Interrupted
from review_embeddings.pipeline.run import system
from review_embeddings.review.cli.live.statusline import output

FROM_SIGNALS = 128
"""Exit codes of what a signal has ended are this and its number, as in a shell."""


class OutputError(Exception):
    """Standard output cannot be written; nothing tolerates that as it tolerates files."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def code_of(interrupt: KeyboardInterrupt) -> int:
    """The exit code after an interrupt: 130 after Ctrl-C."""
    return FROM_SIGNALS + getattr(interrupt, "number", signal.SIGINT)


@contextmanager
def handlers(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Have ``handle`` called for signals that end a command, and afterwards what was before. For
    SIGINT also where it was ignored, as by a shell without job control for what runs in the
    background."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handle) for number in system.ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def interrupt(number: int, frame: object) -> None:
    """Raise in the work what a signal asks for: temporary files go, locks are released."""
    raise Interrupted(number)


def end_at_once() -> None:
    """Let signals end the process without a word from now on: it is ending."""
    for number in system.ending_signals():
        signal.signal(number, signal.SIG_DFL)


# -- standard output and standard error


class _Stream:
    """A text stream whose faults are told apart from those of files."""

    def __init__(self, stream: TextIO, fault: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._fault = fault

    @property
    def unguarded(self) -> _Stream:
        """Likewise, without the guard that is below it, if any (`printing.GuardedStream`)."""
        return _Stream(getattr(self._stream, "unguarded", self._stream), self._fault)

    def write(self, text: str) -> int:
        """Write, or report why not."""
        with output():
            try:
                return self._stream.write(text)
            except OSError as error:
                self._fault(error)
                return len(text)

    def flush(self) -> None:
        """Flush, or report why not."""
        try:
            self._stream.flush()
        except OSError as error:
            self._fault(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Tell faults of standard output apart, and let those of standard error pass: messages that
    nobody can read end no work. One that is closed is as good as one that nobody reads."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.stdout = _Stream(sys.stdout, _raise_output_error)
    sys.stderr = _Stream(sys.stderr, lambda error: None)


def _raise_output_error(error: OSError) -> None:
    raise OutputError(error) from error


def code_without_output(error: OSError) -> int | None:
    """The exit code where the reader has gone (141, as after SIGPIPE) or the terminal was closed
    (129, as after SIGHUP); None where the output could not be written for another reason."""
    if error.errno == errno.EPIPE:
        return FROM_SIGNALS + system.BROKEN_PIPE
    if error.errno == errno.EIO:
        return FROM_SIGNALS + system.HANGUP
    return None


def let_output_go() -> None:
    """Send what is still to be written to nobody, so that nothing fails once more at the end."""
    with suppress(OSError, ValueError, AttributeError):
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.close(nobody)
