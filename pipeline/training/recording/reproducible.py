"""Whether a module in the middle of a training gives each image the same values at all times."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.models.probe import TOLERANCES, check_reproducible
from review_embeddings.pipeline.training.recording.readout import Readout
from review_embeddings.pipeline.training.recording.undisturbed import evaluating

if TYPE_CHECKING:
    import torch

    from review_embeddings.pipeline.models.probe import Embed


def check_recordable(module: Any, readout: Readout, pixels: torch.Tensor) -> None:
    """Raise CheckpointError where a module draws random numbers or mixes the images of a batch, in
    its embeddings or in its logits.

    ``module`` is evaluating, and afterwards as it was; ``pixels`` are the first images, shape
    (B, ...).
    """
    known = str(readout.dtype).removeprefix("torch.") in TOLERANCES
    batch = pixels.to(readout.dtype) if known else pixels
    for position in range(1 if readout.count is None else 2):
        with ExitStack() as stack:
            load = partial(_fresh, module, readout, position, stack)
            check_reproducible(load, batch, kind=batch.dtype, name="The model")


def _fresh(module: Any, readout: Readout, position: int, stack: ExitStack) -> Embed:
    """The module as if it had not run since the training."""
    stack.close()
    stack.enter_context(evaluating(module))

    def embed(pixels: torch.Tensor) -> torch.Tensor:
        result = readout.encode(pixels)[position]
        assert result is not None
        return result.float()

    return embed
