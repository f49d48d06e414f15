"""Other maps than a PCA of each checkpoint: one PCA for all of them, UMAP, and UMAP of all of them
aligned."""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.project import Moments, Projection, project
from review_embeddings.pipeline.progress import Advance

CAP = {"umap": 20_000, "aligned-umap": 5_000}
"""Images above which a seeded sample is mapped; the others are placed between their nearest mapped
images."""

SECONDS = {"umap": (2.0, 1e-3), "aligned-umap": (4.0, 4.5e-3)}
"""Seconds a checkpoint, and an image of it, on two cores; measured at 300 to 10,000 images."""

COMPILING = 30.0
"""Seconds until umap-learn has compiled itself, once a process."""

NEAR = 15
"""Neighbours of UMAP's graph, its default."""

PLACED_BY = 5
"""Nearest mapped images between which one that was not mapped is placed."""

SEED = 42

Read = Callable[[int], NDArray[np.floating]]
"""Gives the embeddings of a checkpoint, shape (N, D)."""


def estimated_seconds(kind: str, images: int, checkpoints: int) -> float:
    """About how long the maps of so many checkpoints take; 0 for those that are fast."""
    if kind not in SECONDS:
        return 0.0
    each, more = SECONDS[kind]
    return COMPILING + checkpoints * (each + more * min(images, CAP[kind]))


def umap_of_one(embeddings: NDArray[np.floating]) -> Projection:
    """UMAP (McInnes, Healy, Melville 2018; umap-learn) by cosine distance, begun from the PCA,
    seeded; no share of variance."""
    start = project(embeddings).points
    sample = _sample(len(embeddings), CAP["umap"])
    if len(sample) <= NEAR:
        return Projection(start, None)
    spread = np.abs(start[sample]).max() or 1.0
    mapper = _umap().UMAP(
        n_neighbors=NEAR,
        metric="cosine",
        random_state=SEED,
        n_jobs=1,
        init=10 * start[sample] / spread,
    )
    with _quiet():
        points = mapper.fit_transform(np.asarray(embeddings[sample], dtype=np.float32))
    return Projection(_centred(_placed(embeddings, sample, points)), None)


def shared_pca(read: Read, steps: Sequence[int], advance: Advance) -> list[Projection]:
    """One PCA of all checkpoints together: every map stands in the same basis, so movement is
    movement.

    The sums and second moments are added up checkpoint by checkpoint, so that memory does not grow
    with their number; equal to scikit-learn's PCA of all embeddings below each other. The share of
    variance is that of each checkpoint along the two axes.
    """
    origin = read(steps[0])[0]
    variances = []

    def moments(step: int) -> Moments:
        own = Moments.of(read(step), origin)
        variances.append(own.variance)
        advance(1)
        return own

    plane = functools.reduce(operator.add, map(moments, steps)).plane()
    made = []
    for step, whole in zip(steps, variances, strict=True):
        points = plane.points(read(step))
        along = points.var(axis=0) / whole if whole > 0 else np.zeros(2)
        made.append(Projection(points, (float(along[0]), float(along[1]))))
    return made


def aligned_umap(read: Read, steps: Sequence[int], advance: Advance) -> list[Projection]:
    """AlignedUMAP (umap-learn) over all checkpoints, each image held near itself from one to the
    next; no share of variance."""
    total = len(read(steps[0]))
    sample = _sample(total, CAP["aligned-umap"])
    if len(sample) <= NEAR or len(steps) < 2:
        return [umap_of_one(read(step)) for step in steps]
    same = {place: place for place in range(len(sample))}
    mapper = _umap().AlignedUMAP(n_neighbors=NEAR, metric="cosine", random_state=SEED)
    with _quiet():
        mapper.fit(
            [np.asarray(read(step)[sample], dtype=np.float32) for step in steps],
            relations=[same] * (len(steps) - 1),
        )
    made = []
    for step, points in zip(steps, mapper.embeddings_, strict=True):
        made.append(Projection(_centred(_placed(read(step), sample, np.asarray(points))), None))
        advance(1)
    return made


def _sample(total: int, cap: int) -> NDArray[np.int64]:
    """The places of all images, or of a seeded sample of them."""
    return (
        np.arange(total)
        if total <= cap
        else np.sort(np.random.default_rng(SEED).choice(total, cap, replace=False))
    )


def _placed(
    embeddings: NDArray[np.floating], sample: NDArray[np.int64], points: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Points of all images: those of the sample as they are, the others in the middle of their
    nearest ones in the sample."""
    whole = np.empty((len(embeddings), 2))
    whole[sample] = points
    others = np.setdiff1d(np.arange(len(embeddings)), sample)
    if len(others):
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=PLACED_BY, metric="cosine").fit(embeddings[sample])
        for start in range(0, len(others), 4096):
            some = others[start : start + 4096]
            whole[some] = points[near.kneighbors(embeddings[some], return_distance=False)].mean(
                axis=1
            )
    return whole


def _centred(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points - points.mean(axis=0))


def _umap() -> Any:
    with _quiet():
        import umap
    return umap


@contextmanager
def _quiet() -> Iterator[None]:
    """umap-learn warns about TensorFlow, threads and its own choices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
