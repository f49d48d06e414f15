"""Work as a value: what is computed from what, so that any process can do any part of it.

No large array travels: an `Input` says where one lies, and the process that computes loads it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import ClusterError
from review_embeddings.pipeline.images.pixels import PixelCache, Pixels
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encoder import Encoder
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import RunFolder, run_at

Part = tuple[int, int]
"""First row of a part, and the one after its last."""

Keep = Literal["nowhere", "elsewhere", "always"]
"""Where the results of parts become files until the whole is there: nowhere, they are sent back;
where other processes compute them; or in any case, so that a killed process goes on."""


@runtime_checkable
class Input(Protocol):
    """Something that each process loads for itself."""

    def load(self) -> Any:
        """What the computation takes."""


@dataclass(frozen=True)
class Result:
    """What a computation gives for some rows."""

    arrays: Mapping[str, NDArray[Any]]
    """By name; the first axis of each is that of the rows, where the work is done in parts."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What is kept beside them, anything JSON can hold; the same for every part."""

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))


@dataclass(frozen=True)
class Work:
    """One computation over the rows of something, whole or in parts."""

    compute: Callable[..., Any]
    """``compute(rows, **inputs)`` gives a `Result`, several of them in order, or something small.
    A function of a module, so that other processes find it."""
    inputs: Mapping[str, Any]
    """By keyword: an `Input`, or a small value as it is."""
    total: int
    """Number of rows."""
    run: str
    """`RunFolder.reference` of the run that it is for."""
    key: str
    """Fingerprint of all that changes the result."""
    title: str
    """For people, such as ``Embedding with checkpoint 20``."""
    keep: Keep = "elsewhere"
    long: bool = False
    """Whether a single process takes so long for it that it shows its progress, too."""
    accelerated: bool = False
    """Whether a GPU is of use."""

    def __call__(self, part: Part) -> Any:
        """The result for some rows."""
        return joined(list(self.stream(part)))

    def stream(self, part: Part) -> Iterator[Any]:
        """The same in pieces, as they come."""
        loaded = {
            name: value.load() if isinstance(value, Input) else value
            for name, value in self.inputs.items()
        }
        result = self.compute(slice(*part), **loaded)
        if isinstance(result, Iterator):
            yield from result
        else:
            yield result

    def with_inputs(self, **more: Any) -> Work:
        """The same with further inputs."""
        return replace(self, inputs={**self.inputs, **more})


def joined(results: Sequence[Any]) -> Any:
    """One result of several that follow on each other."""
    if len(results) == 1:
        return results[0]
    names = results[0].arrays
    arrays = {name: np.concatenate([one.arrays[name] for one in results]) for name in names}
    return Result(arrays, results[0].metadata)


def parts_of(total: int, size: int) -> list[Part]:
    """All rows in parts of so many, at least one part."""
    return [(start, min(start + size, total)) for start in range(0, max(1, total), size)]


# -- inputs


@lru_cache(maxsize=16)
def run_of(reference: str, key: str) -> RunFolder:
    """A run as it is when a process first hears of what ``key`` stands for; a store is asked only
    then."""
    return run_at(reference)


@dataclass(frozen=True)
class StoredArray:
    """An array that a stage has stored."""

    run: str
    name: str
    step: int
    key: str
    """Fingerprint of its content."""

    def load(self) -> NDArray[Any]:
        """Memory-mapped, brought to this machine if need be."""
        whole = f"{self.name} {self.key}"  # its parts go by the key alone, before it is there
        return run_of(self.run, whole).read_array(self.name, self.step)


@dataclass(frozen=True)
class StoredPixels:
    """The preprocessed images of a run."""

    run: str
    processor: str
    """Digest of the image processor."""
    images: str
    """Digest of the images."""

    def load(self) -> Pixels:
        """From the cache. Raises ClusterError where it is not on this machine."""
        pixels = PixelCache(run_of(self.run, self.images), None, self.processor).open(self.images)
        if pixels is None:
            raise ClusterError(
                f"The preprocessed images of {self.run} are not on {socket.gethostname()}. Leave "
                "the images in place (--in-place), or put the run into a folder that all machines "
                "see."
            )
        return pixels


@dataclass(frozen=True)
class LoadedEncoder:
    """A checkpoint as what embeds images."""

    checkpoint: Checkpoint
    """Named so that every machine finds its files (`storage.for_all`)."""
    pooling: str
    precision: str
    with_head: bool
    device: str | None
    following: Checkpoint | None = None
    """The checkpoint that comes next; its weights are read meanwhile."""

    def load(self) -> Encoder:
        """Loaded once by a process, for all parts."""
        loader = encoder_loader(self.device)
        base = self.checkpoint.adapts
        found = replace(
            self.checkpoint,
            source=storage.for_here(self.checkpoint.source),
            adapts=None if base is None else storage.for_here(base),
        )
        encoder = loader.encoder(
            found, pooling=self.pooling, precision=self.precision, with_head=self.with_head
        )
        if self.following is not None:
            loader.read_ahead(self.following)
        return encoder


_loaders: dict[str | None, EncoderLoader] = {}
"""Of this process, by device: checkpoints of one training share a module."""


def encoder_loader(device: str | None) -> EncoderLoader:
    """What loads checkpoints in this process."""
    if device not in _loaders:
        close_encoder_loaders()
        _loaders[device] = EncoderLoader(device)
    return _loaders[device]


def close_encoder_loaders() -> None:
    """Let go of models, and of what is being read ahead."""
    while _loaders:
        _loaders.popitem()[1].close()
