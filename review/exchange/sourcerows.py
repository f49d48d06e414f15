"""What is known of the rows of a data set that is to be cleaned: the hash of each image, its file
and whether it is there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.columns import find_image_column
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.images.walk import escaped
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.exchange.formats import ending_of

if TYPE_CHECKING:
    import datasets

CHUNK = 256
"""Rows in memory at once."""


@dataclass(frozen=True)
class StoredImage:
    """The image of one row, as it is stored."""

    image_hash: str | None
    """SHA-256 (hex) of the file's bytes; None where there is none."""
    path: str
    """The file as the data set names it; empty where it names none."""
    ending: str = ""
    """Of an image file with these bytes; empty where it cannot be told."""
    problem: str = ""
    """Why there is no file; empty where there is one."""


def image_column_of(features: Any, reference: DatasetReference) -> str | None:
    """The column of the images in a split that may have other columns than the one reviewed; None
    where it has none."""
    from dataclasses import replace

    if reference.image_column in features:
        return reference.image_column
    try:
        return find_image_column(features, replace(reference, image_column=None))
    except DatasetError:
        return None


def stored_images(
    rows: datasets.Dataset, column: str | None, advance: Callable[[int], None]
) -> list[StoredImage]:
    """The image of each row; of a split without images none is there."""
    if column is None:
        return [StoredImage(None, "")] * len(rows)
    found = list[StoredImage]()
    for cell in image_cells(rows, column, advance):
        found.append(_stored(cell))
    return found


def image_cells(
    rows: datasets.Dataset, column: str, advance: Callable[[int], None] = lambda count: None
) -> Iterator[dict[str, Any]]:
    """The cells ``{"bytes", "path"}`` of a column of images, some at a time."""
    import datasets

    undecoded = rows.with_format(None).select_columns([column])
    undecoded = undecoded.cast_column(column, datasets.Image(decode=False))
    for start in range(0, len(rows), CHUNK):
        cells = undecoded[start : start + CHUNK][column]
        yield from (cell or {} for cell in cells)
        advance(len(cells))


def _stored(cell: dict[str, Any]) -> StoredImage:
    path = str(cell.get("path") or "")
    data, problem = bytes_of(cell)
    if data is None:
        return StoredImage(None, path, problem=problem)
    return StoredImage(hashlib.sha256(data).hexdigest(), path, ending_by_content(data))


def bytes_of(cell: dict[str, Any]) -> tuple[bytes | None, str]:
    """The bytes of an image, which lie in its cell or in the file that it names, or why there are
    none."""
    data, path = cell.get("bytes"), cell.get("path")
    if data is not None:
        return data, ""
    if not path:
        return None, "no image in this row"
    try:
        return read_file(str(path)), ""
    except (OSError, ValueError) as error:
        return None, reason_of(error)


def ending_by_content(data: bytes) -> str:
    """The ending of an image file with these bytes; empty where it cannot be told."""
    try:
        return ending_of(data)
    except Exception:  # a decoder may raise anything; the bytes are copied as they are
        return ""


def file_name(path: str) -> str:
    """The last part of a file's name, also of one in an archive (``zip://a/b.png::/data/x.zip``)."""
    return PurePosixPath(path.split("::")[0]).name


def root_of(source: str) -> str:
    """What the paths of the images of a folder begin with; empty for other data sets."""
    path = Path(source)
    return escaped(f"{path.resolve()}/") if path.is_dir() else ""


def name_inside(path: str, root: str) -> str:
    """A file's name inside the data set whose `root_of` this is: that in the archive for one in an
    archive, the last part for one that lies elsewhere."""
    if root and path.startswith(root):
        return path[len(root) :]
    name = path.split("::")[0]
    if "://" in name:
        return bare_name(name) if name.startswith("file:") else name.split("://", 1)[1]
    return bare_name(name) if re.match(r"[/\\~]|\w:[/\\]|\.\.", name) else name


def bare_name(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[/\\]", path.split("::")[0])[-1]
