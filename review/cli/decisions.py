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
    from collections.abc import Sequence

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
    from review_embeddings.review.decisions.reviewers import name_of

    reviewers = sorted({line.reviewer for line in history.lines})
    say(f"{named(run.decisions)}, as of {history.taken}")
    shown = TextTable("", "")
    shown.add_row("lines", f"{len(history.lines):,}")
    shown.add_row("decided", f"{len(current):,} images")
    shown.add_row("lists", f"{len(history.saved_lists()):,}")
    shown.add_row("proposals", f"{len(history.proposals()):,} to be answered in a review")
    shown.add_row("reviewers", ", ".join(map(name_of, reviewers)) or "nobody yet")
    if len(reviewers) > 1:
        shown.add_row("disputed", f"{len(history.disputed()):,} images")
    if history.compacted is not None:
        shown.add_row("compacted", f"earlier lines are in {history.compacted.moved_to}")
    shown.print()
    _print_agreement(run, history)


def _print_agreement(run: RunFolder, history: History) -> None:
    """How far the reviewers agree, about all images and list by list."""
    from review_embeddings.review.lists.agreeing import agreement_by_list

    lists, hashes = _lists_of(run, history)
    found = agreement_by_list(lists, hashes, history.by_image())
    if not found:
        return
    shown = TextTable("", "reviewers", "images", "the same", "kappa", "")
    for one in found:
        for number, agreement in enumerate(one.agreements):
            shown.add_row(
                one.title if number == 0 else "",
                agreement.who,
                f"{agreement.images:,}",
                f"{agreement.same:,}",
                "–" if agreement.kappa is None else f"{agreement.kappa:.2f}",
                agreement.method,
            )
    say("", "Agreement, of the images that all who are named decided about (kappa from 10 on):")
    shown.print()


def _lists_of(
    run: RunFolder, history: History
) -> tuple[list[tuple[str, list[int]]], Sequence[str]]:
    """The lists of the run by title and rows, and the hashes of its images; no lists where it has
    no table."""
    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.images.runimages import read_images
    from review_embeddings.review.lists import lists_of
    from review_embeddings.review.lists.choose import ready_made_lists
    from review_embeddings.review.lists.reading import read_candidates

    images, manifest = read_images(run), table.read_manifest(run)
    if images is None:
        return [], list(history.current())
    if manifest is None:
        return [], images.hashes
    candidates = read_candidates(
        run,
        images,
        lists_of("page"),
        (manifest.steps[0], manifest.steps[-1]),
        decisions=history.current(),
        disputed=history.disputed(),
    )
    made = [one for one in ready_made_lists(candidates) if one.key and one.key != "disputed"]
    return [(one.title, one.rows) for one in made], images.hashes
