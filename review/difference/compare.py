"""Finds what became of the rows of one data set in another, by the content of their images. Reads
no file.

Rows with the same image are the same row; of several copies as many are matched as both have, those
first that agree in file, class and split. Of what is left, a file name or a key says that an image
has become another one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

REMOVED, ADDED, RELABELLED, REPLACED, MOVED = (
    "removed",
    "added",
    "relabelled",
    "image changed",
    "moved",
)

KINDS = (REMOVED, ADDED, RELABELLED, REPLACED, MOVED)
"""What can have become of a row, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row of a data set, as far as it is compared."""

    split: str
    row: int
    """Its number in the split."""
    image_hash: str | None
    """SHA-256 (hex) of the image's bytes; None for a row without one."""
    label: str = ""
    """Name of its class; empty for none."""
    path: str = ""
    """Its file inside the data set; empty where none is named."""
    key: tuple[Any, ...] | None = None
    """Values of the key columns; None where there are none, or one of them is missing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one row."""

    kinds: tuple[str, ...]
    """Of `KINDS`; several for an image that was moved and relabelled."""
    before: ComparedRow | None
    """None for an added row."""
    after: ComparedRow | None
    """None for a removed row."""
    copy: bool = False
    """Whether the image of a removed row is still in the other data set, or that of an added row
    was in the first one."""

    @property
    def relabelling(self) -> tuple[str, str]:
        """The class before and after."""
        assert self.before is not None and self.after is not None
        return self.before.label, self.after.label


@dataclass(frozen=True)
class Differences:
    """All differences, by kind and then in the order of the rows."""

    rows: list[Difference]
    same: int
    """Rows of which nothing has changed."""
    before: dict[str, int]
    """Rows of each split of the first data set."""
    after: dict[str, int]
    """Rows of each split of the second one."""
    labels: bool = True
    """Whether labels were compared."""
    classes: tuple[Sequence[str], Sequence[str]] = ((), ())
    """Those that both can say, where labels were compared."""

    def classes_only_in(self, side: int) -> list[str]:
        """Classes of the first data set (0) or of the second (1) that the other one lacks."""
        known = set(self.classes[1 - side])
        return [name for name in self.classes[side] if name not in known]

    def of(self, kind: str) -> list[Difference]:
        """Those of one kind."""
        return [one for one in self.rows if kind in one.kinds]

    @property
    def relabelled(self) -> Counter[tuple[str, str]]:
        """How many rows have another class, by old and new one."""
        return Counter(one.relabelling for one in self.of(RELABELLED))

    @property
    def moved(self) -> Counter[tuple[str, str]]:
        """How many rows are in another split, by old and new one."""
        return Counter(
            (one.before.split, one.after.split)
            for one in self.of(MOVED)
            if one.before is not None and one.after is not None
        )

    def __bool__(self) -> bool:
        """Whether there is any: in rows, or in the splits there are."""
        return bool(self.rows) or self.before.keys() != self.after.keys()


