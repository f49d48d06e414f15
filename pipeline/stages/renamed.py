"""Classes that a data set calls otherwise than it did when the images of a run were read last: told
by the pictures that are in them. A checkpoint's head goes on to use the former names."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.inplace import Cell, read_cells
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.images.runimages import RunImages

SAMPLE = 16
"""Pictures of a class with a new name that are looked for among those of the run."""


def former_names(images: RunImages | None, opened: OpenedDataset) -> dict[str, str]:
    """What classes of a data set were called when the checkpoints of the run met them, by the names
    of now; only those that were renamed.

    A class was renamed where more than half of its pictures that the run knows, of at most
    `SAMPLE`, had one class that there is no more.
    """
    if images is None or images.classes is None or opened.classes is None:
        return {}
    former = {name: one for name, one in images.former.items() if name in opened.classes}
    gone = set(images.classes) - set(opened.classes)
    if not gone:
        return former
    known = dict(zip(images.hashes, images.label_names or [], strict=True))
    before = {
        name: _class_before(known, _hashes(opened, index))
        for index, name in enumerate(opened.classes)
        if name not in images.classes
    }
    found = Counter(before.values())
    for name, one in before.items():
        if one in gone and found[one] == 1:
            former[name] = images.former.get(one, one)
    return former


def _class_before(known: Mapping[str, str | None], hashes: Sequence[str]) -> str | None:
    """The class that most of some pictures had in the run; None where there is no such."""
    classes = Counter(known[one] for one in hashes if known.get(one) is not None)
    if not classes:
        return None
    name, count = classes.most_common(1)[0]
    return name if 2 * count > classes.total() else None


def _hashes(opened: OpenedDataset, label: int) -> list[str]:
    """Of some pictures of a class, from its first to its last, without those that cannot be
    read."""
    if opened.labels is None:
        return []
    rows = np.flatnonzero(opened.labels == label)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(int))] if len(rows) else []
    return [hashlib.sha256(data).hexdigest() for data in _pictures(opened, list(map(int, chosen)))]


def _pictures(opened: OpenedDataset, rows: list[int]) -> Iterator[bytes]:
    column = str(opened.reference.image_column)
    for row in rows:
        try:
            cell = _cell(opened, column, row)
            if cell is not None:
                yield read_file(cell["path"]) if cell["bytes"] is None else cell["bytes"]
        except (OSError, DatasetError):
            continue


def _cell(opened: OpenedDataset, column: str, row: int) -> Cell | None:
    if opened.reference.in_place:
        return next(iter(read_cells(opened.rows.data.table.take([row]), column)))
    cell: Cell | None = opened.rows[row][column]
    return cell
