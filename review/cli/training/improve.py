"""``improve``: whether the decisions about training images make a better model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.declare import Target, local_path, option, output_option, takes
from review_embeddings.review.cli.errors import SignalRequests, end, stop_requests
from review_embeddings.review.cli.jsonlines import write_result
from review_embeddings.review.cli.options import (
    applied_disputed_option,
    debug_option,
    json_option,
    run_option,
    skip_unreadable_option,
    wait_option,
)
from review_embeddings.review.cli.output import progress
from review_embeddings.review.cli.printing import say, terminal_width
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import when_free

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.improving.improve import Improved
    from review_embeddings.review.improving.request import ImproveRequest


@dataclass(frozen=True, kw_only=True)
class ImproveOptions:
    """What is proved, and with how many trainings."""

    run: str | None = run_option()
    decisions: str | None = option(
        "--decisions",
        metavar="FILE",
        help="Decisions to try: a list with image_hash and decision, another run or its "
        "decisions.jsonl. Default: those of the run.",
    )
    out: Target | None = output_option(
        "--out",
        metavar="DIR",
        help="Folder for the trainings, each a run of its own, and the results. Default: the run's "
        "name with -improve, beside it.",
    )
    seeds: int | None = option(
        "--seeds",
        type=int,
        metavar="K",
        help="Train K times with and K times without the decisions, with the same K seeds. "
        "Default: 3.",
    )
    eval_split: str | None = option(
        "--eval-split",
        metavar="NAME",
        help="Split to evaluate on, as it is. Default: the one that the run was evaluated on.",
    )
    corrected: bool = option(
        "--corrected",
        is_flag=True,
        help="Show the result on that split with the decisions applied, too: beside it, never as "
        "proof.",
    )
    explain: bool = option(
        "--explain",
        is_flag=True,
        help="Train without the relabels, without the removals and without the duplicates, too, "
        "and say which of them carried the difference.",
    )
    limit: int | None = option(
        "--limit",
        type=int,
        metavar="N",
        help="A quick look: train on N of the images, a seeded sample balanced over classes.",
    )
    baseline: str | None = option(
        "--baseline",
        metavar="DIR",
        help="The --out of an earlier one with the same run: its trainings without decisions are "
        "used, too.",
    )
    device: str | None = option(
        "--device",
        metavar="NAME",
        help="What to train on: cpu, cuda, cuda:1, mps. Default: that of the run, or the best.",
    )
    skip_unreadable: bool = skip_unreadable_option()
    disputed: str | None = applied_disputed_option()
    json_lines: bool = json_option()
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("improve")
@takes(ImproveOptions, activity="Reading the decisions")
def improve_command(options: ImproveOptions) -> None:
    """Say whether the decisions about training images make a better model: train a run again with
    and without them, with the same settings and seeds, and compare on the test split as it is.

    Can be stopped at any time: the same command goes on where it was.
    """
    from review_embeddings.review.improving.improve import improve

    run = existing_run(options.run)
    request = _request(options, run)
    shown = progress()

    def work() -> tuple[Improved, SignalRequests]:
        with stop_requests(shown.note) as stop:
            return improve(run, request, progress=shown, stop=stop), stop

    improved, stop = when_free(work, shown.note, wait=options.wait)
    _report(improved, run, stop)


def _request(options: ImproveOptions, run: RunFolder) -> ImproveRequest:
    from review_embeddings.pipeline.run.storage import is_address
    from review_embeddings.review.improving.request import DEFAULT_SEEDS, ImproveRequest

    if options.out is None and is_address(str(options.run)):
        raise SettingsError(
            "The run lies in a store, beside which nothing is trained. Name a folder here with "
            "--out."
        )
    beside = run.path.resolve().with_name(f"{run.path.resolve().name}-improve")
    out = beside if options.out is None else local_path(options.out.name, "--out")
    baseline = options.baseline
    return ImproveRequest(
        out=out,
        decisions=options.decisions,
        seeds=DEFAULT_SEEDS if options.seeds is None else options.seeds,
        eval_split=options.eval_split,
        limit=options.limit,
        explain=options.explain,
        corrected=options.corrected,
        baseline=None if baseline is None else local_path(baseline, "--baseline"),
        device=options.device,
        skip_unreadable=options.skip_unreadable,
        disputed=options.disputed,
    )


def _report(improved: Improved, run: RunFolder, stop: SignalRequests) -> None:
    """Print what came of it; end with the code of the signal that stopped it."""
    from review_embeddings.review.improving.texts import report

    proof, folder = improved.proof, improved.folder
    if not write_result("improve", **_result(improved, run)) and proof is not None:
        say(*report(proof, improved.record, folder, improved.cost, terminal_width()))
    if proof is None:
        end(
            f"Stopped: {improved.made} of {improved.total} trainings are finished. The same "
            f"command goes on.",
            stop.code,
        )


def _result(improved: Improved, run: RunFolder) -> dict[str, Any]:
    from review_embeddings.review.improving.results import as_values
    from review_embeddings.review.improving.texts import verdict

    proof = improved.proof
    return {
        "run": str(run),
        "out": str(improved.folder.path),
        "finished": proof is not None,
        "trainings": improved.made,
        "total": improved.total,
        "seconds": improved.seconds,
        "sentence": None if proof is None else verdict(proof, improved.record),
        **({} if proof is None else as_values(proof)),
    }
