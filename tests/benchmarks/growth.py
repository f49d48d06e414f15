"""How time and memory of a build grow with the images and with the checkpoints, and what one more
checkpoint costs.

    python -m tests.benchmarks.growth --work DIR
    python -m tests.benchmarks.growth --work DIR --limit-n 100000 --limit-k 50
    python -m tests.benchmarks.growth --smoke

Synthetic embeddings (`synthetic`), from which everything else is built. Each point has a process of
its own (but for --smoke), in which a small build has loaded all libraries before. It is stored in
DIR/points.json when it is measured, and a call that is started again goes on with those that are
missing. The exponents are those of straight lines through logarithms, of the points of one search
method alone: of seconds of the processor, and of the memory beyond what the process had before. The
plot is DIR/growth.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.benchmarks.large import peak_mib
from tests.benchmarks.synthetic import add_checkpoint, synthetic_run

DIMENSION = 64

IMAGES = (10_000, 30_000, 100_000, 250_000, 300_000, 600_000, 1_000_000)
"""Of the line of images, at two checkpoints; the first four are searched exactly."""

CHECKPOINTS = (1, 2, 5, 10, 20, 50, 100, 200)
"""Of the line of checkpoints, of `FEW` images each."""

BEFORE = (1, 100)
"""Checkpoints that are built already where one more is."""

FEW = 2_000

SMOKE = {"images": (60, 120), "checkpoints": (1, 3), "one more": (1, 3)}

NOTICEABLE = 32.0
"""MiB beyond what the process had before, from which they count for an exponent."""

MORE_AT_MOST = 1.2
"""Times the cost of one more checkpoint of a run of one that one more of many may cost."""


@dataclass(frozen=True)
class Point:
    """What one build took."""

    line: str
    """``images``, ``checkpoints`` or ``one more``."""
    size: int
    """Images, checkpoints, or checkpoints that were there already."""
    images: int
    method: str
    """``exact``, or that of the approximate search."""
    recall: float
    cpu: float
    """Seconds of the processor."""
    wall: float
    mib: float
    """Largest resident set, memory-mapped pages included."""
    base: float
    """What it was before, in MiB."""
    read: int
    """Bytes that it asked for by calls; what is memory-mapped is not counted."""
    written: int
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of the processor by stage."""
    jobs: dict[str, int] = field(default_factory=dict)
    """Results computed by stage."""


def wanted(options: argparse.Namespace) -> list[tuple[str, int]]:
    """The points, the cheapest lines first."""
    if options.smoke:
        return [(line, size) for line, sizes in SMOKE.items() for size in sizes]
    return [
        *(("one more", size) for size in BEFORE if size <= options.limit_k),
        *(("checkpoints", size) for size in CHECKPOINTS if size <= options.limit_k),
        *(("images", size) for size in IMAGES if size <= options.limit_n),
    ]


# -- one point, in its own process


def measure(work: Path, line: str, size: int, few: int) -> Point:
    """Build a run that has nothing but embeddings, or one more checkpoint of one that is built."""
    images, checkpoints = (size, 2) if line == "images" else (few, size)
    _build(synthetic_run(work / "small", 40, 2, DIMENSION), {}, {})
    run = synthetic_run(work, images, checkpoints, DIMENSION)
    if line == "one more":
        _build(run, {}, {})
        add_checkpoint(run, checkpoints + 1, DIMENSION)
    base, (read_before, written_before) = _reset_peak(), _transferred()
    seconds: dict[str, float] = {}
    jobs: dict[str, int] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    method, recall = _build(run, seconds, jobs)
    read, written = _transferred()
    return Point(
        line,
        size,
        images,
        method,
        recall,
        time.process_time() - cpu,
        time.perf_counter() - wall,
        peak_mib(),
        base,
        read - read_before,
        written - written_before,
        seconds,
        jobs,
    )


def _build(folder: Path, seconds: dict[str, float], jobs: dict[str, int]) -> tuple[str, float]:
    """The way of the search, and its recall."""
    from review_embeddings.pipeline.analysis.neighbors import search_method
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.pipeline.stages.session import BuildSession

    timed, run = BuildSession.timed, RunFolder(folder)

    @contextmanager
    def observed(self: Any, stage: str, count: int) -> Iterator[None]:
        started = time.process_time()
        with timed(self, stage, count):
            yield
        seconds[stage] = seconds.get(stage, 0.0) + time.process_time() - started
        jobs[stage] = jobs.get(stage, 0) + 1

    with patch.object(BuildSession, "timed", observed):
        images = build(run, Request()).images
    found = [run.result_metadata("neighbors", step) or {} for step in run.steps_with("neighbors")]
    recall = min((float(one.get("recall", 1.0)) for one in found), default=1.0)
    return search_method(len(images)) or "exact", recall


