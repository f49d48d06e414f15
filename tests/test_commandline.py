"""Commands in messages: every one can be pasted, whatever stands in the paths, and is one that the
program takes."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.run.commandline import PROGRAM, build_command, command_line, quoted
from review_embeddings.review.cli.program import cli

ROOT = Path(__file__).parents[1]

A_RUN = "my runs/it's $HOME"
"""A path that no shell takes as it is."""

HELPERS = {"command_line": (), "build_command": ("build", "--run", A_RUN)}
"""What makes commands, and the words that each begins with."""

SPELLED = re.compile(rf"\b{PROGRAM} (?!wrote)[a-z-]")
"""A command in a text, but for names of the program in sentences."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has another shell")


class Call(NamedTuple):
    """One place that makes a command."""

    file: str
    line: int
    helper: str
    arguments: list[ast.expr]
    is_method: bool


def trees() -> Iterator[tuple[str, ast.Module]]:
    for room in ("pipeline", "review"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls() -> Iterator[Call]:
    for file, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            is_method = isinstance(node.func, ast.Attribute)
            name = getattr(node.func, "attr" if is_method else "id", "")
            if name in HELPERS and file != "pipeline/run/commandline.py":
                yield Call(file, node.lineno, name, node.args, is_method)


def words_of(call: Call) -> list[str] | None:
    """What such a place makes of a run with an awkward path and of step 40; None where its words
    come from elsewhere."""
    given = [
        argument.value if isinstance(argument, ast.Constant) else argument
        for argument in call.arguments
    ]
    if call.helper == "build_command" and not call.is_method:
        del given[0]  # the run
    words = list(HELPERS[call.helper])
    for word in given:
        is_path = words[-1:] in (["--run"], ["import"])
        if isinstance(word, ast.Starred) or (isinstance(word, ast.AST) and not words):
            return None
        words.append(str(word) if not isinstance(word, ast.AST) else A_RUN if is_path else "40")
    return [*words, "mine"] if words[-1:] == ["--saved"] else words  # the page adds its name


def commands_in(text: str) -> list[list[str]]:
    """The words behind the program's name of each command in a message, each of which ends with a
    backtick, a semicolon or the line."""
    found = re.findall(rf"{PROGRAM} (?=-|[a-z]+[ `;\n])((?:'[^']*'|\"[^\"]*\"|[^'\"`;\n])*)", text)
    return [shlex.split(one) for one in found]


def check_is_taken(words: list[str]) -> None:
    """Raise click.UsageError where the program does not take these words; nothing is run."""
    if words[0].startswith("-"):
        cli.make_context(PROGRAM, list(words))
        return
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words
    if words[0] != "import":  # which asks for a file that is there
        command.make_context(words[0], words[1:])


def test_commands_are_made_by_the_helper_alone() -> None:
    spelled = []
    for file, tree in trees():
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        docs = set(_docstrings(tree))
        spelled += [
            f"{file}:{node.lineno} {node.value[:80]!r}"
            for node in texts
            if isinstance(node.value, str) and SPELLED.search(node.value) and node not in docs
        ]
    assert not spelled


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            yield from (one.value for one in body if isinstance(one, ast.Expr))


def test_every_command_of_a_message_is_one_that_the_program_takes() -> None:
    made = [(call, words_of(call)) for call in calls()]
    checked = [(call, words) for call, words in made if words is not None]
    assert len(checked) > 30
    for call, words in checked:
        assert commands_in(f"Run: `{command_line(*words)}`.") == [words], call
        check_is_taken(words)


MESSAGES = {
    "table": ["--out", "table.csv"],
    "export": [],
    "summary": [],
    "animate": [],
    "share": ["--out", "page.html"],
    "decisions": [],
    "index": [],
    "build": [],
}
"""Commands, with options, of a folder in which nothing was built."""


def test_messages_about_a_run_with_an_awkward_path_can_be_pasted(
    tmp_path: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    run = tmp_path / A_RUN
    shutil.copytree(ROOT / "tests" / "data" / "format-1-complete", run)
    shutil.rmtree(run / "table")
    commands = []
    for name, options in MESSAGES.items():
        _, output, errors = review_embeddings(name, "--run", str(run), *options)
        commands += commands_in(output + errors)
    assert len(commands) >= 3
    for words in commands:
        assert str(run) in words
        check_is_taken(words)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_words_come_back_from_the_shell_as_they_were(words: list[str]) -> None:
    assert shlex.split(quoted(*words)) == words


def test_windows_gets_its_own_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("review_embeddings.pipeline.run.system.is_windows", lambda: True)
    assert build_command(r"C:\my runs\a") == rf'{PROGRAM} build --run "C:\my runs\a"'
