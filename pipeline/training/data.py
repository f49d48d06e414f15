"""Opens the splits that a fine-tuning trains on, evaluates on and has reviewed, and chooses their
images and labels. Knows no model and no trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import (
    SPLITS_BY_PREFERENCE,
    OpenedDataset,
    open_dataset,
    split_names,
)
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.models.processor import Processor
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.settings import (
    NOTHING,
    READING_FIELDS,
    DatasetReference,
    Request,
)
from review_embeddings.pipeline.training.images import LabelledImages
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.trained import read_train_list

EVAL_SPLITS_BY_PREFERENCE = ("validation", "valid", "val", "dev", "test")
"""Which split is evaluated where none was named."""

MAX_LISTED = 5
"""Names that a message lists."""


@dataclass(frozen=True)
class Splits:
    """The splits of a fine-tuning, their rows chosen, no image read."""

    train: OpenedDataset
    rows: NDArray[np.int64]
    """Shape (N,): rows of the training split that are trained on, ascending."""
    labels: NDArray[np.int32]
    """Shape (N,): index into ``classes`` of each of these."""
    classes: list[str]
    evaluation: OpenedDataset | None
    review: OpenedDataset

    @property
    def eval_split(self) -> str | None:
        return None if self.evaluation is None else self.evaluation.reference.split


@dataclass(frozen=True)
class TrainingData:
    """The images of a fine-tuning as its model takes them."""

    train: LabelledImages
    evaluation: LabelledImages | None


def open_splits(request: FineTuning, progress: Progress) -> Splits:
    """Open the splits and choose the rows to train on. Raises DatasetError where nothing can be
    learnt from them."""
    reference = DatasetReference(
        request.dataset,
        request.config,
        request.revision,
        request.train_split,
        request.image_column,
        request.label_column,
        **_reading(request),
    )
    names = split_names(reference)
    train = open_dataset(reference, option="--train-split")
    labels, classes = _check_labels(train)
    if request.train_list is None:
        rows = _choose_rows(request, labels, progress)
        labels = labels[rows]
    else:
        rows, labels, classes = _of_list(Path(request.train_list), train, classes)
    _check_classes(request, labels, classes, progress)
    evaluation = _open_evaluation(request, train, names, progress)
    review = _open_review(request, train, evaluation, names)
    splits = Splits(train, rows, labels, classes, evaluation, review)
    _note_splits(request, splits, progress)
    return splits


def labelled_images(
    request: FineTuning, splits: Splits, processor: Processor, progress: Progress
) -> TrainingData:
    """The chosen images with their labels. Raises DatasetError where none is left to evaluate."""
    train = LabelledImages(splits.train, splits.rows, splits.labels, processor)
    if splits.evaluation is None:
        return TrainingData(train, None)
    labels = _labels_by_name(splits.evaluation, splits.classes)
    rows = np.flatnonzero(labels >= 0)
    if not len(rows):
        raise DatasetError(
            f"Split {splits.eval_split!r} of {request.dataset} has no image of a class that is "
            f"trained. Name another with --eval-split."
        )
    if len(rows) < len(labels):
        progress.note(
            f"{len(labels) - len(rows)} images of split {splits.eval_split!r} have no label that "
            f"is trained and are left out"
        )
    return TrainingData(train, LabelledImages(splits.evaluation, rows, labels[rows], processor))


def review_request(request: FineTuning, splits: Splits) -> Request:
    """What the run is reviewed with."""
    return Request(
        dataset={
            "source": request.dataset,
            "config": request.config,
            "revision": request.revision,
            "split": splits.review.reference.split,
            "image_column": request.image_column,
            "label_column": request.label_column,
            "limit": request.probe,
            **_reading(request),
        },
        settings={
            "pooling": request.pooling,
            "precision": request.precision,
            "trained_on": request.trained_on,
        },
    )


def _reading(request: FineTuning) -> dict[str, Any]:
    """How the data set is read."""
    return {name: getattr(request, name) for name in READING_FIELDS}


# -- splits


def _note_splits(request: FineTuning, splits: Splits, progress: Progress) -> None:
    text = (
        f"Training on split {request.train_split!r} of {request.dataset}: {len(splits.rows):,} "
        f"images"
    )
    if splits.evaluation is not None:
        text += f", evaluating on {splits.eval_split!r} ({len(splits.evaluation.rows):,})"
    progress.note(text)
    opened = (splits.train, splits.evaluation, splits.review)
    accounts = [one.account for one in opened if one is not None]
    for note in dict.fromkeys(note for account in accounts for note in account.notes):
        progress.note(note)
    left_out = {one.name: one.reason for account in accounts for one in account.left_out}
    if left_out:
        name, reason = next(iter(left_out.items()))
        progress.note(f"Left out {len(left_out):,} beside the rows, such as {name}: {reason}")


def _open_evaluation(
    request: FineTuning, train: OpenedDataset, names: Sequence[str], progress: Progress
) -> OpenedDataset | None:
    if request.eval_split == NOTHING or request.arguments.get("eval_strategy") == "no":
        return None
    if request.eval_split is not None:
        named = replace(train.reference, split=request.eval_split)
        return open_dataset(named, option="--eval-split")
    candidates = (name for name in EVAL_SPLITS_BY_PREFERENCE if name != request.train_split)
    for split in (name for name in candidates if name in names):
        opened = open_dataset(replace(train.reference, split=split))
        if opened.labels is not None and np.any(opened.labels >= 0):
            return opened
        progress.note(f"Split {split!r} has no labels and is not evaluated on")
    progress.note("There is no split to evaluate on (validation, test); name one with --eval-split")
    return None


def _open_review(
    request: FineTuning,
    train: OpenedDataset,
    evaluation: OpenedDataset | None,
    names: Sequence[str],
) -> OpenedDataset:
    split = request.split or next(
        (name for name in SPLITS_BY_PREFERENCE if name in names), request.train_split
    )
    opened = {part.reference.split: part for part in (train, evaluation) if part is not None}
    return opened.get(split) or open_dataset(replace(train.reference, split=split))


# -- labels


def _check_labels(opened: OpenedDataset) -> tuple[NDArray[np.int32], list[str]]:
    """Labels and classes of the training split. Raises DatasetError where it cannot be learnt
    from."""
    name = f"Split {opened.reference.split!r} of {opened.reference.source}"
    if opened.labels is None or opened.classes is None:
        raise DatasetError(
            f"{name} has no labels, or none that were found; its columns are "
            f"{', '.join(opened.rows.features)}. Name one with --label-column; a folder of images "
            f"needs a folder for each of two classes or more."
        )
    feature = opened.rows.features[str(opened.reference.label_column)]
    is_float = "float" in str(getattr(feature, "dtype", ""))
    if is_float and any("." in label for label in opened.classes):
        raise DatasetError(
            f"Column {opened.reference.label_column!r} of {name} holds numbers ({feature.dtype}), "
            f"not classes. Name another with --label-column."
        )
    return opened.labels, opened.classes


def _choose_rows(
    request: FineTuning, labels: NDArray[np.int32], progress: Progress
) -> NDArray[np.int64]:
    """Rows that have a label, or a balanced sample of so many of these as the limit says."""
    rows = np.flatnonzero(labels >= 0)
    if len(rows) < len(labels):
        progress.note(f"{len(labels) - len(rows)} training images have no label and are left out")
    sample = balanced_sample(labels[rows], len(rows), request.limit or None, request.seed)
    chosen: NDArray[np.int64] = rows[sample]
    return chosen


def _of_list(
    path: Path, train: OpenedDataset, classes: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int32], list[str]]:
    """Rows, their labels and all classes where a list decides; what it adds to the classes follows
    those of the split. Raises DatasetError where the split has no such rows."""
    listed = read_train_list(path)
    if len(listed.rows) and int(listed.rows.max()) >= len(train.rows):
        raise DatasetError(
            f"{path} lists row {int(listed.rows.max()):,}, and the split has {len(train.rows):,} "
            f"now: the data set was changed. Bring the old one back."
        )
    known = list(dict.fromkeys([*classes, *listed.labels]))
    index = {name: position for position, name in enumerate(known)}
    labels = np.array([index[name] for name in listed.labels], dtype=np.int32)
    return listed.rows, labels, known


def _check_classes(
    request: FineTuning, labels: NDArray[np.int32], classes: list[str], progress: Progress
) -> None:
    """Raise DatasetError unless two classes or more have images; note those that have none."""
    if request.limit and request.limit < len(classes):
        raise DatasetError(
            f"--limit {request.limit} is less than one image for each of the {len(classes)} "
            f"classes. Use more."
        )
    absent = [name for index, name in enumerate(classes) if not np.any(labels == index)]
    if len(absent) >= len(classes) - 1:
        present = ", ".join(name for name in classes if name not in absent)
        raise DatasetError(
            f"Split {request.train_split!r} of {request.dataset} has images of one class only "
            f"({present}). Give one with two classes or more."
        )
    if absent:
        progress.note(
            f"No training images of {len(absent)} of {len(classes)} classes: "
            f"{', '.join(absent[:MAX_LISTED])}{' …' * (len(absent) > MAX_LISTED)}"
        )


def _labels_by_name(opened: OpenedDataset, classes: list[str]) -> NDArray[np.int32]:
    """Labels of another split as indices into the classes that are trained; -1 for any other."""
    if opened.labels is None or opened.classes is None:
        raise DatasetError(
            f"Split {opened.reference.split!r} of {opened.reference.source} has no labels. Name "
            f"another with --eval-split."
        )
    index = {name: position for position, name in enumerate(classes)}
    indices = np.array([index.get(name, -1) for name in opened.classes] + [-1], dtype=np.int32)
    return indices[opened.labels]
