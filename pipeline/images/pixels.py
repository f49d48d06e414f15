"""Keeps the images as a model takes them in the run folder's cache, once for all checkpoints.

Knows no model: a `Preprocessor` makes what is kept here."""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import (
    DamagedError,
    DatasetError,
    RunError,
    reason_of,
)
from review_embeddings.pipeline.images.normalisation import (
    Line,
    Normalisation,
    Steps,
    arithmetic_of,
    to_values,
)
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import NotRegularError, open_binary
from review_embeddings.pipeline.run.checksums import BlockChecksums, check_blocks
from review_embeddings.pipeline.run.files import (
    MADE_AGAIN,
    commit,
    discard,
    read_json,
    storage_errors,
    write_json,
)
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import is_within, remove_file
from review_embeddings.pipeline.run.records import RecordError, record_of
from review_embeddings.pipeline.run.temporary import remove_leftovers, temporary_path

if TYPE_CHECKING:
    import torch
    from PIL import Image


DIGEST_LENGTH = 16
"""Digits of a digest in the name of a file."""

PART_FOLDER = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")
"""Names of the folders with parts of a cache."""

WIDENED_AT_ONCE = 256
"""Images that are rewritten as float32 at once."""


class Preprocessor(Protocol):
    """What turns images into what a model takes, such as `models.processor.Processor`."""

    @property
    def normalisation(self) -> Normalisation | None:
        """How it normalises; None where that is not known."""
        ...

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """RGB images to 8-bit levels of shape (N, 3, height, width), or to float32 values where
        levels would lose something. May be called from several threads at once."""
        ...


@dataclass(frozen=True)
class PixelFile:
    """A file of preprocessed images."""

    path: Path
    shape: tuple[int, ...]
    """Shape of the array in it, (N, 3, height, width)."""
    normalisation: Normalisation | None
    """Of its 8-bit levels; None where it holds float32 values."""
    blocks: tuple[str, ...] = ()
    """Checksums (`checksums.BlockChecksums`); none in files of earlier versions."""

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Some of it, memory-mapped. Raises DamagedError."""
        path = storage.fetched(self.path)
        kind = np.dtype(np.uint8 if self.normalisation else np.float32)
        row = kind.itemsize * math.prod(self.shape[1:])
        check_blocks(path, self.blocks, start * row, stop * row, MADE_AGAIN)
        try:
            open_binary(path).close()
            return np.memmap(path, dtype=kind, mode="r", shape=self.shape)[start:stop]
        except (ValueError, NotRegularError) as error:
            raise DamagedError(path, f"{reason_of(error)} {MADE_AGAIN}") from error


@dataclass(frozen=True)
class _Part:
    """What a marker says about one file of the cache."""

    shape: tuple[int, ...]
    normalisation: Normalisation | None
    name: str = ""
    """Relative to the folder of the cache."""
    blocks: tuple[str, ...] = ()
    """See `PixelFile`."""


@dataclass(frozen=True)
class _Marker:
    """What lies beside a cache and makes it valid: about its file, or about the several ones that
    it is made of."""

    images: str
    """Fingerprint of the images in it (`RunImages.digest`)."""
    shape: tuple[int, ...] = ()
    normalisation: Normalisation | None = None
    files: list[_Part] | None = None
    blocks: tuple[str, ...] = ()

    def parts(self, name: str) -> list[_Part]:
        """The files; ``name`` is that of a single one."""
        single = _Part(self.shape, self.normalisation, name, self.blocks)
        return [single] if self.files is None else self.files


class PixelFiles:
    """The images of several files as one array, a file open only while some of it is read.

    As in a single file all are float32 values where some have to be.
    """

    def __init__(self, files: Sequence[PixelFile], start: int = 0, stop: int | None = None) -> None:
        """``start`` and ``stop`` say which of all their images these are; no file may be empty."""
        self._files = files
        self._ends = list(itertools.accumulate(file.shape[0] for file in files))
        self._start, self._stop = start, self._ends[-1] if stop is None else stop
        self.normalisation = (
            None if any(file.normalisation is None for file in files) else files[0].normalisation
        )
        self.dtype = np.dtype(np.uint8 if self.normalisation else np.float32)
        self.shape = (self._stop - self._start, *files[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop = self._start + rows.start, min(self._start + rows.stop, self._stop)
        concerned = range(bisect_right(self._ends, start), bisect_left(self._ends, stop) + 1)
        found = [self._some_of(number, start, stop) for number in concerned]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def between(self, start: int, stop: int) -> PixelFiles:
        """Some of them, still in their files."""
        return PixelFiles(self._files, self._start + start, self._start + stop)

    def _some_of(self, number: int, start: int, stop: int) -> NDArray[Any]:
        """What one file has of the images from ``start`` to ``stop``."""
        file = self._files[number]
        before = self._ends[number] - file.shape[0]
        some = file.rows(max(0, start - before), min(stop - before, file.shape[0]))
        if self.normalisation is None and file.normalisation is not None:
            return to_values(some, file.normalisation)
        return some


@dataclass(frozen=True)
class Pixels:
    """Preprocessed images, in memory or in files."""

    array: NDArray[Any] | PixelFiles
    """Shape (N, 3, height, width): uint8 levels, or float32 values where ``normalisation`` is
    None."""
    normalisation: Normalisation | None

    def __len__(self) -> int:
        return len(self.array)

    def between(self, start: int, stop: int) -> Pixels:
        """Some of them."""
        if isinstance(self.array, PixelFiles):
            return replace(self, array=self.array.between(start, stop))
        return replace(self, array=self.array[start:stop])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image: (3, height, width)."""
        return tuple(self.array.shape[1:])

    def batch(self, start: int, stop: int, device: torch.device) -> torch.Tensor:
        """Images ``start`` to ``stop`` as the model takes them: float32 of shape (stop - start, 3,
        height, width)."""
        import torch

        given = torch.from_numpy(np.array(self.array[start:stop]))
        if device.type == "cuda":  # which copies from there while it computes
            given = given.pin_memory()
        given = given.to(device, non_blocking=device.type == "cuda")
        if self.normalisation is None:
            return given.float()
        if device.type == "cpu" and self._arithmetic is not None:
            return self._arithmetic(given)
        table = torch.from_numpy(self.normalisation.table()).to(device)
        values = torch.empty(given.shape, dtype=torch.float32, device=device)
        for channel, value_of in enumerate(table):
            levels = given[:, channel]
            values[:, channel] = value_of[levels.int().flatten()].view(levels.shape)
        return values

    @cached_property
    def _arithmetic(self) -> Steps | Line | None:
        return None if self.normalisation is None else arithmetic_of(self.normalisation)


