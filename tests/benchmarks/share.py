"""Seconds, peak memory and megabytes of a shared page.

    python -m tests.benchmarks.share --images 10000 --checkpoints 25 --side 224 --work DIR
    python -m tests.benchmarks.share --run RUN

The run is made once in DIR and used again, as `tests.benchmarks.large` makes it: synthetic
embeddings, and photographs of ``--side`` pixels that are as hard to compress as real ones. The page
is made in a process of its own; its peak is the largest resident set, memory-mapped pages included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.large import build_it, make, peak_mib


def share_it(run: Path, out: Path, max_mb: float) -> None:
    """Make and write the page, and print what that took."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.share.make import share
    from review_embeddings.review.share.options import ShareSettings

    started = time.perf_counter()
    page = share(RunFolder(run), out, ShareSettings(max_mb=max_mb))
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "images": page.images,
                "checkpoints": len(page.steps),
                "seconds": round(seconds, 1),
                "MiB": round(peak_mib()),
                "MB": round(page.bytes / 1e6, 2),
                "thumbnails": page.side,
                "left out": page.left_out,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--checkpoints", type=int, default=25)
    parser.add_argument("--dimension", type=int, default=192)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--max-mb", type=float, default=12)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--run", type=Path, help="a run that is there, which is not changed")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--page", type=Path, help="make only this page of --run, in this process")
    options = parser.parse_args()
    if options.page:
        share_it(options.run, options.page, options.max_mb)
        return
    if options.smoke:
        options.images, options.checkpoints, options.dimension, options.side = 60, 3, 16, 64
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        run = options.run
        if run is None:
            run = make(work, options.images, options.checkpoints, options.dimension, options.side)
            build_it(run)
        command = [sys.executable, "-m", "tests.benchmarks.share", "--run", str(run)]
        command += ["--page", str(work / "page.html"), "--max-mb", str(options.max_mb)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(done.returncode)
        print(done.stdout, end="")


if __name__ == "__main__":
    main()
