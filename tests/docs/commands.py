"""The commands and their options as tables, and whether a command line that is shown can be
parsed."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import click

from review_embeddings.review.cli.program import cli
from tests.docs.pages import COMMAND, OMITTED

SHARED_BY = 2
"""Commands from which an option stands in the table of shared options."""

REVIEW = "review"
"""What the command without a name is called in tables."""


def all_commands() -> dict[str, click.Command]:
    """Every command by its name; the one without a name, which opens the review, first."""
    return {"": cli, **cli.commands}


@dataclass(frozen=True)
class OptionRow:
    """An option as a table shows it."""

    names: str
    meaning: str


def _row(option: click.Option) -> OptionRow:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        metavar = option.metavar or option.type.name
        if isinstance(option.type, click.Choice):
            metavar = "|".join(option.type.choices)
        names = f"`{option.opts[0]} {_escaped(metavar)}`"
    default = option.default if option.show_default else None
    ending = f" Default: {default}." if default is not None else ""
    return OptionRow(names, _escaped(f"{' '.join((option.help or '').split())}{ending}"))


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


def _options(command: click.Command) -> list[OptionRow]:
    found = [one for one in command.params if isinstance(one, click.Option)]
    return [_row(one) for one in found if one.name not in {"help", "version"}]


def _shared() -> dict[OptionRow, list[str]]:
    """Options that several commands have, each with these commands."""
    found: dict[OptionRow, list[str]] = defaultdict(list)
    for name, command in all_commands().items():
        for row in _options(command):
            found[row].append(name or REVIEW)
    return {row: names for row, names in found.items() if len(names) >= SHARED_BY}


def overview() -> str:
    """Every command with the first sentence about it."""
    rows = [
        f"| [`{_full(name)}`](#{_full(name).replace(' ', '-')}) | {_first_sentence(command)} |"
        for name, command in all_commands().items()
    ]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def _full(name: str) -> str:
    return f"{COMMAND} {name}".strip()


def _first_sentence(command: click.Command) -> str:
    return re.split(r"(?<=[.;])\s", _about(command))[0].rstrip(";.")


def shared_options() -> str:
    """The options that several commands have."""
    rows = [f"| {row.names} | {_of(names)} | {row.meaning} |" for row, names in _shared().items()]
    return "\n".join(["| option | of | meaning |", "| --- | --- | --- |", *rows])


def _of(names: list[str]) -> str:
    if len(names) == len(all_commands()):
        return "all"
    if len(names) < len(all_commands()) - 3:
        return ", ".join(names)
    return f"all but {', '.join(sorted({name or REVIEW for name in all_commands()} - {*names}))}"


def own_options() -> str:
    """Every command: how it is called, what it does, and the options that it alone has."""
    shared = _shared()
    return "\n\n".join(_section(name, command, shared) for name, command in all_commands().items())


def _section(name: str, command: click.Command, shared: dict[OptionRow, list[str]]) -> str:
    usage = [COMMAND, *name.split()]
    usage += [str(one.metavar) for one in command.params if isinstance(one, click.Argument)]
    rows = _options(command)
    own = [row for row in rows if row not in shared]
    others = [row.names.split("`")[1].split()[0] for row in rows if row in shared]
    lines = [f"### {_full(name)}", f"`{' '.join(usage)} [options]`: {_about(command)}"]
    if own:
        table = [f"| {row.names} | {row.meaning} |" for row in own]
        lines.append("\n".join(["| option | meaning |", "| --- | --- |", *table]))
    if others:
        lines.append(f"Shared with other commands: {', '.join(f'`{one}`' for one in others)}.")
    return "\n\n".join(lines)


def _about(command: click.Command) -> str:
    """The paragraphs of its help, without examples."""
    paragraphs = (command.help or "").split("\n\n")
    kept = [" ".join(one.split()) for one in paragraphs if "\b" not in one]
    return _escaped(" ".join(kept))


def fault_of(words: list[str]) -> str:
    """Why the words behind ``review-embeddings`` are no command line; empty where they are one.

    Where ``…`` stands for some of them, required options may be missing.
    """
    given = [word for word in words if word != OMITTED]
    whole = len(given) == len(words)
    name = next((word for word in given if word in cli.commands), "")
    command = all_commands()[name]
    if name:
        given.remove(name)
    try:
        with command.make_context(
            name or COMMAND, [*given], resilient_parsing=not whole
        ) as context:
            rest = [*context._protected_args, *context.args]
    except click.ClickException as error:
        return error.format_message()
    except click.exceptions.Exit:
        return ""  # --help, --version
    return ", ".join([*_unknown(command, given), *(rest if whole else [])])


def _unknown(command: click.Command, given: list[str]) -> list[str]:
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {
        "--help",
        "-h",
        "--version",
    }
    options = [word.partition("=")[0] for word in given if re.match(r"--?[a-z]", word)]
    return sorted({*options} - known)
