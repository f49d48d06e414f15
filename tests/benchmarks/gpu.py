"""What a GPU does with our code, against what the card itself can: one table in at most eight
minutes.

    python -m tests.benchmarks.gpu
    python -m tests.benchmarks.gpu --smoke     # everything once in its smallest size, on any device

The ceiling is the card's own product of two large bfloat16 matrices, measured beside the model.
Operations of the model are counted by torch on one image. Images and weights are random: neither
changes the time. A row that no longer fits into the time is named and left out.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.images.normalisation import Normalisation
from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.device import device_title, half_precision, pick_device
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from tests.benchmarks.ways import Case, model_folder

SECONDS = 480
"""For the whole table."""

TARGETS = {"share of the ceiling": 0.60, "waiting for images": 0.10}
"""At least, and at most."""


@dataclass(frozen=True)
class Sizes:
    """How large the measurements are."""

    matrix: int = 8192
    images: int = 8192
    side: int = 224
    searched: tuple[int, ...] = (60_000, 500_000)
    dimension: int = 768
    proven: int = 2000


SMOKE = Sizes(matrix=64, images=20, side=32, searched=(300,), dimension=32, proven=60)


@dataclass
class Clock:
    """What is left of the time, and the device to wait for."""

    device: torch.device
    seconds: float
    started: float = field(default_factory=time.perf_counter)

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.started)

    def time(self, work: Callable[[], Any]) -> float:
        """Seconds that something takes, to its last operation on the device."""
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    value: str
    target: str = ""
    is_met: bool | None = None


def ceiling(clock: Clock, sizes: Sizes) -> float:
    """Operations a second of the product of two bfloat16 matrices, the best of five."""
    shape = (sizes.matrix, sizes.matrix)
    left, right = (torch.randn(shape, device=clock.device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(left)
    times = [clock.time(lambda: torch.matmul(left, right, out=out)) for _ in range(6)]
    return 2 * sizes.matrix**3 / min(times[1:])


def operations(encoder: Encoder, side: int) -> int:
    """Of one image through the model."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        encoder.encode(torch.zeros(1, 3, side, side))
    total: int = counted.get_total_flops()
    return total


def pixels_of(sizes: Sizes) -> Pixels:
    """Levels of random images, as the cache of a run holds them."""
    shape = (sizes.images, 3, sizes.side, sizes.side)
    levels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Pixels(levels, Normalisation([1 / 128] * 3, [-1.0] * 3))


def load(model: Path, precision: str, device: torch.device) -> Encoder:
    checkpoint = find_checkpoints(model.parent, str(model)).by_step(0)
    return load_encoder(
        checkpoint, pooling="cls", precision=precision, device=str(device), with_head=True
    )


def forward(clock: Clock, sizes: Sizes, model: Path, most: float) -> Iterator[Row]:
    """Images a second in each precision, as a build encodes them, and how long the device waits."""
    pixels = pixels_of(sizes)
    halves = [half_precision(name, str(clock.device)) for name in ("bf16", "fp16")]
    for precision in (*halves, "fp32"):
        encoder = load(model, precision, clock.device)

        clock.time(partial(encode, encoder, pixels.between(0, min(512, len(pixels)))))
        seconds = clock.time(partial(encode, encoder, pixels))
        rate = len(pixels) / seconds
        yield Row(f"{precision}, images a second", f"{rate:,.0f}")
        if precision != halves[0]:
            continue
        share = rate * operations(encoder, sizes.side) / most
        yield reached("share of the ceiling", share, at_least=True)
        alone = bare(clock, encoder, sizes) * len(pixels)
        yield reached("waiting for images", max(0.0, 1 - alone / seconds), at_least=False)


def encode(encoder: Encoder, pixels: Pixels) -> None:
    """As a build does."""
    for _ in encode_all(encoder, pixels, batch_size=None, name="the model"):
        pass


def bare(clock: Clock, encoder: Encoder, sizes: Sizes) -> float:
    """Seconds an image takes where a batch lies on the device already."""
    size = min(256, sizes.images)
    batch = torch.zeros(size, 3, sizes.side, sizes.side, device=clock.device)
    times = [clock.time(lambda: encoder.encode(batch)) for _ in range(6)]
    return float(np.median(times[1:])) / size


