"""Finds out, with a few images, whether a model gives each image the same values at all times and
beside any others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.libraries import random_state_kept

if TYPE_CHECKING:
    import torch

    Embed = Callable[[torch.Tensor], torch.Tensor]

PROBED = 2
"""Images that are enough to tell."""

TOLERANCES = {"float32": 1e-3, "float16": 0.03, "bfloat16": 0.2}
"""Of the largest value: far above the noise of the arithmetic, far below what another mask, or
other images, make of a value."""


def check_reproducible(
    load: Callable[[], Embed], pixels: torch.Tensor, *, kind: torch.dtype, name: str
) -> None:
    """Raise CheckpointError where a model draws random numbers or mixes the images of a batch.

    ``load`` gives one that has not run: images (B, 3, height, width) to vectors (B, D). ``kind`` is
    in what it computes its products. Random states stay as they are.
    """
    some = pixels[:PROBED]
    with random_state_kept():
        embed = load()
        draws, first = _drawing(embed, some, seed=0)
        _, second = _drawing(embed, some, seed=1)
        alone = load()(some[:1])
    if not first.isfinite().all():
        return  # said later, of the image
    tolerance = TOLERANCES[str(kind).removeprefix("torch.")] * float(first.abs().max())
    if not draws and _distance(first, second) > tolerance:
        raise CheckpointError(
            f"{name} gives an image another embedding each time: it draws random numbers, or "
            f"changes itself when it embeds, as observers of a quantization do. Review a model "
            f"that is deterministic in eval()."
        )
    if draws:
        raise CheckpointError(
            f"{name} draws random numbers when it embeds an image, which therefore has another "
            f"embedding each time. Review a model that is deterministic in eval()."
        )
    if _distance(first[:1], alone) > tolerance:
        raise CheckpointError(
            f"{name} gives an image another embedding beside other images than alone, so that it "
            f"has none of its own. Review a model that treats each image for itself in eval()."
        )


def _drawing(embed: Embed, pixels: torch.Tensor, *, seed: int) -> tuple[bool, torch.Tensor]:
    """Whether the random state changes, and the vectors."""
    import torch

    torch.manual_seed(seed)
    before = _random_states()
    vectors = embed(pixels)
    after = _random_states()
    return any(not torch.equal(*pair) for pair in zip(before, after, strict=True)), vectors


def _random_states() -> list[torch.Tensor]:
    import torch

    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *devices]


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())
