"""Where the long work of a run is done: in this process, or in shards on a Ray cluster whose
machines all see the run folder.

A shard's result is a file in the run folder, written whole. What is there is not computed again,
whoever was killed: a worker, a machine or the program itself. Only those of the PCA, which take a
moment, are sent back instead. Ray decides who does which shard; one that is lost is done again
elsewhere. Results are the same as those of one process."""

from __future__ import annotations

import functools
import logging
import operator
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.neighbors import (
    Neighbors,
    metric_for,
    nearest_neighbors,
    nearest_of_rows,
)
from review_embeddings.pipeline.analysis.project import Moments, Plane, Projection, is_tall, project
from review_embeddings.pipeline.errors import ClusterError, ReviewError, SettingsError, reason_of
from review_embeddings.pipeline.images.inplace import read_cells
from review_embeddings.pipeline.images.pixels import PixelCache, PixelParts, Pixels
from review_embeddings.pipeline.images.reading import ImageFacts, SkippedImage, read_all
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encode import EncodedBatch, encode_all
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.network import listens
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.settings import ENGINES
from review_embeddings.pipeline.threads import worker_count

if TYPE_CHECKING:
    import pyarrow


SHARD = 1024
"""Images of a shard: a multiple of every batch size, so that batches are those of one process."""

FOUND = (*(field.name for field in fields(ImageFacts)), "reason")
"""What is found out about an image, and why it cannot be read."""

SEARCH_SHARD = 4096
"""Images whose neighbours are found as one shard: much more work than to read all embeddings, which
each shard does."""

PCA_SHARD = 16_384
"""Images whose second moments are summed as one shard: the D x D numbers that it sends back are few
beside those it reads."""

ATTEMPTS = 5
"""Times a shard is given to a worker: it may be what kills it."""

NODE_DIGITS = 8
"""Of the id of a Ray node, by which those of one machine are told apart."""

Part = tuple[int, int]
"""First image of a shard, and the one after its last."""

T = TypeVar("T")


@dataclass(frozen=True)
class Encoding:
    """One checkpoint with which all images are to be embedded."""

    run: str
    """`RunFolder.reference`."""
    checkpoint: Checkpoint
    """Named so that every machine finds its files (`pipeline.storage.for_all`)."""
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
        pixels = PixelCache(_run_of(self.run, self.images), None, self.pixels).open(self.images)
        if pixels is None:
            raise ClusterError(
                f"The prepared images of {self.run} are not on {os.uname().nodename}. Leave the "
                f"images in place (--in-place), or put the "
                "run into a folder that all machines see."
            )
        return pixels

    @property
    def found(self) -> Checkpoint:
        """The checkpoint, its files named as this process finds them."""
        return replace(self.checkpoint, source=storage.for_here(self.checkpoint.source))


@dataclass(frozen=True)
class Reading:
    """Images that are to be read where they lie, and prepared."""

    run: str
    """`RunFolder.reference`."""
    places: pyarrow.Table
    """`pipeline.inplace.places_schema` and the columns ``image_id`` and ``label``."""
    column: str
    """Of the images, in Parquet files."""
    root: Path
    """The data set's folder."""
    processors: tuple[str, ...]
    """Where the image processor is, in the first of these that has one; empty for none: nothing is
    prepared."""
    pixels: str
    """Digest of the image processor: to which cache they go."""
    fingerprint: str
    """Of all this."""

    @property
    def shards(self) -> _Shards:
        """What is found out about the images."""
        return _Shards(self.run, self.fingerprint, len(self.places), SHARD)

    @property
    def parts(self) -> PixelParts | None:
        """Where the prepared images go."""
        cache = self.cache
        return cache.parts(self.fingerprint) if cache else None

    @property
    def cache(self) -> PixelCache | None:
        """What prepares them; None where nothing does."""
        return (
            _cache_of(_run_of(self.run, self.fingerprint), self.processors, self.pixels)
            if self.processors
            else None
        )

    def again(self) -> None:
        """Let shards count as missing whose prepared images were deleted since."""
        parts = self.parts
        for part in self.shards:
            if parts and not storage.exists(parts.path(part[0]).with_suffix(".json")):
                storage.remove(self.shards.path(part, "images"))

    def found(self, part: tuple[int, int]) -> list[ImageFacts | SkippedImage]:
        """What was found out about the images of a shard."""
        rows = self.shards.read(part, "images").tolist()
        return [
            SkippedImage(row[0], row[2], row[-1]) if row[-1] else ImageFacts(*row[:-1])
            for row in rows
        ]

    def finish(self, images_digest: str) -> None:
        """Make the prepared images the run's, and let go of what was found out: that is written
        elsewhere now."""
        if self.parts:
            self.parts.finish(images_digest, (start for start, _ in self.shards))
        self.shards.remove()


