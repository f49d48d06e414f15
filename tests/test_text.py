"""Text of strangers in every kind of output: lines, tables, JSON, HTML, CSV."""

from __future__ import annotations

import csv
import html
import io
import json
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from anytext import joined
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.csvfile import (
    FORMULA,
    append_frame,
    csv_bytes,
    csv_rows,
    csv_text,
    guarded,
    unguarded,
)
from review_embeddings.pipeline.text import html_text, json_text, visible
from review_embeddings.review.cli.live.terminal import TerminalProgress
from review_embeddings.review.cli.printing import (
    GuardedStream,
    TextTable,
    console,
    guarded_streams,
    say,
    say_json,
)

PIECES = st.sampled_from(
    [
        "\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\n", "\r", "\t", "\x00", "\x85", "\u2028",
        "\u202e", "\u2066", "\u061c", "\ud83d", "\udce9", "=1+1", "@", "-", "+", "'", '"', "<b>",
        "&", "[red]", "[/]", ":cat:", "$x$", ",", ";", "\uff1d", "cat", " ", "😀", "é", "كلب",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=5).map("".join).map(joined)

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def is_safe(character: str) -> bool:
    return (
        unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        and unicodedata.bidirectional(character) not in BIDI
    )


@settings(deadline=None)
@given(text=TEXTS)
def test_a_visible_text_is_one_line_of_harmless_characters(text: str) -> None:
    shown = visible(text)
    assert all(map(is_safe, shown)) and len(shown.splitlines()) <= 1
    shown.encode()
    if all(map(is_safe, text.replace("\u061c", "\n"))):
        assert shown == text or "\u200e" in text or "\u200f" in text


def test_what_is_unsafe_is_written_as_repr_writes_it() -> None:
    assert visible("a\x1b[31m\n\u202eb\x85\udce9") == r"a\x1b[31m\n\u202eb\x85\udce9"
    assert visible("كلب 😀 é [x] :cat:") == "كلب 😀 é [x] :cat:"


@settings(deadline=None)
@given(text=TEXTS)
def test_json_holds_every_text_and_no_unsafe_character(text: str) -> None:
    written = json_text({"name": text}, indent=1)
    assert json.loads(written) == {"name": text}
    assert all(is_safe(character) or character == "\n" for character in written)
    written.encode()


@settings(deadline=None)
@given(text=TEXTS)
def test_html_holds_a_text_as_text_alone(text: str) -> None:
    written = html_text(text)
    assert html.unescape(written) == visible(text)
    assert not set(written) & set("<>\"'") and all(map(is_safe, written))


@settings(deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_no_cell_of_a_csv_file_is_run_and_every_cell_comes_back(texts: list[str]) -> None:
    names = [f"c{number}" for number in range(len(texts))]
    written = csv_text([names, texts], quoting=csv.QUOTE_ALL)
    _, cells = csv.reader(io.StringIO(written, newline=""))
    assert not any(cell.startswith(FORMULA) for cell in cells)
    assert [unguarded(cell) for cell in cells] == texts
    whole = [text.replace("\0", "\ufffd") for text in texts]
    assert list(csv_rows(written)) == [dict(zip(names, whole, strict=True))]
    assert unguarded(guarded(texts[0])) == texts[0]


def test_numbers_are_written_as_numbers() -> None:
    assert csv_bytes([("a", -1.5, None, -3, "-3", "\ud83d")]) == b"a,-1.5,,-3,'-3,\xed\xa0\xbd\n"


def test_a_frame_is_guarded_in_its_texts_and_categories(tmp_path: Path) -> None:
    names = pd.Categorical(["=1", None], categories=["=1", "b"])
    frame = pd.DataFrame({"n": [-1.5, 2], "text": ["@x", None], "kind": names})
    for header in (True, False):
        append_frame(frame, tmp_path / "x.csv", header=header)
    rows = "-1.5,'@x,'=1\n2.0,,\n"
    assert (tmp_path / "x.csv").read_text() == f"n,text,kind\n{rows}{rows}"
    assert frame["kind"].tolist()[0] == "=1"


# -- the terminal


@settings(deadline=None)
@given(text=TEXTS)
def test_what_is_said_is_one_line(text: str) -> None:
    import contextlib

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        say(f"a {text} b")
        table = TextTable("heading", text)
        table.add_row(text, "x")
        table.print()
        say_json({"name": text})
    lines = out.getvalue().split("\n")
    assert lines[0] == f"a {visible(text)} b"
    assert all(is_safe(character) for line in lines for character in line)


@settings(deadline=None)
@given(text=TEXTS)
def test_progress_shows_titles_and_notes_as_plain_text(text: str) -> None:
    stream = io.StringIO()
    drawing = console()
    drawing.file = stream
    progress = TerminalProgress(drawing)
    with progress.stage(text, total=1, unit="x") as advance:
        progress.latest(text)
        advance(1)
    progress.note(text)
    assert all(is_safe(character) for line in stream.getvalue().split("\n") for character in line)
    assert stream.getvalue().split("\n")[-2] == visible(text)


def test_what_other_libraries_print_is_guarded_until_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with guarded_streams():
        print("\x1b]0;title\x07", file=sys.stderr)
        sys.stderr.write("\n\x1b[A")
        sys.stderr.write("\r50 %")
        assert isinstance(sys.stdout, GuardedStream)
    assert capsys.readouterr().err == "\\x1b]0;title\\x07\n\n\x1b[A\r50 %"
    assert not isinstance(sys.stdout, GuardedStream)


def test_an_error_with_line_ends_and_escapes_is_one_line() -> None:
    from review_embeddings.review.cli.program import cli

    result = CliRunner().invoke(cli, ["summary", "--run", "no\x1b[31m\nError: run"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert r"no\x1b[31m\nError: run" in line


@pytest.mark.parametrize("where", ["text", "kind"])
def test_a_carriage_return_in_a_cell_begins_no_row(tmp_path: Path, where: str) -> None:
    columns = {"text": ["x"], "kind": pd.Categorical(["y"])}
    columns |= {where: ["a\r=1"] if where == "text" else pd.Categorical(["a\r=1"])}
    append_frame(pd.DataFrame(columns), tmp_path / "x.csv", header=True)
    written = (tmp_path / "x.csv").read_bytes().decode()
    for text in (written, csv_text([["text", "kind"], ["a\r=1", "b"]])):
        _, *rows = csv.reader(io.StringIO(text, newline=""))
        assert len(rows) == 1 and "a\r=1" in rows[0]
