"""The device that a fine-tuning runs on: whether it is there, and how a Trainer is kept on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.models.device import pick_device


def check_device(device: str | None, values: Mapping[str, Any], *, is_new: bool) -> None:
    """Raise SettingsError for a device that is not there or that no Trainer can be kept on.

    ``values`` are parsed fields of TrainingArguments; ``is_new`` says that the device is given now,
    and not that of a training that goes on.
    """
    if device is None:
        return
    try:
        found = pick_device(device)
    except SettingsError as error:
        if is_new:
            raise
        raise SettingsError(
            f"The training ran on {device}, which is not here. Name another device with --device, "
            f"such as --device cpu."
        ) from error
    if values.get("use_cpu") not in {None, found.type == "cpu"}:
        raise SettingsError(
            f"--set use_cpu={str(values['use_cpu']).lower()} contradicts --device {device}. Leave "
            f"one of them out."
        )
    if found.index is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError(
            f"--device {device} is a single device, and several processes train. Name the kind "
            f"alone ({found.type}), or start one process."
        )


def keep_on(arguments: Any, device: str | None) -> None:
    """Keep the Trainer of these TrainingArguments on one GPU of several.

    By itself it takes the first one and copies the model to all others. It asks these places for
    the device: its arguments, accelerate's state, and torch for what is "cuda".
    """
    import torch

    pinned = None if device is None else torch.device(device)
    if pinned is None or pinned.index is None or pinned.type == "cpu":
        return
    getattr(torch, pinned.type).set_device(pinned)
    arguments._n_gpu = 1
    arguments.__dict__["_setup_devices"] = pinned
    arguments.distributed_state.device = pinned


def training_arithmetic(arguments: Any) -> str:
    """Device and arithmetic of a training, for people."""
    mixed = "bfloat16" if arguments.bf16 else "float16" if arguments.fp16 else None
    gpus = f"{arguments.n_gpu} GPUs" if arguments.n_gpu > 1 else str(arguments.device)
    return f"{gpus} in {f'mixed precision ({mixed})' if mixed else 'float32'}"
