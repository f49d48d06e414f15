"""``export``, ``import`` and ``apply``: lists and decisions leave and enter as files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import (
    Target,
    argument,
    comma_separated,
    file_target,
    option,
    output_option,
    takes,
)
from review_embeddings.review.cli.jsonlines import write_result
from review_embeddings.review.cli.options import (
    applied_disputed_option,
    checkpoint_option,
    debug_option,
    json_option,
    run_option,
    skip_unreadable_option,
    wait_option,
)
from review_embeddings.review.cli.output import named, print_faults, progress
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run
from review_embeddings.review.cli.waiting import waits
from review_embeddings.review.exchange.forms import DISK, PARQUET

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.exchange.apply import ApplyRequest
    from review_embeddings.review.exchange.imports import Imported
    from review_embeddings.review.exchange.reports import Applied


MAX_REFUSED = 3
"""Messages that could not be taken and are named; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Which images are listed, and how the list is written."""

    run: str | None = run_option()
    kind: str | None = option(
        "--list",
        metavar="KIND",
        choices=choices.lists,
        help="{choices}. Default: those decided, then the worst.",
    )
    saved: str | None = option(
        "--saved", metavar="NAME", help="A list that was saved in the review, instead."
    )
    decided: str | None = option(
        "--decided",
        metavar="A,B,…",
        choices=choices.decisions,
        help="Only images decided so: {choices}; or several of these.",
    )
    top: int | None = option(
        "--top",
        type=int,
        metavar="K",
        help="How many images. Default: as many as the page's list has; without --list, 100 that "
        "nobody decided about.",
    )
    per_class: bool = option("--per-class", is_flag=True, help="As many of each class.")
    with_decisions: bool = option(
        "--with-decisions",
        is_flag=True,
        help="With --list labels: judge the labels anew with those that were decided about.",
    )
    order: str | None = option(
        "--order",
        metavar="HOW",
        choices=choices.orders,
        help="{choices}: first what one decision gains most by, which is the probability that the "
        "image is wrong times the images that the decision settles: its exact copies and, unless "
        "the list is about labels, its group.",
    )
    disputed: str | None = option(
        "--disputed",
        metavar="HOW",
        choices=choices.disputed,
        help="Images about which reviewers differ: {choices}; last takes the last decision, keep "
        "none. Without it their decision is empty, and --decided and --with-decisions are refused.",
    )
    checkpoint: tuple[str, ...] = checkpoint_option()
    form: str = option(
        "--format",
        default="csv",
        show_default=True,
        metavar="FORM",
        choices=choices.formats,
        help="{choices}.",
    )
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        help="File to write. Default: exports/LIST.… in the run folder, outliers.… without --list.",
    )
    copy: bool = option(
        "--images", is_flag=True, help="Copy the image files into a folder beside the list."
    )
    json_lines: bool = json_option()
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("export")
@takes(ExportOptions, activity="Making the list")
@waits
def export_command(options: ExportOptions) -> None:
    """Write a list of images: decided ones and outliers, in a file for other tools and people."""
    from review_embeddings.pipeline.table import consistently
    from review_embeddings.review.decisions.log import read_history
    from review_embeddings.review.exchange.export import Selection, export_list

    run = existing_run(options.run)
    selection = Selection(
        kind=options.kind,
        saved=options.saved,
        decided=comma_separated(options.decided),
        top=options.top,
        per_class=options.per_class,
        checkpoints=options.checkpoint,
        with_decisions=options.with_decisions,
        order=options.order,
        disputed=options.disputed,
    )
    history = read_history(run, progress().note)
    out = file_target(options.out, run)

    def write() -> tuple[int, int, Path]:
        return export_list(
            run,
            history,
            selection,
            form=options.form,
            out=out,
            copy=options.copy,
            note=progress().note,
        )

    rows, decided, path = consistently(run, write)
    result = {"run": str(run), "file": named(path), "images": rows, "decided": decided}
    progress().note(f"Decisions as of {history.taken}")
    if not write_result("export", **result, decisions_as_of=history.taken):
        say(f"Wrote {rows:,} images ({decided:,} decided) to {named(path)}")
    print_faults(run)


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """The file, and whose decisions are in it."""

    file: str = argument(metavar="FILE")
    run: str | None = run_option()
    reviewer: str | None = option(
        "--reviewer",
        metavar="NAME",
        help="Who decided, where the file does not say. Default: your login name.",
    )
    new_classes: bool = option(
        "--new-classes",
        is_flag=True,
        help="Take new labels that are none of the classes; the run has them from then on.",
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("import")
@takes(ImportOptions, activity="Importing the list")
@waits
def import_command(options: ImportOptions) -> None:
    """Take over decisions from a file: a list that was exported and filled in, or a table with
    image and decision."""
    from review_embeddings.review.decisions.lines import login_name
    from review_embeddings.review.exchange.imports import import_decisions

    run = existing_run(options.run)
    imported = import_decisions(
        run,
        Path(options.file),
        options.reviewer or login_name(),
        note=progress().note,
        new_classes=options.new_classes,
    )
    _print_imported(imported, run)


def _print_imported(imported: Imported, run: RunFolder) -> None:
    """What became of the decisions. Raises SettingsError where some could not be taken."""
    counts = [
        (imported.known, "were there already"),
        (imported.older, "left out: the image was decided about later"),
        (imported.beside, "kept beside a later decision of somebody else, which counts"),
        (imported.disputed, "about images that are disputed now"),
        (imported.proposed, "kept as proposals: somebody else decided since, the review asks"),
    ]
    others = [f"{count:,} {what}" for count, what in counts if count or what == counts[0][1]]
    say(f"Imported {imported.added:,} decisions into {named(run.decisions)} ({', '.join(others)})")
    if imported.refused:
        first = " ".join(imported.refused[:MAX_REFUSED])
        raise SettingsError(
            f"{len(imported.refused):,} messages of the outbox could not be taken and are in no "
            f"run. {first}"
        )


@dataclass(frozen=True, kw_only=True)
class ApplyOptions:
    """Where the cleaned data set is written, and as what."""

    run: str | None = run_option()
    out: Target | None = output_option(
        "--out", metavar="DIR", help="New folder for the cleaned data set."
    )
    form: str | None = option(
        "--as",
        metavar="FORM",
        choices=choices.cleaned_forms,
        help="{choices}: as save_to_disk does (the default), images by class, a file a split.",
    )
    repo: str | None = option(
        "--push-to-hub",
        metavar="REPO",
        help="Push the cleaned data set to this one on the Hugging Face Hub, as Parquet and in one "
        "commit. What leaves is listed before; --dry-run lists it and sends nothing.",
    )
    create_pr: bool = option(
        "--create-pr", is_flag=True, help="Push it as a pull request that says what is different."
    )
    private: bool = option(
        "--private", is_flag=True, help="Make the data set on the Hub a private one, if it is new."
    )
    with_names: bool = option(
        "--with-names",
        is_flag=True,
        help="Push reviewers, notes and local paths, too. Without it none of them leaves.",
    )
    split: tuple[str, ...] = option(
        "--split",
        multiple=True,
        metavar="NAME",
        help="Change only this split; can be repeated. The others are written as they are.",
    )
    clean_test: bool = option(
        "--clean-test",
        is_flag=True,
        help="Clean test and validation splits themselves. Without it they stay as they are, and a "
        "cleaned copy (test_cleaned) is added.",
    )
    new_classes: bool = option(
        "--new-classes",
        is_flag=True,
        help="Add all classes that images were relabelled to and the data set does not have; those "
        "that people added to the run are in any case.",
    )
    dry_run: bool = option(
        "--dry-run", is_flag=True, help="Say what would be changed and write nothing."
    )
    skip_unreadable: bool = skip_unreadable_option()
    disputed: str | None = applied_disputed_option()
    json_lines: bool = json_option()
    debug: bool = debug_option()


@click.command("apply")
@takes(ApplyOptions, activity="Cleaning the data set")
def apply_command(options: ApplyOptions) -> None:
    """Write a cleaned data set: without removed images and second copies, with new labels. The
    source stays as it is."""
    from review_embeddings.review.exchange.apply import apply
    from review_embeddings.review.exchange.reports import CHANGES_FILE, summary

    _check_apply(options)
    if options.repo is not None:
        _push(options)
        return
    run = existing_run(options.run)
    out = None if options.out is None else options.out.folder(run)
    applied = apply(run, out, _apply_request(options), progress=progress())
    written = None if options.dry_run else out
    if write_result("apply", **_result(run, applied, written)):
        return
    say(*summary(applied).splitlines())
    if written is None:
        say("Nothing was written.")
        return
    say(f"Wrote {written} (what was changed: {written / CHANGES_FILE})")


def _result(run: RunFolder, applied: Applied, to: Path | str | None) -> dict[str, Any]:
    return {
        "run": str(run),
        "to": to,
        "splits": {
            name: {"from": origin, "rows_before": applied.rows[origin], "rows": applied.kept[name]}
            for name, origin in applied.origins.items()
        },
        "removed": applied.removed,
        "duplicates": applied.duplicates,
        "relabelled": applied.relabelled.total(),
        "without_effect": len(applied.found.without_effect),
        "missing": len(applied.missing),
        "decisions_as_of": applied.snapshot.taken,
    }


def _check_apply(options: ApplyOptions) -> None:
    """Refuse options that contradict each other."""
    if options.repo is None:
        given = {"--create-pr": options.create_pr, "--private": options.private}
        given["--with-names"] = options.with_names
        if alone := [name for name, there in given.items() if there]:
            raise SettingsError(f"{alone[0]} is for the Hub. Add --push-to-hub REPO.")
        if options.out is None and not options.dry_run:
            raise SettingsError(
                "There is no --out. Name a new folder for the cleaned data set, or use --dry-run."
            )
        return
    if options.out is not None:
        raise SettingsError("--out and --push-to-hub are two places. Give one of them.")
    if options.form not in {None, PARQUET}:
        raise SettingsError(
            f"--push-to-hub pushes Parquet, not --as {options.form}. Leave out --as."
        )
    if options.create_pr and options.private:
        raise SettingsError(
            "--create-pr is for a data set that is there, --private for a new one. Give one of "
            "them."
        )


def _apply_request(options: ApplyOptions) -> ApplyRequest:
    from review_embeddings.review.exchange.apply import ApplyRequest

    return ApplyRequest(
        form=options.form or DISK,
        splits=options.split,
        clean_test=options.clean_test,
        new_classes=options.new_classes,
        skip_unreadable=options.skip_unreadable,
        disputed=options.disputed,
        dry_run=options.dry_run,
    )


def _push(options: ApplyOptions) -> None:
    from review_embeddings.review.publish.push import PushRequest, push

    target = PushRequest(str(options.repo), options.create_pr, options.private, options.with_names)
    run = existing_run(options.run)
    # What leaves is listed for people where results are for programs, too.
    show = partial(say, err=options.json_lines)
    pushed = push(run, _apply_request(options), target, show, progress=progress())
    if write_result("apply", **_result(run, pushed.applied, pushed.address or None)):
        return
    if not pushed.address:
        say("Nothing was sent.")
    elif pushed.new:
        say(f"Pushed: {pushed.address}")
    else:
        say(f"It is there already: {pushed.address}. Nothing was sent.")
