"""``diff``: what is different between two data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import (
    Target,
    argument,
    option,
    output_option,
    takes,
    values_of,
)
from review_embeddings.review.cli.errors import DIFFERENT, NOTHING_WRITTEN
from review_embeddings.review.cli.options import (
    ReadingOptions,
    config_option,
    debug_option,
    image_column_option,
    label_column_option,
)
from review_embeddings.review.cli.output import progress
from review_embeddings.review.cli.printing import say

if TYPE_CHECKING:
    from review_embeddings.review.difference.compare import Differences
    from review_embeddings.review.difference.sides import OpenedSides, ReadingRequest


@dataclass(frozen=True, kw_only=True)
class DiffOptions:
    """The two data sets, how they are read, and what is written."""

    before: str = argument(metavar="A")
    after: str = argument(metavar="B")
    split: tuple[str, ...] = option(
        "--split", multiple=True, metavar="NAME", help="Compare only this split. Repeatable."
    )
    key: tuple[str, ...] = option(
        "--key",
        multiple=True,
        metavar="COLUMN",
        help="Column that says which row is which where an image has changed. Default: a column "
        "such as id, else file names. Repeatable.",
    )
    config: str | None = config_option()
    image_column: str | None = image_column_option()
    label_column: str | None = label_column_option()
    reading: ReadingOptions
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        choices=choices.endings,
        help="Write the list of all differences: {choices}.",
    )
    html: Target | None = output_option(
        "--html", metavar="FILE", help="Write a page with small images, in one file."
    )
    thumbnails: int = option(
        "--thumbnails",
        type=click.IntRange(min=0),
        default=100,
        show_default=True,
        metavar="N",
        help="Differences of each kind that the page shows.",
    )
    exit_code: bool = option(
        "--exit-code", is_flag=True, help=f"End with {DIFFERENT} where there is a difference."
    )
    debug: bool = debug_option()


@click.command("diff")
@takes(DiffOptions, stopped=NOTHING_WRITTEN, activity="Comparing")
def diff_command(options: DiffOptions) -> None:
    """Say which images were added, removed, relabelled, changed or moved between splits from data
    set A to B, by their content. Each is whatever --dataset takes, NAME@REVISION on the Hub, or a
    run, which means its images. `compare` says what runs predict of them."""
    from review_embeddings.review.difference.compare import compare
    from review_embeddings.review.difference.sides import open_sides
    from review_embeddings.review.difference.texts import lines, notes_of

    sides = open_sides(options.before, options.after, _request(options))
    out, page = _targets(options, sides)
    for note in sides.notes:
        progress().note(note)
    found = compare(
        sides.before.read(sides.keys, progress()),
        sides.after.read(sides.keys, progress()),
        labels=sides.labels,
        across=bool(options.key),
        splits=(sides.before.splits, sides.after.splits),
        classes=(sides.before.classes or (), sides.after.classes or ()),
    )
    notes = list(notes_of(found, sides.keys))
    for note in notes:
        progress().note(note)
    for line in lines(found):
        say(line)
    if out is not None:
        _write_list(found, out)
    if page is not None:
        _write_page(sides, found, [*sides.notes, *notes], options.thumbnails, page)
    if options.exit_code and found:
        raise SystemExit(DIFFERENT)


def _request(options: DiffOptions) -> ReadingRequest:
    from review_embeddings.pipeline.api import make_request
    from review_embeddings.review.difference.sides import ReadingRequest

    given = {
        **values_of(options.reading),
        "config": options.config,
        "image_column": options.image_column,
        "label_column": options.label_column,
    }
    asked = make_request(given).dataset
    fields = {name: value for name, value in asked.items() if value is not None}
    return ReadingRequest(options.split, options.key, fields)


def _targets(options: DiffOptions, sides: OpenedSides) -> tuple[Path | None, Path | None]:
    """Where the list and the page are written. Refuses before anything is read what cannot be."""
    from review_embeddings.pipeline.table.formats import endings, format_of

    roots = [side.root for side in (sides.before, sides.after) if side.root is not None]
    out = None if options.out is None else options.out.file_beside(roots)
    if out is not None and format_of(out) is None:
        raise SettingsError(f"--out {out} is no list. Name a file: {', '.join(endings())}.")
    return out, None if options.html is None else options.html.file_beside(roots)


def _write_list(found: Differences, path: Path) -> None:
    from review_embeddings.pipeline.table.formats import format_of
    from review_embeddings.review.difference.texts import as_frame
    from review_embeddings.review.exchange.formats import write_list

    form = format_of(path)
    assert form is not None
    write_list(as_frame(found), path, form.key)
    say(f"Wrote {len(found.rows):,} differences to {path}")


def _write_page(
    sides: OpenedSides, found: Differences, notes: list[str], limit: int, path: Path
) -> None:
    from review_embeddings.pipeline.run.files import whole_file
    from review_embeddings.review.difference.page import as_html

    page = as_html(sides.before, sides.after, found, notes, limit)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    say(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
