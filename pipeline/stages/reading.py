"""Reads images where they lie and preprocesses them, as work that any process can do in parts.

What is found out about the images comes back; their pixels go to the run's cache, a file a part.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.engines.base import Engine
from review_embeddings.pipeline.engines.shards import Shards
from review_embeddings.pipeline.engines.work import Result, Work, parts_of, run_of
from review_embeddings.pipeline.images.decode import GREY_RULES
from review_embeddings.pipeline.images.inplace import read_cells
from review_embeddings.pipeline.images.opening import follow
from review_embeddings.pipeline.images.pixels import PixelCache, PixelParts
from review_embeddings.pipeline.images.reading import ImageMetadata, SkippedImage, read_all
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.stage import Stage
from review_embeddings.pipeline.threads import worker_count

if TYPE_CHECKING:
    import pyarrow

FIELDS = (*(field.name for field in fields(ImageMetadata)), "reason")
"""What is found out about an image, and why it cannot be read."""


@dataclass(frozen=True)
class Threads:
    """How many threads decode images: all in the process that asks, one where others share the
    machine."""

    host: str
    process: int

    @classmethod
    def here(cls) -> Threads:
        """For this process."""
        return cls(socket.gethostname(), os.getpid())

    def load(self) -> int:
        """In the process that reads."""
        here = Threads.here() == self
        return worker_count() if here else 1


@dataclass(frozen=True)
class PreprocessedParts:
    """Where the pixels of images go that are read in place."""

    run: str
    """`RunFolder.reference`."""
    processors: tuple[str, ...]
    """Where the image processor is, in the first of these that has one; empty for none."""
    digest: str
    """Of the image processor."""
    key: str
    """Fingerprint of what is read."""

    def load(self) -> tuple[PixelCache, PixelParts] | None:
        """What preprocesses, and where to; None where nothing does."""
        if not self.processors:
            return None
        cache = _cache_of(run_of(self.run, self.key), self.processors, self.digest)
        return cache, cache.parts(self.key)


@lru_cache(maxsize=1)
def _cache_of(run: RunFolder, processors: tuple[str, ...], digest: str) -> PixelCache:
    """Of a process: an image processor is loaded once."""
    return PixelCache(run, load_processor(list(map(storage.for_here, processors))), digest)


@dataclass(frozen=True)
class Reading:
    """Images that are to be read where they lie."""

    run: RunFolder
    stage: Stage
    """`IMAGES` or `PIXELS`."""
    locations: pyarrow.Table
    """`images.inplace.locations_schema` and the columns ``image_id`` and ``label``."""
    column: str
    """Of the images, in Parquet files."""
    root: Path
    """The data set's folder."""
    preprocessed: PreprocessedParts
    key: str
    """Fingerprint of all this."""
    grey_rules: int = GREY_RULES
    """By which grey of more than 8 bits is read."""

    @property
    def rows(self) -> int:
        """Images a part."""
        return self.stage.rows_a_shard((len(self.locations),)) or len(self.locations)

    @property
    def work(self) -> Work:
        """The same as work for an engine."""
        return Work(
            read_rows,
            inputs={
                "locations": self.locations,
                "column": self.column,
                "root": self.root,
                "preprocessed": self.preprocessed,
                "key": self.key,
                "grey_rules": self.grey_rules,
                "threads": Threads.here(),
            },
            total=len(self.locations),
            run=self.run.reference,
            key=self.key,
            title=self.stage.title,
            keep=self.stage.keep,
            long=self.stage.long,
        )

    def records(self, engine: Engine) -> Iterator[ImageMetadata | SkippedImage]:
        """What is found out about each image, in order; what was read before is not read again."""
        self._forget_without_pixels()
        for result in engine.map(self.work, self.rows):
            images = result.arrays["images"]
            for values in images.tolist():
                row = {"deep": False, **dict(zip(images.dtype.names, values, strict=True))}
                if reason := row.pop("reason"):
                    yield SkippedImage(row["image_id"], row["path"], reason)
                else:
                    yield ImageMetadata(**row)

    def _forget_without_pixels(self) -> None:
        """Let parts be read again whose pixels were deleted since."""
        opened, shards = self.preprocessed.load(), Shards.of(self.work)
        for part in parts_of(len(self.locations), self.rows):
            if opened and not storage.exists(opened[1].path(part[0]).with_suffix(".json")):
                shards.forget(part)

    def finish(self, images_digest: str) -> None:
        """Make the pixels the run's, and let go of what was found out: it is written elsewhere
        now."""
        if opened := self.preprocessed.load():
            starts = (start for start, _ in parts_of(len(self.locations), self.rows))
            opened[1].finish(images_digest, starts)
        self.forget()

    def forget(self) -> None:
        """Let go of what was found out."""
        Shards.of(self.work).remove()


def read_rows(
    rows: slice,
    *,
    locations: pyarrow.Table,
    column: str,
    root: Path,
    preprocessed: tuple[PixelCache, PixelParts] | None,
    key: str,
    threads: int,
    grey_rules: int,
) -> Result:
    """Read and decode some images: a structured array with `FIELDS`."""
    some = locations.slice(rows.start, rows.stop - rows.start)
    for file in {*some["file"].to_pylist()}:
        follow(str(file))  # checked where the locations come from; this may be another process
    ids, labels = some["image_id"].to_pylist(), some["label"].to_pylist()
    cells = zip(ids, labels, read_cells(some, column), strict=True)
    prepare = preprocessed[0].prepare if preprocessed else None
    pixels = preprocessed[1].writer(rows.start) if preprocessed else None
    found: list[tuple[Any, ...]] = []
    try:
        read = read_all(cells, root, prepare, preview=False, workers=threads, rules=grey_rules)
        for records, batches in read:
            found += map(_as_row, records)
            for batch in batches:
                if pixels:
                    pixels.add(batch)
        if pixels:
            pixels.finish(key)
    finally:
        if pixels:
            pixels.abandon()
    return Result({"images": _as_array(found)})


def _as_array(rows: list[tuple[Any, ...]]) -> NDArray[Any]:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    kinds = [(name, one.dtype) for name, one in zip(FIELDS, columns, strict=True)]
    return np.rec.fromarrays(columns, dtype=kinds)


def _as_row(one: ImageMetadata | SkippedImage) -> tuple[Any, ...]:
    if isinstance(one, SkippedImage):
        return one.image_id, "", one.path, -1, 0, 0, False, one.reason
    known = (one.image_id, one.image_hash, one.path, one.label, one.width, one.height, one.deep)
    return *known, ""
