"""The same run built in one process and on a Ray cluster of some node processes on this machine:
tables compared, time beside time.

    python -m tests.benchmarks.cluster --images 20000 --checkpoints 4 --work DIR [--nodes 3] [--kill
    | --kill-driver] [--keep-local]

With ``--kill`` one node is killed when half of the first checkpoint's shards are there; with
``--kill-driver`` the program itself, which is then started again. Both ways have the same cores: as
many as there are nodes, of one CPU each, or all where the machine has fewer. One process shares
them among its threads; on the cluster each node works with one, and what Ray itself needs comes out
of them too. ``--keep-local`` compares with the tables of one process that an earlier call left in
``--work``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

SHARED_OUT = ("embeddings", "neighbors", "projections")
"""Stages that the cluster does; the others are done by the program itself in both ways."""


class Notes:
    """Prints what a person should read, and how long the cluster took for each piece of work."""

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Any:
        started = time.perf_counter()
        yield lambda done: None
        if " at a time" in title:
            print(f"{title}: {time.perf_counter() - started:.2f} s", flush=True)

    def note(self, text: str) -> None:
        print(f"note: {text}", flush=True)

    def latest(self, text: str) -> None:
        pass


def keep_to(cores: int) -> None:
    """Start this program again on so many cores, where it has more: libraries count them when they
    are imported."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) > cores:
        os.sched_setaffinity(0, available[:cores])
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.cluster", *sys.argv[1:]])


def make(work: Path, images: int, checkpoints: int) -> tuple[Path, Path]:
    """Checkpoints of a tiny ViT, and real image files."""
    import datasets
    from PIL import Image
    from samples import CLASSES, encoded, save_checkpoint

    data, root = work / f"images-{images}.parquet", work / f"checkpoints-{checkpoints}"
    if not data.is_file():
        random = np.random.default_rng(0)
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)}
        )
        pixels = random.integers(0, 256, (images, 16, 16, 3), dtype=np.uint8)
        rows = {
            "image": [{"bytes": encoded(Image.fromarray(one)), "path": None} for one in pixels],
            "label": [number % 3 for number in range(images)],
        }
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(data))
    for step in range(10, 10 * checkpoints + 1, 10):
        if not (root / f"checkpoint-{step}").is_dir():
            save_checkpoint(root / f"checkpoint-{step}", seed=step, step=step)
    return data, root


def differences(one: Path, other: Path) -> dict[str, float]:
    """Largest difference of each column of numbers between two tables, and of the embeddings."""
    from review_embeddings.pipeline import table

    tables = [table.read(run).drop(columns=["image", "embedding"]) for run in (one, other)]
    found = {}
    for name in tables[0].columns:
        left, right = (frame[name] for frame in tables)
        if left.dtype.kind in "fi":
            gap = np.abs(left.to_numpy(dtype=float) - right.to_numpy(dtype=float))
            found[name] = float(np.nanmax(gap, initial=0.0))
        else:
            found[name] = float((left.astype(str) != right.astype(str)).sum())
    from review_embeddings.pipeline.run.folder import RunFolder

    for step in RunFolder(one).steps_with("embeddings"):
        pair = [RunFolder(run).read_array("embeddings", step) for run in (one, other)]
        found[f"embeddings of {step}"] = float(np.abs(pair[0] - pair[1]).max())
    return found


def wait_for_half(run: Path, images: int) -> dict[Path, int]:
    """When half of the first checkpoint's shards are there: their files and when they were written,
    in nanoseconds."""
    from review_embeddings.pipeline.stages.registry import EMBEDDINGS

    rows = EMBEDDINGS.rows
    assert isinstance(rows, int)

    while len(files := list((run / "shards").glob("*/[0-9]*-embeddings.npy"))) * rows < images / 2:
        time.sleep(0.02)
    return {file: file.stat().st_mtime_ns for file in files}


