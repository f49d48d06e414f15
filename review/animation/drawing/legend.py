"""The names of the classes and their colours, below the leaderboard."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.page import SIDE, FramePage
from review_embeddings.review.animation.filmdata import FilmData

MAX_ENTRIES = 10
"""Classes in the legend, in two columns; where there are more, the last entry says how many."""

Entry = tuple[str, tuple[float, float, float, float]]
"""A name and its colour."""


def draw_legend(page: FramePage, axes: Axes, data: FilmData, colors: ImageColors) -> None:
    """Draw the legend into the axes of the leaderboard."""
    column, rows = SIDE.width / 2, MAX_ENTRIES // 2
    for index, (name, color) in enumerate(_entries(page, data, colors)):
        x, y = (index // rows) * column, 0.97 - 0.21 * (index % rows)
        axes.scatter([x + 0.08], [y], s=(8 * page.scale) ** 2, color=[color], linewidths=0)
        page.text_in(axes, x + 0.22, y, 11).set_text(page.fitted(name, 11, column - 0.30))


def _entries(page: FramePage, data: FilmData, colors: ImageColors) -> list[Entry]:
    """The classes in their order; where there are too many, those of most images."""
    total = len(data.classes)
    if not total:
        return [("no labels", to_rgba(page.theme.plain))]
    labelled = data.labels >= 0
    shown = list(range(total))
    if total > MAX_ENTRIES:
        counts = np.bincount(data.labels[labelled], minlength=total)
        shown = sorted(np.argsort(-counts, kind="stable")[: MAX_ENTRIES - 1].tolist())
    entries = [(data.classes[label], to_rgba(tuple(colors.palette[label]))) for label in shown]
    if len(shown) < total:
        entries.append((f"and {total - len(shown)} more", to_rgba(page.theme.background)))
    if not labelled.all() and len(entries) < MAX_ENTRIES:
        entries.append(("without a label", to_rgba(page.theme.plain)))
    return entries
