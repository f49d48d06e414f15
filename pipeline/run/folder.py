"""Owns every path inside a run folder, its format version, its locks and the results stored in it.

A stage's result is a fingerprint of what it was computed from plus one ``.npy`` a checkpoint; this
module stores and finds them. It does not compute anything and knows no model, data set or table."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DamagedError, RunError
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.checksums import check, read_once
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import (
    ArrayFile,
    open_array,
    read_json,
    record_errors,
    storage_errors,
    write_json,
)
from review_embeddings.pipeline.run.info import RunInfo, derived_id, package_versions
from review_embeddings.pipeline.run.inside import is_within
from review_embeddings.pipeline.run.locks import FOREVER
from review_embeddings.pipeline.run.records import FORMAT, RecordError, as_json, record_of
from review_embeddings.pipeline.run.runlocks import BEING_WRITTEN, RESULTS_LOCK, RunLocks
from review_embeddings.pipeline.run.temporary import remove_leftovers
from review_embeddings.pipeline.text import is_number

FORMAT_VERSION = 1
"""Raised when an older version of this program could no longer read the folder."""

WEIGHTS = "model.safetensors"
"""Weights of a model in a folder, as transformers saves them."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""Tensors of an adapter in a folder, as PEFT saves them."""

CHECKPOINT_PATTERN = "checkpoint-*"
"""How Hugging Face's Trainer names the folders of its checkpoints."""

CHECKPOINT_NAME = re.compile(
    r"(checkpoint-|checkpoint_|step_|epoch_)(\d{1,18})|(checkpoint-\d{1,18}|model_best|last)\.pth\.tar"
)
"""How trainers name checkpoints that can be read: folders of the Trainer and accelerate, files of
timm."""

MODEL_FILES = (WEIGHTS, f"{WEIGHTS}.index.json", "pytorch_model.bin", "adapter_config.json")
"""Files one of which a folder with a model has."""


CURE = "Delete it and name the data set again with --dataset; what was computed is kept."
"""For a ``run.json`` that is damaged."""


@dataclass(frozen=True)
class ResultHeader:
    """What the metadata of every stage's result has in common."""

    fingerprint: str
    """Of what it was computed from."""
    arrays: dict[str, int]
    """Bytes of each of its files, by the name of the array."""
    checksums: dict[str, str] = field(default_factory=dict)
    """Of each of its files (`run.checksums`); none in results of earlier versions."""

    def checked(self) -> ResultHeader:
        """The same. Raises RecordError for a name that leads out of the run folder."""
        if not all(map(is_within, self.arrays)):
            raise RecordError("names files elsewhere", "arrays")
        return self


