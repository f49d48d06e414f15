"""Finds for each letter a font of this machine that has it: the plotting library's own first, so
that what it can write looks the same everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from matplotlib.font_manager import FontProperties, findfont, findSystemFonts

FAMILY = "DejaVu Sans"
"""The font of the film, which comes with matplotlib."""

PREFERRED = (
    "notosans-regular",
    "notosansarabic-",
    "notosansdevanagari-",
    "notosanscjk",
    "sourcehansans",
    "wqy-",
    "droidsansfallback",
    "pingfang",
    "hiragino",
    "msyh",
    "notocoloremoji",
    "apple color emoji",
    "seguiemj",
    "notosans",
    "arialuni",
    "arial unicode",
)
"""How the names of the files begin that are looked at before all others, the best first."""

IGNORED = frozenset(
    [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
"""Joiners and marks of direction, which are not drawn: fonts need not have them."""

SELECTORS = range(0xFE00, 0xFE10)
"""Choose between looks of the letter before; fonts need not have them."""

JOINER = 0x200D

SKIN, REGIONS, TAGS = range(0x1F3FB, 0x1F400), range(0x1F1E6, 0x1F200), range(0xE0020, 0xE0080)


@dataclass(frozen=True)
class FontFile:
    """A file of this machine that letters are drawn from."""

    path: str
    letters: frozenset[int]
    """Code points that it has."""
    family: str = FAMILY
    colored: bool = False
    """Whether it holds pictures in colours of their own."""

    def has(self, text: str) -> bool:
        """Whether it has all that is drawn of a text."""
        return _drawn(text) <= self.letters


@cache
def own_font(bold: bool) -> FontFile:
    """That of the film."""
    weight = "bold" if bold else "normal"
    return _opened(str(findfont(FontProperties(family=FAMILY, weight=weight))), FAMILY)


def font_of(cluster: str, bold: bool) -> FontFile | None:
    """The font that draws what is seen as one letter; None where no font here has it."""
    own = own_font(bold)
    return own if own.has(cluster) else _found(cluster)


def missing_letters(texts: Iterable[str]) -> list[str]:
    """What no font here has, each once."""
    found = (cluster for text in texts for cluster in clusters(" ".join(text.split())))
    return [one for one in dict.fromkeys(found) if _drawn(one) and font_of(one, False) is None]


def clusters(text: str) -> list[str]:
    """What is seen as one letter each: a letter with its marks, a flag, joined emoji."""
    found: list[str] = []
    for letter in text:
        if found and _continues(found[-1], letter):
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _continues(before: str, letter: str) -> bool:
    code, last = ord(letter), ord(before[-1])
    if last == JOINER and len(before) > 1 and _is_emoji(ord(before[0])):
        return True
    if code in REGIONS:
        return last in REGIONS and len(before) == 1
    joins = code == JOINER or code in SELECTORS or code in SKIN or code in TAGS
    return joins or unicodedata.category(letter) in {"Mn", "Mc", "Me"}


def _is_emoji(code: int) -> bool:
    return code >= 0x1F000 or 0x2190 <= code < 0x3000


def _drawn(text: str) -> frozenset[int]:
    return frozenset(map(ord, text)) - IGNORED - frozenset(SELECTORS)


@cache
def _found(cluster: str) -> FontFile | None:
    for path in _files():
        font = _opened(path)
        if font.has(cluster):
            return font
    return None


@cache
def _files() -> list[str]:
    """All fonts of this machine, in the order in which they are looked at."""

    def key(path: str) -> tuple[int, bool, str, str]:
        name = Path(path).stem.lower()
        rank = next((at for at, begin in enumerate(PREFERRED) if name.startswith(begin)), 99)
        plain = not any(word in name for word in ("bold", "italic", "oblique", "mono", "serif"))
        return rank, not plain, name, path

    return sorted(set(findSystemFonts()), key=key)


@cache
def _opened(path: str, family: str = "") -> FontFile:
    """A font; one without letters where it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError

    nothing = FontFile(path, frozenset())
    try:
        with Path(path).open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            colored = any(table in font for table in ("CBDT", "sbix", "COLR"))
            if not colored and "glyf" not in font and "CFF " not in font and "CFF2" not in font:
                return nothing
            letters = frozenset(font.getBestCmap() or {})
            return FontFile(path, letters, family or str(font["name"].getBestFamilyName()), colored)
    except (OSError, TTLibError, KeyError, ValueError, AssertionError):
        return nothing


