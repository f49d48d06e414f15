"""From a key to the next picture of a list, painted, in a real browser, with large photographs.

    python -m tests.benchmarks.pictures --work DIR
    python -m tests.benchmarks.pictures --run RUN --pause 0.1

The run is made once in DIR and used again: photographs of 4000x3000 of some megabytes, of which the
list holds all. A person looks at each for ``--pause`` seconds; with 0 the key is pressed again as
soon as there is a picture. A picture is painted with the frame after the one in which it was
decoded; "sharp" is the one in the size of the panel, which a smaller one may stand in for.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.benchmarks.screenshot import chromium_here

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from chromium import FLAGS
from samples import CLASSES, save_checkpoint
from serving import serving

SIZE = (4000, 3000)

PICTURE = ".review-picture img"

PRESS = """async selector => {
    const frame = () => new Promise(done => requestAnimationFrame(done));
    const shown = () => document.querySelector(selector);
    const before = shown()?.alt;
    const isNew = () => shown()?.alt !== before && shown()?.complete && shown().naturalWidth > 0;
    const times = {};
    const started = performance.now();
    document.querySelector("[data-test-tag=review-panel]").focus();
    document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    while (shown()?.alt === before && performance.now() - started < 20000) await frame();
    times.drawn = performance.now() - started;
    while (!isNew()) {
        if (performance.now() - started > 20000) throw new Error("no next picture");
        await frame();
    }
    await shown().decode().catch(() => {});
    await frame();
    times.painted = performance.now() - started;
    while (performance.now() - started < 5000) {
        const { naturalWidth, naturalHeight, clientWidth, clientHeight } = shown();
        const enough = 0.7 * devicePixelRatio;
        if (naturalWidth >= enough * clientWidth || naturalHeight >= enough * clientHeight) break;
        await frame();
    }
    await shown().decode().catch(() => {});
    await frame();
    times.sharp = performance.now() - started;
    return times;
}"""


def photograph(seed: int) -> Image.Image:
    """Soft shapes and noise: a JPEG of it is as large as one from a camera."""
    random = np.random.default_rng(seed)
    shapes = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    pixels = np.asarray(shapes.resize(SIZE, Image.Resampling.BICUBIC)).astype(np.int16)
    noise = np.tile(random.normal(0, 8, (300, 400, 3)), (10, 10, 1)).astype(np.int16)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def make(work: Path, count: int, in_place: bool) -> Path:
    """A run of photographs."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    run = RunFolder(work / f"photographs-{count}{'-in-place' if in_place else ''}")
    images = work / f"images-{count}"
    for number in range(count if not images.is_dir() else 0):
        place = images / CLASSES[number % 3] / f"{number:03d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(place, quality=92)
    if not run.table_manifest.is_file():
        for step in (10, 20):
            save_checkpoint(run.path / f"checkpoint-{step}", seed=step, step=step)
        dataset = {"source": str(images), "split": "train", "in_place": in_place}
        build(run, Request(dataset=dataset))
    return run.path


def longest_list(page: Any) -> int:
    """Which of the lists has the most images: its option says how many."""
    texts = page.locator("select[aria-label=List] option").all_inner_texts()
    counts = [int(re.findall(r"[\d,]+", text)[-1].replace(",", "")) for text in texts]
    return counts.index(max(counts))


def measure(page: Any, keys: int, pause: float) -> dict[str, list[float]]:
    """Milliseconds of each key until the card was drawn, the picture painted, and until it was
    sharp."""
    found: dict[str, list[float]] = {"drawn": [], "painted": [], "sharp": []}
    for _ in range(keys):
        times = page.evaluate(PRESS, PICTURE)
        for name, values in found.items():
            values.append(times[name])
        page.wait_for_timeout(1000 * pause)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--keys", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.5)
    parser.add_argument("--in-place", action="store_true", help="read where they lie")
    parser.add_argument("--work", type=Path, help="folder of the photographs and the run")
    parser.add_argument("--run", type=Path, help="a run of your own instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        work = options.work or Path(temporary)
        run = options.run or make(work, options.images, options.in_place)
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=FLAGS)
        with serving("--first", "--last", "--run", run, "--no-browser") as ours:
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            page.goto(ours.address)
            page.wait_for_selector(PICTURE, timeout=120_000)
            page.wait_for_timeout(3000)
            page.locator("select[aria-label=List]").select_option(index=longest_list(page))
            page.wait_for_timeout(3000)
            for name, values in measure(page, options.keys, options.pause).items():
                quantiles = np.quantile(values, [0.5, 0.95, 1])
                print(
                    f"{name:8} median {quantiles[0]:.0f} ms, 95 % {quantiles[1]:.0f} ms, "
                    f"longest {quantiles[2]:.0f} ms, of {len(values)} keys",
                    flush=True,
                )
        browser.close()


if __name__ == "__main__":
    main()
