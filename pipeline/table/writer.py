"""Writes the long table, checkpoint by checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.duplicates import Duplicates
from review_embeddings.pipeline.analysis.trajectories import Trajectories
from review_embeddings.pipeline.analysis.trust import MapTrust
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.checksums import file_checksum
from review_embeddings.pipeline.run.files import storage_errors, whole_file, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import CheckpointRecord
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table.column import Column, Per
from review_embeddings.pipeline.table.manifest import CheckpointSummary, Manifest, named_files
from review_embeddings.pipeline.table.schema import arrow_schema, classes_of, stored_columns

if TYPE_CHECKING:
    import pyarrow as pa

PART_NAME = re.compile(r"(\d{6,}|images)-[0-9a-f]{8}\.parquet")
"""Names of the table's files."""

Values = Mapping[str, Any]
"""Column name -> its values, shape (N,): numbers, texts, or for a category an index into its
categories (-1 for null). None, or no entry, where nothing is known."""


@dataclass(frozen=True)
class TablePart:
    """The rows of one checkpoint, in image order."""

    step: int
    record: CheckpointRecord
    """What is known of it as a whole."""
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
    trust: MapTrust
    faults: list[str] = field(default_factory=list)
    """What is wrong with its embeddings, which cannot be computed again."""
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Column name -> its values, shape (N,), for any other column of a checkpoint: floats (NaN for
    null), or for a category an index into its categories."""


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
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Column name -> its values, likewise, for any other column that is kept once an image."""


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
    suffix = f"{fingerprint[:8]}.parquet"
    manifest = Manifest(
        fingerprint=fingerprint,
        align_to=align_to,
        scaling=scaling,
        map=kind,
        classes=images.classes,
        prediction_classes=prediction_classes,
        checkpoints=[],
        images=f"images-{suffix}",
        rank_correlation=[],
        outlier_overlap=[],
    )
    checkpoints = []
    for part in parts:
        name = f"{part.step:06d}-{suffix}"
        values = _values_of_checkpoint(images, part)
        checksum = _write_columns(run, name, "checkpoint-and-image", values, manifest, len(images))
        manifest.checksums[name] = checksum
        checkpoints.append(_summary_of(part, name, images.labels))
    found = findings()
    values = _values_of_images(images, found)
    checksum = _write_columns(run, manifest.images, "image", values, manifest, len(images))
    manifest.checksums[manifest.images] = checksum
    manifest = replace(
        manifest,
        checkpoints=checkpoints,
        rank_correlation=found.trajectories.correlation,
        outlier_overlap=found.trajectories.overlap,
    )
    before = named_files(run)
    write_json(run.table_manifest, asdict(manifest))
    _remove_replaced(run, {*before, *manifest.files})
    return manifest


def _summary_of(
    part: TablePart, file: str, labels: NDArray[np.integer[Any]] | None
) -> CheckpointSummary:
    variance = part.explained_variance
    return CheckpointSummary(
        step=part.step,
        file=file,
        epoch=part.record.epoch,
        loss=part.record.loss,
        step_known=part.record.step_known,
        matched=_matched(part.predictions, labels),
        dimension=part.dimension,
        explained_variance=None if variance is None else list(variance),
        scale=part.scale,
        disparity=part.disparity,
        trustworthiness=part.trust.trustworthiness,
        continuity=part.trust.continuity,
        map_kept=part.trust.mean_kept,
        faults=part.faults,
    )


def _matched(
    predictions: NDArray[np.int32] | None, labels: NDArray[np.integer[Any]] | None
) -> float | None:
    """Share of the labelled images whose label is predicted; None where nothing can be said."""
    if predictions is None or labels is None or not (labels >= 0).any():
        return None
    return float((predictions == labels)[labels >= 0].mean())


def _remove_replaced(run: RunFolder, kept: set[str]) -> None:
    """Let go of what earlier tables left, but for the last one: whoever is reading that goes on."""
    files = {run.table / name for name in kept}
    with storage_errors(run.table):
        for stale in set(run.table.glob("*.parquet")) - files:
            if PART_NAME.fullmatch(stale.name):
                storage.remove(stale)


# -- what the columns hold


