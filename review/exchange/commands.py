"""How what was decided on a page leaves its run: the commands for a terminal, as a person types
them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.lists.listed import LABELS


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
            command_line("export", "--run", reference, "--list", "decided"),
        ),
        ResultCommand("What a cleaned data set would change:", command_line(*apply, "--dry-run")),
        ResultCommand(
            "The cleaned data set, in a new folder; the source stays:", command_line(*apply)
        ),
    ]


def anew_command(run: RunFolder) -> ResultCommand:
    """That for the labels that were judged anew with the decisions."""
    arguments = ("export", "--run", run.reference, "--list", LABELS, "--with-decisions")
    return ResultCommand(
        "This list, judged anew with the decisions, as CSV:", command_line(*arguments)
    )


def export_saved(run: RunFolder) -> dict[str, Any]:
    """What writes a saved list to a file, up to its name, which the page quotes."""
    command = command_line("export", "--run", run.reference, "--saved")
    return {"command": command, "isPosix": not system.is_windows()}


def _free(name: str) -> str:
    """This name or, where something has it, it with the first number from 2 that is free."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(one for one in names if not os.path.lexists(one))
