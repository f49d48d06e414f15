"""Turns a checkpoint into what embeds images: one vector an image and, with a head,
probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.classifier import size_options
from review_embeddings.pipeline.models.device import DTYPES, pick_device
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.heads import names_in_file

if TYPE_CHECKING:
    import torch


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
        self._names = names_in_file(self._model, own)
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


def load_encoder(
    checkpoint: Checkpoint, *, pooling: str, precision: str, device: str | None, with_head: bool
) -> Encoder:
    """Load a checkpoint's weights (safetensors only, no remote code) onto a device.

    Raises CheckpointError where the weights do not fit the configuration.
    """
    import torch

    target = pick_device(device)
    dtype = getattr(torch, DTYPES[precision])
    name = f"Checkpoint {checkpoint.step} ({checkpoint.source})"
    path = Path(checkpoint.source)
    loaded = form_of(path).load(path, name, with_head=with_head)
    model = loaded.model
    model.eval().requires_grad_(False)
    model.to(target, dtype)
    return Encoder(
        model, pooling=pooling, device=target, dtype=dtype, name=name, missing=loaded.missing
    )
