"""Reads what a film shows from the table, the log and the image store of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.mapkinds import has_shared_basis
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.models.checkpoints import select
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.training.curves import read_curves
from review_embeddings.review.animation.motion import film_maps
from review_embeddings.review.animation.options import ONTO_NEXT
from review_embeddings.review.animation.pairs import ChangedImage, read_pairs, shown_images
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.share.titles import title_of

if TYPE_CHECKING:
    import pandas as pd

THUMBNAIL_SIDE = 320
"""Longest side in pixels of an image of the leaderboard: as large as the largest film draws it."""

COLUMNS = ("image_id", "x", "y", "ood_score", "ood_rank", "prediction", "confidence")


@dataclass(frozen=True)
class FilmData:
    """K checkpoints of N images, of each the T most atypical ones, and how the training went."""

    steps: list[int]
    epochs: list[float | None]
    ids: NDArray[np.int64]
    """Shape (N,): what people call the images."""
    points: NDArray[np.float32]
    """Shape (K, N, 2): the table's aligned coordinates, as `film_maps` lays them."""
    labels: NDArray[np.int32]
    """Shape (N,): class index, -1 without one."""
    classes: list[str]
    """Names of the classes; empty for unlabelled data."""
    leaders: NDArray[np.int64]
    """Shape (K, T): indices of the most atypical images, the worst first."""
    scores: NDArray[np.float32]
    """Shape (K, T): their OOD scores, in [0, 1], lower is more atypical."""
    predictions: list[list[str]]
    """What each checkpoint takes them for; empty without a head."""
    confidences: NDArray[np.float32]
    """Shape (K, T): the probability of that; NaN without a head."""
    thumbnails: dict[int, NDArray[np.uint8]]
    """RGB pixels of every image that leads somewhere, by index, shape (height, width, 3); those
    that can be read."""
    loss: NDArray[np.float64]
    """Shape (n, 2): steps and the training loss logged at them, ascending."""
    accuracy: NDArray[np.float64]
    """Shape (m, 2): steps and the evaluation accuracy logged at them, ascending."""
    trust: list[str]
    """How far the map of each checkpoint can be trusted, in words."""
    groups: tuple[tuple[int, ...], ...] | None = None
    """Indices of the images of each group that stands apart, the largest first; None where groups
    were not computed."""
    best: int | None = None
    """Step of the checkpoint that evaluated best; None where the run does not say."""
    unknown: frozenset[int] = frozenset()
    """Steps that stand for a final model of which nothing says at which step it was saved."""
    run: str = "DIR"
    """By what a command names the run."""
    title: str = ""
    """Model, data set and length of the training, for people."""
    pairs: tuple[ChangedImage, ...] = ()
    """Images before and after the training."""
    turned: tuple[str, ...] = ()
    """What sets the coordinates of each checkpoint apart from the table's, for people; empty where
    nothing does."""
    disparities: tuple[float, ...] = ()
    """Of each checkpoint's map to its reference, in [0, 1], as in the table."""
    predicted: NDArray[np.int32] | None = None
    """Shape (K, N): index among `predicted_classes` of what each checkpoint takes each image for,
    -1 without; None where images have labels, or there is no head."""
    predicted_classes: tuple[str, ...] = ()

    @property
    def color_classes(self) -> Sequence[str]:
        """Names of the classes that colour the images: the labels' or, where no image has one,
        those of the predictions."""
        return self.classes if self.predicted is None else self.predicted_classes

    def color_codes(self, checkpoint: int) -> NDArray[np.int32]:
        """Index of each image among `color_classes` at a checkpoint, shape (N,); -1 without."""
        return self.labels if self.predicted is None else self.predicted[checkpoint]

    def points_at(self, moment: Moment) -> NDArray[np.float64]:
        """Coordinates of all images at a moment, shape (N, 2)."""
        here: NDArray[np.float64] = self.points[moment.checkpoint].astype(np.float64)
        if moment.fraction == 0:
            return here
        here += moment.fraction * (self.points[moment.checkpoint + 1] - here)
        return here

    def label_of(self, image: int) -> str:
        """Name of the class of the image of this index; empty without one."""
        label = int(self.labels[image])
        return self.classes[label] if label >= 0 else ""

    def furthest(self, count: int) -> list[int]:
        """Indices of the images that move furthest over all checkpoints, the furthest first."""
        ways = np.linalg.norm(np.diff(self.points.astype(np.float64), axis=0), axis=2).sum(axis=0)
        return [int(image) for image in np.argsort(-ways, kind="stable")[:count]]


