"""Computes the maps of a run's checkpoints: PCA of each or of all, UMAP of all of them aligned,
UMAP, PaCMAP or t-SNE of each. Which kinds there are is declared in `mapkinds`."""

from __future__ import annotations

import functools
import logging
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.mapkinds import MapKind, Scope, map_kind
from review_embeddings.pipeline.analysis.nearest.magnitude import exponent_of, near_one
from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.project import (
    Moments,
    Projection,
    near_middle,
    project,
)
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.settled import import_settled

NEIGHBORS = 15
"""Neighbours of UMAP's graph, its default."""

PLACED_BY = 5
"""Nearest mapped images between which one that was not mapped is placed."""

PLACING_ROWS = 4096
"""Images that are placed at once."""

PERPLEXITY = 30
"""Of t-SNE, its default; it takes three times as many neighbours."""

SEED = 42

SQUARED_UP_TO = 40
"""Power of two up to which sums of squares stay in float32."""

Vectors = NDArray[np.float32]
"""Shape (N, D)."""

Points = NDArray[Any]
"""Shape (N, 2)."""

Read = Callable[[int], NDArray[np.floating]]
"""Gives the embeddings of a checkpoint, shape (N, D)."""


def compute_map(kind: MapKind, embeddings: NDArray[np.floating]) -> Projection:
    """The map of one checkpoint's embeddings, shape (N, D), by a kind of that scope."""
    if kind.scope is not Scope.CHECKPOINT:
        raise ValueError(f"{kind.key} maps all checkpoints together")
    made: Projection = _function_of(kind)(embeddings)
    return made


def compute_maps(
    kind: MapKind, read: Read, steps: Sequence[int], advance: Advance
) -> list[Projection]:
    """The maps of these checkpoints in their order, by a kind of any scope.

    ``advance`` is called as checkpoints are done. Raises SettingsError where the embeddings do not
    have the one dimension that the kind needs.
    """
    if kind.one_dimension:
        _check_one_dimension(kind, read, steps)
    if kind.scope is Scope.ALL:
        return list(_function_of(kind)(read, steps, advance))
    made = []
    for step in steps:
        made.append(compute_map(kind, read(step)))
        advance(1)
    return made


def _function_of(kind: MapKind) -> Callable[..., Any]:
    """The function of a kind, imported where it is named, with the kind's cap. Raises SettingsError
    where its library is not installed."""
    kind.check_installed()
    function = kind.function
    if isinstance(function, str):
        module, name = function.split(":")
        function = getattr(import_settled(module), name)
    return function if kind.cap is None else functools.partial(function, cap=kind.cap)


def _check_one_dimension(kind: MapKind, read: Read, steps: Sequence[int]) -> None:
    dimensions = sorted({read(step).shape[1] for step in steps})
    if len(dimensions) > 1:
        raise SettingsError(
            f"--map {kind.key} needs embeddings of one size; here there are {dimensions}. "
            f"Use --map pca."
        )


def estimated_seconds(kind: str, images: int, checkpoints: int) -> float:
    """About how long the maps of so many checkpoints take; 0 for those that are fast."""
    return map_kind(kind).estimated_seconds(images, checkpoints)


def umap_of_one(embeddings: NDArray[np.floating], *, cap: int) -> Projection:
    """UMAP (McInnes, Healy, Melville 2018; umap-learn) by cosine distance, begun from the PCA,
    seeded; no share of variance.

    At most ``cap`` images are mapped, the others placed between them.
    """

    def draw(vectors: Vectors, start: Points) -> Points:
        mapper = _umap().UMAP(
            n_neighbors=NEIGHBORS,
            metric="cosine",
            random_state=SEED,
            n_jobs=1,
            init=10 * start / (np.abs(start).max() or 1.0),
        )
        return np.asarray(mapper.fit_transform(vectors))

    return _drawn(embeddings, cap, draw)


def pacmap_of_one(embeddings: NDArray[np.floating], *, cap: int) -> Projection:
    """PaCMAP (Wang, Huang, Rudin, Shaposhnik 2021; pacmap) of the embeddings at unit length, so by
    cosine distance, begun from the PCA, seeded; no share of variance.

    At most ``cap`` images are mapped, the others placed between them.
    """

    def draw(vectors: Vectors, start: Points) -> Points:
        with _without_log("pacmap.pacmap"):
            mapper = import_settled("pacmap").PaCMAP(random_state=SEED)
            points = mapper.fit_transform(_of_unit_length(vectors), init=start.astype(np.float32))
        return np.asarray(points)

    return _drawn(embeddings, cap, draw)


