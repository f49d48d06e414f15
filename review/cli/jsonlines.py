"""Progress and results for other programs: one JSON object a line on standard output, in a schema
of which each part is declared here. Messages for people stay on standard error."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from review_embeddings.pipeline.progress import Advance, Progress
from review_embeddings.review.cli.live.statusline import mute
from review_embeddings.review.cli.printing import say_json

FORMAT = 1
"""Raised when a field that was there means something else, or is there no more."""

EVERY_SECONDS = 1.0
"""At most so often a line about a stage that goes on."""


@dataclass(frozen=True)
class LineKind:
    """A kind of line, or the result of a command."""

    name: str
    fields: Mapping[str, str]
    """What each of its fields means."""


BEGIN = LineKind(
    "begin",
    {
        "stage": "what is done, in words; stages may be inside each other",
        "total": "how much there is to do",
        "unit": "of what",
    },
)
PROGRESS = LineKind(
    "progress",
    {"stage": "as it began", "done": "how much is done", "total": "of how much", "unit": "of what"},
)
END = LineKind(
    "end",
    {
        "stage": "as it began",
        "done": "how much was done",
        "unit": "of what",
        "seconds": "how long it took",
    },
)
NOTE = LineKind("note", {"text": "what a person should read"})
RESULT = LineKind("result", {"command": "which; its other fields are below"})
ERROR = LineKind(
    "error", {"message": "what is wrong, and what to do", "exit_code": "that of the command"}
)

LINES = (BEGIN, PROGRESS, END, NOTE, RESULT, ERROR)
"""The kinds of lines; each has ``format``, ``time`` (UTC) and ``event``, its name, too."""

RESULTS = (
    LineKind(
        "build",
        {
            "run": "its folder",
            "images": "how many",
            "steps": "of the checkpoints in the table",
            "waiting": "steps that are still to be embedded",
            "seconds": "of each stage that had something to do",
        },
    ),
    LineKind(
        "build --dry-run",
        {
            "run": "its folder",
            "jobs": "what would be computed: stage, checkpoint, reason, seconds",
        },
    ),
    LineKind(
        "finetune",
        {
            "run": "its folder",
            "steps": "steps that were made in all",
            "total": "steps that were asked for",
            "finished": "whether that is all",
            "best_step": "the checkpoint that evaluates best, or null",
            "metrics": "of each evaluated step",
        },
    ),
    LineKind(
        "improve",
        {
            "run": "its folder",
            "out": "the folder of the trainings",
            "finished": "whether all trainings are made; what stands below is there then only",
            "trainings": "that are made",
            "total": "trainings that it takes",
            "seconds": "that those took",
            "sentence": "what may be said, for people",
            "verdict": "gain, loss, noise, or undecidable with one seed; on the untouched split",
            "seeds": "of the trainings",
            "overall": "accuracies before and after by seed; difference (after - before, in "
            "[-1, 1]), low and high of its interval, level, by_seed, standard_error, "
            "degrees_of_freedom, images, better, worse, detectable",
            "classes": "the same of each class",
            "corrected": "the same with the decisions applied to the evaluation split; or null",
            "carried": "the same of each kind of decision, against the trainings without it",
        },
    ),
    LineKind(
        "export",
        {
            "run": "its folder",
            "file": "the list",
            "images": "in it",
            "decided": "of these",
            "decisions_as_of": "when the decisions were read",
        },
    ),
    LineKind(
        "apply",
        {
            "run": "its folder",
            "to": "the folder, or the address on the Hub; null where nothing was written",
            "splits": "rows of each split as it is written, with from and rows_before",
            "removed": "images",
            "duplicates": "second copies that were removed",
            "relabelled": "images",
            "without_effect": "decisions",
            "missing": "rows without an image",
            "decisions_as_of": "when the decisions were read",
        },
    ),
    LineKind(
        "share",
        {
            "run": "its folder",
            "file": "the page",
            "readme": "its text, or null",
            "bytes": "of the page",
            "images": "in it",
            "of": "images of the run",
            "steps": "of the checkpoints in it",
            "thumbnails": "their longest side in pixels; null without",
            "holds": "what leaves the run, in sentences",
            "left_out": "what would not fit, in sentences",
            "missing": "images that cannot be read any more",
        },
    ),
)
"""What a result has, by command."""


def as_markdown() -> str:
    """The schema as the documentation shows it."""
    rows = ["| event | field | meaning |", "| --- | --- | --- |"]
    for kind in LINES:
        rows += [f"| `{kind.name}` | `{name}` | {text} |" for name, text in kind.fields.items()]
    for kind in RESULTS:
        rows += [
            f"| `result` of `{kind.name}` | `{name}` | {text} |"
            for name, text in kind.fields.items()
        ]
    return "\n".join(rows)


class JsonLines:
    """Writes the lines of one command, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def write(self, kind: LineKind, **values: Any) -> None:
        """Write a line of a kind."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = {"format": FORMAT, "time": now.replace("+00:00", "Z"), "event": kind.name, **values}
        with self._lock:
            say_json(_plain(line), indent=None)


def _plain(value: Any) -> Any:
    """A value as JSON has it: paths as text, null for a number that is not finite."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


class ReportedProgress:
    """Progress that people see, and that is written as lines as well."""

    def __init__(self, shown: Progress, lines: JsonLines) -> None:
        self._shown = shown
        self._lines = lines

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        """One piece of work, from its first line to its last."""
        started = written = time.perf_counter()
        done = 0
        self._lines.write(BEGIN, stage=title, total=total, unit=unit)
        with self._shown.stage(title, total=total, unit=unit) as show:

            def advance(count: int) -> None:
                nonlocal done, written
                done += count
                show(count)
                if time.perf_counter() - written >= EVERY_SECONDS:
                    written = time.perf_counter()
                    self._lines.write(PROGRESS, stage=title, done=done, total=total, unit=unit)

            yield advance
        seconds = round(time.perf_counter() - started, 3)
        self._lines.write(END, stage=title, done=done, unit=unit, seconds=seconds)

    def note(self, text: str) -> None:
        """A line that a person should read."""
        self._lines.write(NOTE, text=text)
        self._shown.note(text)

    def latest(self, text: str) -> None:
        """What was done last, for people alone."""
        self._shown.latest(text)


_current: JsonLines | None = None


def current() -> JsonLines | None:
    """The lines of the command that is running; None where it writes none."""
    return _current


@contextmanager
def writing_lines(wanted: bool) -> Iterator[None]:
    """Let a command write lines, if it is to, and end with one about what has ended it."""
    global _current
    if not wanted:
        yield
        return
    _current = JsonLines()
    mute()
    try:
        yield
    except SystemExit as ended:
        if ended.code:
            with contextlib.suppress(OSError):
                _current.write(ERROR, message=_message(ended), exit_code=ended.code)
        raise
    finally:
        _current = None


def _message(ended: SystemExit) -> str:
    """What has ended a command: its error, or that it was stopped."""
    error = ended.__context__
    if error is None or isinstance(error, KeyboardInterrupt):
        return "Stopped."
    return str(error) or type(error).__name__


def write_result(command: str, **values: Any) -> bool:
    """Write the result of a command, where it writes lines; whether it does."""
    if _current is None:
        return False
    _current.write(RESULT, command=command, **values)
    return True
