"""Makes rows of WebDataset tars, or says where their images lie, in one way for both: those that
``datasets`` would refuse among them, whose images have several endings, or whose values are of one
type here and of another there."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.folders import LeftOut
from review_embeddings.pipeline.images.inplace import (
    NO_LOCATION,
    Location,
    Split,
    field_of,
    split_name,
)
from review_embeddings.pipeline.images.tarfiles import (
    Member,
    Members,
    field_kind,
    image_member,
    inside_tar,
    is_image_field,
    list_tar,
    parse,
    tar_examples,
)

KEY = "__key__"

INFERRED_EXAMPLES = 5
"""Examples of the first tar by which it is seen which columns are images, as ``datasets`` takes."""

MAX_NAMED = 3
"""Files that a note names."""

RULES = 2
"""Version of the rules by which tars become rows, of which `datasets` keeps a copy."""

FileState = tuple[str, int, int]
"""Path, size and time of a tar: another one is read anew."""

Kind = Any
"""What values are: ``null``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``; a list of one
kind; a dict of kinds by key."""


@dataclass(frozen=True)
class Example:
    """The files of a tar that belong together."""

    file: str
    """The tar."""
    images: dict[str, Member]
    """By column."""
    values: dict[str, Any]
    """What it says beside them."""
    read: Callable[[Member], bytes]


@dataclass(frozen=True)
class Tars:
    """The tars of one split and what is in them."""

    files: Sequence[str]
    images: list[str]
    """Columns of images; those of which no example has two are one."""
    kinds: dict[str, Kind]
    """Of the values of each other column."""
    left_out: list[LeftOut]
    """Files that may be images and are no row's."""
    notes: list[str]

    @property
    def features(self) -> Any:
        """Names and types of the columns: a column of each ending, ``json`` as a struct."""
        import datasets

        others = {name: _feature(kind) for name, kind in self.kinds.items()}
        return datasets.Features({name: datasets.Image() for name in self.images} | others)

    def examples(self, columns: Iterable[str]) -> Iterator[Example]:
        """All examples, with the values of some columns."""
        kinds = {name: self.kinds[name] for name in columns if name in self.kinds}
        for file in self.files:
            for key, members, read in tar_examples(file):
                found = _images_of(members, self.images)
                values = {KEY: key, **_values(members, read, found, kinds)}
                listed = {name: _as_kind(values.get(name), kind) for name, kind in kinds.items()}
                yield Example(file, found, listed, read)


def read_tars(files: Sequence[str]) -> Tars:
    """Find out what is in the tars of one split; images are not read. Raises DatasetError for a tar
    that cannot be read, or without images."""
    tars = Tars(files, _image_columns(files[0]), {}, [], [])
    unread = list[str]()
    for file in files:
        tars.left_out.extend(list_tar(file).left_out)
        for _, members, read in tar_examples(file):
            found = _images_of(members, tars.images)
            parsed = [name for name in members if field_kind(name) is not None]
            values = _values(members, read, found, parsed, unread)
            kinds = {name: _kind_of(value) for name, value in values.items()}
            others = dict.fromkeys(_others(members, found), "bytes")
            for name, kind in {**others, **dict.fromkeys(parsed, "null"), **kinds}.items():
                tars.kinds[name] = _merged(tars.kinds.get(name, "null"), kind)
            tars.left_out.extend(_other_images(file, members, found))
    tars.kinds[KEY] = "str"
    if unread:
        tars.notes.append(
            f"JSON files of the tars that cannot be read and count as missing: {len(unread):,}, "
            f"{', '.join(unread[:MAX_NAMED])}{' ...' if len(unread) > MAX_NAMED else ''}"
        )
    return tars


def _image_columns(file: str) -> list[str]:
    """The columns of images: as the first examples have them, one where no example has two."""
    examples = list(list_tar(file).examples.values())
    first = examples[:INFERRED_EXAMPLES]
    found = dict.fromkeys(name for one in first or examples for name in one if is_image_field(name))
    if not found:  # the first examples have none, others may
        found = dict.fromkeys(name for one in examples for name in one if is_image_field(name))
    if not found:
        raise DatasetError(
            f"Tar {file} has no images. Give one whose files are named as NUMBER.jpg and "
            f"NUMBER.cls are."
        )
    together = any(sum(name in one for name in found) > 1 for one in first)
    return list(found) if together else list(found)[:1]


def _images_of(members: Members, images: list[str]) -> dict[str, Member]:
    names = {column: image_member(members, column, images) for column in images}
    return {column: members[name] for column, name in names.items() if name is not None}