def tsne_of_one(embeddings: NDArray[np.floating], *, cap: int) -> Projection:
    """t-SNE (van der Maaten and Hinton 2008; openTSNE) by cosine distance, of exact neighbours,
    begun from the PCA; no share of variance.

    At most ``cap`` images are mapped, the others placed between them. The perplexity is 30, or a
    third of the other images.
    """

    def draw(vectors: Vectors, start: Points) -> Points:
        library = import_settled("openTSNE")
        perplexity = min(PERPLEXITY, (len(vectors) - 1) // 3)
        found = nearest_neighbors(_of_unit_length(vectors), 3 * perplexity)
        index = import_settled("openTSNE.nearest_neighbors").PrecomputedNeighbors(
            found.indices, found.distances
        )
        affinities = library.affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=index)
        begun = library.initialization.rescale(start)
        mapper = library.TSNE(initialization=begun, random_state=SEED, n_jobs=1)
        return np.asarray(mapper.fit(affinities=affinities))

    return _drawn(embeddings, cap, draw)


def _drawn(
    embeddings: NDArray[np.floating], cap: int, draw: Callable[[Vectors, Points], Points]
) -> Projection:
    """A map of at most ``cap`` images, which ``draw`` makes of their embeddings and of where the
    PCA has them, with the others placed between them; the PCA itself where there are as few as a
    graph has neighbours, or all are alike."""
    start = project(embeddings).points
    sample = _sample(len(embeddings), cap)
    if len(sample) <= NEIGHBORS or not start[sample].any():
        return Projection(start, None)
    with _quiet():
        points = draw(_vectors(embeddings[sample]), near_one(start[sample])[0])
    return Projection(_centred(_placed(embeddings, sample, points)), None)


def _vectors(embeddings: NDArray[np.floating]) -> Vectors:
    """Float32 vectors that can be squared, shape (N, D): the embeddings themselves as far as these
    can, because some searches know absolute bounds."""
    can = abs(exponent_of(embeddings)) < SQUARED_UP_TO
    return np.asarray(embeddings if can else near_one(embeddings)[0], dtype=np.float32)


def _of_unit_length(vectors: Vectors) -> Vectors:
    """Zero vectors stay."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def shared_pca(read: Read, steps: Sequence[int], advance: Advance) -> list[Projection]:
    """One PCA of all checkpoints together: every map stands in the same basis, so movement is
    movement.

    The sums and second moments are added up checkpoint by checkpoint, so that memory does not grow
    with their number; equal to scikit-learn's PCA of all embeddings below each other. The share of
    variance is that of each checkpoint along the two axes.
    """
    origin = near_middle(read(steps[0]))
    variances = []

    def moments(step: int) -> Moments:
        embeddings = read(step)
        own = Moments.of(embeddings, near_middle(embeddings)).about(origin)
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


def aligned_umap(
    read: Read, steps: Sequence[int], advance: Advance, *, cap: int
) -> list[Projection]:
    """AlignedUMAP (umap-learn) over all checkpoints, each image held near itself from one to the
    next; no share of variance.

    At most ``cap`` images are mapped, the others placed between them. One checkpoint, or as few
    images as a graph has neighbours, are mapped by `umap_of_one`.
    """
    total = len(read(steps[0]))
    sample = _sample(total, cap)
    if len(sample) <= NEIGHBORS or len(steps) < 2:
        return [compute_map(map_kind("umap"), read(step)) for step in steps]
    same = {index: index for index in range(len(sample))}
    mapper = _umap().AlignedUMAP(n_neighbors=NEIGHBORS, metric="cosine", random_state=SEED)
    with _quiet():
        mapper.fit(
            [_vectors(read(step)[sample]) for step in steps],
            relations=[same] * (len(steps) - 1),
        )
    made = []
    for step, points in zip(steps, mapper.embeddings_, strict=True):
        made.append(Projection(_centred(_placed(read(step), sample, np.asarray(points))), None))
        advance(1)
    return made


def _sample(total: int, cap: int) -> NDArray[np.int64]:
    """Indices of all images, or of a seeded sample of ``cap`` of them, ascending."""
    return (
        np.arange(total)
        if total <= cap
        else np.sort(np.random.default_rng(SEED).choice(total, cap, replace=False))
    )


def _placed(
    embeddings: NDArray[np.floating], sample: NDArray[np.int64], points: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Points of all images, shape (N, 2): those of the sample as they are, each other one the mean
    of those of its nearest images in the sample."""
    whole = np.empty((len(embeddings), 2))
    whole[sample] = points
    others = np.setdiff1d(np.arange(len(embeddings)), sample)
    if len(others):
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=PLACED_BY, metric="cosine")
        near.fit(_vectors(embeddings[sample]))
        for start in range(0, len(others), PLACING_ROWS):
            some = others[start : start + PLACING_ROWS]
            nearest = near.kneighbors(_vectors(embeddings[some]), return_distance=False)
            whole[some] = points[nearest].mean(axis=1)
    return whole


def _centred(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points - points.mean(axis=0))


def _umap() -> Any:
    with _quiet():
        return import_settled("umap")


@contextmanager
def _without_log(name: str) -> Iterator[None]:
    """Without what a library says through its logger, such as that a seed was set."""
    logger = logging.getLogger(name)
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


@contextmanager
def _quiet() -> Iterator[None]:
    """umap-learn warns about TensorFlow, threads and its own choices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