class Engine(Protocol):
    """Does what takes long."""

    def read(self, reading: Reading) -> Iterator[list[ImageFacts | SkippedImage]]:
        """Read, decode and prepare images, some at a time and in order."""

    def encode(
        self, encoding: Encoding, fingerprint: str, following: Checkpoint | None
    ) -> Iterator[EncodedBatch]:
        """Embed all images, in order; ``following`` is the checkpoint that comes next."""

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """`nearest_neighbors` of a checkpoint's embeddings."""

    def projection(self, run: RunFolder, step: int) -> Projection:
        """`project` of a checkpoint's embeddings."""

    def close(self) -> None:
        """Let go of what it holds."""


class Local:
    """This process."""

    def __init__(self, device: str | None) -> None:
        self.loader = EncoderLoader(device)
        self._device = device

    def read(self, reading: Reading) -> Iterator[list[ImageFacts | SkippedImage]]:
        """As `Engine` says."""
        reading.again()
        for part in reading.shards:
            if not reading.shards.has(part, "images"):
                _read_shard((reading, reading.shards), part, worker_count())
            yield reading.found(part)

    def encode(
        self, encoding: Encoding, fingerprint: str, following: Checkpoint | None
    ) -> Iterator[EncodedBatch]:
        """As `Engine` says."""
        encoder = self.loader.encoder(
            encoding.found,
            pooling=encoding.pooling,
            precision=encoding.precision,
            with_head=encoding.with_head,
        )
        if following is not None:
            self.loader.read_ahead(following)
        return encode_all(
            encoder, encoding.open_pixels(), batch_size=encoding.batch_size, name=encoding.name
        )

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """As `Engine` says."""
        return nearest_neighbors(run.read_array("embeddings", step), k, device=self._device)

    def projection(self, run: RunFolder, step: int) -> Projection:
        """As `Engine` says."""
        return project(run.read_array("embeddings", step))

    def close(self) -> None:
        """As `Engine` says."""
        self.loader.close()


def check_engine(name: str, address: str | None) -> None:
    """Raise SettingsError for an engine that is not known, not installed or not there, before
    anything is done."""
    if name not in ENGINES:
        raise SettingsError(f"--engine {name} is not known. Use one of {', '.join(ENGINES)}.")
    if name == "local":
        if address is not None:
            raise SettingsError(
                f"--address {address} is of a Ray cluster. Add --engine ray, or leave it out."
            )
        return
    if find_spec("ray") is None:
        raise SettingsError(
            "--engine ray needs Ray, which is not installed. Run: pip install "
            "'review-embeddings[ray]'"
        )
    if address not in {None, "auto", "local"} and not listens(
        str(address), port=6379, seconds=5.0
    ):  # Ray would try for minutes
        raise SettingsError(
            f"There is no Ray cluster at {address}: nobody answers there. Start one with `ray "
            f"start --head`, or leave --address out "
            "for the cores of this machine."
        )


