"""Owns the long table: one row per image and checkpoint. Declares its columns, writes, validates
and reads it.

    from pipeline import table frame = table.read("runs/cifar10")
    # everything, one pandas DataFrame frame = table.read("runs/cifar10", checkpoints=[0, 400],
    columns=["x", "y", "label"])

The table of a run is a set of Parquet files, one a checkpoint, and a manifest that is written last
and names them: what the manifest does not name is not there. Embeddings and images stay in their
own files and are joined on reading.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline import storage
from pipeline.dataset import RunImages, read_images
from pipeline.duplicates import KINDS, Duplicates
from pipeline.errors import RunError, SettingsError
from pipeline.imagequality import GRAY, IMAGE_QUALITY, ISSUES, SCORED
from pipeline.labels import LabelQuality
from pipeline.runfolder import RunFolder, read_json, run_at, storage_errors, whole_file, write_json
from pipeline.trajectories import LIVES, Trajectories
from pipeline.trust import MapTrust

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


# -- what the columns are


@dataclass(frozen=True)
class Column:
    """One column of the long table."""

    name: str
    kind: Literal[
        "int64", "int32", "float32", "float64", "bool", "string", "category", "vector", "bytes"
    ]
    """How it is stored; ``category`` is a dictionary of strings, ``vector`` a view on a row of a
    memory-mapped array."""
    unit: str
    values: str
    """Range of the values, and what null means where there can be nulls."""
    meaning: str
    """What it says, with its direction where it has one."""
    nullable: bool = False
    joined: bool = False
    """Not in the Parquet files of the table but joined from the images and arrays of the run on
    reading."""
    of_image: bool = False
    """About the image over all checkpoints: kept once an image and the same in all of its rows."""


_of_image = partial(Column, of_image=True)

COLUMNS: tuple[Column, ...] = (
    Column(
        "image_id",
        "int64",
        "row",
        ">= 0",
        "row of the data set's split; what people and exports call the image",
    ),
    Column(
        "image_hash",
        "string",
        "",
        "64 hex digits",
        "SHA-256 of the image's bytes as stored; survives reordering and new runs",
    ),
    Column(
        "path",
        "string",
        "",
        "a path; null where the data set names no files",
        "the image's file, relative to the data set's folder",
        nullable=True,
    ),
    Column(
        "checkpoint",
        "int64",
        "steps",
        ">= 0",
        "global training step; 0 is the model before fine-tuning",
    ),
    Column(
        "epoch",
        "float64",
        "epochs",
        ">= 0; null where the run does not say",
        "passes over the training data",
        nullable=True,
    ),
    Column(
        "label",
        "category",
        "",
        "a class; null for unlabelled images",
        "the given label",
        nullable=True,
    ),
    Column(
        "prediction",
        "category",
        "",
        "a class; null without a head",
        "the class this checkpoint finds most probable",
        nullable=True,
    ),
    Column(
        "confidence",
        "float32",
        "probability",
        "[0, 1]; null without a head",
        "probability of the prediction",
        nullable=True,
    ),
    Column(
        "embedding",
        "vector",
        "",
        "finite, D values",
        "the image's vector under this checkpoint, fp32",
        joined=True,
    ),
    Column(
        "x",
        "float32",
        "",
        "[-5, 5]",
        "aligned 2-D coordinate; one frame of reference and one range for all checkpoints",
    ),
    Column("y", "float32", "", "[-5, 5]", "aligned 2-D coordinate, likewise"),
    Column(
        "ood_score",
        "float32",
        "",
        "[0, 1]",
        "cleanlab's out-of-distribution score; lower is more atypical; not comparable across "
        "checkpoints",
    ),
    Column(
        "ood_rank",
        "int32",
        "rank",
        "1 to N",
        "place by ood_score within the checkpoint; 1 is the most atypical",
    ),
    Column(
        "ood_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "ood_rank as a percentage, ties shared; lower is more atypical; comparable across "
        "checkpoints",
    ),
    Column(
        "self_confidence",
        "float32",
        "probability",
        "[0, 1]; null without a label",
        "probability of the given label; of the neighbours' labels where the checkpoint has no "
        "head",
        nullable=True,
    ),
    Column(
        "label_score",
        "float32",
        "",
        "[0, 1]; null without a label",
        "cleanlab's label quality (normalised margin); lower is more likely wrong",
        nullable=True,
    ),
    Column(
        "label_rank",
        "int32",
        "rank",
        "1 to N; 0 without a label",
        "place by label_score; 1 is the label most likely wrong",
    ),
    Column(
        "suggested_label",
        "category",
        "",
        "a class; null for unlabelled data",
        "the class that fits best",
        nullable=True,
    ),
    Column(
        "label_issue",
        "bool",
        "",
        "true or false",
        "cleanlab's filter takes the label for wrong; means little before the model has learnt, "
        "then misses many: see the rank",
    ),
    Column(
        "map_kept",
        "float32",
        "share",
        "[0, 1]",
        "share of the image's 15 nearest neighbours in the embedding that are its nearest on the "
        "map too; low: do not trust its place",
    ),
    _of_image(
        "mean_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "mean of ood_percentile; lower is more atypical",
    ),
    _of_image(
        "consensus_rank",
        "int32",
        "rank",
        "1 to N",
        "place by mean_percentile; 1 is the most atypical",
    ),
    _of_image(
        "outlier_life",
        "category",
        "",
        ", ".join(LIVES),
        "whether it is among the worst at the first and at the last checkpoint; passing: only in "
        "between",
    ),
    _of_image(
        "outlier_since",
        "int64",
        "steps",
        ">= 0; -1 where it does not apply",
        "step at which it was resolved or emerged",
    ),
    _of_image(
        "duplicate_group",
        "int64",
        "",
        "an image_id; -1 for images that are there once",
        "first image of its group of copies",
    ),
    _of_image(
        "duplicate_kind",
        "category",
        "",
        ", ".join(KINDS),
        "exact: the same file; near: the same picture, changed",
    ),
    _of_image(
        "duplicate_labels_differ", "bool", "", "true or false", "its copies have different labels"
    ),
    _of_image(
        "leak_of",
        "int64",
        "row",
        "row of the other split; -1 for none",
        "the same image in the split that was named with --against",
    ),
    _of_image(
        "leak_kind",
        "category",
        "",
        ", ".join(KINDS),
        "whether it is the same file there or the same picture, changed",
    ),
    _of_image(
        "leak_label", "category", "", "a class; null for none", "its label there", nullable=True
    ),
    _of_image(
        "leak_path",
        "string",
        "",
        "a path; null for none",
        "its file there, relative to the data set's folder",
        nullable=True,
    ),
    _of_image(
        "image_issue",
        "category",
        "",
        ", ".join(ISSUES),
        "what is most wrong with the picture itself (--image-quality; cleanvision)",
    ),
    _of_image(
        "image_issue_rank",
        "int32",
        "rank",
        "1 to N; 0 where not checked",
        "place by how far its worst score lies below the threshold",
    ),
    *(
        _of_image(
            f"{name}_score",
            "float32",
            "",
            "[0, 1]; null where not checked",
            f"cleanvision's; lower is more {said}",
            nullable=True,
        )
        for name, said in zip(
            SCORED, ("oddly long or high", "dark", "light", "empty", "blurry"), strict=True
        )
    ),
    _of_image(GRAY, "bool", "", "true or false", "without colour (--image-quality)"),
    _of_image(
        "drift",
        "float32",
        "",
        ">= 0",
        "way in the embedding, each checkpoint laid onto the one before; a vector is about 1 long",
    ),
    _of_image(
        "neighbors_kept",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours that stay from checkpoint to checkpoint, the mean",
    ),
    _of_image(
        "neighbors_kept_ends",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours at the first checkpoint that are so at the last",
    ),
    _of_image(
        "label_mean",
        "float32",
        "probability",
        "[0, 1]; null without label or heads",
        "mean probability of the given label (confidence in data-set cartography)",
        nullable=True,
    ),
    _of_image(
        "label_variability",
        "float32",
        "probability",
        "[0, 0.5]; null likewise",
        "its standard deviation over checkpoints",
        nullable=True,
    ),
    _of_image(
        "aum",
        "float32",
        "logit",
        "any; null likewise",
        "area under the margin; lower is more likely wrong",
        nullable=True,
    ),
    _of_image(
        "learnt_at",
        "int64",
        "steps",
        ">= 0; -1 for never",
        "first step after which the prediction stays right; here and in the next two with "
        "--cross-validate that of its classifiers",
    ),
    _of_image("forgotten", "int32", "times", ">= 0", "how often a right prediction turned wrong"),
    _of_image("flips", "int32", "times", ">= 0", "how often the prediction changed"),
    _of_image(
        "trajectory_label_score",
        "float32",
        "",
        "[0, 1]; null without label",
        "label quality over all checkpoints, from predictions and neighbours' labels; lower is "
        "more likely wrong",
        nullable=True,
    ),
    _of_image(
        "trajectory_label_rank",
        "int32",
        "rank",
        "1 to N; 0 without label",
        "place by it; 1 is the label most likely wrong",
    ),
    Column(
        "image",
        "bytes",
        "",
        "an image file",
        "the image as the data set stores it; one object shared by all rows of an image",
        joined=True,
    ),
)
"""Every column of the long table, in order. The schema, the checks and the table in the README come
from here."""

COLUMN_NAMES = tuple(column.name for column in COLUMNS)


def arrow_schema(*, of_image: bool = False) -> pa.Schema:
    """Arrow schema of the table's Parquet files: every column that is not joined, of a checkpoint
    or of the images."""
    import pyarrow as pa

    types: dict[str, Any] = {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
        "category": pa.dictionary(pa.int32(), pa.string()),
    }
    return pa.schema(
        [
            pa.field(c.name, types[c.kind], nullable=c.nullable)
            for c in COLUMNS
            if not c.joined and c.of_image == of_image
        ]
    )


# -- the manifest


@dataclass(frozen=True)
class CheckpointFacts:
    """What is known of a checkpoint as a whole."""

    step: int
    file: str
    """Parquet file in the run's table folder."""
    epoch: float | None
    loss: float | None
    """Training loss last logged up to this step."""
    dimension: int
    """D, the length of an embedding."""
    explained_variance: list[float] | None
    """Share of the embedding's variance along x and y before the turn, in [0, 1]; None for a map
    without such axes (UMAP)."""
    scale: float
    """Factor from the units of the embedding to those of x and y."""
    disparity: float
    """Procrustes disparity to the reference, in [0, 1]; 0 is a perfect match."""
    trustworthiness: float
    """In [0, 1]; low where images lie near each other on the map that are not alike."""
    continuity: float
    """In [0, 1]; low where images that are alike lie apart on the map."""
    map_kept: float
    """Mean share of the nearest neighbours in the embedding that the map keeps, in [0, 1]."""

    @property
    def variance_said(self) -> str:
        """The share of variance that the map holds, in percent; empty for a map that has none."""
        return (
            "" if self.explained_variance is None else f"{100 * sum(self.explained_variance):.0f} %"
        )


