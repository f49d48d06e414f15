"""Completion in a shell: by click's protocol, in the scripts that it writes, and without a numeric
library, so that it answers at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from review_embeddings.pipeline.run.commandline import PROGRAM
from review_embeddings.review.cli import choices

VARIABLE = "_REVIEW_EMBEDDINGS_COMPLETE"

SLOW = ("numpy", "torch", "pandas", "pyarrow", "rich", "transformers", "renumics")

PROTOCOL = f"""
import os, sys
from review_embeddings.review.cli.program import cli
for line in sys.stdin.read().splitlines():
    os.environ["COMP_WORDS"] = f"{PROGRAM} {{line}}"
    os.environ["COMP_CWORD"] = str(len(line.split(" ")))
    os.environ["{VARIABLE}"] = "bash_complete"
    print(">", line)
    try:
        cli(prog_name="{PROGRAM}")
    except SystemExit:
        pass
print("> imported")
print(*(name for name in {SLOW!r} if name in sys.modules), sep="\\n")
"""
"""Answers each line of standard input as the program answers a shell."""

ASKED: dict[str, Callable[[], object]] = {
    "buil": lambda: ["plain,build"],
    "build --map ": lambda: [f"plain,{name}" for name in choices.map_kinds()],
    "build --engine r": lambda: ["plain,ray"],
    "build --checkpoint ": lambda: ["plain,first", "plain,last", "plain,best"],
    "--pooling c": lambda: ["plain,cls"],
    "export --list ": lambda: [f"plain,{name}" for name in choices.lists()],
    "export --list dup": lambda: ["plain,duplicates", "plain,duplicate-labels"],
    "export --format ": lambda: [f"plain,{name}" for name in choices.formats()],
    "export --decided keep,re": lambda: ["plain,keep,relabel", "plain,keep,remove"],
    "apply --as ": lambda: [f"plain,{name}" for name in choices.cleaned_forms()],
    "animate --theme ": lambda: [f"plain,{name}" for name in choices.themes()],
    "share --with hashes,n": lambda: ["plain,hashes,notes"],
    "finetune --spacing ": lambda: [f"plain,{name}" for name in choices.spacings()],
    "improve --disputed ": lambda: [f"plain,{name}" for name in choices.disputed()],
    "improve --baseline ": lambda: ["dir,"],
    "table --run ": lambda: ["dir,"],
    "table --out t": lambda: ["file,t"],
    "import ": lambda: ["file,"],
    "build --split ": list,
}
"""Beginnings of commands, and what is offered."""


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """What is offered for each of `ASKED`, and under ``imported`` what that took."""
    done = subprocess.run(
        [sys.executable, "-c", PROTOCOL],
        input="\n".join(ASKED),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("> "):
            found[line[2:]] = []
        elif line:
            list(found.values())[-1].append(line)
    return found


@pytest.mark.parametrize("begun", ASKED)
def test_names_that_are_known_are_offered(begun: str, answers: dict[str, list[str]]) -> None:
    assert answers[begun] == ASKED[begun]()


def test_no_numeric_library_is_imported_for_it(answers: dict[str, list[str]]) -> None:
    assert answers["imported"] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_written(shell: str, tmp_path: Path) -> None:
    script = _script(shell, tmp_path)
    assert VARIABLE in script and PROGRAM in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_bash_completes_a_name(tmp_path: Path) -> None:
    if not shutil.which("bash"):
        pytest.skip("no bash")
    words = f"COMP_WORDS=({PROGRAM} build --map um) COMP_CWORD=3"
    asked = f"{words}; _review_embeddings_completion {PROGRAM}"
    script = f'{_script("bash", tmp_path)}\n{asked}; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "-c", script],
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["umap"]


def _script(shell: str, folder: Path) -> str:
    environment = _environment(folder) | {VARIABLE: f"{shell}_source"}
    return subprocess.run(
        [PROGRAM], env=environment, capture_output=True, text=True, check=True
    ).stdout


def _environment(folder: Path) -> dict[str, str]:
    """One in which the program is this checkout's."""
    program = folder / PROGRAM
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m review_embeddings "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
