"""Search results as JSON, as a page in one file, and as lists for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.lists import ImageList
from review_embeddings.review.page.card import ImageCard
from review_embeddings.review.report.cards import card_figure
from review_embeddings.review.report.pagestyle import document, picture_address
from review_embeddings.review.report.similar import Query, SearchResults, SimilarImage, in_common

JSON_KEYS = (
    "rank",
    "image_id",
    "similarity",
    "label",
    "ood_score",
    "ood_rank",
    "decision",
    "path",
)
"""What the JSON says of each image."""


def as_json(query: Query, results: Sequence[SearchResults]) -> dict[str, Any]:
    """The results for other programs."""
    checkpoints = []
    for found in results:
        images = [{key: getattr(image, key) for key in JSON_KEYS} for image in found.images]
        checkpoints.append({"checkpoint": found.step, "images": images})
    return {
        "query": {"files": [str(path) for path in query.files], "images": list(query.images)},
        "checkpoints": checkpoints,
    }


def as_lists(query: Query, results: Sequence[SearchResults], images: RunImages) -> list[ImageList]:
    """The results as lists for the page, beside the ready-made ones; the images of the run that
    were asked about come first."""
    row_of = {image: row for row, image in enumerate(images.ids.tolist())}
    asked = [row_of[image] for image in query.images]
    return [
        ImageList(
            f"Similar to {query} at step {found.step}",
            [*asked, *(image.index for image in found.images)],
            "low",
            [],
            f"The {len(found.images)} most similar images by the cosine of their embeddings at "
            f"step {found.step}, the most similar first"
            f"{', behind what was asked about' if asked else ''}.",
            f"similar-{found.step}",
        )
        for found in results
        if found.images
    ]


def as_html(
    title: str,
    query: Query,
    results: Sequence[SearchResults],
    images: RunImages,
    cards: Mapping[int, ImageCard] | None = None,
) -> str:
    """A page of thumbnails in one file, a section a checkpoint; nothing of the data set's names is
    read as HTML. ``cards`` say more of the images, by their rows."""
    queried = _queried(query, images)
    read = images.read_some(sorted(shown_rows(query, results, images)), preview=True)
    shown = _Shown(images, {row: picture_address(data) for row, data in read}, cards or {})
    everywhere = _found_everywhere(results)
    parts = ['<h2>Asked</h2><div class="cards">', *_query_figures(query, queried, shown), "</div>"]
    if common := in_common(results):
        parts.append(f'<p class="muted">{html_text(common)}</p>')
    for found in results:
        parts += _section(found, everywhere, shown)
    return document(title, parts)


def shown_rows(query: Query, results: Sequence[SearchResults], images: RunImages) -> set[int]:
    """The images that the page shows, by their rows."""
    found = {image.index for one in results for image in one.images}
    return {*found, *_queried(query, images)}


def _queried(query: Query, images: RunImages) -> list[int]:
    row_of = {image: row for row, image in enumerate(images.ids.tolist())}
    return [row_of[image] for image in query.images]


@dataclass(frozen=True)
class _Shown:
    """What is drawn of the images, by their rows."""

    images: RunImages
    addresses: Mapping[int, str]
    cards: Mapping[int, ImageCard]

    def figure(self, row: int, label: str | None, notes: Sequence[str] = ()) -> str:
        name, number = label or "no label", f"#{self.images.ids[row]}"
        return card_figure(name, number, notes, self.addresses.get(row, ""), self.cards.get(row))


def _query_figures(query: Query, rows: Sequence[int], shown: _Shown) -> Iterator[str]:
    """The files and images that were looked for."""
    for path in query.files:
        yield card_figure(path.name, "", [], picture_address(path.read_bytes()), None)
    labels = shown.images.label_names or [None] * len(shown.images)
    for row in rows:
        yield shown.figure(row, labels[row])


def _found_everywhere(results: Sequence[SearchResults]) -> set[int]:
    """Ids of the images that were found at each of several checkpoints."""
    if len(results) < 2:
        return set()
    return set.intersection(*({image.image_id for image in found.images} for found in results))


def _section(found: SearchResults, everywhere: set[int], shown: _Shown) -> list[str]:
    """What was found at one checkpoint."""
    heading = f'<h2>Step {found.step} <span class="muted">({len(found.images)})</span></h2>'
    if not found.images:
        return [heading, '<p class="muted">No image fulfils the conditions.</p>']
    figures = [
        shown.figure(image.index, image.label, [_note(image, image.image_id in everywhere)])
        for image in found.images
    ]
    return [heading, '<div class="cards">', *figures, "</div>"]


def _note(image: SimilarImage, everywhere: bool) -> str:
    note = f"similarity {image.similarity:.3f}" + (" · at each" if everywhere else "")
    return note if image.decision == UNDECIDED else f"{note} · {image.decision}"
