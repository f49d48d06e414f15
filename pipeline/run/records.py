"""JSON objects that we read back as dataclasses, whichever version wrote them. Reads no file.

The rule for all of them. ``format_version`` names the format of an object; one without it has
format 1. Within a format keys are only ever added, such that a version that does not know them may
do without:

- a key that the dataclass lacks is ignored; an object that is read, changed and written again keeps
  it, at every level (`unknown_keys`, `as_json`),
- a key that is absent takes the default of its field,
- a value of another type, or an absent key without a default, is an error that names the key,
- a format that is higher than the known one is refused, whatever the object holds.

What is made anew from its inputs (a manifest, the metadata of a result) takes nothing over from the
object before it, since unknown keys would be about values that are gone.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, field, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from review_embeddings.pipeline.settings import LATER

FORMAT = "format_version"
"""Key of an object's format."""

UNKNOWN = "unknown"
"""Name of the field that `unknown_keys` makes."""

MAX_SHOWN = 40
"""Characters of a wrong value in a message."""

NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}
"""What a type is called for people."""

EXACT: Mapping[Any, frozenset[type]] = {
    bool: frozenset({bool}),
    int: frozenset({int}),
    float: frozenset({int, float}),
    str: frozenset({str}),
}
"""Types of the values that a field of a plain type takes: true is no number."""

Record = TypeVar("Record")
Check = Callable[[Any], Any]


class RecordError(ValueError):
    """An object does not fit its dataclass. Internal: whoever reads the file says which it is."""

    def __init__(self, reason: str, key: str = "") -> None:
        """``reason`` continues a sentence that begins with the ``key``: ``is 5, not a list``."""
        super().__init__(f"{key} {reason}" if key else reason)
        self.reason, self.key = reason, key

    def inside(self, key: str) -> RecordError:
        """The same error, seen from the object or list around it."""
        rest = f".{self.key}" if self.key and not self.key.startswith("[") else self.key
        return RecordError(self.reason, f"{key}{rest}")


class NewerFormatError(RecordError):
    """An object has a format that only a newer version reads."""


def unknown_keys() -> Any:
    """The field ``unknown`` of a dataclass that is written again: keys of the object that neither
    it nor the dataclasses in its fields have, nested as they were."""
    return field(default_factory=dict, repr=False, compare=False)


def record_of(kind: type[Record], content: object, *, known_format: int = 1) -> Record:
    """An object as a dataclass, by the rule above. Raises RecordError, NewerFormatError."""
    if not isinstance(content, dict):
        raise RecordError(f"it is {_shown(content)}, not an object")
    check_format(content, known_format)
    check: Callable[[object], Record] = _check_of(cast("Any", kind))
    return check(content)


def check_format(content: Mapping[str, Any], known_format: int = 1) -> None:
    """Raise NewerFormatError for a newer format, RecordError for one that is no format."""
    version = content.get(FORMAT, 1)
    if type(version) is not int or version < 1:
        raise RecordError(f"is {_shown(version)}, not a whole number from 1 on", FORMAT)
    if version > known_format:
        raise NewerFormatError(
            f"has format {version}, and this version reads formats up to {known_format}"
        )


def as_json(record: Any) -> dict[str, Any]:
    """A record as the object that is written, the unknown keys it was read with behind the others
    at each level."""
    unknown = getattr(record, UNKNOWN, {})
    content = _written(replace(record, **{UNKNOWN: {}}) if unknown else record)
    content.pop(UNKNOWN, None)
    return _with_unknown(content, unknown)


def _written(record: Any) -> dict[str, Any]:
    """A record without the `LATER` fields that have their defaults, at each level."""
    content = asdict(record)
    for entry in fields(record):
        value = getattr(record, entry.name)
        if entry.metadata == LATER and value == entry.default:
            del content[entry.name]
        elif is_dataclass(value):
            content[entry.name] = _written(value)
    return content


def made_by_newer(what: object) -> str:
    """What a person is told about a file of a newer format."""
    return (
        f"{what} was made by a newer version of review-embeddings. Upgrade it: "
        "pip install -U review-embeddings"
    )