class OnRay:
    """A Ray cluster, or the cores of this machine where none is named."""

    def __init__(self, address: str | None, progress: Progress) -> None:
        """Raises SettingsError where there is no cluster; whether there can be one was checked by
        `check_engine`."""
        os.environ.setdefault(
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
        )  # what Ray advises to set, in each process, with a warning
        import ray

        self._progress = progress
        self._started = not ray.is_initialized()
        if self._started:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ray.init(
                        address=address or "local",
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        include_dashboard=False,
                    )
            except (ConnectionError, ValueError, RuntimeError) as error:
                where = f"at {address}" if address else "on this machine"
                raise SettingsError(
                    f"There is no Ray cluster {where} ({str(error).splitlines()[0][:200]}). Start "
                    f"one with `ray start --head`, or leave "
                    "--address out for the cores of this machine."
                ) from error
        self._nodes: dict[str, str] = {}  # addresses by id
        self._look_at_nodes()

    def read(self, reading: Reading) -> Iterator[list[ImageFacts | SkippedImage]]:
        """As `Engine` says."""
        reading.again()
        self._fill("Reading images", _read_shard, reading, reading.shards, "images", gpu=False)
        return map(reading.found, reading.shards)

    def encode(
        self, encoding: Encoding, fingerprint: str, following: Checkpoint | None
    ) -> Iterator[EncodedBatch]:
        """As `Engine` says."""
        shards = _Shards(encoding.run, fingerprint, len(encoding.open_pixels()), SHARD)
        self._fill(
            f"Embedding with checkpoint {encoding.checkpoint.step}",
            _encode_shard,
            encoding,
            shards,
            "embeddings",
        )
        for part in shards:
            likely = (
                shards.read(part, "probabilities") if shards.has(part, "probabilities") else None
            )
            yield EncodedBatch(shards.read(part, "embeddings"), likely)
        shards.remove()

    def neighbors(self, run: RunFolder, step: int, k: int, fingerprint: str) -> Neighbors:
        """As `Engine` says."""
        shards = _Shards(
            run.reference, fingerprint, len(run.read_array("embeddings", step)), SEARCH_SHARD
        )
        self._fill(
            f"Neighbours at checkpoint {step}",
            _search_shard,
            (_Vectors.of(run, step), k),
            shards,
            "indices",
        )
        found = [[shards.read(part, name) for part in shards] for name in ("indices", "distances")]
        shards.remove()
        metric = metric_for(run.read_array("embeddings", step).shape[1])
        return Neighbors(np.concatenate(found[0]), np.concatenate(found[1]), metric)

    def projection(self, run: RunFolder, step: int) -> Projection:
        """As `Engine` says; of so few images that they are no matter of second moments, in this
        process."""
        embeddings, vectors = run.read_array("embeddings", step), _Vectors.of(run, step)
        if not is_tall(embeddings):
            return project(embeddings)
        parts = _parts(len(embeddings), PCA_SHARD)
        title = f"PCA of checkpoint {step}, {self._slots(gpu=False)[1]} at a time"
        with self._progress.stage(title, total=2 * len(parts), unit="shards") as advance:

            def done(part: Part) -> None:
                advance(1)

            moments = self._in_order(_moments_of_shard, vectors, parts, done, gpu=False)
            plane = functools.reduce(operator.add, moments).plane()
            points = np.concatenate(
                list(self._in_order(_points_of_shard, (vectors, plane), parts, done, gpu=False))
            )
        return Projection(points, plane.explained_variance)

    def close(self) -> None:
        """As `Engine` says."""
        import ray

        if self._started:
            ray.shutdown()

    def _fill(
        self,
        title: str,
        work: Callable[[Any, Part], None],
        about: Any,
        shards: _Shards,
        last: str,
        *,
        gpu: bool = True,
    ) -> None:
        """Have every shard written that is not there yet; ``last`` names the file that is written
        last of each."""
        storage.look_again(shards.folder)
        missing = [part for part in shards if not shards.has(part, last)]
        with self._progress.stage(
            f"{title}, {self._slots(gpu=gpu)[1]} at a time", total=shards.total, unit="images"
        ) as advance:
            advance(shards.total - sum(stop - start for start, stop in missing))
            for _ in self._run(
                work, (about, shards), missing, lambda part: advance(part[1] - part[0]), gpu=gpu
            ):
                pass
        storage.look_again(shards.folder)

    def _run(
        self,
        work: Callable[[Any, Part], T],
        about: Any,
        parts: Iterable[Part],
        done: Callable[[Part], None],
        *,
        gpu: bool,
    ) -> Iterator[tuple[Part, T]]:
        """What ``work(about, part)`` gives for each part, as it comes, ``done`` being told first. A
        shard that is lost is done again.

        Ray would do it again as well, but not say so, and go on for ever with one that kills its
        worker each time. Raises ClusterError for such a one, and the ReviewError of a shard as it
        is.
        """
        import ray

        resource, slots = self._slots(gpu=gpu)
        task = ray.remote(max_retries=0, **{f"num_{resource.lower()}s": 1})(_signed).options(
            name=work.__name__
        )
        shared = ray.put(about)
        waiting, lost = deque(parts), Counter[Part]()
        running: dict[Any, Part] = {}
        try:
            while waiting or running:
                while waiting and len(running) < 2 * slots:
                    part = waiting.popleft()
                    running[task.remote(work, shared, part)] = part
                ray.wait(list(running), num_returns=1, timeout=5.0)
                self._look_at_nodes()
                ready, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
                again: dict[Part, Exception] = {}
                for one in ready:
                    part = running.pop(one)
                    try:
                        worker, result = ray.get(one)
                    except ray.exceptions.RayTaskError as error:
                        if isinstance(error.cause, ReviewError):
                            raise error.cause from error
                        if not isinstance(error.cause, ray.exceptions.RayError):
                            raise
                        again[part] = error.cause  # what it needed has gone with a node
                    except ray.exceptions.RayError as error:
                        again[part] = error
                    else:
                        self._progress.latest(f"{_named(part)} by {worker}")
                        done(part)
                        yield part, result
                if again:
                    lost.update(again.keys())
                    self._say_lost(again, lost)
                    waiting.extend(again)  # last, so that what was short then may not be any more
        finally:  # whoever stops this does not want the rest
            for one in running:
                ray.cancel(one, force=True)

    def _in_order(
        self,
        work: Callable[[Any, Part], T],
        about: Any,
        parts: Sequence[Part],
        done: Callable[[Part], None],
        *,
        gpu: bool,
    ) -> Iterator[T]:
        """The results of `_run` in the order of the parts, each as soon as it and those before it
        are there."""
        results = self._run(work, about, parts, done, gpu=gpu)
        early: dict[Part, T] = {}
        for part in parts:
            while part not in early:
                other, result = next(results)
                early[other] = result
            yield early.pop(part)

    def _slots(self, *, gpu: bool) -> tuple[str, int]:
        """What a task takes one of, a GPU where there are some and they are of use or a CPU, and
        how many of these there are."""
        import ray

        resources = ray.cluster_resources()
        resource = "GPU" if gpu and resources.get("GPU") else "CPU"
        return resource, max(1, int(resources.get(resource, 1)))

    def _say_lost(self, again: Mapping[Part, Exception], lost: Counter[Part]) -> None:
        """One line for all shards that were lost at once; ClusterError where it was once too often
        for one of them."""
        part, error = max(again.items(), key=lambda item: lost[item[0]])
        if lost[part] >= ATTEMPTS:
            raise ClusterError(
                f"The worker of {_named(part)} was lost {ATTEMPTS} times: {reason_of(error)} See "
                f"Ray's logs, and whether the memory "
                "suffices; then start the same command again: finished shards are kept."
            ) from error
        which = _named(part) if len(again) == 1 else f"{len(again)} shards, such as {_named(part)}"
        self._progress.note(
            f"Done again: {which}. {reason_of(error).split('. ')[0].rstrip('.')}."
        )  # the first sentence of Ray's many

    def _look_at_nodes(self) -> None:
        """Say when a machine has gone or come."""
        import ray

        alive = {
            node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]
        }
        gone, new = (
            [
                f"{address} ({node[:NODE_DIGITS]})"
                for node, address in some.items()
                if node not in others
            ]
            for some, others in ((self._nodes, alive), (alive, self._nodes))
        )
        if gone:
            self._progress.note(
                f"Gone: Ray node {_few(gone)}; its unfinished shards are done again by the other "
                f"{len(alive)}"
            )
        if new and self._nodes:
            self._progress.note(f"New: Ray node {_few(new)}; {len(alive)} in all")
        self._nodes = alive


