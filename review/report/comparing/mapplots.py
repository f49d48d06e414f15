"""Draws the maps of compared runs beside each other, for the page: each image where a run has it,
in the colour of who predicts its label."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.text import html_text
from review_embeddings.review.comparison.findings import RunComparison
from review_embeddings.review.comparison.pairedruns import PairedRuns
from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.report.plots import plot

LEGEND_STYLE = """
.legend span { margin-right: 1rem; white-space: nowrap; } .legend i { font-style: normal; }
.of-muted { color: var(--line); } .of-accuracy { color: var(--given); }
.of-loss { color: var(--bad); }
.of-warn { color: #b7700b; } .of-ink { color: var(--ink); }
@media (prefers-color-scheme: dark) { .of-warn { color: #f2bd5c; } }
"""
"""The colours of `report.plots.THEMES`."""

Group = tuple[str, str, NDArray[np.bool_]]
"""Name, colour in the theme, and which of the common images."""


ON_ONE_PLANE = (
    "The embeddings of all runs on one plane, the principal one of A: each space turned onto that "
    "of A by the common images."
)

BY_ITSELF = (
    "The map of each run's own table, those of the others turned or flipped onto that of A; each "
    "in its own range."
)


def maps_as_html(paired: PairedRuns, beside: RunsBeside, found: RunComparison) -> Iterator[str]:
    """Plots of all runs: on one plane, and the map of each, turned onto that of the first."""
    groups = [(name, colour, members[paired.rows(0)]) for name, colour, members in _groups(beside)]
    runs = range(len(paired.runs))
    common = [paired.common_maps(run) for run in runs[1:]]
    yield f'<p class="legend">{"".join(map(_legend, groups))}</p>'
    yield from _row(ON_ONE_PLANE, [common[0][0], *(other for _, other in common)], groups, found)
    yield from _row(BY_ITSELF, [paired.map_of(run) for run in runs], groups, found)


def _row(
    about: str, maps: list[NDArray[np.float32]], groups: list[Group], found: RunComparison
) -> Iterator[str]:
    yield f'<p class="muted">{html_text(about)}</p><div class="plots">'
    for run, points in zip(found.runs, maps, strict=True):
        title = f"{run.letter}, step {run.step}"  # matplotlib would read a name as mathematics
        drawing = partial(_draw, title=title, points=points, groups=groups)
        yield plot(f"Map of {run.letter} {run.name}, step {run.step}", drawing)
    yield "</div>"


def _legend(group: Group) -> str:
    name, colour, members = group
    return f'<span><i class="of-{colour}">●</i> {name} ({int(members.sum()):,})</span> '


def _groups(beside: RunsBeside) -> list[Group]:
    """What is drawn above the others comes last."""
    wrong = beside.wrong.sum(axis=0)
    alone = [beside.only_wrong(run) for run in range(2)]
    named = [
        ("right in all", "muted", beside.judged & (wrong == 0)),
        ("not judged", "muted", beside.common & ~beside.judged),
        ("only A wrong", "accuracy", alone[0]),
        ("only B wrong", "warn", alone[1]),
        ("wrong in all", "loss", beside.all_wrong),
    ]
    some = (wrong > 0) & ~alone[0] & ~alone[1] & ~beside.all_wrong
    named.insert(2, ("otherwise wrong in some", "ink", some))
    return [one for one in named if one[2].any()]


def _draw(
    axes: Any,
    theme: dict[str, str],
    *,
    title: str,
    points: NDArray[np.float32],
    groups: list[Group],
) -> None:
    size = float(np.clip(6000 / max(1, len(points)), 1, 14))
    for _, colour, members in groups:
        axes.scatter(*points[members].T, s=size, color=theme[colour], linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.04)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)
