"""Ranks the labels anew with what was decided so far: the leave-one-out judges are fitted to the
corrected labels, in the same closed form. Stored scores stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.judge import fixed_order
from review_embeddings.pipeline.analysis.labelfit import LabelFit, label_fit
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.heads import judges_of_labels, judging_best
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.kinds import KEEP, RELABEL
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import made_list
from review_embeddings.review.lists.definition import LISTS, ImageList
from review_embeddings.review.lists.listed import ANEW, LABELS
from review_embeddings.review.lists.suggestion import better_class, suggested_label

if TYPE_CHECKING:
    from review_embeddings.review.decisions.lines import Decision


def corrected_labels(images: RunImages, decisions: Mapping[str, Decision]) -> NDArray[np.integer]:
    """The labels as far as they are known to be right or not known to be wrong, shape (N,): those
    of relabelled images are the new ones, -1 for a class that the run does not have; images that
    are decided to be anything else but right have none."""
    assert images.labels is not None
    index = {name: position for position, name in enumerate(images.classes or [])}
    labels = np.array(images.labels)
    for row, image in enumerate(images.hashes):
        line = decisions.get(image)
        if line is None or line.decision is None or line.decision == KEEP:
            continue
        new = line.new_label if line.decision == RELABEL else None
        labels[row] = -1 if new is None else index.get(new, -1)
    return labels


def fitted_anew(
    run: RunFolder,
    images: RunImages,
    steps: Sequence[int],
    labels: NDArray[np.integer],
    trained_on: NDArray[np.bool_],
) -> LabelFit:
    """How well labels fit by heads and judges of these checkpoints, or of the best of them, the
    judges fitted to them."""
    needed = steps if trained_on.any() else judging_best(run, steps)
    order = fixed_order(images.hashes, labels)
    judges = [judges_of_labels(run, images, step, labels, order) for step in needed]
    return label_fit(judges, labels, len(images.classes or []), order, trained_on)


def with_decisions(
    run: RunFolder,
    images: RunImages,
    steps: Sequence[int],
    decisions: Mapping[str, Decision],
    candidates: Candidates,
) -> Candidates:
    """The candidates with label scores, ranks and suggestions by the corrected labels. What is
    decided has neither."""
    import pandas as pd

    labels, regime = corrected_labels(images, decisions), candidates.regime
    trained_on = np.zeros(len(images), dtype=bool) if regime is None else regime.trained_on
    fit = fitted_anew(run, images, steps, labels, trained_on)
    open_ = ~candidates.decided
    codes = np.where(open_, fit.suggested, -1).astype(np.int64)
    suggested = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(images.classes))
    late = candidates.late.copy()
    late[c.TRAJECTORY_LABEL_SCORE] = np.where(open_, fit.score, np.nan)
    late[c.TRAJECTORY_LABEL_RANK] = np.where(open_, fit.rank, 0)
    late[c.TRAJECTORY_SUGGESTED_LABEL] = suggested
    return replace(candidates, late=late)


def why_with_decisions(candidates: Candidates, row: int) -> str:
    """Why a label is listed that was ranked anew, in one line."""
    return f"{better_class(candidates, row) or 'label fits worst'}, with the decisions"


@dataclass(frozen=True)
class JudgedAnew:
    """The labels most likely wrong, ranked anew with what was decided so far."""

    made: ImageList
    """Rows of the images among all that nobody has decided about."""
    why: list[str]
    """Why each is listed, in its order."""
    suggested: list[str | None]
    """The class that fits each of them better."""


def judged_anew(
    run: RunFolder,
    images: RunImages,
    steps: Sequence[int],
    decisions: Mapping[str, Decision],
    candidates: Candidates,
) -> JudgedAnew:
    """The list for a page whose ``candidates`` know these decisions. It is the one that is
    exported."""
    anew = with_decisions(run, images, steps, decisions, candidates)
    made = made_list(LISTS[LABELS], anew, anew.worst)
    count = len(set(images.hashes) & decisions.keys())
    counted = f"{count:,} decision{'s' * (count != 1)}"
    made = replace(
        made,
        key=ANEW,
        title=f"Labels most likely wrong, judged anew with {counted}",
        description=f"The judges were fitted to what {counted} made of the labels. What was "
        "decided is not in it; stored scores stay as they are",
    )
    return JudgedAnew(
        made,
        [why_with_decisions(anew, row) for row in made.rows],
        [suggested_label(anew, row) for row in made.rows],
    )
