"""Owns every path inside a run folder, its format version, and how files get there: whole or not at
all.

A stage's result is a fingerprint of what it was computed from plus one ``.npy`` a checkpoint; this
module stores and finds them. It does not compute anything and knows no model, data set or table.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import storage
from pipeline.errors import BusyError, RunError, StorageError
from pipeline.temporary import remove_leftovers, temporary_path

FORMAT_VERSION = 1
"""Raised when an older version of this program could no longer read the folder."""

WEIGHTS = "model.safetensors"
"""Weights of a model in a folder, as transformers saves them."""

NOTHING = "none"
"""What a person says to take back a base model, an image processor or a label column named
before."""

TRAINING_LOCK_SECONDS = 2.0
"""How long a training waits for its lock, which others take for a moment to see whether there is a
training."""

CHECKPOINT_PATTERN = "checkpoint-*"
"""How Hugging Face's Trainer names the folders of its checkpoints."""


@dataclass(frozen=True)
class DatasetReference:
    """Where the images of a run come from and which of them it holds."""

    source: str
    """Hub name, or the path of a folder or file."""
    config: str | None = None
    """Configuration (subset) of the data set."""
    revision: str | None = None
    """Revision of a data set on the Hub."""
    split: str | None = None
    """Split; None until the data set was opened, then the one in use."""
    image_column: str | None = None
    """Column of the images; None until the data set was opened."""
    label_column: str | None = None
    """Column of the labels; None for unlabelled data, ``none`` where labels are not to be used."""
    limit: int | None = None
    """At most so many images, a seeded sample balanced over the classes; None for all."""
    seed: int = 0
    """Seed of that sample."""
    in_place: bool = False
    """Whether the images stay where they are; otherwise the run folder has a copy of them."""


@dataclass(frozen=True)
class Settings:
    """Everything else that changes the result."""

    pooling: str = "auto"
    """``auto``, ``cls``, ``pooled`` or ``mean``."""
    precision: str = "auto"
    """``auto``, ``fp32``, ``bf16`` or ``fp16``: the arithmetic of the forward pass; ``auto`` is one
    of the last and the first."""
    processor: str | None = None
    """Model folder or Hub name whose image processor is used instead of the checkpoint's own."""
    align_to: str = "last"
    """``last``, ``first`` or ``previous``: the checkpoint onto which the others are aligned."""
    scaling: str = "each"
    """``each`` checkpoint has a scale of its own, or all have a ``common`` one."""
    map: str = "pca"
    """``pca``, ``shared-pca``, ``umap`` or ``aligned-umap``: how the embeddings come into the
    plane."""
    against: str | None = None
    """Another split of the data set in which the images are looked for, such as that of the
    training."""
    cross_validate: int = 0
    """Folds in which labels are judged by classifiers on the embeddings that were not shown them; 0
    for the checkpoints' own heads."""
    image_quality: bool = False
    """Whether the pictures themselves are looked at: dark, blurry and so on."""