# -- order


@dataclass(frozen=True)
class Run:
    """Neighbouring letters that are drawn from one font in one direction."""

    text: str
    font: FontFile
    leftward: bool = False


@cache
def runs_of(text: str, bold: bool) -> tuple[Run, ...]:
    """A line of text as what is drawn, from left to right.

    Arabic, Hebrew and their like run to the left, numbers within them to the right (a plain form
    of Unicode's bidirectional algorithm, UAX 9, without its embeddings).
    """
    own = own_font(bold)
    if own.has(text) and not any(map(_direction, text)):
        return (Run(text, own),)
    parts = clusters(text)
    pieces: list[tuple[str, FontFile, int]] = []
    for cluster, font, level in zip(parts, _fonts(parts, bold), _levels(parts), strict=True):
        if pieces and pieces[-1][1:] == (font, level):
            pieces[-1] = (pieces[-1][0] + cluster, font, level)
        else:
            pieces.append((cluster, font, level))
    ordered = _from_left([level for _, _, level in pieces])
    return tuple(Run(pieces[at][0], pieces[at][1], pieces[at][2] % 2 == 1) for at in ordered)


def _fonts(parts: list[str], bold: bool) -> list[FontFile]:
    """The font of each letter. One that another font is needed for brings along the letters of its
    word that this font has: they are joined, or look alike."""
    own = own_font(bold)
    fonts = [font_of(cluster, bold) or own for cluster in parts]
    words = [index for index, cluster in enumerate(parts) if cluster.isspace()]
    for begin, end in zip([-1, *words], [*words, len(parts)], strict=True):
        word = "".join(parts[begin + 1 : end])
        others = (font for font in fonts[begin + 1 : end] if font != own and not font.colored)
        whole = next((font for font in others if font.has(word)), None)
        if whole is not None:
            fonts[begin + 1 : end] = [whole] * (end - begin - 1)
    return fonts


def _direction(letter: str) -> int:
    """1 for a letter that runs to the left, else 0."""
    return int(unicodedata.bidirectional(letter) in {"R", "AL"})


def _levels(parts: list[str]) -> list[int]:
    """How deep each letter lies in text of the other direction: odd ones run to the left."""
    kinds = [unicodedata.bidirectional(cluster[0]) for cluster in parts]
    strong = [{"L": 0, "R": 1, "AL": 1}.get(kind) for kind in kinds]
    base = next((kind for kind in strong if kind is not None), 0)
    before = list(_carried(strong, base))
    after = list(_carried(strong[::-1], base))[::-1]
    levels = []
    for kind, own, left, right in zip(kinds, strong, before, after, strict=True):
        if kind in {"EN", "AN"}:
            levels.append(2 if left == 1 else 2 * base)
        else:
            side = own if own is not None else left if left == right else base
            levels.append(1 if side == 1 else 2 * base)
    return levels


def _carried(strong: list[int | None], base: int) -> Iterator[int]:
    """Of each letter the direction of the last one up to it that has one."""
    last = base
    for kind in strong:
        last = last if kind is None else kind
        yield last


def _from_left(levels: list[int]) -> list[int]:
    """Indices of pieces as they stand from left to right: rule L2 of the algorithm."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        at = 0
        while at < len(order):
            end = at
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[at:end] = order[at:end][::-1]
            at = max(end, at + 1)
    return order
