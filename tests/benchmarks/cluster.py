"""The same run built in one process and on a Ray cluster of three node processes on this machine: tables compared, time beside time.

    python -m tests.benchmarks.cluster --images 20000 --checkpoints 4 --work DIR [--kill]

With ``--kill`` one node is killed when half of the first checkpoint's shards are there.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

NODES = 3


def make(work: Path, images: int, checkpoints: int) -> tuple[Path, Path]:
    """Checkpoints of a tiny ViT, and real image files."""
    import datasets
    from PIL import Image
    from samples import CLASSES, encoded, save_checkpoint

    data, root = work / f"images-{images}.parquet", work / f"checkpoints-{checkpoints}"
    if not data.is_file():
        random = np.random.default_rng(0)
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})
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
    from pipeline import table

    tables = [table.read(run).drop(columns=["image", "embedding"]) for run in (one, other)]
    found = {}
    for name in tables[0].columns:
        left, right = (frame[name] for frame in tables)
        if left.dtype.kind in "fi":
            gap = np.abs(left.to_numpy(dtype=float) - right.to_numpy(dtype=float))
            found[name] = float(np.nanmax(gap, initial=0.0))
        else:
            found[name] = float((left.astype(str) != right.astype(str)).sum())
    from pipeline.runfolder import RunFolder

    for step in RunFolder(one).steps_with("embeddings"):
        pair = [RunFolder(run).read_array("embeddings", step) for run in (one, other)]
        found[f"embeddings of {step}"] = float(np.abs(pair[0] - pair[1]).max())
    return found


def main() -> None:
    import ray
    from ray.cluster_utils import Cluster

    from pipeline.runfolder import RunFolder
    from pipeline.stages import Request, build

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--checkpoints", type=int, default=4)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--kill", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        data, root = make(work, options.images, options.checkpoints)
        request = {"dataset": {"source": str(data)}, "checkpoints": str(root)}
        for name in ("local", "ray"):
            shutil.rmtree(work / name, ignore_errors=True)
        started = time.perf_counter()
        local = build(RunFolder(work / "local"), Request(**request))
        seconds = {"local": time.perf_counter() - started}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        workers = [cluster.add_node(num_cpus=1) for _ in range(NODES - 1)]

        def kill() -> None:
            shards = (work / "ray" / "shards").glob("*/*-embeddings.npy")
            while len(list((work / "ray" / "shards").glob("*/*-embeddings.npy"))) * 1024 < options.images / 2:
                time.sleep(0.05)
            cluster.remove_node(workers[0], allow_graceful=False)
            print(f"a node was killed; {len(list(shards))} shards were there", flush=True)

        if options.kill:
            threading.Thread(target=kill, daemon=True).start()
        started = time.perf_counter()
        built = build(RunFolder(work / "ray"), Request(**request, engine="ray", address=cluster.address))
        seconds["ray"] = time.perf_counter() - started
        for way, done in (("local", local), ("ray", built)):
            stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in done.seconds.items())
            print(f"{way:6} {seconds[way]:7.1f} s   {stages}", flush=True)
        worst = differences(work / "local", work / "ray")
        print("differences: " + (", ".join(f"{name} {value:.2g}" for name, value in worst.items() if value) or "none"))
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
