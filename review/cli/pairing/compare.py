"""``compare``: what two runs, or more, say of the same images."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import Target, argument, option, output_option, takes
from review_embeddings.review.cli.errors import NOTHING_WRITTEN
from review_embeddings.review.cli.options import debug_option
from review_embeddings.review.cli.output import progress, write_page
from review_embeddings.review.cli.pairing.matching import MatchOptions, ask_where_few
from review_embeddings.review.cli.printing import say, say_json, terminal_width
from review_embeddings.review.cli.runs import existing_run, reviewed_runs

if TYPE_CHECKING:
    import pandas as pd

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.comparison.findings import RunComparison
    from review_embeddings.review.comparison.pairedruns import PairedRuns
    from review_embeddings.review.decisions.lines import Decision
    from review_embeddings.review.lists.beside import RunsBeside


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """The runs, how their images are matched, and what is written."""

    runs: tuple[str, ...] = argument(metavar="A B [C ...]", nargs=-1)
    checkpoint: tuple[str, ...] = option(
        "--checkpoint",
        multiple=True,
        metavar="STEP",
        choices=choices.ends,
        help="The checkpoint of all runs, or once for each run in their order: its step, first, "
        "last or best. Default: last.",
    )
    match: MatchOptions
    decisions_from: tuple[str, ...] = option(
        "--decisions-from",
        multiple=True,
        metavar="RUN",
        help="Show what was decided in this run too, B for one. Default: what was decided in A. "
        "Repeatable.",
    )
    shown: int = option(
        "--images",
        type=click.IntRange(min=0),
        metavar="N",
        help="Images of each list that are shown. Default: 8, and 16 on the page.",
    )
    html: Target | None = output_option(
        "--html", metavar="FILE", help="Write a page with small images, in one file."
    )
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        choices=choices.endings,
        help="Write a row for each common image, with what each run says of it: {choices}.",
    )
    unmatched: Target | None = output_option(
        "--unmatched",
        metavar="FILE",
        choices=choices.endings,
        help="Write a row for each image that not all runs have: {choices}.",
    )
    json: bool = option("--json", is_flag=True, help="Print JSON.")
    debug: bool = debug_option()


@click.command("compare")
@takes(CompareOptions, stopped=NOTHING_WRITTEN, activity="Comparing the runs")
def compare_command(options: CompareOptions) -> None:
    """Say what run A and run B, or more, predict of the images that all of them have: what all have
    wrong, what one alone, whether the difference is more than chance, how alike their embeddings
    are. `diff` compares data sets."""
    from review_embeddings.review.comparison.findings import SHOWN, compare_runs
    from review_embeddings.review.comparison.frame import compared_frame, unmatched_frame
    from review_embeddings.review.report.comparing.texts import as_json, as_text

    paired = _opened(options)
    page, out, unmatched = _targets(options, paired)
    beside = paired.beside()
    decisions = _decisions(paired, options)

    def work_out(shown: int) -> RunComparison:
        return compare_runs(
            paired,
            decisions,
            beside=beside,
            shown=shown if options.shown is None else options.shown,
        )

    found = work_out(TERMINAL_SHOWN)
    if options.json:
        say_json(as_json(found))
    else:
        say(*as_text(found, terminal_width()).splitlines())
    if out is not None:
        _write_list(compared_frame(paired).reset_index(), "", out, err=options.json)
    if unmatched is not None:
        frame = unmatched_frame(paired)
        _write_list(frame, "that not all runs have ", unmatched, err=options.json)
    if page is not None:
        _write_page(paired, beside, work_out(SHOWN), page, err=options.json)


TERMINAL_SHOWN = 8
"""Images of each list, where no number is given."""


def _opened(options: CompareOptions) -> PairedRuns:
    from review_embeddings.review.comparison.pairedruns import LAST, pair_runs

    runs = [existing_run(name) for name in options.runs]
    found = pair_runs(
        runs,
        checkpoints=options.checkpoint or LAST,
        match_by=options.match.match,
        progress=progress(),
    )
    ask_where_few(found, options.match)
    return found


def _targets(
    options: CompareOptions, paired: PairedRuns
) -> tuple[Path | None, Path | None, Path | None]:
    """Where the page and both lists are written. Refuses before anything is worked out what cannot
    be."""
    from review_embeddings.pipeline.table.formats import endings, format_of

    def path_of(target: Target | None) -> Path | None:
        paths = [target.file(one.run) for one in paired.runs] if target is not None else []
        return paths[0] if paths else None

    out, unmatched = path_of(options.out), path_of(options.unmatched)
    for name, path in (("--out", out), ("--unmatched", unmatched)):
        if path is not None and format_of(path) is None:
            raise SettingsError(f"{name} {path} is no list. Name a file: {', '.join(endings())}.")
    return path_of(options.html), out, unmatched


def _decisions(paired: PairedRuns, options: CompareOptions) -> dict[str, Decision]:
    """What holds in A, or in the runs of ``--decisions-from`` where A says nothing."""
    from review_embeddings.review.decisions.history import History
    from review_embeddings.review.decisions.log import read_history

    earlier: Sequence[RunFolder] = reviewed_runs(options.decisions_from)
    note = progress().note
    runs = (*earlier, paired.runs[0].run)
    return History([line for run in runs for line in read_history(run, note).lines]).current()


def _write_list(frame: pd.DataFrame, which: str, path: Path, *, err: bool) -> None:
    from review_embeddings.pipeline.table.formats import format_of
    from review_embeddings.review.exchange.formats import write_list

    form = format_of(path)
    assert form is not None
    write_list(frame, path, form.key)
    say(f"Wrote {len(frame):,} images {which}to {path}", err=err)


def _write_page(
    paired: PairedRuns, beside: RunsBeside, found: RunComparison, path: Path, *, err: bool
) -> None:
    from review_embeddings.review.report.comparing.page import as_html

    run = paired.runs[0].run
    write_page(run, path, functools.partial(as_html, paired, beside, found), err=err)
