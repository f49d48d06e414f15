"""Commands as a person types them, for messages: whatever stands in a path, they can be pasted."""

from __future__ import annotations

import shlex

from review_embeddings.pipeline.run import system

PROGRAM = "review-embeddings"


def command_line(*words: object) -> str:
    """This program with these words (options, values, paths), quoted for the shell of this
    machine."""
    return quoted(PROGRAM, *words)


def build_command(run: object, *options: object) -> str:
    """What brings a run up to date."""
    return command_line("build", "--run", run, *options)


def review_command(run: object, checkpoints: int) -> str:
    """What opens the review of a run with so many checkpoints."""
    ends = ("--first", "--last") if checkpoints > 1 else ("--last",)
    return command_line(*ends, "--run", run)


def quoted(*words: object) -> str:
    """Words of a command, such as a path, as the shell of this machine takes them."""
    texts = [str(word) for word in words]
    if system.is_windows():
        from subprocess import list2cmdline

        return list2cmdline(texts)
    return shlex.join(texts)
