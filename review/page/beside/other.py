"""A run beside that of the page: its columns under names of its own, its rows in the page's order,
its maps, and what the page has to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.lists.derived import DECISION, MOVED, NEW_LABEL
from review_embeddings.review.page.about.extent import AXES, usual_range
from review_embeddings.review.page.frame import NOW, SLIDER, at, of_run, wide_frame
from review_embeddings.review.page.layout import MAX_PLOTS, PageMap

if TYPE_CHECKING:
    import pandas as pd

OF_ONE_RUN = (DECISION, NEW_LABEL, MOVED, *(at(name, NOW) for name in SLIDER))
"""Columns of the page's own run only: decisions, the slider, and ways on the map of one run."""

MAX_MAPS = 2
"""Other runs with a map, beside two of the page's own."""


@dataclass(frozen=True)
class OtherRun:
    """A run that is compared with that of the page."""

    key: str
    """At the end of the names of its columns: ``b``, ``c``."""
    name: str
    """For people."""
    folder: RunFolder
    manifest: table.Manifest
    images: RunImages
    """Of the whole run."""
    rows: NDArray[np.int64]
    """Rows of its arrays, by row of the page."""
    points: NDArray[np.float32]
    """Shape (rows of the page, 2): coordinates of its last checkpoint on the maps of the page."""
    note: str = ""
    """How its map and embedding fit the page's own, for people."""
    verdict: str = ""
    """Whether it is better than the page's own run, in a sentence; empty where nothing says so."""

    @property
    def shown(self) -> list[int]:
        """Its first and its last checkpoint, or one."""
        return sorted({self.manifest.steps[0], self.manifest.steps[-1]})

    @property
    def letter(self) -> str:
        """By which the page names it: ``B``."""
        return self.key.upper()

    @property
    def served(self) -> dict[str, Any]:
        """What the server of the page is started with, but for the file of the rows."""
        return {
            "key": self.key,
            "run": str(self.folder.path.resolve()),
            "table": self.manifest.fingerprint,
            "step": self.shown[-1],
        }

    def columns(self) -> pd.DataFrame:
        """What its own page would show of the images of this page, by row of this page, under names
        that end in its key."""
        frame = wide_frame(self.folder, self.images, self.shown, pictures=False).frame
        own = {at(axis, one) for axis in AXES.values() for one in self.shown}
        left_out: set[str] = {*OF_ONE_RUN, *own}
        frame = frame.drop(columns=[name for name in frame.columns if name in left_out])
        frame = frame.iloc[self.rows].reset_index(drop=True)
        for axis, values in zip(AXES.values(), self.points.T, strict=True):
            frame[at(axis, self.shown[-1])] = values
        return frame.rename(columns=lambda name: of_run(name, self.key))

    def map(self) -> PageMap:
        """The map of its last checkpoint."""
        step = self.shown[-1]
        x, y = (of_run(at(axis, step), self.key) for axis in AXES.values())
        return PageMap(f"{self.letter} · Last: step {step}", step, (x, y), self.key)


OWN_LETTER = "A"


@dataclass(frozen=True)
class Beside:
    """The runs beside that of a page, and what is found between them."""

    name: str
    """Of the page's own run, for people."""
    rows: NDArray[np.int64]
    """Rows of the arrays of the page's run whose images all runs have, ascending."""
    others: tuple[OtherRun, ...]
    """Their rows are by these."""
    found: RunsBeside
    """What all runs say of the images of the page's run."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the page: what is found between the runs, by these rows."""
    cautions: Mapping[str, str] = field(default_factory=dict)
    """By letter a sentence about each run that was trained on common images."""

    def of(self, positions: NDArray[np.int64]) -> Beside:
        """Of some of the rows only."""
        taken = np.searchsorted(self.rows, positions)
        return replace(
            self,
            rows=positions,
            others=tuple(
                replace(one, rows=one.rows[taken], points=one.points[taken]) for one in self.others
            ),
            columns={name: values[taken] for name, values in self.columns.items()},
        )

    @property
    def names(self) -> str:
        """All runs, for a heading: ``A and B compared``."""
        letters = [OWN_LETTER, *(one.letter for one in self.others)]
        return f"{', '.join(letters[:-1])} and {letters[-1]} compared"

    def judgement(self, other: OtherRun) -> str:
        """Whether another run is better than the page's own, and what must be known to believe it;
        empty where nothing says so."""
        if not other.verdict:
            return ""
        known = (self.cautions.get(letter, "") for letter in (OWN_LETTER, other.letter))
        return " ".join(filter(None, (other.verdict, *known)))

    @property
    def room(self) -> int:
        """How many maps of the page's own run there are beside theirs."""
        return MAX_PLOTS - len(self.others[:MAX_MAPS])

    def maps(self, own: Sequence[PageMap]) -> list[PageMap]:
        """All maps from left to right; the last one of the page's own run is beside theirs."""
        named = [
            PageMap(f"{OWN_LETTER} · {one.title}", one.shows, one.columns, one.run) for one in own
        ]
        return [*named, *(one.map() for one in self.others[:MAX_MAPS])]

    def extent(self, own: Mapping[str, list[float]]) -> dict[str, list[float]]:
        """The part of the space of all maps; ``own`` is that of the page's own run."""
        ranges = {axis: [tuple(own[axis])] for axis in AXES}
        for one in self.others:
            for axis, values in zip(AXES, one.points.T, strict=True):
                ranges[axis].append(usual_range(values))
        return {
            axis: [min(low for low, _ in found), max(high for _, high in found)]
            for axis, found in ranges.items()
        }
