"""What a page shows of a run, whoever serves it: the frame, the lists, and what the page has to
know of the checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.training.curves import metrics_of, read_curves
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.reviewers import ImageDecisions
from review_embeddings.review.lists import ImageList, lists_of
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.lists.listed import listed
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.page.extent import map_extent
from review_embeddings.review.page.frame import ReviewFrame, at, wide_frame
from review_embeddings.review.page.layout import has_slider, maps_of
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
    lists = [*found, *ready_made_lists(candidates)]
    if rows and whole_lists:
        rows = max(rows, len({row for made in lists for row in made.rows}))
    sample = sample or choose(review, lists, rows)
    images = built.images
    if sample is not None:
        review, images = cut(review, sample.positions), images.take(sample.positions)
        lists = [cut_list(made, sample.positions) for made in lists]
    session = _session(built, review, images, sample) | {
        "lists": [listed(made) for made in lists if made.key]
    }
    return PageContent(review, images, lists, session, sample)


def _session(
    built: Built, review: ReviewFrame, images: RunImages, sample: Sample | None
) -> dict[str, Any]:
    """What the page has to know of the run and its checkpoints."""
    named = images_name(images.hashes)
    return {
        "title": title_of(built) + (f" · {sample.title}" if sample else ""),
        "shown": review.shown,
        "maps": maps_of(review),
        "mapColumns": [[at(axis, one) for axis in (c.X, c.Y)] for one in maps_of(review)],
        "extent": map_extent(built.run),
        "table": table_name(built.manifest.fingerprint, named if sample else None),
        "images": named,
        "checkpoints": _checkpoints(built, review.steps),
        **({"start": review.slider_start} if has_slider(review) else {}),
    }


def title_of(built: Built) -> str:
    """What stands in the page's top bar instead of "pd.DataFrame"."""
    reference = built.info.dataset
    source = (
        Path(reference.source).name if Path(reference.source).is_absolute() else reference.source
    )
    return f"{built.run.path.resolve().name} · {source} {reference.split or ''}".strip()


def _checkpoints(built: Built, steps: Sequence[int]) -> list[dict[str, Any]]:
    """What is known of each checkpoint as a whole: how well it does, how far its map can be
    trusted, and how its outliers agree with the others'."""
    manifest = built.manifest
    metrics = metrics_of(built.run, manifest, read_curves(built.run, manifest), steps)
    keys = (
        "step",
        "name",
        "epoch",
        "loss",
        "explained_variance",
        "disparity",
        "map_kept",
        "trustworthiness",
        "continuity",
        "faults",
    )
    positions = [manifest.steps.index(step) for step in steps]
    found = []
    for number, position in enumerate(positions):
        one = {key: getattr(manifest.checkpoints[position], key) for key in keys}
        one |= asdict(metrics[manifest.steps[position]])
        correlation = manifest.rank_correlation[position]
        one["rank_correlation"] = [correlation[other] for other in positions]
        one["outliers_stay"] = (
            manifest.outlier_overlap[positions[number - 1]][position] if number else None
        )
        found.append(one)
    return found
