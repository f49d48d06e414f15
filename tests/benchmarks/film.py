"""The film beside the way of the published notebook, on the same checkpoints, interleaved in one
run.

    python -m tests.benchmarks.film --checkpoints 100 --images 10000 --rounds 3

The notebook's way, as it is described: for each checkpoint a new 8 x 8 inch figure at 200 dpi, ten
scatter plots, a loss panel, eight thumbnails as axes of their own, saved as PNG; then all PNG files
read, cropped and appended to a GIF by imageio. Each way runs in a process of its own, so that its
peak memory is its own; seconds and memory count from after the imports. At the end one MP4 and one
WebP: seconds, size and quality.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WAYS = ("notebook", "1 process", "2 processes")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def make_data(checkpoints: int, images: int) -> Any:
    """Ten classes that come apart, seeded."""
    from review_embeddings.review.animation.filmdata import FilmData

    random = np.random.default_rng(0)
    labels = random.integers(0, 10, images).astype(np.int32)
    angles = 2 * np.pi * labels / 10
    centers = 3.4 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    begin, noise = random.normal(0, 1.3, (images, 2)), random.normal(0, 0.45, (images, 2))
    points = [(1 - t) * begin + t * (centers + noise) for t in np.linspace(0, 1, checkpoints)]
    leaders = np.stack([random.choice(images, 8, replace=False) for _ in range(checkpoints)])
    steps = [20 * index for index in range(checkpoints)]
    return FilmData(
        steps=steps,
        epochs=[step / 1562 for step in steps],
        ids=np.arange(images),
        points=np.stack(points).clip(-5, 5).astype(np.float32),
        labels=labels,
        classes=list(CLASSES),
        leaders=leaders,
        scores=np.sort(random.random((checkpoints, 8)), axis=1).astype(np.float32),
        predictions=[
            [CLASSES[label] for label in random.integers(0, 10, 8)] for _ in range(checkpoints)
        ],
        confidences=random.random((checkpoints, 8)).astype(np.float32),
        thumbnails=_thumbnails(np.unique(leaders), random),
        loss=np.array([[step, 2.4 * np.exp(-step / 600)] for step in steps]),
        accuracy=np.array([[step, 1 - 0.9 * np.exp(-step / 500)] for step in steps]),
        trust=[""] * checkpoints,
    )


def _thumbnails(indices: Any, random: np.random.Generator) -> dict[int, Any]:
    """Pieces of the two photographs that come with scikit-learn, shrunk to 32 x 32 pixels."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(photograph) for photograph in load_sample_images().images]
    thumbnails = {}
    for index in indices:
        photograph = photographs[int(random.integers(len(photographs)))]
        left, top = (int(random.integers(side - 128)) for side in photograph.size)
        thumbnails[int(index)] = np.asarray(
            photograph.crop((left, top, left + 128, top + 128)).resize((32, 32))
        )
    return thumbnails


def notebook(data: Any, folder: Path, out: Path) -> None:
    """The published way."""
    import imageio
    import matplotlib.pyplot as plt

    files = []
    for index, step in enumerate(data.steps):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(8, 8), dpi=200, gridspec_kw={"height_ratios": [5, 1], "hspace": 0.4}
        )
        for label, name in enumerate(data.classes):
            mine = data.points[index][data.labels == label]
            top.scatter(mine[:, 0], mine[:, 1], label=name, s=8)
        top.set_xlim(-5, 5)
        top.set_ylim(-5, 5)
        top.legend(loc="upper right")
        top.set_title(f"Step {step}")
        known = data.loss[data.loss[:, 0] <= step]
        bottom.plot(known[:, 0], known[:, 1], color="red")
        bottom.set_xlim(0, data.steps[-1])
        bottom.set_ylim(0, 3)
        bottom.set_xlabel("step")
        bottom.set_ylabel("loss")
        for rank, leader in enumerate(data.leaders[index].tolist()):
            axes = figure.add_axes((0.85, 0.87 - (rank + 1) / 11, 0.06, 0.07))
            axes.imshow(data.thumbnails[leader])
            axes.set_title(f"Outlier {rank + 1} ({data.label_of(leader)})", fontsize=6)
            axes.axis("off")
        file = folder / f"{index:03d}.png"
        figure.savefig(file)
        plt.close(figure)
        files.append(file)
    writer: Any
    with imageio.get_writer(out, mode="I", loop=0) as writer:
        for file in files:
            writer.append_data(imageio.v2.imread(file)[10:-100, 110:-10])


