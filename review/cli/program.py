"""The command ``review-embeddings`` and its entry point; each family of commands has a file of its
own.

Exit codes: 0 done, 1 a fault of the program, 2 something a person can fix, and after a signal 128
and its number: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP or a closed terminal, 141 the reader of the
output has gone.
"""

from __future__ import annotations

import os

import click

from review_embeddings.pipeline.loading import imports_observed
from review_embeddings.pipeline.run.commandline import PROGRAM, command_line
from review_embeddings.review.cli.animate import animate_command
from review_embeddings.review.cli.build import build_command
from review_embeddings.review.cli.decisions import decisions_command
from review_embeddings.review.cli.declare import takes
from review_embeddings.review.cli.demo import demo_command
from review_embeddings.review.cli.errors import run_to_exit
from review_embeddings.review.cli.lists import apply_command, export_command, import_command
from review_embeddings.review.cli.live.statusline import status_shown
from review_embeddings.review.cli.pairing.compare import compare_command
from review_embeddings.review.cli.pairing.diff import diff_command
from review_embeddings.review.cli.printing import guarded_streams
from review_embeddings.review.cli.review import ReviewOptions, review
from review_embeddings.review.cli.share import share_command
from review_embeddings.review.cli.similar import index_command, similar_command
from review_embeddings.review.cli.summary import summary_command
from review_embeddings.review.cli.table import table_command
from review_embeddings.review.cli.training.finetune import finetune_command
from review_embeddings.review.cli.training.improve import improve_command

IDLE_THREADS = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_THREAD_TIMEOUT": "18"}
"""Threads that wait for each other sleep, those of OpenBLAS after 2 to the power of so many cycles:
where they keep a core busy and another process wants it, or another library's threads (NumPy and
SciPy have an OpenBLAS each), all of them wait. Read when torch and NumPy are loaded; what the
environment says already counts."""


@click.group(
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@takes(ReviewOptions)
@click.pass_context
def cli(context: click.Context, options: ReviewOptions) -> None:
    """Compare the embeddings of your images between checkpoints of a fine-tuning, side by side in
    Renumics Spotlight.

    \b
      review-embeddings demo
          a small run of its own, on real digits
      review-embeddings --first --last --run DIR --dataset NAME --split test
      review-embeddings --first --last
          the run in this folder, or the newest in runs/
      review-embeddings finetune --model MODEL --dataset NAME --run DIR
      review-embeddings --watch --run DIR
          while it is trained, in a second terminal
      review-embeddings build --run DIR
          all checkpoints into the table

    Checkpoints that are not in the table yet are embedded first; those that are there already are
    offered beside them.
    """
    if context.invoked_subcommand is None:
        review(options)
    else:
        _refuse_options_before(context, context.invoked_subcommand)


for command in (
    build_command,
    table_command,
    export_command,
    import_command,
    apply_command,
    decisions_command,
    diff_command,
    compare_command,
    summary_command,
    index_command,
    similar_command,
    animate_command,
    share_command,
    finetune_command,
    improve_command,
    demo_command,
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console command."""
    for name, value in IDLE_THREADS.items():
        os.environ.setdefault(name, value)
    with guarded_streams(), imports_observed(), status_shown():
        run_to_exit(cli, PROGRAM)


def _refuse_options_before(context: click.Context, command: str) -> None:
    """Options before a command's name would be silently lost."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = parameter.opts[0]
            raise click.UsageError(
                f"{option} stands before {command!r} and would be lost. Write it behind: "
                f"{command_line(command, option)} …"
            )
