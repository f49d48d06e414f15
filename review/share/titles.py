"""What a film and a shared page are of: model, data set and length of the training."""

from __future__ import annotations

import re
from pathlib import Path

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.models.config import read_config
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.resume import read_options

MEANINGLESS = {"", ".", "..", "base", "checkpoints", "data", "dataset", "images", "model", "models"}
"""Names of folders that say nothing of what lies in them."""


def title_of(run: RunFolder, steps: int) -> str:
    """As "vit-base-patch16-224 on cifar10 · 1,560 steps"; what is not known is left out."""
    model, data = _model(run), _dataset(run)
    names = " on ".join(name for name in (model, data) if name)
    length = f"{steps:,} steps" if steps > 1 else ""
    return " · ".join(part for part in (names, length) if part)


def _model(run: RunFolder) -> str:
    """The name of the model that the training began with or, where that is a folder of no name,
    its kind."""
    info = run.read_info()
    sources = [info.base if info else None]
    try:
        training = read_options(run)
        sources.append(training.model if training else None)
        config = read_config(str(run.path))
    except ReviewError:  # a title needs neither
        config = {}
    named = config.get("_name_or_path")
    sources.append(named if isinstance(named, str) else None)
    kind = config.get("model_type")
    names = [_last(source) for source in sources if source]
    return next(filter(None, names), kind if isinstance(kind, str) else "")


def _dataset(run: RunFolder) -> str:
    info = run.read_info()
    name = _last(info.dataset.source) if info else ""
    return name or _last(str(run.path.resolve()))


def _last(source: str) -> str:
    """The last part of a path or of a Hub name that says something."""
    parts = [part for part in re.split(r"[/\\]", source) if part]
    name = Path(parts[-1]).name if parts else ""
    return "" if name.lower() in MEANINGLESS or name.startswith("checkpoint-") else name
