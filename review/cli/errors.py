"""What comes of an error or a signal: one message, and an exit code.

Everything that a person can fix is a `ReviewError`, or something that the machine refused, and
ends with `USER_ERROR`; signals end quietly.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from review_embeddings.pipeline import machine
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.progress import Interrupted, StopRequests
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.signals import (
    FROM_SIGNALS,
    OutputError,
    code_of,
    code_without_output,
    end_at_once,
    guard_streams,
    handlers,
    interrupt,
    let_output_go,
)

PROGRAM_ERROR = 1
"""A fault of the program."""

USER_ERROR = 2
"""Something that a person can fix."""

DIFFERENT = 3
"""Done, and what was compared is different, where that was asked for."""

INTERRUPTED = FROM_SIGNALS + signal.SIGINT
"""Stopped with Ctrl-C. After SIGTERM and SIGHUP the code has their number."""

CONTINUES = "The same command goes on where it was."
NOTHING_WRITTEN = "Nothing was written."

OUTPUT = "the output of the command"
"""What is written where standard output leads to a file."""


@contextmanager
def handled(*, debug: bool, stopped: str = CONTINUES, place: str | None = None) -> Iterator[None]:
    """End the program with a message and an exit code where something goes wrong inside.

    With ``debug`` the exception goes on; ``stopped`` is what is said after Ctrl-C, and ``place``
    where files were written that an error does not name.
    """
    with handlers(interrupt):
        try:
            yield
        except (click.ClickException, click.exceptions.Exit):
            raise
        except KeyboardInterrupt as stop:
            with handlers(lambda number, frame: None):  # once more changes nothing now
                if debug:
                    raise
                end(f"Stopped. {stopped}", code_of(stop))
        except Exception as error:
            if debug and not isinstance(error, (OutputError, BrokenPipeError)):
                raise
            _end_with(error, place)


def _end_with(error: Exception, place: str | None) -> NoReturn:
    if isinstance(error, OutputError):
        _end_output(error.error)
    if isinstance(error, BrokenPipeError):  # of a stream that is not guarded
        _end_output(error)
    if isinstance(error, ReviewError):
        end(f"Error: {error}", USER_ERROR)
    sentence = machine.about_any(error, place)
    if sentence is not None:
        end(f"Error: {sentence}", USER_ERROR)
    reason = f"{type(error).__name__}: {error}"
    end(f"Error: {reason} (this is a fault of the program; --debug shows where)", PROGRAM_ERROR)


def _end_output(error: OSError) -> NoReturn:
    """End where standard output cannot be written any more."""
    let_output_go()
    code = code_without_output(error)
    if code is not None:
        raise SystemExit(code) from None
    end(f"Error: {machine.about_any(error, OUTPUT) or error}", USER_ERROR)


def end(message: str, code: int) -> NoReturn:
    """Say why, and end."""
    with suppress(OSError):  # a closed terminal
        say(message, err=True)
    raise SystemExit(code)


def run_to_exit(command: click.Command, name: str) -> NoReturn:
    """Run a command as the program ``name``; a wrong option gets one line like any other error."""
    guard_streams()
    try:
        with handlers(interrupt):
            code = _code_of(command, name)
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort) as stop:
        interrupt_of = stop.__context__ if isinstance(stop, click.Abort) else stop
        known = isinstance(interrupt_of, KeyboardInterrupt)
        code = code_of(interrupt_of) if known else INTERRUPTED  # type: ignore[arg-type]
    except OutputError as error:
        _end_output(error.error)
    finally:
        end_at_once()
    sys.exit(code)


def _code_of(command: click.Command, name: str) -> int:
    try:
        code = command(prog_name=name, standalone_mode=False)
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click's way to the help, from 8.2 on
            say(*error.format_message().splitlines())
            return 0
        _end_usage(error, name)
    return code if isinstance(code, int) else 0


def _end_usage(error: click.UsageError, name: str) -> NoReturn:
    command = error.ctx.command_path if error.ctx else name
    message = _missing(error) or error.format_message().rstrip(".")
    end(f"Error: {message}. `{command} --help` lists what there is.", USER_ERROR)


def _missing(error: click.UsageError) -> str:
    """What lacks, with the first sentence of its help; empty where no option lacks."""
    option = error.param if isinstance(error, click.MissingParameter) else None
    if not isinstance(option, click.Option):
        return ""
    what = (option.help or "").partition(". ")[0].rstrip(".")
    return f"There is no {option.opts[0]} {option.metavar or ''}".rstrip() + f" ({what})"


class SignalRequests(StopRequests):
    """Requests to stop that signals have made."""

    number: int = signal.SIGINT
    """The signal that asked."""

    @property
    def code(self) -> int:
        """The exit code of what was stopped."""
        return FROM_SIGNALS + self.number


@contextmanager
def stop_requests(note: Callable[[str], None]) -> Iterator[SignalRequests]:
    """Let Ctrl-C, SIGTERM and SIGHUP be requests to stop a training after its step; once more ends
    it.

    Under several processes none is taken: they would not agree on the step, and the last full state
    is there.
    """
    requests = SignalRequests()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield requests
        return

    def stop(number: int, frame: Any) -> None:
        if requests():
            raise Interrupted(number)
        requests.number = number
        requests.add()
        note(
            "Stopping after this step and what belongs to it (evaluation, checkpoint, embedding); "
            "once more stops at once."
        )

    with handlers(stop):
        yield requests
