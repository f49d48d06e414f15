"""Every stage beside the published notebook's way or what people would take instead, interleaved in
one run, and what this machine can do at most.

    python -m tests.benchmarks --state table.jsonl --out table    # the whole table; resumes
    python -m tests.benchmarks --only images --only judge --state table.jsonl
    python -m tests.benchmarks --only outliers --images 60000
    python -m tests.benchmarks --only pipeline --run CHECKPOINTS --dataset DIR --images 10000
    python -m tests.benchmarks --smoke

Each measurement has a process of its own. A line is printed as soon as a stage is measured: medians
over the rounds of seconds and of the memory that came on top, the ratio of the seconds to the
notebook's (or the peer's), and how the results agree (rank correlation). The table comes last: each
target that is missed is marked. ``--by processor`` counts processor seconds of all threads, where
the machine does other work. With ``--out`` rows, table and a plot are written there.
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

from review_embeddings.review.cli.program import IDLE_THREADS
from tests.benchmarks.table import Row, State, machine_name, markdown
from tests.benchmarks.ways import all_ways, measured

WAYS = all_ways()

IMAGES = {
    "images": [1000],
    "forward": [48],
    "pipeline": [500],
    "groups": [10_000],
    "judge": [10_000],
    "tween": [50_000],
    "share": [10_000],
    "compare": [10_000],
}
"""Sizes where none are named; the others are measured at 1,000 and 10,000."""

CHECKPOINTS = {
    "images": [1, 10],
    "coordinates": [2, 20, 100],
    "reading": [2, 20],
    "pipeline": [2],
    "groups": [1, 5],
    "judge": [1, 5],
    "share": [25],
}
"""Numbers of checkpoints where none are named; one for the others."""

HEADINGS = ("stage", "images", "checkpoints", "way", "seconds", "ratio", "MiB", "agrees")


def machine_ceilings() -> dict[str, float]:
    """Products of float32 a second, and bytes copied a second: what the table's ceilings are worked
    out from."""
    import torch

    side = 2048
    one = torch.randn(side, side)
    block = np.ones(1 << 26, dtype=np.uint8)
    return {
        "float32": 2 * side**3 / best_of(lambda: one @ one),
        "copy": block.nbytes / best_of(block.copy),
    }


def best_of(work: Any) -> float:
    """Seconds of the fastest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def ceilings() -> Iterator[tuple[str, str]]:
    """What the machine itself can do, to hold the figures against."""
    import torch

    side = 2048
    for name in ("float32", "bfloat16"):
        one = torch.randn(side, side).to(getattr(torch, name))
        yield (
            f"matrix product, {name}",
            f"{2 * side**3 / best_of(lambda one=one: one @ one) / 1e9:,.0f} GFLOP/s",
        )
    block = np.ones(1 << 26, dtype=np.uint8)
    yield "memory, copied", f"{2 * block.nbytes / best_of(block.copy) / 1e9:.1f} GB/s"
    with tempfile.NamedTemporaryFile() as file:

        def write() -> None:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            os.write(file.fileno(), block.data)
            os.fsync(file.fileno())

        yield "disk, written and synced", f"{block.nbytes / best_of(write) / 1e9:.2f} GB/s"
    yield (
        "cores",
        str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
    )


def measure(stage: str, way: str, folder: Path, options: dict[str, Any]) -> dict[str, float]:
    """In a process of its own, but for the tiny sizes that show only that everything runs. Our
    threads rest while they wait, as those of our commands."""
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
    resting = IDLE_THREADS if way.startswith("ours") else {}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **resting})
    if done.returncode:
        raise SystemExit(f"{stage}, {way}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_all(
    row: Row, folder: Path, options: dict[str, Any], rounds: int, state: State
) -> dict[str, list[dict[str, Any]]]:
    """Every way of a stage, interleaved; what the state has is not measured again."""
    ways = list(WAYS[row.stage])
    keys = {
        (way, number): state.key(stage=row.stage, way=way, round=number, **options)
        for number in range(rounds)
        for way in ways
    }
    if options["run"] is None and not all(map(state.get, keys.values())):
        measure(row.stage, ways[0], folder, options)  # makes the inputs, and warms the page cache
    for (way, _), key in keys.items():
        if state.get(key) is None:
            found = measure(row.stage, way, folder, options)
            state.put(key, {**found, "agrees": agreement(row.stage, way, folder)})
    made = {way: [state.get(keys[way, number]) or {} for number in range(rounds)] for way in ways}
    for path in folder.glob("result-*.npy"):
        path.unlink()
    return made


def agreement(stage: str, way: str, folder: Path) -> str:
    """Rank correlation of the results with the notebook's, where both gave some."""
    from scipy.stats import spearmanr

    results = [folder / f"result-{stage}-{name}.npy" for name in ("notebook", way)]
    if way == "notebook" or not all(path.is_file() for path in results):
        return ""
    theirs, own = (np.load(path).ravel() for path in results)
    return f"{spearmanr(theirs, own).statistic:.6f}"


