"""Lists what lies in WebDataset tars: the files of each example, and those that are in none. Reads
no image."""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

from review_embeddings.pipeline.errors import reason_of
from review_embeddings.pipeline.images.candidates import (
    FIRST_BYTES,
    OTHER_ENDINGS,
    image_endings,
)
from review_embeddings.pipeline.images.folders import LeftOut
from review_embeddings.pipeline.images.opening import bytes_at, opened, state_of

NAME = re.compile(r"(?P<key>(?:.*/|)[^.]+)[.](?P<field>[^/]*)", re.DOTALL)
"""The name of a file of an example: its key, and the column that it is in."""

NUMBERS = frozenset({"cls", "cls2", "index", "inx", "id"})

JSONS = frozenset({"json", "jsn"})

TEXTS = frozenset({"txt", "text", "transcript"})

BEGIN = 32
"""Bytes by which an image is told."""


@dataclass(frozen=True)
class Member:
    """A file in a tar."""

    name: str
    start: int
    """Its first byte in the tar."""
    size: int


Members = dict[str, Member]
"""The files of an example by what follows the first dot of their names."""


@dataclass(frozen=True)
class TarListing:
    """What lies in a tar."""

    examples: dict[str, Members]
    """By key, in the order of their first files."""
    left_out: list[LeftOut]
    """Files that may be images and are in no example."""


def list_tar(name: str) -> TarListing:
    """The files of a tar that belong together, wherever in it they lie, in one walk over its
    headers; links to a file in it are that file. A tar that is cut off is read as far as it goes.

    Raises DatasetError for one that cannot be opened.
    """
    return _listing(name, state_of(name))


@lru_cache(maxsize=2)
def _listing(name: str, state: str) -> TarListing:
    """Of a tar in this state; the last ones are kept, since each is gone through several times."""
    found = TarListing({}, [])
    with opened(name) as stream:
        members = _members(name, stream, found.left_out)
        by_name = {one.name: one for one in members}
        for one in members:
            if by_name[one.name] is not one:
                reason = "a later file of the tar has the same name"
                found.left_out.append(LeftOut(inside_tar(name, one.name), reason))
            elif (reason := _take(one, found.examples)) and _may_be_image(one, stream):
                found.left_out.append(LeftOut(inside_tar(name, one.name), reason))
    return found


def tar_examples(name: str) -> Iterator[tuple[str, Members, Callable[[Member], bytes]]]:
    """The examples of a tar: key, files, and what gives the content of one of these."""
    listing = list_tar(name)
    with opened(name) as stream:

        def read(member: Member) -> bytes:
            return bytes_at(stream, member.start, member.size)

        for key, members in listing.examples.items():
            yield key, members, read


def _members(name: str, stream: BinaryIO, left_out: list[LeftOut]) -> list[Member]:
    """All files of a tar; a link gets the content that it leads to."""
    found, links = list[Member](), list[tarfile.TarInfo]()
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        try:
            for info in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep all it has seen
                if info.isreg():
                    found.append(Member(info.name, info.offset_data, info.size))
                elif info.islnk() or info.issym():
                    links.append(info)
            problem = _behind(stream, archive.offset)
        except (tarfile.ReadError, OSError) as error:
            if not found:
                raise
            problem = f"cut off: {reason_of(error)}"
    if problem:
        left_out.append(LeftOut(name.rpartition("/")[2], problem))
    by_name = {one.name: one for one in found}
    for link in links:
        folder = posixpath.dirname(link.name) if link.issym() else ""
        target = by_name.get(posixpath.normpath(posixpath.join(folder, link.linkname)))
        target = target or by_name.get(link.linkname)
        if target is not None:
            found.append(Member(link.name, target.start, target.size))
        elif _is_image(link.name):
            left_out.append(LeftOut(inside_tar(name, link.name), "a link to nothing in the tar"))
    return found


def _behind(stream: BinaryIO, end: int) -> str:
    """What is wrong behind the last file of a tar; empty for the two blocks of zeros or more that
    belong there."""
    last = bytes_at(stream, end, tarfile.RECORDSIZE)
    if len(last) < tarfile.BLOCKSIZE or last[: tarfile.BLOCKSIZE].strip(b"\0"):
        return "cut off or damaged: it has no end mark where its files end"
    return "what follows its end mark is not read" if last.strip(b"\0") else ""


def _take(member: Member, examples: dict[str, Members]) -> str:
    """Put a file into its example; why it is in none otherwise."""
    if member.name.rpartition("/")[2].startswith("."):
        return "a hidden file"
    parts = NAME.fullmatch(member.name)
    if parts is None:
        return "its name has no ending, which says what a file of a tar is"
    examples.setdefault(parts["key"], {})[parts["field"]] = member
    return ""


def inside_tar(tar: str, name: str) -> str:
    """How a file of a tar is named for people."""
    return f"{tar.rpartition('/')[2]}/{name}"


def _ending(name: str) -> str:
    dot = name.rpartition("/")[2].rfind(".")
    return name.rpartition("/")[2][dot:].lower() if dot >= 0 else ""


def _is_image(name: str) -> bool:
    return _ending(name) in image_endings()


def _may_be_image(member: Member, stream: BinaryIO) -> bool:
    if _is_image(member.name):
        return True
    if _ending(member.name) in OTHER_ENDINGS:
        return False
    return FIRST_BYTES.match(bytes_at(stream, member.start, BEGIN)) is not None


# -- columns


def is_image_field(name: str) -> bool:
    """Whether a column of a tar holds images, by its ending."""
    return f".{name.rpartition('.')[2].lower()}" in image_endings()


def image_member(members: Members, column: str, images: list[str]) -> str | None:
    """The file that is the image of an example: that of the column, or the only image that no
    other column is, such as the one ``.jpg`` among many ``.png``."""
    if column in members:
        return column
    others = [one for one in members if one not in images and is_image_field(one)]
    absent = [one for one in images if one not in members]
    return others[0] if len(others) == 1 and absent == [column] else None


def field_kind(name: str) -> frozenset[str] | None:
    """Of a column that is parsed by its ending: one of `NUMBERS`, `JSONS` and `TEXTS`."""
    ending = name.rpartition(".")[2].lower()
    return next((kind for kind in (NUMBERS, JSONS, TEXTS) if ending in kind), None)


def parse(name: str, data: bytes) -> Any:
    """The content of a small file of a tar by its ending; the bytes themselves for others. Raises
    ValueError for what is no JSON."""
    kind = field_kind(name)
    if kind is NUMBERS:
        text = _text(data).strip()
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else text
    if kind is JSONS:
        return json.loads(data)
    return _text(data) if kind is TEXTS else data


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
