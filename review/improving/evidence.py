"""What the evaluations of all trainings come to: differences with their noise, and the verdict.
Arrays in, values out; trains and prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.paired import (
    GAIN,
    LEVEL,
    PairedDifference,
    paired_difference,
    shared_level,
)
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.training.trained import TrainList
from review_embeddings.review.improving.arms import Evaluated
from review_embeddings.review.improving.folder import AFTER, BEFORE, WITHOUT, arm_name

Arms = Mapping[tuple[str, int], Evaluated]
"""By name of the way of training, and seed."""

Mask = NDArray[np.bool_]
Right = Callable[[str, NDArray[np.object_], Mask], Mask]
"""Which images of a mask the models of a way of training are right about, given the true labels:
shape (S, N)."""


@dataclass(frozen=True)
class ComparedArms:
    """Two ways of training on the same images."""

    before: tuple[float, ...]
    """Accuracy of each seed, in [0, 1]."""
    after: tuple[float, ...]
    difference: PairedDifference


@dataclass(frozen=True)
class Proof:
    """What is shown of all trainings."""

    seeds: tuple[int, ...]
    overall: ComparedArms
    """On the untouched evaluation split: what the verdict comes from."""
    classes: Mapping[str, ComparedArms] = field(default_factory=dict)
    """By class, at levels such that all hold together."""
    corrected: ComparedArms | None = None
    """With the decisions applied to the evaluation split: no proof."""
    carried: Mapping[str, ComparedArms] = field(default_factory=dict)
    """By kind of change: the trainings without it, against those with all."""

    @property
    def verdict(self) -> str:
        """As of `PairedDifference.verdict`."""
        return self.overall.difference.verdict

    @property
    def is_gain(self) -> bool:
        return self.verdict == GAIN


def check_same_images(arms: Arms, listed: TrainList) -> None:
    """Raise RunError unless every training was evaluated on the same images with the same labels:
    those of the evaluation split as they were listed."""
    known = dict(
        zip(listed.rows.tolist(), zip(listed.hashes, listed.labels, strict=True), strict=True)
    )
    for (name, seed), one in arms.items():
        rows = one.ids.tolist()
        same = [
            known.get(row) == (image, label)
            for row, image, label in zip(rows, one.hashes, one.labels, strict=True)
        ]
        if not all(same) or len(rows) != len(next(iter(arms.values())).ids):
            raise RunError(
                f"{arm_name(name, seed)} was evaluated on other images or labels than the "
                f"evaluation split has: a difference between test sets is no proof. Delete that "
                f"folder; it is trained again."
            )


def prove(
    arms: Arms,
    seeds: Sequence[int],
    classes: Sequence[str],
    *,
    corrected: TrainList | None = None,
    kinds: Sequence[str] = (),
    looks: int = 1,
) -> Proof:
    """Compare the trainings of all ``seeds``. ``classes`` are those before the decisions; images of
    others do not count. ``looks`` is how often results were looked at, this time included: the
    level of the interval is such that all looks together hold (Bonferroni)."""
    first = arms[BEFORE, seeds[0]]
    labels = np.array(first.labels, dtype=object)
    counted = np.isin(labels, list(classes))
    if not counted.any():
        raise RunError("No image of the evaluation split has a class that was trained.")
    level = shared_level(looks)

    def right(name: str, truth: NDArray[np.object_], mask: Mask) -> Mask:
        predicted = [np.array(arms[name, seed].predictions, dtype=object) for seed in seeds]
        return np.array([(one == truth)[mask] for one in predicted], dtype=bool)

    before, after = right(BEFORE, labels, counted), right(AFTER, labels, counted)
    names = [name for name in classes if np.any(labels == name)]
    carried = {}
    for kind in kinds:
        without = right(WITHOUT + kind, labels, counted)
        carried[kind] = _compared(without, after, shared_level(len(kinds)))
    return Proof(
        tuple(seeds),
        _compared(before, after, level),
        {
            name: _compared(
                right(BEFORE, labels, labels == name),
                right(AFTER, labels, labels == name),
                shared_level(len(names)),
            )
            for name in names
        },
        _on_corrected(first, corrected, classes, right),
        carried,
    )


def _on_corrected(
    first: Evaluated, corrected: TrainList | None, classes: Sequence[str], right: Right
) -> ComparedArms | None:
    """The same on the evaluation split with the decisions applied."""
    if corrected is None:
        return None
    labels = dict(zip(corrected.rows.tolist(), corrected.labels, strict=True))
    truth = np.array([labels.get(row, "") for row in first.ids.tolist()], dtype=object)
    mask = np.isin(truth, list(classes))
    if not mask.any():
        return None
    return _compared(right(BEFORE, truth, mask), right(AFTER, truth, mask), LEVEL)


def _compared(before: NDArray[np.bool_], after: NDArray[np.bool_], level: float) -> ComparedArms:
    found = paired_difference(before, after, level=level)
    return ComparedArms(_accuracies(before), _accuracies(after), found)


def _accuracies(right: Mask) -> tuple[float, ...]:
    return tuple(float(one) for one in right.mean(axis=1))
