"""Checks that a fine-tuning fits on the disk before it begins. Estimates, writes nothing."""

from __future__ import annotations

import shutil
from typing import Any

from review_embeddings.pipeline.errors import StorageError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.lora import trained_bytes
from review_embeddings.pipeline.training.setup import Setup

STATE_SIZE = 3
"""A full state holds the weights and two moments of the optimizer for each."""

DEFAULT_DIMENSION = 1024
"""Of the embeddings of a model whose configuration does not say it."""

VALUE_BYTES = 4
"""Bytes of a stored float32 value."""

CHANNELS = 3

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def check_disk(run: RunFolder, setup: Setup, *, has_state: bool) -> None:
    """Raise StorageError where the run will not fit on the disk; ``has_state`` says whether a full
    state of the training is there already."""
    parts = _needed(run, setup, has_state=has_state)
    needed, free = sum(parts.values()), _free_bytes(run)
    if needed <= free:
        return
    listed = ", ".join(f"{name}: {_with_unit(size)}" for name, size in parts.items())
    raise StorageError(
        f"This fine-tuning needs {_with_unit(needed)} in {run} ({listed}), and {_with_unit(free)} "
        f"are free. Ask for fewer --frames, {'' if setup.request.embed else '--embed and '}--keep "
        f"first,last, or another --run."
    )


def _needed(run: RunFolder, setup: Setup, *, has_state: bool) -> dict[str, int]:
    """Bytes of what will be written, by what it is."""
    plan, weights = setup.plan, _weight_bytes(setup)
    missing = sum(not run.checkpoint(step).is_dir() for step in plan.kept)
    kept = missing + (plan.best_metric is not None)
    states = 1 if has_state else 2
    parts = {
        f"{kept} checkpoints of {_with_unit(weights)}": kept * weights,
        "the state to resume from, twice while it is replaced": states * STATE_SIZE * weights,
    }
    if setup.request.embed:
        images = len(setup.splits.review.rows)
        images = min(images, setup.request.probe or images)
        values = _dimension(setup.model) + len(setup.splits.classes)
        parts[f"embeddings of {images:,} images at {len(plan.frames)} checkpoints"] = (
            len(plan.frames) * images * VALUE_BYTES * values
        )
        parts["preprocessed images"] = images * CHANNELS * setup.side**2
    return parts


def _weight_bytes(setup: Setup) -> int:
    """Of a saved checkpoint."""
    model = setup.model
    if setup.request.lora is not None:
        return trained_bytes(model)
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def _dimension(model: Any) -> int:
    sizes = (getattr(model.config, name, 0) for name in ("hidden_size", "num_features"))
    return int(next((size for size in sizes if size), DEFAULT_DIMENSION))


def _free_bytes(run: RunFolder) -> int:
    path = run.path.resolve()
    folder = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(folder).free


def _with_unit(size: float) -> str:
    for unit, factor in UNITS:
        if size >= factor:
            digits = 2 if size < 10 * factor else 0
            return f"{size / factor:,.{digits}f} {unit}"
    return f"{size:.0f} bytes"
