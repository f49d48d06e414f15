"""Says which names a class may have that the data set does not know, and to which images are
relabelled all the same. Knows no file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.lines import check_text

MAX_CLASS_NAME = 200
"""Characters of the name of a new class."""


def check_class(name: str, classes: Iterable[str]) -> None:
    """Raise SettingsError for a name that a new class cannot have beside the known ones."""
    check_text("The name of a class", name)
    if not 0 < len(name) <= MAX_CLASS_NAME:
        raise SettingsError(
            f"The name of a class has {len(name)} characters. Use 1 to {MAX_CLASS_NAME}."
        )
    if name != name.strip() or not name.isprintable():
        raise SettingsError(
            f"{name!r} begins or ends with a space, or has a character that is not shown. Write "
            f"it without."
        )
    check_letters(name, classes)


def check_letters(name: str, classes: Iterable[str]) -> None:
    """Raise SettingsError for a name that differs from that of a class by upper and lower case or
    spaces only."""
    wanted = _letters(name)
    known = next((one for one in classes if one != name and _letters(one) == wanted), None)
    if known is not None:
        raise SettingsError(
            f"{name!r} differs from the class {known!r} by case or spaces only. Use that one."
        )


def _letters(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()