def read_film_data(
    run: RunFolder, checkpoints: Sequence[str] = (), *, top: int = 8, align: str = ONTO_NEXT
) -> FilmData:
    """What a film of the run's checkpoints (all that are in its table, or those named) shows, with
    the maps as ``align`` says (`film_maps`).

    Raises RunError where there is no table or its checkpoints are of different images,
    CheckpointError for one that is not there.
    """
    if not run.path.is_dir():
        raise RunError(
            f"There is no run {run}: no such folder. Name one that was built or reviewed."
        )
    manifest = table.read_manifest(run)
    images = read_images(run)
    if manifest is None or images is None:
        raise RunError(f"Run {run} has no coordinates yet. Run: {build_command(run)}")
    steps = manifest.steps
    if checkpoints:
        steps = select(steps, checkpoints, best=manifest.best)
    parts = [
        _part_of(part, checkpoint.step, run, images, top=min(top, len(images)))
        for checkpoint, part in table.iterate(run, checkpoints=steps, columns=COLUMNS)
    ]
    points, turned = film_maps(
        np.stack([part.points for part in parts]),
        align,
        shared_basis=has_shared_basis(manifest.map),
    )
    leaders = np.stack([part.leaders for part in parts])
    epochs = {checkpoint.step: checkpoint.epoch for checkpoint in manifest.checkpoints}
    disparities = {one.step: one.disparity for one in manifest.checkpoints}
    labels, curves = _labels(images), read_curves(run, manifest)
    by_prediction = bool(manifest.prediction_classes) and not (labels >= 0).any()
    pairs = read_pairs(run, steps, images)
    return FilmData(
        steps=list(steps),
        epochs=[epochs[step] for step in steps],
        ids=images.ids,
        points=points,
        labels=labels,
        classes=list(images.classes or []),
        leaders=leaders,
        scores=np.stack([part.scores for part in parts]),
        predictions=[part.predictions for part in parts],
        confidences=np.stack([part.confidences for part in parts]),
        thumbnails=_thumbnails(images, shown_images(leaders, pairs)),
        loss=_curve(curves.loss),
        accuracy=_curve(curves.accuracy),
        trust=[
            trust_of(checkpoint) for checkpoint in manifest.checkpoints if checkpoint.step in steps
        ],
        groups=_groups(run, manifest.steps[-1]),
        best=manifest.best,
        unknown=frozenset(one.step for one in manifest.checkpoints if not one.step_known),
        run=str(run),
        title=title_of(run, steps[-1]),
        pairs=pairs,
        turned=tuple(turned),
        disparities=tuple(disparities[step] for step in steps),
        predicted=np.stack([part.predicted for part in parts]) if by_prediction else None,
        predicted_classes=tuple(manifest.prediction_classes or ()) if by_prediction else (),
    )


@dataclass(frozen=True)
class _Part:
    """What a film takes of one checkpoint; the fields are those of `FilmData`."""

    points: NDArray[np.float32]
    leaders: NDArray[np.int64]
    scores: NDArray[np.float32]
    predictions: list[str]
    confidences: NDArray[np.float32]
    predicted: NDArray[np.int32]


def _part_of(
    rows: pd.DataFrame, step: int, run: RunFolder, images: RunImages, *, top: int
) -> _Part:
    """Raises RunError where the rows are not of the run's images."""
    if len(rows) != len(images) or not np.array_equal(rows["image_id"].to_numpy(), images.ids):
        raise RunError(
            f"Checkpoint {step} in the table of {run} is of other images than the run. "
            f"Delete {run.table} and run: {build_command(run)}"
        )
    worst = np.argsort(rows["ood_rank"].to_numpy(), kind="stable")[:top]
    return _Part(
        points=rows[["x", "y"]].to_numpy(dtype=np.float32),
        leaders=worst,
        scores=rows["ood_score"].to_numpy(dtype=np.float32)[worst],
        predictions=_names(rows["prediction"].iloc[worst]),
        confidences=rows["confidence"].to_numpy(dtype=np.float32, na_value=np.nan)[worst],
        predicted=np.asarray(rows["prediction"].astype("category").cat.codes, dtype=np.int32),
    )


def _labels(images: RunImages) -> NDArray[np.int32]:
    if images.labels is None:
        return np.full(len(images), -1, dtype=np.int32)
    return images.labels.astype(np.int32)


def _groups(run: RunFolder, step: int) -> tuple[tuple[int, ...], ...] | None:
    """As `FilmData.groups`; they are of the whole run, and stand at its last checkpoint."""
    frame = table.read(run, checkpoints=[step], columns=[c.GROUP, c.GROUP_RANK])
    if not (frame[c.GROUP_RANK] > 0).any():
        return None
    groups = frame[c.GROUP].to_numpy()
    names, sizes = np.unique(groups[groups >= 0], return_counts=True)
    largest = names[np.argsort(-sizes, kind="stable")]
    return tuple(tuple(np.flatnonzero(groups == name).tolist()) for name in largest)


def trust_of(checkpoint: table.CheckpointSummary) -> str:
    """What a map holds of its embedding, in one line."""
    variance = f"{checkpoint.variance_text} of variance, " if checkpoint.variance_text else ""
    return (
        f"{variance}{100 * checkpoint.map_kept:.0f} % of neighbours kept, trustworthiness "
        f"{checkpoint.trustworthiness:.2f}"
    )


def _names(column: pd.Series[Any]) -> list[str]:
    return ["" if value != value else str(value) for value in column.astype(object)]


def _thumbnails(images: RunImages, indices: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    thumbnails = {}
    for index, data in images.read_some(indices, preview=True):
        try:
            image = to_rgb(decode(data))
        except UNREADABLE:
            continue
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        thumbnails[index] = np.asarray(image, dtype=np.uint8)
    return thumbnails


def _curve(values: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
    """Shape (n, 2)."""
    return np.array(values, dtype=np.float64).reshape(-1, 2)
