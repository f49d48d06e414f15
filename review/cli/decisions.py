"""``decisions``: what the file of decisions holds, and how it is made short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import RunError
from review_embeddings.review.cli.declare import option, takes
from review_embeddings.review.cli.options import debug_option, run_option, wait_option
from review_embeddings.review.cli.output import named, progress
from review_embeddings.review.cli.printing import TextTable, say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.decisions.history import History


@dataclass(frozen=True, kw_only=True)
class DecisionsOptions:
    """Whose decisions, and what is done with them."""

    run: str | None = run_option()
    compact: bool = option(
        "--compact",
        is_flag=True,
        help="Keep the last line of each image, reviewer and list, and move the others into a file "
        "with today's date; not while the run is open in a review.",
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("decisions")
@takes(DecisionsOptions)
@waits
def decisions_command(options: DecisionsOptions) -> None:
    """Say what was decided about the images of a run, and by whom."""
    from review_embeddings.review.decisions.compact import compact
    from review_embeddings.review.decisions.log import read_history

    run = existing_run(options.run)
    if run.read_info() is None and not run.decisions.exists():
        raise RunError(f"{run} is no run that was reviewed. Name one that was with --run.")
    if not options.compact:
        _print(run, read_history(run, progress().note))
        return
    done = compact(run, progress().note)
    moved = "" if done.file is None else f", {done.moved:,} moved to {named(done.file)}"
    say(f"{named(run.decisions)}: {done.kept:,} lines{moved}")


def _print(run: RunFolder, history: History) -> None:
    current = history.current()
    reviewers = sorted({line.reviewer for line in history.lines})
    say(f"{named(run.decisions)}, as of {history.taken}")
    shown = TextTable("", "")
    shown.add_row("lines", f"{len(history.lines):,}")
    shown.add_row("decided", f"{len(current):,} images")
    shown.add_row("lists", f"{len(history.saved_lists()):,}")
    shown.add_row("proposals", f"{len(history.proposals()):,} to be answered in a review")
    shown.add_row("reviewers", ", ".join(reviewers) or "nobody yet")
    if history.compacted is not None:
        shown.add_row("compacted", f"earlier lines are in {history.compacted.moved_to}")
    shown.print()
