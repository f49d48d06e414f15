"""Opens a run in Spotlight: what ``review-embeddings`` does without the name of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.review.cli.declare import option
from review_embeddings.review.cli.options import (
    ComputeOptions,
    InputOptions,
    ResultOptions,
    ServeOptions,
    checkpoint_option,
    debug_option,
    run_option,
    wait_option,
)
from review_embeddings.review.cli.output import print_checkpoints, progress
from review_embeddings.review.cli.pairing.beside import (
    Compared,
    check_alone,
    compared_runs,
    compared_with,
)
from review_embeddings.review.cli.pairing.matching import MatchOptions
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import build_run, find_run, request_of, reviewed_runs
from review_embeddings.review.cli.serving import address_of, serve_page, show
from review_embeddings.review.cli.waiting import when_free

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.page.address import Address
    from review_embeddings.review.page.server import Page


@dataclass(frozen=True, kw_only=True)
class ReviewOptions:
    """Which run and checkpoints are shown, who decides, and where the page is served."""

    first: bool = option("--first", is_flag=True, help="Show the first checkpoint.")
    last: bool = option("--last", is_flag=True, help="Show the last checkpoint.")
    checkpoint: tuple[str, ...] = checkpoint_option()
    run: str | None = run_option()
    inputs: InputOptions
    results: ResultOptions
    reviewer: str | None = option(
        "--reviewer",
        metavar="NAME",
        help="Who decides about the images. Default: your login name.",
    )
    earlier: tuple[str, ...] = option(
        "--decisions-from",
        multiple=True,
        metavar="RUN",
        help="Show the decisions of another run on the same images too.",
    )
    second_look: bool = option(
        "--second-look",
        is_flag=True,
        help="Show only images that others have decided about, and what they decided once you have "
        "decided yourself.",
    )
    others: tuple[str, ...] = option(
        "--with",
        multiple=True,
        metavar="RUN",
        help="Compare with another run on the same images, beside this one. Repeatable. Nothing is "
        "computed for it, and decisions go to this run alone.",
    )
    matching: MatchOptions
    own_maps: bool = option(
        "--own-maps",
        is_flag=True,
        help="With --with: show each run's own map, turned onto the first one's. Default: both "
        "embeddings on one plane.",
    )
    watch: bool = option(
        "--watch",
        is_flag=True,
        help="Look on while the run is trained: new checkpoints appear in the open page.",
    )
    probe: int | None = option(
        "--probe",
        type=click.IntRange(min=1),
        metavar="N",
        help="With --watch: a fixed sample of N images, to keep up.",
    )
    long_frame: bool = option(
        "--long",
        is_flag=True,
        help="Open the long table itself, a row for every image and checkpoint (not linked).",
    )
    compute: ComputeOptions
    serve: ServeOptions
    wait: bool = wait_option()
    debug: bool = debug_option()

    @property
    def checkpoints(self) -> list[str]:
        """The checkpoints that are shown."""
        ends = [name for name, given in (("first", self.first), ("last", self.last)) if given]
        return [*ends, *self.checkpoint] or ["first", "last"]


def review(options: ReviewOptions) -> None:
    """Open a run, or watch one that is trained."""
    address = address_of(options.serve)
    address.check()
    if options.second_look and (options.watch or options.long_frame):
        raise SettingsError(
            "--second-look is for a finished run, image by image. Leave --watch and --long out."
        )
    if options.watch:
        _others(options)
        _watch(options, address)
        return
    if options.probe:
        raise SettingsError("--probe goes with --watch. Use --limit for a sample of another run.")
    request = request_of(options.inputs, options.results, options.compute, options.checkpoints)
    run = find_run(options.run)
    others = _others(options)
    built = when_free(lambda: build_run(run, request), progress().note, wait=options.wait)
    print_checkpoints(built)
    beside = compared_with(built, Compared(others, options.matching, options.own_maps))
    deciding = _deciding(options) | {"second_look": options.second_look}
    show(built, address, options.serve, long=options.long_frame, beside=beside, **deciding)


def _others(options: ReviewOptions) -> list[RunFolder]:
    """The runs of ``--with``. Raises ReviewError for one that cannot be compared, before anything
    is built."""
    many = options.watch or options.long_frame
    check_alone(options.others, long=many, second_look=options.second_look)
    matched = options.matching.yes or options.matching.match != "content"
    if not options.others and (options.own_maps or matched):
        raise SettingsError("--own-maps, --match and --yes go with --with RUN.")
    return compared_runs(options.others)


def _watch(options: ReviewOptions, address: Address) -> None:
    """Show a run while it is trained, until it is stopped."""
    from review_embeddings.review.page.page import page_for
    from review_embeddings.review.page.watch import Watcher

    _check_watched(options)
    run = find_run(options.run)
    settings = _deciding(options) | {"watching": True, "note": progress().note}
    request = request_of(options.inputs, options.results, options.compute)
    watcher = Watcher(run, request, progress(), probe=options.probe)
    print_checkpoints(built := watcher.wait())

    def next_page() -> Page | None:
        built = watcher.look()
        if built is None:
            return None
        say(watcher.news)
        return page_for(built, news=watcher.news, sample=page.sample, **settings)

    page = page_for(built, rows=options.serve.rows, **settings)
    serve_page(page, address, options.serve, next_page)


def _check_watched(options: ReviewOptions) -> None:
    """Raise SettingsError for what cannot be watched."""
    from review_embeddings.pipeline.run.storage import is_address

    if options.run is not None and is_address(options.run):
        raise SettingsError(
            "--watch looks on in a folder of this machine, not in a store. Leave it out, "
            "and open the run again."
        )
    if options.inputs.reading.reread:
        named = () if options.run is None else ("--run", options.run)
        raise SettingsError(
            "--watch looks again and again. Leave --reread out: "
            f"`{command_line('build', *named, '--reread')}` reads the images once."
        )
    if options.checkpoint or options.long_frame:
        raise SettingsError(
            "--watch shows the first and the newest checkpoint. Leave --checkpoint and --long out."
        )


def _deciding(options: ReviewOptions) -> dict[str, Any]:
    """Who decides, and whose decisions are shown beside those of the run."""
    return {"reviewer": options.reviewer, "earlier": reviewed_runs(options.earlier)}
