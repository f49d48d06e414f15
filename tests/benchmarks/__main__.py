"""Every stage beside the published notebook's way, interleaved in one run, and what this machine
can do at most.

    python -m tests.benchmarks                                           # a quarter of an hour on
    two cores python -m tests.benchmarks --stage outliers --images 60000 python -m tests.benchmarks
    --stage pipeline --run CHECKPOINTS --dataset DIR --images 10000 python -m tests.benchmarks
    --smoke

A row is printed as soon as it is measured: medians over the rounds of seconds and of the memory
that came on top, the ratio of the seconds to the notebook's, and how the results agree (rank
correlation). With ``--out`` the rows and a plot are written there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ways import WAYS, measured

IMAGES = {"images": [1000], "forward": [48], "pipeline": [500]}
"""Sizes where none are named; the others are measured at 1,000 and 10,000."""

CHECKPOINTS = {"images": [1, 10], "coordinates": [2, 20], "reading": [2, 20], "pipeline": [2]}
"""Numbers of checkpoints where none are named; one for the others."""

HEADINGS = ("stage", "images", "checkpoints", "way", "seconds", "ratio", "MiB", "agrees")


def ceilings() -> Iterator[tuple[str, str]]:
    """What the machine itself can do, to hold the figures against."""
    import torch

    def best(work: Any) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        return min(times)

    side = 2048
    for name in ("float32", "bfloat16"):
        one = torch.randn(side, side).to(getattr(torch, name))
        yield (
            f"matrix product, {name}",
            f"{2 * side**3 / best(lambda one=one: one @ one) / 1e9:,.0f} GFLOP/s",
        )
    block = np.ones(1 << 26, dtype=np.uint8)
    yield "memory, copied", f"{2 * block.nbytes / best(block.copy) / 1e9:.1f} GB/s"
    with tempfile.NamedTemporaryFile() as file:

        def write() -> None:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            os.write(file.fileno(), block.data)
            os.fsync(file.fileno())

        yield "disk, written and synced", f"{block.nbytes / best(write) / 1e9:.2f} GB/s"
    yield (
        "cores",
        str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
    )


def measure(stage: str, way: str, folder: Path, options: dict[str, Any]) -> dict[str, float]:
    """In a process of its own, but for the tiny sizes that show only that everything runs."""
    if options["small"]:
        return measured(stage, way, folder=folder, **options)
    words = [
        word
        for key, value in options.items()
        if value not in {None, False}
        for word in (f"--{key}", str(value))
    ]
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.ways",
        stage,
        way,
        "--folder",
        str(folder),
        *words,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{stage}, {way}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(
    stage: str, folder: Path, options: dict[str, Any], rounds: int
) -> Iterator[tuple[str, float, float, float, str]]:
    """For every way of a stage: name, seconds, ratio to the notebook's, MiB and agreement, medians
    over interleaved rounds."""
    from scipy.stats import spearmanr

    if options["run"] is None:
        measure(stage, "notebook", folder, options)  # makes the inputs, and warms the page cache
    times: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS[stage]}
    for _ in range(rounds):
        for way, found in times.items():
            found.append(measure(stage, way, folder, options))
    medians = {
        way: [float(np.median([one[what] for one in found])) for what in ("seconds", "mib")]
        for way, found in times.items()
    }
    for way, (seconds, mib) in medians.items():
        results = [folder / f"result-{stage}-{name}.npy" for name in ("notebook", way)]
        agrees = ""
        if way != "notebook" and all(path.is_file() for path in results):
            theirs, own = (np.load(path).ravel() for path in results)
            agrees = f"{spearmanr(theirs, own).statistic:.6f}"
        yield way, seconds, medians["notebook"][0] / seconds, mib, agrees
    for path in folder.glob("result-*.npy"):
        path.unlink()


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds of both ways against the size, a panel a stage."""
    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(row["stage"] for row in rows))
    figure = Figure(
        figsize=(3.6 * min(4, len(stages)), 3.2 * -(-len(stages) // 4)), layout="constrained"
    )
    panels = figure.subplots(-(-len(stages) // 4), min(4, len(stages)), squeeze=False).ravel()
    for panel, stage in zip(panels, stages, strict=False):
        for way in WAYS[stage]:
            points = sorted(
                (row["images"] * row["checkpoints"], row["seconds"])
                for row in rows
                if (row["stage"], row["way"]) == (stage, way)
            )
            panel.plot(*zip(*points, strict=True), marker="o", label=way)
        panel.set(
            title=stage, xlabel="images x checkpoints", ylabel="seconds", xscale="log", yscale="log"
        )
        panel.legend(fontsize=8, frameon=False)
    for panel in panels[len(stages) :]:
        panel.remove()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", action="append", choices=WAYS, help="repeatable; default: all")
    parser.add_argument("--images", type=int, action="append", metavar="N", help="repeatable")
    parser.add_argument("--checkpoints", type=int, action="append", metavar="K", help="repeatable")
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument(
        "--side",
        type=int,
        metavar="PIXELS",
        help="input of the models; default: 224, 112 for the pipeline",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--run", type=Path, help="folder of real checkpoints for the pipeline, with --dataset"
    )
    parser.add_argument("--dataset")
    parser.add_argument("--out", type=Path, help="folder for rows.csv and plot.png")
    parser.add_argument(
        "--smoke", action="store_true", help="tiny sizes, to see that everything runs"
    )
    options = parser.parse_args()
    for name, value in ceilings():
        print(f"{name:28} {value}", flush=True)
    print(
        f"{'stage':12} {'images':>8} {'checkpoints':>11}  {'way':12} {'seconds':>9} {'ratio':>7} "
        f"{'MiB':>8}  agrees",
        flush=True,
    )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for stage in options.stage or WAYS:
            for images in options.images or (
                [40] if options.smoke else IMAGES.get(stage, [1000, 10_000])
            ):
                for checkpoints in options.checkpoints or (
                    [2] if options.smoke else CHECKPOINTS.get(stage, [1])
                ):
                    side = options.side or (112 if stage == "pipeline" else 224)
                    settings = {
                        "images": images,
                        "checkpoints": checkpoints,
                        "dimension": options.dimension,
                        "side": 28 if options.smoke else side,
                    }
                    settings |= {
                        "run": options.run,
                        "dataset": options.dataset,
                        "small": options.smoke,
                    }
                    for way, seconds, ratio, mib, agrees in compare(
                        stage, Path(name), settings, 1 if options.smoke else options.rounds
                    ):
                        row = dict(
                            zip(
                                HEADINGS,
                                (stage, images, checkpoints, way, seconds, ratio, mib, agrees),
                                strict=True,
                            )
                        )
                        rows.append(row)
                        print(
                            f"{stage:12} {images:8,} {checkpoints:11}  {way:12} {seconds:9.3f} "
                            f"{ratio:7.2f} {mib:8,.0f}  {agrees}",
                            flush=True,
                        )
                        if options.out is not None:
                            write(rows, options.out)


def write(rows: list[dict[str, Any]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADINGS)
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, out / "plot.png")


if __name__ == "__main__":
    main()
