"""What the page's card says of an image, for pages in one file: why it is listed, what the first
and the last checkpoint say of it, and its curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.lists import lists_of
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.page.card import CardEnd, CardSource, ImageCard
from review_embeddings.review.page.shownrun import read_shown
from review_embeddings.review.report.curves import curves_as_html, probability


def read_cards(
    run: RunFolder,
    images: RunImages,
    fingerprint: str,
    steps: tuple[int, int],
    rows: Iterable[int],
) -> dict[int, ImageCard]:
    """The cards of some images by their rows, as a page has them that shows two checkpoints of the
    table with this fingerprint. Raises RunError where the run was built anew since."""
    shown = read_shown(run, fingerprint, None)
    candidates = read_candidates(run, images, lists_of("page"), steps, decisions={})
    listed: dict[int, list[str]] = {}
    for one in ready_made_lists(candidates):
        for row in one.rows if one.key else ():
            listed.setdefault(row, []).append(one.key)
    ends = tuple(shown.steps.index(step) for step in dict.fromkeys(steps))
    source = CardSource(shown, ends, candidates, listed)
    return {row: source.card(row) for row in sorted(set(rows))}


def card_figure(
    name: str, number: str, notes: Sequence[str], address: str, card: ImageCard | None
) -> str:
    """An image with what is known of it. ``notes`` are what this page says of it, before the
    reasons of the card."""
    reasons = [] if card is None else card.reasons
    lines = [html_text(one) for one in dict.fromkeys([*notes, *reasons]) if one]
    items = "".join(f"<li>{line}</li>" for line in lines)
    parts = [
        f'<figure class="card">{picture(f"{name} {number}".strip(), address)}',
        f"<figcaption><b>{html_text(name)}</b> {html_text(number)}",
        f"<ul>{items}</ul>" if items else "",
        *(() if card is None else _ends(card)),
        "</figcaption>",
        *(() if card is None else curves_as_html(card)),
        "</figure>",
    ]
    return "".join(parts)


def picture(alt: str, address: str) -> str:
    """An image, or that there is none to be shown."""
    if not address:
        return '<span class="none">cannot be shown</span>'
    return f'<img alt="{html_text(alt)}" src="{address}">'


def _ends(card: ImageCard) -> Iterator[str]:
    """A line for the first and for the last checkpoint."""
    names = ["first · ", "last · "] if len(card.ends) > 1 else [""]
    for name, end in zip(names, card.ends, strict=True):
        parts = [*_prediction(card.label, end), f"outlier rank {end.outlier_rank:,}"]
        yield (
            f'<p class="ends"><b>{name}step {end.step}</b> {" · ".join(parts)} of '
            f"{card.images:,}</p>"
        )


def _prediction(label: str | None, end: CardEnd) -> Iterator[str]:
    if end.prediction is None:
        return
    sure = "" if end.confidence is None else f": {probability(end.confidence)}"
    text = html_text(end.prediction + sure)
    if label is None:
        yield text
    elif end.prediction == label:
        yield f'<span class="good">✓ {text}</span>'
    else:
        yield f'<span class="bad">✗ {text}</span>'
        if end.label_confidence is not None:
            yield html_text(f"label {label}: {probability(end.label_confidence)}")
