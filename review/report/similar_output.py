"""Search results as JSON, as a page in one file, and as lists for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.lists import ImageList
from review_embeddings.review.report.similar import Query, SearchResults, SimilarImage, in_common
from review_embeddings.review.report.summary import STYLE, picture_address

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


def as_html(title: str, query: Query, results: Sequence[SearchResults], images: RunImages) -> str:
    """A page of thumbnails in one file, a section a checkpoint; nothing of the data set's names is
    read as HTML."""
    row_of = {image: row for row, image in enumerate(images.ids.tolist())}
    queried = [row_of[image] for image in query.images]
    shown = {image.index for found in results for image in found.images}
    read = images.read_some(sorted({*queried, *shown}), preview=True)
    addresses = {row: picture_address(data) for row, data in read}
    everywhere = _found_everywhere(results)
    parts = [*_head(title), *_query_figures(query, queried, images, addresses), "</div>"]
    if common := in_common(results):
        parts.append(f'<p class="muted">{html_text(common)}</p>')
    for found in results:
        parts += _section(found, everywhere, addresses)
    return "\n".join([*parts, "</body></html>", ""])


def _head(title: str) -> list[str]:
    title = html_text(title)
    return [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{title}</h1>",
        '<h2>Asked</h2><div class="images">',
    ]


def _query_figures(
    query: Query, rows: Sequence[int], images: RunImages, addresses: dict[int, str]
) -> list[str]:
    """The files and images that were looked for; ``rows`` of these images."""
    figures = [
        _figure(path.name, "", "", picture_address(path.read_bytes())) for path in query.files
    ]
    names = images.label_names or [None] * len(images)
    for row in rows:
        name, number = names[row] or "no label", f"#{images.ids[row]}"
        figures.append(_figure(name, number, "", addresses[row]))
    return figures


def _found_everywhere(results: Sequence[SearchResults]) -> set[int]:
    """Ids of the images that were found at each of several checkpoints."""
    if len(results) < 2:
        return set()
    return set.intersection(*({image.image_id for image in found.images} for found in results))


def _section(found: SearchResults, everywhere: set[int], addresses: dict[int, str]) -> list[str]:
    """What was found at one checkpoint."""
    count = f'<span class="muted">({len(found.images)})</span>'
    parts = [f'<h2>Step {found.step} {count}</h2><div class="images">']
    for image in found.images:
        note = _note(image, image.image_id in everywhere)
        address = addresses.get(image.index, "")
        parts.append(_figure(image.label or "no label", f"#{image.image_id}", note, address))
    nothing = '<p class="muted">No image fulfils the conditions.</p>'
    return [*parts, "</div>" if found.images else f"{nothing}</div>"]


def _note(image: SimilarImage, everywhere: bool) -> str:
    note = f"{image.similarity:.3f}" + (" · at each" if everywhere else "")
    return note if image.decision == UNDECIDED else f"{note} · {image.decision}"


def _figure(name: str, number: str, note: str, address: str) -> str:
    return (
        f'<figure><img alt="{html_text(number or name)}" '
        f'src="{address}"><figcaption><b>{html_text(name)}</b> {html_text(number)}<br>'
        f'<span class="muted">{html_text(note)}</span></figcaption></figure>'
    )
