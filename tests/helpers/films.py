"""Synthetic films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.animation.filmdata import FilmData


def film_data_of(
    checkpoints: int = 4, images: int = 60, classes: int = 3, top: int = 4, seed: int = 0
) -> FilmData:
    """A synthetic film of points that move straight to the middle of their class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images).astype(np.int32)
    ends = np.stack(
        [3 * np.cos(2 * np.pi * labels / classes), 3 * np.sin(2 * np.pi * labels / classes)], axis=1
    )
    begin = random.normal(0, 1, (images, 2))
    points = np.stack(
        [begin + (ends - begin) * place / (checkpoints - 1) for place in range(checkpoints)]
    )
    leaders = np.stack([random.choice(images, top, replace=False) for _ in range(checkpoints)])
    names = [f"class {place}" for place in range(classes)]
    steps = [10 * place for place in range(checkpoints)]
    return FilmData(
        steps=steps,
        epochs=[step / 100 for step in steps],
        ids=np.arange(100, 100 + images),
        points=points.astype(np.float32),
        labels=labels,
        classes=names,
        leaders=leaders,
        scores=np.sort(random.random((checkpoints, top)), axis=1).astype(np.float32),
        predictions=[[names[0]] * top] * checkpoints,
        confidences=np.full((checkpoints, top), 0.5, dtype=np.float32),
        thumbnails={int(place): gradient(random) for place in np.unique(leaders)},
        loss=np.array([[0.0, 2.0], [10, 1.5], [20, 1.0], [30, 0.5]]),
        accuracy=np.array([[0.0, 0.3], [30, 0.9]]),
        trust=[f"trust of {step}" for step in steps],
    )


def gradient(random: np.random.Generator) -> NDArray[np.uint8]:
    """From one colour to another, 8 x 8 pixels."""
    first, last = random.integers(0, 256, (2, 3))
    return np.asarray(np.linspace(first, last, 64).reshape(8, 8, 3), dtype=np.uint8)
