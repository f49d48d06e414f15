"""Starts `review-embeddings` as a person does, in a process of its own, and finds out where its
page is and how to get in."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE


@dataclass(frozen=True)
class Pass:
    """What a browser has that was let in: for requests without one."""

    url: str
    cookie: str
    """``name=value``."""
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Of our page, whatever it asks."""
        origin = self.url.rstrip("/")
        return {"Cookie": self.cookie, "X-Review-Token": self.token, "Origin": origin}


def ask(
    url: str, method: str = "GET", body: object = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Status, content and headers (names in lower case) of an answer; none is followed."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    context = UNVERIFIED if url.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, answer.read(), named
    except urllib.error.HTTPError as error:
        with error:
            named = {name.lower(): value for name, value in error.headers.items()}
            return error.code, error.read(), named


def enter(address: str) -> Pass:
    """Exchange an address, as the hand-over page does."""
    url, _, key = address.partition("?token=")
    headers = {"Origin": url.rstrip("/"), "Content-Type": "application/json"}
    status, content, answered = ask(f"{url}api/review/enter", "POST", {"key": key}, **headers)
    assert status == 200, content
    return Pass(url, answered["set-cookie"].split(";")[0], json.loads(content)["token"])


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
        self.printed = self._wait_for_url(r"Spotlight: (https?://\S+)")
        """The first address, good once."""
        self.url = self.printed.partition("?token=")[0]
        self._unused: str | None = self.printed
        self._pass: Pass | None = None

    @property
    def address(self) -> str:
        """An address that was not used yet: the printed one, and then those that the terminal gives
        to who opens it once more."""
        if self._unused is None:
            key = self.printed.partition("?token=")[2]
            headers = {"Origin": self.url.rstrip("/"), "Content-Type": "application/json"}
            status, *_ = ask(f"{self.url}api/review/enter", "POST", {"key": key}, **headers)
            assert status == 403
            self._unused = self._wait_for_url(r"New address: (https?://\S+)")
        address, self._unused = self._unused, None
        return address

    @property
    def own(self) -> Pass:
        """What lets in requests that come from no browser."""
        if self._pass is None:
            self._pass = enter(self.address)
        return self._pass

    def get(self, path: str) -> bytes:
        """The answer to who was let in."""
        status, content, _ = ask(self.url + path, Cookie=self.own.cookie)
        assert status == 200, content
        return content

    def get_json(self, path: str) -> Any:
        """The same, as JSON."""
        return json.loads(self.get(path))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _wait_for_url(self, pattern: str) -> str:
        while True:
            line = self._lines.get(timeout=240)
            if line is None:
                raise AssertionError(f"the program ended: {self.output}")
            self.output += line
            if match := re.search(pattern, line):
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
