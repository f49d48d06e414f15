"""``share``: a review as a page in one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import (
    Target,
    comma_separated,
    file_target,
    option,
    output_option,
    takes,
)
from review_embeddings.review.cli.errors import NOTHING_WRITTEN
from review_embeddings.review.cli.jsonlines import write_result
from review_embeddings.review.cli.options import debug_option, json_option, run_option, wait_option
from review_embeddings.review.cli.output import named, print_faults, progress
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits

if TYPE_CHECKING:
    from pathlib import Path

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.share.make import SharedPage


@dataclass(frozen=True, kw_only=True)
class ShareOptions:
    """What is shared, and where it is written."""

    run: str | None = run_option()
    out: Target = output_option(
        "--out", metavar="FILE", required=True, help="The page to write, such as page.html."
    )
    gallery: tuple[str, ...] = option(
        "--gallery",
        multiple=True,
        metavar="RUN",
        help="Show this run beside it, its maps turned onto those of the run by the images that "
        "both have. Repeatable, up to 3.",
    )
    title: str | None = option(
        "--title",
        metavar="TEXT",
        help="Title of the page. Default: model, data set and steps, as of the film.",
    )
    images: int = option(
        "--images",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="At most N images: all of the lists, and a seeded sample of the rest, balanced over "
        "the classes. Default: all.",
    )
    max_mb: float = option(
        "--max-mb",
        type=float,
        default=12,
        show_default=True,
        metavar="N",
        help="Let thumbnails be smaller, then images fewer, until the page has at most N MB.",
    )
    no_images: bool = option(
        "--no-images", is_flag=True, help="Leave all pictures out: the page has no pixel of them."
    )
    private: str | None = option(
        "--with",
        metavar="NAMES",
        choices=choices.private,
        help="Let these leave too, by commas: {choices}.",
    )
    readme: Target | None = output_option(
        "--readme",
        metavar="FILE",
        help="Write the text beside the page too: the README.md of a static Space of the Hub, or "
        "for GitHub Pages.",
    )
    wait: bool = wait_option()
    json_lines: bool = json_option()
    debug: bool = debug_option()


@click.command("share")
@takes(ShareOptions, stopped=NOTHING_WRITTEN, activity="Reading the table")
@waits
def share_command(options: ShareOptions) -> None:
    """Write the review of a run as a page in one file: its maps through the training, its lists,
    images and curves, without a server or a network. Says first what leaves the run; file names,
    hashes, notes, reviewers and decisions do not."""
    from review_embeddings.review.share.make import make_page
    from review_embeddings.review.share.options import ShareSettings

    run = existing_run(options.run)
    print_faults(run)
    out, readme = options.out.file(run), file_target(options.readme, run)
    if readme is not None and readme.resolve() == out.resolve():
        raise SettingsError(f"--readme {readme} is the page itself. Name another file.")
    settings = ShareSettings(
        title=options.title,
        images=options.images,
        max_mb=options.max_mb,
        pictures=not options.no_images,
        private=comma_separated(options.private),
    )
    others = [existing_run(one) for one in options.gallery]
    if others:
        from review_embeddings.review.share.gallery import make_gallery

        page = make_gallery([run, *others], settings, progress=progress())
    else:
        page = make_page(run, settings, progress=progress())
    _say_what_leaves(page)
    page.write(out)
    if readme is not None:
        page.write_readme(readme, out)
    _say_what_is_written(run, page, out, readme)


def _say_what_leaves(page: SharedPage) -> None:
    lines = [f"  {one}" for one in page.holds]
    say("The page holds:", *lines, err=True)
    if page.left_out:
        left_out = [f"  {one}" for one in page.left_out]
        say("To stay small it leaves out:", *left_out, err=True)
    if page.missing:
        images = "1 image" if page.missing == 1 else f"{page.missing:,} images"
        say(f"{images} cannot be read any more: gray squares on the page.", err=True)


def _say_what_is_written(run: RunFolder, page: SharedPage, out: Path, readme: Path | None) -> None:
    size = page.bytes
    if write_result(
        "share",
        run=str(run),
        file=out,
        readme=readme,
        bytes=size,
        images=page.images,
        of=page.total,
        steps=page.steps,
        thumbnails=page.side,
        holds=page.holds,
        left_out=page.left_out,
        missing=page.missing,
    ):
        return
    say(f"Wrote {named(out)} ({size / 1e6:.1f} MB, {page.images:,} images)")
    if readme is not None:
        say(f"Wrote {named(readme)}")
