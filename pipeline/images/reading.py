"""Reads and decodes the images of a data set; one that cannot be read comes back with the
reason."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from review_embeddings.pipeline.errors import reason_of
from review_embeddings.pipeline.images.decode import (
    GREY_RULES,
    UnreadableError,
    decode,
    is_deep,
    to_rgb,
)
from review_embeddings.pipeline.images.inplace import Cell
from review_embeddings.pipeline.images.opening import MEMBER, check_followed
from review_embeddings.pipeline.images.preview import make_preview
from review_embeddings.pipeline.images.walk import escaped, local_path
from review_embeddings.pipeline.machine import TOO_MANY, raise_unavailable
from review_embeddings.pipeline.threads import chunks, in_threads

if TYPE_CHECKING:
    from PIL import Image


CHUNK = 64
"""Images decoded and preprocessed as one piece of work by a thread."""

DECODED_AT_ONCE = 1 << 24
"""Pixels of decoded images that wait in a thread until they are preprocessed; a photograph of more
waits alone."""


@dataclass(frozen=True)
class ImageMetadata:
    """What is kept of one readable image of the split."""

    image_id: int
    """Row of the split."""
    image_hash: str
    """SHA-256 (hex) of the file's bytes."""
    path: str
    """The file's path as the data set names it; empty where it names none."""
    label: int
    """Index of its class; -1 without one."""
    width: int
    height: int
    deep: bool
    """Whether it is grey of more than 8 bits, which is shown by a rule of its own."""


@dataclass(frozen=True)
class ImageRecord(ImageMetadata):
    """The image itself, too."""

    data: bytes
    """The file as the data set stores it."""
    preview: bytes | None
    """What a browser should show instead; None where ``data`` itself will do."""
    rgb: Image.Image | None
    """The decoded image; None once it was preprocessed."""


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read."""

    image_id: int | None
    """Row of the split; None for a file that is in no row."""
    path: str
    reason: str


def read_image(
    image_id: int,
    label: int,
    cell: Cell | None,
    root: Path | None = None,
    *,
    preview: bool = True,
    rules: int = GREY_RULES,
) -> ImageRecord | SkippedImage:
    """Read and decode one cell of the image column; a file that cannot be read comes back with the
    reason.

    Paths inside ``root``, the data set's folder, are kept relative to it. Without ``preview`` none
    is made. ``rules`` are those of deep grey (`to_rgb`).
    """
    file, data = (cell or {}).get("path") or "", (cell or {}).get("bytes")
    path = _relative(file, root)
    if data is None and not file:
        return SkippedImage(image_id, path, "no image in this row")
    try:
        data = read_file(file) if data is None else data
        stored = decode(data)
        rgb = to_rgb(stored, rules)
        shown = make_preview(stored, rgb) if preview else None
    except UnreadableError as error:
        return SkippedImage(image_id, path, str(error))
    except Exception as error:  # of a disk, an archive or a server; one file never ends a run
        raise_unavailable(error, path or "an image", TOO_MANY)
        return SkippedImage(image_id, path, reason_of(error).replace(repr(file), "the file"))
    return ImageRecord(
        image_id,
        hashlib.sha256(data).hexdigest(),
        path,
        label,
        rgb.width,
        rgb.height,
        is_deep(stored),
        data,
        shown,
        rgb,
    )


def _relative(file: str, root: Path | None) -> str:
    if root and file and Path(file).is_relative_to(escaped(str(root))):
        return Path(file).relative_to(escaped(str(root))).as_posix()
    return file


def read_all(
    cells: Iterable[tuple[int, int, Cell | None]],
    root: Path,
    prepare: Prepare | None,
    *,
    preview: bool = True,
    workers: int | None = None,
    rules: int = GREY_RULES,
) -> Iterator[tuple[list[ImageRecord | SkippedImage], list[NDArray[Any]]]]:
    """Read images, given by row, label and cell, some at a time, with what ``prepare`` makes of
    them, in order; in threads, some ahead."""

    def read(
        some: list[tuple[int, int, Cell | None]],
    ) -> tuple[list[ImageRecord | SkippedImage], list[NDArray[Any]]]:
        records = list[ImageRecord | SkippedImage]()

        def decoded() -> Iterator[Image.Image]:
            for one in some:
                record = read_image(*one, root=root, preview=preview, rules=rules)
                if isinstance(record, ImageRecord) and record.rgb is not None:
                    yield record.rgb
                    record = replace(record, rgb=None)
                records.append(record)

        return records, list(prepared(decoded(), prepare))

    return in_threads(read, chunks(cells, CHUNK), workers)


Prepare = Callable[[list["Image.Image"]], NDArray[Any]]
"""As `pixels.Preprocessor.prepare`."""


def prepared(images: Iterable[Image.Image], prepare: Prepare | None) -> Iterator[NDArray[Any]]:
    """What is made of images, in order, a few at a time: as many as `DECODED_AT_ONCE` lets wait.
    Nothing, though they are all asked for, where ``prepare`` is None."""
    waiting, area = list[Any](), 0
    for image in images:
        if prepare is None:
            continue
        waiting.append(image)
        area += image.width * image.height
        if area >= DECODED_AT_ONCE:
            yield prepare(waiting)
            waiting, area = [], 0
    if waiting and prepare is not None:
        yield prepare(waiting)


def read_file(path: str) -> bytes:
    """A file on disk, or one inside an archive or on a server as ``datasets`` names it
    (``zip://a.png::/data/images.zip``)."""
    if "://" not in path:
        return Path(local_path(path)).read_bytes()
    if path.startswith(MEMBER) and "://" not in path[len(MEMBER) :]:
        member, _, archive = path.removeprefix(MEMBER).partition("::")
        with _archive(archive).open(member) as zipped:
            return zipped.read()
    import fsspec

    check_followed(path)
    with fsspec.open(path, "rb") as file:
        data: bytes = file.read()
    return data


@lru_cache(maxsize=8)
def _archive(path: str) -> zipfile.ZipFile:
    """Opened once: to find what is in it takes long. Threads may read from it."""
    return zipfile.ZipFile(local_path(path))
