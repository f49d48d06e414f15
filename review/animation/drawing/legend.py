"""The names of the classes: in the map where the classes are, and in a key at its upper edge as
long as they are nowhere in particular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from review_embeddings.review.animation.colors import ImageColors
from review_embeddings.review.animation.drawing.naming import NamePlan
from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.drawing.sides import AWAY, ON_THE_WAY, Taken
from review_embeddings.review.animation.drawing.text import Label
from review_embeddings.review.animation.filmdata import FilmData

MAX_KEYED = 60
"""Most names that are tried for the key."""

KEY_LINES = 3
"""Most lines of the key; where the classes need more, it names those of most images."""

MIN_KEYED = 1 / 3
"""Share of the classes that the key names at least; of more classes it says only how many."""

NAME = 1.06
"""Size of a name in the map, of the body's text: not that of a rank."""

NAME_WEIGHT = 4
"""How bad it is to cover one, beside a ring."""

MAX_NAME = 0.4
"""Widest name, as a share of the map's width."""


@dataclass(frozen=True)
class KeyEntry:
    """A name in the key."""

    name: str
    color: tuple[float, float, float, float]
    code: int | None = None
    """The class; None for what is no class."""
    left: float = 0.0
    """From the left edge of the map, in units of the page."""
    line: int = 0


def key_entries(page: FramePage, data: FilmData, colors: ImageColors) -> list[KeyEntry]:
    """What the key names, and where."""
    classes, width = data.color_classes, page.layout.map.width
    if not classes:
        return _flow(page, [KeyEntry("no labels", to_rgba(page.theme.plain))], width) or []
    codes, rest = data.color_codes(len(data.steps) - 1), []
    if data.predicted is not None:
        rest = [KeyEntry("predicted, no labels", (0, 0, 0, 0))]
    elif (codes < 0).any():
        rest = [KeyEntry("without a label", to_rgba(page.theme.plain))]
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    largest = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    total = len(largest)
    for number in range(min(total, MAX_KEYED), 0, -1):
        shown = sorted(largest[:number].tolist())
        entries = [
            KeyEntry(classes[code], to_rgba(tuple(colors.palette[code])), code) for code in shown
        ]
        if number < total:
            entries.append(KeyEntry(f"and {total - number} more", (0, 0, 0, 0)))
        flowed = _flow(page, [*entries, *rest], width)
        if flowed is not None and number >= MIN_KEYED * total:
            return flowed
    return _flow(page, [KeyEntry(f"{total} classes", (0, 0, 0, 0)), *rest], width) or []


def _flow(page: FramePage, entries: Sequence[KeyEntry], width: float) -> list[KeyEntry] | None:
    """The entries side by side on `KEY_LINES` lines; None where they do not fit."""
    size, edge = page.layout.text.small, 0.08
    dot, gap = 1.15 * size / 72, 0.9 * size / 72
    left, line, found = edge, 0, []
    for entry in entries:
        name = page.fitted(entry.name, size, MAX_NAME * width)
        indent = dot if entry.color[3] else 0.0
        own = indent + page.width_of(name, size)
        if left + own > width - edge and left > edge:
            left, line = edge, line + 1
        found.append(KeyEntry(name, entry.color, entry.code, left, line))
        left += own + gap
    return found if line < KEY_LINES else None


@dataclass(frozen=True)
class MapNames:
    """The names of the classes as they stand in the map."""

    size: float
    """Of their text, in points."""
    texts: list[str]

    @classmethod
    def of(cls, page: FramePage, names: Sequence[str]) -> MapNames:
        """In smaller letters where some are long."""
        text, room = page.layout.text, MAX_NAME * page.layout.map.width
        large = NAME * text.body
        widest = max((page.width_of(name, large, bold=True) for name in names), default=0)
        size = large if widest <= 0.8 * room else text.small
        return cls(size, [page.fitted(name, size, room, bold=True) for name in names])


