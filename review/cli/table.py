"""``table``: the long table as one file."""

from __future__ import annotations

from dataclasses import dataclass

import click

from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import (
    Target,
    comma_separated,
    option,
    output_option,
    takes,
)
from review_embeddings.review.cli.options import (
    checkpoint_option,
    debug_option,
    run_option,
    wait_option,
)
from review_embeddings.review.cli.output import print_faults
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Which part of the table is written, and where."""

    run: str | None = run_option()
    checkpoint: tuple[str, ...] = checkpoint_option()
    out: Target = output_option(
        "--out",
        metavar="FILE",
        required=True,
        choices=choices.endings,
        help="File to write: {choices}. Only .parquet holds vectors and images; in .csv a text "
        "that a spreadsheet would run, such as =1, stands behind a single quote.",
    )
    columns: str | None = option("--columns", metavar="A,B,…", help="Only these columns.")
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("table")
@takes(TableOptions, activity="Writing the table")
@waits
def table_command(options: TableOptions) -> None:
    """Write the long table of a run to one file, for other tools."""
    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.models.checkpoints import select

    run = existing_run(options.run)
    out = options.out.file(run)
    columns = list(comma_separated(options.columns)) if options.columns else None

    def write() -> int:
        manifest = table.read_manifest(run)
        steps = None
        if manifest and options.checkpoint:
            steps = select(manifest.steps, options.checkpoint, best=manifest.best)
        return table.export(run, out, checkpoints=steps, columns=columns)

    rows = table.consistently(run, write)
    say(f"Wrote {rows:,} rows to {out}")
    print_faults(run)
