"""``summary``: a run on one page, as text or HTML."""

from __future__ import annotations

from dataclasses import dataclass

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.declare import Target, file_target, option, output_option, takes
from review_embeddings.review.cli.options import debug_option, run_option
from review_embeddings.review.cli.output import progress, write_page
from review_embeddings.review.cli.printing import say, terminal_width
from review_embeddings.review.cli.runs import existing_run


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
    debug: bool = debug_option()


@click.command("summary")
@takes(SummaryOptions)
def summary_command(options: SummaryOptions) -> None:
    """Say on one page how a run went, how far its maps can be trusted, and which images to look at
    first."""
    from review_embeddings.pipeline.table import consistently
    from review_embeddings.review.report.summary import as_html, as_text, summarize

    run = existing_run(options.run)
    if options.out and not options.html:
        raise SettingsError("--out is for the page. Add --html.")
    note = progress().note
    summary, images = consistently(run, lambda: summarize(run, note=note))
    if not options.html:
        say(*as_text(summary, terminal_width()).splitlines())
        return
    path = file_target(options.out, run) or run.exports / "summary.html"
    write_page(run, path, lambda: as_html(summary, images))
