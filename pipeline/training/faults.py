"""Keeps the faults of what looks on at a training away from it. Knows neither what looks on nor how
a training is made."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from review_embeddings.pipeline.errors import BusyError, ReviewError, StorageError, reason_of
from review_embeddings.pipeline.machine import refusal_in
from review_embeddings.pipeline.progress import SILENT, Progress

logger = logging.getLogger(__name__)


class FaultSwitch:
    """Switches something off at its first fault, tells that in one line, and lets the training go
    on.

    An interrupt (KeyboardInterrupt, SystemExit) is no fault and goes through.
    """

    def __init__(
        self, what: str, progress: Progress, release: Callable[[], None], *, strict: bool = False
    ) -> None:
        """``what`` is what people call it; ``release`` lets go of all that it holds, such as locks,
        and is called once.

        With ``strict`` what the machine refuses (a full disk) ends the training: one that goes on
        from its last full state loses nothing then.
        """
        self._strict = strict
        self._what = what
        self._progress = progress
        self._release = release
        self.is_off = False

    @contextmanager
    def guarded(self, *, refuses: bool = False) -> Iterator[None]:
        """Run what may fail.

        With ``refuses``, before the first step of a training, a ReviewError goes through: it says
        what cannot work. A name that is not ours to judge, such as `KeyboardInterrupt`, always
        does.
        """
        try:
            yield
        except ReviewError as error:
            self.switch_off()
            if refuses or (self._strict and _is_of_the_machine(error)):
                raise
            self._tell(str(error))
        except Exception as error:  # whatever it is, it must not end a training of hours
            self.switch_off()
            if self._strict and _is_of_the_machine(error):
                raise
            self._tell(f"{type(error).__name__}: {reason_of(error)}")

    def switch_off(self) -> None:
        """Let go of everything, for good."""
        if not self.is_off:
            self.is_off = True
            with contextlib.suppress(Exception):
                self._release()

    def note(self, text: str) -> None:
        """One line for people, which may itself fail: on the progress that was given, otherwise in
        the log of Python, which shows warnings."""
        with contextlib.suppress(Exception):
            line = " ".join(text.split())
            if self._progress is SILENT:
                logger.warning(line)
            else:
                self._progress.note(line)

    def note_at_end(self, text: str) -> None:
        """A line for people where no progress was given: a host that shows progress ends in words
        of its own."""
        if self._progress is SILENT and not self.is_off:
            self.note(text)

    def _tell(self, reason: str) -> None:
        stop = "" if reason.rstrip().endswith((".", "!", "?")) else "."
        self.note(f"{self._what} is switched off, and the training goes on: {reason}{stop}")


def _is_of_the_machine(error: Exception) -> bool:
    """Whether a disk refused something; another process that holds a lock is no such thing."""
    if isinstance(error, ReviewError):
        return isinstance(error, StorageError) and not isinstance(error, BusyError)
    return refusal_in(error) is not None
