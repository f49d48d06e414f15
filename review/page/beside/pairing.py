"""Makes of compared runs what the page of the first one shows beside its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.pairs import PairedCounts, align_maps
from review_embeddings.pipeline.progress import activity
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.comparison.findings import about_training, trained_on
from review_embeddings.review.comparison.frame import DISAGREEMENT, MOVED, SHARED
from review_embeddings.review.comparison.pairedruns import PairedRuns
from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.page.beside.other import Beside, OtherRun

if TYPE_CHECKING:
    import pandas as pd

OUTCOME = "outcome"
"""The column that says which runs predict the label."""

NOT_JUDGED = "(no label or prediction)"

SAME_PLANE = 0.02
"""Disparity up to which the map of the first run is the principal plane of its embedding."""


@activity("Comparing the runs")
def beside_of(
    paired: PairedRuns,
    *,
    own_maps: bool = False,
    verdict: Callable[[str, str, PairedCounts], str] | None = None,
) -> Beside:
    """What the page of the first run shows of the others. With ``own_maps`` each map is that of its
    run's table; else both embeddings are drawn on one plane, where the first run's map is one.
    ``verdict`` puts in words how right two runs are, by their letters."""
    names = names_of([one.run for one in paired.runs])
    found = paired.beside()
    return Beside(
        name=names[0],
        rows=paired.rows(0).astype(np.int64),
        others=tuple(
            replace(
                _other(paired, run, names[run], own_maps=own_maps),
                verdict=_in_words(found, run, verdict),
            )
            for run in range(1, len(names))
        ),
        found=found,
        columns=_columns(paired, found),
        cautions=_cautions(paired),
    )


def names_of(runs: Sequence[RunFolder]) -> list[str]:
    """The folders of runs by as little of their paths as tells them apart."""
    paths = [run.path.resolve() for run in runs]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if max(Counter(names).values()) == 1:
            return names
    return [str(path) for path in paths]


def _other(paired: PairedRuns, run: int, name: str, *, own_maps: bool) -> OtherRun:
    one = paired.runs[run]
    points, note = _map(paired, run, own_maps=own_maps)
    return OtherRun(
        key=one.letter.lower(),
        name=name,
        folder=one.run,
        manifest=one.manifest,
        images=one.images,
        rows=paired.rows(run).astype(np.int64),
        points=points,
        note=f"{note}: {_likeness(paired, run)}",
    )


def _cautions(paired: PairedRuns) -> dict[str, str]:
    """By letter what must be known of the runs that were trained on common images."""
    sentences = {
        run.letter: about_training(run.letter, trained_on(paired, number), len(paired))
        for number, run in enumerate(paired.runs)
    }
    return {letter: text for letter, text in sentences.items() if text}


def _in_words(
    found: RunsBeside, run: int, verdict: Callable[[str, str, PairedCounts], str] | None
) -> str:
    judged = found.judged
    if verdict is None or not judged.any():
        return ""
    counts = PairedCounts.of(found.right[0][judged], found.right[run][judged])
    return verdict(found.letters[0], found.letters[run], counts)


def _map(paired: PairedRuns, run: int, *, own_maps: bool) -> tuple[NDArray[np.float32], str]:
    """Coordinates of a run on the map of the first one, and what they are."""
    if not own_maps:
        first, other = paired.common_maps(run)
        fit = align_maps(first, paired.map_of(0))
        if fit.disparity <= SAME_PLANE:
            return fit.apply(other), "its space turned onto A's"
    apart = f"{paired.map_fit(run).disparity:.2f}"
    return paired.map_of(run), f"its own map, turned onto A's (disparity {apart}); embeddings"


def _likeness(paired: PairedRuns, run: int) -> str:
    """How alike the embeddings of a run and of the first one are, for people."""
    likeness = paired.space(run).likeness
    shared = float(paired.shared_neighbors(run).mean())
    return (
        f"disparity {likeness.disparity:.2f} (0 is equal), CKA {likeness.cka:.2f} (1 is equal), "
        f"{100 * shared:.0f} % of {paired.neighbors(0).shape[1]} neighbours shared"
    )


def _columns(paired: PairedRuns, found: RunsBeside) -> dict[str, Any]:
    """What is found between the runs, by common image."""
    rows = paired.rows(0)
    columns: dict[str, Any] = {}
    if found.judged.any():
        columns[OUTCOME] = outcomes(found)[rows]
    if np.isfinite(paired.disagreement).all():
        columns[DISAGREEMENT] = paired.disagreement.astype(np.float32)
    for number, run in enumerate(paired.runs[1:], 1):
        columns[SHARED + run.suffix] = paired.shared_neighbors(number).astype(np.float32)
        columns[MOVED + run.suffix] = paired.moved(number).astype(np.float32)
    return columns


def outcomes(found: RunsBeside) -> pd.Categorical[str]:
    """Which runs predict the label of the first one, by its images: ``all right``,
    ``only B wrong``, ``several wrong``, ``all wrong``."""
    import pandas as pd

    alone = [f"only {letter} wrong" for letter in found.letters]
    several = ["several wrong"] if len(found) > 2 else []
    names = ["all right", *alone, *several, "all wrong", NOT_JUDGED]
    wrong = found.wrong.sum(axis=0)
    codes = np.where(wrong > 1, names.index("all wrong") - len(several), 0)
    codes = np.where(found.all_wrong, names.index("all wrong"), codes)
    for run in range(len(found)):
        codes = np.where(found.only_wrong(run), 1 + run, codes)
    codes = np.where(found.judged, codes, len(names) - 1)
    there = [names[code] for code in np.unique(codes).tolist()]
    return pd.Categorical([names[code] for code in codes.tolist()], categories=there)
