"""Reads ``config.json`` of a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLASSIFIERS = (
    "ForImageClassification",
    "ForImageClassificationWithTeacher",
    "ForImageClassificationLearned",
    "ForImageClassificationFourier",
    "ForImageClassificationConvProcessing",
)
"""How transformers names architectures with a classification head."""


def read_config(source: str) -> dict[str, Any]:
    """The model's ``config.json``; empty for a Hub name."""
    path = Path(source) / "config.json"
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def hub_file(name: str, title: str) -> Path | None:
    """A file of a model of the Hub in the Hub's cache; None where it is not there. Asks no
    server."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        file = try_to_load_from_cache(name, title)
    except (HFValidationError, OSError):
        return None
    return Path(file) if isinstance(file, str) else None


def hub_config(name: str) -> dict[str, Any]:
    """The ``config.json`` of a model in the Hub's cache; empty where it is not there."""
    file = hub_file(name, "config.json")
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of a timm model, as timm or transformers' wrapper writes it."""
    return "pretrained_cfg" in config and "architecture" in config
