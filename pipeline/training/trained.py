"""Keeps which images a fine-tuning learns from, by content hash, so that a review knows later
whether its images are among them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.decode import UNREADABLE
from review_embeddings.pipeline.images.reading import CHUNK, read_file
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import add_checksums
from review_embeddings.pipeline.stages.regime import IMAGE_HASH, LABEL
from review_embeddings.pipeline.threads import in_threads

if TYPE_CHECKING:
    import pyarrow


def write_trained_images(
    run: RunFolder,
    opened: OpenedDataset,
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    progress: Progress,
) -> None:
    """Write hash and label of the rows of a split that are trained on, where that was not done yet;
    images that cannot be read are left out. ``labels``: index into the classes of the split."""
    import pyarrow.parquet as parquet

    if storage.exists(run.trained_images):
        return
    with progress.stage("Hashing training images", total=len(rows), unit="images") as advance:
        hashes: list[str | None] = []
        for some in in_threads(_hashes, _cells(opened, rows)):
            hashes += some
            advance(len(some))
    table = _table(hashes, labels, opened.classes or [])
    with whole_file(run.trained_images) as temporary:
        with for_arrow(temporary, "wb") as target:
            parquet.write_table(table, target, compression="zstd")
        add_checksums(temporary)


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


def _table(
    hashes: list[str | None], labels: NDArray[np.int32], classes: list[str]
) -> pyarrow.Table:
    import pyarrow as pa

    known = [position for position, one in enumerate(hashes) if one is not None]
    return pa.table(
        {
            IMAGE_HASH: pa.array([hashes[position] for position in known], pa.string()),
            LABEL: pa.array([classes[labels[position]] for position in known], pa.string()),
        }
    )
