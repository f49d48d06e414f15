"""One measurement: a tool that ends with its scores, or one that serves a page, until Chromium has
painted it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from playwright.sync_api import Error, Page, sync_playwright

from tests.benchmarks.rivals.watching import Watch, browsers, tree
from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[2] / "helpers"))
from chromium import FLAGS

PATIENCE = 3600
"""Seconds after which a tool that shows nothing is given up."""

LOOK = 0.1
"""Seconds between two looks for an address or a picture."""

COLOURS, COVERED = 16, 0.003
"""Colours that a painted part of a page has at least, and the share of its pixels that have not the
most common one."""


@dataclass(frozen=True)
class Measured:
    """What a tool took, until its scores were finished or its page was painted."""

    seconds: float
    processor: float
    mib: float
    browser_processor: float = 0.0
    browser_mib: float = 0.0


class ToolError(Exception):
    """The tool ended or showed nothing; with the end of its output."""


@dataclass(frozen=True)
class Program:
    """A tool that was started, with the file that its output goes to."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        if self.process.poll() is not None:
            raise ToolError(f"ended with {self.process.returncode}: {self.output()[-1500:]}")

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def started(command: Sequence[str], log: Path, state: Path) -> Iterator[Program]:
    """The tool for as long as the context lasts, with nothing of another measurement in its caches.

    Telemetry is off, and nothing is asked of the Hub."""
    environment = os.environ | {
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(state / "cache"),
        "XDG_CONFIG_HOME": str(state / "config"),
        "XDG_DATA_HOME": str(state / "data"),
        "LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false",
        "SPOTLIGHT_OPT_OUT": "true",
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=file, env=environment
        )
        try:
            yield Program(process, log)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    for signal in ("terminate", "kill"):
        running = tree(process.pid)()
        for one in running:
            with contextlib.suppress(psutil.Error):
                getattr(one, signal)()
        psutil.wait_procs(running, timeout=20)
    process.wait(timeout=60)


def until_it_ends(command: Sequence[str], log: Path, state: Path) -> Measured:
    """A tool that ends with its scores. Raises ToolError where it fails."""
    before = time.perf_counter(), ended_processor()
    with started(command, log, state) as program, Watch(tree(program.process.pid)) as watch:
        status = program.process.wait()
        seconds = time.perf_counter() - before[0]
        mib = watch.taken().mib
    if status:
        raise ToolError(f"ended with {status}: {program.output()[-1500:]}")
    return Measured(seconds, ended_processor() - before[1], mib)


def ended_processor() -> float:
    """Processor seconds of all children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def until_painted(
    command: Sequence[str],
    log: Path,
    state: Path,
    *,
    address: Callable[[Program], str | None],
    shown: str,
    painted: Sequence[str],
    picture: Path,
) -> Measured:
    """A tool that serves a page at its ``address``, until ``shown`` (an expression of JavaScript)
    is true and each part of the page that ``painted`` selects is. What is seen then is left in
    ``picture``. Raises ToolError where it fails."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        before = time.perf_counter()
        with (
            started(command, log, state) as program,
            Watch(tree(program.process.pid)) as tool,
            Watch(browsers) as shows,
        ):
            go(page, waited(lambda: address(program), program), program)
            waited(lambda: is_true(page, shown), program)
            waited(lambda: all(is_painted(page, part) for part in painted), program)
            seconds = time.perf_counter() - before
            took, showing = tool.taken(), shows.taken()
            page.screenshot(path=picture)
        browser.close()
    return Measured(seconds, took.processor, took.mib, showing.processor, showing.mib)


def waited(look: Callable[[], Any], program: Program) -> Any:
    """What a look gives as soon as it gives something."""
    late = time.monotonic() + PATIENCE
    while not (found := look()):
        program.check()
        if time.monotonic() > late:
            raise ToolError(f"showed nothing for {PATIENCE} s: {program.output()[-1500:]}")
        time.sleep(LOOK)
    return found


def go(page: Page, address: str, program: Program) -> None:
    """Open the address; a tool may print it a moment before it listens."""
    port = re.search(r":(\d+)", address.partition("//")[2])
    waited(lambda: listens(int(port[1])) if port else True, program)
    page.goto(address, timeout=1000 * PATIENCE, wait_until="commit")


def listens(port: int) -> bool:
    for host in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return True
    return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def is_true(page: Page, expression: str) -> bool:
    """Whether an expression of JavaScript is true; not on a page that is just being left."""
    with contextlib.suppress(Error):
        return bool(page.evaluate(f"() => !!({expression})"))
    return False


def is_painted(page: Page, selector: str) -> bool:
    """Whether the first part of the page that the selector finds has a picture in it."""
    part = page.query_selector(selector)
    box = part.bounding_box() if part is not None else None
    if box is None or min(box["width"], box["height"]) < 1:
        return False
    return has_picture(page.screenshot(clip=box, timeout=1000 * PATIENCE))


def has_picture(png: bytes) -> bool:
    """Whether a picture shows more than a plain ground with a few words."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colours = image.getcolors(maxcolors=image.width * image.height)
    counts = sorted((count for count, _ in colours or []), reverse=True)
    return len(counts) >= COLOURS and sum(counts[1:]) >= COVERED * sum(counts)
