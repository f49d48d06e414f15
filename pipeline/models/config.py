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


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of a timm model, as timm or transformers' wrapper writes it."""
    return "pretrained_cfg" in config and "architecture" in config