@dataclass(frozen=True)
class _Shards:
    """Parts of an array, each with files of its own until all are there."""

    run: str
    """`RunFolder.reference`."""
    fingerprint: str
    total: int
    size: int

    @property
    def folder(self) -> Path:
        """Where they are."""
        return _run_of(self.run, self.fingerprint).shards / self.fingerprint

    def __iter__(self) -> Iterator[Part]:
        return iter(_parts(self.total, self.size))

    def path(self, part: Part, name: str) -> Path:
        """Where a shard's array is."""
        return self.folder / f"{part[0]:09d}-{name}.npy"

    def has(self, part: Part, name: str) -> bool:
        """Whether it is there."""
        return storage.exists(self.path(part, name))

    def read(self, part: Part, name: str) -> NDArray[Any]:
        """A shard's array."""
        array: NDArray[Any] = np.load(storage.fetched(self.path(part, name)))
        return array

    def write(self, part: Part, arrays: Sequence[tuple[str, NDArray[Any]]]) -> None:
        """Keep a shard's arrays, the last one as the sign that all are there."""
        for name, array in arrays:
            with whole_file(self.path(part, name)) as temporary, temporary.open("wb") as file:
                np.save(file, array)

    def remove(self) -> None:
        """Let all of them go: they are part of a whole now."""
        storage.remove_folder(self.folder)


