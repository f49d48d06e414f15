"""What commands print: tables, lines, progress, and pages that they write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.loading import loading_seconds
from review_embeddings.pipeline.run.commandline import build_command, review_command
from review_embeddings.review.cli import jsonlines
from review_embeddings.review.cli.printing import TextTable, console, say

if TYPE_CHECKING:
    from review_embeddings.pipeline.progress import Progress
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.stages.stage import Job
    from review_embeddings.pipeline.training.curves import CheckpointMetrics
    from review_embeddings.pipeline.training.finetune import FineTuned
    from review_embeddings.review.cli.live.terminal import TerminalProgress
    from review_embeddings.review.notebook import NotebookProgress
    from review_embeddings.review.report.similar import SearchResults

CHECKPOINT_COLUMNS = (
    "checkpoint",
    "epoch",
    "loss",
    "accuracy",
    "variance",
    "kept",
    "trust",
    "disparity",
    "scale",
    "",
)

LEAST_IMPORTANT = ("scale", "disparity", "epoch", "variance", "kept", "trust")
"""Those that go first where a terminal is too narrow, in this order."""

MAX_STEPS_SHOWN = 6
"""Checkpoints that are named one by one."""

METRIC_COLUMNS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
}
"""Headings, and the names in the log after ``eval_``."""


MIN_LOADING_SECONDS = 0.1
"""Shorter imports are not worth a row."""


def progress() -> Progress:
    """What shows the progress: the terminal, and lines for programs where these are wanted."""
    lines = jsonlines.current()
    return _terminal() if lines is None else jsonlines.ReportedProgress(_terminal(), lines)


@functools.cache
def _terminal() -> TerminalProgress | NotebookProgress:
    """The one that draws: there is one terminal, or the notebook of this process."""
    from review_embeddings.pipeline.run import copies
    from review_embeddings.review.cli.live.terminal import TerminalProgress
    from review_embeddings.review.notebook import NotebookProgress, in_notebook

    shown = NotebookProgress() if in_notebook() else TerminalProgress(console(err=True))
    copies.report_to(shown)
    return shown


def named(path: Path) -> str:
    """A path as people find it: its address where it lies in a run of a store."""
    from review_embeddings.pipeline.run.storage import address_of

    return address_of(path)


def write_page(run: RunFolder, path: Path, make: Callable[[], str], *, err: bool = False) -> None:
    """Write a page in HTML whole or not at all, and say where. Raises SettingsError for a path
    that must not be written, before the page is made."""
    from review_embeddings.pipeline.run.files import whole_file
    from review_embeddings.review.exchange.targets import check_target

    check_target(run, path)
    with whole_file(path) as temporary:
        temporary.write_text(make(), encoding="utf-8", errors="replace")
    say(f"Wrote {named(path)} ({path.stat().st_size / 1e6:.1f} MB)", err=err)


def print_checkpoints(built: Built) -> None:
    """One line a checkpoint of the table: variance and neighbours that its map keeps, its
    trustworthiness, what the alignment did."""
    shown = TextTable(*CHECKPOINT_COLUMNS, least=LEAST_IMPORTANT)
    marked = built.wanted if len(built.wanted) < len(built.manifest.steps) else ()
    metrics = _metrics(built)
    for one in built.manifest.checkpoints:
        shown.add_row(
            str(one.step) if one.step_known else f"{one.step} (final)",
            "" if one.epoch is None else f"{one.epoch:.2f}",
            "" if one.loss is None else f"{one.loss:.3f}",
            metrics[one.step].accuracy_text,
            one.variance_text,
            f"{100 * one.map_kept:.0f} %",
            f"{one.trustworthiness:.2f}",
            f"{one.disparity:.2f}",
            f"{one.scale:.3g}",
            "shown" if one.step in marked else "",
        )
    shown.print()
    _explain_accuracy(metrics.values())
    others = len(set(built.available) - set(built.manifest.steps))
    if others:
        say(f"{others} more checkpoints are not in the table yet: {build_command(built.run)}")


def _explain_accuracy(metrics: Iterable[CheckpointMetrics]) -> None:
    """Say on which images the accuracies were measured."""
    from review_embeddings.pipeline.training.curves import accuracy_note

    note = accuracy_note(metrics)
    if note:
        say(note)


def _metrics(built: Built) -> dict[int, CheckpointMetrics]:
    from review_embeddings.pipeline.training.curves import metrics_of, read_curves

    manifest = built.manifest
    return metrics_of(built.run, manifest, read_curves(built.run, manifest), manifest.steps)


def print_faults(run: RunFolder) -> None:
    """What is wrong with the embeddings that a run's table is made of; nothing usually."""
    from review_embeddings.pipeline.verify import faults_in_words

    for sentence in faults_in_words(run):
        say(sentence, err=True)


