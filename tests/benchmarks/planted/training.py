"""Trains on what is planted and observes the images, those that were trained on and others.

Photographs: the blocks of a pretrained EfficientNet from the sixth on and a new head are trained on
the output of those before, which is computed once for all settings; that costs a twentieth of
training on pixels. Digits: a network that is small and learns them by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Curve = list[tuple[NDArray[np.float16], NDArray[np.float32]]]

FROZEN = 5
"""Blocks of EfficientNet that stay as they are."""

SIDE = 96
"""Pixels that photographs are scaled up to."""

FEATURES = (112, 6, 6)
"""Shape of what the frozen blocks make of an image of that size."""


class Classifier(nn.Module):
    """A body whose output is the embedding, and a linear head."""

    def __init__(self, body: nn.Module, dimensions: int, classes: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(dimensions, classes)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and logits (B, C)."""
        embedded = self.body(inputs)
        return embedded, self.head(embedded)


class Pooled(nn.Module):
    """The mean over the places of what blocks make of an image."""

    def __init__(self, blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.blocks(inputs).mean((2, 3)))


class Residual(nn.Module):
    """A hidden layer whose output is added; nothing at first."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimensions)
        self.inner, self.outer = (
            nn.Linear(dimensions, 4 * dimensions),
            nn.Linear(4 * dimensions, dimensions),
        )
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + torch.as_tensor(
            self.outer(nn.functional.gelu(self.inner(self.norm(inputs))))
        )


def principal_axes(
    rows: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (D,) and first axes (D, ``count``), divided by the root mean square along them."""
    mean = rows.mean(axis=0)
    centred = (rows - mean).astype(np.float64)
    power, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    kept = axes[:, ::-1][:, :count]
    size = np.sqrt(power[::-1][:count].mean())
    return mean, np.asarray(kept / size, dtype=np.float32)


def efficientnet(folder: Path) -> Any:
    """The pretrained model, its running means fit for a short training."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).timm_model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return model


def frozen_features(model: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Output of the frozen blocks for images and the same mirrored, shape (2, N, *`FEATURES`)."""
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    model.eval()
    found = np.empty((2, len(pixels), *FEATURES), dtype=np.float16)
    for start in range(0, len(pixels), 128):
        some = torch.from_numpy(pixels[start : start + 128]).permute(0, 3, 1, 2).float() / 255
        large = nn.functional.interpolate(some, size=SIDE, mode="bicubic", antialias=True)
        whole = ((large - mean) / std).contiguous(memory_format=torch.channels_last)
        for side, seen in enumerate((whole, whole.flip(3))):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                out = model.bn1(model.conv_stem(seen))
                for block in model.blocks[:FROZEN]:
                    out = block(out)
            found[side, start : start + 128] = out.float().numpy()
    return found


def pooled_features(model: Any, features: NDArray[np.float16]) -> NDArray[np.float16]:
    """The pretrained network's own embeddings of what its frozen blocks made, (2, N, 1280)."""
    model.eval()
    found = np.empty((*features.shape[:2], 1280), dtype=np.float16)
    for side in range(2):
        for start in range(0, features.shape[1], 256):
            out = torch.from_numpy(np.array(features[side, start : start + 256])).float()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                for block in model.blocks[FROZEN:]:
                    out = block(out)
                pooled = model.bn2(model.conv_head(out)).mean((2, 3))
            found[side, start : start + 256] = pooled.float().numpy()
    return found


@dataclass(frozen=True)
class Plan:
    """How long and how fast."""

    epochs: int
    batch: int
    rate: float
    checkpoints: int
    """Step 0 and the last among them."""

    def steps(self, images: int) -> int:
        return self.epochs * max(1, images // self.batch)

    def stops(self, images: int) -> list[int]:
        """Steps to observe at."""
        steps = np.linspace(0, self.steps(images), self.checkpoints)
        return [round(step) for step in steps.tolist()]


def train(
    model: Classifier,
    inputs: NDArray[np.floating],
    labels: NDArray[np.integer],
    plan: Plan,
    observe: Callable[[], None],
    *,
    seed: int,
) -> None:
    """AdamW with a rate that falls to nothing; ``inputs``, shape (2, N, …), are the images and the
    same mirrored, one of which is drawn each time."""
    total, steps, stops = len(labels), plan.steps(len(labels)), set(plan.stops(len(labels)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.05)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.1 * steps), 1.02 - step / steps)
    )
    random = np.random.default_rng([seed, 1])
    order: list[int] = []
    for step in range(steps + 1):
        if step in stops:
            observe()
        if step == steps:
            break
        model.train()
        if len(order) < plan.batch:
            order = random.permutation(total).tolist()
        chosen, order = np.array(order[: plan.batch]), order[plan.batch :]
        seen = torch.from_numpy(inputs[random.integers(0, 2, len(chosen)), chosen]).float()
        if seen.ndim == 4:
            seen = seen.contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(model(seen)[1], torch.from_numpy(labels[chosen]))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        falling.step()


def look(
    model: Classifier, inputs: NDArray[np.floating]
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Embeddings (N, D) and log-probabilities (N, C)."""
    model.eval()
    embedded, likely = [], []
    for start in range(0, len(inputs), 256):
        seen = torch.from_numpy(inputs[start : start + 256]).float()
        with torch.no_grad():
            embedding, logits = model(seen)
        embedded.append(embedding.numpy().astype(np.float16))
        likely.append(logits.log_softmax(1).numpy())
    return np.concatenate(embedded), np.concatenate(likely)