class PixelCache:
    """The preprocessed images of one image processor in a run folder; without the processor
    itself, only to be read."""

    def __init__(self, run: RunFolder, processor: Preprocessor | None, digest: str) -> None:
        self._processor = processor
        self.path = run.cache / f"pixels-{digest[:DIGEST_LENGTH]}.bin"

    def open(self, images_digest: str) -> Pixels | None:
        """The cached pixels of these images; None where there are none, or none that this version
        can read."""
        if not storage.exists(self.path.with_suffix(".json")):
            return None
        try:
            marker = record_of(_Marker, _read_marker(self.path))
        except (RunError, RecordError):
            return None
        if marker.images != images_digest:
            return None
        parts = marker.parts(self.path.name)
        if not all(is_within(part.name) for part in parts):
            return None
        files = [
            PixelFile(self.path.parent / part.name, part.shape, part.normalisation, part.blocks)
            for part in parts
        ]
        if not files or not all(storage.exists(file.path) for file in files):
            return None
        array = PixelFiles(files)
        return Pixels(array, array.normalisation)

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """What goes to the writer, of a few images (`Preprocessor.prepare`); may be called from
        several threads at once."""
        assert self._processor is not None
        return self._processor.prepare(images)

    def writer(self) -> PixelWriter:
        """Start to write the cache anew."""
        assert self._processor is not None
        storage.remove_folder(self.path.with_suffix(""))
        return PixelWriter(self.path, self._processor.normalisation)

    def parts(self, fingerprint: str) -> PixelParts:
        """The cache in files of some images each, those that are there already among them;
        ``fingerprint`` tells which images all are."""
        normalisation = self._processor.normalisation if self._processor else None
        return PixelParts(self.path, fingerprint, normalisation)


def verify_cached(marker: Path) -> bool:
    """Whether the files that a marker of the cache names have checksums. Raises DamagedError."""
    parts = record_of(_Marker, read_json(marker)).parts(marker.with_suffix(".bin").name)
    for part in parts:
        file = PixelFile(marker.parent / part.name, part.shape, part.normalisation, part.blocks)
        if part.blocks and part.shape:
            file.rows(0, part.shape[0])
    return all(part.blocks for part in parts)


def _read_marker(file: Path) -> dict[str, Any]:
    """What is kept beside a file of the cache. Raises RunError."""
    return read_json(storage.fetched(file.with_suffix(".json")))


