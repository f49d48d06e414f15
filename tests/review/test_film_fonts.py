"""The letters of the film: in which font each is drawn, in which order, and what no font has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from review_embeddings.review.animation.drawing import fonts, text

HIEROGLYPH = "\U00013000"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only font beside that of the film: of full squares for a hieroglyph and an x."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(HIEROGLYPH): "square", ord("x"): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "square": (800, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "squares.ttf"
    builder.save(path)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    files = [str(tmp_path / name) for name in ("broken.ttf", "gone.ttf", "squares.ttf")]
    monkeypatch.setattr(fonts, "_files", lambda: files)
    forget()
    yield path
    forget()


def forget() -> None:
    for cached in (fonts.runs_of, fonts._found, text.text_width, text._rendered):
        cached.cache_clear()


def runs(line: str) -> list[tuple[str, str, bool]]:
    return [(run.text, run.font.family, run.leftward) for run in fonts.runs_of(line, False)]


def test_what_the_films_own_font_has_is_drawn_from_it(installed: Path) -> None:
    assert runs("xylophone é Ж") == [("xylophone é Ж", fonts.FAMILY, False)]


def test_a_letter_that_it_lacks_comes_from_another_font_with_what_that_has_of_its_word(
    installed: Path,
) -> None:
    own, other = fonts.FAMILY, "Squares"
    assert runs(f"an x {HIEROGLYPH}x x") == [
        ("an x ", own, False),
        (f"{HIEROGLYPH}x", other, False),
        (" x", own, False),
    ]
    assert runs(f"{HIEROGLYPH}y") == [(HIEROGLYPH, other, False), ("y", own, False)]
    width = text.text_width(HIEROGLYPH, 10.0, False)
    assert width == pytest.approx(8, abs=0.5)
    pixels, *_ = text._rendered(HIEROGLYPH, 10.0, False, (0, 0, 0), None)
    assert (pixels[..., 3] == 255).sum() == pytest.approx(49, abs=8)  # 7 x 7 pixels, all black


def test_what_no_font_has_is_named_once(installed: Path) -> None:
    assert fonts.missing_letters(["cat", f"\U00013001 {HIEROGLYPH}", "\U00013001"]) == [
        "\U00013001"
    ]
    assert runs("\U00013001") == [("\U00013001", fonts.FAMILY, False)]  # a box


def test_letters_are_joined_with_what_belongs_to_them() -> None:
    family, flag, skin, heart = "👨‍👩‍👧", "🇩🇪", "👍🏽", "❤️"
    line = f"e\u0301{family}{flag}{flag}{skin}{heart}न्"
    assert fonts.clusters(line) == ["e\u0301", family, flag, flag, skin, heart, "न्"]


HEBREW, ARABIC = "שלום", "مرحبا"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cat", ["cat"]),
        (HEBREW, [HEBREW]),
        (f"{HEBREW} {ARABIC}", [f"{HEBREW} {ARABIC}"]),
        (f"a {HEBREW} b", ["a ", HEBREW, " b"]),
        (f"{HEBREW} 42", ["42", f"{HEBREW} "]),  # the first word is read first, from the right
        (f"{HEBREW} b", ["b", f"{HEBREW} "]),
        (f"a {HEBREW} {ARABIC}", ["a ", f"{HEBREW} {ARABIC}"]),
    ],
)
def test_arabic_and_hebrew_run_to_the_left(line: str, expected: list[str]) -> None:
    found = fonts.runs_of(line, False)
    assert [run.text for run in found] == expected
    assert all(run.leftward == (run.text.strip()[0] in HEBREW + ARABIC) for run in found)


def test_arabic_letters_are_joined() -> None:
    joined = text.text_width(ARABIC, 40.0, False)
    alone = sum(text.text_width(letter, 40.0, False) for letter in ARABIC)
    if text._can_shape():
        assert joined < 0.95 * alone


def test_a_name_is_shortened_between_letters_not_within_them() -> None:
    flags = "🇩🇪" * 8
    shown = text.fitted(flags, lambda some: len(fonts.clusters(some)) <= 4)
    assert shown == "🇩🇪🇩🇪…🇩🇪"


def test_the_same_text_gives_the_same_pixels() -> None:
    first = text._rendered(f"{ARABIC} cat", 20.0, True, (0, 0, 0), (1, 1, 1))
    text._rendered.cache_clear()
    again = text._rendered(f"{ARABIC} cat", 20.0, True, (0, 0, 0), (1, 1, 1))
    np.testing.assert_array_equal(first[0], again[0])
