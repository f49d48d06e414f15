"""Spotlight's page with many checkpoints, in a real browser: until it is there, its table, a
selection, a step of the slider, the next picture, a hover, the frames while it plays, memory.

    python -m tests.benchmarks.page --images 10000 --checkpoints 50 --work DIR
    python -m tests.benchmarks.page --images 50000 --checkpoints 3 --rounds 1 --work DIR
    python -m tests.benchmarks.page --run RUN

Beside it Spotlight itself with a table of three rows, started as a person would: what no page of
it can be faster than. Both are started ``--rounds`` times in turns, each in processes of its own.
Until it is there: from the start of the program until the page in the browser has its rows and has
drawn them. A selection and a step end with the second frame painted after them. Memory: of the
page's JavaScript, and of all our processes together, what they share counted once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.large import make
from tests.benchmarks.maps import HOVER
from tests.benchmarks.pictures import PICTURE, PRESS
from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS
from serving import Serving, serving

FLOOR = """
import pandas as pd
from renumics import spotlight
viewer = spotlight.show(pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 3.0, 2.0]}),
    no_browser=True, wait=False, analyze=False)
print(f"at {viewer.url}", flush=True)
input()
"""

PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

SELECT = """async rows => {
    const painted = () => new Promise(done => requestAnimationFrame(() =>
    requestAnimationFrame(done)));
    const started = performance.now();
    spotlight.useDataset.getState().selectRows(rows);
    await painted();
    return performance.now() - started;
}"""

STEP = """async title => {
    const painted = () => new Promise(done => requestAnimationFrame(() =>
    requestAnimationFrame(done)));
    const button = document.querySelector(`[data-test-tag=checkpoint-slider] [title^="${title}"]`);
    const started = performance.now();
    button.click();
    await painted();
    return performance.now() - started;
}"""


PLAY = """async seconds => {
    const frame = () => new Promise(done => requestAnimationFrame(done));
    const button = () => document.querySelector(
        "[data-test-tag=checkpoint-slider] :is([title^=Play], [title^=Pause])");
    button().click();
    const intervals = [];
    const end = performance.now() + 1000 * seconds;
    let before = await frame();
    while (before < end) {
        const now = await frame();
        intervals.push(now - before);
        before = now;
    }
    button().click();
    return intervals;
}"""

PLAYED = 8  # seconds

KEYS = 20


@contextmanager
def floor() -> Iterator[str]:
    """Spotlight with three rows; gives its address."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", FLOOR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            yield next(
                line.removeprefix("at ").strip()
                for line in process.stdout
                if line.startswith("at ")
            )
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def opened(browser: Any, address: str, started: float) -> tuple[Page, float]:
    """The page and the seconds since the program was started."""
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.goto(address)
    page.wait_for_function(
        "globalThis.spotlight && spotlight.useDataset.getState().length > 0 && "
        "(document.body.innerText.includes('Filtered') || "
        "document.querySelector('canvas[data-placement]') !== null)",  # its table, or a map of ours
        timeout=180_000,
    )
    page.evaluate(PAINTED)
    return page, time.perf_counter() - started


def seconds_of(page: Page, script: str, argument: object) -> float:
    taken: float = page.evaluate(script, argument)
    page.wait_for_timeout(1500)  # pictures and statistics come later and are not waited for
    return taken / 1000


def looked_at(page: Page) -> Iterator[tuple[str, float]]:
    """Seconds of what a person does on the page, by title."""
    total = page.evaluate("() => spotlight.useDataset.getState().length")
    random = np.random.default_rng(0)
    for _ in range(5):
        rows = random.choice(total, min(1000, total), replace=False).tolist()
        yield "1,000 rows selected", seconds_of(page, SELECT, rows)
        yield "a step of the slider", seconds_of(page, STEP, "Next checkpoint")
    page.evaluate("() => spotlight.useDataset.getState().selectRows([])")
    for _ in range(KEYS):
        times = page.evaluate(PRESS, PICTURE)
        yield "next picture painted", times["painted"] / 1000
        page.wait_for_timeout(300)
    for taken in page.evaluate(HOVER):
        yield "a hover", taken / 1000
    for interval in page.evaluate(PLAY, PLAYED):
        yield "between frames, playing", interval / 1000


def memory(page: Page, ours: Serving) -> Iterator[tuple[str, float]]:
    """MiB, by title."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    heap = next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")
    yield "memory of the page's JavaScript", heap / 2**20
    processes = [psutil.Process(ours.process.pid), *ours.servers()]
    yield "memory of our processes", sum(one.memory_full_info().pss for one in processes) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--checkpoints", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of the synthetic run")
    parser.add_argument("--run", type=Path, help="a run of your own instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        run = options.run
        if run is None:
            from review_embeddings.pipeline.run.folder import RunFolder
            from review_embeddings.pipeline.settings import Request
            from review_embeddings.pipeline.stages.build import build

            run = make(options.work or Path(temporary), options.images, options.checkpoints, 64)
            build(RunFolder(run), Request())
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        found: dict[str, list[float]] = {}

        def note(title: str, seconds: float) -> None:
            found.setdefault(title, []).append(seconds)

        for _ in range(options.rounds):
            started = time.perf_counter()
            with floor() as address:
                page, seconds = opened(browser, address, started)
                note("Spotlight with three rows", seconds)
                page.close()
            started = time.perf_counter()
            with serving("--first", "--last", "--run", run, "--no-browser") as ours:
                note("our terminal's address", time.perf_counter() - started)
                page, seconds = opened(browser, ours.address, started)
                note("our page", seconds)
                page.wait_for_timeout(4000)
                asked = time.perf_counter()
                size = len(ours.get("api/table/"))
                note("table", time.perf_counter() - asked)
                for title, taken in looked_at(page):
                    note(title, taken)
                for title, used in memory(page, ours):
                    print(f"{title:32} {used:7.0f} MiB", flush=True)
                total = page.evaluate("() => spotlight.useDataset.getState().length")
                page.close()
        print(f"{total:,} images, table of {size / 2**20:.1f} MiB")
        for title, values in found.items():
            middle, late = np.quantile(values, (0.5, 0.95))
            print(
                f"{title:32} {middle:7.4f} s, 95 % {late:7.4f} s, longest {max(values):7.4f} s, "
                f"of {len(values)}",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
