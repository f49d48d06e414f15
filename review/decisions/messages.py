"""What a page may send: the fields of its messages, checked one by one. Knows no run and no
file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.lines import MAX_SEQUENCE, UNDO, check_text

OUTBOX = "review-embeddings-outbox"
"""What the page keeps unsaved messages under, and the format of the file that it makes of them."""

MAX_REQUEST = 100
"""Characters of a request's name."""

MAX_CHECKPOINTS = 100
"""Checkpoints that can be on screen."""

COMMON = frozenset({"run", "request", "seen", "client"})
IMAGES = frozenset({"images", "rows"})

FIELDS = {
    "decide": COMMON | IMAGES | {"decision", "new_label", "note", "checkpoints"},
    "list": COMMON | IMAGES | {"name", "rename_to", "remove"},
    "undo": COMMON,
    "class": COMMON | {"name"},
}
"""What a message may hold; anything else is refused."""


@dataclass(frozen=True)
class Message:
    """What every message says, and the rest of it."""

    request: str
    run: str | None
    """Id of the run that it was made for; None for whichever is open."""
    seen: int | None
    """Revision that the page knew when it was decided; None where it does not say."""
    client: str
    """Which browser it comes from; empty where it does not say."""
    content: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A field that holds text. Raises SettingsError."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, str):
            raise SettingsError(f"{name} is no text.")
        check_text(name, value)
        return value

    @property
    def removes(self) -> bool:
        """Whether a list is to be removed. Raises SettingsError."""
        value = self.content.get("remove", False)
        if not isinstance(value, bool):
            raise SettingsError("remove is neither true nor false.")
        return value

    @property
    def names_images(self) -> bool:
        """Whether it says which images it is about."""
        return not IMAGES.isdisjoint(self.content)

    @property
    def steps(self) -> list[int]:
        """Checkpoints on screen. Raises SettingsError."""
        value = self.content.get("checkpoints", [])
        if (
            not isinstance(value, list)
            or len(value) > MAX_CHECKPOINTS
            or not all(type(step) is int and step >= 0 for step in value)
        ):
            raise SettingsError("The checkpoints are no list of steps.")
        return value


def read_message(message: object, kind: str) -> Message:
    """A message of one of the kinds in `FIELDS`. Raises SettingsError."""
    if not isinstance(message, dict):
        raise SettingsError("The message is no JSON object.")
    unknown = sorted(set(message) - FIELDS[kind])
    if unknown:
        raise SettingsError(f"The message has the unknown field {unknown[0][:40]!r}.")
    request = _name(message, "request")
    if request is None or (request.startswith(UNDO) and kind != "undo"):
        raise SettingsError("The message has no usable request name.")
    client = _name(message, "client") or ""
    return Message(request, _run(message), _seen(message), client, message)


def _name(content: Mapping[str, Any], field: str) -> str | None:
    """A short name that a program made; None where there is none."""
    name = content.get(field)
    if name is None:
        return None
    is_short = isinstance(name, str) and 0 < len(name) <= MAX_REQUEST
    if not is_short or not re.fullmatch("[ -~]+", name):
        raise SettingsError(f"The message has no usable {field} name.")
    return str(name)


def _run(content: Mapping[str, Any]) -> str | None:
    run = content.get("run")
    if run is not None and not isinstance(run, str):
        raise SettingsError("run is no text.")
    return run


def _seen(content: Mapping[str, Any]) -> int | None:
    seen = content.get("seen")
    if seen is not None and (type(seen) is not int or not 0 <= seen < 2 * MAX_SEQUENCE):
        raise SettingsError("seen is no revision.")
    return seen