@dataclass(frozen=True)
class RunFolder(RunLocks):
    """One fine-tuning and everything derived from it."""

    @property
    def _cure(self) -> str:
        """Of a damaged result."""
        return f"What brings it back says: {build_command(self, '--verify')}"

    @property
    def reference(self) -> str:
        """By what any process, on any machine that sees the folder or reaches the store, finds it
        (`run_at`)."""
        return storage.address_of(self.path.resolve())

    @property
    def images(self) -> Path:
        """One row an image: id, hash, label, size, and the file itself or where it lies
        (``--in-place``)."""
        return self.path / "images.parquet"

    @property
    def skipped(self) -> Path:
        """Files that are no image of the run, each with the reason."""
        return self.path / "skipped.csv"

    @property
    def log(self) -> Path:
        """One row a logged training step: loss, learning rate, evaluation."""
        return self.path / "log.csv"

    @property
    def history(self) -> Path:
        """Epoch, loss and metrics of each checkpoint, and the Trainer's log, whenever it wrote
        them."""
        return self.path / "history.json"

    @property
    def precision(self) -> Path:
        """What half precision was found to do to a sample of the images, and what was taken."""
        return self.path / "precision.json"

    @property
    def training(self) -> Path:
        """What a training made here was asked for, so that the same can go on."""
        return self.path / "training.json"

    @property
    def trained_images(self) -> Path:
        """Hash and label of the images that a training made here learns from."""
        return self.path / "trained_images.parquet"

    @property
    def resume(self) -> Path:
        """The newest full state of a training made here: optimizer, schedule, random states."""
        return self.path / "resume"

    def checkpoint(self, step: int) -> Path:
        """The folder of a checkpoint that was made here."""
        return self.path / f"checkpoint-{step}"

    @property
    def torn_decisions(self) -> Path:
        """Last lines of the decisions that a crash has cut off."""
        return self.path / "decisions.torn"

    def moved_decisions(self, name: str) -> Path:
        """Lines that were moved out of `decisions`."""
        return self.path / f"decisions-{name}.jsonl"

    @property
    def port(self) -> Path:
        """Where the run is served to whom; may be deleted."""
        return self.path / "port.json"

    @property
    def exports(self) -> Path:
        """Lists, pages and films made from the run."""
        return self.path / "exports"

    @property
    def cache(self) -> Path:
        """Preprocessed images. May be deleted at any time; what is missing is made again."""
        return self.path / "cache"

    @property
    def shards(self) -> Path:
        """Parts of results that several machines are working on."""
        return self.path / "shards"

    @property
    def vectors(self) -> Path:
        """Embeddings in a vector database of their own. May be deleted at any time; `index` makes
        it again."""
        return self.path / "milvus.db"

    @property
    def vectors_reference(self) -> Path:
        """Which collection of which database the run is indexed in."""
        return self.path / "milvus.json"

    @property
    def table(self) -> Path:
        """The long table: a Parquet file a checkpoint, and one about the images."""
        return self.path / "table"

    @property
    def table_manifest(self) -> Path:
        """Which of these files count, and what is known of each map."""
        return self.table / "manifest.json"

    def checkpoint_root(self, info: RunInfo) -> Path:
        """Folder that holds the ``checkpoint-<step>`` folders."""
        return (
            storage.here(info.checkpoints)
            if storage.is_address(info.checkpoints)
            else (self.path / info.checkpoints).resolve()
        )

    def array(self, name: str, step: int) -> Path:
        """Path of a stage's array for one checkpoint, such as ``embeddings/000020.npy``."""
        return self.path / name / f"{step:06d}.npy"

    # -- run.json

    def read_info(self) -> RunInfo | None:
        """Read ``run.json``; None where there is none. Raises RunError for a newer format or an
        unreadable file."""
        if not self.run_json.is_file():
            return None
        content = read_json(self.run_json, cure=CURE, known_format=FORMAT_VERSION, shared=True)
        if FORMAT not in content:
            raise RunError(
                f"{self.run_json} has no {FORMAT}; it is not a run of review-embeddings. Use "
                f"another --run."
            )
        if isinstance(dataset := content.get("dataset"), dict):
            dataset.setdefault("reading", 1)  # of runs from before there were others
        with record_errors(self.run_json, cure=CURE):
            return record_of(RunInfo, content, known_format=FORMAT_VERSION).checked()

    def write_info(self, info: RunInfo) -> None:
        """Write ``run.json``, with the versions of the packages in use now; the run keeps its id
        and the classes that people added."""
        with self.info_lock():
            known = self.read_info() or info
            info = replace(info, id=info.id or self._id(), new_classes=known.new_classes)
            self._write_info(replace(info, packages=package_versions()))

    def add_class(self, name: str) -> RunInfo:
        """Keep a class that the data set does not have; all else in ``run.json`` stays. Raises
        RunError where there is none."""
        with self.info_lock():
            info = self.read_info()
            if info is None:
                raise RunError(f"{self} has no run.json. Run: {build_command(self)}")
            if name not in info.new_classes:
                added = (*info.new_classes, name)
                info = replace(info, id=info.id or self._id(), new_classes=added)
                self._write_info(info)
            return info

    def write_id(self, identity: str) -> RunInfo:
        """Give a run of an earlier version its id; all else in ``run.json`` stays."""
        with self.info_lock():
            info = self.read_info()
            assert info is not None
            info = replace(info, id=identity)
            self._write_info(info)
        return info

    def _write_info(self, info: RunInfo) -> None:
        write_json(self.run_json, {FORMAT: FORMAT_VERSION, **as_json(info)})

    def _id(self) -> str:
        """The id of the run; a new one where it was not written yet."""
        known = self.read_info()
        if known is None:
            return secrets.token_hex(16)
        return known.id or derived_id(known)

    # -- results of stages

    def result_metadata(self, stage: str, step: int) -> dict[str, Any] | None:
        """What was written beside a stage's array for this checkpoint; None where there is no
        complete result. Raises RunError for an unreadable file and one of a newer format."""
        path = self.array(stage, step).with_suffix(".json")
        if not path.is_file():
            return None
        content, arrays = read_once(path, _read_result)
        sizes = {name: storage.size_of(self.array(name, step)) for name in arrays}
        return dict(content) if arrays and sizes == arrays else None

    def is_current(self, stage: str, step: int, fingerprint: str) -> bool:
        """Whether the stage has a result for this checkpoint that was computed from the same
        input."""
        metadata = self.result_metadata(stage, step)
        return metadata is not None and metadata["fingerprint"] == fingerprint

    def steps_with(self, stage: str) -> list[int]:
        """Steps for which the stage has a complete result, ascending."""
        steps = (
            int(path.stem) for path in (self.path / stage).glob("*.json") if is_number(path.stem)
        )
        return sorted(step for step in steps if self.result_metadata(stage, step) is not None)

    def read_array(self, name: str, step: int) -> NDArray[Any]:
        """The stored array as a read-only memory map. Raises DamagedError."""
        path, cure = storage.fetched(self.array(name, step)), self._cure
        stored = _stored_checksum(self, name, step)
        try:
            check(path, stored, cure)
        except DamagedError:
            if _stored_checksum(self, name, step) == stored:
                raise
            return self.read_array(name, step)  # it was written anew meanwhile
        return open_array(path, cure)

    @contextmanager
    def writing(
        self, step: int, fingerprint: str, specs: Mapping[str, tuple[tuple[int, ...], Any]]
    ) -> Iterator[ResultWriter]:
        """Write the arrays of one stage for one checkpoint, row after row.

        ``specs`` gives name, shape and dtype of each array; the first name is the stage's. The
        arrays appear when the context is left without an error, the file with the fingerprint last:
        what a kill leaves behind counts as absent.
        """
        stage = next(iter(specs))
        marker = self.array(stage, step).with_suffix(".json")
        with storage_errors(self.path):
            storage.remove(marker)
            files = {name: ArrayFile(self.array(name, step), *spec) for name, spec in specs.items()}
            try:
                writer = ResultWriter(files)
                yield writer
                for file in files.values():
                    file.commit()
                header = ResultHeader(
                    fingerprint=writer.fingerprint or fingerprint,
                    arrays={name: self.array(name, step).stat().st_size for name in specs},
                    checksums={name: file.checksum for name, file in files.items()},
                )
                write_json(marker, {**asdict(header), **writer.metadata})
            finally:
                for file in files.values():
                    file.discard()

    def write_arrays(
        self,
        step: int,
        fingerprint: str,
        arrays: Mapping[str, NDArray[Any]],
        metadata: Mapping[str, Any],
    ) -> None:
        """Write finished arrays of one stage for one checkpoint; the first name is the stage's."""
        specs = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        with self.writing(step, fingerprint, specs) as writer:
            for name, array in arrays.items():
                writer.append(name, array)
            writer.metadata.update(metadata)

    # -- one writer

    @contextmanager
    def lock(self, *, wait: bool = False) -> Iterator[None]:
        """Be the only process that writes results to this run; a killed process leaves no lock
        behind.

        With ``wait``, until another process has finished. Raises BusyError where another process is
        writing, StorageError where the folder cannot be written to.
        """
        with self.locked(RESULTS_LOCK, BEING_WRITTEN, seconds=FOREVER if wait else 0):
            self._remove_leftovers()
            yield

    def _remove_leftovers(self) -> None:
        """Delete the temporary files that a killed process left behind, also in the folders that
        hold folders of ours."""
        deep = [*self.shards.glob("*"), *self.cache.glob("*"), *self.cache.glob("*/*")]
        for folder in (self.path, *self.path.iterdir(), *deep, *self.exports.glob("*")):
            if folder.is_dir() and not folder.is_symlink():
                remove_leftovers(folder)


