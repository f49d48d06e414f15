"""Text in columns: what a terminal of any width gets of a table, and what a file gets."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.textcolumns import MIN_WIDTH, TextColumn, lay_out, width_of, wrapped
from review_embeddings.review.cli import printing
from review_embeddings.review.cli.output import print_similar
from review_embeddings.review.cli.printing import TextTable, say
from review_embeddings.review.report.similar import SearchResults, SimilarImage

SIGNS = st.characters(
    codec="utf-8",
    categories=("L", "M", "N", "P", "S"),
    include_characters=" 猫犬😀👍\u200d",
)

TEXTS = st.text(SIGNS, max_size=30)


@st.composite
def tables(draw: st.DrawFn) -> list[TextColumn]:
    """Columns as commands print them: those that can be left out are named, each by another
    name."""
    rows = draw(st.integers(0, 4))
    count = draw(st.integers(1, 12))
    columns = []
    for index in range(count):
        cells = draw(st.lists(TEXTS, min_size=rows, max_size=rows))
        rank = draw(st.none() | st.integers(0, 3))
        heading = draw(TEXTS) if rank is None else f"{index}{draw(TEXTS)}"
        columns.append(TextColumn(heading, cells, draw(st.booleans()), draw(st.booleans()), rank))
    return columns


def signs(texts: list[str]) -> str:
    """What stands in lines, whatever stands beside or below what."""
    return "".join(sorted("".join(texts).replace(" ", "").replace(":", "")))


@settings(deadline=None)
@given(columns=tables(), width=st.integers(MIN_WIDTH, 200))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(
    columns: list[TextColumn], width: int
) -> None:
    laid = lay_out(columns, width)
    assert all(width_of(line) <= width for line in [*laid.heading, *laid.rows])
    shown = [column for column in columns if column.heading not in laid.left_out]
    assert len(columns) - len(shown) == len(laid.left_out)
    assert all(column.dispensable is not None for column in columns if column not in shown)
    assert all(name in laid.about_left_out() for name in laid.left_out)
    cells = [cell for column in shown for cell in column.cells]
    if laid.heading or not any(column.heading for column in shown):
        headings = [column.heading for column in shown]
        assert signs(laid.rows) == signs(cells)
        assert signs(laid.heading) == signs(headings)
    else:  # below each other, each cell behind its heading
        names = [column.heading for column in shown for cell in column.cells if cell]
        assert not laid.left_out
        assert signs(laid.rows) == signs([*cells, *names])


@settings(deadline=None)
@given(columns=tables())
def test_a_file_gets_each_row_on_one_line(columns: list[TextColumn]) -> None:
    laid = lay_out(columns, None)
    assert not laid.left_out and len(laid.heading) <= 1
    assert len(laid.rows) == (len(columns[0].cells) if any_text(columns) else 0)
    for column in columns:
        for cell, line in zip(column.cells, laid.rows, strict=False):
            assert cell.rstrip(" ") in line


def any_text(columns: list[TextColumn]) -> bool:
    return any(column.heading or any(column.cells) for column in columns)


@settings(deadline=None)
@given(text=TEXTS, width=st.integers(2, 40))
def test_wrapped_lines_are_no_wider(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert lines and signs(lines) == signs([text])
    joined = [line for line in lines if width_of(line) > width]
    assert all("\u200d" in line or width_of(line[0]) == 0 for line in joined), "one sign each"


def test_columns_that_fit_stand_beside_each_other() -> None:
    names, scores = (
        TextColumn("label", ["cat", "automobile"]),
        TextColumn("rank", ["3", "1,024"], True),
    )
    laid = lay_out([names, scores], 80)
    assert laid.heading == ["label        rank"]
    assert laid.rows == ["cat             3", "automobile  1,024"]


def test_long_values_go_on_in_the_next_line() -> None:
    numbers = TextColumn("id", ["7", "12"], True)
    notes = TextColumn("note", ["another class fits better: frog", "short"], wraps=True)
    assert lay_out([numbers, notes], 24).rows == [
        " 7  another class fits",
        "    better: frog",
        "12  short",
    ]


def test_the_least_important_column_goes_first_and_is_named() -> None:
    columns = [
        TextColumn("checkpoint", ["100"], True),
        TextColumn("scale", ["1.25"], True, dispensable=0),
        TextColumn("disparity", ["0.50"], True, dispensable=1),
        TextColumn("accuracy", ["0.875"], True),
    ]
    # 10 + 5 + 9 + 8 columns and three gaps of two are 38 of them, without the scale 31
    assert lay_out(columns, 38).left_out == []
    laid = lay_out(columns, 37)
    assert laid.left_out == ["scale"]
    assert laid.heading == ["checkpoint  disparity  accuracy"]
    assert laid.about_left_out().startswith("Left out in this width: scale.")
    assert lay_out(columns, 30).left_out == ["scale", "disparity"]


def test_what_fits_in_no_way_stands_below_each_other() -> None:
    columns = [TextColumn(name, ["x" * 9, ""]) for name in ("alpha", "beta", "gamma", "delta")]
    laid = lay_out([*columns, TextColumn("id", ["1", "2"])], 40)
    lines = [f"{name}: xxxxxxxxx" for name in ("alpha", "beta", "gamma", "delta")]
    assert laid.heading == [] and laid.rows == [*lines, "id: 1", "", "id: 2"]


def test_wide_signs_take_two_columns_and_marks_none() -> None:
    assert [width_of(text) for text in ("cat", "猫", "é", "e\u0301", "😀", "❤\ufe0f")] == [
        3,
        2,
        1,
        1,
        2,
        2,
    ]
    assert lay_out([TextColumn("", ["猫", "cat"]), TextColumn("", ["1", "2"])], 40).rows == [
        "猫   1",
        "cat  2",
    ]
    assert wrapped("猫猫猫", 5) == ["猫猫", "猫"]
    assert wrapped("e\u0301e\u0301", 1) == ["e\u0301", "e\u0301"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, table: TextTable, columns: int | None) -> list[str]:
    out = io.StringIO() if columns is None else Terminal()
    monkeypatch.setenv("COLUMNS", str(columns or 80))
    monkeypatch.setenv("TERM", "dumb")  # without bold type
    monkeypatch.setattr(sys, "stdout", out)
    table.print()
    monkeypatch.undo()
    return out.getvalue().splitlines()


def test_a_terminal_gets_what_it_has_room_for_and_a_file_gets_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = TextTable("step", "a rather long heading of one column", "scale", least=("scale",))
    table.add_row("1", "0." + "5" * 40, "2")
    assert printed(monkeypatch, table, 50) == [
        "step         a rather long heading of one column",
        "   1  0." + "5" * 40,
        "Left out in this width: scale. A wider terminal",
        "has them, or a file.",
    ]
    for columns in (200, None):
        heading, row = printed(monkeypatch, table, columns)
        assert heading.endswith("scale") and row.endswith("    2")
    monkeypatch.setattr(printing, "terminal_width", lambda: 50)
    assert not table.fits()
    monkeypatch.setattr(printing, "terminal_width", lambda: None)
    assert table.fits()
    say("done")


def test_the_command_draws_on_a_real_terminal(built_run: Path) -> None:
    columns = 60
    shown = in_terminal(columns, "build", "--run", built_run)
    seen = [line.rpartition("\r")[2] for line in shown.split("\n")]  # the last that was drawn
    lines = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", line) for line in seen]
    heading = next(line for line in lines if line.startswith("checkpoint"))
    assert f"\x1b[1m{heading}\x1b[0m" in shown, "bold, and not its codes in letters"
    table = lines[lines.index(heading) : lines.index(heading) + 4]
    assert [line.split()[0] for line in table[1:]] == ["10", "20", "100"]
    assert all(width_of(line) <= columns for line in table)
    named = {"disparity", "scale"} & set(
        " ".join(lines).replace(",", " ").replace(".", " ").split()
    )
    assert named == {"disparity", "scale"}, "as columns, or as left out"


def in_terminal(columns: int, *arguments: object) -> str:
    """What the command writes on a terminal of so many columns."""
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-m", "review_embeddings", *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen(
        command, stdout=end, stderr=end, env={**environment, "TERM": "xterm"}
    ) as process:
        os.close(end)
        written = b""
        with suppress(OSError):  # the other end is closed
            while part := os.read(terminal, 1 << 16):
                written += part
    os.close(terminal)
    assert process.returncode == 0, written
    return written.decode().replace("\r\n", "\n")


def found_at(step: int) -> SearchResults:
    images = [
        SimilarImage(rank, 40 + rank, 0.9, "猫" * 8, 3.4e-9, rank, "undecided", None, rank)
        for rank in (1, 2)
    ]
    return SearchResults(step, images, 0.0)


def test_checkpoints_stand_beside_each_other_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 1 for the numbers, 6 or 7 for ids, 16, 10 and 12 twice, and gaps of two: 106 columns
    for width, tables in ((106, 1), (105, 2), (80, 2), (60, 2), (None, 1)):
        monkeypatch.setattr(printing, "terminal_width", lambda width=width: width)
        print_similar([found_at(0), found_at(40)])
        lines = capsys.readouterr().out.splitlines()
        headings = [line for line in lines if "similarity" in line]
        assert len(headings) == tables, width
        assert all(width_of(line) <= (width or 200) for line in lines)
        assert "2 of 2 are the same at step 0 and at step 40" in lines
        assert not re.search(r"0\.000|e-", "".join(lines)), "a rank, and no score"
