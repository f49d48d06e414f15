"""What each stage computes: functions of `pipeline.analysis` as stages call them.

Pure: rows, arrays and settings in, a `Result` out. Nothing here knows a run folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import OwnClass, Samples, Space, Usual, cluster
from review_embeddings.pipeline.analysis.duplicates import (
    Looks,
    ReadImages,
    find_leaks,
    near_duplicates,
)
from review_embeddings.pipeline.analysis.groups import (
    CheckpointApart,
    entropies,
    evidence,
    group_scores,
    ranks_of,
)
from review_embeddings.pipeline.analysis.imagequality import (
    image_quality,
    measure,
    require_cleanvision,
)
from review_embeddings.pipeline.analysis.judge import fit_judge, fixed_order
from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges, label_fit
from review_embeddings.pipeline.analysis.labels import neighbor_probabilities, quality_by
from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.analysis.maps import compute_map, compute_maps
from review_embeddings.pipeline.analysis.named import NeighborGraph, central_image, named_groups
from review_embeddings.pipeline.analysis.neighbors import (
    Neighbors,
    metric_for,
    nearest_neighbors,
    nearest_of_rows,
)
from review_embeddings.pipeline.analysis.outliers import ood_scores
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.analysis.project import (
    AlignedRun,
    Moments,
    Plane,
    Projection,
    align,
    block_rows,
    is_tall_shape,
    near_middle,
    project,
    rescale_shared_basis,
)
from review_embeddings.pipeline.analysis.trajectories import movement, overlap
from review_embeddings.pipeline.analysis.trust import map_trust
from review_embeddings.pipeline.engines.work import Result
from review_embeddings.pipeline.images.decode import decode, to_gray_or_rgb
from review_embeddings.pipeline.images.reading import CHUNK
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.stages.judging import as_result
from review_embeddings.pipeline.stages.regime import Regime
from review_embeddings.pipeline.threads import chunks, in_threads

GROUPS = np.dtype([("score", "<f4"), ("rank", "<i4"), ("group", "<i8")])
"""How what is said of groups is kept of an image."""

QUALITY = np.dtype(
    [
        ("self_confidence", "<f4"),
        ("score", "<f4"),
        ("rank", "<i4"),
        ("suggested", "<i4"),
        ("issue", "?"),
    ]
)
"""How the label quality of an image is kept."""

LABEL_FIT = np.dtype([("score", "<f4"), ("rank", "<i4"), ("suggested", "<i4")])
"""How that over all checkpoints is kept."""

Array = NDArray[Any]


def embed(
    rows: slice, *, pixels: Any, encoder: Any, batch_size: int | None, name: str, kind: str | None
) -> Iterator[Result]:
    """Embeddings, shape (N, D), and class probabilities where there is a head, of that kind, batch
    by batch; beside them the pooling that was taken."""
    some = pixels.between(rows.start, rows.stop)
    for batch in encode_all(encoder, some, batch_size=batch_size, name=name, kind=kind):
        head = {} if batch.probabilities is None else {"probabilities": batch.probabilities}
        yield Result({"embeddings": batch.embeddings, **head}, {"pooling": encoder.pooling})


def find_neighbors(rows: slice, *, embeddings: Array, k: int, device: str | None) -> Result:
    """The k nearest of some rows among all: int32 of shape (N, k) and float32 distances."""
    if rows == slice(0, len(embeddings)):
        found = nearest_neighbors(embeddings, k, device=device)
    else:
        found = nearest_of_rows(embeddings, rows.start, rows.stop, k, device=device)
    return Result(
        {"neighbors": found.indices, "distances": found.distances},
        {"metric": found.metric, "recall": found.recall},
    )


def score_outliers(
    rows: slice, *, embeddings: Array, neighbors: Array, distances: Array, k: int
) -> Result:
    """cleanlab's OOD score of each image, float32 of shape (N,) in [0, 1]."""
    return Result(
        {"outliers": ood_scores(embeddings, _neighbors(embeddings, neighbors, distances))}
    )


def leave_one_out(
    rows: slice,
    *,
    embeddings: Array,
    labels: NDArray[np.int32],
    class_count: int,
    hashes: Sequence[str],
) -> Result:
    """The leave-one-out judge of a checkpoint, as `stages.judging` keeps it."""
    order = fixed_order(hashes, labels)
    return as_result(fit_judge(embeddings, labels, class_count, order), embeddings, labels)