def ours(data: Any, out: Path, processes: int, width: int) -> None:
    """This package's way: one frame a checkpoint."""
    from review_embeddings.review.animation.make import make_film
    from review_embeddings.review.animation.options import FilmOptions

    make_film(data, out, FilmOptions(size=width, tween=0, hold=0), processes=processes)


def one(way: str, checkpoints: int, images: int, width: int, out: Path) -> dict[str, float]:
    """One way, in this process."""
    import matplotlib

    from tests.benchmarks.large import peak_mib

    matplotlib.use("Agg")
    import imageio  # noqa: F401
    import matplotlib.pyplot as plt
    import sklearn.cluster  # noqa: F401

    plt.close(plt.figure())
    data = make_data(checkpoints, images)
    before, started = peak_mib(), time.perf_counter()
    if way == "notebook":
        with tempfile.TemporaryDirectory() as folder:
            notebook(data, Path(folder), out)
    else:
        ours(data, out, int(way[0]), width)
    return {
        "seconds": time.perf_counter() - started,
        "more_mib": peak_mib() - before,
        "bytes": out.stat().st_size,
    }


def psnr(data: Any, file: Path, width: int) -> float:
    """Peak signal-to-noise ratio of a film's frames against the frames as they were drawn, in dB,
    the mean squared error over all."""
    from review_embeddings.review.animation.plan import Moment
    from review_embeddings.review.animation.render import Canvas, FrameStyle

    canvas, errors = Canvas(data, FrameStyle(width)), []
    for index, shown in enumerate(_frames(file, len(data.steps))):
        errors.append(np.mean((shown - canvas.draw(Moment(index))[..., :3]) ** 2))
    assert len(errors) == len(data.steps), f"{file.name} has {len(errors)} frames"
    return float(10 * np.log10(255**2 / np.mean(errors)))


def _frames(file: Path, count: int) -> Iterator[Any]:
    """The frames of a film as a player shows them, float64 of shape (height, width, 3)."""
    if file.suffix == ".mp4":
        import av

        with av.open(str(file)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(np.float64)
        return
    from PIL import Image

    with Image.open(file) as film:
        for index in range(count):
            film.seek(index)
            yield np.asarray(film.convert("RGB"), dtype=np.float64)


def videos(data: Any, folder: Path, width: int) -> None:
    """Print a row for an MP4 and a WebP of the film."""
    for ending in (".mp4", ".webp"):
        file, started = folder / f"film{ending}", time.perf_counter()
        ours(data, file, 1, width)
        seconds = time.perf_counter() - started
        print(
            f"{ending[1:]}: {seconds:.2f} s, {file.stat().st_size / 1e6:.2f} MB, "
            f"PSNR {psnr(data, file, width):.1f} dB"
        )


def main() -> None:
    """Measure and print a row for each run and the ratios of the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", type=int, default=100)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument(
        "--width",
        type=int,
        default=1490,
        help="of our frames in pixels (the notebook's are 1480 x 1490)",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="a small round, to see that it runs")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.smoke:
        options.checkpoints, options.images, options.rounds, options.width = 4, 500, 1, 480
    if options.one:
        print(
            json.dumps(
                one(options.one, options.checkpoints, options.images, options.width, options.out)
            )
        )
        return
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    sizes = [
        f"--checkpoints={options.checkpoints}",
        f"--images={options.images}",
        f"--width={options.width}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for way in WAYS:
                out = Path(folder) / f"{way[0]}.gif"
                command = [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.film",
                    "--one",
                    way,
                    "--out",
                    str(out),
                    *sizes,
                ]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results[way].append(json.loads(output.splitlines()[-1]))
                row = results[way][-1]
                print(
                    f"{number + 1}  {way:>12} {row['seconds']:8.2f} s {row['more_mib']:8.0f} MiB "
                    f"more {row['bytes'] / 1e6:8.2f} MB",
                    flush=True,
                )
        data = make_data(options.checkpoints, options.images)
        quality = psnr(data, Path(folder) / "1.gif", options.width)
        videos(data, Path(folder), options.width)
    medians = {
        way: {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        for way, rows in results.items()
    }
    for way in WAYS[1:]:
        mine, theirs = medians[way], medians["notebook"]
        print(
            f"{way}: {theirs['seconds'] / mine['seconds']:.1f} times as fast, "
            f"{mine['more_mib'] / max(theirs['more_mib'], 1):.3f} of the memory, "
            f"{mine['bytes'] / theirs['bytes']:.2f} of the size"
        )
    print(f"PSNR of the GIF against the frames as drawn: {quality:.1f} dB")


if __name__ == "__main__":
    main()
