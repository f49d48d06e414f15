"""Where the long work of a run is done: in this process, or in shards on a Ray cluster whose machines all see the run folder.

A shard's result is a file in the run folder, written whole. What is there is not computed again, whoever was killed: a worker, a machine or
the program itself. Ray does the scheduling and starts lost shards again elsewhere. Results are the same as those of one process.
"""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.checkpoints import Checkpoint
from pipeline.embed import EncodedBatch, encode_all
from pipeline.errors import ReviewError, SettingsError
from pipeline.loader import EncoderLoader
from pipeline.neighbors import Neighbors, metric_for, nearest_neighbors, nearest_of_rows
from pipeline.network import listens
from pipeline.pixels import PixelCache, Pixels
from pipeline.progress import Progress
from pipeline.runfolder import RunFolder, whole_file

ENGINES = ("local", "ray")

SHARD = 1024
"""Images of a shard: a multiple of every batch size, so that batches are those of one process."""

SEARCH_SHARD = 4096
"""Images whose neighbours are found as one shard: much more work than to read all embeddings, which each shard does."""


@dataclass(frozen=True)
class Encoding:
    """One checkpoint with which all images are to be embedded."""

    run: Path
    checkpoint: Checkpoint
    pooling: str
    precision: str
    with_head: bool
    pixels: str
    """Digest of the prepared images: which cache they are in."""
    images: str
    """Digest of the images themselves."""
    device: str | None
    batch_size: int | None

    @property
    def name(self) -> str:
        """For people."""
        return f"Checkpoint {self.checkpoint.step}"

    def open_pixels(self) -> Pixels:
        """The prepared images, which must be there."""
        pixels = PixelCache(RunFolder(self.run), None, self.pixels).open(self.images)
        assert pixels is not None
        return pixels


class Engine(Protocol):
    """Does what takes long."""

    def encode(self, encoding: Encoding, fingerprint: str, following: Checkpoint | None) -> Iterator[EncodedBatch]:
        """Embed all images, in order; ``following`` is the checkpoint that comes next."""

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """`nearest_neighbors` of a checkpoint's embeddings."""

    def close(self) -> None:
        """Let go of what it holds."""


class Local:
    """This process."""

    def __init__(self, device: str | None) -> None:
        self.loader = EncoderLoader(device)
        self._device = device

    def encode(self, encoding: Encoding, fingerprint: str, following: Checkpoint | None) -> Iterator[EncodedBatch]:
        """As `Engine` says."""
        encoder = self.loader.encoder(
            encoding.checkpoint, pooling=encoding.pooling, precision=encoding.precision, with_head=encoding.with_head
        )
        if following is not None:
            self.loader.read_ahead(following)
        return encode_all(encoder, encoding.open_pixels(), batch_size=encoding.batch_size, name=encoding.name)

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """As `Engine` says."""
        return nearest_neighbors(run.read_array("embeddings", step), k, device=self._device)

    def close(self) -> None:
        """As `Engine` says."""
        self.loader.close()


