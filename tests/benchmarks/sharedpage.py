"""A shared page in a real browser at the widths of a phone, a laptop and a large screen: until its
maps are painted, until its pictures are there, the frames while it plays.

    python -m tests.benchmarks.sharedpage page.html
    python -m tests.benchmarks.sharedpage page.html --rounds 3

The phone is emulated: its width, its pixels, its touch, and a processor that is slowed down four
times. Times until painted begin with the opening of the file. Beside them what the page's main
thread computed: that hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, CDPSession, sync_playwright

from tests.benchmarks.page import PLAY, PLAYED
from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS

MARKS = ("painted", "complete")
"""What the page marks on its way, as ``shared page painted``."""

PAUSE = "[data-test-tag=checkpoint-slider] [title^=Pause]"


@dataclass(frozen=True)
class Screen:
    """What the page is opened on."""

    name: str
    width: int
    height: int
    slowed: int = 1
    """How many times slower the processor is."""
    context: tuple[tuple[str, Any], ...] = ()


SCREENS = (
    Screen(
        "390 (emulated)",
        390,
        844,
        slowed=4,
        context=(("device_scale_factor", 3), ("is_mobile", True), ("has_touch", True)),
    ),
    Screen("1366", 1366, 768),
    Screen("1920", 1920, 1080),
)


def computed(session: CDPSession) -> float:
    """Milliseconds that the main thread computed since it was there."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    seconds: float = next(one["value"] for one in metrics if one["name"] == "TaskDuration")
    return 1000 * seconds


def measured(browser: Browser, page_file: Path, screen: Screen) -> dict[str, list[float]]:
    """Milliseconds by what takes them."""
    size: Any = {"width": screen.width, "height": screen.height}
    with browser.new_context(viewport=size, **dict(screen.context)) as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        session.send("Emulation.setCPUThrottlingRate", {"rate": screen.slowed})
        page.goto(page_file.resolve().as_uri(), wait_until="commit")
        names = [f"shared page {mark}" for mark in MARKS]
        work: dict[str, list[float]] = {}
        for mark, name in zip(MARKS, names, strict=True):
            page.wait_for_function(
                "name => performance.getEntriesByName(name).length", arg=name, timeout=120_000
            )
            work[f"main thread until {mark}"] = [computed(session)]
        found = {
            mark: [page.evaluate("name => performance.getEntriesByName(name)[0].startTime", name)]
            for mark, name in zip(MARKS, names, strict=True)
        }
        found |= work
        if page.locator(PAUSE).count():
            page.locator(PAUSE).click()
        page.wait_for_timeout(1000)
        before = computed(session)
        intervals = page.evaluate(PLAY, PLAYED)
        found["between frames, playing"] = intervals
        found["main thread a frame"] = [(computed(session) - before) / len(intervals)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        for screen in SCREENS:
            rounds = [measured(browser, options.page, screen) for _ in range(options.rounds)]
            for title in rounds[0]:
                values = [one for found in rounds for one in found[title]]
                middle, late = np.quantile(values, (0.5, 0.95))
                print(
                    f"{screen.name:16} {title:27} {middle:7.1f} ms, 95 % {late:7.1f} ms, "
                    f"longest {max(values):7.1f} ms, of {len(values)}",
                    flush=True,
                )
        browser.close()


if __name__ == "__main__":
    main()