def _other_images(file: str, members: Members, found: dict[str, Member]) -> Iterator[LeftOut]:
    taken = {one.name for one in found.values()}
    for name, member in members.items():
        if is_image_field(name) and member.name not in taken:
            reason = "beside the image of its example, which has one column of images"
            yield LeftOut(inside_tar(file, member.name), reason)


def _others(members: Members, found: dict[str, Member]) -> list[str]:
    """The columns of an example that are no images."""
    taken = {one.name for one in found.values()}
    return [
        name
        for name, member in members.items()
        if member.name not in taken and not is_image_field(name)
    ]


def _values(
    members: Members,
    read: Callable[[Member], bytes],
    found: dict[str, Member],
    columns: Container[str],
    unread: list[str] | None = None,
) -> dict[str, Any]:
    """What an example says in some columns; names of files that cannot be parsed are added."""
    values: dict[str, Any] = {}
    for name in _others(members, found):
        if name in columns:
            try:
                values[name] = parse(name, read(members[name]))
            except ValueError as error:
                if unread is not None:
                    unread.append(f"{members[name].name} ({reason_of(error).rstrip('.')})")
    return values


# -- rows


def tar_rows(tars: Tars) -> Any:
    """The rows of one split, as ``datasets`` gives them."""
    import datasets

    features = tars.features
    stored = {
        name: datasets.Image(decode=False) if name in tars.images else one
        for name, one in features.items()
    }
    states: list[FileState] = [_state(name) for name in tars.files]
    return datasets.Dataset.from_generator(
        _rows,
        features=datasets.Features(stored),
        gen_kwargs={
            "states": tuple(states),
            "images": tuple(tars.images),
            "kinds": tars.kinds,
            "rules": RULES,
        },
    ).cast(features)


def _state(name: str) -> FileState:
    status = Path(name).stat()
    return name, status.st_size, status.st_mtime_ns


def _rows(
    states: Sequence[FileState], images: Sequence[str], kinds: dict[str, Kind], rules: int
) -> Iterator[dict[str, Any]]:
    tars = Tars([name for name, _, _ in states], list(images), kinds, [], [])
    for one in tars.examples(kinds):
        cells = {
            name: {"bytes": one.read(member), "path": member.name}
            for name, member in one.images.items()
        }
        yield dict.fromkeys(images) | cells | one.values


# -- where they lie


def tars_in_place(tars: Tars) -> Split:
    """The same rows, where they lie."""
    return Split(tars.features, partial(_locations, tars))


def _locations(tars: Tars, image: str, label: str | None) -> Iterator[tuple[Location, Any]]:
    column, field = split_name(tars.features, label or "")
    for one in tars.examples([column]):
        member = one.images.get(image)
        found = NO_LOCATION
        if member is not None:
            found = (one.file, member.start, member.size, member.name)
        yield found, field_of(one.values.get(column), field)


# -- kinds of values


def _kind_of(value: Any) -> Kind:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return {name: _kind_of(one) for name, one in value.items()}
    if isinstance(value, list):
        kind: Kind = "null"
        for one in value:
            kind = _merged(kind, _kind_of(one))
        return [kind]
    return type(value).__name__


def _merged(one: Kind, other: Kind) -> Kind:
    """The kind of the values of both; texts where they do not fit together."""
    if one == "null" or one == other:
        return other
    if other == "null":
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys([*one, *other])
        return {n: _merged(one.get(n, "null"), other.get(n, "null")) for n in names}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    return "float" if {str(one), str(other)} == {"int", "float"} else "str"


def _feature(kind: Kind) -> Any:
    import datasets

    if isinstance(kind, dict):
        return {name: _feature(one) for name, one in kind.items()} or datasets.Value("string")
    if isinstance(kind, list):
        return datasets.List(_feature(kind[0]))
    names = {"int": "int64", "float": "float64", "str": "string", "bytes": "binary"}
    return datasets.Value(names.get(kind, kind))


def _as_kind(value: Any, kind: Kind) -> Any:
    if value is None or kind == {}:
        return None
    if isinstance(kind, dict):
        return {name: _as_kind(value.get(name), one) for name, one in kind.items()}
    if isinstance(kind, list):
        return [_as_kind(one, kind[0]) for one in value]
    if kind == "str" and isinstance(value, float) and value.is_integer():
        value = int(value)  # as labels are read
    if kind == "str" and not isinstance(value, str):
        return (
            json.dumps(value, ensure_ascii=False) if not isinstance(value, bytes) else value.hex()
        )
    return float(value) if kind == "float" else value
