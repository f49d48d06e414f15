"""The comparison of runs as a page in one file, fit for a pull request, with small images of the
first ones of each list. Nothing of the runs' names is read as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.comparison.findings import ComparedList, ListedRow, RunComparison
from review_embeddings.review.comparison.pairedruns import PairedRuns
from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.report.cards import picture
from review_embeddings.review.report.comparing.mapplots import LEGEND_STYLE, maps_as_html
from review_embeddings.review.report.comparing.texts import (
    FORMULAS,
    NumberTable,
    classes_table,
    likeness_table,
    lists_table,
    matched_text,
    runs_table,
    sentences,
    unmatched_lines,
)
from review_embeddings.review.report.pagestyle import document, picture_address

MORE_STYLE = """
table.numbers { margin: .6rem 0; } table.numbers td:not(.name) { white-space: nowrap; }
table.numbers th { vertical-align: bottom; } table.numbers .name { text-align: left;
  overflow-wrap: break-word; max-width: 20rem; }
p.verdict { font-size: 1.05rem; font-weight: 600; margin: .4rem 0; }
.wide { overflow-x: auto; max-width: 100%; }
.images figure { width: 160px; } figcaption p { margin: 0; }
details { margin: .3rem 0; }
@media (max-width: 480px) { .images { gap: .5rem; } .images figure { width: 140px; } }
"""


def as_html(paired: PairedRuns, beside: RunsBeside, found: RunComparison) -> str:
    """The page. Of each list the first images are shown, and how many there are is given."""
    parts = [
        _table(runs_table(found)),
        f"<p>{html_text(matched_text(found))}</p>",
        *(f'<p class="verdict">{html_text(one)}</p>' for one in sentences(found)),
        *(f'<p class="muted">{html_text(one)}</p>' for one in found.notes),
        *_unmatched(found),
        *_contents(found),
        *_section(lists_table(found)),
        "<h2>Maps</h2>",
        *maps_as_html(paired, beside, found),
        *_section(likeness_table(found)),
        *_section(classes_table(found)),
        *_lists(paired, found),
        f'<h2>How to read this</h2><p class="muted">{html_text(FORMULAS)}</p>',
    ]
    title = " · ".join(f"{run.letter} {run.name}, step {run.step}" for run in found.runs)
    return document(title, parts, MORE_STYLE + LEGEND_STYLE)


def _unmatched(found: RunComparison) -> Iterator[str]:
    for line in unmatched_lines(found, None):
        summary, _, ids = line.partition(": ")
        yield f"<details><summary>{html_text(summary)}</summary>{html_text(ids)}</details>"


def _shown(found: RunComparison) -> list[ComparedList]:
    """The lists that have images and are no other one."""
    return [one for one in found.lists if one.first and not one.same_as]


def _contents(found: RunComparison) -> Iterator[str]:
    """Links to the lists, which are far down on a phone."""
    if shown := _shown(found):
        yield '<nav aria-label="Lists"><ul>'
        for one in shown:
            yield f'<li><a href="#{html_text(one.key)}">{html_text(one.title)}</a></li>'
        yield "</ul></nav>"


def _section(shown: NumberTable) -> Iterator[str]:
    if shown.rows:
        yield f"<h2>{html_text(shown.title)}</h2>"
        yield _table(shown)


def _table(shown: NumberTable) -> str:
    def cells(kind: str, texts: Iterable[str]) -> str:
        return "".join(
            f"<{kind}{_name(number < shown.names)}>{html_text(text.strip())}</{kind}>"
            for number, text in enumerate(texts)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in shown.rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{html_text(shown.title)}">'
        f'<table class="numbers"><tr>{cells("th", shown.headings)}</tr>{rows}</table></div>'
    )


def _name(is_name: bool) -> str:
    return ' class="name"' if is_name else ""


def _lists(paired: PairedRuns, found: RunComparison) -> Iterator[str]:
    shown = _shown(found)
    addresses = _addresses(paired.runs[0].images, {row.row for one in shown for row in one.first})
    for one in shown:
        yield f'<h2 id="{html_text(one.key)}">{html_text(one.title)}</h2>'
        yield f'<p class="muted">{html_text(_about(one))}</p><div class="images">'
        for row in one.first:
            yield _figure(row, addresses.get(row.row, ""))
        yield "</div>"


def _about(one: ComparedList) -> str:
    rest = len(one.rows) - len(one.first)
    shown = f" The first {len(one.first):,} of {len(one.rows):,}." if rest else ""
    return f"{one.description}.{shown}"


def _addresses(images: RunImages, rows: set[int]) -> dict[int, str]:
    """Small images by their rows; without those that lie elsewhere and have gone."""
    if images.column is None:
        read = images.read_some(sorted(rows), preview=True)
        return {row: picture_address(data) for row, data in read}
    found: dict[int, str] = {}
    for row in sorted(rows):
        with suppress(DatasetError):
            ((_, data),) = images.read_some([row], preview=True)
            found[row] = picture_address(data)
    return found


def _figure(row: ListedRow, address: str) -> str:
    name, number = row.label or "no label", f"#{row.image_id}"
    lines = [
        f'<p class="{"good" if right else "bad"}">{html_text(text)}</p>' * bool(row.label)
        or f"<p>{html_text(text)}</p>"
        for text, right in row.opinions
    ]
    notes = [row.note, f"decided: {row.decision}" * bool(row.decision)]
    lines += [f'<p class="muted">{html_text(note)}</p>' for note in notes if note]
    return (
        f"<figure>{picture(f'{name} {number}', address)}<figcaption><b>{html_text(name)}</b> "
        f"{html_text(number)}{''.join(lines)}</figcaption></figure>"
    )
