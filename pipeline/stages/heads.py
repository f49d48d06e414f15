"""What a run knows of its checkpoints' heads: the classes of their outputs, and where results are
read in another way than they once were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.judge import Judge, fit_judge
from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges
from review_embeddings.pipeline.analysis.pooling import RULES, weights_of
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.errors import ReviewError, RunError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.classnames import map_classes, matched_before
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import RecordError, record_of
from review_embeddings.pipeline.stages.judging import LeaveOneOut, judge_of


def has_head_record(metadata: Mapping[str, Any]) -> bool:
    """Whether the classes of the outputs, if any, can be read beside embeddings."""
    try:
        return "head" in metadata and (
            metadata["head"] is None or bool(record_of(Head, metadata["head"]))
        )
    except RecordError:
        return False


def stored_head(metadata: Mapping[str, Any]) -> Head | None:
    """The head that gave the probabilities beside embeddings; None without any.

    One output was once a softmax, which says 1 whatever the image: those count for nothing.
    """
    if "probabilities" not in metadata["arrays"] or not metadata["head"]:
        return None
    head = record_of(Head, metadata["head"])
    return None if head.count == 1 else head


def outputs_of_head(images: RunImages, step: int, metadata: Mapping[str, Any]) -> list[str] | None:
    """The class that each column of a checkpoint's probabilities stands for; None without a
    head."""
    head = stored_head(metadata)
    return map_classes(head, images.classes, name=f"Checkpoint {step}", former=images.former)


def prediction_classes(
    images: RunImages, stored: Mapping[int, Mapping[str, Any]]
) -> list[str] | None:
    """The classes that the checkpoints' heads know, those of the data set first; None without any
    head."""
    outputs = [outputs_of_head(images, step, metadata) for step, metadata in stored.items()]
    if all(names is None for names in outputs):
        return None
    classes = dict.fromkeys(images.classes or [])
    for names in outputs:
        classes.update(dict.fromkeys(names or []))
    return list(classes)


def head_judges_labels(run: RunFolder, step: int) -> bool | None:
    """Whether a checkpoint's head says one class an image, and so has a say about labels; None
    where its embedding is not there."""
    metadata = run.result_metadata("embeddings", step)
    if metadata is None:
        return None
    head = stored_head(metadata)
    return head is not None and head.is_of_one_label


def changed_readings(head: Head | None, images: RunImages, *, judges: bool, name: str) -> list[str]:
    """In which ways a head's probabilities are read differently than by versions before these had
    names; empty for most. ``judges`` says whether labels are judged by them. Raises as
    `map_classes`."""
    if head is None:
        return []
    if head.count == 1:
        return ["one output"]
    if (classes := images.classes) is None:
        return []
    readings = ["all outputs"] if judges and head.count > len(classes) else []
    before = matched_before(head, classes)
    if before not in (None, map_classes(head, classes, name=name, former=images.former)):
        readings.append("names")
    return readings


@dataclass(frozen=True)
class StoredProbabilities:
    """A checkpoint's probabilities of the data set's classes, in a file."""

    outputs: NDArray[Any]
    """Shape (N, O), memory-mapped: all outputs of the head, or of the out-of-fold classifiers of an
    earlier version."""
    columns: list[int] | None
    """Which of them are the classes, in their order; None where they are those classifiers'."""
    one_label: bool

    def of(self, rows: Any) -> ClassProbabilities:
        """Those of some images, given by an index of the first axis; no others are read."""
        outputs = np.asarray(self.outputs[rows])
        if self.columns is None:
            return ClassProbabilities.of_shares(outputs)
        return ClassProbabilities.of_outputs(outputs, self.columns, one_label=self.one_label)


Likelihoods = StoredProbabilities | LeaveOneOut
"""What gives the class probabilities of any images."""


def _incomplete(run: RunFolder, step: int) -> ReviewError:
    """Which file of a checkpoint's embedding is not as it was written."""
    for name in ("embeddings", "probabilities"):
        try:
            if run.array(name, step).is_file():
                run.read_array(name, step)
        except ReviewError as error:
            return error
    return RunError(f"{run.array('embeddings', step)} is not complete. Run: {build_command(run)}")


def held_out_probabilities(run: RunFolder, images: RunImages, step: int) -> Likelihoods:
    """Those of a checkpoint's leave-one-out judge; where a run was built by a version without it,
    of the out-of-fold classifiers that its table has. Raises RunError where there are neither."""
    metadata = run.result_metadata("judge", step)
    if metadata is None:
        return StoredProbabilities(run.read_array("heldout", step), None, True)
    assert images.labels is not None
    judge = judge_of(partial(run.read_array, step=step), metadata)
    return LeaveOneOut(judge, run.read_array("embeddings", step), images.labels)


def stored_probabilities(
    run: RunFolder, images: RunImages, folds: int, step: int
) -> Likelihoods | None:
    """Those by which labels are judged: with ``folds`` of the leave-one-out judge, else of the
    checkpoint's head; None without one. Raises RunError where the embedding is not complete."""
    if folds:
        return held_out_probabilities(run, images, step)
    metadata = run.result_metadata("embeddings", step)
    if metadata is None:
        raise _incomplete(run, step)
    head = stored_head(metadata)
    names = outputs_of_head(images, step, metadata)
    if head is None or names is None:
        return None
    columns = [names.index(name) for name in images.classes or []]
    outputs = run.read_array("probabilities", step)
    return StoredProbabilities(outputs, columns, head.is_of_one_label)


def checkpoint_judges(run: RunFolder, images: RunImages, step: int) -> CheckpointJudges:
    """The leave-one-out judge of a checkpoint and its head, where that says one class an image."""
    metadata = run.result_metadata("judge", step)
    assert metadata is not None and images.labels is not None
    judge = judge_of(partial(run.read_array, step=step), metadata)
    return _with_head(run, images, step, judge, images.labels)


def judging_best(run: RunFolder, steps: Sequence[int]) -> list[int]:
    """The checkpoints that judge the labels of images that were not trained on, by the stored
    judges of all labels; all of them where there are none."""
    stored = [run.result_metadata("judge", step) for step in steps]
    if any(one is None for one in stored):
        return list(steps)
    skills, accuracies = (
        [float(one[name]) for one in stored if one is not None] for name in ("skill", "accuracy")
    )
    weights = weights_of(RULES[False], skills, accuracies)
    return [step for step, weight in zip(steps, weights, strict=True) if weight]


def judges_of_labels(
    run: RunFolder,
    images: RunImages,
    step: int,
    labels: NDArray[np.integer],
    order: NDArray[np.intp],
) -> CheckpointJudges:
    """The same with a judge that is fitted to other labels, shape (N,), -1 for none; ``order`` as
    in `judge.fit_judge`."""
    embeddings = run.read_array("embeddings", step)
    judge = fit_judge(embeddings, labels, len(images.classes or []), order)
    return _with_head(run, images, step, judge, labels)


def _with_head(
    run: RunFolder, images: RunImages, step: int, judge: Judge, labels: NDArray[np.integer]
) -> CheckpointJudges:
    head = stored_probabilities(run, images, 0, step)
    known = head if isinstance(head, StoredProbabilities) and head.one_label else None
    return CheckpointJudges.of(
        judge,
        run.read_array("embeddings", step),
        labels,
        None if known is None else lambda rows: known.of(rows).shares,
    )
