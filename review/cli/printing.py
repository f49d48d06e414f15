"""The one way to the terminal: lines, tables and JSON in which nothing that came with somebody's
data is a control character, turns the direction of text, or begins a line of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.text import UNSAFE, json_text, visible

if TYPE_CHECKING:
    from rich.console import Console

OF_BARS = re.compile(r"(\n|\x1b\[A)*")
"""What the progress bars of other libraries move the cursor with."""

OF_LINES = frozenset("\n\r\t")
"""What may stand in the lines of other libraries."""


def say(*lines: str, err: bool = False) -> None:
    """Print lines; a line end inside one is shown as ``\\n``."""
    for line in lines:
        click.echo(visible(line), err=err)


def say_json(content: Any, *, indent: int | None = 1) -> None:
    """Print JSON, for people and programs; on one line without an ``indent``."""
    click.echo(json_text(content, indent=indent))


class TextTable:
    """A table without lines, whose cells are plain text."""

    def __init__(self, *headings: str, numbers: bool = True) -> None:
        """Columns with a heading are of ``numbers``, if any."""
        from rich.table import Table

        self._table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in headings:
            self.add_column(heading, right=bool(heading) and numbers)

    def add_column(self, heading: str, *, right: bool = False) -> None:
        """Add a column behind the others."""
        from rich.text import Text

        self._table.add_column(Text(visible(heading)), justify="right" if right else "left")

    def add_row(self, *cells: str) -> None:
        """Add a row below the others."""
        from rich.text import Text

        self._table.add_row(*(Text(visible(cell)) for cell in cells))

    def __len__(self) -> int:
        return self._table.row_count

    def print(self) -> None:
        """Print it."""
        console().print(self._table)


def console(*, err: bool = False) -> Console:
    """What draws tables and bars: it alone may move the cursor and change colours."""
    from rich.console import Console

    class Drawing(Console):
        @property
        def file(self) -> Any:
            """The stream of this moment, without the guard."""
            stream = Console.file.fget(self)  # type: ignore[attr-defined]
            return stream.stream if isinstance(stream, GuardedStream) else stream

        @file.setter
        def file(self, new: Any) -> None:
            Console.file.fset(self, new)  # type: ignore[attr-defined]

    return Drawing(stderr=err)


class GuardedStream:
    """A stream as other libraries and tracebacks get it: what is unsafe becomes visible, but for
    line ends, tabs and what bars move the cursor with."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; the number of its characters."""
        if not OF_BARS.fullmatch(text):
            self.stream.write(
                UNSAFE.sub(lambda found: _shown(found[0]), text) if UNSAFE.search(text) else text
            )
        else:
            self.stream.write(text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _shown(character: str) -> str:
    return character if character in OF_LINES else visible(character)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard what this process prints by other ways than this module; an error that ends it is
    printed guarded, too."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_guarded, before)
    try:
        yield
    except Exception:
        raise  # Python prints it last
    except BaseException:
        sys.stdout, sys.stderr = before
        raise
    else:
        sys.stdout, sys.stderr = before


def _guarded(stream: Any) -> Any:
    if stream is None or isinstance(stream, GuardedStream):
        return stream
    if hasattr(stream, "reconfigure"):  # where the terminal's encoding lacks a character
        with suppress(OSError):  # its descriptor was a file, and is a terminal now
            stream.reconfigure(errors="backslashreplace")
    return GuardedStream(stream)
