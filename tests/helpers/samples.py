"""Small real images and small real models for the tests."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def need(present: bool, what: str) -> None:
    """Skip a test that needs something this machine lacks.

    Where ``REVIEW_EMBEDDINGS_NO_SKIP`` names it (words separated by commas), the test fails
    instead.
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


def write_splits(folder: Path, **counts: int) -> Path:
    """An image folder with a folder a split and in it one a class, so many images of each class; no
    image is there twice."""
    for number, (split, count) in enumerate(counts.items()):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for place in range(count):
                picture(label, seed=10_000 * number + 100 * label + place).save(
                    folder / split / name / f"{place:02d}.png"
                )
    return folder


def tiny_vit(**options: Any) -> Any:
    """Configuration of a ViT that is trained in a moment."""
    from transformers import ViTConfig

    return ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        **options,
    )


def save_checkpoint(
    folder: Path, *, seed: int, step: int, classes: list[str] | None = None, head: bool = True
) -> Path:
    """A tiny ViT with random weights as the Trainer saves it."""
    import torch
    from transformers import ViTForImageClassification, ViTImageProcessorPil, ViTModel

    names = CLASSES if classes is None else classes
    config = tiny_vit(
        id2label=dict(enumerate(names)), label2id={name: index for index, name in enumerate(names)}
    )
    torch.manual_seed(seed)
    model = ViTForImageClassification(config) if head else ViTModel(config)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    history = [
        {"step": at, "loss": 2.0 - at / 100, "epoch": at / 50} for at in range(10, step + 1, 10)
    ]
    state = {"global_step": step, "epoch": step / 50, "max_steps": 100, "log_history": history}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder


def save_start_model(folder: Path, kind: str = "vit", *, dropout: float = 0.0) -> Path:
    """A tiny untrained backbone without a head as a model folder: ``vit`` or ``swin`` of
    transformers, or a ``timm`` one."""
    import torch
    from transformers import SwinConfig, SwinModel, ViTImageProcessorPil, ViTModel

    torch.manual_seed(0)
    model: Any
    if kind == "vit":
        model = ViTModel(tiny_vit(hidden_dropout_prob=dropout))
    elif kind == "swin":
        model = SwinModel(
            SwinConfig(
                image_size=16,
                patch_size=2,
                embed_dim=8,
                depths=[1, 1],
                num_heads=[1, 2],
                window_size=4,
                drop_path_rate=dropout,
            )
        )
    else:
        return _save_timm_model(folder)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def _save_timm_model(folder: Path) -> Path:
    """timm's own tiny ViT for tests, in the form in which the Hub has timm models."""
    import timm
    from safetensors.torch import save_file

    model = timm.create_model("test_vit", pretrained=False, num_classes=1000)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})
    settings = {
        name: value
        for name, value in model.pretrained_cfg.items()
        if name not in {"url", "hf_hub_id", "file", "state_dict"}
    }
    config = {
        "architecture": "test_vit",
        "num_classes": 1000,
        "num_features": model.num_features,
        "pretrained_cfg": settings,
    }
    (folder / "config.json").write_text(json.dumps(config, default=list))
    return folder


PAINTING_STYLES = [f"style {number:02d}" for number in range(27)]


def write_paintings(folder: Path) -> Path:
    """A data set like painting-style-classification: configuration ``full``, three splits,
    ``image`` and ``labels``.

    27 unbalanced classes; JPEGs of different sizes, some of them large. Each style is a colour, so
    that it can be learnt.
    """
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "labels": datasets.ClassLabel(names=PAINTING_STYLES)}
    )
    generator = np.random.default_rng(27)
    colours = generator.integers(30, 226, (27, 3))
    for split, most in (("train", 8), ("validation", 3), ("test", 3)):
        files, labels = [], []
        for label in range(27):
            for _ in range(max(1, round(most / (1 + label / 6)))):
                width, height = (int(side) for side in generator.integers(60, 900, 2))
                noise = generator.integers(-30, 31, (max(1, height // 8), max(1, width // 8), 3))
                pixels = Image.fromarray(
                    (colours[label] + noise).clip(0, 255).astype(np.uint8)
                ).resize((width, height))
                files.append({"bytes": encoded(pixels, "JPEG", quality=85), "path": None})
                labels.append(label)
        (folder / "full").mkdir(parents=True, exist_ok=True)
        rows = datasets.Dataset.from_dict({"image": files, "labels": labels}, features=features)
        rows.to_parquet(str(folder / "full" / f"{split}.parquet"))
    names = "".join(f"          '{index}': {name}\n" for index, name in enumerate(PAINTING_STYLES))
    splits = "".join(
        f"  - split: {split}\n    path: full/{split}.parquet\n"
        for split in ("train", "validation", "test")
    )
    (folder / "README.md").write_text(
        "---\ndataset_info:\n- config_name: full\n  features:\n  - name: image\n    dtype: image\n "
        " - name: labels\n    dtype:\n"
        f"      class_label:\n        names:\n{names}configs:\n- config_name: full\n  "
        f"data_files:\n{splits}---\n"
    )
    return folder
