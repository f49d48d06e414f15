"""Puts other runs on the page of a run: their columns beside its own, which images are shown, and
what the page's modules have to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.review.lists.definition import ImageList
from review_embeddings.review.page.about.checkpoints import checkpoints_of
from review_embeddings.review.page.about.extent import map_extent
from review_embeddings.review.page.beside.other import OWN_LETTER, Beside
from review_embeddings.review.page.frame import ReviewFrame
from review_embeddings.review.page.layout import PageMap
from review_embeddings.review.page.sample import Sample, choose, cut, cut_list

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built


def with_beside(review: ReviewFrame, beside: Beside) -> ReviewFrame:
    """The frame with the columns of the other runs; it has the images that all runs have."""
    import pandas as pd

    found = pd.DataFrame(dict(beside.columns), index=review.frame.index)
    columns = [review.frame, found, *(one.columns() for one in beside.others)]
    return replace(review, frame=pd.concat(columns, axis=1))


def choose_common(
    review: ReviewFrame, lists: Sequence[ImageList], rows: int, beside: Beside
) -> Sample | None:
    """Of the images that all runs have at most ``rows``, 0 for all; None where these are all of the
    page's run."""
    common, total = beside.rows, len(review.frame)
    among = [cut_list(one, common) for one in lists]
    sample = choose(cut(review, common), among, rows)
    if sample is not None:
        return replace(sample, positions=common[sample.positions], total=total)
    if len(common) == total:
        return None
    names = " and ".join([beside.name, *(one.name for one in beside.others)])
    description = (
        f"Showing the {len(common):,} images that {names} have in common, of {total:,} of "
        f"{beside.name}. Exports of {beside.name} cover all of them."
    )
    return Sample(np.asarray(common), total, description)


def beside_session(
    built: Built, review: ReviewFrame, beside: Beside, maps: Sequence[PageMap]
) -> dict[str, Any]:
    """What the page has to know of all runs; the first one is its own."""
    runs = [
        {"key": "", "letter": OWN_LETTER, "name": beside.name, "shown": review.shown},
        *(
            {
                "key": one.key,
                "letter": one.letter,
                "name": one.name,
                "shown": one.shown,
                "note": one.note,
                "verdict": beside.judgement(one),
                "checkpoints": checkpoints_of(one.folder, one.manifest, one.manifest.steps),
            }
            for one in beside.others
        ),
    ]
    common = f"{len(review.frame):,} common images"
    return {
        "title": " · ".join([*(f"{one['letter']} {one['name']}" for one in runs), common]),
        "runs": runs,
        "mapRuns": [one.run for one in maps],
        "extent": beside.extent(map_extent(built.run)),
    }
