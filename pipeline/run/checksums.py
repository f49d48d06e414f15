"""Checksums of stored files: what tells a flipped byte from a number.

XXH3 of 64 bits, at the speed of memory (``xxhash``). They find damage, not intent: whoever can
write a file can write its checksum. A file without one, as earlier versions wrote them, is read as
it is. What was checked once in a process is not read again for it while it stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from review_embeddings.pipeline.errors import DamagedError
from review_embeddings.pipeline.run.bounded import NotRegularError, open_binary

logger = logging.getLogger(__name__)

KIND = "xxh3:"
"""What checksums begin with; one that begins otherwise is of a later version and not looked at."""

KEY = "checksum"
"""Key of a JSON object's own checksum."""

CHUNK = 4 << 20
"""Bytes that are read at once."""

BLOCK = 16 << 20
"""Bytes of a block that has a checksum of its own."""

MAX_REMEMBERED = 1 << 16
"""Checks, and contents of small files, that one process remembers."""

SETTLED_SECONDS = 10.0
"""Age from which a change of a file shows in its time: clocks of file systems may be coarse."""

T = TypeVar("T")

_checked: set[tuple[Any, ...]] = set()

_contents: dict[tuple[Any, str], tuple[tuple[Any, ...], Any]] = {}
"""By what reads it and from where: the file's mark, and its content. Of a file that has changed the
old content goes."""

_listener: Callable[[str], None] = logger.warning


def forget() -> None:
    """Check again what was checked in this process, and tell again what was told."""
    _checked.clear()
    _contents.clear()


def report_to(note: Callable[[str], None]) -> None:
    """Say there, instead of in the log, which files were changed by something else."""
    global _listener
    _listener = note


class Checksum:
    """Of bytes that come one after the other."""

    def __init__(self) -> None:
        import xxhash

        self._state = xxhash.xxh3_64()

    def update(self, data: Any) -> None:
        """Take the next bytes, anything with a contiguous buffer."""
        self._state.update(data)

    @property
    def text(self) -> str:
        """Of the bytes so far, as it is stored."""
        return KIND + str(self._state.hexdigest())


def checksum_of(data: Any) -> str:
    """Of some bytes."""
    checksum = Checksum()
    checksum.update(data)
    return checksum.text


def file_checksum(path: Path, ranges: tuple[tuple[int, int], ...] | None = None) -> str:
    """Of a file, or of the bytes of some ``ranges`` (start, length) of it one after the other."""
    checksum = Checksum()
    with open_binary(path, buffering=0) as file:
        for start, length in ((0, file.seek(0, os.SEEK_END)),) if ranges is None else ranges:
            file.seek(start)
            for piece in _pieces(file, length):
                checksum.update(piece)
    return checksum.text


def _pieces(file: Any, length: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(min(CHUNK, max(1, length))))
    while length > 0 and (read := file.readinto(buffer[:length])):
        yield buffer[:read]
        length -= read


def check(
    path: Path,
    stored: str | None,
    cure: str,
    *,
    ranges: tuple[tuple[int, int], ...] | None = None,
) -> None:
    """Raise DamagedError, with the ``cure``, where a file (or some ``ranges`` of it) has another
    checksum than was ``stored``; None for one of which none is known."""
    if stored is None or not stored.startswith(KIND):
        return
    try:
        mark = (*mark_of(path), stored, ranges)
    except FileNotFoundError as error:
        raise DamagedError(path, f"it is not there. {cure}") from error
    if mark in _checked:
        return
    try:
        found = file_checksum(path, ranges)
    except NotRegularError as error:
        raise DamagedError(path, f"{error}. {cure}") from error
    if found != stored:
        raise DamagedError(path, f"its bytes are not those that were written. {cure}")
    if len(_checked) >= MAX_REMEMBERED:
        _checked.clear()
    _checked.add(mark)


def mark_of(path: Path) -> tuple[Any, ...]:
    """What changes when a file does."""
    status = path.stat()
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return (str(path.absolute()), status.st_dev, status.st_ino, status.st_size, *times)


def read_once(path: Path, read: Callable[[Path], T]) -> T:
    """What ``read`` makes of a small file; one that lies as it did, and has for a while, is not
    read again. Whoever gets it must not change it. Raises what ``read`` raises."""
    place, mark = (read, str(path)), _mark_if_there(path)
    known = _contents.get(place)
    if known is not None and known[0] == mark:
        content: T = known[1]
        return content
    content = read(path)
    if mark is not None and mark == _mark_if_there(path) and _is_settled(mark):
        if len(_contents) >= MAX_REMEMBERED:
            _contents.clear()
        _contents[place] = (mark, content)
    return content


def _mark_if_there(path: Path) -> tuple[Any, ...] | None:
    try:
        return mark_of(path)
    except OSError:  # who reads it says so
        return None


def _is_settled(mark: tuple[Any, ...]) -> bool:
    """Whether a file was last changed so long ago that the next change will show in its mark."""
    return bool(time.time() - max(mark[-2:]) / 1e9 > SETTLED_SECONDS)


# -- large files of which only some is read


class BlockChecksums:
    """Of the blocks of a file that is written from its start to its end."""

    def __init__(self) -> None:
        self._whole: list[str] = []
        self._last, self._length = Checksum(), 0

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        data = data.cast("B")
        while len(data):
            piece = data[: BLOCK - self._length]
            self._last.update(piece)
            self._length += len(piece)
            data = data[len(piece) :]
            if self._length == BLOCK:
                self._whole.append(self._last.text)
                self._last, self._length = Checksum(), 0

    @property
    def texts(self) -> list[str]:
        """One a block, the last one of what is left."""
        return [*self._whole, *([self._last.text] if self._length else [])]


def check_blocks(path: Path, stored: Sequence[str], start: int, stop: int, cure: str) -> None:
    """The same as `check` of the blocks that hold the bytes from ``start`` to ``stop``; nothing
    where none is known."""
    for block in range(start // BLOCK, -(-stop // BLOCK) if stored else 0):
        place = (block * BLOCK, BLOCK)
        check(path, stored[block] if block < len(stored) else "", cure, ranges=(place,))


# -- JSON objects, which hold their own


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """An object as it is written: its checksum behind everything else."""
    plain = {name: value for name, value in content.items() if name != KEY}
    return {**plain, KEY: _of_object(plain)}


def check_object(
    content: Mapping[str, Any], path: Path, cure: str, *, shared: bool
) -> dict[str, Any]:
    """An object that was read without its checksum. Raises DamagedError where that is another.

    A ``shared`` file is one that people edit, and that earlier versions write again with keys they
    do not know: a change is told, and counts.
    """
    plain, stored = {name: one for name, one in content.items() if name != KEY}, content.get(KEY)
    if not isinstance(stored, str) or not stored.startswith(KIND) or stored == _of_object(plain):
        return plain
    if not shared:
        raise DamagedError(path, f"its checksum is another one. {cure}")
    tell(
        path,
        f"{path} is not as review-embeddings wrote it: it was edited, or is damaged. It counts "
        f"as it is.",
    )
    return plain


def tell(path: Path, sentence: str) -> None:
    """Say something about a file once, as long as it stays as it is."""
    if (mark := (*mark_of(path), sentence)) not in _checked:
        _checked.add(mark)
        _listener(sentence)


def _of_object(content: Mapping[str, Any]) -> str:
    """Of what an object holds, however it is laid out."""
    plain = json.loads(json.dumps(content))  # with the names of its keys as texts
    return checksum_of(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode())
