"""Seconds, images a second and peak memory of every stage, what share of a build is the model's
forward pass, and the time from the command to the page that answers.

    python -m tests.benchmarks.stages --checkpoints DIR --dataset DIR --split test --first 2
    python -m tests.benchmarks.stages --after 10000x768 --after 10000x384
    python -m tests.benchmarks.stages --smoke

``--first K`` builds a new run from K checkpoints spread evenly over the training. ``--after NxD``
builds all that follows from embeddings, of four synthetic checkpoints. Rows are printed as they are
measured. Memory is the resident set of the process while the stage runs, read every 20 ms;
memory-mapped pages count. Libraries are imported before.

Processor time does not depend on what else the machine does; threads may not spin while they wait
(OMP_WAIT_POLICY=passive OPENBLAS_THREAD_TIMEOUT=18, as our commands set them).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.device import Arithmetic, half_precision, pick_device
from review_embeddings.pipeline.models.encode import BATCH_SIZE_CPU
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import compute
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.stages.session import BuildSession

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from serving import serving

from tests.benchmarks import large

PEAKS: dict[str, int] = {}

PROCESSOR: dict[str, float] = {}
"""Processor seconds of each stage, of all threads."""

SHAPES: list[tuple[int, ...]] = []
"""Of the images as models were given them."""

MODEL = {"images", "image quality", "pixels", "embeddings"}
"""Stages that are the model, or come before it."""

ONCE = {"duplicates", "leaks"}
"""Stages whose time does not grow with the number of checkpoints."""

SHARES = {"fp32": 0.90, "half": 0.85}
"""Of a build that is to be the bare forward pass, on a CPU."""

SECONDS = {(10_000, 768): 2.0, (10_000, 384): 1.2}
"""A checkpoint at most, by images and dimensions, on two idle cores: everything but the model."""

CHECKPOINTS = 4
"""Of a synthetic run."""


@contextmanager
def sampled(stage: str) -> Iterator[None]:
    """Note the largest resident set while the context lasts."""
    process, done = psutil.Process(), threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            PEAKS[stage] = max(PEAKS.get(stage, 0), process.memory_info().rss)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def watch_stages() -> None:
    """Put the sampler around everything that `build` times."""
    timed = BuildSession.timed

    @contextmanager
    def both(self: Any, stage: str, count: int) -> Iterator[None]:
        began = time.process_time()
        with sampled(stage), timed(self, stage, count):
            yield
        PROCESSOR[stage] = PROCESSOR.get(stage, 0.0) + time.process_time() - began

    module: Any = compute
    encode_all = module.encode_all

    def noted(encoder: Any, pixels: Any, **more: Any) -> Any:
        SHAPES.append(tuple(pixels.shape))
        return encode_all(encoder, pixels, **more)

    BuildSession.timed = both  # type: ignore[method-assign]
    module.encode_all = noted


def measure(
    run: Path, checkpoints: Path, dataset: str, split: str | None, count: int, precision: str
) -> None:
    """Build a new run from some of the checkpoints and print a row a stage."""
    steps = find_checkpoints(checkpoints).steps
    chosen = [
        steps[place]
        for place in np.linspace(0, len(steps) - 1, min(count, len(steps))).round().astype(int)
    ]
    import_all()
    clear()
    started, began = time.perf_counter(), time.process_time()
    built = build(
        RunFolder(run),
        Request(
            dataset={"source": dataset, "split": split},
            checkpoints=str(checkpoints),
            wanted=[str(step) for step in chosen],
            settings={"precision": precision},
        ),
    )
    total, processor = time.perf_counter() - started, time.process_time() - began
    what = f"{len(chosen)} checkpoints"
    rows(what, built)
    count = len(built.images) * len(chosen)
    row(what, "all", total, processor, count, max(PEAKS.values(), default=None))
    alone = bare(find_checkpoints(checkpoints).by_step(chosen[-1]).source, precision, count)
    row(what, "bare pass", alone[0], alone[1], count, None)
    share, target = alone[1] / processor, SHARES["fp32" if precision == "fp32" else "half"]
    print(f"{what:>16} the bare forward pass is {share:.0%} of it, at least {target:.0%} on a CPU")
    beside(built, len(chosen))


def clear() -> None:
    for noted in (PEAKS, PROCESSOR, SHAPES):
        noted.clear()


def rows(what: str, built: Built) -> None:
    """One a stage."""
    for stage, seconds in built.seconds.items():
        row(what, stage, seconds, PROCESSOR[stage], built.work[stage], PEAKS.get(stage))


def beside(built: Built, checkpoints: int) -> None:
    """Everything but the model, a checkpoint."""
    names = [name for name in built.seconds if name not in MODEL | ONCE]
    seconds = sum(built.seconds[name] for name in names) / checkpoints
    processor = sum(PROCESSOR[name] for name in names) / checkpoints
    shape = np.load(built.run.array("embeddings", built.wanted[0]), mmap_mode="r").shape
    target = SECONDS.get(shape)
    words = "" if target is None else f", at most {target} s on two idle cores"
    print(
        f"{shape[0]:,} x {shape[1]}: everything but the model takes {seconds:.2f} s a checkpoint "
        f"({processor:.2f} s of a processor){words}",
        flush=True,
    )


def bare(source: Any, precision: str, images: int) -> tuple[float, float]:
    """Seconds, and those of a processor, that the model of transformers takes for so many images,
    in batches as a build makes them."""
    import torch
    from transformers import AutoModelForImageClassification

    device = pick_device(None)
    name = precision if precision == "fp32" else half_precision(precision, str(device))
    arithmetic = Arithmetic.of(name)
    model = AutoModelForImageClassification.from_pretrained(source).eval()
    model = model.to(device, arithmetic.weights)
    batch = torch.rand(BATCH_SIZE_CPU, *SHAPES[-1][-3:], device=device, dtype=arithmetic.weights)
    with torch.inference_mode(), arithmetic.on(device):
        model(batch)
        started, began = time.perf_counter(), time.process_time()
        for start in range(0, images, BATCH_SIZE_CPU):
            model(batch[: images - start])
    return time.perf_counter() - started, time.process_time() - began


def after(work: Path, size: str) -> None:
    """All that follows from the embeddings of a synthetic run."""
    images, dimension = map(int, size.split("x"))
    run = large.make(work, images, CHECKPOINTS, dimension)
    import_all()
    clear()
    built = build(RunFolder(run), Request())
    rows(f"{CHECKPOINTS} checkpoints", built)
    beside(built, CHECKPOINTS)


def import_all() -> None:
    """What stages import when they are first computed, which is no work of theirs."""
    import cleanlab.filter
    import cleanlab.outlier
    import cleanlab.rank
    import scipy.linalg
    import scipy.spatial
    import scipy.stats
    import sklearn.decomposition
    import sklearn.neighbors
    import torch
    import transformers

    assert cleanlab and scipy and sklearn and torch and transformers.AutoModelForImageClassification


def row(
    what: str, stage: str, seconds: float, processor: float, work: int, peak: int | None
) -> None:
    memory = "" if peak is None else f"{peak / 2**20:8,.0f} MiB"
    print(
        f"{what:>16} {stage:>13} {seconds:9.2f} s {processor:9.2f} s of a processor "
        f"{work / seconds:10,.0f} /s {memory}",
        flush=True,
    )


def page(run: Path) -> None:
    """Time from the command on a finished run to the page that answers, and to the whole table."""
    started = time.perf_counter()
    with serving("--first", "--last", "--run", run, "--no-browser") as served:
        for what, path in (("page answers", ""), ("table answers", "api/table/")):
            before = time.perf_counter()
            size = len(served.get(path))
            now = time.perf_counter()
            print(
                f"{what:>16} {now - started:9.2f} s after the command ({now - before:.2f} s "
                f"itself, {size / 2**20:.1f} MiB)",
                flush=True,
            )


def smoke(folder: Path) -> tuple[Path, Path]:
    """A tiny run: 60 images, 3 checkpoints."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
    from samples import CLASSES, picture, save_checkpoint

    for step in (0, 10, 20):
        save_checkpoint(folder / "trained" / f"checkpoint-{step}", seed=step, step=step)
    for number in range(60):
        target = folder / "data" / CLASSES[number % 3]
        target.mkdir(parents=True, exist_ok=True)
        picture(number % 3, seed=number).save(target / f"{number}.png")
    return folder / "trained", folder / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--split")
    parser.add_argument("--first", type=int, action="append", metavar="K")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--after", action="append", metavar="NxD")
    parser.add_argument("--work", type=Path, help="where synthetic runs are kept")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        watch_stages()
        for size in options.after or (["200x16"] if options.smoke else []):
            after(options.work or folder, size)
        if options.after:
            return
        checkpoints, dataset = options.checkpoints, options.dataset
        if options.smoke:
            checkpoints, dataset = smoke(folder)
        elif checkpoints is None or dataset is None:
            parser.error("--checkpoints and --dataset are needed, or --smoke")
        for count in options.first or [2]:
            run = folder / f"run-{count}"
            measure(run, checkpoints, str(dataset), options.split, count, options.precision)
            page(run)


if __name__ == "__main__":
    main()
