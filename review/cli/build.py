"""``build``: the table of a run, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import option, takes
from review_embeddings.review.cli.errors import USER_ERROR
from review_embeddings.review.cli.jsonlines import write_result
from review_embeddings.review.cli.options import (
    ComputeOptions,
    InputOptions,
    ResultOptions,
    checkpoint_option,
    debug_option,
    json_option,
    run_option,
    wait_option,
)
from review_embeddings.review.cli.output import (
    print_checkpoints,
    print_jobs,
    print_seconds,
    print_table_size,
    progress,
)
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import (
    build_run,
    existing_run,
    find_run,
    preview_run,
    request_of,
)
from review_embeddings.review.cli.waiting import when_free

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.stages.stage import Job


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
    dry_run: bool = option(
        "--dry-run",
        is_flag=True,
        help="Print what would be computed, for which checkpoint and why; compute nothing.",
    )
    verify: bool = option(
        "--verify",
        is_flag=True,
        help="Compare every stored file with its checksum, and say what brings back the damaged "
        "ones; compute nothing.",
    )
    json_lines: bool = json_option()
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("build")
@takes(BuildOptions)
def build_command(options: BuildOptions) -> None:
    """Put all checkpoints of a run (or those named) into its table; opens no browser.

    Can be stopped at any time: the same command goes on where it was.
    """
    if options.verify:
        _verify(existing_run(options.run))
        return
    request = replace(
        request_of(options.inputs, options.results, options.compute, options.checkpoint),
        engine=options.engine,
        address=options.address,
    )
    run = find_run(options.run)
    if options.dry_run:
        jobs = preview_run(run, request)
        listed = [_job(job) for job in jobs]
        if not write_result("build --dry-run", run=str(run), jobs=listed):
            print_jobs(jobs)
        return
    built = when_free(lambda: build_run(run, request), progress().note, wait=options.wait)
    if write_result("build", **_result(built)):
        return
    print_checkpoints(built)
    print_seconds(built)
    print_table_size(built)


def _job(job: Job) -> dict[str, Any]:
    return {
        "stage": job.stage.name,
        "checkpoint": job.checkpoint,
        "reason": job.reason,
        "seconds": job.seconds,
    }


def _result(built: Built) -> dict[str, Any]:
    return {
        "run": str(built.run),
        "images": len(built.images),
        "steps": built.manifest.steps,
        "waiting": built.waiting,
        "seconds": built.seconds,
    }


def _verify(run: RunFolder) -> None:
    """Say which stored files are damaged; end with the code of an error where some are."""
    from review_embeddings.pipeline.verify import verify

    found = verify(run, progress())
    for one in (*found.damaged, *found.unreadable):
        say(one.message, err=True)
    say(f"{found.checked:,} stored files are as they were written.")
    if found.unknown:
        say(f"{found.unknown:,} more were written by a version without checksums.")
    if found.unreadable:
        say(f"Files that cannot be read: {len(found.unreadable):,}.", err=True)
    if found.damaged:
        say(f"Damaged files: {len(found.damaged):,}.", err=True)
    if found.damaged or found.unreadable:
        raise SystemExit(USER_ERROR)
