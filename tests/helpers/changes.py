"""What may become of a JSON object: keys of a newer version, lost keys, values of other types, half
a file, a newer format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

DROP, ADD, RETYPE, CUT, NEWER = "drop", "add", "retype", "cut", "newer"

texts = st.text("aé\n\x00\ud83d{", max_size=5)  # a small alphabet: all of Unicode takes seconds

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


@dataclass(frozen=True)
class Change:
    """One change of an object."""

    kind: str
    path: tuple[str | int, ...]
    """Keys from the outside to the value that was changed, added or lost."""
    content: dict[str, Any]
    """The object now."""
    text: bytes
    """What the file holds now."""


def _objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all objects with keys."""
    if isinstance(value, dict):
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in parts:
        if isinstance(inner, (dict, list)):
            yield from _objects(inner, (*path, key))


def at(content: Any, path: tuple[str | int, ...]) -> Any:
    """The value at the end of a path."""
    for key in path:
        content = content[key]
    return content


@st.composite
def changes(draw: st.DrawFn, whole: dict[str, Any]) -> Change:
    """A change of a file that holds ``whole``."""
    content = deepcopy(whole)
    kind = draw(st.sampled_from([DROP, ADD, RETYPE, CUT, NEWER]))
    path = draw(st.sampled_from([path for path in _objects(content) if at(content, path)]))
    inside = at(content, path)
    key = draw(st.sampled_from(sorted(inside)))
    if kind == DROP:
        del inside[key]
    elif kind == ADD:
        key = f"new {draw(texts)}"
        inside[key] = draw(values)
    elif kind == RETYPE:
        old = type(inside[key])
        inside[key] = draw(values.filter(lambda value: type(value) is not old))
    elif kind == NEWER:
        path, key = (), "format_version"
        content[key] = draw(st.integers(2, 9))
    text = json.dumps(content).encode()
    text = text[: draw(st.integers(1, len(text) - 1))] if kind == CUT else text
    return Change(kind, (*path, key), content, text)
