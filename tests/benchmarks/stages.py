"""Seconds, images a second and peak memory of every stage, and the time from the command to the
page that answers.

    python -m tests.benchmarks.stages --checkpoints DIR --dataset DIR --split test --first 2 --first
    10 python -m tests.benchmarks.stages --smoke

``--first K`` builds a new run from K checkpoints spread evenly over the training. Rows are printed
as they are measured. Memory is the resident set of the process while the stage runs, read every 20
ms; memory-mapped pages count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.session import BuildSession

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from serving import serving

PEAKS: dict[str, int] = {}


@contextmanager
def sampled(stage: str) -> Iterator[None]:
    """Note the largest resident set while the context lasts."""
    process, done = psutil.Process(), threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            PEAKS[stage] = max(PEAKS.get(stage, 0), process.memory_info().rss)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def watch_stages() -> None:
    """Put the sampler around everything that `build` times."""
    timed = BuildSession.timed

    @contextmanager
    def both(self: Any, stage: str, count: int) -> Iterator[None]:
        with sampled(stage), timed(self, stage, count):
            yield

    BuildSession.timed = both  # type: ignore[method-assign]


def measure(
    run: Path, checkpoints: Path, dataset: str, split: str | None, count: int, precision: str
) -> None:
    """Build a new run from some of the checkpoints and print a row a stage."""
    steps = find_checkpoints(checkpoints).steps
    chosen = [
        steps[place]
        for place in np.linspace(0, len(steps) - 1, min(count, len(steps))).round().astype(int)
    ]
    PEAKS.clear()
    started = time.perf_counter()
    built = build(
        RunFolder(run),
        Request(
            dataset={"source": dataset, "split": split},
            checkpoints=str(checkpoints),
            wanted=[str(step) for step in chosen],
            settings={"precision": precision},
        ),
    )
    total = time.perf_counter() - started
    for stage, seconds in built.seconds.items():
        row(f"{len(chosen)} checkpoints", stage, seconds, built.work[stage], PEAKS.get(stage))
    row(
        f"{len(chosen)} checkpoints",
        "all",
        total,
        len(built.images) * len(chosen),
        max(PEAKS.values(), default=None),
    )


def row(what: str, stage: str, seconds: float, work: int, peak: int | None) -> None:
    memory = "" if peak is None else f"{peak / 2**20:8,.0f} MiB"
    print(
        f"{what:>16} {stage:>12} {seconds:9.2f} s {work / seconds:10,.0f} /s {memory}", flush=True
    )


def page(run: Path) -> None:
    """Time from the command on a finished run to the page that answers, and to the whole table."""
    started = time.perf_counter()
    with serving("--first", "--last", "--run", run, "--no-browser") as served:
        for what, path in (("page answers", ""), ("table answers", "api/table/")):
            before = time.perf_counter()
            size = len(served.get(path))
            now = time.perf_counter()
            print(
                f"{what:>16} {now - started:9.2f} s after the command ({now - before:.2f} s "
                f"itself, {size / 2**20:.1f} MiB)",
                flush=True,
            )


def smoke(folder: Path) -> tuple[Path, Path]:
    """A tiny run: 60 images, 3 checkpoints."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
    from samples import CLASSES, picture, save_checkpoint

    for step in (0, 10, 20):
        save_checkpoint(folder / "trained" / f"checkpoint-{step}", seed=step, step=step)
    for number in range(60):
        target = folder / "data" / CLASSES[number % 3]
        target.mkdir(parents=True, exist_ok=True)
        picture(number % 3, seed=number).save(target / f"{number}.png")
    return folder / "trained", folder / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--split")
    parser.add_argument("--first", type=int, action="append", metavar="K")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoints, dataset = options.checkpoints, options.dataset
        if options.smoke:
            checkpoints, dataset = smoke(folder)
        elif checkpoints is None or dataset is None:
            parser.error("--checkpoints and --dataset are needed, or --smoke")
        watch_stages()
        for count in options.first or [2]:
            run = folder / f"run-{count}"
            measure(run, checkpoints, str(dataset), options.split, count, options.precision)
            page(run)


if __name__ == "__main__":
    main()
