"""Opens a folder of many images, beside ``datasets``' own loader: seconds, and folders listed.

``python -m tests.benchmarks.folders --images 100000``
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

CLASSES = 100

MAX_LINKS = 30_000
"""Links to one file that file systems allow."""


def make(root: Path, count: int) -> None:
    """Files of one picture in class folders, as links to a few files: only their names are read."""
    for number in range(count):
        picture = root / f"{number // MAX_LINKS}.png"
        if number % MAX_LINKS == 0:
            Image.new("RGB", (8, 8)).save(picture)
        folder = root / "data" / f"class {number % CLASSES:03d}"
        if number < CLASSES:
            folder.mkdir(parents=True)
        os.link(picture, folder / f"{number:07d}.png")


def ours(root: Path) -> tuple[int, float, int]:
    """Rows, seconds and folders listed, with the fingerprint of all files."""
    from review_embeddings.pipeline.images.dataset import open_dataset, source_signature
    from review_embeddings.pipeline.images.walk import walked_once
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import DatasetReference

    listed = []
    scandir = os.scandir

    def counted(path: str) -> object:
        listed.append(path)
        return scandir(path)

    os.scandir = counted  # type: ignore[assignment]
    started = time.perf_counter()
    with walked_once():
        reference = DatasetReference(str(root))
        source_signature(reference, RunFolder(root.parent / "run"))
        opened = open_dataset(reference)
    os.scandir = scandir
    return len(opened.rows), time.perf_counter() - started, len(listed)


def theirs(root: Path, cache: Path) -> tuple[int, float]:
    """The same by ``datasets``."""
    import datasets

    datasets.disable_progress_bars()
    started = time.perf_counter()
    builder = datasets.load_dataset_builder(str(root), cache_dir=str(cache))
    builder.download_and_prepare()
    return len(builder.as_dataset(split="train")), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--smoke", action="store_true", help="2,000 images")
    options = parser.parse_args()
    count = 2_000 if options.smoke else options.images
    import datasets  # noqa: F401  # by neither of the two: it takes seconds

    with TemporaryDirectory() as place:
        make(Path(place), count)
        rows, seconds, listed = ours(Path(place) / "data")
        others, other_seconds = theirs(Path(place) / "data", Path(place) / "cache")
    assert rows == others == count, (rows, others)
    assert listed == CLASSES + 1, f"{listed} folders were listed, and there are {CLASSES + 1}"
    print(f"{count:,} files in {CLASSES + 1} folders, each listed once (walks: 1)")
    print(f"ours      {rows:,} rows  {seconds:.1f} s  (its files' fingerprint among it)")
    print(f"datasets  {others:,} rows  {other_seconds:.1f} s")
    print(f"ours takes {seconds / other_seconds:.2f} of the time of datasets")


if __name__ == "__main__":
    main()
