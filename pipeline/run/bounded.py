"""Reads what a stranger may have made absurd: JSON, ``.npy`` and Parquet whose sizes, depths or
lengths are out of all proportion are refused before the memory is gone.

A ``TooLargeError`` is a ValueError, as is whatever else is wrong with a content."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from review_embeddings.pipeline.run import system

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_JSON_BYTES = 64 << 20
"""The manifest of a table of a thousand checkpoints, with its two matrices, is nearly as large."""

MAX_JSON_OBJECTS = 1 << 20
"""Objects and lists in it: of some 64 bytes each, in two of the file."""

MAX_JSON_VALUES = 4 << 20
"""Values: those two matrices are two million."""

MAX_PARQUET_ROWS = 50_000_000

MAX_PARQUET_RATIO = 200
"""How many times as large as its file a table may become, and `MIN_CHECKED_BYTES` more."""

MIN_CHECKED_BYTES = 64 << 20
"""What any table may have."""

MAX_TEXT_BYTES = 1 << 30
"""Bytes of a column of texts once each row has its own."""

HEADER_LENGTH_BYTES = 8
"""Of the length of a safetensors file's header."""

MIN_CHECKED_ROWS = 200_000
"""What any table may have; one of more has at least a byte for each in its file."""


class TooLargeError(ValueError):
    """A content is larger than any that is written here."""


class NotRegularError(OSError):
    """A file is a folder, a pipe or a device, on which the opening alone could last for ever."""


def read_bytes(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """A regular file of at most so many bytes. Raises OSError, TooLargeError."""
    with open_binary(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise TooLargeError(f"{size:,} bytes are more than the {limit:,} it may have")
        return file.read(limit)


def open_regular(path: Path) -> int:
    """Open a file for reading; the descriptor. Raises OSError, NotRegularError."""
    descriptor = os.open(path, os.O_RDONLY | system.NO_WAIT | system.BINARY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotRegularError("it is no regular file")


def open_binary(path: Path, buffering: int = -1) -> IO[bytes]:
    """A file for reading its bytes. Raises OSError, NotRegularError."""
    return os.fdopen(open_regular(path), "rb", buffering)


def read_json_file(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file. Raises OSError, ValueError."""
    return parse_json(read_bytes(path, limit), limit)


def parse_json(data: bytes, limit: int = MAX_JSON_BYTES) -> Any:
    """JSON in UTF-8. Raises ValueError for none, and TooLargeError for one that is too long, holds
    too much or is nested too deeply."""
    if len(data) > limit:
        raise TooLargeError(f"{len(data):,} bytes are more than the {limit:,} it may have")
    objects = data.count(b"[") + data.count(b"{")
    if objects > MAX_JSON_OBJECTS or data.count(b",") > MAX_JSON_VALUES:
        raise TooLargeError("it holds more values than any such file")
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise TooLargeError("it is nested too deeply") from None


def safetensors_header(file: Path) -> bytes:
    """The JSON at the head of a safetensors file. Raises OSError, ValueError where it is not as
    long as the file says."""
    size = file.stat().st_size
    with open_binary(file) as stream:
        length = int.from_bytes(stream.read(HEADER_LENGTH_BYTES), "little")
        if length > min(size - HEADER_LENGTH_BYTES, MAX_JSON_BYTES):
            raise ValueError(f"its header of {length:,} bytes is cut off or too long")
        return stream.read(length)


# -- arrays


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """An array of numbers or plain texts; ``mapped`` as a read-only memory map.

    Nothing is unpickled. Raises OSError, ValueError where the file does not hold exactly what its
    header says.
    """
    import numpy as np

    with open_binary(path) as file:
        shape, dtype = _npy_header(file)
        expected = file.tell() + math.prod(shape) * dtype.itemsize
        size = os.fstat(file.fileno()).st_size
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which would run code")
    if size != expected:
        raise ValueError(f"its header asks for {expected:,} bytes, and it has {size:,}")
    array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    return array


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"it is of version {version} of the format")
    shape, _, dtype = read(file)
    if any(length < 0 for length in shape):
        raise ValueError("a length in its header is negative")
    return shape, dtype


# -- Parquet


@contextmanager
def for_arrow(path: Path, mode: str = "rb") -> Iterator[Any]:
    """What pyarrow takes to read or write a file: the path, or where that has bytes that are no
    UTF-8, which it cannot open, the open file: by its number, as the threads of pyarrow that call
    Python can end the process when it ends."""
    if mode == "rb":
        open_binary(path).close()
    if is_utf8(str(path)):
        yield path
    else:
        with path.open(mode) as file:
            yield system.numbered_file(file.fileno()) or file


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8: it has no half of a character, which stands for a
    byte of a path that is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`, its footer looked through. Raises OSError, ValueError and
    `pyarrow.ArrowException`."""
    import pyarrow.parquet as parquet

    with for_arrow(path) as source, parquet.ParquetFile(source) as file:
        _check_footer(file.metadata, path.stat().st_size)
        yield file


def _check_footer(footer: Any, size: int) -> None:
    if footer.num_rows > min(max(size, MIN_CHECKED_ROWS), MAX_PARQUET_ROWS):
        raise TooLargeError(f"its footer names {footer.num_rows:,} rows")
    rows = unpacked = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        rows += group.num_rows
        for column in range(group.num_columns):
            unpacked += max(0, group.column(column).total_uncompressed_size)
    if rows != footer.num_rows:
        raise ValueError("the rows of its parts are not those of the whole")
    if unpacked > MAX_PARQUET_RATIO * size + MIN_CHECKED_BYTES:
        raise TooLargeError(f"it would become {unpacked:,} bytes")


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table, or some of its columns. Raises as `open_parquet` does; TooLargeError where few texts
    stand for more bytes than any memory has."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with open_parquet(path) as file:
        schema = file.schema_arrow
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise ValueError(f"it has several columns that are called {twice[0][:40]!r}")
    names = schema.names if columns is None else list(columns)
    texts = [
        name
        for name in names
        if name in schema.names
        and (pa.types.is_string(kind := schema.field(name).type) or pa.types.is_binary(kind))
    ]
    with (
        for_arrow(path) as source,
        parquet.ParquetFile(source, read_dictionary=texts) as file,
    ):
        table = file.read(columns=None if columns is None else names)
    for name in texts:
        position = table.column_names.index(name)
        table = table.set_column(position, schema.field(name), _decoded(table.column(name)))
    return table


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of texts of its own for each row. Raises TooLargeError before it is made."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return column
    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).take(chunk.indices)
        total += pc.sum(lengths.cast(pa.int64())).as_py() or 0
    if total > MAX_TEXT_BYTES:
        raise TooLargeError(f"a column would become {total:,} bytes")
    return column.cast(column.type.value_type)
