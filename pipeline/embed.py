"""Turns a checkpoint and prepared images into one vector an image and, where there is a classifier,
class probabilities.

One forward pass gives both. It does not find checkpoints, read images or keep results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.checkpoints import Checkpoint, is_timm, read_config
from pipeline.errors import CheckpointError, SettingsError, reason_of
from pipeline.libraries import import_transformers, quiet_transformers, require_timm
from pipeline.models import size_options
from pipeline.pixels import Pixels

if TYPE_CHECKING:
    import torch

POOLINGS = ("auto", "cls", "pooled", "mean")
AUTO = "auto"
PRECISIONS = (AUTO, "fp32", "bf16", "fp16")
OF_AUTO = ("fp16", "fp32")
"""What `AUTO` takes. On fine-tuned checkpoints float16 left the ranks of outliers as they are,
bfloat16 did not (benchmark ``precision``)."""

WORTH_IT = 1.5
"""How many times as fast float16 products must be for `AUTO` to take it."""

CLASSIFIERS = ("ForImageClassification", "ForImageClassificationWithTeacher")
"""How transformers names architectures with a classification head."""

BATCH_SIZE_CPU = 16
"""Batches of 8 to 24 were the fastest on CPUs; larger ones only cost memory."""

BATCH_SIZE_ACCELERATOR = 256
"""To start with; halved for as long as the memory does not suffice."""


@dataclass(frozen=True)
class Head:
    """The classes a checkpoint tells apart."""

    names: list[str] | None
    """Their names in the order of its outputs; None where the checkpoint only numbers them."""
    count: int

    @staticmethod
    def of(config: dict[str, Any]) -> Head | None:
        """The head that a checkpoint's ``config.json`` describes; None where it has none."""
        classifies = any(name.endswith(CLASSIFIERS) for name in config.get("architectures") or [])
        of_timm = is_timm(config) and bool(config.get("num_classes"))
        if not (classifies or of_timm):
            return None
        names = config.get("id2label") or dict(enumerate(config.get("label_names") or []))
        if not names:
            count = int(
                config.get("num_labels") or config.get("num_classes") or 2
            )  # transformers leaves 2 classes unwritten
            return Head(None, count)
        ordered = [str(names[key]) for key in sorted(names, key=int)]
        numbered = all(name == f"LABEL_{index}" for index, name in enumerate(ordered))
        return Head(None if numbered else ordered, len(ordered))


class NotFiniteError(CheckpointError):
    """A checkpoint gives values that are not finite."""


