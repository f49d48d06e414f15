"""Means over the seeds with their spread, and whether the goals are reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

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
                {name: float(np.mean(value)) for name, value in values.items()},
                {
                    name: float(np.std(value, ddof=1)) if len(value) > 1 else 0.0
                    for name, value in values.items()
                },
                float(np.mean([one.suggested for one in same])),
                float(np.mean([one.among_first for one in same])),
            )
        )
    return rows


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
    judge = {"trained on": _trained_on, "not trained on": _not_trained_on, "groups": _groups}
    return judge[regime](rows) if rows else []


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([row.mean[name] for row in rows]))


def _trained_on(rows: Sequence[Row]) -> list[Verdict]:
    """At least 0.03 above before in the mean; nowhere more than 0.02 below it, or below the best
    rival by more than 0.02 beyond the spread of both."""
    gain = _mean(rows, "new") - _mean(rows, "before")
    found = [Verdict(gain >= 0.03, f"{gain:+.3f} above before in the mean (at least 0.03)")]
    behind = []
    for row in rows:
        best = max((name for name in row.mean if name != "new"), key=lambda name: row.mean[name])
        spread = float(np.hypot(row.spread["new"], row.spread[best]))
        if row.mean["new"] < row.mean["before"] - 0.02:
            behind.append(f"{row.title}: {row.mean['new'] - row.mean['before']:+.3f} to before")
        if row.mean["new"] < row.mean[best] - 0.02 - spread:
            behind.append(f"{row.title}: {row.mean['new'] - row.mean[best]:+.3f} to {best}")
    text = "; ".join(behind) or "nowhere more than 0.02 below before or the best rival"
    return [*found, Verdict(not behind, text)]


def _not_trained_on(rows: Sequence[Row]) -> list[Verdict]:
    """Within 0.03 of the best rival everywhere, ahead of each in the mean."""
    others = [name for name in rows[0].mean if name != "new"]
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
