"""The lists about runs beside each other: what all have wrong, what one alone, where they disagree,
what changed from the first to the last, what moved. Declared like all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.review.lists import lists as lists  # those stand before these
from review_embeddings.review.lists.definition import LISTS, ListDefinition, Surface
from review_embeddings.review.lists.derived import LETTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.review.lists.beside import RunsBeside
    from review_embeddings.review.lists.candidates import Candidates

Values = Callable[["RunsBeside"], "NDArray[Any]"]

DISAGREE, FIXED, BROKEN = "disagree", "fixed", "broken"

SURFACES: tuple[Surface, ...] = ("page", "compare")

LEAST_MOVED = 0.005
"""What moved less, in units of the root mean square length, reads 0.00 and has not moved: equal
embeddings differ by rounding."""


def _runs(images: Candidates) -> RunsBeside:
    assert images.beside is not None, "such lists are offered where runs stand beside each other"
    return images.beside


def _needs_runs(images: Candidates, count: int = 2) -> str:
    if images.beside is None or len(images.beside) < count:
        return f"needs another run beside this one. Run: {command_line('compare', 'A', 'B')}"
    return ""


def _needs_predictions(images: Candidates, count: int = 2) -> str:
    lacking = _needs_runs(images, count)
    if lacking or (_runs(images).predictions >= 0).any(axis=1).all():
        return lacking
    return "needs runs whose checkpoints all predict a class."


def _needs_labels(images: Candidates, count: int = 2) -> str:
    lacking = _needs_predictions(images, count)
    if lacking or (_runs(images).labels[0] >= 0).any():
        return lacking
    return "is about labels, and the first run has none."


def _needs_own_labels(images: Candidates) -> str:
    lacking = _needs_labels(images)
    if lacking or (_runs(images).labels[-1] >= 0).any():
        return lacking
    return "is about the labels of both, and the last run has none."


def _needs_positions(images: Candidates) -> str:
    import numpy as np

    lacking = _needs_runs(images)
    if lacking or np.isfinite(_runs(images).moved).any():
        return lacking
    return "needs the embeddings of all runs."


def _opinions(images: Candidates, row: int) -> str:
    return _runs(images).opinions(row)


def _sure_of(run: int) -> Callable[[Candidates], NDArray[Any]]:
    """The most certain prediction of a run first."""
    return lambda images: -_runs(images).confidence[run]


def _agreed_first(images: Candidates) -> NDArray[Any]:
    """Where all say the same other class, and all are sure, the label is the first suspect."""
    runs = _runs(images)
    agreed = (runs.predictions == runs.predictions[0]).all(axis=0)
    chosen: NDArray[Any] = -(runs.confidence.min(axis=0) + agreed)
    return chosen


def _changed(images: Candidates, row: int) -> str:
    """What every run says, and whether the label changed too."""
    runs = _runs(images)
    first, last = (runs.name(int(runs.labels[run, row])) for run in (0, -1))
    label = f"label {first}" if first == last else f"label {first} -> {last}"
    return f"{runs.opinions(row)}; {label}"


def _disagreement(images: Candidates, row: int) -> str:
    runs = _runs(images)
    score = runs.disagreement[row]
    return runs.opinions(row) + ("" if score != score else f" (disagreement {score:.2f})")


def could_hold(key: str, runs: RunsBeside) -> NDArray[Any]:
    """Which images a list of some could have, shape (N,): those of which the runs say what it is
    about."""
    if key == DISAGREE:
        return runs.predicted
    return runs.followed if key in {FIXED, BROKEN} else runs.judged


LISTS.add(
    ListDefinition(
        "both-wrong",
        "wrong in all runs that are compared",
        "Wrong in all runs ({count})",
        "No run predicts the label; those first where all say the same other class and are sure",
        select=lambda images: _runs(images).all_wrong,
        order=_agreed_first,
        reason=_opinions,
        suggests="relabel",
        strength=62,
        severity="high",
        needs=_needs_labels,
        surfaces=SURFACES,
    )
)


def _only(run: int) -> ListDefinition:
    """What one run alone has wrong."""
    letter = LETTERS[run]
    return ListDefinition(
        f"only-{letter.lower()}",
        f"wrong in run {letter} alone",
        f"Only {letter} wrong ({{count}})",
        f"Run {letter} alone does not predict the label, those first of which it is sure",
        select=lambda images: _runs(images).only_wrong(run),
        order=_sure_of(run),
        reason=_opinions,
        strength=33,
        needs=lambda images: _needs_labels(images, max(2, run + 1)),
        surfaces=SURFACES,
    )


for _number in range(len(LETTERS)):
    LISTS.add(_only(_number))
LISTS.add(
    ListDefinition(
        DISAGREE,
        "predicted differently by the runs that are compared",
        "The runs disagree ({count})",
        "Not all runs predict the same class, those first where their probabilities differ most",
        select=lambda images: _runs(images).disagree,
        order=lambda images: -_runs(images).disagreement,
        reason=_disagreement,
        strength=32,
        needs=_needs_predictions,
        surfaces=SURFACES,
    )
)
LISTS.add(
    ListDefinition(
        FIXED,
        "wrong in the first run, right in the last one, each by its own label",
        "Fixed since A ({count})",
        "Wrong in the first run by its label, right in the last one by its own: the model changed, "
        "or the label",
        select=lambda images: _runs(images).fixed,
        order=_sure_of(-1),
        reason=_changed,
        strength=12,
        severity="low",
        needs=_needs_own_labels,
        surfaces=SURFACES,
    )
)
LISTS.add(
    ListDefinition(
        BROKEN,
        "right in the first run, wrong in the last one, each by its own label",
        "Broken since A ({count})",
        "Right in the first run by its label, wrong in the last one by its own: the model changed, "
        "or the label",
        select=lambda images: _runs(images).broken,
        order=_sure_of(-1),
        reason=_changed,
        strength=34,
        needs=_needs_own_labels,
        surfaces=SURFACES,
    )
)
LISTS.add(
    ListDefinition(
        "moved-apart",
        "moved furthest against their neighbours from one run to another",
        "Moved furthest against their neighbours ({count})",
        "Where the first run has them among their neighbours, another run has them elsewhere",
        select=lambda images: _runs(images).moved >= LEAST_MOVED,
        order=lambda images: -_runs(images).moved,
        reason=lambda images, row: f"moved {_runs(images).moved[row]:.2f} against its neighbours",
        strength=11,
        size="first",
        needs=_needs_positions,
        severity="low",
        surfaces=SURFACES,
    )
)
