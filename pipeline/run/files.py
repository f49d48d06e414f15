"""Files that are there whole or not at all, arrays written row after row, JSON, and
fingerprints."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import (
    DamagedError,
    ReviewError,
    RunError,
    StorageError,
    UnwritableError,
    reason_of,
)
from review_embeddings.pipeline.machine import (
    READ_ONLY,
    UNAVAILABLE,
    Refusal,
    is_out_of_memory,
    raise_unavailable,
    refusal_in,
    sentence_about,
)
from review_embeddings.pipeline.run import storage, system
from review_embeddings.pipeline.run.bounded import read_json_file, read_npy
from review_embeddings.pipeline.run.checksums import (
    Checksum,
    check,
    check_object,
    file_checksum,
    with_checksum,
)
from review_embeddings.pipeline.run.inside import remove_tree
from review_embeddings.pipeline.run.records import (
    NewerFormatError,
    Record,
    RecordError,
    check_format,
    made_by_newer,
    record_of,
)
from review_embeddings.pipeline.run.temporary import temporary_path

CHECKSUMS = "checksums.json"
"""Of the files of a folder, in it."""

MADE_AGAIN = "Delete it; what it held is made again."
"""The cure for a damaged file of which nothing is lost."""


class ArrayFile:
    """An ``.npy`` file that is written row after row under a temporary name.

    Not a memory map: on a full disk a write to a map kills the process, a write to a file raises an
    error.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self._path = path
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._rows = 0
        self._checksum = Checksum()
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": shape,
        }
        start = io.BytesIO()
        np.lib.format.write_array_header_1_0(start, header)
        with storage_errors(path):
            self._temporary = temporary_path(path)
            self._file = self._temporary.open("wb")
            self._write(start.getvalue())

    @property
    def checksum(self) -> str:
        """Of what was written so far, as `checksums.check` takes it."""
        return self._checksum.text

    def _write(self, data: Any) -> None:
        self._checksum.update(data)
        self._file.write(data)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; their shape after the first axis must be the array's."""
        if rows.shape[1:] != self._shape[1:]:
            raise ValueError(
                f"Rows of shape {rows.shape[1:]} do not fit an array of {self._shape[1:]}."
            )
        with storage_errors(self._path):
            self._write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._rows += len(rows)

    def commit(self) -> None:
        """Put the file in its place; every row must have been written."""
        with storage_errors(self._path):
            self._file.close()
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._path} got {self._rows} of its {self._shape[0]} rows.")
        commit(self._temporary, self._path)

    def discard(self) -> None:
        """Remove what was not committed."""
        discard(self._temporary, self._file)


def open_array(path: Path, cure: str) -> NDArray[Any]:
    """An ``.npy`` file as a read-only memory map. Raises DamagedError, with the ``cure``, for one
    that is none."""
    try:
        array = read_npy(path, mapped=True)
    except FileNotFoundError as error:
        raise DamagedError(path, f"it is not there. {cure}") from error
    except (ValueError, EOFError, SyntaxError, OverflowError, MemoryError) as error:
        raise DamagedError(path, f"{reason_of(error)} {cure}") from error
    if array.dtype.hasobject or not isinstance(array, np.ndarray):
        raise DamagedError(path, f"it holds no numbers. {cure}")
    return array


def fingerprint(**parts: Any) -> str:
    """SHA-256 (hex, 32 digits) of named values; changes when one of them does."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def commit(temporary: Path, path: Path) -> None:
    """Put a finished file in its place: on disk first, then in the store if there is one, then
    renamed over what was there."""
    with storage_errors(path):
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        with suppress(OSError):
            system.keep_rights(temporary, path)
        with storage.putting(temporary, path):
            system.replace(temporary, path)


def discard(temporary: Path, file: IO[Any] | None = None) -> None:
    """Remove what was being written, after whatever happened; what cannot be removed now goes with
    the leftovers."""
    if file is not None:
        with suppress(OSError):  # it writes what it still holds
            file.close()
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of ``path`` when the context is left
    without an error."""
    with storage_errors(path):
        temporary = temporary_path(path)
        try:
            yield temporary
            commit(temporary, path)
        finally:
            discard(temporary)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: give a path at which a new one is to be made."""
    with storage_errors(path):
        temporary = temporary_path(path)
        remove_tree(temporary)
        try:
            yield temporary
            remove_tree(path)
            temporary.rename(path)
        finally:
            remove_tree(temporary)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its checksum, whole or not at all, the same bytes for the same
    content."""
    content = with_checksum(content)
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half a character, which JSON can escape and UTF-8 cannot hold
        data = json.dumps(content, indent=2).encode()
    with whole_file(path) as temporary:
        temporary.write_bytes(data + b"\n")