def line_height(page: FramePage) -> float:
    """Of a line of the key."""
    return 1.5 * page.layout.text.small / 72


class ClassKey:
    """Names and colours of the classes at the upper edge of the map, as long as not all of them
    stand in the map."""

    def __init__(self, page: FramePage, axes: Axes, entries: Sequence[KeyEntry]) -> None:
        self._entries = list(entries)
        part, size = page.layout.map, page.layout.text.small
        dotted = [entry for entry in entries if entry.color[3] > 0]
        dot = 0.62 * size
        style: dict[str, Any] = {"transform": axes.transAxes, "zorder": 5}
        self.dots = axes.scatter(
            [(entry.left + dot / 144) / part.width for entry in dotted],
            [self._middle(page, entry) for entry in dotted],
            s=(dot * page.scale) ** 2,
            color=[entry.color for entry in dotted],
            linewidths=0,
            **style,
        )
        self.names = []
        for entry in entries:
            indent = 1.15 * size / 72 if entry.color[3] else 0.0
            name = page.haloed_text(axes, size, **style)
            name.set_position(((entry.left + indent) / part.width, self._middle(page, entry)))
            name.set_text(entry.name)
            self.names.append(name)

    @staticmethod
    def _middle(page: FramePage, entry: KeyEntry) -> float:
        """Height of an entry, as a share of the map's."""
        height = page.layout.map.height
        return (height - 0.06 - line_height(page) * (entry.line + 0.5)) / height

    @property
    def moving(self) -> list[Artist]:
        """In drawing order."""
        return [self.dots, *self.names]

    def move(self, seen: NDArray[np.float64]) -> None:
        """``seen``, shape (C,): how plainly the name of each class stands in the map."""
        named = [0.0 if entry.code is None else seen[entry.code] for entry in self._entries]
        alpha = 1 - float(min(named, default=1.0))
        for name in self.names:
            _fade(name, alpha)
        self.dots.set_visible(alpha > 0)
        self.dots.set_alpha(alpha)


class ClassNames:
    """The names of classes in the map."""

    def __init__(
        self,
        page: FramePage,
        axes: Axes,
        plan: NamePlan,
        names: MapNames,
        sizes: NDArray[np.float64],
    ) -> None:
        """``sizes`` of the names in the map, shape (C, 2)."""
        self._plan, self._sizes = plan, sizes
        style: dict[str, Any] = {"horizontalalignment": "center", "zorder": 3.5}
        self.names: dict[int, Label] = {}
        for code in np.flatnonzero(plan.shown.any(axis=0)).tolist():
            name = page.haloed_text(axes, names.size, fontweight="bold", **style)
            name.set_text(names.texts[code])
            self.names[code] = name

    def taken(self, checkpoint: int) -> list[Taken]:
        """Where the names stand on the way to the next checkpoint, of ``sizes`` in the map."""
        ways = [self._plan.at(checkpoint, float(share)) for share in ON_THE_WAY]
        positions = np.stack([middles for middles, _ in ways], axis=1)
        positions[np.stack([seen for _, seen in ways], axis=1) <= 0] = AWAY
        return [
            Taken(middles, size, NAME_WEIGHT)
            for middles, size in zip(positions, self._sizes, strict=True)
            if np.isfinite(middles).any()
        ]

    @property
    def moving(self) -> list[Artist]:
        """In drawing order."""
        return list(self.names.values())

    def move(self, checkpoint: int, fraction: float) -> NDArray[np.float64]:
        """To a moment; how plainly each name is seen, shape (C,), in [0, 1]."""
        positions, seen = self._plan.at(checkpoint, fraction)
        for code, name in self.names.items():
            name.set_position((float(positions[code, 0]), float(positions[code, 1])))
            _fade(name, float(seen[code]))
        return seen


def _fade(name: Label, alpha: float) -> None:
    name.set_visible(alpha > 0)
    name.set_alpha(alpha)
