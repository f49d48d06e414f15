"""Puts low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) onto an image classifier through
peft: the base model stays as it is, the adapter and the head are trained and saved."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError, reason_of
from review_embeddings.pipeline.models.classifier import size_options
from review_embeddings.pipeline.models.forms.adapters.form import INSTALL_PEFT
from review_embeddings.pipeline.models.forms.adapters.merging import (
    MISFITS,
    head_modules,
    put_tensors,
)
from review_embeddings.pipeline.models.libraries import quiet_transformers
from review_embeddings.pipeline.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

ALPHA_FACTOR = 2
"""The scale alpha is so many times the rank: the product of the two matrices counts twofold,
whatever the rank."""

LORA_LEARNING_RATE = 5e-4
"""Ten times the one of a whole model: what is trained begins at zero and is small."""

ALL_LINEAR = "all-linear"
"""What peft calls every linear layer but the head."""


def check_lora(rank: int | None) -> None:
    """Raise SettingsError for a rank that is none, and where peft is not installed."""
    if rank is None:
        return
    if rank < 1:
        raise SettingsError(f"--lora {rank} is out of range. Use a rank of 1 or more.")
    if importlib.util.find_spec("peft") is None:
        raise SettingsError(
            f"--lora needs peft, which is not installed. Install it: {INSTALL_PEFT}"
        )


def with_lora(model: Any, rank: int, *, seed: int, source: str) -> Any:
    """The classifier of transformers with adapters of this rank, as a model of peft; ``source``
    names the model it was loaded from. Raises SettingsError where it has no layer that takes one.

    The head is trained as a whole, and so are batch norms: their running statistics change in any
    training, and an adapter without them would not be the model that was trained.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    inner = model.config
    inner.architectures = [type(model).__name__]
    saved = [*head_modules(inner.to_dict(), type(model).__name__), *_batch_norms(model)]
    targets = _targets(model, saved)
    if not targets:
        raise SettingsError(
            f"The model {source} has no layer that takes adapters: no linear layer below its head, "
            f"and no convolution that uses its weights as they are. Leave --lora out."
        )
    config = LoraConfig(
        r=rank,
        lora_alpha=ALPHA_FACTOR * rank,
        target_modules=targets,
        modules_to_save=saved,
        base_model_name_or_path=source,
    )
    torch.manual_seed(seed)
    try:
        with quiet_transformers():
            adapted = get_peft_model(model, config)
    except MISFITS as error:
        raise SettingsError(
            f"The model {source} takes no adapters of rank {rank}: {reason_of(error)} Leave --lora "
            f"out, or use another rank."
        ) from error
    config.base_model_name_or_path = source
    # else peft asks the Hub at every save whether the base model's vocabulary has changed
    adapted.save_pretrained = functools.partial(
        adapted.save_pretrained, save_embedding_layers=False
    )
    return adapted


def check_runs(model: Any, pixels: Any, *, source: str) -> None:
    """Raise SettingsError where a model cannot take images (B, 3, height, width) with adapters on
    it: some read attributes of layers that peft's do not have."""
    import torch

    try:
        with torch.inference_mode():
            model.eval()(pixel_values=pixels, **size_options(model, pixels))
    except MISFITS as error:
        raise SettingsError(
            f"The model {source} does not run with adapters: {reason_of(error)} Leave --lora out."
        ) from error
    finally:
        model.train()


def note_lora(model: Any, rank: int, progress: Progress) -> None:
    """Tell what is trained."""
    trained, total = model.get_nb_trainable_parameters()
    progress.note(
        f"LoRA of rank {rank}, alpha {ALPHA_FACTOR * rank}: {trained:,} of {total:,} parameters "
        f"are trained ({trained / total:.1%}), the head among them"
    )


def load_adapter(model: Any, folder: Path) -> Any:
    """The model of peft with the tensors that were saved in a folder. Raises CheckpointError where
    these are damaged."""
    put_tensors(model, folder)
    return model


def trained_bytes(model: Any) -> int:
    """Bytes of a saved adapter."""
    tensors = (tensor for tensor in model.parameters() if tensor.requires_grad)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _targets(model: Any, saved: list[str]) -> str | list[str]:
    """All linear layers below the head; the convolutions of a model that has no others."""
    import torch

    linear = [name for name in _named(model, torch.nn.Linear) if not _inside(name, saved)]
    if linear:
        return ALL_LINEAR
    convolutions = ((name, model.get_submodule(name)) for name in _named(model, torch.nn.Conv2d))
    return [
        name
        for name, layer in convolutions
        if type(layer) is torch.nn.Conv2d and layer.groups == 1  # others change their weights first
    ]


def _batch_norms(model: Any) -> list[str]:
    from torch.nn.modules.batchnorm import _BatchNorm

    return list(_named(model, _BatchNorm))


def _named(model: Any, kind: type) -> Iterator[str]:
    return (name for name, module in model.named_modules() if isinstance(module, kind))


def _inside(name: str, modules: list[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)
