"""How the images of several runs are matched: the options, what is said of the match, and the
question where few images are common."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.review.cli.declare import Choice, option
from review_embeddings.review.cli.output import progress
from review_embeddings.review.cli.printing import say

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.comparison.pairedruns import PairedRuns

MatchBy = Literal["content", "pixels", "lossy"]

NAMED = 10
"""Images without a match that are named; of the others it is said what names them."""

OTHERS = {
    "content": "--match pixels or lossy for copies that were encoded again",
    "pixels": "--match lossy for copies that were encoded again as JPEG",
    "lossy": "other runs",
}
"""What may match more images, by what they were matched by."""


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """Which image of one run is which of another."""

    match: MatchBy = option(
        "--match",
        type=Choice(lambda: get_args(MatchBy)),
        default="content",
        show_default=True,
        help="How images of several runs are matched: by the content of their files, by their "
        "decoded pixels (copies that were encoded again without loss), or lossy: as JPEG, too, "
        "where one encoded like the other comes out the same. Copies of another size are none.",
    )
    yes: bool = option(
        "--yes",
        is_flag=True,
        help="Do not ask where less than 90 % of the images of a run are common.",
    )


def paired(runs: Sequence[RunFolder], options: MatchOptions, **settings: Any) -> PairedRuns:
    """The runs with their images matched; says how many are, and asks where they are few.
    ``settings`` are those of `pair_runs`. Raises SettingsError where nobody wants to go on."""
    from review_embeddings.review.comparison.pairedruns import pair_runs

    found = pair_runs(
        runs,
        match_by=options.match,
        progress=progress(),
        **settings,
    )
    say(*match_lines(found))
    ask_where_few(found, options)
    return found


def match_lines(found: PairedRuns) -> list[str]:
    """How many images of each run are common, how many of them are known only as copies with
    loss, and which are not common, for people."""
    lines = []
    more_than_named = False
    for number, one in enumerate(found.runs):
        total, missing = len(one.images), found.unmatched(number)
        share = f"{100 * found.share(number):.1f} %"
        line = f"{one.letter} {one.run}: {len(found):,} of {total:,} images common ({share})"
        if len(missing):
            ids = ", ".join(str(one.images.ids[row]) for row in missing[:NAMED].tolist())
            others = len(missing) - NAMED
            more = f" and {others:,} more" if others > 0 else ""
            line += f"; not in all runs: image {ids}{more}"
            more_than_named |= others > 0
        lines.append(line)
    if found.recoded:
        lines.append(f"{found.recoded:,} of the common images are matched as copies with loss")
    if more_than_named:
        runs = [one.run for one in found.runs]
        matched = () if found.match_by == "content" else ("--match", found.match_by)
        command = command_line("compare", *runs, *matched, "--unmatched", "FILE.csv")
        lines.append(f"All that are not in all runs: {command}")
    return lines


def ask_where_few(found: PairedRuns, options: MatchOptions) -> None:
    """Ask whether runs are compared of which few images are common. Raises SettingsError where
    nobody wants that, or can be asked."""
    if found.is_enough or options.yes:
        return
    least = min(range(len(found.runs)), key=found.share)
    one, share = found.runs[least], f"{100 * found.share(least):.1f} %"
    sentence = f"Only {share} of the images of {one.letter} {one.run} are in all runs."
    if sys.stdin is None or not sys.stdin.isatty():
        raise SettingsError(
            f"{sentence} What is compared is these alone: give --yes to go on, or "
            f"{OTHERS[options.match]}."
        )
    if not click.confirm(f"{sentence} Compare these alone?", err=True):
        raise SettingsError(f"Nothing was compared. Try {OTHERS[options.match]}.")
