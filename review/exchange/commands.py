"""How what was decided on a page leaves its run: the commands for a terminal, as a person types
them."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from itertools import chain, count

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.lists.listed import LABELS

PROGRAM = "review-embeddings"


@dataclass(frozen=True)
class ResultCommand:
    """One command, and what it is for."""

    does: str
    command: str


def result_commands(run: RunFolder) -> list[ResultCommand]:
    """In the order in which a person wants them; they name the run by where it is."""
    reference = run.reference
    is_stored = "://" in reference
    cleaned = _free("cleaned" if is_stored else f"{reference}-cleaned")
    apply = ("apply", "--run", reference, "--out", cleaned)
    return [
        ResultCommand(
            "A list of all decided images, as CSV:",
            _typed("export", "--run", reference, "--list", "decided"),
        ),
        ResultCommand("What a cleaned data set would change:", _typed(*apply, "--dry-run")),
        ResultCommand("The cleaned data set, in a new folder; the source stays:", _typed(*apply)),
    ]


def anew_command(run: RunFolder) -> ResultCommand:
    """That for the labels that were judged anew with the decisions."""
    arguments = ("export", "--run", run.reference, "--list", LABELS, "--with-decisions")
    return ResultCommand("This list, judged anew with the decisions, as CSV:", _typed(*arguments))


def _free(name: str) -> str:
    """This name or, where something has it, it with the first number from 2 that is free."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(one for one in names if not os.path.lexists(one))


def _typed(*arguments: str) -> str:
    """A command line, quoted for the shell of this machine."""
    line = [PROGRAM, *arguments]
    return subprocess.list2cmdline(line) if system.is_windows() else shlex.join(line)
