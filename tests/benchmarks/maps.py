"""The page's maps in a real browser without Spotlight, with made-up points: how even the frames are
while checkpoints are played, how long a frame is drawn, how soon a point is found.

    python -m tests.benchmarks.maps --images 10000 50000 --seconds 5

Headless Chromium with software rendering at 1600x900. `--serve` only serves the page, to be looked
at. Intervals are those of the animation frames; what else runs on the machine is in them, and not
in the processor time of drawing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS
from maps_page import serving_maps

HOVER = """() => {
    const target = document.querySelectorAll("[data-test-tag=map-2] canvas")[1];
    const box = target.getBoundingClientRect();
    const taken = [];
    for (let at = 0; at < 400; at += 1) {
        const clientX = box.left + box.width * (0.2 + 0.6 * ((at * 0.618) % 1));
        const clientY = box.top + box.height * (0.2 + 0.6 * ((at * 0.377) % 1));
        const started = performance.now();
        target.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
        taken.push(performance.now() - started);
    }
    return taken;
}"""

WATCH_DRAWING = """() => {
    globalThis.drawing = [];
    const ask = globalThis.requestAnimationFrame.bind(globalThis);
    globalThis.plainFrame = ask;
    globalThis.requestAnimationFrame = (work) => ask((now) => {
        const started = performance.now();
        work(now);
        globalThis.drawing.push(performance.now() - started);
    });
}"""

ZOOM = """async (duration) => {
    const target = document.querySelectorAll("[data-test-tag=map-0] canvas")[1];
    const box = target.getBoundingClientRect();
    const intervals = [];
    const end = performance.now() + duration;
    let before = 0;
    for (let at = 0; performance.now() < end; at += 1) {
        target.dispatchEvent(new WheelEvent("wheel", { clientX: box.left + box.width / 2,
            clientY: box.top + box.height / 2, deltaY: Math.floor(at / 20) % 2 ? 40 : -40,
            bubbles: true, cancelable: true }));
        const now = await new Promise((resolve) => plainFrame(resolve));
        if (before) intervals.push(now - before);
        before = now;
    }
    return intervals;
}"""


def report(title: str, values: list[float]) -> None:
    p50, p95 = np.percentile(values, (50, 95))
    print(f"  {title:34} median {p50:6.1f}  95 % {p95:6.1f}  most {max(values):6.1f} ms")


class Processor:
    """The processor time of a page's main thread, whatever else runs on the machine."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def watched(page: Page, title: str, work: str, argument: float, processor: Processor) -> None:
    """Report the intervals of the frames that a script gives, and what each of them cost."""
    page.evaluate("drawing.splice(0)")
    before = processor.seconds()
    intervals = page.evaluate(work, argument)
    taken = processor.seconds() - before
    report(f"frame intervals, {title}", intervals)
    report(f"drawing a frame, {title}", page.evaluate("drawing"))
    print(f"  {'processor time a frame':34} mean   {1000 * taken / len(intervals):6.1f} ms")


def measure(page: Page, address: str, images: int, seconds: float) -> None:
    page.goto(f"{address}?images={images}&classes=10")
    page.wait_for_function("globalThis.maps !== undefined")
    page.wait_for_timeout(1000)
    processor = Processor(page)
    print(f"{images:,} points x 3 maps, load of the machine {os.getloadavg()[0]:.1f}")
    page.evaluate(WATCH_DRAWING)
    watched(page, "playing", "(t) => maps.play(t)", 1000 * seconds, processor)
    watched(page, "zooming all", ZOOM, 1000 * seconds, processor)
    report("hover", page.evaluate(HOVER))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--serve", type=int, metavar="PORT")
    options = parser.parse_args()
    if options.serve is not None:
        with serving_maps(options.serve) as address:
            input(address)
        return
    with serving_maps() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        for images in options.images:
            measure(page, address, images, options.seconds)
        browser.close()


if __name__ == "__main__":
    main()