@dataclass(frozen=True)
class Manifest:
    """Which files make up the table, and what was done to each checkpoint."""

    fingerprint: str
    align_to: str
    scaling: str
    map: str
    """How the embeddings came into the plane (`pipeline.maps.MAPS`)."""
    classes: list[str] | None
    """Classes of the labels."""
    prediction_classes: list[str] | None
    """Classes of the predictions: those of the labels and any others the heads know."""
    checkpoints: list[CheckpointFacts]
    """In the order of training."""
    images: str
    """Parquet file in the run's table folder with the columns that are about images over all
    checkpoints."""
    rank_correlation: list[list[float]]
    """Spearman correlation of the OOD ranks for each pair of checkpoints."""
    outlier_overlap: list[list[float]]
    """Share of the worst images of one checkpoint that are among the worst of the other, for each
    pair."""

    @property
    def steps(self) -> list[int]:
        return [facts.step for facts in self.checkpoints]


def read_manifest(run: RunFolder) -> Manifest | None:
    """The table's manifest; None where the run has no table yet, or one that an earlier version
    made and `build` makes anew."""
    if not run.table_manifest.is_file():
        return None
    content = read_json(run.table_manifest)
    if not {"images", "map"} <= content.keys():
        return None
    try:
        facts = [CheckpointFacts(**entry) for entry in content.pop("checkpoints")]
        return Manifest(checkpoints=facts, **content)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{run.table_manifest} is damaged. Delete it and run: review-embeddings build --run "
            f"{run}"
        ) from error


