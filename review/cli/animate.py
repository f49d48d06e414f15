"""``animate``: the film of a fine-tuning, or a still of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import (
    Target,
    file_target,
    option,
    output_option,
    takes,
    values_of,
)
from review_embeddings.review.cli.errors import NOTHING_WRITTEN
from review_embeddings.review.cli.options import (
    checkpoint_option,
    debug_option,
    run_option,
    wait_option,
)
from review_embeddings.review.cli.output import named, print_faults, progress
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """How a film looks: the fields of `review.animation.options.FilmOptions`."""

    size: int = option(
        "--size",
        type=int,
        default=800,
        show_default=True,
        metavar="N",
        help="Width in pixels, 480 to 2160; the height follows from the shape.",
    )
    shape: str = option(
        "--shape",
        default="landscape",
        show_default=True,
        metavar="NAME",
        choices=choices.shapes,
        help="{choices}: 5:4, 1:1, 16:9, 4:5.",
    )
    title: str | None = option(
        "--title",
        metavar="TEXT",
        help='Line above the map, "" for none. Default: model, data set and steps.',
    )
    credit: bool = option(
        "--no-credit",
        is_flag=True,
        flag_value=False,
        default=True,
        help="Leave the name of this program in the corner out.",
    )
    closing: bool = option(
        "--no-closing",
        is_flag=True,
        flag_value=False,
        default=True,
        help="Leave the frame at the end out: three images before and after.",
    )
    fps: float = option(
        "--fps", type=float, default=15, show_default=True, metavar="N", help="Frames a second."
    )
    tween: int | None = option(
        "--tween",
        type=int,
        metavar="N",
        help="Frames between two checkpoints. Default: so many that there are about 150 in all.",
    )
    pace: str = option(
        "--time",
        default="equal",
        show_default=True,
        metavar="HOW",
        choices=choices.paces,
        help="{choices}; steps: as long as the training took.",
    )
    hold: float = option(
        "--hold",
        type=float,
        default=2,
        show_default=True,
        metavar="SECONDS",
        help="How long the last frame stays.",
    )
    align: str = option(
        "--align",
        default="next",
        show_default=True,
        metavar="HOW",
        choices=choices.map_aligns,
        help="{choices}; next: each map is turned onto the next one; table: as on the page.",
    )
    linger: int = option(
        "--linger",
        type=int,
        default=0,
        metavar="K",
        help="The K checkpoints of largest disparity stay half a second longer.",
    )
    theme: str = option(
        "--theme",
        default="light",
        show_default=True,
        metavar="NAME",
        choices=choices.themes,
        help="{choices}.",
    )
    top: int = option(
        "--top",
        type=int,
        default=8,
        show_default=True,
        metavar="K",
        help="Images in the leaderboard; as many as the shape has room for.",
    )
    trails: int = option(
        "--trails",
        type=int,
        default=0,
        metavar="K",
        help="Draw the way of the K images that move furthest, at most 3.",
    )
    trail: tuple[int, ...] = option(
        "--trail",
        type=int,
        multiple=True,
        metavar="ID",
        help="Draw the way of this image. Repeatable.",
    )
    groups: bool = option(
        "--groups",
        is_flag=True,
        help="Ring the images of groups that stand apart, and say in the map's corner how many.",
    )
    trust: bool = option(
        "--trust", is_flag=True, help="Say in the map's corner how far it can be trusted."
    )
    max_mb: float | None = option(
        "--max-mb",
        type=float,
        metavar="N",
        help="Lower size, colours and frame rate until the file has at most N MB.",
    )


@dataclass(frozen=True, kw_only=True)
class AnimateOptions:
    """What is filmed, and where it is written."""

    run: str | None = run_option()
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        choices=choices.film_endings,
        help="File to write: {choices} (animated). Default: exports/animation.gif.",
    )
    frame: str | None = option(
        "--frame", metavar="STEP", help="Write a still of this checkpoint instead, as .png."
    )
    checkpoint: tuple[str, ...] = checkpoint_option()
    film: LookOptions
    keep_frames: bool = option(
        "--keep-frames",
        is_flag=True,
        help="Write the frame of each checkpoint as frame.png into its folder too.",
    )
    processes: int | None = option(
        "--processes",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many draw at the same time. Default: one a core.",
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("animate")
@takes(AnimateOptions, stopped=NOTHING_WRITTEN, activity="Preparing the film")
@waits
def animate_command(options: AnimateOptions) -> None:
    """Make the film of the fine-tuning: the map of each checkpoint, its most atypical images, the
    loss."""
    run = existing_run(options.run)
    print_faults(run)
    if options.frame is None:
        _film(run, options)
        return
    if options.checkpoint or options.keep_frames:
        raise SettingsError("--frame is one picture. Leave --checkpoint and --keep-frames out.")
    _still(run, options.frame, options)


def _still(run: RunFolder, checkpoint: str, options: AnimateOptions) -> None:
    from review_embeddings.review.animation.film import draw_still

    still = draw_still(run, checkpoint, file_target(options.out, run), **values_of(options.film))
    say(f"Wrote {named(still.path)} ({still.size[0]} x {still.size[1]} pixels)")
    for remark in still.remarks:
        say(remark)


def _film(run: RunFolder, options: AnimateOptions) -> None:
    from review_embeddings.review.animation.film import animate

    film = animate(
        run,
        file_target(options.out, run),
        checkpoints=options.checkpoint,
        keep_frames=options.keep_frames,
        processes=options.processes,
        progress=progress(),
        **values_of(options.film),
    )
    size = f"{film.size[0]} x {film.size[1]} pixels, {film.bytes / 1e6:.1f} MB"
    say(f"Wrote {named(film.path)}: {film.frames:,} frames, {film.seconds:.1f} s, {size}")
    if film.lowered:
        say(f"Lowered to stay under {options.film.max_mb:g} MB: {film.lowered}")
    for remark in film.remarks:
        say(remark)
    if film.kept:
        say(f"Kept {len(film.kept):,} frames: {film.kept[0]} …")