def _read_result(path: Path) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """What was written beside arrays, and the bytes of each of them: none where it is no result."""
    content = read_json(path)
    try:
        return content, record_of(ResultHeader, content).checked().arrays
    except RecordError:
        return content, {}


def _stored_checksum(run: RunFolder, name: str, step: int) -> str | None:
    """Of an array, as the metadata of the stage that has it says; None for none."""
    own = run.array(name, step).with_suffix(".json")
    for marker in [own] if own.is_file() else run.path.glob(f"*/{own.name}"):
        checksums = read_json(marker).get("checksums")
        if isinstance(checksums, dict) and name in checksums:
            return str(checksums[name])
    return None


@dataclass
class ResultWriter:
    """The arrays of one stage while they are written, and what is to be kept beside them."""

    files: dict[str, ArrayFile]
    metadata: dict[str, Any] = field(default_factory=dict)
    """Anything JSON can hold."""
    fingerprint: str = ""
    """In place of the one that writing began with, where it is known only in the end."""

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Add the next rows of one of the arrays."""
        self.files[name].append(rows)


def run_at(name: str | os.PathLike[str]) -> RunFolder:
    """The run at a path or the address of a store, such as ``s3://bucket/runs/new``. Raises
    SettingsError, StorageError."""
    return RunFolder(storage.opened(os.fspath(name)))


def find_run(start: Path) -> RunFolder | None:
    """The run in the folder ``start`` itself, or the one under ``start/runs`` that was written to
    last; None without any."""
    if is_run(start):
        return RunFolder(start)
    children = [child for child in start.glob("runs/*") if child.is_dir() and is_run(child)]
    return RunFolder(max(children, key=lambda child: child.stat().st_mtime)) if children else None


def is_run(folder: Path) -> bool:
    """Whether the folder holds a run of ours, checkpoints of a trainer or a model."""
    if any((folder / name).is_file() for name in ("run.json", *MODEL_FILES, ADAPTER_WEIGHTS)):
        return True
    try:
        return any(CHECKPOINT_NAME.fullmatch(child.name) for child in folder.iterdir())
    except OSError as error:  # no folder, or none that may be read
        raise_unavailable(error, folder)
        return False


def reference_to(path: Path, run: RunFolder) -> str:
    """A path as ``run.json`` keeps it: relative where it lies inside the run folder, absolute (or
    an address) elsewhere."""
    path, root = path.resolve(), run.path.resolve()
    return (
        path.relative_to(root).as_posix() if path.is_relative_to(root) else storage.address_of(path)
    )