@dataclass(frozen=True)
class RunInfo:
    """The contents of ``run.json``."""

    dataset: DatasetReference
    """Where the images come from."""
    classes: list[str] | None = None
    """Names of the classes in the order of the data set; None where it has no labels."""
    checkpoints: str = "."
    """Folder of the checkpoints, relative to the run folder where it lies inside it."""
    base: str | None = None
    """The model before fine-tuning, shown as step 0; None where the run has no such model."""
    settings: Settings = field(default_factory=Settings)
    """Settings that change the result."""
    packages: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that made the run folder."""


@dataclass(frozen=True)
class RunFolder:
    """One fine-tuning and everything derived from it."""

    path: Path

    def __str__(self) -> str:
        """What people call it: the path, or the address of the store that it is a copy of."""
        return storage.address_of(self.path)

    @property
    def reference(self) -> str:
        """By what any process, on any machine that sees the folder or reaches the store, finds it
        (`run_at`)."""
        return storage.address_of(self.path.resolve())

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def images(self) -> Path:
        return self.path / "images.parquet"

    @property
    def skipped(self) -> Path:
        return self.path / "skipped.csv"

    @property
    def log(self) -> Path:
        """One row a logged training step, where the fine-tuning was made here."""
        return self.path / "log.csv"

    @property
    def training(self) -> Path:
        """What the fine-tuning was asked for, where it was made here."""
        return self.path / "training.json"

    @property
    def resume(self) -> Path:
        """Holds the newest full state of the training, as a ``checkpoint-<step>`` folder."""
        return self.path / "resume"

    def checkpoint(self, step: int) -> Path:
        """The folder of a checkpoint that was made here."""
        return self.path / f"checkpoint-{step}"

    @property
    def decisions(self) -> Path:
        """What people said about the images; only ever added to."""
        return self.path / "decisions.jsonl"

    @property
    def torn_decisions(self) -> Path:
        """Last lines of it that a crash has cut off."""
        return self.path / "decisions.torn"

    @property
    def exports(self) -> Path:
        """Lists and animations made from the run."""
        return self.path / "exports"

    @property
    def cache(self) -> Path:
        """Prepared pixels. May be deleted at any time; what is missing is made again."""
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
        return self.path / "table"

    @property
    def table_manifest(self) -> Path:
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
        content = read_json(
            self.run_json,
            cure="Delete it and name the data set again with --dataset; what was computed is kept.",
        )
        version = content.get("format_version")
        if not isinstance(version, int):
            raise RunError(
                f"{self.run_json} has no format_version; it is not a run of review-embeddings. Use "
                f"another --run."
            )
        if version > FORMAT_VERSION:
            raise RunError(
                f"Run {self} has format {version}; this version of review-embeddings reads up to "
                f"{FORMAT_VERSION}. "
                "Upgrade it: pip install -U review-embeddings"
            )
        try:
            return RunInfo(
                dataset=DatasetReference(**content["dataset"]),
                classes=content["classes"],
                checkpoints=content["checkpoints"],
                base=content["base"],
                settings=Settings(**content["settings"]),
                packages=content["packages"],
            )
        except (KeyError, TypeError) as error:
            raise RunError(
                f"{self.run_json} is damaged ({error}). Delete it and name the data set again with "
                f"--dataset."
            ) from error

    def write_info(self, info: RunInfo) -> None:
        """Write ``run.json``, with the versions of the packages in use now."""
        info = replace(info, packages=package_versions())
        write_json(self.run_json, {"format_version": FORMAT_VERSION, **asdict(info)})

    # -- results of stages

    def result_facts(self, stage: str, step: int) -> dict[str, Any] | None:
        """What was written beside a stage's array for this checkpoint; None where there is no
        complete result."""
        path = self.array(stage, step).with_suffix(".json")
        if not path.is_file():
            return None
        facts = read_json(path)
        sizes = {name: storage.size_of(self.array(name, step)) for name in facts["arrays"]}
        return facts if sizes == facts["arrays"] else None

    def is_current(self, stage: str, step: int, fingerprint: str) -> bool:
        """Whether the stage has a result for this checkpoint that was computed from the same
        input."""
        facts = self.result_facts(stage, step)
        return facts is not None and facts["fingerprint"] == fingerprint

    def steps_with(self, stage: str) -> list[int]:
        """Steps for which the stage has a complete result, ascending."""
        steps = (
            int(path.stem) for path in (self.path / stage).glob("*.json") if path.stem.isdigit()
        )
        return sorted(step for step in steps if self.result_facts(stage, step) is not None)

    def read_array(self, name: str, step: int) -> NDArray[Any]:
        """The stored array as a read-only memory map."""
        array: NDArray[Any] = np.load(
            storage.fetched(self.array(name, step)), mmap_mode="r", allow_pickle=False
        )
        return array

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
                sizes = {name: self.array(name, step).stat().st_size for name in specs}
                write_json(marker, {"fingerprint": fingerprint, "arrays": sizes, **writer.facts})
            finally:
                for file in files.values():
                    file.discard()

    def write_arrays(
        self,
        step: int,
        fingerprint: str,
        arrays: Mapping[str, NDArray[Any]],
        facts: Mapping[str, Any],
    ) -> None:
        """Write finished arrays of one stage for one checkpoint; the first name is the stage's."""
        specs = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        with self.writing(step, fingerprint, specs) as writer:
            for name, array in arrays.items():
                writer.append(name, array)
            writer.facts.update(facts)

    # -- one writer

    @contextmanager
    def lock(self, *, wait: bool = False) -> Iterator[None]:
        """Be the only process that writes results to this run; a killed process leaves no lock
        behind.

        With ``wait``, until another process has finished. Raises BusyError where another process is
        writing, StorageError where the folder cannot be written to.
        """
        with self._locked(
            ".lock", "being written by another review-embeddings", timeout=-1 if wait else 0
        ):
            self._remove_leftovers()
            yield

    @contextmanager
    def embedding_lock(self) -> Iterator[None]:
        """Be the only process that embeds; scores and tables may meanwhile be written by others.
        Raises as `lock` does."""
        with self._locked(
            ".embedding.lock",
            "being embedded by another process, perhaps the training itself",
            timeout=0,
        ):
            yield

    @contextmanager
    def decision_lock(self) -> Iterator[None]:
        """Be the only process that decides about the images. Raises as `lock` does."""
        with self._locked(
            ".decisions.lock", "open in another review, which decides about its images", timeout=0
        ):
            yield

    @contextmanager
    def training_lock(self) -> Iterator[None]:
        """Be the only process that trains into this run; others may meanwhile write results. Raises
        as `lock` does."""
        with self._locked(
            ".training.lock",
            "already being trained into by another process",
            timeout=TRAINING_LOCK_SECONDS,
        ):
            yield

    def is_trained_into(self) -> bool:
        """Whether a process trains into this run right now."""
        if not self.path.is_dir():
            return False
        try:
            with self._locked(".training.lock", "being trained into", timeout=0):
                return False
        except StorageError:
            return True

    @contextmanager
    def _locked(self, name: str, what: str, timeout: float) -> Iterator[None]:
        import filelock

        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / name)
            try:
                lock.acquire(timeout=timeout)
            except filelock.Timeout as error:
                raise BusyError(
                    f"Run {self} is {what}. Wait until it has finished, or stop it."
                ) from error
        try:
            with storage.held(self.path / name, what):
                storage.renew(self.path)
                yield
        finally:
            lock.release()

    def _remove_leftovers(self) -> None:
        """Delete the temporary files that a killed process left behind."""
        for folder in (self.path, *(child for child in self.path.iterdir() if child.is_dir())):
            remove_leftovers(folder)