def judge_labels(
    rows: slice,
    *,
    labels: NDArray[np.int32],
    class_count: int,
    probabilities: ClassProbabilities | None,
    neighbors: Array,
    folds: Any,
) -> Result:
    """Label quality of each image, `QUALITY` of shape (N,): by the leave-one-out probabilities, the
    checkpoint's own, or without a head by the labels of the nearest images."""
    likely = probabilities
    if likely is None:
        shares = neighbor_probabilities(labels, np.asarray(neighbors), class_count)
        likely = ClassProbabilities.of_shares(shares)
    quality = quality_by(labels, likely)
    stored = np.empty(len(labels), dtype=QUALITY)
    for name in QUALITY.names or ():
        stored[name] = getattr(quality, name)
    return Result({"quality": stored})


def fit_labels(
    checkpoints: Sequence[Mapping[str, CheckpointJudges]],
    *,
    labels: NDArray[np.int32],
    class_count: int,
    hashes: Sequence[str],
    regime: Regime,
    one_label: bool,
) -> Result:
    """How well each label fits over the run, `LABEL_FIT` of shape (N,), and by which regime; no
    scores where an image may have several labels."""
    judges = [one["judges"] for one in checkpoints]
    order = fixed_order(hashes, labels)
    fit = label_fit(judges, labels, class_count, order, regime.trained_on)
    stored = np.empty(len(labels), dtype=LABEL_FIT)
    stored["score"] = fit.score if one_label else np.nan
    stored["rank"] = fit.rank if one_label else 0
    stored["suggested"] = fit.suggested if one_label else -1
    return Result({"label_fit": stored}, {"regime": regime.as_record()})


# -- groups that stand apart


def own_class_of(rows: slice, *, neighbors: Array, **space: Any) -> OwnClass:
    """What of some rows says what is usual in each class."""
    return _space(**space).own_class(rows, neighbors)


def usual_of(total: OwnClass) -> Mapping[str, Usual]:
    """What is usual among all rows."""
    return {"usual": total.usual()}


def measure_apart(
    rows: slice, *, neighbors: Array, usual: Usual | None = None, **space: Any
) -> Result:
    """How far each image is from every class, float32 of shape (N,), and how much the checkpoint
    counts."""
    seen = _space(**space)
    usual = seen.own_class(rows, neighbors).usual() if usual is None else usual
    return Result({"apart": seen.apart(rows, usual)}, {"weight": usual.weight})


def _space(
    *,
    embeddings: Array,
    judged_as: NDArray[np.int32] | None,
    class_count: int,
    hash_ranks: NDArray[np.int64],
) -> Space:
    """The embeddings with the classes of their images, clusters where there are none."""
    classes = cluster(embeddings, hash_ranks) if judged_as is None else judged_as
    count = max(class_count, int(classes.max(initial=-1)) + 1)
    return Space(embeddings, classes, Samples.draw(classes, hash_ranks, count=count))


