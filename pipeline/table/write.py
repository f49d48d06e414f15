"""Writes the long table, checkpoint by checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.duplicates import KINDS, Duplicates
from review_embeddings.pipeline.analysis.imagequality import GRAY, IMAGE_QUALITY, ISSUES, SCORED
from review_embeddings.pipeline.analysis.labels import LabelQuality
from review_embeddings.pipeline.analysis.trajectories import LIVES, Trajectories
from review_embeddings.pipeline.analysis.trust import MapTrust
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import storage_errors, whole_file, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table.columns import arrow_schema
from review_embeddings.pipeline.table.manifest import CheckpointFacts, Manifest

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TablePart:
    """The rows of one checkpoint, in image order."""

    step: int
    epoch: float | None
    loss: float | None
    predictions: NDArray[np.int32] | None
    """Shape (N,): index into the prediction classes; None without a head."""
    confidence: NDArray[np.float32] | None
    points: NDArray[np.float32]
    """Shape (N, 2)."""
    scores: NDArray[np.float32]
    rank: NDArray[np.int32]
    percentile: NDArray[np.float32]
    dimension: int
    explained_variance: tuple[float, float] | None
    scale: float
    disparity: float
    quality: LabelQuality | None
    """None for unlabelled data."""
    trust: MapTrust


@dataclass(frozen=True)
class Leaks:
    """Which images are in another split too, by `pipeline.duplicates.find_leaks`; one value an
    image."""

    row: NDArray[np.int64]
    """Row there; -1 for none."""
    kind: NDArray[np.int8]
    """Index into `KINDS`."""
    label: NDArray[np.int32]
    """Its label there, as a class of this split; -1 without one."""
    path: list[str | None]
    """Its file there; None where the data set names none."""


@dataclass(frozen=True)
class Findings:
    """What was found out about each image over all checkpoints, or whatever the checkpoint."""

    trajectories: Trajectories
    duplicates: Duplicates
    leaks: Leaks | None
    """None where no split was named."""
    image_quality: NDArray[Any] | None
    """Shape (N,), of `IMAGE_QUALITY`; None where it was not asked for."""


def write(
    run: RunFolder,
    images: RunImages,
    parts: Iterable[TablePart],
    findings: Callable[[], Findings],
    *,
    fingerprint: str,
    align_to: str,
    scaling: str,
    kind: str,
    prediction_classes: list[str] | None,
) -> Manifest:
    """Write the whole table: the checkpoints' files under new names, then the manifest, then the
    files it replaced go.

    One part is in memory at a time; ``findings`` are asked for when all parts were taken.
    """
    import pyarrow.parquet as parquet

    facts = []
    for part in parts:
        name = f"{part.step:06d}-{fingerprint[:8]}.parquet"
        with whole_file(run.table / name) as temporary:
            parquet.write_table(
                _arrow_table(images, part, prediction_classes), temporary, compression="zstd"
            )
        facts.append(
            CheckpointFacts(
                step=part.step,
                file=name,
                epoch=part.epoch,
                loss=part.loss,
                dimension=part.dimension,
                explained_variance=None
                if part.explained_variance is None
                else list(part.explained_variance),
                scale=part.scale,
                disparity=part.disparity,
                trustworthiness=part.trust.trustworthiness,
                continuity=part.trust.continuity,
                map_kept=part.trust.mean_kept,
            )
        )
    of_images = f"images-{fingerprint[:8]}.parquet"
    found = findings()
    with whole_file(run.table / of_images) as temporary:
        parquet.write_table(_arrow_images(images, found), temporary, compression="zstd")
    manifest = Manifest(
        fingerprint=fingerprint,
        align_to=align_to,
        scaling=scaling,
        map=kind,
        classes=images.classes,
        prediction_classes=prediction_classes,
        checkpoints=facts,
        images=of_images,
        rank_correlation=found.trajectories.correlation,
        outlier_overlap=found.trajectories.overlap,
    )
    write_json(run.table_manifest, asdict(manifest))
    with storage_errors(run.table):
        for stale in set(run.table.glob("*-????????.parquet")) - {
            run.table / name for name in (of_images, *(fact.file for fact in facts))
        }:
            storage.remove(stale)
    return manifest


def _arrow_table(
    images: RunImages, part: TablePart, prediction_classes: list[str] | None
) -> pa.Table:
    import pyarrow as pa

    total = len(images)
    columns: dict[str, Any] = {
        "image_id": images.ids,
        "image_hash": images.hashes,
        "path": images.paths,
        "checkpoint": np.full(total, part.step, dtype=np.int64),
        "epoch": pa.nulls(total, pa.float64())
        if part.epoch is None
        else np.full(total, part.epoch),
        "label": _dictionary(images.labels, images.classes, total),
        "prediction": _dictionary(part.predictions, prediction_classes, total),
        "confidence": pa.nulls(total, pa.float32()) if part.confidence is None else part.confidence,
        "x": part.points[:, 0],
        "y": part.points[:, 1],
        "ood_score": part.scores,
        "ood_rank": part.rank,
        "ood_percentile": part.percentile,
        "self_confidence": _gaps(
            None if part.quality is None else part.quality.self_confidence, total
        ),
        "label_score": _gaps(None if part.quality is None else part.quality.score, total),
        "label_rank": np.zeros(total, dtype=np.int32)
        if part.quality is None
        else part.quality.rank,
        "suggested_label": _dictionary(
            None if part.quality is None else part.quality.suggested, images.classes, total
        ),
        "label_issue": np.zeros(total, dtype=bool) if part.quality is None else part.quality.issue,
        "map_kept": part.trust.kept,
    }
    return pa.Table.from_pydict(columns, schema=arrow_schema())


def _arrow_images(images: RunImages, findings: Findings) -> pa.Table:
    import pyarrow as pa

    total, trajectories, duplicates = len(images), findings.trajectories, findings.duplicates
    nothing = np.full(total, -1)
    leaks = findings.leaks or Leaks(
        nothing, np.zeros(total, np.int8), nothing.astype(np.int32), [None] * total
    )
    checked = findings.image_quality
    quality = np.zeros(total, dtype=IMAGE_QUALITY) if checked is None else checked
    group = duplicates.group
    differ = (
        np.zeros(total, dtype=bool)
        if images.labels is None
        else duplicates.labels_differ(images.labels)
    )
    columns: dict[str, Any] = {
        "duplicate_group": np.where(group >= 0, images.ids[group], -1),
        "duplicate_kind": _named(duplicates.kind, KINDS),
        "duplicate_labels_differ": differ,
        "leak_of": leaks.row,
        "leak_kind": _named(leaks.kind, KINDS),
        "leak_label": _dictionary(leaks.label, images.classes, total),
        "leak_path": pa.array(leaks.path, pa.string()),
        "image_issue": _named(quality["issue"], ISSUES),
        "image_issue_rank": quality["rank"],
        **{
            f"{name}_score": _gaps(None if checked is None else quality[name], total)
            for name in SCORED
        },
        GRAY: quality[GRAY],
        "mean_percentile": trajectories.mean_percentile,
        "consensus_rank": trajectories.consensus_rank,
        "outlier_life": _named(trajectories.life, LIVES),
        "outlier_since": trajectories.life_step,
        "drift": trajectories.drift,
        "neighbors_kept": trajectories.neighbors_kept,
        "neighbors_kept_ends": trajectories.neighbors_kept_ends,
        "label_mean": _gaps(trajectories.label_mean),
        "label_variability": _gaps(trajectories.label_variability),
        "aum": _gaps(trajectories.aum),
        "learnt_at": trajectories.learnt_at,
        "forgotten": trajectories.forgotten,
        "flips": trajectories.flips,
        "trajectory_label_score": _gaps(trajectories.label_score),
        "trajectory_label_rank": trajectories.label_rank,
    }
    return pa.Table.from_pydict(columns, schema=arrow_schema(of_image=True))


def _gaps(values: NDArray[np.float32] | None, total: int = 0) -> pa.Array:
    """Floats with null where there is none."""
    import pyarrow as pa

    return (
        pa.nulls(total, pa.float32())
        if values is None
        else pa.array(values, pa.float32(), mask=np.isnan(values))
    )


def _named(codes: NDArray[np.int8], names: Sequence[str]) -> pa.DictionaryArray:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array(names, pa.string())
    )


def _dictionary(
    codes: NDArray[np.int32] | None, names: list[str] | None, total: int
) -> pa.DictionaryArray:
    import pyarrow as pa

    if codes is None or names is None:
        return pa.DictionaryArray.from_arrays(
            pa.nulls(total, pa.int32()), pa.array([], pa.string())
        )
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(names, pa.string())
    )


def images_of_table(run: RunFolder) -> RunImages:
    """The images that the table is about. Raises RunError where there are none."""
    images = read_images(run)
    if images is None:
        raise RunError(
            f"Run {run} has no images.parquet. `review-embeddings build --run {run}` makes it."
        )
    return images
