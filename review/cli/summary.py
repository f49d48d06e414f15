"""``summary``: a run on one page, as text or HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.declare import Target, file_target, option, output_option, takes
from review_embeddings.review.cli.options import debug_option, run_option, wait_option
from review_embeddings.review.cli.output import progress, write_page
from review_embeddings.review.cli.printing import say, terminal_width
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits

if TYPE_CHECKING:
    from review_embeddings.pipeline.images.runimages import RunImages
    from review_embeddings.review.page.card import ImageCard
    from review_embeddings.review.report.summary import Summary


@dataclass(frozen=True, kw_only=True)
class SummaryOptions:
    """Whether a page is written, and where."""

    run: str | None = run_option()
    html: bool = option(
        "--html", is_flag=True, help="Write a page with pictures, in one file, instead."
    )
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        help="The page to write. Default: exports/summary.html in the run folder.",
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("summary")
@takes(SummaryOptions, activity="Reading the table")
@waits
def summary_command(options: SummaryOptions) -> None:
    """Say on one page how a run went, how far its maps can be trusted, and which images to look at
    first."""
    from review_embeddings.pipeline.table import consistently
    from review_embeddings.review.report.summary import as_html, as_text, cards_of, summarize

    run = existing_run(options.run)
    if options.out and not options.html:
        raise SettingsError("--out is for the page. Add --html.")
    note = progress().note
    if not options.html:
        summary, _ = consistently(run, lambda: summarize(run, note=note))
        say(*as_text(summary, terminal_width()).splitlines())
        return

    def read() -> tuple[Summary, RunImages, dict[int, ImageCard]]:
        summary, images = summarize(run, note=note)
        return summary, images, cards_of(run, summary, images)

    summary, images, cards = consistently(run, read)
    path = file_target(options.out, run) or run.exports / "summary.html"
    write_page(run, path, lambda: as_html(summary, images, cards))