def find_groups(
    checkpoints: Sequence[Mapping[str, Array]],
    *,
    weights: Sequence[float],
    outputs: Array | None,
    known_labels: NDArray[np.int32] | None,
    hash_ranks: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> Result:
    """Score, rank and group of each image over all checkpoints, `GROUPS` of shape (N,)."""
    seen = [
        CheckpointApart(one["apart"], one["neighbors"], weight)
        for one, weight in zip(checkpoints, weights, strict=True)
    ]
    score = group_scores(seen, None if outputs is None else entropies(outputs))
    stored = np.empty(len(ids), dtype=GROUPS)
    stored["score"], stored["rank"], stored["group"] = score, ranks_of(score), -1
    graph = NeighborGraph.of([one.neighbors for one in seen])
    embeddings = [one["embeddings"] for one in checkpoints]
    likely = evidence(score, seen, known_labels)
    for members in named_groups(likely, graph, known_labels, hash_ranks, embeddings):
        stored["group"][members] = ids[central_image(embeddings[-1], members, hash_ranks)]
    return Result({"groups": stored})


# -- maps


def pca_rows(shape: tuple[int, ...]) -> int | None:
    """Rows a shard of a PCA: one block of its sums, so that any engine adds up the same; None for
    few images, which scikit-learn takes at once."""
    return block_rows(shape[1]) if is_tall_shape(shape) else None


def pca_moments(rows: slice, *, embeddings: Array) -> Moments:
    """Of some rows, seen from near the middle of all."""
    return Moments.of(embeddings[rows], near_middle(embeddings))


def pca_plane(total: Moments) -> Mapping[str, Plane]:
    """The principal plane of all rows."""
    return {"plane": total.plane()}


def pca(rows: slice, *, embeddings: Array, plane: Plane | None = None) -> Result:
    """PCA to two dimensions: float64 of shape (N, 2)."""
    if plane is None:
        return _as_result(project(embeddings))
    return _as_result(Projection(plane.points(embeddings[rows]), plane.explained_variance))


def map_one(rows: slice, *, embeddings: Array, map: str) -> Result:
    """The map of one checkpoint by itself."""
    return _as_result(compute_map(map_kind(map), embeddings))


def map_all(
    checkpoints: Sequence[Mapping[str, Array]], *, map: str, advance: Advance
) -> Iterator[Result]:
    """The maps of all checkpoints, made together."""

    def read(index: int) -> Array:
        return checkpoints[index]["embeddings"]

    steps = range(len(checkpoints))
    return _results(compute_maps(map_kind(map), read, steps, advance))


def _results(projections: Sequence[Projection]) -> Iterator[Result]:
    return (_as_result(projection) for projection in projections)


def _as_result(projection: Projection) -> Result:
    variance = projection.explained_variance
    return Result(
        {"projections": projection.points},
        {"explained_variance": None if variance is None else list(variance)},
    )


def trust_map(
    rows: slice, *, embeddings: Array, neighbors: Array, distances: Array, map: Array, k: int
) -> Result:
    """How far a map can be trusted: the share of each image's neighbours that it keeps."""
    trust = map_trust(embeddings, _neighbors(embeddings, neighbors, distances), map)
    return Result(
        {"trust": trust.kept},
        {"trustworthiness": trust.trustworthiness, "continuity": trust.continuity},
    )


# -- from checkpoint to checkpoint, and copies


def align_maps(
    maps: Sequence[Array], *, align_to: str, scaling: str, shared_basis: bool
) -> AlignedRun:
    """The maps of all checkpoints in one frame of reference; those of one basis as they are."""
    if shared_basis:
        return rescale_shared_basis(maps)
    return align(maps, align_to=align_to, scaling=scaling)


def measure_motion(
    rows: slice,
    *,
    before: Array,
    embeddings: Array,
    neighbors_before: Array,
    neighbors: Array,
    k: int,
) -> Result:
    """How far each image moved since the checkpoint before, the share of its neighbours that
    stayed, and how far it moved against them: float32 of shape (N, 3)."""
    way = movement(before, embeddings, neighbors_before)
    columns = [way.moved, overlap(neighbors_before, neighbors), way.apart]
    return Result({"motion": np.stack(columns, axis=1).astype(np.float32)})


def find_copies(
    rows: slice,
    *,
    embeddings: Array,
    neighbors: Array,
    distances: Array,
    hashes: Sequence[str],
    pictures: ReadImages | Looks,
    scratch: Path,
    k: int,
) -> Result:
    """Pairs of positions of images with the same content, int64 of shape (P + 1, 2); the first is
    (-1, -1), because an empty file cannot be mapped."""
    found = _neighbors(embeddings, neighbors, distances)
    pairs = near_duplicates(hashes, found, pictures, scratch=scratch)
    return Result({"duplicates": np.concatenate([np.full((1, 2), -1), pairs])})


def compare_splits(
    rows: slice,
    *,
    images: ComparedSplit,
    others: ComparedSplit,
    device: str | None,
    scratch: Path,
) -> Result:
    """Which images are in another split too, int64 of shape (N, 2): the row of the split, -1 for
    none, and the index into `duplicates.KINDS`."""
    near = find_leaks(
        images.hashes,
        images.embeddings,
        images.pictures,
        (others.hashes, others.embeddings, others.pictures),
        device=device,
        scratch=scratch,
    )
    there = np.where(near.index >= 0, others.ids[near.index], -1)
    return Result({"leaks": np.stack([there, near.kind.astype(np.int64)], axis=1)})


@dataclass(frozen=True)
class ComparedSplit:
    """The images of a split as they are compared with those of another."""

    ids: NDArray[np.int64]
    """Shape (N,): rows of the split, ascending."""
    hashes: Sequence[str]
    embeddings: Array
    """Shape (N, D)."""
    pictures: ReadImages


def judge_images(rows: slice, *, files: Iterator[bytes], advance: Advance) -> Result:
    """Which images are poor as images, `IMAGE_QUALITY` of shape (N,)."""

    require_cleanvision()

    def look(some: list[bytes]) -> Array:
        return measure([to_gray_or_rgb(decode(data)) for data in some])

    measured = []
    for part in in_threads(look, chunks(files, CHUNK)):
        measured.append(part)
        advance(len(part))
    return Result({"image_quality": image_quality(np.concatenate(measured))})


def _neighbors(embeddings: Array, neighbors: Array, distances: Array) -> Neighbors:
    metric = metric_for(embeddings.shape[1])
    return Neighbors(np.asarray(neighbors), np.asarray(distances), metric)
