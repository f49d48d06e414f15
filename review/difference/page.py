"""The differences between two data sets as a page in one file, with small images of the first ones
of each kind. Nothing of the data sets' names is read as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from review_embeddings.pipeline.text import html_text
from review_embeddings.review.difference.compare import (
    KINDS,
    MOVED,
    RELABELLED,
    REMOVED,
    REPLACED,
    ComparedRow,
    Difference,
    Differences,
)
from review_embeddings.review.difference.sides import Side
from review_embeddings.review.difference.texts import NO_LABEL, summary_rows
from review_embeddings.review.report.cards import picture
from review_embeddings.review.report.pagestyle import document, picture_address

THUMBNAILS = 100
"""Differences of each kind that the page shows."""

MORE_STYLE = """
figure.two { width: 232px; } figure.two img, figure.two .none { display: inline-flex; }
.summary td { text-align: left; vertical-align: top; } .summary .inner { color: var(--muted); }
.summary .inner td:first-child { padding-left: 1.2rem; }
@media (max-width: 480px) { .images { gap: .5rem; } }
"""

Addresses = dict[tuple[str, str, int], str]
"""The small image of a row, by side, split and row."""


def as_html(
    before: Side, after: Side, found: Differences, notes: Sequence[str], limit: int = THUMBNAILS
) -> str:
    """The page. Of each kind the first ``limit`` differences are shown, and how many there are is
    said."""
    shown = {kind: _first(found, kind, limit) for kind in KINDS}
    addresses = _addresses(before, after, [one for some in shown.values() for one in some])
    parts = [
        *(f'<p class="muted">{html_text(note)}</p>' for note in notes),
        '<table class="summary">',
        *(
            f'<tr class="{"inner" if row.inner else ""}"><td>{html_text(row.name)}</td>'
            f"<td>{html_text(row.text)}</td></tr>"
            for row in summary_rows(found)
        ),
        "</table>",
    ]
    for kind, some in shown.items():
        if some:
            parts += _section(kind, some, len(found.of(kind)), addresses)
    return document(f"{before.name} → {after.name}", parts, MORE_STYLE)


def _first(found: Differences, kind: str, limit: int) -> list[Difference]:
    """The first ones of a kind; those with the same old and new class together."""
    some = found.of(kind)
    if kind == RELABELLED:
        some = sorted(some, key=lambda one: one.relabelling)
    return some[:limit]


def _addresses(before: Side, after: Side, shown: Sequence[Difference]) -> Addresses:
    addresses: Addresses = {}
    for name, side, row_of in (
        ("before", before, lambda one: one.before),
        ("after", after, lambda one: one.after),
    ):
        rows = {row: None for one in shown if (row := _needed(one, name, row_of)) is not None}
        for row, data in side.pictures(list(rows)):
            addresses[name, row.split, row.row] = picture_address(data)
    return addresses


def _needed(
    one: Difference, name: str, row_of: Callable[[Difference], ComparedRow | None]
) -> ComparedRow | None:
    """The row whose image is shown: of both data sets only where the image has changed."""
    row = row_of(one)
    if row is None or row.image_hash is None:
        return None
    other = one.before is not None and one.after is not None and REPLACED not in one.kinds
    return None if other and name == "before" else row


def _section(
    kind: str, shown: Sequence[Difference], count: int, addresses: Addresses
) -> Iterator[str]:
    number = f"{count:,}" if len(shown) == count else f"the first {len(shown):,} of {count:,}"
    yield f'<h2>{kind} <span class="muted">({number})</span></h2><div class="images">'
    for one in shown:
        yield _figure(one, addresses)
    yield "</div>"


def _figure(one: Difference, addresses: Addresses) -> str:
    pictures = [
        _picture(name, row, addresses)
        for name, row in (("before", one.before), ("after", one.after))
        if row is not None and (REPLACED in one.kinds or name == "after" or one.after is None)
    ]
    kind = ' class="two"' if len(pictures) > 1 else ""
    heading, *others = map(html_text, _caption(one))
    small = "".join(f'<br><span class="muted">{line}</span>' for line in others)
    return (
        f"<figure{kind}>{' '.join(pictures)}<figcaption><b>{heading}</b>{small}</figcaption>"
        f"</figure>"
    )


def _picture(name: str, row: ComparedRow, addresses: Addresses) -> str:
    address = addresses.get((name, row.split, row.row), "")
    return picture(f"{name}: {row.split} {row.row}", address)


def _caption(one: Difference) -> Iterator[str]:
    """What is written below a figure: the class, where it is, and its file."""
    row = one.after or one.before
    assert row is not None
    if one.before is not None and RELABELLED in one.kinds:
        yield f"{one.before.label or NO_LABEL} → {row.label or NO_LABEL}"
    else:
        yield row.label or NO_LABEL
    if one.before is not None and MOVED in one.kinds:
        yield f"{one.before.split} {one.before.row} → {row.split} {row.row}"
    else:
        yield f"{row.split} {row.row}"
    if row.path:
        yield row.path
    if one.copy:
        yield "a copy is still there" if REMOVED in one.kinds else "a copy of one that was there"
