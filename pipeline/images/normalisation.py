"""How 8-bit levels of pixels and the values that a model takes are computed from each other. Knows
no model and no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

MAX_LEVEL = 255

MAX_ERROR = 1e-5
"""Largest error that counts as none; one 8-bit step is over a thousand times as much, float32
rounding a tenth of it."""

NEAR_VALUES = 1 << 18
"""Numbers that are computed with at once: 1 MiB of float32, and never less than an image."""

MAX_SHARE = 1e-3
"""Largest error as a share of one 8-bit step: only where steps are that small do values have to be
more exact than `MAX_ERROR`."""


@dataclass(frozen=True)
class Normalisation:
    """``value = level * scale + shift`` for each channel: from 8-bit levels to what the model
    takes."""

    scale: list[float]
    shift: list[float]
    values: list[list[float]] | None = None
    """What the image processor itself gives of each level, float32 of shape (3, 256): it rounds
    in an order of its own. None where that was not asked."""

    def table(self) -> NDArray[np.float32]:
        """The value of each level, shape (3, 256)."""
        if self.values is not None:
            return np.array(self.values, dtype=np.float32)
        levels = np.arange(MAX_LEVEL + 1, dtype=np.float32)
        scale, shift = (np.array(one, dtype=np.float32) for one in (self.scale, self.shift))
        return np.asarray(levels * scale[:, None] + shift[:, None], dtype=np.float32)

    def factors(self, dtype: type[np.floating]) -> tuple[NDArray[np.floating], ...]:
        """Scale and shift, each of shape (3, 1, 1)."""
        shape = (-1, 1, 1)
        return (
            np.array(self.scale, dtype=dtype).reshape(shape),
            np.array(self.shift, dtype=dtype).reshape(shape),
        )


def to_levels(
    values: NDArray[np.float32], normalisation: Normalisation
) -> NDArray[np.uint8] | None:
    """The 8-bit levels that ``values`` of shape (N, C, height, width) were computed from; None
    where they were not computed from any, or have another number of channels."""
    scale, shift = normalisation.factors(np.float64)
    if values.shape[-3] != len(scale) or not values.size or not np.isfinite(values).all():
        return None
    levels = np.rint((values - shift) / scale)
    if levels.min() < 0 or levels.max() > MAX_LEVEL:
        return None
    error = np.abs(levels * scale + shift - values)
    allowed = np.minimum(MAX_ERROR, MAX_SHARE * np.abs(scale))
    return levels.astype(np.uint8) if (error <= allowed).all() else None


def to_values(levels: NDArray[np.uint8], normalisation: Normalisation) -> NDArray[np.float32]:
    """What 8-bit levels of shape (N, 3, height, width) stand for."""
    values = np.empty(levels.shape, dtype=np.float32)
    for channel, value_of in enumerate(normalisation.table()):
        values[:, channel] = value_of[levels[:, channel]]
    return values


# -- with torch


@dataclass(frozen=True)
class Steps:
    """``(level / divisor - mean) / std`` in float32, each result rounded: how most image processors
    compute."""

    divisor: float
    mean: list[float]
    std: list[float]

    def __call__(self, levels: torch.Tensor) -> torch.Tensor:
        """8-bit levels of shape (N, 3, height, width) to float32."""
        mean, std = _of_channels(self.mean), _of_channels(self.std)
        values = _same_shape(levels)
        for own, part in zip(_near(values), _near(levels), strict=True):
            own.copy_(part).div_(self.divisor).sub_(mean).div_(std)
        return values


@dataclass(frozen=True)
class Line:
    """``level * scale + shift`` in float32, each result rounded."""

    scale: list[float]
    shift: list[float]

    def __call__(self, levels: torch.Tensor) -> torch.Tensor:
        """8-bit levels of shape (N, 3, height, width) to float32."""
        scale, shift = _of_channels(self.scale), _of_channels(self.shift)
        values = _same_shape(levels)
        for own, part in zip(_near(values), _near(levels), strict=True):
            own.copy_(part).mul_(scale).add_(shift)
        return values


def arithmetic_of(normalisation: Normalisation) -> Steps | Line | None:
    """What computes on a CPU the very values of the table, all 256 levels of each channel to the
    last bit, in a fifth of the time that looking them up takes; None where neither way does."""
    import torch

    if not all(normalisation.scale):
        return None
    std = [1 / (MAX_LEVEL * scale) for scale in normalisation.scale]
    mean = [-shift * one for shift, one in zip(normalisation.shift, std, strict=True)]
    levels = torch.arange(MAX_LEVEL + 1, dtype=torch.uint8).repeat(1, len(std), 1)[..., None]
    table = torch.from_numpy(normalisation.table())
    for way in (Steps(MAX_LEVEL, mean, std), Line(normalisation.scale, normalisation.shift)):
        if torch.equal(way(levels)[0, :, :, 0].view(torch.int32), table.view(torch.int32)):
            return way
    return None


def _same_shape(levels: torch.Tensor) -> torch.Tensor:
    """Room for as many float32 numbers."""
    import torch

    return torch.empty(levels.shape, dtype=torch.float32, device=levels.device)


def _near(images: torch.Tensor) -> Sequence[torch.Tensor]:
    """So few of them at a time that they stay near the processor while they are computed with."""
    step = max(1, NEAR_VALUES // max(1, images[:1].numel()))
    return [images[start : start + step] for start in range(0, len(images), step)]


def _of_channels(values: list[float]) -> torch.Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32)[:, None, None]