class Encoder:
    """A loaded checkpoint that turns pixel values into embeddings and class probabilities."""

    def __init__(
        self,
        model: Any,
        *,
        pooling: str,
        device: torch.device,
        dtype: torch.dtype,
        name: str,
        missing: set[str],
    ) -> None:
        self._model = model
        self.device, self._dtype = device, dtype
        self._pooling = pooling
        self._name = name
        self._missing = missing
        self._timm = getattr(model, "timm_model", None)
        base = model.base_model if self._timm is None else self._timm
        self._has_cls = any(
            key == "cls_token" or key.endswith(".cls_token") for key, _ in base.named_parameters()
        )
        self._captured: Any = None
        self._names: dict[str, str] = {}
        if self._timm is None:
            base.register_forward_hook(self._capture)

    def cast(self, precision: str) -> None:
        """Compute in another of `PRECISIONS` from now on."""
        import torch

        self._dtype = getattr(torch, DTYPES[precision])
        self._model.to(self._dtype)

    def take(self, weights: Mapping[str, torch.Tensor], device: torch.device, *, name: str) -> None:
        """Take over the weights of a model of the same kind, cast to the precision of this one."""
        self._model.to(device)
        self.device, self._name = device, name
        self._model.load_state_dict(weights)

    def holds(self, stored: Mapping[str, torch.Tensor]) -> bool:
        """Whether the weights of a file are all that this has: then those of files with the same
        names can be taken by `take_stored`."""
        own = self._model.state_dict()
        self._names = _names_in_file(self._model, own)
        return self._names.keys() == stored.keys() and all(
            own[self._names[name]].shape == value.shape
            and bool((own[self._names[name]] == value.to(own[self._names[name]])).all())
            for name, value in stored.items()
        )

    def take_stored(self, stored: Mapping[str, torch.Tensor], *, name: str) -> None:
        """Take over the weights of another file, which has the names and shapes of the one that
        `holds` was asked about."""
        self.take(
            {self._names[title]: value for title, value in stored.items()}, self.device, name=name
        )

    def _capture(self, module: Any, inputs: Any, output: Any) -> None:
        self._captured = output

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pixel values (B, 3, height, width) to embeddings (B, D) and probabilities (B, C) or None;
        both float32."""
        import torch

        with torch.inference_mode():
            pixels = pixels.to(self.device, self._dtype)
            hidden, pooled, logits = (
                self._forward_timm(pixels) if self._timm is not None else self._forward(pixels)
            )
            embedding = self._pool(hidden, pooled).float()
            return embedding, None if logits is None else logits.float().softmax(dim=-1)

    def _forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Any, Any]:
        output = self._model(pixel_values=pixels, **size_options(self._model, pixels))
        inner, self._captured = self._captured, None
        pooled = getattr(inner, "pooler_output", None)
        return inner.last_hidden_state, pooled, getattr(output, "logits", None)

    def _forward_timm(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Any, Any]:
        assert self._timm is not None
        hidden = self._timm.forward_features(pixels)
        pooled = self._timm.forward_head(hidden, pre_logits=True)
        has_head = type(self._model).__name__.endswith("ForImageClassification")
        return hidden, pooled, self._timm.forward_head(hidden) if has_head else None

    def _pool(self, hidden: torch.Tensor, pooled: torch.Tensor | None) -> torch.Tensor:
        pooling = self._pooling
        tokens = hidden.ndim == 3
        trained_pooler = pooled is not None and not any("pooler" in key for key in self._missing)
        if pooling == "auto":
            pooling = "cls" if self._has_cls and tokens else "pooled" if trained_pooler else "mean"
        if pooling == "cls":
            if not (self._has_cls and tokens):
                raise CheckpointError(
                    f"{self._name} has no CLS token. Use --pooling pooled, mean or auto."
                )
            return hidden[:, 0]
        if pooling == "pooled":
            if not trained_pooler or pooled is None:
                raise CheckpointError(
                    f"{self._name} has no pooled output. Use --pooling cls, mean or auto."
                )
            return pooled.flatten(1)
        if tokens:
            return hidden[:, self._prefix_tokens() :].mean(dim=1)
        return hidden.flatten(2).mean(dim=2)

    def _prefix_tokens(self) -> int:
        """How many tokens stand before those of the patches."""
        if self._timm is not None:
            return int(getattr(self._timm, "num_prefix_tokens", 0))
        if not self._has_cls:
            return 0
        distilled = any(
            key.endswith("distillation_token") for key, _ in self._model.named_parameters()
        )
        return 1 + int(getattr(self._model.config, "num_register_tokens", 0) or 0) + int(distilled)


def _names_in_file(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Under which name a saved file has each tensor of a model: transformers renames some. How it
    does is not public, so `holds` checks."""
    try:
        from transformers.core_model_loading import revert_weight_conversion

        saved = revert_weight_conversion(model, dict(state))
    except (ImportError, AttributeError, KeyError, TypeError, RuntimeError, ValueError):
        saved = dict(state)
    names = {id(tensor): name for name, tensor in state.items()}
    return {name: names[id(tensor)] for name, tensor in saved.items() if id(tensor) in names}


DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def load_encoder(
    checkpoint: Checkpoint, *, pooling: str, precision: str, device: str | None, with_head: bool
) -> Encoder:
    """Load a checkpoint's weights (safetensors only, no remote code) onto a device.

    Raises CheckpointError where the weights do not fit the configuration.
    """
    import torch
    from safetensors import SafetensorError

    transformers = import_transformers()
    loader = transformers.AutoModelForImageClassification if with_head else transformers.AutoModel
    target = pick_device(device)
    dtype = getattr(torch, DTYPES[precision])
    name = f"Checkpoint {checkpoint.step} ({checkpoint.source})"
    if is_timm(read_config(checkpoint.source)):
        require_timm(name)
    try:
        with quiet_transformers():
            model, report = loader.from_pretrained(
                checkpoint.source,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{name} cannot be loaded: {reason_of(error)} Check that the folder is complete and of "
            f"an image model."
        ) from error
    missing = set(report["missing_keys"])
    unexpected_gap = sorted(key for key in missing if "pooler" not in key)
    if unexpected_gap or report.get("mismatched_keys"):
        what = (
            f"lacks {unexpected_gap[0]} (of {len(unexpected_gap)})"
            if unexpected_gap
            else "has weights of other shapes"
        )
        raise CheckpointError(
            f"{name} does not fit its own config.json: it {what}. Check that the folder was saved "
            f"whole."
        )
    model.eval().requires_grad_(False)
    model.to(target, dtype)
    return Encoder(model, pooling=pooling, device=target, dtype=dtype, name=name, missing=missing)


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
    """Of `OF_AUTO` that in which this device computes: float16 where its products are clearly
    faster, as on GPUs and some CPUs."""
    import torch

    target = pick_device(device)
    side = 256 if target.type == "cpu" else 2048
    seconds = {}
    for name in OF_AUTO:
        one = torch.ones(side, side, dtype=getattr(torch, DTYPES[name]), device=target)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            float((one @ one)[0, 0])  # waits for the device
            times.append(time.perf_counter() - started)
        seconds[name] = min(times)
    return "fp16" if seconds["fp16"] * WORTH_IT < seconds["fp32"] else "fp32"


