"""The one way to the terminal: lines, tables and JSON in which nothing that came with somebody's
data is a control character, turns the direction of text, or begins a line of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.pipeline.text import UNSAFE, json_text, visible
from review_embeddings.pipeline.textcolumns import (
    MIN_WIDTH,
    Laid,
    TextColumn,
    lay_out,
    width_of,
    wrapped,
)

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
    """A table without lines, whose cells are plain text. On a terminal it is as wide as that at
    most; a file gets it as wide as it is."""

    def __init__(self, *headings: str, numbers: bool = True, least: Sequence[str] = ()) -> None:
        """Columns with a heading are of ``numbers``, if any; the others may go on in the next line.
        Of the ``least`` important ones the first go first, where the terminal is too narrow."""
        self._columns: list[TextColumn] = []
        self._rows: list[tuple[str, ...]] = []
        for heading in headings:
            rank = least.index(heading) if heading in least else None
            self.add_column(heading, right=bool(heading) and numbers, dispensable=rank)

    def add_column(
        self, heading: str, *, right: bool = False, dispensable: int | None = None
    ) -> None:
        """Add a column behind the others."""
        column = TextColumn(visible(heading), (), right, not right, dispensable)
        self._columns.append(column)

    def add_row(self, *cells: str) -> None:
        """Add a row below the others."""
        self._rows.append(tuple(map(visible, cells)))

    def __len__(self) -> int:
        return len(self._rows)

    def fits(self) -> bool:
        """Whether the terminal is wide enough for all of it."""
        width, whole = terminal_width(), self._laid(None)
        return width is None or all(width_of(one) <= width for one in whole.heading + whole.rows)

    def print(self) -> None:
        """Print it."""
        from rich.text import Text

        width, out = terminal_width(), console()
        laid = self._laid(width)
        for line in laid.heading:
            out.print(Text(line, style="bold"), soft_wrap=True)
        say(*laid.rows)
        if laid.left_out and width is not None:
            say(*wrapped(laid.about_left_out(), width))

    def _laid(self, width: int | None) -> Laid:
        cells = zip(*self._rows, strict=True) if self._rows else ((),) * len(self._columns)
        columns = [
            replace(column, cells=own) for column, own in zip(self._columns, cells, strict=True)
        ]
        return lay_out(columns, width)


def terminal_width() -> int | None:
    """How wide the terminal is that lines are printed on; None where there is none."""
    is_there = sys.stdout is not None and sys.stdout.isatty()
    return max(MIN_WIDTH, get_terminal_size().columns) if is_there else None


def console(*, err: bool = False) -> Console:
    """What draws tables and bars: it alone may move the cursor and change colours."""
    from rich.console import Console

    class Drawing(Console):
        @property
        def file(self) -> Any:
            """The stream of this moment, without the guard."""
            stream = Console.file.fget(self)  # type: ignore[attr-defined]
            return getattr(stream, "unguarded", stream)

        @file.setter
        def file(self, new: Any) -> None:
            Console.file.fset(self, new)  # type: ignore[attr-defined]

    return Drawing(stderr=err)


class GuardedStream:
    """A stream as other libraries and tracebacks get it: what is unsafe becomes visible, but for
    line ends, tabs and what bars move the cursor with."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @property
    def unguarded(self) -> Any:
        """What draws tables and bars writes to it."""
        return self.stream

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
