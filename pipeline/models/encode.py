"""Sends all images through an encoder, batch after batch, in as large batches as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.machine import is_out_of_memory
from review_embeddings.pipeline.models.device import free_memory
from review_embeddings.pipeline.models.encoder import Encoder
from review_embeddings.pipeline.models.heads import SOFTMAX, probabilities_of

if TYPE_CHECKING:
    import torch


BATCH_SIZE_CPU = 16
"""Batches of 8 to 24 were the fastest on CPUs; larger ones only cost memory."""

BATCH_SIZE_ACCELERATOR = 256
"""To start with; halved for as long as the memory does not suffice."""


FORWARD_ERRORS = (
    RuntimeError,
    ValueError,
    MemoryError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
)
"""What a model raises that does not take what it is given."""


class NotFiniteError(CheckpointError):
    """A checkpoint gives values that are not finite."""


@dataclass(frozen=True)
class EncodedBatch:
    """Some images in order."""

    embeddings: NDArray[np.float32]
    """Shape (B, D)."""
    probabilities: NDArray[np.float32] | None
    """Shape (B, C), as `probabilities_of` gives them."""


def encode_all(
    encoder: Encoder,
    pixels: Pixels,
    *,
    batch_size: int | None,
    name: str,
    kind: str | None = SOFTMAX,
) -> Iterator[EncodedBatch]:
    """Encode every image in order, in batches that are halved for as long as the memory does not
    suffice. ``kind`` is that of the head; None for no probabilities.

    An accelerator is brought the next batch while it encodes one. Raises CheckpointError where the
    model and the images do not fit, NotFiniteError where it gives values that are not finite.
    """
    device = encoder.device

    def later(start: int, stop: int) -> Callable[[], torch.Tensor]:
        return partial(pixels.batch, start, stop, device)

    def at_once(start: int, stop: int) -> Callable[[], torch.Tensor]:
        return reader.submit(bring, pixels, start, stop).result

    if device.type == "cpu":
        # a second thread would take the cores from the model: torch gives each thread workers of
        # its own
        size = batch_size or BATCH_SIZE_CPU
        yield from _encode_batches(encoder, pixels, size, name, kind, later)
        return
    bring = _bringer(device)
    with ThreadPoolExecutor(1) as reader:
        size = batch_size or BATCH_SIZE_ACCELERATOR
        yield from _encode_batches(encoder, pixels, size, name, kind, at_once)


def _bringer(device: torch.device) -> Callable[[Pixels, int, int], torch.Tensor]:
    """What brings a batch to an accelerator, from another thread.

    To a CUDA device by a stream of its own: in the one that the model computes in, a copy waits for
    all that was handed in before, and the model for the copy.
    """
    if device.type != "cuda":
        return lambda pixels, start, stop: pixels.batch(start, stop, device)
    import torch

    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's, untyped
    used_in = torch.cuda.current_stream(device)

    def bring(pixels: Pixels, start: int, stop: int) -> torch.Tensor:
        with torch.cuda.stream(aside):
            values = pixels.batch(start, stop, device)
        aside.synchronize()
        values.record_stream(used_in)  # its memory is not given away before the model is done
        return values

    return bring


def _encode_batches(
    encoder: Encoder,
    pixels: Pixels,
    size: int,
    name: str,
    kind: str | None,
    read: Callable[[int, int], Callable[[], torch.Tensor]],
) -> Iterator[EncodedBatch]:
    start, ahead = 0, None
    while start < len(pixels):
        stop = min(start + size, len(pixels))
        try:
            values = (ahead or read(start, stop))()
            ahead = read(stop, min(stop + size, len(pixels))) if stop < len(pixels) else None
            embeddings, logits = encoder.encode(values)
        except FORWARD_ERRORS as error:
            if not is_out_of_memory(error) or size == 1:
                raise _encoding_error(error, encoder, pixels, name) from error
            size, values, ahead = max(1, size // 2), None, None
            free_memory(encoder.device)
            continue
        vectors = embeddings.cpu().numpy()
        probabilities = None
        if logits is not None and kind is not None:
            probabilities = probabilities_of(logits, kind, name=name)
        if not np.isfinite(vectors).all():
            raise NotFiniteError(
                f"{name} gives embeddings that are not finite (row {start} or after). Its training "
                f"has probably diverged; review earlier checkpoints with --checkpoint, or use "
                f"--precision fp32."
            )
        outputs = None if probabilities is None else probabilities.cpu().numpy()
        if outputs is not None and not np.isfinite(outputs).all():
            raise NotFiniteError(
                f"{name} gives probabilities that are not finite (row {start} or after). Its head "
                f"has probably diverged; review earlier checkpoints with --checkpoint."
            )
        yield EncodedBatch(vectors, outputs)
        start = stop


def _encoding_error(
    error: Exception, encoder: Encoder, pixels: Pixels, name: str
) -> CheckpointError:
    if is_out_of_memory(error):
        return CheckpointError(
            f"{name}: not enough memory on {encoder.device} for a single image. Use --device cpu."
        )
    shape = "x".join(map(str, pixels.shape))
    return CheckpointError(
        f"{name} does not take images of {shape}: {reason_of(error)} Name a model whose image "
        f"processor fits with --processor."
    )