def start_and_kill(run: Path, root: Path, data: Path, address: str, images: int) -> dict[Path, int]:
    """Build in a process of its own, which is killed at half of the first checkpoint; the shards
    that were there then."""
    settings = {
        "--run": run,
        "--checkpoints": root,
        "--dataset": data,
        "--engine": "ray",
        "--address": address,
    }
    words = [str(word) for pair in settings.items() for word in pair]
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from review_embeddings.review.cli.program import main; main()",
            "build",
            *words,
        ]
    )
    before = wait_for_half(run, images)
    program.kill()
    program.wait()
    print(f"the program was killed; {len(before)} shards were there", flush=True)
    return before


@contextmanager
def shards_when_removed() -> Any:
    """Gives a dict that is filled with the files of shards, and when they were written, at the
    moment they are removed."""
    from review_embeddings.pipeline.engines.shards import Shards

    found: dict[Path, int] = {}
    remove = Shards.remove

    def noting(shards: Shards) -> None:
        found.update({file: file.stat().st_mtime_ns for file in shards.folder.glob("*.npy")})
        remove(shards)

    with patch.object(Shards, "remove", noting):
        yield found


def tell_time(way: str, seconds: float, stages: Mapping[str, float]) -> None:
    spent = ", ".join(f"{stage} {value:.1f}" for stage, value in stages.items())
    print(f"{way:6} {seconds:7.1f} s   {spent}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--checkpoints", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--kill-driver", action="store_true")
    parser.add_argument("--keep-local", action="store_true")
    options = parser.parse_args()
    keep_to(options.nodes)

    import ray
    from ray.cluster_utils import Cluster

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        data, root = make(work, options.images, options.checkpoints)
        settings: dict[str, Any] = {"dataset": {"source": str(data)}, "checkpoints": str(root)}
        for name in ("warm", "ray", *(() if options.keep_local else ("local",))):
            shutil.rmtree(work / name, ignore_errors=True)
        cores = len(os.sched_getaffinity(0))
        print(
            f"{options.images:,} images, {options.checkpoints} checkpoints; both on the same "
            f"{cores} cores; {options.nodes} nodes"
        )
        build(
            RunFolder(work / "warm"),
            Request(**{**settings, "dataset": {**settings["dataset"], "limit": 200}}),
        )  # imports everything
        started = time.perf_counter()
        local = build(RunFolder(work / "local"), Request(**settings))
        tell_time("local", time.perf_counter() - started, local.seconds)

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        workers = [cluster.add_node(num_cpus=1) for _ in range(options.nodes - 1)]
        before: dict[Path, int] = {}

        def kill() -> None:
            there = len(wait_for_half(work / "ray", options.images))
            cluster.remove_node(workers[0], allow_graceful=False)
            print(f"a node was killed; {there} shards were there", flush=True)

        if options.kill:
            threading.Thread(target=kill, daemon=True).start()
        if options.kill_driver:
            before = start_and_kill(work / "ray", root, data, cluster.address, options.images)
        with shards_when_removed() as after:
            started = time.perf_counter()
            built = build(
                RunFolder(work / "ray"),
                Request(**settings, engine="ray", address=cluster.address),
                progress=Notes(),
            )
            tell_time("ray", time.perf_counter() - started, built.seconds)
        if before:
            kept = sum(after.get(file) == written for file, written in before.items())
            print(
                f"started again: {kept} of the {len(before)} shards that were there were not "
                f"written again"
            )
        pairs = [
            (stage, built.seconds[stage], local.seconds[stage])
            for stage in SHARED_OUT
            if stage in local.seconds
        ]
        if pairs:
            print(
                "cluster / one process: "
                + ", ".join(
                    f"{stage} {one:.2f} / {other:.2f} = {one / other:.2f}"
                    for stage, one, other in pairs
                )
            )
        worst = differences(work / "local", work / "ray")
        print(
            "differences: "
            + (", ".join(f"{name} {value:.2g}" for name, value in worst.items() if value) or "none")
        )
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