class OnRay:
    """A Ray cluster, or the cores of this machine where none is named."""

    def __init__(self, address: str | None, progress: Progress) -> None:
        """Raises SettingsError where Ray is not installed or there is no cluster."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray advises to set, in each process, with a warning
        try:
            import ray
        except ImportError as error:
            raise SettingsError("--engine ray needs Ray, which is not installed. Run: pip install 'review-embeddings[ray]'") from error
        if address not in {None, "auto", "local"} and not listens(str(address), port=6379, seconds=5.0):  # Ray would try for minutes
            raise SettingsError(
                f"There is no Ray cluster at {address}: nobody answers there. Start one with `ray start --head`, or leave --address out "
                "for the cores of this machine."
            )
        self._progress = progress
        self._started = not ray.is_initialized()
        if self._started:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                where = f"at {address}" if address else "on this machine"
                raise SettingsError(
                    f"There is no Ray cluster {where} ({str(error).splitlines()[0][:200]}). Start one with `ray start --head`, or leave "
                    "--address out for the cores of this machine."
                ) from error
        self._nodes: set[str] = set()
        self._look_at_nodes()

    def encode(self, encoding: Encoding, fingerprint: str, following: Checkpoint | None) -> Iterator[EncodedBatch]:
        """As `Engine` says."""
        shards = _Shards(RunFolder(encoding.run), fingerprint, len(encoding.open_pixels()), SHARD)
        self._run(f"Embedding with checkpoint {encoding.checkpoint.step}", _encode_shard, encoding, shards, "embeddings")
        for part in shards:
            likely = shards.path(part, "probabilities")
            yield EncodedBatch(np.load(shards.path(part, "embeddings")), np.load(likely) if likely.is_file() else None)
        shards.remove()

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """As `Engine` says."""
        shards = _Shards(run, fingerprint, len(run.read_array("embeddings", step)), SEARCH_SHARD)
        self._run(f"Neighbours at checkpoint {step}", _search_shard, (run.array("embeddings", step), k), shards, "indices")
        found = [[np.load(shards.path(part, name)) for part in shards] for name in ("indices", "distances")]
        shards.remove()
        metric = metric_for(run.read_array("embeddings", step).shape[1])
        return Neighbors(np.concatenate(found[0]), np.concatenate(found[1]), metric)

    def close(self) -> None:
        """As `Engine` says."""
        import ray

        if self._started:
            ray.shutdown()

    def _run(self, title: str, work: Callable[..., str], about: Any, shards: _Shards, last: str) -> None:
        """Have every shard done that is not there yet; ``last`` names the file that is written last of each."""
        import ray

        missing = [part for part in shards if not shards.path(part, last).is_file()]
        resources = ray.cluster_resources()
        gpu = {"num_gpus": 1} if resources.get("GPU") else {"num_cpus": 1}
        task = ray.remote(max_retries=-1, **gpu)(work)
        shared = ray.put(about)
        workers = max(1, int(resources.get("GPU") or resources.get("CPU") or 1))
        waiting = iter(missing)
        running: dict[Any, tuple[int, int]] = {}
        with self._progress.stage(f"{title}, {workers} at a time", total=shards.total, unit="images") as advance:
            advance(shards.total - sum(stop - start for start, stop in missing))
            try:
                while True:
                    for part in itertools.islice(waiting, 2 * workers - len(running)):
                        running[task.remote(shared, part, shards)] = part
                    if not running:
                        return
                    done, _ = ray.wait(list(running), num_returns=1, timeout=5.0)
                    self._look_at_nodes()
                    for one in done:
                        start, stop = running.pop(one)
                        try:
                            ray.get(one)
                        except ray.exceptions.RayTaskError as error:
                            if isinstance(error.cause, ReviewError):
                                raise error.cause from error
                            raise
                        advance(stop - start)
            finally:  # whoever stops this does not want the rest
                for one in running:
                    ray.cancel(one, force=True)

    def _look_at_nodes(self) -> None:
        """Say when a machine has gone or come."""
        import ray

        alive = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        gone, new = self._nodes - set(alive), set(alive) - self._nodes
        if gone:
            self._progress.note(f"{len(gone)} of {len(self._nodes)} Ray nodes has gone: its shards are done again by the others")
        elif new and self._nodes:
            self._progress.note(f"{len(new)} more Ray nodes are there: {len(alive)} in all")
        self._nodes = set(alive)


@dataclass(frozen=True)
class _Shards:
    """Parts of an array, each with files of its own until all are there."""

    run: RunFolder
    fingerprint: str
    total: int
    size: int

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((start, min(start + self.size, self.total)) for start in range(0, self.total, self.size))

    def path(self, part: tuple[int, int], name: str) -> Path:
        """Where a shard's array is."""
        return self.run.shards / self.fingerprint / f"{part[0]:09d}-{name}.npy"

    def write(self, part: tuple[int, int], arrays: Sequence[tuple[str, NDArray[Any]]]) -> None:
        """Keep a shard's arrays, the last one as the sign that all are there."""
        for name, array in arrays:
            with whole_file(self.path(part, name)) as temporary, temporary.open("wb") as file:
                np.save(file, array)

    def remove(self) -> None:
        """Let all of them go: they are part of a whole now."""
        shutil.rmtree(self.run.shards / self.fingerprint, ignore_errors=True)


_loader: EncoderLoader | None = None
"""Of a worker's process, which Ray uses for one shard after the other: a checkpoint is loaded once."""


def _encode_shard(encoding: Encoding, part: tuple[int, int], shards: _Shards) -> str:
    global _loader
    if _loader is None:
        _loader = EncoderLoader(encoding.device)
    encoder = _loader.encoder(encoding.checkpoint, pooling=encoding.pooling, precision=encoding.precision, with_head=encoding.with_head)
    whole = encoding.open_pixels()
    pixels = Pixels(whole.array[slice(*part)], whole.normalisation)
    batches = list(encode_all(encoder, pixels, batch_size=encoding.batch_size, name=encoding.name))
    arrays = [("embeddings", np.concatenate([batch.embeddings for batch in batches]))]
    likely = [batch.probabilities for batch in batches if batch.probabilities is not None]
    shards.write(part, [*([("probabilities", np.concatenate(likely))] if likely else []), *arrays])
    return os.uname().nodename


def _search_shard(about: tuple[Path, int], part: tuple[int, int], shards: _Shards) -> str:
    path, k = about
    found = nearest_of_rows(np.load(path, mmap_mode="r"), *part, k)
    shards.write(part, [("distances", found.distances), ("indices", found.indices)])
    return os.uname().nodename
