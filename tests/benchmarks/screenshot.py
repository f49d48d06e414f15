"""Take the README's picture: open a run as `--first --last` does and photograph the page in
headless Chromium.

python -m tests.benchmarks.screenshot --run RUN --out .github/review.png --slider 60
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS
from serving import serving


def chromium_here() -> str | None:
    return (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slider", type=int, help="step to move the slider to")
    parser.add_argument(
        "--tab",
        action="append",
        default=[],
        help="tab to bring to the front, such as Checkpoints; repeatable",
    )
    options = parser.parse_args()
    with (
        serving("--first", "--last", "--run", options.run, "--no-browser") as started,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.goto(started.address)
        page.wait_for_selector("[data-test-tag=review-panel] button:enabled")
        page.wait_for_timeout(2000)
        if options.slider is not None:
            step = page.locator("[data-test-tag=checkpoint-slider-step]")
            while (shown := int(step.inner_text().removeprefix("step "))) != options.slider:
                page.get_by_title(
                    "Previous checkpoint" if shown > options.slider else "Next checkpoint"
                ).click()
                page.wait_for_timeout(1000)
        for tab in options.tab:
            page.locator(".flexlayout__tab_button").filter(has_text=tab).click()
        page.mouse.move(1200, 16)
        page.wait_for_timeout(3000)
        page.screenshot(path=options.out)
        browser.close()


if __name__ == "__main__":
    main()
