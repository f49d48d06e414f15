"""How soon something happens once a command was started, beside what would be started instead.

    python -m tests.benchmarks.start --work DIR
    python -m tests.benchmarks.start --smoke

A review to its address beside Spotlight with three rows; `build` with nothing to do; `finetune`
beside a bare script of the Trainer, to the first step of the optimizer. Each is a process of its
own, ours and the other in turn, the first round for the files' sake alone. Processor time is that
of the process and its children, and what counts: the time on the clock depends on what else runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from tests.benchmarks.large import make
from tests.benchmarks.page import FLOOR

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

PYTHON = sys.executable

SCRIPT = Path(__file__).parents[1] / "pipeline" / "trainer_script.py"

FIRST_STEP = """
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_pre_hook

def stop(*arguments):
    print("the first step", flush=True)
    sys.stdin.read()

register_optimizer_step_pre_hook(stop)
sys.argv = sys.argv[1:]
if sys.argv[0] == "review_embeddings":
    runpy.run_module("review_embeddings", run_name="__main__")
else:
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program, ours or a script, until its optimizer is asked for the first step."""


@dataclass(frozen=True)
class Taken:
    """Seconds until a process has printed what was waited for."""

    processor: float
    clock: float


@dataclass(frozen=True)
class Start:
    """What is started, and what instead."""

    title: str
    ours: Sequence[str]
    until: str
    """What its line holds; empty for its end."""
    target: float
    """Seconds at most: more than the peer, or in all where there is none."""
    peer: Sequence[str] = ()
    peer_until: str = ""
    new: Sequence[Path] = ()
    """Folders that must not be there before."""


def started(command: Sequence[str], until: str) -> Taken:
    """Start a command and end it with all its children once it has printed something."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    began = time.perf_counter()
    process = psutil.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    lines, seen = [], False
    while not seen and (line := process.stdout.readline().decode()):
        lines.append(line)
        seen = bool(until) and until in line
    if until and not seen:
        raise SystemExit(f"{' '.join(command)}:\n{''.join(lines)}")
    clock = time.perf_counter() - began
    return Taken(_processor_time(process) if until else _of_ended(process), clock)


def _processor_time(process: psutil.Popen) -> float:
    """Of it and of its children so far; ends them."""
    family = [process, *process.children(recursive=True)]
    times = [one.cpu_times() for one in family]
    own = times[0]
    process.send_signal(signal.SIGINT)
    process.stdin.close()
    try:
        process.wait(timeout=20)
    except psutil.TimeoutExpired:
        process.kill()
    for one in family[1:]:
        if one.is_running():
            one.kill()
    return own.children_user + own.children_system + sum(one.user + one.system for one in times)


def _of_ended(process: psutil.Popen) -> float:
    """Of one that ends by itself."""
    _, code, used = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"it ended with {os.waitstatus_to_exitcode(code)}")
    return used.ru_utime + used.ru_stime


def many_checkpoints(work: Path, count: int) -> Path:
    """A built run of so many small checkpoints, weights and all."""
    from samples import save_checkpoint, write_splits

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    run = work / f"checkpoints-{count}"
    if not (run / "made").is_file():
        for step in range(1, count + 1):
            save_checkpoint(run / f"checkpoint-{step}", seed=step, step=step)
        data = work / "many"
        if not data.is_dir():
            write_splits(data, test=100)
        build(RunFolder(run), Request(dataset={"source": str(data)}))
        (run / "made").touch()
    return run


def built(work: Path, images: int, checkpoints: int) -> Path:
    """A built run of synthetic embeddings of 384 numbers."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    run = make(work, images, checkpoints, 384)
    build(RunFolder(run), Request())
    return run


def to_train(work: Path, out: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Arguments of our command and of a bare script for the same training, into folders each."""
    from samples import save_start_model, write_splits

    if not (work / "small").is_dir():
        write_splits(work / "small", train=20, test=6)
        save_start_model(work / "model")
    model, data = str(work / "model"), str(work / "small")
    ours = [
        "finetune",
        "--run",
        str(out[0]),
        "--model",
        model,
        "--dataset",
        data,
        "--device",
        "cpu",
    ]
    ours += ["--steps", "4", "--batch-size", "8", "--eval-split", "none"]
    bare = ["--model_name_or_path", model, "--data", data, "--output_dir", str(out[1])]
    bare += ["--max_steps", "4", "--per_device_train_batch_size", "8", "--use_cpu", "true"]
    return ours, [*bare, "--remove_unused_columns", "false", "--review", "false"]


def starts(work: Path, images: int, checkpoints: int, many: int) -> list[Start]:
    """All that is measured; what it needs is made."""
    run, small = built(work, images, checkpoints), many_checkpoints(work, many)
    ours = [PYTHON, "-m", "review_embeddings"]
    out = (work / "trained", work / "bare")
    trained, bare = to_train(work, out)
    step = [PYTHON, "-c", FIRST_STEP]
    size = f"{images:,} x {checkpoints}"
    return [
        Start(
            f"review of {size}, to its address",
            [*ours, "--first", "--last", "--run", str(run), "--no-browser"],
            "Spotlight: http",
            1.0,
            [PYTHON, "-c", FLOOR],
            "at ",
        ),
        Start(f"build of {size}, nothing to do", [*ours, "build", "--run", str(run)], "", 1.5),
        Start(
            f"build of {many} checkpoints, nothing to do",
            [*ours, "build", "--run", str(small)],
            "",
            1.5,
        ),
        Start(
            "finetune, to the first step",
            [*step, "review_embeddings", *trained],
            "the first step",
            2.0,
            [*step, str(SCRIPT), *bare],
            "the first step",
            out,
        ),
    ]


def measure(start: Start, rounds: int, *, warm: bool) -> tuple[list[Taken], list[Taken]]:
    """Ours and the peer's, in turn."""
    ours: list[Taken] = []
    peers: list[Taken] = []
    for _ in range(rounds + warm):
        for folder in start.new:
            shutil.rmtree(folder, ignore_errors=True)
        ours.append(started(start.ours, start.until))
        if start.peer:
            peers.append(started(start.peer, start.peer_until))
    return ours[warm:], peers[warm:]


def report(start: Start, ours: Sequence[Taken], peers: Sequence[Taken]) -> str:
    """A row of the table."""
    cells = [start.title]
    for kind in ("processor", "clock"):
        own, other = (
            statistics.median(getattr(one, kind) for one in some) if some else np.nan
            for some in (ours, peers)
        )
        cells += [f"{own:.1f}", f"{other:.1f}" if peers else "", f"{own - other:+.1f}"]
        cells[-1] = cells[-1] if peers else f"{own:.1f}"
    return f"| {' | '.join(cells)} | {start.target:g} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--checkpoints", type=int, default=25)
    parser.add_argument("--many", type=int, default=100, help="checkpoints of the other run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder of the runs, which are made once")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.images, options.checkpoints, options.many, options.rounds = 60, 2, 3, 1
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        print("| seconds | ours, processor | peer | more | ours, clock | peer | more | at most |")
        print(f"| --- {'| ---: ' * 7}|", flush=True)
        for start in starts(work, options.images, options.checkpoints, options.many):
            ours, peers = measure(start, options.rounds, warm=not options.smoke)
            print(report(start, ours, peers), flush=True)


if __name__ == "__main__":
    main()
