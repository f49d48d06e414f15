"""Which images the page shows of a run that no browser can hold: all that its lists name, all
suspects and decided ones, and of the rest a seeded sample with as many of each class. Lists that
are exported cover the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.reviewers import decided_by_others, name_of
from review_embeddings.review.lists import EVEN, ImageList
from review_embeddings.review.lists.derived import DECISION
from review_embeddings.review.page.frame import ReviewFrame

ROWS = 50_000
"""Images that a page shows by default; Spotlight sends every row of every column to
the browser."""

SEED = 0


@dataclass(frozen=True)
class Sample:
    """Some of the images of a run."""

    positions: NDArray[np.int64]
    """Their rows in the run's arrays, ascending."""
    total: int
    """Images of the run."""
    description: str
    """What they are, for people."""
    heading: str = ""
    """What the page is called that shows them; empty for one of all images."""

    @property
    def title(self) -> str:
        """For the page's top bar."""
        count = f"{len(self.positions):,} of {self.total:,} images"
        return f"{self.heading}: {count}" if self.heading else count


def choose(review: ReviewFrame, lists: Sequence[ImageList], rows: int) -> Sample | None:
    """At most ``rows`` images of a frame of all; None where it has no more than that, or ``rows``
    is 0.

    First come decided images, then those of the lists, then labels that another class fits better,
    worst first and up to half of what is left, then the rest.
    """
    frame = review.frame
    total = len(frame)
    if rows == 0 or total <= rows:
        return None
    chosen = np.zeros(total, dtype=bool)
    counts = {}

    def add(title: str, candidates: NDArray[np.integer], room: int) -> None:
        new = candidates[~chosen[candidates]][: max(0, room)]
        chosen[new] = True
        counts[title] = len(new)

    add("decided", np.flatnonzero((frame[DECISION] != UNDECIDED).to_numpy()), rows)
    add("in the lists", _in_turn([made.rows for made in lists]), rows - int(chosen.sum()))
    if c.TRAJECTORY_LABEL_SCORE in frame.columns:
        suspect = np.flatnonzero(frame[c.TRAJECTORY_LABEL_SCORE].to_numpy() < EVEN)
        suspect = suspect[
            np.argsort(frame[c.TRAJECTORY_LABEL_RANK].to_numpy()[suspect], kind="stable")
        ]
        add("label suspects", suspect, (rows - int(chosen.sum())) // 2)
    rest = np.flatnonzero(~chosen)
    labels = None
    if c.LABEL in frame.columns:
        labels = np.array(frame[c.LABEL].cat.codes, dtype=np.int32)[rest]
    add("others", rest[balanced_sample(labels, len(rest), rows - int(chosen.sum()), SEED)], rows)
    parts = ", ".join(f"{count:,} {title}" for title, count in counts.items() if count)
    positions = np.flatnonzero(chosen)
    description = (
        f"Showing {len(positions):,} of {total:,} images: {parts} (a seeded sample, balanced over "
        "the classes). Lists and exports cover all of them; --rows changes the number."
    )
    return Sample(positions, total, description)


def decided_by_another(
    hashes: Sequence[str], lines: Sequence[Decision], reviewer: str, rows: int
) -> Sample:
    """The images of a run, by their hashes, that somebody else than a reviewer has decided about,
    the first ``rows`` of them; 0 for all. Raises SettingsError where there is none."""
    others = decided_by_others(lines, reviewer)
    there = [row for row, image in enumerate(hashes) if image in others]
    if not there:
        raise SettingsError(
            f"--second-look is about what others have decided, and nobody but {name_of(reviewer)} "
            f"has decided here. Say who you are with --reviewer NAME, or leave --second-look out."
        )
    positions = np.array(there[: rows or None], dtype=np.int64)
    shown = f"{len(positions):,}"
    if len(positions) < len(there):
        shown = f"the first {len(positions):,} of {len(there):,}"
    description = (
        f"Showing {shown} images that others have decided about; what they decided is shown once "
        f"{name_of(reviewer)} has."
    )
    return Sample(positions, len(hashes), description, "Second look")


def _in_turn(lists: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """What is in some lists, each once: the first of each, then the second of each, and so on."""
    everything = np.concatenate(
        [np.zeros(0, np.int64), *(np.asarray(one, np.int64) for one in lists)]
    )
    order = np.argsort(
        np.concatenate([np.zeros(0, np.int64), *(np.arange(len(one)) for one in lists)]),
        kind="stable",
    )
    _, first = np.unique(everything[order], return_index=True)
    return everything[order][np.sort(first)]


def cut(review: ReviewFrame, positions: NDArray[np.int64]) -> ReviewFrame:
    """The frame of some images only; ranks and percentiles stay those among all."""
    return replace(review, frame=review.frame.iloc[positions].reset_index(drop=True))


def cut_list(made: ImageList, positions: NDArray[np.int64]) -> ImageList:
    """A list of all images as rows of the cut frame, without those that are not in it, which its
    title says then."""
    rows = np.asarray(made.rows, dtype=np.int64)
    at = np.searchsorted(positions, rows)
    there = (at < len(positions)) & (positions[np.minimum(at, len(positions) - 1)] == rows)
    shown = at[there].tolist()
    missing = len(shown) < len(rows)
    return replace(
        made,
        rows=shown,
        title=f"{made.title}: {len(shown):,} of {len(rows):,} shown" if missing else made.title,
        expected=None if missing else made.expected,
        medoid=_row_of(made.medoid, positions),
    )


def _row_of(image: int | None, positions: NDArray[np.int64]) -> int | None:
    """The row of the cut frame; None for an image that is not in it."""
    found = [] if image is None else np.flatnonzero(positions == image).tolist()
    return found[0] if found else None