@dataclass(frozen=True)
class _Vectors:
    """The embeddings of a checkpoint, for other processes."""

    run: str
    step: int
    fingerprint: str

    @staticmethod
    def of(run: RunFolder, step: int) -> _Vectors:
        """Those that are there now."""
        facts = run.result_facts("embeddings", step)
        return _Vectors(run.reference, step, facts["fingerprint"] if facts else "")

    def open(self) -> NDArray[Any]:
        """Memory-mapped, brought to this machine if need be."""
        return _run_of(self.run, self.fingerprint).read_array("embeddings", self.step)


@lru_cache(maxsize=16)
def _run_of(reference: str, fingerprint: str) -> RunFolder:
    """A run as it is when a process first hears of what ``fingerprint`` stands for; a store is
    asked only then."""
    return run_at(reference)


def _parts(total: int, size: int) -> list[Part]:
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def _named(part: Part) -> str:
    """For people."""
    return f"images {part[0]:,}-{part[1] - 1:,}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _signed(work: Callable[[Any, Part], T], about: Any, part: Part) -> tuple[str, T]:
    """What ``work`` gives, and who did it, for people."""
    import ray

    node = ray.get_runtime_context().get_node_id()[:NODE_DIGITS]
    return f"{os.uname().nodename} (node {node}, process {os.getpid()})", work(about, part)


@lru_cache(maxsize=1)
def _cache_of(run: RunFolder, processors: tuple[str, ...], digest: str) -> PixelCache:
    """Of a worker's process: an image processor is loaded once."""
    return PixelCache(run, load_processor(list(map(storage.for_here, processors))), digest)


def _read_shard(about: tuple[Reading, _Shards], part: Part, workers: int = 1) -> None:
    reading, shards = about
    places = reading.places.slice(part[0], part[1] - part[0])
    cells = zip(
        places["image_id"].to_pylist(),
        places["label"].to_pylist(),
        read_cells(places, reading.column),
        strict=True,
    )
    cache, parts = reading.cache, reading.parts
    pixels = parts.writer(part[0]) if parts else None
    rows: list[tuple[Any, ...]] = []
    try:
        for records, prepared in read_all(
            cells, reading.root, cache.prepare if cache else None, preview=False, workers=workers
        ):
            rows += map(_as_row, records)
            if pixels and prepared is not None:
                pixels.add(prepared)
        if pixels:
            pixels.finish(reading.fingerprint)
    finally:
        if pixels:
            pixels.abandon()
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    shards.write(
        part,
        [
            (
                "images",
                np.rec.fromarrays(
                    columns,
                    dtype=[(name, one.dtype) for name, one in zip(FOUND, columns, strict=True)],
                ),
            )
        ],
    )


def _as_row(one: ImageFacts | SkippedImage) -> tuple[Any, ...]:
    if isinstance(one, SkippedImage):
        return one.image_id, "", one.path, -1, 0, 0, one.reason
    return one.image_id, one.image_hash, one.path, one.label, one.width, one.height, ""


_loader: EncoderLoader | None = None
"""Of a worker's process, which Ray uses for one shard after the other: a checkpoint is loaded
once."""


def _encode_shard(about: tuple[Encoding, _Shards], part: Part) -> None:
    global _loader
    encoding, shards = about
    if _loader is None:
        _loader = EncoderLoader(encoding.device)
    encoder = _loader.encoder(
        encoding.found,
        pooling=encoding.pooling,
        precision=encoding.precision,
        with_head=encoding.with_head,
    )
    pixels = encoding.open_pixels().between(*part)
    batches = list(encode_all(encoder, pixels, batch_size=encoding.batch_size, name=encoding.name))
    arrays = [("embeddings", np.concatenate([batch.embeddings for batch in batches]))]
    likely = [batch.probabilities for batch in batches if batch.probabilities is not None]
    shards.write(part, [*([("probabilities", np.concatenate(likely))] if likely else []), *arrays])


def _search_shard(about: tuple[tuple[_Vectors, int], _Shards], part: Part) -> None:
    (vectors, k), shards = about
    found = nearest_of_rows(vectors.open(), *part, k)
    shards.write(part, [("distances", found.distances), ("indices", found.indices)])


def _moments_of_shard(vectors: _Vectors, part: Part) -> Moments:
    embeddings = vectors.open()
    return Moments.of(embeddings[slice(*part)], embeddings[0])


def _points_of_shard(about: tuple[_Vectors, Plane], part: Part) -> NDArray[np.float64]:
    vectors, plane = about
    return plane.points(vectors.open()[slice(*part)])