def compare(
    before: Sequence[ComparedRow],
    after: Sequence[ComparedRow],
    *,
    labels: bool = True,
    across: bool = False,
    splits: tuple[Sequence[str], Sequence[str]] = ((), ()),
    classes: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Differences:
    """What became of the rows ``before``.

    Without ``labels`` classes are not compared; ``across`` lets a key find its row in any split.
    ``splits`` are the names of all splits of both, for those without rows; ``classes`` those of all
    classes, for those without images.
    """
    matcher = _Matcher(before, after)
    pairs = [pair for key in _keys(labels) for pair in matcher.match(key)]
    bare = any(all("/" not in row.path for row in side) for side in (before, after))
    for key in _identities(across, bare):
        pairs += matcher.match(key, once=True)
    found = [_difference(old, new, labels) for old, new in pairs]
    changed = [one for one in found if one is not None]
    there = [{row.image_hash for row in side} - {None} for side in (before, after)]
    changed += [
        Difference((REMOVED,), row, None, row.image_hash in there[1]) for row in matcher.before
    ]
    changed += [
        Difference((ADDED,), None, row, row.image_hash in there[0]) for row in matcher.after
    ]
    return Differences(
        sorted(changed, key=_order),
        len(pairs) - sum(one is not None for one in found),
        _sizes(before, splits[0]),
        _sizes(after, splits[1]),
        labels,
        classes if labels else ((), ()),
    )


def together(parts: Iterable[Differences]) -> Differences:
    """The differences of parts that have no split in common, of which none looks into another."""
    parts = list(parts)
    return Differences(
        sorted((row for part in parts for row in part.rows), key=_order),
        sum(part.same for part in parts),
        {split: rows for part in parts for split, rows in part.before.items()},
        {split: rows for part in parts for split, rows in part.after.items()},
        all(part.labels for part in parts),
    )


Key = Callable[[ComparedRow], Any]
"""Gives by what rows are matched; None for a row that cannot be."""


class _Matcher:
    """Takes pairs out of the rows of both data sets."""

    def __init__(self, before: Sequence[ComparedRow], after: Sequence[ComparedRow]) -> None:
        self.before, self.after = list(before), list(after)
        """What has no counterpart yet."""
        self._all = (before, after)

    def match(self, key: Key, *, once: bool = False) -> Iterator[tuple[ComparedRow, ComparedRow]]:
        """The pairs of rows with the same key, in order; with ``once`` only of keys that both data
        sets have no more than once."""
        if not self.before or not self.after:
            return
        several = set[Any]()
        if once:
            for side in self._all:
                several |= {one for one, count in Counter(map(key, side)).items() if count > 1}
        waiting: dict[Any, deque[ComparedRow]] = {}
        for row in self.after:
            waiting.setdefault(key(row), deque()).append(row)
        left, taken = list[ComparedRow](), set[tuple[str, int]]()
        pairs = []
        for row in self.before:
            value = key(row)
            if value is None or value in several or not waiting.get(value):
                left.append(row)
                continue
            other = waiting[value].popleft()
            taken.add((other.split, other.row))
            pairs.append((row, other))
        self.before = left
        self.after = [row for row in self.after if (row.split, row.row) not in taken]
        yield from pairs


def _keys(labels: bool) -> Iterator[Key]:
    """By what rows with the same image are matched, what agrees most first: inside a split, then
    between splits."""

    def key_of(split: bool, name: bool, label: bool) -> Key:
        def key(row: ComparedRow) -> Any:
            known = row.key or row.path
            if (name and not known) or (not split and row.image_hash is None):
                return None
            return (
                row.image_hash,
                row.split if split else None,
                known if name else None,
                row.label if label and labels else None,
            )

        return key

    for split in (True, False):
        for name, label in ((True, True), (True, False), (False, True), (False, False)):
            yield key_of(split, name, label)


def _identities(across: bool, bare: bool) -> Iterator[Key]:
    """By what rows with other images are the same row: a key, or the name of a file, without its
    folders where one of the data sets knows none."""
    if across:
        yield lambda row: row.key
    yield lambda row: None if row.key is None else (row.split, row.key)
    yield lambda row: (row.split, row.path) if row.path else None
    if bare:
        yield lambda row: (row.split, row.path.rsplit("/", 1)[-1]) if row.path else None


def _difference(before: ComparedRow, after: ComparedRow, labels: bool) -> Difference | None:
    """What is different between two rows that are the same row; None where nothing is."""
    kinds = {
        RELABELLED: labels and before.label != after.label,
        REPLACED: before.image_hash != after.image_hash,
        MOVED: before.split != after.split,
    }
    found = tuple(kind for kind, applies in kinds.items() if applies)
    return Difference(found, before, after) if found else None


def _order(one: Difference) -> tuple[int, str, int]:
    row = one.before or one.after
    assert row is not None
    return KINDS.index(one.kinds[0]), row.split, row.row


def _sizes(rows: Sequence[ComparedRow], splits: Sequence[str]) -> dict[str, int]:
    return dict.fromkeys(splits, 0) | Counter(row.split for row in rows)
