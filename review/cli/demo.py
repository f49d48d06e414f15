"""``demo``: a small run of its own, where nothing else is at hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.review.cli.declare import local_path, option, takes, values_of
from review_embeddings.review.cli.options import ComputeOptions, ServeOptions, debug_option
from review_embeddings.review.cli.output import print_checkpoints, progress
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.serving import address_of, show

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Where the run is made, and whether it is opened."""

    run: str = option(
        "--run",
        default="runs/demo",
        show_default=True,
        metavar="DIR",
        help="Where to make the run.",
    )
    no_serve: bool = option("--no-serve", is_flag=True, help="Stop before Spotlight opens.")
    compute: ComputeOptions
    serve: ServeOptions
    debug: bool = debug_option()


@click.command("demo")
@takes(DemoOptions, activity="Setting up the training")
def demo_command(options: DemoOptions) -> None:
    """Train a small Vision Transformer on 1,797 real digits, build its table and open it: all of it
    in about a minute."""
    address = None if options.no_serve else address_of(options.serve)
    if address is not None:
        address.check()
    built = _build(options)
    print_checkpoints(built)
    images, steps = len(built.images), len(built.manifest.steps)
    say(f"Run: {built.run.path.resolve()} ({images:,} images x {steps} checkpoints)")
    say(f"Open it again with: {command_line('--first', '--last', '--run', built.run)}")
    if address is not None:
        ends = [built.wanted[0], built.wanted[-1]]
        show(replace(built, wanted=ends), address, options.serve)


def _build(options: DemoOptions) -> Built:
    from review_embeddings.pipeline.api import build
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.demo import SPLIT, make_demo

    run = RunFolder(local_path(options.run, "--run"))
    source = make_demo(run, progress())
    compute = values_of(options.compute)
    return build(run, dataset=source, split=SPLIT, progress=progress(), **compute)
