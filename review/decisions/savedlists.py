"""The saved lists of a file of decisions: what each holds, and the lines that rename one, remove it
and take that back. Knows no file.

The images of the last request with the name of a list make it up. A request that puts no image into
it, but one line about `NO_IMAGE`, removes it; earlier versions of this program, which know no more
than the first rule, see a list without images then. A rename is both: the images under the new
name, none under the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.lines import (
    UNDO,
    Author,
    Decision,
    now,
    program_version,
)

NO_IMAGE = ""
"""In place of the hash of an image: the list has none any more."""


@dataclass(frozen=True)
class SavedList:
    """What one request made of a list."""

    name: str
    lines: Sequence[Decision]
    """Of the request, in their order."""

    @property
    def members(self) -> list[Decision]:
        """A line for each image."""
        first: dict[str, Decision] = {}
        for line in self.lines:
            if line.image_hash != NO_IMAGE:
                first.setdefault(line.image_hash, line)
        return list(first.values())

    @property
    def images(self) -> list[str]:
        """The hashes of its images, in their order; none for one that was removed."""
        return [line.image_hash for line in self.members]

    @property
    def last(self) -> Decision:
        """Says who saved it, and when."""
        return self.lines[-1]


def saved_lists(lines: Iterable[Decision]) -> dict[str, SavedList]:
    """The lists that there are, by name."""
    last = {name: _standing(name, requests) for name, requests in _by_request(lines).items()}
    return {name: stack[-1] for name, stack in last.items() if stack and stack[-1].images}


def lists_version(lines: Iterable[Decision]) -> int:
    """Sequence of the last line that changed a list; 0 where none did."""
    return max((line.sequence for line in lines if line.list is not None), default=0)


def _by_request(lines: Iterable[Decision]) -> dict[str, dict[str, list[Decision]]]:
    """The lines about each list by request, the request with the last line last."""
    found: dict[str, dict[str, list[Decision]]] = {}
    for line in lines:
        if line.list is not None:
            requests = found.setdefault(line.list, {})
            members = requests.pop(line.request, [])
            members.append(line)
            requests[line.request] = members
    return found


def _standing(name: str, requests: Mapping[str, list[Decision]]) -> list[SavedList]:
    """What a list was made and not taken back since, oldest first."""
    stack: list[SavedList] = []
    for request, lines in requests.items():
        if stack and request == UNDO + stack[-1].last.request:
            stack.pop()
        else:
            stack.append(SavedList(name, lines))
    return stack


# -- the lines that change them


def renaming(known: SavedList, name: str, request: str, author: Author) -> list[Decision]:
    """The lines that give a list another name."""
    return [
        *_holding(known.members, name, request, author),
        _without_images(known.name, request, author),
    ]


def removing(known: SavedList, request: str, author: Author) -> list[Decision]:
    """The line that removes a list."""
    return [_without_images(known.name, request, author)]


def undoing_lists(lines: Sequence[Decision], request: str, author: Author) -> list[Decision]:
    """The lines that give the lists which a request changed back what they held before. Raises
    SettingsError where one of them was changed since: a rename is taken back as a whole."""
    names = {line.list for line in lines if line.request == request and line.list is not None}
    if any(line.request == UNDO + request for line in lines):
        return []
    undone = []
    for name, requests in _by_request(lines).items():
        if name in names:
            undone += _undone(_standing(name, requests), request, author)
    return undone


def _undone(stack: Sequence[SavedList], request: str, author: Author) -> list[Decision]:
    if not stack or stack[-1].last.request != request:
        name, by = ("", "") if not stack else (stack[-1].name, stack[-1].last.reviewer)
        raise SettingsError(f"The list {name} was changed since by {by}. It stays as it is.")
    name, back = stack[-1].name, UNDO + request
    before = stack[-2].members if len(stack) > 1 else []
    if not before:
        return [_without_images(name, back, author)]
    return _holding(before, name, back, author)


def _holding(
    members: Iterable[Decision], name: str, request: str, author: Author
) -> list[Decision]:
    """Lines that put the images of others into a list."""
    empty = _without_images(name, request, author)
    return [
        replace(empty, image_hash=line.image_hash, image_id=line.image_id, label=line.label)
        for line in members
    ]


def _without_images(name: str, request: str, author: Author) -> Decision:
    return Decision(
        now(),
        author.reviewer,
        NO_IMAGE,
        -1,
        None,
        None,
        list=name,
        request=request,
        version=program_version(),
        client=author.client,
    )
