"""Embeds all images of a run with a checkpoint, and other images as the run's would be."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.engines.work import (
    LoadedEncoder,
    Result,
    StoredPixels,
    Work,
)
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encode import NotFiniteError, encode_all
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.models.weights import stamp_weights
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import AUTO, Request
from review_embeddings.pipeline.stages.images import pixels_of
from review_embeddings.pipeline.stages.keys import EmbeddingKey, Models, ProcessorSource
from review_embeddings.pipeline.stages.registry import STAGES, pixels_key
from review_embeddings.pipeline.stages.resolve import (
    checkpoints_of,
    resolve_info,
    without_weights,
)
from review_embeddings.pipeline.stages.session import BuildSession


@dataclass(frozen=True)
class ModelInMemory:
    """What is known of a model whose weights are in memory."""

    load: Callable[[str], Any]
    """Gives, in a precision, what `models.encode.encode_all` takes."""
    processor: ProcessorSource
    """What its images were preprocessed by."""
    head: Head | None
    """Its classification head, where probabilities are wanted."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What is kept beside the embeddings, with the rest of it."""
    by_content: bool = False
    """Whether the results themselves are hashed in place of weights: of any module and any way to
    take embeddings from it."""


@dataclass(frozen=True)
class Embedding:
    """One checkpoint with which all images are to be embedded."""

    models: Models
    images: RunImages
    checkpoint: Checkpoint
    key: EmbeddingKey
    memory: ModelInMemory | None = None
    """The model, where it is in memory already; loaded from its folder otherwise."""
    following: Checkpoint | None = None
    """The checkpoint that comes next; its weights are read meanwhile."""

    @property
    def name(self) -> str:
        """For people."""
        return f"Checkpoint {self.checkpoint.step}"

    @property
    def head(self) -> Head | None:
        """Of the checkpoint, if it is used."""
        if self.memory is not None:
            return self.memory.head
        return self.models.head(self.checkpoint, self.images)

    @property
    def processor(self) -> ProcessorSource:
        """What preprocesses its images."""
        if self.memory is not None:
            return self.memory.processor
        return self.models.processor_of(self.checkpoint)


def embed(session: BuildSession, embedding: Embedding) -> None:
    """Embed every image with one checkpoint and write embeddings and probabilities.

    Where any precision will do and the chosen one cannot hold the values, fp32 is taken. Raises
    ReviewError.
    """
    try:
        _embed(session, embedding)
    except NotFiniteError:
        key = embedding.key
        if embedding.models.info.settings.precision != AUTO or key.precision == "fp32":
            raise
        session.progress.note(
            f"{embedding.name} gives values that {key.precision} cannot hold: fp32 is taken"
        )
        _embed(session, replace(embedding, key=replace(key, precision="fp32")))


def _embed(session: BuildSession, embedding: Embedding) -> None:
    session.begin_embedding()
    pixels_of(session, embedding.processor, embedding.images)
    with session.timed("embeddings", len(embedding.images)):
        _write(session, embedding, _results(session, embedding))


def _results(session: BuildSession, embedding: Embedding) -> Iterator[Result]:
    """Embeddings and probabilities, some images at a time."""
    work = _work(session, embedding)
    if embedding.memory is None:
        rows = STAGES["embeddings"].rows_a_shard((work.total,)) or work.total
        yield from session.engine.map(work, _whole_batches(rows, session.request.batch_size))
        return
    encoder = embedding.memory.load(embedding.key.precision)
    with session.progress.stage(work.title, total=work.total, unit="images") as advance:
        for result in work.with_inputs(encoder=encoder).stream((0, work.total)):
            yield result
            advance(len(result))


