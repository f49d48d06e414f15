"""Texts as they come with other people's data, half characters among them."""

from __future__ import annotations

from hypothesis import strategies as st


def joined(text: str) -> str:
    """With one character for two halves that follow each other, which JSON cannot tell apart."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def texts(max_size: int | None = None) -> st.SearchStrategy[str]:
    """Any text that Python can hold, as JSON gives it back."""
    return st.text(st.characters(exclude_categories=()), max_size=max_size).map(joined)


def is_unicode(text: str) -> bool:
    """Whether no half character is in it, so that a file can hold it."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