class PixelParts:
    """A cache in files of some images each, which can be made in any order; `finish` makes it
    valid."""

    def __init__(self, cache: Path, fingerprint: str, normalisation: Normalisation | None) -> None:
        self._cache = cache
        self._folder = cache.with_suffix("") / fingerprint[:DIGEST_LENGTH]
        self._normalisation = normalisation

    def path(self, start: int) -> Path:
        """Where the images from ``start`` on are, once they are there."""
        return self._folder / f"{start:09d}.bin"

    def writer(self, start: int) -> PixelWriter:
        """Start to write the images from ``start`` on."""
        return PixelWriter(self.path(start), self._normalisation)

    def finish(self, images_digest: str, starts: Iterable[int]) -> None:
        """Make one cache of the files; those of other images go. Raises DatasetError where they are
        of different sizes."""
        files = {
            path.relative_to(self._cache.parent).as_posix(): _read_marker(path)
            for path in map(self.path, starts)
        }
        parts = [{"name": name, **marker} for name, marker in files.items() if marker["shape"][0]]
        for part in parts:
            _check_sizes(tuple(parts[0]["shape"][1:]), tuple(part["shape"][1:]))
        write_json(self._cache.with_suffix(".json"), {"images": images_digest, "files": parts})
        remove_file(self._cache)
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        remove_leftovers(self._folder)
        for other in self._folder.parent.iterdir():
            if other != self._folder and PART_FOLDER.fullmatch(other.name):
                storage.remove_folder(other)


def _check_sizes(before: tuple[int, ...] | None, after: tuple[int, ...]) -> None:
    if before not in {None, after}:
        raise DatasetError(
            f"The image processor gives images of different sizes ({before} and {after}). "
            "Switch its resizing or cropping on, or name another model's processor with "
            "--processor."
        )


class PixelWriter:
    """Appends batches to a file of the cache; `finish` makes it valid, `abandon` removes what was
    written."""

    def __init__(self, path: Path, normalisation: Normalisation | None) -> None:
        self._path, self._marker = path, path.with_suffix(".json")
        self._normalisation = normalisation
        self._narrow = normalisation is not None
        self._count = 0
        self._shape: tuple[int, ...] | None = None
        with storage_errors(path):
            self._temporary = temporary_path(path)
            self._blocks = BlockChecksums()
            try:
                self._file = self._temporary.open("wb")
                storage.remove(self._marker)
            except BaseException:  # a signal, too
                discard(self._temporary)
                raise

    def add(self, batch: NDArray[Any]) -> None:
        """Append the next images, in order: 8-bit levels, or float32 values where these were not
        enough."""
        if not len(batch):
            return
        shape = batch.shape[1:]
        _check_sizes(self._shape, shape)
        self._shape = shape
        if self._narrow and batch.dtype != np.uint8:
            self._widen()
        if not self._narrow and batch.dtype == np.uint8:
            assert self._normalisation is not None
            batch = to_values(batch, self._normalisation)
        with storage_errors(self._path):
            self._write(batch)
        self._count += len(batch)

    def _write(self, batch: NDArray[Any]) -> None:
        data = np.ascontiguousarray(batch).data
        self._blocks.update(data)
        self._file.write(data)

    def _widen(self) -> None:
        """From here on 8 bits are not enough: rewrite what is there as float32."""
        self._narrow = False
        self._file.close()
        narrow = self._eight_bit
        self._temporary.rename(narrow)
        self._file = self._temporary.open("wb")
        self._blocks = BlockChecksums()
        if self._count:
            assert self._shape is not None and self._normalisation is not None
            levels = np.memmap(narrow, dtype=np.uint8, mode="r", shape=(self._count, *self._shape))
            for start in range(0, self._count, WIDENED_AT_ONCE):
                some = levels[start : start + WIDENED_AT_ONCE]
                self._write(to_values(some, self._normalisation))
            del levels
        remove_file(narrow)

    @property
    def _eight_bit(self) -> Path:
        """What was written before 8 bits were not enough."""
        return self._temporary.with_name(self._temporary.name + "-8bit")

    def finish(self, images_digest: str) -> None:
        """Put the cache in its place."""
        with storage_errors(self._path):
            self._file.close()
            commit(self._temporary, self._path)
        kept = self._normalisation if self._narrow else None
        marker = {
            "images": images_digest,
            "shape": [self._count, *(self._shape or ())],
            "dtype": "uint8" if self._narrow else "float32",
            "normalisation": None if kept is None else asdict(kept),
            "blocks": self._blocks.texts,
        }
        write_json(self._marker, marker)

    def abandon(self) -> None:
        """Remove what was written."""
        discard(self._temporary, self._file)
        discard(self._eight_bit)