def _reset_peak() -> float:
    """Let the largest resident set begin anew, where the system can; what it is now."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    return peak_mib()


def _transferred() -> tuple[int, int]:
    """Bytes that this process has read and written so far; zeros where the system does not say."""
    counts = Path("/proc/self/io")
    if not counts.exists():
        return 0, 0
    values = dict(line.split(": ") for line in counts.read_text().splitlines())
    return int(values["rchar"]), int(values["wchar"])


# -- all of them


def measured(work: Path, line: str, size: int, few: int) -> Point:
    """The point, by a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--work", str(work)]
    command += ["--point", line, str(size), "--few", str(few)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{line} {size}: {done.stderr[-3000:]}")
    return Point(**json.loads(done.stdout.splitlines()[-1]))


def stored_points(file: Path) -> list[Point]:
    """Those that were measured by earlier calls."""
    return [Point(**one) for one in json.loads(file.read_text())] if file.is_file() else []


def store(file: Path, points: Sequence[Point]) -> None:
    """Write all of them, whole or not at all."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps([asdict(one) for one in points], indent=1))
    temporary.replace(file)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """Of the power of the size that the values follow, by least squares of logarithms; None for
    fewer than two points, and for values that have no logarithm."""
    if len(sizes) < 2 or min(values) <= 0:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def fits(points: Sequence[Point]) -> dict[tuple[str, str], dict[str, float | None]]:
    """The exponents of each line, the points of each search method by themselves."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for key in dict.fromkeys((one.line, one.method) for one in points if one.line != "one more"):
        some = [one for one in points if (one.line, one.method) == key]
        large = [one for one in some if one.mib - one.base >= NOTICEABLE]
        found[key] = {
            "cpu": exponent([one.size for one in some], [one.cpu for one in some]),
            "memory": exponent([one.size for one in large], [one.mib - one.base for one in large]),
        }
    return found


# -- what people read


def table(points: Sequence[Point]) -> str:
    """All points, the exponents, and what one more checkpoint costs."""
    lines = [
        f"{'line':12} {'size':>9} {'search':>12} {'recall':>7} {'cpu s':>8} {'wall s':>8} "
        f"{'MiB':>7} {'beyond':>7} {'read MB':>8} {'written MB':>10}"
    ]
    for one in points:
        lines.append(
            f"{one.line:12} {one.size:9,} {one.method:>12} {one.recall:7.4f} {one.cpu:8.1f} "
            f"{one.wall:8.1f} {one.mib:7,.0f} {one.mib - one.base:7,.0f} "
            f"{one.read / 1e6:8.1f} {one.written / 1e6:10.1f}"
        )
    for (line, method), fit in fits(points).items():
        lines.append(
            f"{line}, {method}: {_power('time', fit['cpu'])}, {_power('memory', fit['memory'])}"
        )
    return "\n".join([*lines, *_stages(points), *_of_one_more(points)])


def _power(name: str, value: float | None) -> str:
    return f"{name} unknown" if value is None else f"{name} by the power of {value:.2f}"


def _stages(points: Sequence[Point]) -> Iterator[str]:
    """Where the time of the largest of each line goes."""
    for line in dict.fromkeys(one.line for one in points):
        last = max((one for one in points if one.line == line), key=lambda one: one.size)
        parts = sorted(last.stages.items(), key=lambda one: -one[1])[:8]
        shares = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts)
        yield f"{line} {last.size:,}, cpu s: {shares}"


def _of_one_more(points: Sequence[Point]) -> Iterator[str]:
    some = sorted((one for one in points if one.line == "one more"), key=lambda one: one.size)
    if len(some) < 2:
        return
    first, last = some[0], some[-1]
    ratio = last.cpu / first.cpu
    reached = "reached" if ratio <= MORE_AT_MOST else "missed"
    yield (
        f"one more checkpoint on {last.size} costs {ratio:.2f} times one more on {first.size} "
        f"({MORE_AT_MOST}: {reached})"
    )
    for name in sorted(last.stages, key=lambda name: -_added(first, last, name))[:4]:
        yield f"{'':4}{name}: {first.stages.get(name, 0):.2f} -> {last.stages[name]:.2f} s"


def _added(first: Point, last: Point, stage: str) -> float:
    return last.stages.get(stage, 0.0) - first.stages.get(stage, 0.0)


def plot(points: Sequence[Point], file: Path) -> None:
    """Both lines: seconds of the processor, and MiB."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for column, line in zip(axes.T, ("images", "checkpoints"), strict=True):
        for (of, method), powers in fits(points).items():
            some = [one for one in points if (one.line, one.method) == (line, method)]
            if of == line:
                _draw(column, some, method, powers)
        for axis, name in zip(column, ("processor seconds", "peak MiB"), strict=True):
            axis.set(xscale="log", yscale="log", xlabel=line, ylabel=name)
            axis.grid(visible=True, which="both", alpha=0.3)
            if axis.has_data():
                axis.legend()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _draw(
    column: Any, points: Sequence[Point], method: str, powers: Mapping[str, float | None]
) -> None:
    sizes = [one.size for one in points]
    for axis, name in zip(column, ("cpu", "memory"), strict=True):
        power = powers[name]
        values = [one.cpu if name == "cpu" else one.mib for one in points]
        label = method if power is None else f"{method}, {power:.2f}"
        axis.plot(sizes, values, marker="o", label=label)


def run_all(work: Path, options: argparse.Namespace) -> list[Point]:
    """Measure what is missing."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / "points.json"
    points = stored_points(file)
    for line, size in wanted(options):
        if (line, size) not in {(one.line, one.size) for one in points}:
            print(f"measuring {line} {size:,}", flush=True)
            take = measure if options.smoke else measured
            points.append(take(work, line, size, options.few))
            store(file, points)
            for folder in work.glob("run-*"):
                shutil.rmtree(folder)
    return sorted(points, key=lambda one: (one.line, one.size))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path)
    parser.add_argument("--limit-n", type=int, default=IMAGES[-1], help="no more images")
    parser.add_argument("--limit-k", type=int, default=CHECKPOINTS[-1], help="no more checkpoints")
    parser.add_argument("--few", type=int, default=FEW, help="images of the line of checkpoints")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        line, size = options.point
        print(json.dumps(asdict(measure(options.work, line, int(size), options.few))))
        return
    options.few = 60 if options.smoke else options.few
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        points = run_all(work, options)
        plot(points, work / "growth.png")
        print(table(points), flush=True)


if __name__ == "__main__":
    main()