def write_checksums(folder: Path) -> None:
    """Write down the checksums of all files in a folder that is finished, in the folder itself."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    files = {path.name: file_checksum(path) for path in paths if path.name != CHECKSUMS}
    write_json(folder / CHECKSUMS, {"files": files})


def check_files(folder: Path, cure: str) -> None:
    """Raise DamagedError where a file in a folder is not as it was when `write_checksums` looked;
    nothing is known of folders of earlier versions."""
    if not (folder / CHECKSUMS).is_file():
        return
    for name, stored in read_record(folder / CHECKSUMS, _Checksums, cure=cure).files.items():
        check(folder / Path(name).name, stored, cure)


@dataclass(frozen=True)
class _Checksums:
    """The contents of `CHECKSUMS`."""

    files: dict[str, str]
    """By the name of the file."""


def read_json(
    path: Path,
    *,
    cure: str = MADE_AGAIN,
    known_format: int = 1,
    shared: bool = False,
    keep_checksum: bool = False,
) -> dict[str, Any]:
    """Read a JSON object of a format up to the known one, its checksum left out unless kept.

    Raises RunError: with the ``cure`` where the file is damaged, to upgrade where it is newer. Of a
    ``shared`` one it is told, not raised, that it is not as it was written (`check_object`).
    """
    try:
        content = read_json_file(path)
        if not isinstance(content, dict):
            raise RunError(f"{path} holds no JSON object. {cure}")
        with record_errors(path, cure=cure):
            check_format(content, known_format)
        plain = check_object(content, path, cure, shared=shared)
    except (OSError, ValueError, RecursionError) as error:
        raise_unavailable(error, path, UNAVAILABLE | READ_ONLY)
        raise RunError(f"{path} cannot be read ({error}). {cure}") from error
    return content if keep_checksum else plain


def read_record(
    path: Path,
    kind: type[Record],
    *,
    cure: str = MADE_AGAIN,
    known_format: int = 1,
    shared: bool = False,
) -> Record:
    """Read a JSON object as a dataclass, by the rule of `pipeline.run.records`. Raises as
    `read_json` does."""
    content = read_json(path, cure=cure, known_format=known_format, shared=shared)
    with record_errors(path, cure=cure):
        return record_of(kind, content, known_format=known_format)


@contextmanager
def record_errors(what: object, *, cure: str = MADE_AGAIN) -> Iterator[None]:
    """Turn what does not fit a dataclass into a RunError about ``what``, such as its file."""
    try:
        yield
    except NewerFormatError as error:
        raise RunError(made_by_newer(what)) from error
    except RecordError as error:
        raise RunError(f"{what} is damaged ({error}). {cure}") from error


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the machine's refusal to write ``path``, or a file that the error names, into a
    StorageError that says what to do."""
    try:
        yield
    except ReviewError:
        raise
    except Exception as error:
        refusal = refusal_in(error)
        if refusal is None or is_out_of_memory(error):
            raise
        kind = UnwritableError if refusal.number in READ_ONLY else StorageError
        raise kind(_refused(refusal, path)) from error


def _refused(refusal: Refusal, path: Path) -> str:
    """About the file that was refused, which may be another one than the one to be written."""
    if refusal.path is None or Path(refusal.path) == path:
        return sentence_about(refusal, path)
    around = {*path.absolute().parents, path.absolute()}
    named = Path(refusal.path).absolute()
    is_written = named in around or path.absolute() in named.parents
    return sentence_about(refusal, refusal.path, writing=is_written)
