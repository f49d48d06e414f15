"""Picks the device of the forward pass and the arithmetic that is fastest on it."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import SettingsError

if TYPE_CHECKING:
    import torch


OF_AUTO = ("fp16", "fp32")
"""What `AUTO` takes. On fine-tuned checkpoints float16 left the ranks of outliers as they are,
bfloat16 did not (benchmark ``precision``)."""

MIN_FP16_SPEEDUP = 1.5
"""How many times as fast float16 products must be for `AUTO` to take it."""

TIMED_SIDE = {"cpu": 256}
"""Side of the matrices whose product is timed, by the type of the device."""

DEFAULT_TIMED_SIDE = 2048

TIMED_REPEATS = 5

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
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"There is no device {name!r} here. Use --device cpu, or leave it out."
        ) from error
    return device


@cache
def fastest_precision(device: str | None) -> str:
    """Of `OF_AUTO` that in which this device computes: float16 where its products are much
    faster, as on GPUs and some CPUs."""
    import torch

    target = pick_device(device)
    side = TIMED_SIDE.get(target.type, DEFAULT_TIMED_SIDE)
    seconds = {}
    for name in OF_AUTO:
        matrix = torch.ones(side, side, dtype=getattr(torch, DTYPES[name]), device=target)
        seconds[name] = min(_product_seconds(matrix) for _ in range(TIMED_REPEATS))
    return "fp16" if seconds["fp16"] * MIN_FP16_SPEEDUP < seconds["fp32"] else "fp32"


def _product_seconds(matrix: torch.Tensor) -> float:
    started = time.perf_counter()
    float((matrix @ matrix)[0, 0])  # waits for the device
    return time.perf_counter() - started


def has_bf16(on_cpu: bool = False) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32."""
    import torch

    if torch.cuda.is_available() and not on_cpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.mps.is_available() and not on_cpu:
        return False
    read = getattr(torch.cpu, "get_capabilities", None)
    found = read() if read else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of its accelerator does not
    suffice."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
    )


def free_memory(device: torch.device) -> None:
    """Let go of the accelerator memory that a failed batch has taken."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
