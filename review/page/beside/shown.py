"""What the server of a page reads of the runs beside its own: written by the program that compares
them, read once for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.run.bounded import read_npy
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.shownrun import ShownRun, read_shown


@dataclass(frozen=True)
class BesideFiles:
    """Where a run is that stands beside the page's own, and which of its images are on the page."""

    key: str
    """At the end of the names of its columns: ``b``, ``c``."""
    run: str
    """Its folder."""
    table: str
    """Fingerprint of the table that the page shows."""
    step: int
    """The last of its checkpoints on the page."""
    rows: str
    """File with rows of its arrays, by row of the page."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> list[BesideFiles]:
        """Those of what the server was started with."""
        return [cls(**one) for one in settings.get("beside", [])]


@dataclass(frozen=True)
class ShownBeside:
    """A run beside that of the page, image by image."""

    key: str
    shown: ShownRun
    """Its rows are those of the page."""
    step: int

    @property
    def last(self) -> int:
        """Number of the checkpoint that its card is about."""
        return self.shown.number_of(self.step)


def read_beside(files: Sequence[BesideFiles]) -> tuple[ShownBeside, ...]:
    """Read them. Raises OtherTableError where one was built anew since the page was opened."""
    return tuple(
        ShownBeside(
            one.key,
            read_shown(RunFolder(Path(one.run)), one.table, read_npy(Path(one.rows))),
            one.step,
        )
        for one in files
    )