def _with_unknown(content: dict[str, Any], unknown: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in unknown.items():
        if key not in content:
            merged[key] = value
        elif isinstance(content[key], dict) and isinstance(value, dict):
            merged[key] = _with_unknown(content[key], value)
    return merged


def _unknown_in(kind: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of an object that its dataclass lacks, and those of the objects in it."""
    kinds, unknown = _kinds(kind), {}
    for key, value in content.items():
        if key not in kinds:
            unknown[key] = value
        elif (inner := _record_kind(kinds[key])) and isinstance(value, dict):
            nested = _unknown_in(inner, value)
            unknown |= {key: nested} if nested else {}
    return unknown


@functools.cache
def _kinds(kind: Any) -> dict[str, Any]:
    """The type of each key that a dataclass has."""
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.name != UNKNOWN}


def _record_kind(kind: Any) -> Any:
    """The dataclass that a field holds; None for a field of another type."""
    return next((one for one in (kind, *get_args(kind)) if is_dataclass(one)), None)


# -- the checks, put together once a type


@functools.cache
def _check_of(kind: Any) -> Check:
    """What gives a JSON value as a value of a type, or raises RecordError."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if kind is Any:
        return lambda value: value
    if origin in {Union, UnionType}:
        return _optional(*(one for one in arguments if one is not NoneType))
    if is_dataclass(origin):
        return _object(kind)
    if origin in {list, tuple}:
        return _sequence(origin, arguments[0])
    if issubclass(origin, Mapping):
        return _mapping(arguments[1])
    return _plain(origin)


def _optional(kind: Any) -> Check:
    check = _check_of(kind)
    return lambda value: None if value is None else check(value)


def _plain(kind: Any) -> Check:
    exact = EXACT[kind]

    def check(value: Any) -> Any:
        if type(value) not in exact:
            raise _wrong(value, kind)
        return value

    return check


def _sequence(kind: Any, inner: Any) -> Check:
    check, exact = _check_of(inner), EXACT.get(inner, frozenset())

    def checked(value: Any) -> Any:
        if type(value) is not list:
            raise _wrong(value, kind)
        if exact.issuperset(map(type, value)):  # the usual case, without a call an element
            return kind(value)
        return kind(_each(check, ((f"[{index}]", one) for index, one in enumerate(value))))

    return checked


def _mapping(inner: Any) -> Check:
    check = _check_of(inner)

    def checked(value: Any) -> Any:
        if type(value) is not dict:
            raise _wrong(value, dict)
        names = (key if key.isidentifier() and key.isascii() else _shown(key) for key in value)
        return dict(zip(value, _each(check, zip(names, value.values(), strict=True)), strict=True))

    return checked


def _each(check: Check, values: Iterable[tuple[str, Any]]) -> list[Any]:
    """The checked values; an error names the key of its value."""
    checked = []
    for key, value in values:
        try:
            checked.append(check(value))
        except RecordError as error:
            raise error.inside(key) from None
    return checked


def _object(kind: Any) -> Check:
    checks = {name: _check_of(inner) for name, inner in _kinds(kind).items()}
    required = [
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    ]
    nested = any(_record_kind(inner) for inner in _kinds(kind).values())
    keeps_unknown = any(one.name == UNKNOWN for one in fields(kind))

    def checked(value: Any) -> Any:
        if type(value) is not dict:
            raise _wrong(value, dict)
        missing = next((name for name in required if name not in value), None)
        if missing is not None:
            raise RecordError("is missing", missing)
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, check in checks.items():
                if name in value:
                    values[name] = check(value[name])
        except RecordError as error:
            raise error.inside(name) from None
        if keeps_unknown and (nested or not checks.keys() >= value.keys()):
            values[UNKNOWN] = _unknown_in(kind, value)
        return kind(**values)

    return checked


def _wrong(value: Any, kind: Any) -> RecordError:
    return RecordError(f"is {_shown(value)}, not {NAMES[kind]}")


def _shown(value: Any) -> str:
    """A value in a message: one line of printable characters."""
    text = NAMES[type(value)] if isinstance(value, (list, dict)) else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
