"""Small real images and small real models for the tests."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def need(present: bool, what: str) -> None:
    """Skip a test that needs something this machine lacks.

    Where ``REVIEW_EMBEDDINGS_NO_SKIP`` names it (words separated by commas), the test fails instead.
    """
    if not present:
        demanded = filter(None, os.environ.get("REVIEW_EMBEDDINGS_NO_SKIP", "").split(","))
        if any(word in what for word in demanded):
            pytest.fail(f"{what} is missing, and may not be")
        pytest.skip(f"{what} is missing")


CLASSES = ["blue", "green", "red"]


def picture(label: int, seed: int, size: int = 16) -> Image.Image:
    """Noise in the colour of its class: blue, green or red."""
    pixels = np.random.default_rng(seed).integers(0, 120, (size, size, 3))
    pixels[..., 2 - label] += 120
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save_checkpoint(folder: Path, *, seed: int, step: int, classes: list[str] | None = None, head: bool = True) -> Path:
    """A tiny ViT with random weights as the Trainer saves it."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil, ViTModel

    names = CLASSES if classes is None else classes
    config = ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    torch.manual_seed(seed)
    model = ViTForImageClassification(config) if head else ViTModel(config)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    history = [{"step": at, "loss": 2.0 - at / 100, "epoch": at / 50} for at in range(10, step + 1, 10)]
    state = {"global_step": step, "epoch": step / 50, "max_steps": 100, "log_history": history}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder
