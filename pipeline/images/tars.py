"""Makes rows of WebDataset tars, those that ``datasets`` would refuse among them: whose images have
several endings, or whose values are of one type here and of another there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.images.candidates import image_endings
from review_embeddings.pipeline.images.inplace import image_member, tar_examples, tar_features

KEY = "__key__"

FileState = tuple[str, int, int]
"""Path, size and time of a tar: another one is read anew."""

Kind = Any
"""What values are: ``null``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``; a list of one
kind; a dict of kinds by key."""


def tar_rows(files: Sequence[str]) -> Any:
    """The rows of one split, as ``datasets`` gives them: a column of each ending, ``json`` as a
    struct. Raises DatasetError for a tar that cannot be read."""
    import datasets

    features = tar_features(files)
    images = [name for name in features if isinstance(features[name], datasets.Image)]
    kinds: dict[str, Kind] = {}
    for example in _read(files, images):
        for name, value in example.items():
            kinds[name] = _merged(kinds.get(name, "null"), _kind_of(value))
    columns = {
        name: datasets.Image(decode=False) if name in images else _feature(kinds[name])
        for name in [*images, *(name for name in kinds if name not in images)]
    }
    states: list[FileState] = [_state(name) for name in files]
    return datasets.Dataset.from_generator(
        _rows,
        features=datasets.Features(columns),
        gen_kwargs={"states": tuple(states), "images": tuple(images), "kinds": kinds},
    ).cast(
        datasets.Features(
            {name: datasets.Image() if name in images else one for name, one in columns.items()}
        )
    )


def _state(name: str) -> FileState:
    status = Path(name).stat()
    return name, status.st_size, status.st_mtime_ns


def _rows(
    states: Sequence[FileState], images: Sequence[str], kinds: dict[str, Kind]
) -> Iterator[dict[str, Any]]:
    for example in _read([name for name, _, _ in states], images, contents=True):
        yield {
            name: example.get(name) if name in images else _as_kind(example.get(name), kind)
            for name, kind in kinds.items()
        } | {name: example.get(name) for name in images}


def _read(
    files: Iterable[str], images: Sequence[str], *, contents: bool = False
) -> Iterator[dict[str, Any]]:
    """The values of each example; images as cells, only with ``contents``."""
    for file in files:
        for key, members, read in tar_examples(file):
            found = {column: image_member(members, column, images) for column in images}
            taken = set(filter(None, found.values()))
            example: dict[str, Any] = {KEY: key}
            for name in members:
                if name not in taken and not _is_image(name):
                    example[name] = read(name)
            for column, member in found.items():
                if contents and member is not None:
                    cell = {"bytes": read(member), "path": members[member].name}
                    example[column] = cell
            yield example


def _is_image(name: str) -> bool:
    return f".{name.rpartition('.')[2].lower()}" in image_endings()


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