def print_jobs(jobs: Sequence[Job]) -> None:
    """What a build would do: a line for each stage and reason, with the checkpoints."""
    from review_embeddings.pipeline.stages.plan import NEW

    if not jobs:
        say("Nothing to do.")
        return
    shown = TextTable("stage", "checkpoints", "reason", "estimate", numbers=False)
    for (stage, reason), some in grouped_jobs(jobs).items():
        steps = [str(job.checkpoint) for job in some if job.checkpoint is not None]
        seconds = sum(job.seconds or 0.0 for job in some)
        shown.add_row(stage, _few(steps), reason, _duration(seconds))
    shown.print()
    if any(job.stage.name == "images" and job.reason != NEW for job in jobs):
        say(
            "Whether the images themselves have changed shows when they are read; if so, all that "
            "follows from them is computed again."
        )
    say("Nothing was computed. The same command without --dry-run does it.")


def grouped_jobs(jobs: Sequence[Job]) -> dict[tuple[str, str], list[Job]]:
    """Jobs of a stage that have the same reason, in the order of the stages."""
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.stage.name, job.reason), []).append(job)
    return groups


def _few(steps: Sequence[str]) -> str:
    """All steps, or of many the first, the last and how many there are."""
    if len(steps) <= MAX_STEPS_SHOWN:
        return ", ".join(steps)
    return f"{steps[0]}, {steps[1]} ... {steps[-1]} ({len(steps)} in all)"


def _duration(seconds: float) -> str:
    """As people say it; empty where it is not known."""
    if seconds <= 0:
        return ""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def print_seconds(built: Built) -> None:
    """One line a stage that had something to do."""
    if not built.seconds:
        say("Everything was up to date.")
    shown = TextTable()
    shown.add_column("", right=True)
    shown.add_column("", right=True)
    shown.add_column("")
    for stage, seconds in built.seconds.items():
        rate = f"({built.work[stage] / seconds:,.0f} a second)" if seconds > 0 else ""
        shown.add_row(f"{stage}:", f"{seconds:.1f} s" if seconds > 0 else "", rate)
    if built.seconds and (loading := loading_seconds()) >= MIN_LOADING_SECONDS:
        shown.add_row("loading libraries:", f"{loading:.1f} s", "(in none of these)")
    shown.print()


def print_table_size(built: Built) -> None:
    """How large the table is, and how to open it."""
    images, steps = len(built.images), len(built.manifest.steps)
    say(f"Table: {images * steps:,} rows ({images:,} images x {steps} checkpoints) in {built.run}")
    say(f"Review it with: {review_command(built.run, steps)}")


def print_fine_tuned(tuned: FineTuned) -> None:
    """What came of a fine-tuning: the metrics of the first, the best and the last evaluation."""
    if not tuned.finished:
        say(f"Stopped at step {tuned.steps} of {tuned.total}. What is there can be reviewed.")
    elif not tuned.metrics:
        say(f"Step {tuned.steps} of {tuned.total} is done.")
    if not tuned.metrics:
        return
    shown = TextTable("step", *METRIC_COLUMNS, "")
    best = {step for step in tuned.metrics if step == tuned.best_step}
    for step in sorted({min(tuned.metrics), max(tuned.metrics), *best}):
        values = [f"{tuned.metrics[step][f'eval_{name}']:.3f}" for name in METRIC_COLUMNS.values()]
        shown.add_row(str(step), *values, "best" if step in best else "")
    shown.print()


def print_similar(results: Sequence[SearchResults]) -> None:
    """The images that were found: those of several checkpoints beside each other, or below each
    other where the terminal is too narrow for that."""
    from review_embeddings.review.report.similar import in_common

    if not any(found.images for found in results):
        say("No image fulfils the conditions.")
        return
    whole = _similar_table(results)
    for shown in [whole] if whole.fits() else [_similar_table([found]) for found in results]:
        shown.print()
    if summary := in_common(results):
        say(summary)


def _similar_table(results: Sequence[SearchResults]) -> TextTable:
    shown = TextTable()
    shown.add_column("", right=True)
    for found in results:
        shown.add_column(f"step {found.step}", right=True)
        shown.add_column("label")
        shown.add_column("similarity", right=True)
        shown.add_column("outlier rank", right=True)
        shown.add_column("")
    for rank, texts in enumerate(_similar_rows(results), 1):
        shown.add_row(str(rank), *texts)
    return shown


def _similar_rows(results: Sequence[SearchResults]) -> Iterator[list[str]]:
    """The cells of one rank at every checkpoint; blank ones where fewer images were found."""
    for ranked in zip_longest(*(found.images for found in results)):
        cells: list[str] = []
        for one in ranked:
            cells += (
                [""] * 5
                if one is None
                else [
                    str(one.image_id),
                    one.label or "",
                    f"{one.similarity:.3f}",
                    f"{one.ood_rank:,}",
                    "" if one.decision == "undecided" else one.decision,
                ]
            )
        yield cells
