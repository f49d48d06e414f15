"""Keeps which images a fine-tuning learns from, by content hash, so that a review knows later
whether its images are among them; and reads the list of rows and labels that a fine-tuning may be
given in place of those of its split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.decode import UNREADABLE
from review_embeddings.pipeline.images.reading import CHUNK, read_file
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import CheckedParquet, add_checksums
from review_embeddings.pipeline.stages.regime import IMAGE_HASH, LABEL
from review_embeddings.pipeline.threads import in_threads

if TYPE_CHECKING:
    import pyarrow


ROW = "row"
"""Column of a `TrainList`: row of the training split."""

LIST_CURE = "Delete the folder it lies in and begin anew."


@dataclass(frozen=True)
class TrainList:
    """Which rows of a training split are trained on, and with which labels."""

    rows: NDArray[np.int64]
    """Shape (N,), ascending."""
    hashes: list[str | None]
    """SHA-256 (hex) of each image's bytes; None for one that cannot be read."""
    labels: list[str]
    """Name of each image's class."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all this."""
        lines = zip(self.rows.tolist(), self.hashes, self.labels, strict=True)
        text = "\n".join(f"{row} {image or ''} {label}" for row, image, label in lines)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_train_list(listed: TrainList, path: Path) -> None:
    """Write a list, whole or not at all. Raises StorageError."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table(
        {
            ROW: pa.array(listed.rows, pa.int64()),
            IMAGE_HASH: pa.array(listed.hashes, pa.string()),
            LABEL: pa.array(listed.labels, pa.string()),
        }
    )
    with whole_file(path) as temporary:
        with for_arrow(temporary, "wb") as target:
            parquet.write_table(table, target, compression="zstd")
        add_checksums(temporary)


def read_train_list(path: Path) -> TrainList:
    """Read a list. Raises DatasetError where it is not there, and DamagedError."""
    if not path.is_file():
        raise DatasetError(
            f"The list of training images {path} is not there any more. Bring it back, or begin "
            f"anew in another folder."
        )
    with CheckedParquet(path, LIST_CURE) as file:
        table = file.read([ROW, IMAGE_HASH, LABEL])
    rows = table.column(ROW).to_numpy().astype(np.int64)
    hashes, labels = (table.column(name).to_pylist() for name in (IMAGE_HASH, LABEL))
    return TrainList(rows, hashes, labels)


def write_trained_images(
    run: RunFolder,
    opened: OpenedDataset,
    rows: NDArray[np.int64],
    labels: Sequence[str],
    progress: Progress,
    *,
    listed: Path | None = None,
) -> None:
    """Write hash and label of the rows of a split that are trained on, where that was not done yet;
    images that cannot be read are left out. ``labels``: name of the class of each. Raises
    DatasetError where a row has another image than the list ``listed`` says."""
    import pyarrow.parquet as parquet

    if storage.exists(run.trained_images):
        return
    with progress.stage("Hashing training images", total=len(rows), unit="images") as advance:
        hashes: list[str | None] = []
        for some in in_threads(_hashes, _cells(opened, rows)):
            hashes += some
            advance(len(some))
    if listed is not None:
        _check_listed(hashes, listed)
    table = _table(hashes, labels)
    with whole_file(run.trained_images) as temporary:
        with for_arrow(temporary, "wb") as target:
            parquet.write_table(table, target, compression="zstd")
        add_checksums(temporary)


def _check_listed(hashes: list[str | None], path: Path) -> None:
    listed = read_train_list(path)
    changed = sum(one != other for one, other in zip(hashes, listed.hashes, strict=True))
    if changed:
        raise DatasetError(
            f"{changed:,} of {len(hashes):,} training images are not those of {path}: the data set "
            f"was changed since. Bring the old one back, or begin anew in another folder."
        )


def _cells(opened: OpenedDataset, rows: NDArray[np.int64]) -> Iterator[list[Any]]:
    column = opened.reference.image_column
    assert column is not None
    cells = opened.rows.select(rows).select_columns([column])
    return (cells[start : start + CHUNK][column] for start in range(0, len(rows), CHUNK))


def _hashes(cells: list[Any]) -> list[str | None]:
    return [_hash_of(cell or {}) for cell in cells]


def _hash_of(cell: dict[str, Any]) -> str | None:
    """None for an image that cannot be read."""
    try:
        data = cell.get("bytes")
        data = read_file(cell.get("path") or "") if data is None else data
    except UNREADABLE:
        return None
    return hashlib.sha256(data).hexdigest()


def _table(hashes: list[str | None], labels: Sequence[str]) -> pyarrow.Table:
    import pyarrow as pa

    known = [position for position, one in enumerate(hashes) if one is not None]
    return pa.table(
        {
            IMAGE_HASH: pa.array([hashes[position] for position in known], pa.string()),
            LABEL: pa.array([labels[position] for position in known], pa.string()),
        }
    )
