"""Reads what a film shows from the table, the log and the image store of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.mapkinds import has_shared_basis
from review_embeddings.pipeline.analysis.project import turn_onto_next
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.models.checkpoints import select
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training import log as trainlog

if TYPE_CHECKING:
    import pandas as pd

PICTURE_SIDE = 320
"""Longest side of a leaderboard's picture in pixels: as large as the largest film draws it."""

COLUMNS = ("image_id", "x", "y", "ood_score", "ood_rank", "prediction", "confidence")


@dataclass(frozen=True)
class Story:
    """K checkpoints of N images, of each the T most atypical ones, and how the training went."""

    steps: list[int]
    epochs: list[float | None]
    ids: NDArray[np.int64]
    """Shape (N,): what people call the images."""
    points: NDArray[np.float32]
    """Shape (K, N, 2): the table's aligned coordinates, each checkpoint's turned onto the next
    one's (`turn_onto_next`)."""
    labels: NDArray[np.int32]
    """Shape (N,): class index, -1 without one."""
    classes: list[str]
    """Names of the classes; empty for unlabelled data."""
    leaders: NDArray[np.int64]
    """Shape (K, T): places of the most atypical images, the worst first."""
    scores: NDArray[np.float32]
    """Shape (K, T): their OOD scores, in [0, 1], lower is more atypical."""
    predictions: list[list[str]]
    """What each checkpoint takes them for; empty without a head."""
    confidences: NDArray[np.float32]
    """Shape (K, T): the probability of that; NaN without a head."""
    pictures: dict[int, NDArray[np.uint8]]
    """RGB pixels of every image that leads somewhere, by place, shape (height, width, 3)."""
    loss: NDArray[np.float64]
    """Shape (n, 2): steps and the training loss logged at them, ascending."""
    accuracy: NDArray[np.float64]
    """Shape (m, 2): steps and the evaluation accuracy logged at them, ascending."""
    trust: list[str]
    """How far the map of each checkpoint can be trusted, in words."""

    def label_of(self, place: int) -> str:
        """Name of an image's class; empty without one."""
        label = int(self.labels[place])
        return self.classes[label] if label >= 0 else ""

    def furthest(self, count: int) -> list[int]:
        """Places of the images whose way over all checkpoints is the longest, the longest first."""
        ways = np.linalg.norm(np.diff(self.points.astype(np.float64), axis=0), axis=2).sum(axis=0)
        return [int(place) for place in np.argsort(-ways, kind="stable")[:count]]


def read_story(run: RunFolder, checkpoints: Sequence[str] = (), *, top: int = 8) -> Story:
    """What a film of the run's checkpoints (all that are in its table, or those named) shows.

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
        raise RunError(
            f"Run {run} has no coordinates yet. Run: review-embeddings build --run {run}"
        )
    steps = select(manifest.steps, checkpoints) if checkpoints else manifest.steps
    top = min(top, len(images))
    points, leaders, scores, predictions, confidences = [], [], [], [], []
    for facts, part in table.iterate(run, checkpoints=steps, columns=COLUMNS):
        if len(part) != len(images) or not np.array_equal(part["image_id"].to_numpy(), images.ids):
            raise RunError(
                f"Checkpoint {facts.step} in the table of {run} is of other images than the run. "
                f"Delete {run.table} and run: review-embeddings build --run {run}"
            )
        worst = np.argsort(part["ood_rank"].to_numpy(), kind="stable")[:top]
        points.append(part[["x", "y"]].to_numpy(dtype=np.float32))
        leaders.append(worst)
        scores.append(part["ood_score"].to_numpy(dtype=np.float32)[worst])
        predictions.append(_names(part["prediction"].iloc[worst]))
        confidences.append(part["confidence"].to_numpy(dtype=np.float32, na_value=np.nan)[worst])
    epochs = {facts.step: facts.epoch for facts in manifest.checkpoints}
    losses = [(facts.step, facts.loss) for facts in manifest.checkpoints if facts.loss is not None]
    loss, accuracy = _curves(run, losses)
    return Story(
        steps=list(steps),
        epochs=[epochs[step] for step in steps],
        ids=images.ids,
        points=np.stack(points)
        if has_shared_basis(manifest.map)
        else turn_onto_next(np.stack(points)).astype(np.float32),
        labels=np.full(len(images), -1, dtype=np.int32)
        if images.labels is None
        else images.labels.astype(np.int32),
        classes=list(images.classes or []),
        leaders=np.stack(leaders),
        scores=np.stack(scores),
        predictions=predictions,
        confidences=np.stack(confidences),
        pictures=_pictures(images, np.unique(leaders).tolist()),
        loss=loss,
        accuracy=accuracy,
        trust=[trust_of(facts) for facts in manifest.checkpoints if facts.step in steps],
    )


def trust_of(facts: table.CheckpointFacts) -> str:
    """What a map holds of its embedding, in one line."""
    variance = f"{facts.variance_said} of variance, " if facts.variance_said else ""
    return (
        f"{variance}{100 * facts.map_kept:.0f} % of neighbours kept, trustworthiness "
        f"{facts.trustworthiness:.2f}"
    )


def _names(column: pd.Series[Any]) -> list[str]:
    return ["" if value != value else str(value) for value in column.astype(object)]


def _pictures(images: RunImages, places: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    pictures = {}
    for place, data in images.read_some(places, preview=True):
        try:
            picture = to_rgb(decode(data))
        except UNREADABLE:
            continue
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        pictures[place] = np.asarray(picture, dtype=np.uint8)
    return pictures


def _curves(
    run: RunFolder, losses: Sequence[tuple[int, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loss and accuracy over the steps from ``log.csv``; without one, the loss that each checkpoint
    remembers."""
    rows = trainlog.read_rows(run.log)
    loss = [(int(row["step"]), float(row["loss"])) for row in rows if row["loss"]] or losses
    accuracy = [
        (int(row["step"]), float(row["eval_accuracy"])) for row in rows if row["eval_accuracy"]
    ]
    loss_curve, accuracy_curve = (
        np.array(curve, dtype=np.float64).reshape(-1, 2) for curve in (loss, accuracy)
    )
    return loss_curve[np.isfinite(loss_curve[:, 1])], accuracy_curve[
        np.isfinite(accuracy_curve[:, 1])
    ]
