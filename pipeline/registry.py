"""An ordered collection of declarations, each under a key of its own: where a new column, list or
format is added, and where everybody who goes through them finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView
from contextlib import contextmanager
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries in the order in which they were added."""

    def __init__(self, what: str, key: Callable[[Entry], str]) -> None:
        """``what`` one entry is called, and how to see the key of one."""
        self._what = what
        self._key = key
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> Entry:
        """Add an entry after all others. Raises ValueError where its key is taken."""
        key = self._key(entry)
        if key in self._entries:
            raise ValueError(f"There is a {self._what} {key!r} already. Use another name.")
        self._entries[key] = entry
        return entry

    def remove(self, key: str) -> None:
        """Take out an entry that was added."""
        del self._entries[key]

    @contextmanager
    def registered(self, entry: Entry) -> Iterator[Entry]:
        """An entry that is known within the context only."""
        self.add(entry)
        try:
            yield entry
        finally:
            self.remove(self._key(entry))

    @contextmanager
    def replaced(self, entry: Entry) -> Iterator[Entry]:
        """Another entry in the place of the one of the same key, within the context only."""
        key = self._key(entry)
        before, self._entries[key] = self._entries[key], entry
        try:
            yield entry
        finally:
            self._entries[key] = before

    def keys(self) -> KeysView[str]:
        """The keys in order, those that are added later among them."""
        return self._entries.keys()

    def names(self) -> tuple[str, ...]:
        """The keys, in order."""
        return tuple(self._entries)

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)
