"""Lays text out in columns for a terminal of some width: values wrap, the least important columns
go where they must, and what does not fit beside each other stands below each other. Nothing is lost
without being named."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = "  "
"""Between two columns."""

MIN_WIDTH = 40
"""Columns of the narrowest terminal that text is laid out for."""

WORD = 16
"""Characters from which a word is broken, where a column has to become narrower."""

INDENT = "  "
"""Of what goes on in the next line."""

JOINER, EMOJI_STYLE = "\u200d", "\ufe0f"
"""Characters that make one sign of those beside them."""


@dataclass(frozen=True)
class TextColumn:
    """A column of text: a heading, and one cell a row."""

    heading: str
    cells: Sequence[str]
    right: bool = False
    """Whether the cells end below each other, as numbers do."""
    wraps: bool = False
    """Whether its cells may go on in the next line."""
    dispensable: int | None = None
    """Where not all columns fit, those that have a number are left out, the lowest first. They
    have headings, by which they are named."""

    def natural(self) -> int:
        """The width that it takes if nothing is in its way."""
        return max(map(width_of, (self.heading, *self.cells)), default=0)

    def least(self) -> int:
        """The width below which it is hard to read."""
        words = self.heading.split()
        if self.wraps:
            words += [word for cell in self.cells for word in cell.split()]
            return max((min(WORD, width_of(word)) for word in words), default=0)
        return max(map(width_of, (*words, *self.cells)), default=0)


@dataclass(frozen=True)
class Laid:
    """Columns as lines, none of them wider than was asked for."""

    heading: list[str]
    """Empty where there is none."""
    rows: list[str]
    left_out: list[str]
    """Headings of the columns that are not there."""

    def about_left_out(self) -> str:
        """A sentence about the columns that are not there; empty where all are."""
        names = ", ".join(self.left_out)
        return f"Left out in this width: {names}. A wider terminal has them, or a file." * bool(
            names
        )


def lay_out(columns: Sequence[TextColumn], width: int | None) -> Laid:
    """Lay columns out beside each other in lines of ``width``, without one as wide as they are."""
    shown = [column for column in columns if column.heading or any(column.cells)]
    if width is None:
        return _beside(shown, [column.natural() for column in shown], [])
    shown, left_out = _chosen(shown, width)
    if _total([column.least() for column in shown]) > width:
        return Laid([], list(_below(columns, width)), [])
    return _beside(shown, _widths(shown, width), left_out)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * max(0, len(widths) - 1)


def _chosen(columns: Sequence[TextColumn], width: int) -> tuple[list[TextColumn], list[str]]:
    """The columns that there is room for, and the headings of the others."""
    shown = list(columns)
    ranked = [column for column in shown if column.dispensable is not None and column.heading]
    ranked.sort(key=lambda column: column.dispensable or 0)
    gone = []
    while ranked and _total([column.least() for column in shown]) > width:
        gone.append(ranked.pop(0))
        shown = [column for column in shown if all(column is not one for one in gone)]
    left_out = [column.heading for column in columns if any(column is one for one in gone)]
    return shown, left_out


def _widths(columns: Sequence[TextColumn], width: int) -> list[int]:
    """A width for each column: what is left over goes to those that need the least more."""
    widths = [column.least() for column in columns]
    needs = [column.natural() - least for column, least in zip(columns, widths, strict=True)]
    left = width - _total(widths)
    for at, index in enumerate(sorted(range(len(columns)), key=needs.__getitem__)):
        more = min(needs[index], left // (len(columns) - at))
        widths[index] += more
        left -= more
    return widths


def _beside(columns: Sequence[TextColumn], widths: Sequence[int], left_out: list[str]) -> Laid:
    count = max((len(column.cells) for column in columns), default=0)
    headings = [column.heading for column in columns]
    return Laid(
        list(_lines(columns, headings, widths)) if any(headings) else [],
        [
            line
            for row in range(count)
            for line in _lines(columns, [column.cells[row] for column in columns], widths)
        ],
        left_out,
    )


def _lines(
    columns: Sequence[TextColumn], cells: Sequence[str], widths: Sequence[int]
) -> Iterator[str]:
    parts = [wrapped(cell, max(1, width)) for cell, width in zip(cells, widths, strict=True)]
    for line in range(max(map(len, parts), default=0)):
        texts = [part[line] if line < len(part) else "" for part in parts]
        yield GAP.join(
            _padded(text, width, column.right)
            for text, width, column in zip(texts, widths, columns, strict=True)
        ).rstrip(" ")


def _padded(text: str, width: int, right: bool) -> str:
    room = " " * (width - width_of(text))
    return room + text if right else text + room


def _below(columns: Sequence[TextColumn], width: int) -> Iterator[str]:
    """The cells of each row below each other, an empty line between rows."""
    for row in range(max((len(column.cells) for column in columns), default=0)):
        if row:
            yield ""
        for column in columns:
            heading = f"{column.heading}: " if column.heading else ""
            if column.cells[row]:
                first, *rest = wrapped(heading + column.cells[row], width - len(INDENT))
                yield first
                yield from (INDENT + line for line in rest)


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text that is no wider than ``width``: they end between words, and inside
    those that are longer than a line. At least one."""
    if width_of(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(joined) <= width:
            lines[-1] = joined
            continue
        first, *rest = _pieces(word, width)
        lines = [*lines, first, *rest] if lines[-1] else [first, *rest]
    return lines


def _pieces(word: str, width: int) -> list[str]:
    pieces = [""]
    for sign in _signs(word):
        if pieces[-1] and width_of(pieces[-1] + sign) > width:
            pieces.append("")
        pieces[-1] += sign
    return pieces


def _signs(text: str) -> Iterator[str]:
    """Characters with the marks that stand on them, emoji with what they are joined with."""
    sign = ""
    for character in text:
        if sign and not (sign.endswith(JOINER) or _width(character) == 0):
            yield sign
            sign = ""
        sign += character
    if sign:
        yield sign


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes; joined emoji may take less."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if character == EMOJI_STYLE:
        return 1  # makes a narrow sign a wide one
    if character.isascii():
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