@dataclass
class ResultWriter:
    """The arrays of one stage while they are written, and what is to be kept beside them."""

    files: dict[str, ArrayFile]
    facts: dict[str, Any] = field(default_factory=dict)
    """Anything JSON can hold."""

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Add the next rows of one of the arrays."""
        self.files[name].append(rows)


class ArrayFile:
    """An ``.npy`` file that is written row after row under a temporary name.

    Not a memory map: on a full disk a write to a map kills the process, a write to a file raises an
    error.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self._path = path
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._rows = 0
        self._temporary = temporary_path(path)
        self._file = self._temporary.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; their shape after the first axis must be the array's."""
        if rows.shape[1:] != self._shape[1:]:
            raise ValueError(
                f"Rows of shape {rows.shape[1:]} do not fit an array of {self._shape[1:]}."
            )
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._rows += len(rows)

    def commit(self) -> None:
        """Put the file in its place; every row must have been written."""
        self._file.close()
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._path} got {self._rows} of its {self._shape[0]} rows.")
        commit(self._temporary, self._path)

    def discard(self) -> None:
        """Remove what was not committed."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


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
    """Whether the folder holds a run of ours, checkpoints of the Trainer or a model."""
    return any((folder / name).is_file() for name in ("run.json", WEIGHTS)) or any(
        folder.glob(CHECKPOINT_PATTERN)
    )


def reference_to(path: Path, run: RunFolder) -> str:
    """A path as ``run.json`` keeps it: relative where it lies inside the run folder, absolute (or
    an address) elsewhere."""
    path, root = path.resolve(), run.path.resolve()
    return (
        path.relative_to(root).as_posix() if path.is_relative_to(root) else storage.address_of(path)
    )


# -- fingerprints and files


def fingerprint(**parts: Any) -> str:
    """SHA-256 (hex, 32 digits) of named values; changes when one of them does."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def commit(temporary: Path, path: Path) -> None:
    """Put a finished file in its place: on disk first, then in the store if there is one, then
    renamed over what was there."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    with storage.putting(temporary, path):
        temporary.replace(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of ``path`` when the context is left
    without an error."""
    with storage_errors(path):
        temporary = temporary_path(path)
        try:
            yield temporary
            commit(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all, the same bytes for the same content."""
    with whole_file(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_json(
    path: Path, *, cure: str = "Delete it; what it held is made again."
) -> dict[str, Any]:
    """Read a JSON object. Raises RunError, with the ``cure``, where the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}). {cure}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds no JSON object. {cure}")
    return content


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageError(
                f"The disk is full while writing {path}. Free some space and start the same "
                f"command again."
            ) from error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise StorageError(
                f"{path} cannot be written to ({error.strerror}). Use a place of your own with "
                f"--out or --run "
                "(--run NEW --checkpoints FOLDER reviews checkpoints that lie elsewhere)."
            ) from error
        if error.errno in {
            errno.ENOTDIR,
            errno.EEXIST,
            errno.EISDIR,
            errno.ENOENT,
        }:  # the last one from places such as /proc
            raise StorageError(
                f"{path} cannot be written to ({error.strerror}: {error.filename}). Use another "
                f"path."
            ) from error
        raise


def package_versions() -> dict[str, str]:
    """Versions of the packages whose results the run folder holds."""
    from importlib import metadata

    names = (
        "review-embeddings",
        "torch",
        "transformers",
        "datasets",
        "cleanlab",
        "scikit-learn",
        "scipy",
        "numpy",
        "pillow",
    )
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions
