"""The pages of documentation: their headings, anchors, links and blocks of code, as GitHub reads
them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

README = ROOT / "README.md"

PAGES = [
    README,
    *(ROOT / name / "README.md" for name in ("pipeline", "review", "tests")),
    *sorted((ROOT / ".github").glob("**/*.md")),
]

MAX_README = 14_000
"""Bytes: what is read before the first try."""

COMMAND = "review-embeddings"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
HEADING = re.compile(r"^(#{1,4}) (.+)$", re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
CODE = re.compile(r"`[^`\n]+`")
OMITTED = "…"
"""Stands in a command for options that do not matter there."""


@dataclass(frozen=True)
class Heading:
    """A heading of a page."""

    level: int
    title: str
    anchor: str
    """How links name it."""


@dataclass(frozen=True)
class Link:
    """A link or a picture in a page."""

    target: str
    is_picture: bool


def without_code(text: str) -> str:
    """The page without its blocks of code."""
    return INDENTED.sub("", FENCE.sub("", text))


def headings(text: str) -> list[Heading]:
    """All headings, with anchors as GitHub makes them: of equal ones the second ends in ``-1``."""
    found: list[Heading] = []
    seen: dict[str, int] = {}
    for marks, title in HEADING.findall(FENCE.sub("", text)):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        found.append(Heading(len(marks), title, f"{anchor}-{count}" if count else anchor))
    return found


def links(text: str) -> list[Link]:
    """All links and pictures outside of code."""
    found = LINK.findall(CODE.sub("``", without_code(text)))
    return [Link(target, mark == "!") for mark, _, target in found]


def python_blocks(text: str) -> list[str]:
    """The code of all blocks of Python."""
    return [code for language, code in FENCE.findall(text) if language in {"python", "py"}]


def shown_commands(text: str) -> Iterator[list[str]]:
    """The words behind ``review-embeddings`` of every command in a block of code.

    A comment, a line that goes on, a pipe and a command in front of it are taken off.
    """
    blocks = [code for language, code in FENCE.findall(text) if language in {"", "sh", "bash"}]
    blocks += INDENTED.findall(FENCE.sub("", text))
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\||;", line):
                words = shlex.split(part, comments=True)
                if COMMAND in words:
                    yield words[words.index(COMMAND) + 1 :]
