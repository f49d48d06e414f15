"""Reads ``config.json`` of a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_config(source: str) -> dict[str, Any]:
    """The model's ``config.json``; empty for a Hub name."""
    path = Path(source) / "config.json"
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def hub_config(name: str) -> dict[str, Any]:
    """The ``config.json`` of a model of the Hub, from the Hub's cache; empty where it is not there.
    Asks no server."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        file = try_to_load_from_cache(name, "config.json")
        content = (
            json.loads(Path(file).read_text(encoding="utf-8")) if isinstance(file, str) else {}
        )
    except (HFValidationError, OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of a timm model, as timm or transformers' wrapper writes it."""
    return "pretrained_cfg" in config and "architecture" in config
