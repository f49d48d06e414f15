"""Processor seconds and peak memory of what `compare` works out of two runs, part by part.

    python -m tests.benchmarks.comparing --images 60000 --dimension 768 --classes 10

Random embeddings in half precision, memory-mapped as those of a run, and random neighbours: a run
has its own, and only images that not all runs have make it look for them anew (``--search``). The
peak is the largest resident set so far, memory-mapped pages included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis import pairs
from tests.benchmarks.large import peak_mib

R = TypeVar("R")


def embeddings(file: Path, shape: tuple[int, int], seed: int) -> NDArray[Any]:
    """Random ones, written part by part and memory-mapped."""
    random = np.random.default_rng(seed)
    made = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    for start in range(0, shape[0], 5000):
        rows = slice(start, start + 5000)
        made[rows] = random.normal(size=made[rows].shape)
    made.flush()
    return np.load(file, mmap_mode="r")  # type: ignore[no-any-return]


def timed(name: str, work: Callable[[], R]) -> R:
    """What the work gives; prints what it took."""
    started = time.process_time()
    result = work()
    seconds = round(time.process_time() - started, 2)
    print(json.dumps({"part": name, "seconds": seconds, "MiB": round(peak_mib())}), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--search", action="store_true", help="look for the neighbours, too")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.images, options.dimension = 300, 16
    total, random = options.images, np.random.default_rng(0)
    hashes = [f"{number:064x}" for number in range(total)]
    near = random.integers(0, total, (total, pairs.NEAR), dtype=np.int32)
    shares = [random.dirichlet(np.ones(options.classes), size=total) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        first, second = (
            embeddings(Path(folder) / f"{seed}.npy", (total, options.dimension), seed)
            for seed in (1, 2)
        )
        timed("match", lambda: pairs.match(hashes, hashes[::-1]))
        timed("disagreement", lambda: pairs.disagreement(shares))
        space = timed("align the spaces, CKA", lambda: pairs.align_spaces(first, second))
        timed("moved", lambda: pairs.moved_between(space, first, second, near))
        timed("both on one plane", lambda: space.maps(first, second))
        if options.search:
            timed("neighbours of one run", lambda: pairs.neighbors_among(first))


if __name__ == "__main__":
    main()
