"""Scores what is stored: average precision of every score in every setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.categories import EVEN
from review_embeddings.pipeline.analysis.remaining import (
    LEAST_DECIDED,
    NOT_DECIDED,
    expected_labels,
    remaining,
)
from review_embeddings.review.lists.outlook import FIRST
from tests.benchmarks.planted.collecting import path_of, relabelled
from tests.benchmarks.planted.evidence import evidence_of, neighbors_of
from tests.benchmarks.planted.groupscores import group_scores
from tests.benchmarks.planted.labelscores import Formula, product, rivals, suspicion
from tests.benchmarks.planted.namedgroups import WORTH_NAMING, groups_found
from tests.benchmarks.planted.observed import Observed
from tests.benchmarks.planted.settings import KINDS, SHARES, Setting


@dataclass(frozen=True)
class Result:
    """One row of a table before the mean over the seeds."""

    regime: str
    """``trained on``, ``not trained on``, ``groups``; ``calibration``; ``named`` and ``named
    beside``: how planted groups are named, and what else is."""
    title: str
    """The same for all seeds."""
    seed: int
    precision: dict[str, float]
    """Average precision by score."""
    suggested: float = float("nan")
    """Of the wrong labels among the first as many as there are, those for which the new score
    suggests the true class."""
    among_first: float = float("nan")
    """Share of the first 100 of the new score, or of as many as are wrong, that are wrong."""


def of_labels(
    setting: Setting, regime: str, title: str, seen: Observed, neighbors: NDArray[np.int64]
) -> Iterator[Result]:
    """Average precision of the label scores, foreign images left out, and what is said of the
    first of the list."""
    evidence = evidence_of(seen, neighbors)
    own = seen.truth >= 0
    wrong = seen.wrong[own]
    new, suggested = product(evidence, trained_on=regime == "trained on")
    scores = {**rivals(evidence), "new": new}
    if regime == "not trained on":
        scores["new mirrored"] = suspicion(evidence, Formula(checkpoints="last", mirrored=True))
    precision = {name: average_precision(wrong, values[own]) for name, values in scores.items()}
    order = np.argsort(-np.where(own, scores["new"], -np.inf), kind="stable")
    first = order[: int(wrong.sum())]
    found = first[seen.wrong[first]]
    right = suggested[found] == seen.truth[found]
    hundred = order[: min(100, int(wrong.sum()))]
    yield Result(
        regime,
        title,
        setting.seed,
        precision,
        float(right.mean()) if len(found) else float("nan"),
        float(seen.wrong[hundred].mean()),
    )
    trained = np.full(len(new), regime == "trained on")
    said = said_of_list(1 - new, seen.wrong | (seen.truth < 0), trained)
    if said:
        yield Result("calibration", f"{setting.data} {regime}", setting.seed, said)


def said_of_list(
    scores: NDArray[np.float64], real: NDArray[np.bool_], trained_on: NDArray[np.bool_]
) -> dict[str, float]:
    """How good the estimates are of the first `FIRST` labels that another class fits better: before
    any decision, and once the first `LEAST_DECIDED` are decided; empty for a short list."""
    order = np.argsort(scores, kind="stable")
    truth = real[order[scores[order] < EVEN][:FIRST]].astype(np.int8)
    found = remaining(np.where(np.arange(len(truth)) < LEAST_DECIDED, truth, NOT_DECIDED))
    if found is None or len(truth) < 2 * LEAST_DECIDED:
        return {}
    left = int(truth[LEAST_DECIDED:].sum())
    expected = expected_labels(scores, FIRST, trained_on=trained_on).real
    return {
        "covered": float(found.low <= left <= found.high),
        "half width": (found.high - found.low) / 2,
        "off": abs(found.left - left),
        "expected before": float(expected is not None),
        "off before": float("nan") if expected is None else abs(expected - int(truth.sum())),
    }


def of_groups(
    setting: Setting, seen: Observed, neighbors: NDArray[np.int64], *, held: bool
) -> Iterator[Result]:
    """Average precision of the group scores, one group at a time without the others; how they are
    named, and how many others are."""
    planted = seen.group >= 0
    found = groups_found(seen, [*neighbors])
    what = "as planted" if planted.any() else "clean" if not seen.wrong.any() else "wrong labels"
    beside = {"over ten": float(found.others(planted))}
    yield Result("named beside", f"{setting.data} {what}", setting.seed, beside)
    if not setting.groups:
        return
    scores = group_scores(seen, [*neighbors], found.score)
    for number, (kind, size) in enumerate(setting.groups):
        member = seen.group == number
        counted = member | (seen.group < 0)
        precision = {
            name: average_precision(member[counted], values[counted])
            for name, values in scores.items()
        }
        where = " not trained on" if held else ""
        title = f"{kind} {size}{where}"
        yield Result("groups", title, setting.seed, precision)
        if size >= WORTH_NAMING:
            yield Result("named", title, setting.seed, found.covered(member, planted))


def average_precision(truth: NDArray[np.bool_], suspicion: NDArray[np.floating]) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, suspicion))


def results_of(setting: Setting, work: Path) -> Iterator[Result]:
    """All rows of a setting, of the parts that are stored."""
    where = "" if setting.images == 4000 else f" {setting.images:,}"
    copies = " near duplicates" if setting.copies else ""
    title = f"{setting.data}{where} {setting.kind} {round(100 * setting.share)} %{copies}"
    path = path_of(setting, work)
    if path.is_file():
        seen = Observed.read(path)
        neighbors = neighbors_of(seen)
        if seen.wrong.any():
            yield from of_labels(setting, "trained on", title, seen, neighbors)
        yield from of_groups(setting, seen, neighbors, held=False)
    path = path_of(setting, work, held=True)
    if path.is_file():
        seen = Observed.read(path)
        neighbors = neighbors_of(seen)
        if setting.kind != "none":
            such = f"{title}, trained on such"
            yield from of_labels(setting, "not trained on", such, seen, neighbors)
        else:
            for kind in KINDS:
                for share in SHARES:
                    title = f"{setting.data}{where} {kind} {round(100 * share)} %"
                    changed = relabelled(setting, seen, kind, share)
                    yield from of_labels(setting, "not trained on", title, changed, neighbors)
        yield from of_groups(setting, seen, neighbors, held=True)
