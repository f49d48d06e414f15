"""Parquet files that hold checksums of their own parts: of the footer, and of each column of each
row group, so that what is read is checked and nothing else is read for it."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import DamagedError, RunError, reason_of
from review_embeddings.pipeline.run.bounded import (
    for_arrow,
    open_binary,
    open_parquet,
    read_parquet,
)
from review_embeddings.pipeline.run.checksums import (
    KIND,
    check,
    checksum_of,
    file_checksum,
    mark_of,
)

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray

MAGIC = b"PAR1"

TAIL = struct.Struct("<i4s")
"""What a Parquet file ends with: the bytes of the footer before it, and `MAGIC`."""

COLUMNS, FOOTER = b"column_checksums", b"footer_checksum"
"""Keys of the metadata: of each column of each row group, in order; of the footer, which has
`BLANK` there then."""

BLANK = KIND.encode() + b"0" * 16

STORED_FOOTER = re.compile(
    FOOTER + rb".{1,8}?(" + KIND.encode() + rb"[0-9a-f]{16})(?![0-9a-f])", re.DOTALL
)
"""The checksum of a footer in its bytes."""

ARROW_SCHEMA = b"ARROW:schema"


def add_checksums(path: Path) -> None:
    """Put checksums into a finished Parquet file."""
    import pyarrow.parquet as parquet

    with for_arrow(path) as source, parquet.ParquetFile(source) as file:
        metadata, schema = file.metadata, file.schema_arrow
    kept = {key: text for key, text in (metadata.metadata or {}).items() if key != ARROW_SCHEMA}
    sums = [
        file_checksum(path, (span,)).removeprefix(KIND)
        for group in range(metadata.num_row_groups)
        for span in _byte_ranges(metadata, group).values()
    ]
    kept |= {COLUMNS: " ".join(sums).encode(), FOOTER: BLANK}
    written = _footer_of(metadata, schema.remove_metadata(), kept)
    written = written.replace(BLANK, checksum_of(written).encode())
    with path.open("rb+") as stored:
        stored.seek(_footer(path)[0])
        stored.write(written)
        stored.truncate()


def _footer_of(metadata: Any, schema: pyarrow.Schema, texts: Mapping[bytes, bytes]) -> bytes:
    """The end of a file with these row groups, and with other texts beside them."""
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    with parquet.ParquetWriter(buffer, schema) as writer:
        writer.add_key_value_metadata(dict(texts))
    combined = parquet.read_metadata(io.BytesIO(buffer.getvalue()))
    combined.append_row_groups(metadata)
    buffer = io.BytesIO()
    combined.write_metadata_file(buffer)
    return buffer.getvalue()[len(MAGIC) :]


class CheckedParquet:
    """A Parquet file of which only what is whole is read; as it is where it has no checksums."""

    def __init__(self, path: Path, cure: str) -> None:
        """Raises DamagedError, with the ``cure``, where it is no Parquet file or its footer is
        damaged."""
        self._path, self._cure, self._opened = path, cure, ExitStack()
        with self._errors():
            self._mark = mark_of(path)
            _check_footer(path, cure)
            self._file = self._opened.enter_context(open_parquet(path))
            self.metadata = self._file.metadata
            self.schema = self._file.schema_arrow
            stored = self.metadata.metadata or {}
            sums = stored.get(COLUMNS, b"").decode("ascii").split()
        self._sums = [KIND + text for text in sums]

    def __enter__(self) -> CheckedParquet:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def read(self, columns: Sequence[str] | None = None) -> pyarrow.Table:
        """Columns of all rows. Raises DamagedError."""
        for group in range(self.metadata.num_row_groups):
            self._check(group, columns)
        with self._errors():
            return read_parquet(self._path, columns)

    def batches(
        self, group: int, columns: Sequence[str], size: int
    ) -> Iterator[pyarrow.RecordBatch]:
        """Columns of the rows of a group, so many rows at once. Raises DamagedError."""
        self._check(group, columns)
        with self._errors():
            yield from self._file.iter_batches(size, row_groups=[group], columns=list(columns))

    def verify(self) -> bool:
        """Check all of it; whether it has checksums. Raises DamagedError."""
        for group in range(self.metadata.num_row_groups):
            self._check(group, None)
        return bool(self._sums)

    def _check(self, group: int, columns: Sequence[str] | None) -> None:
        if not self._sums:
            return
        ranges = _byte_ranges(self.metadata, group)
        for index, (name, span) in enumerate(ranges.items()):
            if columns is None or name in columns:
                stored = self._sums[group * len(ranges) + index]
                try:
                    check(self._path, stored, self._cure, ranges=(span,))
                except DamagedError:
                    self._refuse_replaced()
                    raise

    def _refuse_replaced(self) -> None:
        """Raise RunError where another file is in the place of the one that was opened."""
        if self._path.is_file() and mark_of(self._path) != self._mark:
            raise RunError(
                f"{self._path} was written anew while it was read. Start the same command again."
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except FileNotFoundError as error:
            raise DamagedError(self._path, f"it is not there. {self._cure}") from error
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk; Arrow's own have no number
            raise DamagedError(self._path, f"{reason_of(error)} {self._cure}") from error


def numbers_of(column: pyarrow.ChunkedArray, missing: int = 0) -> NDArray[Any]:
    """A column of whole numbers, those that are null as ``missing``. What pyarrow has for this
    imports pandas."""
    parts = [_numbers_of(chunk, missing) for chunk in column.chunks if len(chunk)]
    return np.concatenate(parts) if parts else np.empty(0, column.type.to_pandas_dtype())


def _numbers_of(chunk: pyarrow.Array, missing: int) -> NDArray[Any]:
    present, values = chunk.buffers()
    rows = slice(chunk.offset, chunk.offset + len(chunk))
    numbers = np.frombuffer(values, chunk.type.to_pandas_dtype(), count=rows.stop)[rows]
    if present is None:
        return numbers
    bits = np.frombuffer(present, np.uint8)
    has = np.unpackbits(bits, count=rows.stop, bitorder="little")[rows].astype(bool)
    return np.where(has, numbers, numbers.dtype.type(missing))


def _byte_ranges(metadata: Any, group: int) -> dict[str, tuple[int, int]]:
    """Start and length in bytes of each column of a row group, by its name."""
    rows, ranges = metadata.row_group(group), {}
    for index in range(rows.num_columns):
        column = rows.column(index)
        start = column.data_page_offset
        if column.has_dictionary_page and column.dictionary_page_offset:
            start = min(start, column.dictionary_page_offset)
        ranges[column.path_in_schema] = (start, column.total_compressed_size)
    return ranges


def _footer(path: Path) -> tuple[int, int]:
    """Start and length in bytes of the footer with the tail."""
    with open_binary(path) as file:
        end = file.seek(-TAIL.size, 2) + TAIL.size
        length, _ = TAIL.unpack(file.read(TAIL.size))
    return end - TAIL.size - length, length + TAIL.size


def _check_footer(path: Path, cure: str) -> None:
    """Raise DamagedError where a footer has another checksum than stands in it. Looks at its bytes:
    pyarrow ends the process over some footers that are damaged."""
    try:
        start, length = _footer(path)
        with open_binary(path) as file:
            file.seek(max(0, start))
            footer = file.read(length)
    except (OSError, struct.error):  # no Parquet file: pyarrow says so
        return
    stored = STORED_FOOTER.search(footer)
    if stored is None:
        whole = COLUMNS not in footer  # of an earlier version, else half of it is gone
    else:
        whole = checksum_of(footer.replace(stored[1], BLANK)).encode() == stored[1]
    if not whole:
        raise DamagedError(path, f"its bytes are not those that were written. {cure}")
