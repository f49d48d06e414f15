"""What a page shows of a run, whoever serves it: the frame, the lists, and what the page has to
know of the checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.reviewers import ImageDecisions
from review_embeddings.review.lists import ImageList, lists_of
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.lists.listed import listed
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.page.about.checkpoints import checkpoints_of
from review_embeddings.review.page.about.extent import map_extent
from review_embeddings.review.page.beside.found import compared_first
from review_embeddings.review.page.beside.onpage import beside_session, choose_common, with_beside
from review_embeddings.review.page.beside.other import Beside
from review_embeddings.review.page.frame import NOW, ReviewFrame, wide_frame
from review_embeddings.review.page.layout import PageMap, own_maps
from review_embeddings.review.page.sample import Sample, choose, cut, cut_list
from review_embeddings.review.page.shownas import images_name, table_name

if TYPE_CHECKING:
    from review_embeddings.pipeline.images.runimages import RunImages
    from review_embeddings.pipeline.stages.built import Built


@dataclass(frozen=True)
class PageContent:
    """The checkpoints of a run that were asked for, as a page shows them."""

    review: ReviewFrame
    """Without pictures."""
    images: RunImages
    """By row of the frame."""
    lists: list[ImageList]
    """By rows of the frame."""
    session: dict[str, Any]
    """What the page has to know of the run, its checkpoints and its lists. JSON."""
    sample: Sample | None
    """Which images these are, where they are not all of the run."""
    maps: list[PageMap]
    """From left to right."""
    beside: Beside | None
    """The runs beside it, by row of the frame."""


def content_of(
    built: Built,
    *,
    decisions: Mapping[str, Decision],
    disputed: Mapping[str, ImageDecisions] | None = None,
    before: Mapping[str, float] | None = None,
    found: Sequence[ImageList] = (),
    watching: bool = False,
    rows: int = 0,
    whole_lists: bool = False,
    sample: Sample | None = None,
    beside: Beside | None = None,
) -> PageContent:
    """Read it from the run's table.

    By image hash: ``decisions`` are those that hold, ``disputed`` the images about which reviewers
    differ, ``before`` the percentiles of earlier runs. With ``whole_lists`` there are more than
    ``rows`` images where the lists have more. The others are those of `page.page_for`.
    """
    review = wide_frame(
        built.run,
        built.images,
        built.wanted,
        watching=watching,
        decisions=decisions,
        before=before,
        pictures=False,
    )
    candidates = read_candidates(
        built.run,
        built.images,
        lists_of("page"),
        (review.first, review.last),
        decisions=decisions,
        disputed=disputed or {},
        before=before,
    )
    lists = [*found, *_ready_made(candidates, beside)]
    if rows and whole_lists:
        rows = max(rows, len({row for made in lists for row in made.rows}))
    sample = sample or _sample(review, lists, rows, beside)
    images = built.images
    if sample is not None:
        review, images = cut(review, sample.positions), images.take(sample.positions)
        lists = [cut_list(made, sample.positions) for made in lists]
    maps = own_maps(review)
    if beside is not None:
        beside = beside if sample is None else beside.of(sample.positions)
        review = with_beside(review, beside)
        maps = beside.maps(own_maps(review, beside.room))
    session = _session(built, review, images, sample, maps) | {
        "lists": [listed(made) for made in lists if made.key],
        **({} if beside is None else beside_session(built, review, beside, maps)),
    }
    return PageContent(review, images, lists, session, sample, maps, beside)


def _ready_made(candidates: Candidates, beside: Beside | None) -> list[ImageList]:
    """The lists of the page, of compared runs those about all of them first."""
    if beside is None:
        return ready_made_lists(candidates)
    made = ready_made_lists(replace(candidates, beside=beside.found))
    return compared_first(made, beside.names)


def _sample(
    review: ReviewFrame, lists: Sequence[ImageList], rows: int, beside: Beside | None
) -> Sample | None:
    """Which images are shown; None for all of the run."""
    if beside is None:
        return choose(review, lists, rows)
    return choose_common(review, lists, rows, beside)


def _session(
    built: Built,
    review: ReviewFrame,
    images: RunImages,
    sample: Sample | None,
    maps: Sequence[PageMap],
) -> dict[str, Any]:
    """What the page has to know of the run and its checkpoints."""
    named = images_name(images.hashes)
    return {
        "title": title_of(built) + (f" · {sample.title}" if sample else ""),
        "shown": review.shown,
        "maps": [one.shows for one in maps],
        "mapColumns": [one.columns for one in maps],
        "extent": map_extent(built.run),
        "table": table_name(built.manifest.fingerprint, named if sample else None),
        "images": named,
        "checkpoints": checkpoints_of(built.run, built.manifest, review.steps),
        **({"start": review.slider_start} if NOW in [one.shows for one in maps] else {}),
    }


def title_of(built: Built) -> str:
    """What stands in the page's top bar instead of "pd.DataFrame"."""
    reference = built.info.dataset
    source = (
        Path(reference.source).name if Path(reference.source).is_absolute() else reference.source
    )
    return f"{built.run.path.resolve().name} · {source} {reference.split or ''}".strip()