def known_steps(run: RunFolder) -> list[int]:
    """The checkpoints that the table holds, even if an earlier version made it; none where there is
    no table."""
    content = read_json(run.table_manifest) if run.table_manifest.is_file() else {}
    return [int(entry["step"]) for entry in content.get("checkpoints", [])]


# -- writing


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


# -- reading


def read(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The long table as one DataFrame: images in order within checkpoints in order of training.

    ``embedding`` cells are read-only float32 views of shape (D,) on memory-mapped arrays; ``image``
    cells are bytes, one object an image. Raises RunError where the run has no table or not these
    checkpoints, SettingsError for an unknown column.
    """
    import pandas as pd

    frames = [part for _, part in iterate(run, checkpoints=checkpoints, columns=columns)]
    if len(frames) == 1:
        return frames[0]
    joined = pd.concat(
        [frame.drop(columns=["embedding", "image"], errors="ignore") for frame in frames],
        ignore_index=True,
    )
    for name in ("embedding", "image"):
        if name in frames[0].columns:
            joined[name] = _objects([cell for frame in frames for cell in frame[name].array])
    return joined[list(frames[0].columns)]


def iterate(
    run: RunFolder | str | os.PathLike[str],
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[CheckpointFacts, pd.DataFrame]]:
    """The long table one checkpoint at a time, each as `read` gives it."""
    import pandas as pd

    run = run if isinstance(run, RunFolder) else run_at(run)
    names = list(COLUMN_NAMES if columns is None else columns)
    unknown = [name for name in names if name not in COLUMN_NAMES]
    if unknown:
        raise SettingsError(
            f"The table has no column {unknown[0]!r}; it has {', '.join(COLUMN_NAMES)}."
        )
    manifest = _manifest_with(run, checkpoints)
    wanted = set(manifest.steps if checkpoints is None else checkpoints)
    stored = [
        column.name
        for column in COLUMNS
        if not column.joined and not column.of_image and column.name in names
    ]
    of_image = [column.name for column in COLUMNS if column.of_image and column.name in names]
    once = _read_part(run, manifest.images, of_image).to_pandas() if of_image else None
    pictures = _objects(_images_of(run).read_bytes()) if "image" in names else None
    for facts in manifest.checkpoints:
        if facts.step not in wanted:
            continue
        frame = _read_part(run, facts.file, stored or ["image_id"]).to_pandas()
        if once is not None:
            frame[of_image] = once
        classes_of = {
            "label": manifest.classes,
            "prediction": manifest.prediction_classes,
            "suggested_label": manifest.classes,
        }
        for name, classes in {
            **classes_of,
            "outlier_life": list(LIVES),
            "duplicate_kind": list(KINDS),
            "leak_kind": list(KINDS),
        }.items():
            if (
                name in frame.columns
            ):  # the same categories for all checkpoints, in the data set's order
                frame[name] = pd.Categorical(frame[name], categories=classes or [])
        if "embedding" in names:
            frame["embedding"] = _objects(np.asarray(run.read_array("embeddings", facts.step)))
        if pictures is not None:
            frame["image"] = pictures
        yield facts, frame[names]


def _read_part(run: RunFolder, name: str, columns: Sequence[str]) -> pa.Table:
    """Columns of one of the table's files. Raises RunError for one that is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        return parquet.read_table(storage.fetched(run.table / name), columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        cure = f"Delete {run.table} and run: review-embeddings build --run {run}"
        raise RunError(
            f"{run.table / name} is damaged or was made by another version. {cure}"
        ) from error


def _objects(cells: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    """A column of Python objects; rows of a matrix become views on it."""
    column = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        column[row] = cell
    return column


def _manifest_with(run: RunFolder, checkpoints: Sequence[int] | None) -> Manifest:
    manifest = read_manifest(run)
    if manifest is None:
        raise RunError(
            f"Run {run} has no table yet. `review-embeddings build --run {run}` makes it."
        )
    missing = sorted(set(checkpoints or []) - set(manifest.steps))
    if missing:
        raise RunError(
            f"The table of {run} has no checkpoint {missing[0]}; it has "
            f"{', '.join(map(str, manifest.steps))}. "
            f"`review-embeddings build --run {run}` adds the others."
        )
    return manifest


def _images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    if images is None:
        raise RunError(
            f"Run {run} has no images.parquet. `review-embeddings build --run {run}` makes it."
        )
    return images


def validate(frame: pd.DataFrame) -> None:
    """Check a long table against the declaration. Raises RunError with the first rule that does not
    hold."""
    missing = [name for name in ("image_id", "checkpoint") if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in COLUMN_NAMES]
    if missing or unknown:
        raise RunError(f"The table lacks {missing} or has unknown columns {unknown}.")
    if frame.duplicated(["image_id", "checkpoint"]).any():
        raise RunError("The table has two rows with the same image_id and checkpoint.")
    if len(frame) != frame["image_id"].nunique() * frame["checkpoint"].nunique():
        raise RunError("The table is not complete: some image has no row for some checkpoint.")
    for column in COLUMNS:
        if column.name in frame.columns and not column.nullable and frame[column.name].isna().any():
            raise RunError(f"Column {column.name} of the table has missing values.")
    shares = [
        "ood_score",
        "confidence",
        "self_confidence",
        "label_score",
        "map_kept",
        "neighbors_kept",
        "neighbors_kept_ends",
    ]
    shares += [
        "label_mean",
        "label_variability",
        "trajectory_label_score",
        *(f"{name}_score" for name in SCORED),
    ]
    ranges = {
        "x": (-5, 5),
        "y": (-5, 5),
        "ood_percentile": (0, 100),
        "mean_percentile": (0, 100),
    } | dict.fromkeys(shares, (0, 1))
    for name, (low, high) in ranges.items():
        if name in frame.columns and not frame[name].dropna().between(low, high).all():
            raise RunError(f"Column {name} of the table has values outside [{low}, {high}].")


# -- for other tools

EXPORT_FORMATS = (".parquet", ".csv")


def export(
    run: RunFolder,
    out: Path,
    *,
    checkpoints: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> int:
    """Write the long table to one Parquet file (everything) or CSV file (without vectors and
    pictures); returns its rows.

    One checkpoint is in memory at a time. In Parquet, embeddings are fixed-size lists of float32
    and images plain bytes.
    """
    if out.suffix.lower() not in EXPORT_FORMATS:
        raise SettingsError(
            f"Cannot write {out.name}: the ending must be one of {', '.join(EXPORT_FORMATS)}."
        )
    if out.suffix.lower() == ".csv":
        columns = columns or [column.name for column in COLUMNS if not column.joined]
        joined = [column.name for column in COLUMNS if column.joined and column.name in columns]
        if joined:
            raise SettingsError(
                f"A CSV file cannot hold {joined[0]}. Write a .parquet file, or leave the column "
                f"out with --columns."
            )
    rows = 0
    with whole_file(out) as temporary:
        writer: Any = None
        try:
            for _, frame in iterate(run, checkpoints=checkpoints, columns=columns):
                if out.suffix.lower() == ".csv":
                    frame.to_csv(temporary, mode="a", header=rows == 0, index=False)
                else:
                    arrow = _arrow_export(frame)
                    if writer is None:
                        import pyarrow.parquet as parquet

                        writer = parquet.ParquetWriter(temporary, arrow.schema, compression="zstd")
                    writer.write_table(arrow)
                rows += len(frame)
        finally:
            if writer is not None:
                writer.close()
    return rows


def _arrow_export(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    table = pa.Table.from_pandas(
        frame.drop(columns=["embedding", "image"], errors="ignore"), preserve_index=False
    )
    for name in frame.columns:
        if name == "embedding":
            matrix = np.stack(list(frame[name]))
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
            table = table.append_column(name, vectors)
        elif name == "image":
            table = table.append_column(name, pa.array(frame[name], pa.binary()))
    return table.select(list(frame.columns))


def as_markdown() -> str:
    """The declared columns as the table in the README."""
    lines = ["| column | type | unit | values | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{c.name}` | {c.kind} | {c.unit} | {c.values} | {c.meaning} |" for c in COLUMNS]
    return "\n".join(lines)
