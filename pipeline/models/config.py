"""Reads ``config.json`` of a model folder, and other small JSON files of trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.checksums import read_once

CONFIG = "config.json"
UNWRITTEN_CLASSES = 2
"""Classes of a head whose configuration does not say how many: transformers leaves 2 out."""

CLASSIFIERS = (
    "ForImageClassification",
    "ForImageClassificationWithTeacher",
    "ForImageClassificationLearned",
    "ForImageClassificationFourier",
    "ForImageClassificationConvProcessing",
)
"""How transformers names architectures with a classification head."""


def read_config(source: str) -> dict[str, Any]:
    """The model's ``config.json``; empty for a Hub name. Raises CheckpointError where it cannot be
    read."""
    path = Path(source) / CONFIG
    return dict(read_once(path, read_object)) if path.is_file() else {}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises CheckpointError where it does not."""
    try:
        content = read_json_file(path)
    except OSError as error:
        raise_unavailable(error, path)
        raise CheckpointError(f"{path} cannot be read: {reason_of(error)}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is cut off or no JSON: {reason_of(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no settings. Copy it from where it was saved.")
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
        content = read_json_file(file) if file else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of a timm model, as timm or transformers' wrapper writes it."""
    return "pretrained_cfg" in config and "architecture" in config
