"""Time and memory of all that follows from embeddings, on synthetic ones of any size: scores,
maps, table, frame, lists, page.

    python -m tests.benchmarks.large --images 60000 --checkpoints 20 --dimension 768 --work DIR
    python -m tests.benchmarks.large --smoke

The run is made once in DIR and used again: real images (8 pixels wide), real files, embeddings that
draw together from checkpoint to checkpoint. Each step has a process of its own; its peak is the
largest resident set, memory-mapped pages included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

CLASSES = 10


OCTAVES = (2, 4, 8, 16, 32, 64, 128)
"""Pixels a side of the noise that a photograph is the sum of, as much of each as in nature."""


def photograph(seed: int, side: int) -> bytes:
    """A JPEG of noise with as much energy in each octave: as hard to compress as a photograph of
    this size."""
    from PIL import Image
    from samples import encoded

    random, pixels = np.random.default_rng(seed), np.zeros((side, side, 3))
    for octave in OCTAVES:
        colours = 128 + 110 * (random.random((octave, octave, 1)) - 0.5)
        colours = colours + 40 * (random.random((octave, octave, 3)) - 0.5)
        noise = Image.fromarray(colours.astype(np.uint8))
        pixels += np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC), float) - 128
    return encoded(Image.fromarray((128 + pixels).clip(0, 255).astype(np.uint8)), "JPEG")


def pictures(images: int, side: int) -> Iterator[bytes]:
    """PNG files of noise, 8 pixels wide, or photographs of another size."""
    from PIL import Image
    from samples import encoded

    random = np.random.default_rng(0)
    for number in range(images):
        small = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        yield encoded(Image.fromarray(small)) if side == 8 else photograph(number, side)


def make(work: Path, images: int, checkpoints: int, dimension: int, side: int = 8) -> Path:
    """A run folder with embeddings and without the weights that they would be of; of photographs
    where their ``side`` is not the usual one."""
    import shutil

    import datasets
    from samples import save_checkpoint

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    of_size = "" if side == 8 else f"-{side}px"
    folder = work / f"run-{images}x{checkpoints}x{dimension}{of_size}"
    if (folder / "made").is_file():
        return folder

    random = np.random.default_rng(0)
    names = [f"class {number}" for number in range(CLASSES)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
    )
    files = [{"bytes": file, "path": None} for file in pictures(images, side)]
    data = work / f"images-{images}{of_size}.parquet"
    datasets.Dataset.from_dict(
        {"image": files, "label": [number % CLASSES for number in range(images)]}, features=features
    ).to_parquet(str(data))
    save_checkpoint(folder / "checkpoint-1", seed=1, step=1, classes=names)
    run = RunFolder(folder)
    build(run, Request(dataset={"source": str(data)}))
    stored = run.result_metadata("embeddings", 1)
    assert stored is not None
    likely = np.array(run.read_array("probabilities", 1))
    centres = random.normal(size=(CLASSES, dimension)).astype(np.float32)
    for step in range(1, checkpoints + 1):
        drawn = np.random.default_rng(step)
        specs = {
            "embeddings": ((images, dimension), np.float32),
            "probabilities": (likely.shape, np.float32),
        }
        with run.writing(step, stored["fingerprint"], specs) as writer:
            for start in range(0, images, 4096):
                labels = np.arange(start, min(images, start + 4096)) % CLASSES
                noise = drawn.normal(size=(len(labels), dimension)).astype(np.float32)
                writer.append("embeddings", centres[labels] + noise / (1 + step / checkpoints))
            writer.append("probabilities", likely)
            kept = {
                name: value
                for name, value in stored.items()
                if name not in {"arrays", "fingerprint", "checksums", "checksum"}
            }
            writer.metadata.update({**kept, "dimension": dimension})
    for (
        other
    ) in folder.iterdir():  # what follows from the embeddings of the model is none of these ones
        if other.is_dir() and other.name not in {"embeddings", "probabilities"}:
            shutil.rmtree(other)
    (folder / "made").touch()
    return folder


def build_it(run: Path) -> None:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    for stage, seconds in build(RunFolder(run), Request()).seconds.items():
        print(f"{'':10} {stage:>12} {seconds:9.1f} s", flush=True)


def review_it(run: Path) -> None:
    """The page's frame, layout and lists of the first and the last checkpoint; Spotlight's imports
    are part of it."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.review.page.page import page_for

    page = page_for(
        build(RunFolder(run), Request(wanted=["first", "last"])), rows=50_000, note=print
    )
    print(
        f"{'':10} {'frame':>12} {len(page.frame):,} rows, {len(page.frame.columns)} columns, "
        f"{len(page.lists)} lists",
        flush=True,
    )


def floor_it(run: Path) -> None:
    """What Spotlight costs with nothing to show."""
    from review_embeddings.review.page.spotlight import import_spotlight

    import_spotlight()


def export_it(run: Path) -> None:
    from click.testing import CliRunner

    from review_embeddings.review.cli.program import cli

    for kind in ("labels", "consensus"):
        done = CliRunner().invoke(
            cli,
            [
                "export",
                "--run",
                str(run),
                "--list",
                kind,
                "--top",
                "1000",
                "--out",
                str(run / "exports" / f"{kind}.csv"),
            ],
        )
        assert done.exit_code == 0, done.output


def peak_mib() -> float:
    """Largest resident set of this process; where the system says it only with what its parent had,
    that."""
    status = Path("/proc/self/status")
    if status.is_file():
        return (
            int(
                next(
                    line for line in status.read_text().splitlines() if line.startswith("VmHWM")
                ).split()[1]
            )
            / 1024
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


STEPS = {
    "build": build_it,
    "again": build_it,
    "floor": floor_it,
    "review": review_it,
    "export": export_it,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument(
        "--step", choices=STEPS, help="only this one, of the run in --work, in this process"
    )
    options = parser.parse_args()
    if options.step:
        started = time.perf_counter()
        STEPS[options.step](options.work)
        print(json.dumps({"seconds": time.perf_counter() - started, "mib": peak_mib()}))
        return
    if options.smoke:
        options.images, options.checkpoints, options.dimension = 200, 3, 16
    with tempfile.TemporaryDirectory() as temporary:
        run = make(
            options.work or Path(temporary), options.images, options.checkpoints, options.dimension
        )
        print(
            f"{options.images:,} images x {options.checkpoints} checkpoints x {options.dimension} "
            f"in {run}",
            flush=True,
        )
        for step in STEPS:
            command = [
                sys.executable,
                "-m",
                "tests.benchmarks.large",
                "--step",
                step,
                "--work",
                str(run),
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{step}: {done.stderr[-3000:]}")
            *lines, last = done.stdout.splitlines()
            found = json.loads(last)
            print(
                "\n".join(
                    [
                        *lines,
                        f"{step:10} {'all':>12} {found['seconds']:9.1f} s {found['mib']:8,.0f} MiB",
                    ]
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