@dataclass(frozen=True)
class EncodedBatch:
    """Some images in order."""

    embeddings: NDArray[np.float32]
    """Shape (B, D)."""
    probabilities: NDArray[np.float32] | None
    """Shape (B, C); each row sums to 1."""


def encode_all(
    encoder: Encoder, pixels: Pixels, *, batch_size: int | None, name: str
) -> Iterator[EncodedBatch]:
    """Encode every image in order, in batches that are halved for as long as the memory does not
    suffice.

    An accelerator is brought the next batch while it encodes one. Raises CheckpointError where the
    model and the images do not fit, NotFiniteError where it gives values that are not finite.
    """
    device = encoder.device
    if (
        device.type == "cpu"
        # a second thread would take the cores from the model: torch gives each thread workers of
        # its own
    ):
        own = batch_size or BATCH_SIZE_CPU
        yield from _encode_batches(
            encoder,
            pixels,
            own,
            name,
            lambda start, stop: partial(pixels.batch, start, stop, device),
        )
        return
    with ThreadPoolExecutor(1) as reader:

        def begin(start: int, stop: int) -> Callable[[], torch.Tensor]:
            return reader.submit(pixels.batch, start, stop, device).result

        yield from _encode_batches(
            encoder, pixels, batch_size or BATCH_SIZE_ACCELERATOR, name, begin
        )


def _encode_batches(
    encoder: Encoder,
    pixels: Pixels,
    size: int,
    name: str,
    read: Callable[[int, int], Callable[[], torch.Tensor]],
) -> Iterator[EncodedBatch]:
    device, start = encoder.device, 0
    ahead = None
    while start < len(pixels):
        stop = min(start + size, len(pixels))
        try:
            values = (ahead or read(start, stop))()
            ahead = read(stop, min(stop + size, len(pixels))) if stop < len(pixels) else None
            embeddings, probabilities = encoder.encode(values)
        except (RuntimeError, ValueError, MemoryError) as error:
            if is_out_of_memory(error) and size > 1:
                size, values, ahead = max(1, size // 2), None, None
                _free_memory(device)
                continue
            if is_out_of_memory(error):
                raise CheckpointError(
                    f"{name}: not enough memory on {device} for a single image. Use --device cpu."
                ) from error
            shape = "x".join(map(str, pixels.shape))
            raise CheckpointError(
                f"{name} does not take images of {shape}: {reason_of(error)} Name a model whose "
                f"image processor fits with --processor."
            ) from error
        vectors = embeddings.cpu().numpy()
        if not np.isfinite(vectors).all():
            raise NotFiniteError(
                f"{name} gives embeddings that are not finite (row {start} or after). Its training "
                f"has probably diverged; "
                "review earlier checkpoints with --checkpoint, or use --precision fp32."
            )
        yield EncodedBatch(vectors, None if probabilities is None else probabilities.cpu().numpy())
        start = stop


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of its accelerator does not
    suffice."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
    )


def _free_memory(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()


def head_of(checkpoint: Checkpoint) -> Head | None:
    """The classes of a checkpoint's head; None where it has none."""
    config = read_config(checkpoint.source)
    if not config and checkpoint.folder is None:
        try:
            with quiet_transformers():
                config = (
                    import_transformers().AutoConfig.from_pretrained(checkpoint.source).to_dict()
                )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"The model {checkpoint.source} cannot be loaded: {reason_of(error)} Give the path "
                f"of a model folder."
            ) from error
    return Head.of(config)
