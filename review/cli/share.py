"""``share``: a review as a page in one file."""

from __future__ import annotations

from dataclasses import dataclass

import click

from review_embeddings.review.cli.declare import Target, output_option, takes
from review_embeddings.review.cli.errors import NOTHING_WRITTEN
from review_embeddings.review.cli.options import debug_option, run_option, wait_option
from review_embeddings.review.cli.output import named, print_faults
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits


@dataclass(frozen=True, kw_only=True)
class ShareOptions:
    """What is shared, and where it is written."""

    run: str | None = run_option()
    out: Target = output_option(
        "--out", metavar="FILE", required=True, help="The page to write, such as page.html."
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("share")
@takes(ShareOptions, stopped=NOTHING_WRITTEN, activity="Reading the table")
@waits
def share_command(options: ShareOptions) -> None:
    """Write the review of a run as a page in one file, which shows its maps, lists and images
    without a server or a network."""
    from review_embeddings.review.share.content import share

    run = existing_run(options.run)
    print_faults(run)
    out = options.out.file(run)
    size = share(run, out)
    say(f"Wrote {named(out)} ({size / 1e6:.1f} MB)")