def compare(
    row: Row, folder: Path, options: dict[str, Any], rounds: int, state: State, by: str
) -> Iterator[tuple[str, float, float, float, str]]:
    """For every way of a stage: name, seconds, ratio to the notebook's, or else the peer's, MiB and
    agreement, medians over interleaved rounds."""
    times = measure_all(row, folder, options, rounds, state)
    medians = {
        way: [float(np.median([one[what] for one in found])) for what in (by, "mib")]
        for way, found in times.items()
    }
    row.found = {way: seconds for way, (seconds, _) in medians.items()}
    base = next((row.found[way] for way in ("notebook", "peer") if way in row.found), float("nan"))
    for way, (seconds, mib) in medians.items():
        agrees = next((one["agrees"] for one in times[way] if one["agrees"]), "")
        yield way, seconds, base / max(seconds, 1e-9), mib, agrees


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


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--only", "--stage"):
        parser.add_argument(
            name, dest="only", action="append", choices=WAYS, help="repeatable; default: all"
        )
    parser.add_argument("--images", type=int, action="append", metavar="N", help="repeatable")
    parser.add_argument("--checkpoints", type=int, action="append", metavar="K", help="repeatable")
    parser.add_argument("--dimension", type=int, default=768)
    side = "input of the models; default: 224, 112 for the pipeline"
    parser.add_argument("--side", type=int, metavar="PIXELS", help=side)
    parser.add_argument("--rounds", type=int, default=3)
    run = "folder of real checkpoints for the pipeline, with --dataset"
    parser.add_argument("--run", type=Path, help=run)
    parser.add_argument("--dataset")
    parser.add_argument("--by", choices=("seconds", "processor"), default="seconds")
    state = "where measurements are kept; the same command goes on where it was stopped"
    parser.add_argument("--state", type=Path, metavar="FILE", help=state)
    parser.add_argument("--out", type=Path, help="folder for rows.csv, table.md and plot.png")
    smoke = "tiny sizes, to see that everything runs"
    parser.add_argument("--smoke", action="store_true", help=smoke)
    return parser.parse_args()


def chosen_rows(options: argparse.Namespace) -> Iterator[Row]:
    """What is to be measured."""
    for stage in options.only or WAYS:
        several = [40] if options.smoke else IMAGES.get(stage, [1000, 10_000])
        for images in options.images or several:
            steps = [2] if options.smoke else CHECKPOINTS.get(stage, [1])
            for checkpoints in options.checkpoints or steps:
                side = options.side or (112 if stage == "pipeline" else 224)
                side, dimension = (28, 16) if options.smoke else (side, options.dimension)
                yield Row(stage, images, checkpoints, dimension, side)


def main() -> None:
    options = parsed()
    print(machine_name(), flush=True)
    for name, value in ceilings():
        print(f"{name:28} {value}", flush=True)
    heading = f"{'stage':12} {'images':>8} {'checkpoints':>11}  {'way':12}"
    print(f"{heading} {options.by:>9} {'ratio':>7} {'MiB':>8}  agrees", flush=True)
    lines, rows, state = list[dict[str, Any]](), list[Row](), State(options.state)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.state is not None:  # what is left of a run that was stopped
            folder = options.state.with_suffix(".inputs")
            folder.mkdir(parents=True, exist_ok=True)
        for row in chosen_rows(options):
            settings = {
                "images": row.images,
                "checkpoints": row.checkpoints,
                "side": row.side,
                "dimension": row.dimension,
                "small": options.smoke,
                "run": options.run,
                "dataset": options.dataset,
            }
            rounds = 1 if options.smoke else options.rounds
            for found in compare(row, folder, settings, rounds, state, options.by):
                values = (row.stage, row.images, row.checkpoints, *found)
                lines.append(dict(zip(HEADINGS, values, strict=True)))
                print_line(*values)
            rows.append(row)
            if options.out is not None:
                write(lines, options.out)
    table = markdown(rows, machine_ceilings())
    print(f"\n{table}")
    if options.out is not None:
        (options.out / "table.md").write_text(f"{machine_name()}\n\n{table}\n")


def print_line(
    stage: str,
    images: int,
    checkpoints: int,
    way: str,
    seconds: float,
    ratio: float,
    mib: float,
    agrees: str,
) -> None:
    print(
        f"{stage:12} {images:8,} {checkpoints:11}  {way:12} {seconds:9.3f} {ratio:7.2f} "
        f"{mib:8,.0f}  {agrees}",
        flush=True,
    )


def write(rows: list[dict[str, Any]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADINGS)
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, out / "plot.png")


if __name__ == "__main__":
    main()