def _values_of_checkpoint(images: RunImages, part: TablePart) -> Values:
    total, epoch = len(images), part.record.epoch
    return {
        c.IMAGE_ID: images.ids,
        c.IMAGE_HASH: images.hashes,
        c.PATH: images.paths,
        c.CHECKPOINT: np.full(total, part.step, dtype=np.int64),
        c.EPOCH: None if epoch is None else np.full(total, epoch),
        c.LABEL: images.labels,
        c.PREDICTION: part.predictions,
        c.CONFIDENCE: part.confidence,
        c.X: part.points[:, 0],
        c.Y: part.points[:, 1],
        c.OOD_SCORE: part.scores,
        c.OOD_RANK: part.rank,
        c.OOD_PERCENTILE: part.percentile,
        c.MAP_KEPT: part.trust.kept,
        **part.more,
    }


def _values_of_images(images: RunImages, findings: Findings) -> Values:
    trajectories = findings.trajectories
    return {
        c.MEAN_PERCENTILE: trajectories.mean_percentile,
        c.CONSENSUS_RANK: trajectories.consensus_rank,
        c.OUTLIER_LIFE: trajectories.life,
        c.OUTLIER_SINCE: trajectories.life_step,
        c.DRIFT: trajectories.drift,
        c.DRIFT_FROM_NEIGHBORS: trajectories.drift_from_neighbors,
        c.NEIGHBORS_KEPT: trajectories.neighbors_kept,
        c.NEIGHBORS_KEPT_ENDS: trajectories.neighbors_kept_ends,
        c.LABEL_MEAN: trajectories.label_mean,
        c.LABEL_VARIABILITY: trajectories.label_variability,
        c.AUM: trajectories.aum,
        c.LEARNT_AT: trajectories.learnt_at,
        c.FORGOTTEN: trajectories.forgotten,
        c.FLIPS: trajectories.flips,
        **_values_of_duplicates(images, findings.duplicates),
        **({} if findings.leaks is None else _values_of_leaks(findings.leaks)),
        **findings.more,
    }


def _values_of_duplicates(images: RunImages, duplicates: Duplicates) -> Values:
    group = duplicates.group
    differ = None if images.labels is None else duplicates.labels_differ(images.labels)
    return {
        c.DUPLICATE_GROUP: np.where(group >= 0, images.ids[group], -1),
        c.DUPLICATE_KIND: duplicates.kind,
        c.DUPLICATE_LABELS_DIFFER: differ,
    }


def _values_of_leaks(leaks: Leaks) -> Values:
    return {
        c.LEAK_OF: leaks.row,
        c.LEAK_KIND: leaks.kind,
        c.LEAK_LABEL: leaks.label,
        c.LEAK_PATH: leaks.path,
    }


# -- as Arrow


def _write_columns(
    run: RunFolder, name: str, per: Per, values: Values, manifest: Manifest, total: int
) -> str:
    """Write one of the table's files; its checksum. Raises ValueError for values of a column that
    is not declared."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    declared = stored_columns(per)
    unknown = set(values) - {column.name for column in declared}
    if unknown:
        raise ValueError(f"The table has no column {sorted(unknown)[0]!r} per {per}.")
    arrays = {
        column.name: _encoded(column, values.get(column.name), manifest, total)
        for column in declared
    }
    with whole_file(run.table / name) as temporary:
        with for_arrow(temporary, "wb") as target:
            parquet.write_table(
                pa.Table.from_pydict(arrays, schema=arrow_schema(per)), target, compression="zstd"
            )
        return file_checksum(temporary)


def _encoded(column: Column, values: Any, manifest: Manifest, total: int) -> Any:
    """A column as Arrow takes it."""
    import pyarrow as pa

    if column.kind == "category":
        return _dictionary(column, values, classes_of(column, manifest), total)
    if values is None and column.nullable:
        return pa.nulls(total)
    if values is None:
        return np.full(total, _stand_in(column))
    if column.nullable and column.kind.startswith("float"):
        return pa.array(values, mask=np.isnan(values))
    return values


def _stand_in(column: Column) -> int | str | bool:
    """What a column that cannot be null holds where nothing is known. Raises ValueError for one
    that must be known."""
    if column.missing is not None:
        return column.missing
    if column.kind == "bool":
        return False
    raise ValueError(f"The table needs values for its column {column.name}.")


def _dictionary(
    column: Column, codes: Any, categories: Iterable[str] | None, total: int
) -> pa.DictionaryArray:
    """A category; the first one where nothing is known of a column that cannot be null."""
    import pyarrow as pa

    names = pa.array(list(categories or ()), pa.string())
    if codes is None or categories is None:
        codes = np.full(total, -1 if column.nullable else 0)
    indices = np.asarray(codes).astype(np.int32)
    mask = indices < 0 if column.nullable else None
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=mask), names)
