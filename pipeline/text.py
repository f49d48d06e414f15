"""Text that came with somebody's data, made harmless for where it goes: a line of a terminal or a
file, JSON, HTML. Cells of CSV files are in `pipeline.csvfile`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What does more than stand there: control characters, line ends among them, marks that turn the
direction of text, and half a character."""

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""The text as one line in which nothing is unsafe: ``\x1b`` and ``\u202e`` as `repr` has
    them."""
    return UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def is_number(text: str) -> bool:
    """Whether a text is a whole number in the digits 0 to 9: `str.isdigit` also takes a ``²``,
    which `int` does not."""
    return text.isascii() and text.isdecimal()


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that somebody may have meant; None where none is alike."""
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)), None)


def json_text(content: Any, *, indent: int | None = None) -> str:
    """Content as JSON that any terminal and any reader takes: what is unsafe is escaped."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    return UNSAFE.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"


def html_text(text: object) -> str:
    """Text as HTML, in an element or a quoted attribute; it cannot turn the text around it."""
    return html.escape(visible(str(text)))