def reached(what: str, value: float, *, at_least: bool) -> Row:
    """A row with its target."""
    limit = TARGETS[what]
    is_met = value >= limit if at_least else value <= limit
    words = "at least" if at_least else "at most"
    return Row(what, f"{value:.0%}", f"{words} {limit:.0%}", is_met)


def search(clock: Clock, sizes: Sizes) -> Iterator[Row]:
    """Seconds of the search for ten neighbours on the device."""
    spent, before = 0.0, 0
    for count in sizes.searched:
        name = f"ten neighbours of {count:,} x {sizes.dimension}"
        # An exact search grows with the square of the number.
        if before and clock.left < 1.5 * spent * (count / before) ** 2:
            yield Row(name, "left out: no time")
            continue
        random = np.random.default_rng(0)
        centres = random.normal(size=(10, sizes.dimension)).astype(np.float32)
        vectors = centres[np.arange(count) % 10]
        vectors += random.standard_normal(vectors.shape, dtype=np.float32)
        found: list[Any] = []

        def work(vectors: Any = vectors, found: list[Any] = found) -> None:
            found.append(nearest_neighbors(vectors, 10, device=str(clock.device)))

        spent, before = clock.time(work), count
        recall = found[0].recall
        yield Row(name, f"{spent:.1f} s", f"recall {recall:.3f}" if recall < 1 else "exact")


def proof(clock: Clock, sizes: Sizes, model: Path, work: Path) -> Iterator[Row]:
    """What `auto` finds on two checkpoints of random weights, and how long it takes."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.run.proof import read_proof
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages import proof as rule
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.pipeline.stages.proof import proof_text

    folder = work / "pictures"
    write_pictures(folder, sizes.proven)
    run = RunFolder(work / "run")
    before, rule.WORTH = rule.WORTH, 0
    request = Request(
        dataset={"source": str(folder)},
        base=str(model),
        wanted=["0"],
        device=str(clock.device),
    )
    try:
        seconds = clock.time(lambda: build(run, request))
    finally:
        rule.WORTH = before
    found = read_proof(run)
    said = "nothing to prove: no fast half precision" if found is None else proof_text(found)
    yield Row(f"auto on {sizes.proven:,} images", said)
    yield Row("the build with it", f"{seconds:.1f} s")


def write_pictures(folder: Path, count: int) -> None:
    """Small JPEG files in two classes."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(count):
        file = folder / "test" / f"class {number % 2}" / f"{number:05d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)


def rows(clock: Clock, sizes: Sizes, work: Path, *, small: bool) -> Iterator[Row]:
    """The table, row after row as they are measured."""
    case = Case(work, sizes.images, 1, sizes.dimension, sizes.side, small, work)
    model = model_folder(case, "base")
    most = ceiling(clock, sizes)
    yield Row("product of bfloat16 matrices", f"{most / 1e12:,.1f} TFLOP/s")
    yield from forward(clock, sizes, model, most)
    yield from search(clock, sizes)
    yield from proof(clock, sizes, model, work)
    if clock.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(clock.device) / 2**30
        yield Row("peak memory of the device", f"{peak:.1f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", help="cuda, cuda:1, mps or cpu. Default: the best there is.")
    parser.add_argument("--smoke", action="store_true", help="The smallest size.")
    options = parser.parse_args()
    device = pick_device(options.device)
    if device.type == "cpu" and not options.smoke:
        parser.error("there is no GPU here. Use --smoke to see that everything runs.")
    python = platform.python_version()
    print(f"{device_title(str(device))}, torch {torch.__version__}, Python {python}")
    sizes = SMOKE if options.smoke else Sizes()
    clock, missed = Clock(device, SECONDS), 0
    with tempfile.TemporaryDirectory() as work:
        for row in rows(clock, sizes, Path(work), small=options.smoke):
            is_met = None if options.smoke else row.is_met
            mark = {None: "", True: "reached", False: "MISSED"}[is_met]
            print(f"{row.what:38} {row.value:>14}  {row.target:14} {mark}".rstrip(), flush=True)
            missed += is_met is False
    said = "the smallest size says nothing of speed" if options.smoke else f"{missed} missed"
    print(f"{said}, {SECONDS - clock.left:.0f} s")


if __name__ == "__main__":
    main()
