"""Means over the seeds with their spread, and whether the goals are reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from review_embeddings.pipeline.analysis.remaining import LEAST_DECIDED
from tests.benchmarks.planted.results import Result

NEW = {"trained on": "new", "not trained on": "new", "groups": "group_score"}
BEFORE = {"trained on": "before", "not trained on": "before", "groups": "ood_score"}


@dataclass(frozen=True)
class Row:
    """A setting: means over its seeds."""

    title: str
    seeds: int
    mean: dict[str, float]
    spread: dict[str, float]
    """Standard deviation over the seeds; 0 of one."""
    suggested: float
    among_first: float


def rows_of(results: Sequence[Result], regime: str) -> list[Row]:
    """In the order in which they came."""
    some = [result for result in results if result.regime == regime]
    rows = []
    for title in dict.fromkeys(result.title for result in some):
        same = [result for result in some if result.title == title]
        values = {name: [one.precision[name] for one in same] for name in same[0].precision}
        rows.append(
            Row(
                title,
                len(same),
                {name: _mean_of(value) for name, value in values.items()},
                {name: _spread_of(value) for name, value in values.items()},
                float(np.mean([one.suggested for one in same])),
                float(np.mean([one.among_first for one in same])),
            )
        )
    return rows


def _mean_of(values: Sequence[float]) -> float:
    """Of those that are known; NaN where none is."""
    known = np.array(values)[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _spread_of(values: Sequence[float]) -> float:
    known = np.array(values)[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else 0.0


def table_of(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown; the best of a row is bold."""
    names = list(rows[0].mean)
    yield "| " + " | ".join(["", *names, "suggested", "of 100", "seeds"]) + " |"
    yield "| --- " * (len(names) + 4) + "|"
    for row in rows:
        best = max(row.mean.values())
        cells = [
            f"**{value:.3f}**±{row.spread[name]:.3f}"
            if value == best
            else f"{value:.3f}±{row.spread[name]:.3f}"
            for name, value in row.mean.items()
        ]
        extra = [f"{row.suggested:.2f}", f"{row.among_first:.2f}", str(row.seeds)]
        yield "| " + " | ".join([row.title, *cells, *extra]) + " |"
    means = [f"{np.mean([row.mean[name] for row in rows]):.3f}" for name in names]
    yield "| " + " | ".join(["mean", *means, "", "", ""]) + " |"


@dataclass(frozen=True)
class Verdict:
    """Whether one goal is reached."""

    reached: bool
    text: str

    def __str__(self) -> str:
        return f"{'reached' if self.reached else 'MISSED'}: {self.text}"


def verdicts(regime: str, rows: Sequence[Row]) -> list[Verdict]:
    """The goals of a regime on its rows."""
    judges = {
        "trained on": _trained_on,
        "not trained on": _not_trained_on,
        "groups": _groups,
        "calibration": _calibration,
        "named": _named,
        "named beside": _named_beside,
    }
    return judges[regime](rows) if rows else []


def _rivals(row: Row) -> list[str]:
    return [name for name in row.mean if not name.startswith("new")]


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([row.mean[name] for row in rows]))


def _trained_on(rows: Sequence[Row]) -> list[Verdict]:
    """At least 0.03 above before in the mean; nowhere more than 0.02 below it, or below the best
    rival by more than 0.02 beyond the spread of both."""
    gain = _mean(rows, "new") - _mean(rows, "before")
    found = [Verdict(gain >= 0.03, f"{gain:+.3f} above before in the mean (at least 0.03)")]
    behind = []
    for row in rows:
        best = max(_rivals(row), key=lambda name: row.mean[name])
        spread = float(np.hypot(row.spread["new"], row.spread[best]))
        if row.mean["new"] < row.mean["before"] - 0.02:
            behind.append(f"{row.title}: {row.mean['new'] - row.mean['before']:+.3f} to before")
        if row.mean["new"] < row.mean[best] - 0.02 - spread:
            behind.append(f"{row.title}: {row.mean['new'] - row.mean[best]:+.3f} to {best}")
    text = "; ".join(behind) or "nowhere more than 0.02 below before or the best rival"
    return [*found, Verdict(not behind, text)]


def _not_trained_on(rows: Sequence[Row]) -> list[Verdict]:
    """Within 0.03 of the best rival everywhere, ahead of each in the mean."""
    others = _rivals(rows[0])
    behind = []
    for row in rows:
        best = max(others, key=lambda name: row.mean[name])
        if row.mean["new"] < row.mean[best] - 0.03:
            behind.append(f"{row.title}: {row.mean['new'] - row.mean[best]:+.3f} to {best}")
    closest = max(others, key=lambda name: _mean(rows, name))
    ahead = _mean(rows, "new") - _mean(rows, closest)
    return [
        Verdict(not behind, "; ".join(behind) or "within 0.03 of the best rival everywhere"),
        Verdict(ahead > 0, f"{ahead:+.3f} to {closest}, the best rival in the mean"),
    ]


def _groups(rows: Sequence[Row]) -> list[Verdict]:
    mean = _mean(rows, "group_score")
    return [Verdict(mean >= 0.55, f"mean average precision {mean:.3f} (at least 0.55)")]


def _calibration(rows: Sequence[Row]) -> list[Verdict]:
    """Intervals of 90 % hold the truth in 0.8 to 0.97 of the lists, and are at most 15 to each
    side."""
    lists = sum(row.seeds for row in rows)
    held = sum(row.seeds * row.mean["covered"] for row in rows) / lists
    width = sum(row.seeds * row.mean["half width"] for row in rows) / lists
    text = f"after {LEAST_DECIDED} decisions: {held:.3f} of {lists} intervals hold the truth"
    return [
        Verdict(0.8 <= held <= 0.97, text),
        Verdict(width <= 15, f"they are {width:.1f} to each side in the mean (at most 15)"),
    ]


def _named(rows: Sequence[Row]) -> list[Verdict]:
    """At least 0.8 of the planted groups, and of those without the ones of an unknown class."""
    found = []
    for kinds, some in (
        ("all kinds", rows),
        ("all but an unknown class", [row for row in rows if not row.title.startswith("class")]),
    ):
        count = sum(row.seeds for row in some)
        named = sum(row.seeds * row.mean["named"] for row in some)
        alone = sum(row.seeds * row.mean["alone"] for row in some)
        text = f"{named:.0f} of {count} planted groups are named, {alone:.0f} alone ({kinds})"
        found.append(Verdict(named >= 0.8 * count, text))
    return found


def _named_beside(rows: Sequence[Row]) -> list[Verdict]:
    """Nothing of more than ten images on clean splits."""
    clean = sum(row.seeds * row.mean["over ten"] for row in rows if row.title.endswith("clean"))
    every = sum(row.seeds * row.mean["over ten"] for row in rows)
    splits = sum(row.seeds for row in rows)
    text = f"{clean:.0f} groups over ten images on clean splits, {every:.0f} on all {splits}"
    return [Verdict(clean == 0, text)]
