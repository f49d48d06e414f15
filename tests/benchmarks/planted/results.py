"""Scores what is stored: average precision of every score in every setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.planted.collecting import path_of, relabelled
from tests.benchmarks.planted.evidence import evidence_of, neighbors_of
from tests.benchmarks.planted.groupscores import group_scores
from tests.benchmarks.planted.labelscores import product, rivals
from tests.benchmarks.planted.observed import Observed
from tests.benchmarks.planted.settings import KINDS, SHARES, Setting


@dataclass(frozen=True)
class Result:
    """One row of a table before the mean over the seeds."""

    regime: str
    """``trained on``, ``not trained on`` or ``groups``."""
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
) -> Result:
    """Average precision of the label scores; foreign images are left out."""
    evidence = evidence_of(seen, neighbors)
    own = seen.truth >= 0
    wrong = seen.wrong[own]
    new, suggested = product(evidence, trained_on=regime == "trained on")
    scores = {**rivals(evidence), "new": new}
    precision = {name: average_precision(wrong, values[own]) for name, values in scores.items()}
    order = np.argsort(-np.where(own, scores["new"], -np.inf), kind="stable")
    first = order[: int(wrong.sum())]
    found = first[seen.wrong[first]]
    right = suggested[found] == seen.truth[found]
    hundred = order[: min(100, int(wrong.sum()))]
    return Result(
        regime,
        title,
        setting.seed,
        precision,
        float(right.mean()) if len(found) else float("nan"),
        float(seen.wrong[hundred].mean()),
    )


def of_groups(setting: Setting, seen: Observed, *, held: bool) -> Iterator[Result]:
    """Average precision of the group scores, one group at a time without the others."""
    if not setting.groups:
        return
    scores = group_scores(seen)
    for number, (kind, size) in enumerate(setting.groups):
        member = seen.group == number
        counted = member | (seen.group < 0)
        precision = {
            name: average_precision(member[counted], values[counted])
            for name, values in scores.items()
        }
        where = " not trained on" if held else ""
        yield Result("groups", f"{kind} {size}{where}", setting.seed, precision)


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
        if seen.wrong.any():
            yield of_labels(setting, "trained on", title, seen, neighbors_of(seen))
        yield from of_groups(setting, seen, held=False)
    path = path_of(setting, work, held=True)
    if path.is_file():
        seen = Observed.read(path)
        neighbors = neighbors_of(seen)
        if setting.kind != "none":
            such = f"{title}, trained on such"
            yield of_labels(setting, "not trained on", such, seen, neighbors)
        else:
            for kind in KINDS:
                for share in SHARES:
                    title = f"{setting.data}{where} {kind} {round(100 * share)} %"
                    changed = relabelled(setting, seen, kind, share)
                    yield of_labels(setting, "not trained on", title, changed, neighbors)
        yield from of_groups(setting, seen, held=True)
