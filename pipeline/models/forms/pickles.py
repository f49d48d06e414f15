"""Reads pickles of tensors through torch's restricted reader, which runs no code of the file."""

from __future__ import annotations

import argparse
import pathlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.forms.looks import (
    ZIP,
    first_bytes,
    is_lfs_pointer,
    lfs_answer,
)

if TYPE_CHECKING:
    import torch

STATE_KEYS = ("state_dict", "model_state_dict", "model", "module", "net")
"""Under which trainers keep the weights beside other things."""


def read_pickle(path: Path, title: str, *, mapped: bool = False) -> Any:
    """What ``torch.save`` wrote; with ``mapped`` no tensor is read before it is needed, where the
    file's form allows it.

    Raises CheckpointError, in which the model is called ``title``, for a file that is damaged or
    holds more than tensors, plain values and `harmless_types`.
    """
    import torch

    try:
        with torch.serialization.safe_globals(harmless_types()):
            mapped = mapped and first_bytes(path, len(ZIP)) == ZIP
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # what a damaged or hostile pickle raises has no common base class
        raise_unavailable(error, path)
        raise CheckpointError(f"{title} cannot be loaded: {_reason(path, error)}") from error


def harmless_types() -> list[Any]:
    """Types that trainers put beside tensors; making one of these runs nothing else."""
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")}
    return [
        argparse.Namespace,
        pathlib.PosixPath,
        pathlib.PurePosixPath,
        np.dtype,
        *sorted(dtypes, key=str),
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
    ]


def _reason(path: Path, error: Exception) -> str:
    if is_lfs_pointer(path):
        return lfs_answer(path)
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked:
        return (
            f"{path.name} is a pickle that asks for {asked[1]}, which could run code, so it is not "
            f"opened. Save its model with save_pretrained, or its state_dict alone."
        )
    if "weights_only" in str(error) or isinstance(error, (EOFError, RuntimeError)):
        return f"{path.name} is cut off, or no file of torch.save that holds weights alone."
    return f"{path.name}: {reason_of(error)}"


def tensors_of(content: Any) -> dict[str, torch.Tensor]:
    """The tensors by name in what a pickle held, itself or under one of `STATE_KEYS`; empty where
    there are none."""
    import torch

    if not isinstance(content, Mapping):
        return {}
    found = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    if found:
        return found
    inner = (content[key] for key in STATE_KEYS if isinstance(content.get(key), Mapping))
    return next(filter(None, map(tensors_of, inner)), {})
