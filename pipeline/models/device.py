"""Picks the device of the forward pass and the arithmetic that is fastest on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import SettingsError

if TYPE_CHECKING:
    import torch


AUTO_PRECISIONS = ("fp16", "fp32")
"""What `AUTO` takes. On fine-tuned checkpoints float16 left the ranks of outliers as they are,
bfloat16 did not (benchmark ``precision``)."""

FP16_CAPABILITY = 7
"""Major CUDA compute capability from which GPUs multiply float16 at least twice as fast."""

FP16_INSTRUCTIONS = ("avx512_fp16", "amx_fp16")
"""With either, CPUs multiply float16 twice as fast; without, many times slower than float32."""

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def pick_device(name: str | None) -> torch.device:
    """The named device, or the best there is: CUDA, then Apple's MPS, then the CPU. Raises
    SettingsError for one that is not there."""
    import torch

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).tolist()  # the device "meta" holds nothing
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingsError(
            f"There is no device {name!r} here. Use --device cpu, or leave it out."
        ) from error
    return device


def fastest_precision(device: str | None) -> str:
    """The one of `AUTO_PRECISIONS` for a device: float16 where the hardware multiplies it.

    Not measured: on a busy machine products of float32 wait for a thread that does not run, so two
    runs of one command would compute in different precisions.
    """
    import torch

    target = pick_device(device)
    if target.type == "cuda":
        fast = torch.cuda.get_device_capability(target)[0] >= FP16_CAPABILITY
    else:
        fast = target.type == "cpu" and any(map(cpu_capabilities().get, FP16_INSTRUCTIONS))
    return "fp16" if fast else "fp32"


def has_bf16(on_cpu: bool = False) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32."""
    import torch

    if torch.cuda.is_available() and not on_cpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.mps.is_available() and not on_cpu:
        return False
    found = cpu_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def cpu_capabilities() -> Mapping[str, object]:
    """Instruction sets of the CPU by name; empty where torch cannot tell."""
    import torch

    read = getattr(torch.cpu, "get_capabilities", None)
    return dict(read()) if read else {}


def free_memory(device: torch.device) -> None:
    """Let go of the accelerator memory that a failed batch has taken."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
