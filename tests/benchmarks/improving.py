"""How often `improve` calls a gain what is none, and how often it finds one that is there: linear
heads on frozen embeddings in place of fine-tunings, thousands of them.

    python -m tests.benchmarks.improving --run RUN                # 200 trials of each way
    python -m tests.benchmarks.improving --smoke                  # synthetic embeddings, a moment

RUN is a labelled run, such as 10,000 images of CIFAR-10 with the embeddings of a model before its
fine-tuning (step 0). Each trial draws other images to train on and to evaluate on, plants wrong
labels among the first, and compares heads of the same seeds before and after a change. A row is
printed as soon as it is measured.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.paired import (
    GAIN,
    LOSS,
    PairedDifference,
    paired_difference,
)

WAYS = {
    "the same again, other seeds": "true difference 0",
    "removed at random": "no better than before",
    "true labels of wrong ones": "better",
    "wrong ones removed": "better",
}
"""What is done to the training images, and what is true of it."""

BATCH, EPOCHS, RATE = 32, 4, 0.1
"""Of the heads: stochastic gradient descent on the cross-entropy, the rate falling to 0."""


@dataclass(frozen=True)
class Size:
    """The numbers of a trial."""

    train: int = 4000
    evaluated: int = 5000
    wrong: float = 0.2
    """Share of the training labels that are wrong."""
    changed: int = 400
    """Images that are removed or relabelled."""
    seeds: int = 3


def head(
    x: NDArray[np.float32], y: NDArray[np.int64], classes: int, seed: int
) -> NDArray[np.float32]:
    """Weights (D + 1, C) of a linear classifier, the last row its bias; the seed gives the first
    weights and the order of the images."""
    generator = np.random.default_rng(seed)
    weights = (0.02 * generator.standard_normal((x.shape[1], classes))).astype(np.float32)
    targets = np.eye(classes, dtype=np.float32)[y]
    steps = EPOCHS * -(-len(x) // BATCH)
    for step in range(steps):
        start = BATCH * step % (BATCH * -(-len(x) // BATCH))
        if start == 0:
            order = generator.permutation(len(x))
        rows = order[start : start + BATCH]
        logits = x[rows] @ weights
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        slope = x[rows].T @ (shares - targets[rows]) / len(rows)
        weights -= np.float32(RATE * (1 - step / steps)) * slope
    return weights


def trial(
    x: NDArray[np.float32], y: NDArray[np.int64], way: str, size: Size, number: int
) -> PairedDifference:
    """One proof: ``x`` (N, D) are embeddings with a column of ones, ``y`` their true classes."""
    generator = np.random.default_rng(number)
    classes = int(y.max()) + 1
    drawn = generator.permutation(len(x))[: size.train + size.evaluated]
    train, evaluated = drawn[: size.train], drawn[size.train :]
    given, wrong = y[train].copy(), generator.permutation(size.train)
    wrong = wrong[: round(size.wrong * size.train)]
    given[wrong] = (given[wrong] + generator.integers(1, classes, len(wrong))) % classes
    labels, kept = given.copy(), np.ones(size.train, dtype=bool)
    if way == "removed at random":
        kept[generator.permutation(size.train)[: size.changed]] = False
    elif way == "true labels of wrong ones":
        labels[wrong[: size.changed]] = y[train][wrong[: size.changed]]
    elif way == "wrong ones removed":
        kept[wrong[: size.changed]] = False
    shift = size.seeds if way == "the same again, other seeds" else 0
    right = {"before": [], "after": []}  # type: dict[str, list[NDArray[np.bool_]]]
    for index in range(size.seeds):
        seed = 1000 * number + index
        arms = {"before": (np.ones_like(kept), given, seed), "after": (kept, labels, seed + shift)}
        for name, (rows, targets, own) in arms.items():
            weights = head(x[train][rows], targets[rows], classes, own)
            right[name].append((x[evaluated] @ weights).argmax(axis=1) == y[evaluated])
    return paired_difference(np.array(right["before"]), np.array(right["after"]))


def embeddings_of(run: Path, step: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Standardized embeddings of a run with a column of ones, and their classes."""
    from review_embeddings.pipeline.images.runimages import read_images
    from review_embeddings.pipeline.run.folder import RunFolder

    images = read_images(RunFolder(run))
    assert images is not None and images.labels is not None
    vectors = np.asarray(RunFolder(run).read_array("embeddings", step), dtype=np.float32)
    return standardized(vectors), images.labels.astype(np.int64)


def standardized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each number with mean 0 and deviation 1, and a column of ones behind them."""
    scaled = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6)
    return np.hstack([scaled, np.ones((len(scaled), 1))]).astype(np.float32)


def synthetic(
    images: int, classes: int = 5, dimensions: int = 24
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Normal clouds around the mean of each class."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, classes, images)
    means = 0.45 * generator.standard_normal((classes, dimensions))
    x = means[y] + generator.standard_normal((images, dimensions))
    return standardized(x.astype(np.float32)), y


def trials(
    x: NDArray[np.float32], y: NDArray[np.int64], way: str, size: Size, count: int
) -> Iterator[PairedDifference]:
    """So many of them, each with images and seeds of its own."""
    return (trial(x, y, way, size, number) for number in range(count))


def row(way: str, found: list[PairedDifference]) -> str:
    """How often each verdict was given, and how large the differences are."""
    verdicts = Counter(one.verdict for one in found)
    shares = (verdicts[GAIN] / len(found), verdicts[LOSS] / len(found))
    covered = sum(one.low <= 0 <= one.high for one in found) / len(found)
    mean = np.mean([one.difference for one in found])
    reach = np.median([(one.high - one.low) / 2 for one in found])
    numbers = f"{shares[0]:6.1%}  {shares[1]:6.1%}  {covered:8.1%}  {100 * mean:+7.2f}"
    return f"{way:28}  {len(found):6}  {numbers}  {100 * reach:9.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--step", type=int, default=0)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=Size.seeds)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    size, count = Size(seeds=options.seeds), options.trials
    if options.smoke or options.run is None:
        x, y = synthetic(1500)
        size, count = Size(400, 1000, changed=60, seeds=options.seeds), 10
    else:
        x, y = embeddings_of(options.run, options.step)
    print(f"{size}, {len(x):,} images of {x.shape[1] - 1} numbers")
    heading = "  trials    gain    loss  0 inside   points  half width"
    print(f"{'way':28}{heading}")
    for way in WAYS:
        print(row(way, list(trials(x, y, way, size, count))), flush=True)


if __name__ == "__main__":
    main()
