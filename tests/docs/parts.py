"""The parts of the pages that are made of the declarations, each between two markers."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.mapkinds import MAP_KINDS
from review_embeddings.pipeline.engines.kinds import ENGINE_KINDS
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.runlocks import RunLocks
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.review.cli import jsonlines
from review_embeddings.review.exchange import columns as list_columns
from review_embeddings.review.lists.definition import LISTS
from review_embeddings.review.page.frontend import DECISION_KEYS, FRONTEND_FOLDER
from tests.benchmarks import sizing
from tests.docs.commands import overview, own_options, shared_options
from tests.docs.pages import Heading, headings

MARKED = re.compile(
    r"(<!-- made by python -m tests\.docs: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL
)
"""A generated part: its beginning, its name, what is in it, its end."""


def filled(text: str) -> str:
    """A page with its generated parts as they would be made now. Raises KeyError for a name that
    is none of `PARTS`."""
    made = MARKED.sub(lambda part: f"{part[1]}{PARTS[part[2]]().strip()}\n{part[4]}", text)
    outline = headings(made)  # with the headings of generated parts
    return re.sub(
        r"(<!-- contents -->\n).*?(<!-- end -->)",
        lambda part: f"{part[1]}{contents(outline)}\n{part[2]}",
        made,
        flags=re.DOTALL,
    )


def contents(outline: list[Heading]) -> str:
    """Links to the sections of a page, one a line, each with those inside it."""
    lines: list[str] = []
    for heading in outline:
        link = f"[{heading.title}](#{heading.anchor})"
        if heading.level == 2:
            lines.append(f"- {link}")
        elif heading.level == 3 and lines:
            lines[-1] += f"{' · ' if ': ' in lines[-1] else ': '}{link}"
    return "\n".join(lines)


def as_table(heading: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def stages() -> str:
    """Every stage in the order in which they are computed."""
    rows = [
        [f"`{one.name}`", one.about, SCOPES[one.scope], _stored(one.outputs), str(one.version)]
        for one in STAGES
    ]
    return as_table(["stage", "what it computes", "once for", "stores", "version"], rows)


SCOPES = {
    "images": "the images",
    "checkpoint": "each checkpoint",
    "ends": "the first and the last checkpoint",
    "last": "the last checkpoint",
    "all": "all checkpoints",
}


def _stored(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}/`" for name in names)


def run_folder() -> str:
    """Every file and folder of a run: those that `RunFolder` names, and those of the stages."""
    rows = [[f"`{name}`", text] for name, text in _named_paths().items()]
    stored = [one for one in STAGES if one.outputs]
    rows += [[_stored(one.outputs), _begun(one.about)] for one in stored]
    return as_table(["file or folder", "what it holds"], rows)


def _named_paths() -> dict[str, str]:
    """The paths that are properties of a run folder, with their docstrings."""
    run = RunFolder(Path("RUN"))
    members = {**vars(RunLocks), **vars(RunFolder)}
    found = {}
    for name, member in members.items():
        path = getattr(run, name) if isinstance(member, property) else None
        if isinstance(path, Path):
            text = inspect.getdoc(member)
            assert text, f"RunFolder.{name} has no docstring"
            folder = "/" if not path.suffix else ""
            found[path.relative_to(run.path).as_posix() + folder] = _sentence(text)
    return found


def _begun(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    """A docstring without the marks of code in it."""
    return " ".join(text.split()).replace("``", "`").rstrip(".")


def maps() -> str:
    """Every kind of map."""
    rows = [
        [f"`{kind.key}`", kind.description, "all" if kind.cap is None else f"{kind.cap:,}"]
        for kind in MAP_KINDS
    ]
    return as_table(["`--map`", "what it is", "images that are mapped themselves"], rows)


def engines() -> str:
    """Every engine."""
    rows = [[f"`{kind.name}`", kind.description] for kind in ENGINE_KINDS]
    return as_table(["`--engine`", "where the work is done"], rows)


def lists() -> str:
    """Every list, where it is found and what it suggests."""
    rows = [
        [f"`{one.key}`", one.help, ", ".join(one.surfaces), one.suggests or "–"] for one in LISTS
    ]
    return as_table(["list", "its images", "in", "suggests"], rows)


def keys() -> str:
    """The keys of the page, as its own sheet of keys has them."""
    sheet = (FRONTEND_FOLDER / "views" / "keysheet.js").read_text(encoding="utf-8")
    moving, more = (_pairs(sheet, name) for name in ("MOVING", "MORE"))
    deciding = [["a", "what the list suggests"]]
    deciding += [[key, decision] for decision, key in DECISION_KEYS.items()]
    rows = [[_marked(given), does] for given, does in (*moving, *deciding, *more)]
    return as_table(["key", "what it does"], rows)


def _pairs(sheet: str, name: str) -> list[list[str]]:
    """The keys and what they do of one table of the sheet."""
    body = sheet.partition(f"const {name} = [")[2].partition("\n];")[0]
    found = re.findall(r"^    \[(.+), (\"[^\"]+\")\],$", body, re.MULTILINE)
    assert found and len(found) == body.count("\n    ["), f"keysheet.js: {name} is written anew"
    return [[_keys(given), ast.literal_eval(does)] for given, does in found]


def _keys(given: str) -> str:
    """The keys of an expression of the sheet: a text, or those of commands."""
    if given.startswith('"'):
        return str(ast.literal_eval(given))
    keyboard = (FRONTEND_FOLDER / "core" / "keyboard.js").read_text(encoding="utf-8")
    wanted = re.findall(r"keys?Of\(\"(\w+)\"\)", given)
    pairs = re.findall(r"^    (\"[^\"]+\"|\w+): \"(\w+)\",$", keyboard, re.MULTILINE)
    return " ".join(key.strip('"') for one in wanted for key, command in pairs if command == one)


def _marked(keys: str) -> str:
    return " ".join(f"**{key}**" for key in keys.split())


PARTS: dict[str, Callable[[], str]] = {
    "columns": table.as_markdown,
    "stages": stages,
    "run-folder": run_folder,
    "maps": maps,
    "engines": engines,
    "sizing": sizing.as_markdown,
    "overview": overview,
    "shared-options": shared_options,
    "commands": own_options,
    "lists": lists,
    "list-columns": list_columns.as_markdown,
    "json": jsonlines.as_markdown,
    "keys": keys,
}
"""What makes each generated part, by the name in its marker."""
