"""``build``: the table of a run, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import option, takes
from review_embeddings.review.cli.options import (
    ComputeOptions,
    InputOptions,
    ResultOptions,
    checkpoint_option,
    debug_option,
    run_option,
)
from review_embeddings.review.cli.output import (
    print_checkpoints,
    print_jobs,
    print_seconds,
    print_table_size,
)
from review_embeddings.review.cli.runs import build_run, find_run, preview_run, request_of


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What is computed, and where the work is done."""

    run: str | None = run_option()
    checkpoint: tuple[str, ...] = checkpoint_option()
    inputs: InputOptions
    results: ResultOptions
    compute: ComputeOptions
    engine: str = option(
        "--engine",
        default="local",
        show_default=True,
        metavar="NAME",
        choices=choices.engines,
        help="{choices}; ray: in shards on a Ray cluster.",
    )
    address: str | None = option(
        "--address",
        metavar="ADDRESS",
        help="With --engine ray: of the cluster, or auto. Default: the cores of this machine.",
    )
    reread: bool = option(
        "--reread",
        is_flag=True,
        help="Read the images again by the rules of this version, though nothing has changed.",
    )
    dry_run: bool = option(
        "--dry-run",
        is_flag=True,
        help="Print what would be computed, for which checkpoint and why; compute nothing.",
    )
    debug: bool = debug_option()


@click.command("build")
@takes(BuildOptions)
def build_command(options: BuildOptions) -> None:
    """Put all checkpoints of a run (or those named) into its table; opens no browser.

    Can be stopped at any time: the same command goes on where it was.
    """
    request = replace(
        request_of(options.inputs, options.results, options.compute, options.checkpoint),
        engine=options.engine,
        address=options.address,
        reread=options.reread,
    )
    if options.dry_run:
        print_jobs(preview_run(find_run(options.run), request))
        return
    built = build_run(find_run(options.run), request)
    print_checkpoints(built)
    print_seconds(built)
    print_table_size(built)
