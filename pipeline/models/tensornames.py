"""Names of a model's tensors in the files that transformers writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def names_in_file(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Under which name a saved file has each tensor of a model: transformers renames some. How it
    does is not public, so `holds` checks."""
    try:
        from transformers.core_model_loading import revert_weight_conversion

        saved = revert_weight_conversion(model, dict(state))
    except (ImportError, AttributeError, KeyError, TypeError, RuntimeError, ValueError):
        saved = dict(state)
    names = {id(tensor): name for name, tensor in state.items()}
    return {name: names[id(tensor)] for name, tensor in saved.items() if id(tensor) in names}
