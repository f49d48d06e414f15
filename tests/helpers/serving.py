"""Starts `review-embeddings` as a person does, in a process of its own, and finds out where its
page is."""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import psutil


class Serving:
    """The running program and its page."""

    def __init__(self, arguments: list[str]) -> None:
        program = "from review_embeddings.review.cli.program import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=tempfile.gettempdir(),  # as from anywhere
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self._wait_for_url()
        """With the token, as a person opens it."""
        self.url, _, self.token = self.address.partition("?token=")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _wait_for_url(self) -> str:
        while True:
            line = self._lines.get(timeout=240)
            if line is None:
                raise AssertionError(f"the program ended: {self.output}")
            self.output += line
            if match := re.search(r"Spotlight: (https?://\S+)", line):
                return match[1]

    def servers(self) -> list[psutil.Process]:
        """Spotlight's server, a child of the program."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[Serving]:
    """Serve for as long as the context lasts."""
    started = Serving([str(argument) for argument in arguments])
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.process.terminate()
        started.process.wait(timeout=30)
        assert started.process.stdout is not None
        started.process.stdout.close()
