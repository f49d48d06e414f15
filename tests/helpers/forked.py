"""Runs commands of `review-embeddings` in forks of one process that has imported everything, so
that a test can start and kill many: python forked.py reads one command a line and answers.

A fork differs from a process of its own in its imports alone: it has computed nothing before.
Importing takes seconds: who asks for the same environment shares the process that has done it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

AT_START = frozenset(os.environ)
"""Names of this process's variables, without those that libraries add."""


LOOK_EVERY = 0.2
"""Seconds between two looks at what a command prints."""


class Parent:
    """A process that forks, one command at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=tempfile.gettempdir(),
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **request: object) -> int:
        """Send a request: its first answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> int:
        """The next answer."""
        answer = b""
        while not answer.endswith(b"\n"):  # not buffered, so that `select` sees what comes next
            byte = os.read(self._answers, 1)
            assert byte, "the parent of the forks has ended"
            answer += byte
        return int(answer)

    def answers_within(self, seconds: float | None) -> bool:
        """Whether it answers in time."""
        return bool(select.select([self._answers], [], [], seconds)[0])

    @property
    def _answers(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


class Forks:
    """The test's end: one command at a time."""

    def __init__(self, parent: Parent, folder: Path, environment: Mapping[str, str]) -> None:
        """``folder``: where the commands run and their output is kept."""
        self.output = folder / "output.txt"
        self._parent, self._folder, self._environment = parent, folder, environment

    def _ask(
        self,
        arguments: Sequence[object],
        patches: Mapping[str, str] | None = None,
        script: Path | None = None,
    ) -> int:
        self.output.unlink(missing_ok=True)
        return self._parent.ask(
            script=None if script is None else str(script),
            arguments=[str(one) for one in arguments],
            output=str(self.output),
            patches=dict(patches or {}),
            folder=str(self._folder),
            environment={**os.environ, **self._environment},
        )

    def run(self, *arguments: object) -> float:
        """Run a command to its end: how many seconds it took."""
        started = time.monotonic()
        killed = self.run_for(None, *arguments)
        assert not killed
        return time.monotonic() - started

    def answer(self, seconds: float, *arguments: object) -> tuple[int | None, str]:
        """Run a command whatever comes of it: its exit code, None where it was not done after so
        many seconds, and what it printed."""
        code = self.code_of(seconds, *arguments)
        return code, self.output.read_text(errors="replace")

    def run_for(self, seconds: float | None, *arguments: object) -> bool:
        """Run a command, and kill it after so many seconds: whether it had not ended before."""
        code = self.code_of(seconds, *arguments)
        assert code in (0, None), self.output.read_text()
        return code is None

    def code_of(
        self, seconds: float | None, *arguments: object, until: str | None = None
    ) -> int | None:
        """Run a command: its exit code, negative for a signal; None where it had to be killed
        after so many seconds. One that prints ``until`` is told to end (SIGTERM)."""
        fork = self._ask(arguments)
        if until is not None:
            seconds = self._told_to_end(fork, seconds, until)
        ended = self._parent.answers_within(seconds)
        if not ended:
            with contextlib.suppress(ProcessLookupError):  # it ended at this very moment
                os.kill(fork, signal.SIGKILL)
        code = self._parent.answer()
        return None if code == -signal.SIGKILL and not ended else code

    def _told_to_end(self, fork: int, seconds: float | None, until: str) -> float | None:
        """Wait for the end, or for a text after which it is told to: the seconds that are left."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        while not self._parent.answers_within(LOOK_EVERY) and time.monotonic() < end:
            if self.output.exists() and until in self.output.read_text(errors="replace"):
                os.kill(fork, signal.SIGTERM)
                break
        return None if seconds is None else max(0.0, end - time.monotonic())

    def begin(self, *arguments: object) -> int:
        """Start a command: the number of its process. `ended` waits for it."""
        return self._ask(arguments)

    def ended(self) -> tuple[int, str]:
        """The end of the command that was begun: its exit code, and all that it printed."""
        return self._parent.answer(), self.output.read_text(errors="replace")

    def end_of(
        self, *arguments: object, patches: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run a command to its end, whatever that is: its exit code, and all that it printed.

        ``patches`` names what is replaced by what first, both as ``module:name``.
        """
        self._ask(arguments, patches)
        return self.ended()

    def end_of_script(self, script: Path, *arguments: object) -> tuple[int, str]:
        """Run a file of Python to its end, as `end_of` runs a command."""
        self._ask(arguments, script=script)
        return self.ended()


_parents: dict[tuple[tuple[str, str], ...], Parent] = {}
"""By what is set for them beside the environment of this process."""


@contextlib.contextmanager
def forks(folder: Path, **environment: str) -> Iterator[Forks]:
    """Forks for as long as the context lasts; their parent stays for others, unless something went
    wrong."""
    own = {name: value for name, value in environment.items() if os.environ.get(name) != value}
    key = tuple(sorted(own.items()))
    if key not in _parents:
        _parents[key] = Parent(environment)
    try:
        yield Forks(_parents[key], folder, environment)
    except BaseException:
        _parents.pop(key).close()
        raise


@atexit.register
def _close_all() -> None:
    while _parents:
        _parents.popitem()[1].close()


def main() -> None:
    """Serve: the number of the fork, then its exit code, negative for a signal."""
    tried: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        imported = Path(request["output"]).with_suffix(".modules")
        _import_all(imported, tried)
        fork = os.fork()
        if fork == 0:
            _become(request, imported)
        os.write(1, b"%d\n" % fork)
        _, status = os.waitpid(fork, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def _import_all(names: Path, tried: set[str]) -> None:
    """Import what the last whole command has imported until its end, but for what cannot be."""
    if names.exists():
        for name in names.read_text().split():
            if name not in sys.modules and name not in tried:
                tried.add(name)
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        names.unlink()
        gc.collect()
        gc.freeze()  # a collection in a fork would copy the pages of all that was imported


def _named(name: str) -> tuple[Any, str]:
    module, _, attribute = name.partition(":")
    return importlib.import_module(module), attribute


def _become(request: dict[str, Any], imported: Path) -> None:
    """Run the command line as this process, and never return."""
    code = 1
    try:
        file = os.open(request["output"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(request["folder"])
        for name in AT_START - request["environment"].keys():
            os.environ.pop(name, None)
        os.environ.update(request["environment"])
        from review_embeddings.review.cli.program import main as program

        values = {name: getattr(*_named(value)) for name, value in request["patches"].items()}
        for name, value in values.items():
            setattr(*_named(name), value)
        script = request["script"]
        sys.argv = [script or "review-embeddings", *request["arguments"]]
        try:
            program() if script is None else runpy.run_path(script, run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code == 0:
            imported.write_text("\n".join(list(sys.modules)))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
