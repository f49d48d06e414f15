"""Picks the device of the forward pass and the arithmetic that is fastest on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import SettingsError

if TYPE_CHECKING:
    import torch


AUTOCAST = "-autocast"
"""Ends the name of a half precision in which products alone are computed: norms, softmax and sums
stay in float32, as do the weights that are kept. Without it weights and values are cast, as
earlier versions did."""

AUTOCAST_DEVICES = ("cpu", "cuda")
"""Where that was faster and closer to float32 than casting; elsewhere it was not measured."""

AUTO_PRECISIONS = ("fp32", "fp16", "fp16-autocast", "bf16-autocast")
"""In what embeddings may stand that were made by `AUTO`, of this version or an earlier one."""

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


@dataclass(frozen=True)
class Arithmetic:
    """In what a model computes."""

    weights: torch.dtype
    """Of parameters, and of what the model is given."""
    products: torch.dtype | None = None
    """Of what torch casts in products; None where nothing is cast."""

    @classmethod
    def of(cls, precision: str) -> Arithmetic:
        """By its name: one of `DTYPES`, or that of a half precision with `AUTOCAST`."""
        import torch

        name = precision.removesuffix(AUTOCAST)
        dtype = getattr(torch, DTYPES[name])
        return cls(torch.float32, dtype) if precision != name else cls(dtype)

    @property
    def coarsest(self) -> torch.dtype:
        """The type whose rounding shows in what comes out."""
        return self.products or self.weights

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Compute in it."""
        import torch

        casts = self.products is not None
        with torch.autocast(device.type, self.products) if casts else nullcontext():
            yield


def half_precision(name: str, device: str | None) -> str:
    """How ``bf16`` or ``fp16`` is computed on a device."""
    return name + AUTOCAST if pick_device(device).type in AUTOCAST_DEVICES else name


def fast_half(device: str | None) -> str | None:
    """The half precision that a device's hardware multiplies faster than float32, float16 before
    bfloat16, whose values have three bits fewer; None for none, and where none was measured."""
    import torch

    target = pick_device(device)
    if target.type == "cuda":
        capable = torch.cuda.get_device_capability(target)[0] >= FP16_CAPABILITY
        return half_precision("fp16", device) if capable else None
    if target.type != "cpu":
        return None
    if any(map(cpu_capabilities().get, FP16_INSTRUCTIONS)):
        return half_precision("fp16", device)
    return half_precision("bf16", device) if has_bf16(on_cpu=True) else None


def device_title(name: str | None) -> str:
    """What tells a device from others: the model of a GPU or a processor."""
    import torch

    target = pick_device(name)
    if target.type == "cuda":
        return torch.cuda.get_device_name(target)
    return f"{target.type} {cpu_capabilities().get('cpu_name', '')}".strip()


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
