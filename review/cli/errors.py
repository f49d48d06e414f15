"""What comes of an error or a signal: one message, and an exit code.

Everything that a person can fix is a `ReviewError` and ends with `USER_ERROR`; Ctrl-C and SIGTERM
end quietly.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.progress import StopRequests

PROGRAM_ERROR = 1
"""A fault of the program."""

USER_ERROR = 2
"""Something that a person can fix."""

INTERRUPTED = 130
"""Stopped with Ctrl-C or SIGTERM."""

CONTINUES = "The same command goes on where it was."
NOTHING_WRITTEN = "Nothing was written."


@contextmanager
def handled(*, debug: bool, stopped: str = CONTINUES) -> Iterator[None]:
    """End the program with a message and an exit code where something goes wrong inside.

    With ``debug`` the exception goes on; ``stopped`` is what is said after Ctrl-C.
    """
    _interrupt_on_sigterm()
    try:
        yield
    except ReviewError as error:
        if debug:
            raise
        end(f"Error: {error}", USER_ERROR)
    except KeyboardInterrupt:
        if debug:
            raise
        end(f"Stopped. {stopped}", INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except BrokenPipeError:  # whoever read the output has gone, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        reason = f"{type(error).__name__}: {error}"
        end(f"Error: {reason} (this is a fault of the program; --debug shows where)", PROGRAM_ERROR)


def end(message: str, code: int) -> NoReturn:
    """Say why, and end."""
    click.echo(message, err=True)
    raise SystemExit(code)


def run_to_exit(command: click.Command, name: str) -> NoReturn:
    """Run a command as the program ``name``; a wrong option gets one line like any other error."""
    try:
        code = command(prog_name=name, standalone_mode=False)
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click's way to the help, from 8.2 on
            click.echo(error.format_message())
            sys.exit(0)
        _end_usage(error, name)
    except click.Abort:
        end("Stopped.", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _end_usage(error: click.UsageError, name: str) -> NoReturn:
    command = error.ctx.command_path if error.ctx else name
    message = error.format_message().rstrip(".")
    end(f"Error: {message}. `{command} --help` lists what there is.", USER_ERROR)


@contextmanager
def stop_requests(note: Callable[[str], None]) -> Iterator[StopRequests]:
    """Let Ctrl-C and SIGTERM be requests to stop a training after its step; once more ends it.

    Under several processes none is taken: they would not agree on the step, and the last full state
    is there.
    """
    requests = StopRequests()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield requests
        return

    def stop(number: int, frame: object) -> None:
        if requests():
            raise KeyboardInterrupt
        requests.add()
        note(
            "Stopping after this step and what belongs to it (evaluation, checkpoint, embedding); "
            "once more stops at once."
        )

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _interrupt_on_sigterm() -> None:
    """SIGTERM ends the work like Ctrl-C does: temporary files go, the lock is released."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