def _whole_batches(rows: int, batch_size: int | None) -> int:
    """Rows a shard so that its batches are those of one process: the last bits of a product depend
    on how many rows it has."""
    size = batch_size or 1
    return max(size, rows // size * size)


def _work(session: BuildSession, embedding: Embedding) -> Work:
    stage, key, checkpoint = STAGES["embeddings"], embedding.key, embedding.checkpoint
    run = session.run.reference
    processor = embedding.processor.digest
    encoder = LoadedEncoder(
        _for_all(checkpoint),
        key.pooling,
        key.precision,
        key.with_head,
        session.request.device,
        embedding.following,
    )
    return Work(
        stage.compute,
        inputs={
            "pixels": StoredPixels(run, processor, pixels_key(embedding.images.digest)),
            "encoder": encoder,
            "batch_size": session.request.batch_size,
            "name": embedding.name,
            "kind": key.probabilities,
        },
        total=len(embedding.images),
        run=run,
        key=key.fingerprint(stage),
        title=stage.title.format(step=checkpoint.step),
        keep=stage.keep,
        long=stage.long,
        accelerated=stage.accelerated,
    )


def _for_all(checkpoint: Checkpoint) -> Checkpoint:
    """Named so that every machine finds its files."""
    base = None if checkpoint.adapts is None else storage.for_all(checkpoint.adapts)
    return replace(checkpoint, source=storage.for_all(checkpoint.source), adapts=base)


def _write(session: BuildSession, embedding: Embedding, results: Iterator[Result]) -> None:
    first = next(results)
    _check_outputs(embedding, first)
    total, step = len(embedding.images), embedding.checkpoint.step
    specs: Mapping[str, tuple[tuple[int, ...], Any]] = {
        name: ((total, *array.shape[1:]), np.float32) for name, array in first.arrays.items()
    }
    stage, key, content = STAGES["embeddings"], embedding.key, hashlib.sha256()
    by_content = embedding.memory is not None and embedding.memory.by_content
    with session.run.writing(step, key.fingerprint(stage), specs) as writer:
        for result in itertools.chain([first], results):
            for name, array in result.arrays.items():
                writer.append(name, array)
                content.update(np.ascontiguousarray(array).data if by_content else b"")
        if by_content:
            key = replace(key, weights=content.hexdigest())
            writer.fingerprint = key.fingerprint(stage)
        writer.metadata.update(first.metadata)
        writer.metadata.update(_metadata(embedding, key, first.arrays["embeddings"].shape[1]))


def _check_outputs(embedding: Embedding, result: Result) -> None:
    head, probabilities = embedding.head, result.arrays.get("probabilities")
    if head is not None and probabilities is not None and probabilities.shape[1] != head.count:
        raise CheckpointError(
            f"{embedding.name} gives {probabilities.shape[1]} classes, its config.json names "
            f"{head.count}."
        )


def _metadata(embedding: Embedding, key: EmbeddingKey, dimension: int) -> dict[str, Any]:
    """What is kept beside the embeddings."""
    checkpoint, head, memory = embedding.checkpoint, embedding.head, embedding.memory
    stamp = None if memory else stamp_weights(checkpoint.source, base=checkpoint.adapts)
    files = [] if stamp is None else stamp.files
    return {
        "epoch": checkpoint.epoch,
        "loss": checkpoint.loss,
        "step_known": checkpoint.step_known,
        "dimension": dimension,
        "base": embedding.models.info.base if checkpoint.is_base else None,
        "head": None if head is None else head.record,
        "key": key.record,
        "weight_files": files,
        **({} if memory is None else memory.metadata),
    }


# -- images that are not the run's


def embed_others(
    run: RunFolder, device: str | None, step: int, pictures: Sequence[Any], stack: ExitStack
) -> NDArray[np.float32]:
    """Embeddings, shape (Q, D), of RGB images that are not the run's, as a checkpoint of it would
    embed them as its own. ``stack`` lets go of the model.

    Raises CheckpointError where the checkpoint's weights are not there.
    """
    request = Request(device=device)
    info = resolve_info(run, request)
    if info.recorded:
        raise CheckpointError(
            f"{without_weights(run, 'A picture that is not of the run')} Search by an image of the "
            "run with --image."
        )
    found, images = checkpoints_of(run, info, request, SILENT), read_images(run)
    if step not in found.steps or images is None:
        raise CheckpointError(
            f"Checkpoint {step} cannot embed other pictures: its weights are not there. Name their "
            "folder with --checkpoints, or search by an image of the run with --image."
        )
    models, checkpoint = Models(run, info, found, device), found.by_step(step)
    processor = load_processor(models.processor_of(checkpoint).candidates)
    loader = EncoderLoader(device)
    stack.callback(loader.close)
    encoder = loader.encoder(
        checkpoint,
        pooling=info.settings.pooling,
        precision=models.precision(step),
        with_head=models.head_kind(checkpoint, images) is not None,
    )
    pixels = Pixels(processor(pictures), None)
    batches = encode_all(encoder, pixels, batch_size=None, name=f"Checkpoint {step}")
    return np.concatenate([batch.embeddings for batch in batches])
