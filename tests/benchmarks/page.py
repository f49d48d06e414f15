"""Spotlight's page with many checkpoints, in a real browser: until it is there, its table, a
selection, a step of the slider.

    python -m tests.benchmarks.page --images 10000 --checkpoints 50 --work DIR
    python -m tests.benchmarks.page --run RUN

Beside it Spotlight itself with a table of three rows, started as a person would: what no page of it
can be faster than. Both are started ``--rounds`` times in turns, each in processes of its own;
medians. Until it is there: from the start of the program until the page in the browser has its rows
and has drawn them. A selection and a step end with the second frame painted after them.
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
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.large import make
from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS
from serving import serving

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
        "document.body.innerText.includes('Filtered')"
    )
    page.evaluate(PAINTED)
    return page, time.perf_counter() - started


def seconds_of(page: Page, script: str, argument: object) -> float:
    taken: float = page.evaluate(script, argument)
    page.wait_for_timeout(1500)  # pictures and statistics come later and are not waited for
    return taken / 1000


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
                total = page.evaluate("() => spotlight.useDataset.getState().length")
                random = np.random.default_rng(0)
                for _ in range(5):
                    rows = random.choice(total, min(1000, total), replace=False).tolist()
                    note("1,000 rows selected", seconds_of(page, SELECT, rows))
                    note("a step of the slider", seconds_of(page, STEP, "Next checkpoint"))
                page.close()
        print(f"{total:,} images, table of {size / 2**20:.1f} MiB")
        for title, values in found.items():
            print(
                f"{title:28} {np.median(values):7.3f} s   "
                f"{' '.join(f'{value:.2f}' for value in values)}",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
