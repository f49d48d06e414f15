"""Turns a checkpoint into what embeds images: one vector an image and, with a head, logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.device import Arithmetic, pick_device
from review_embeddings.pipeline.models.features import Features, reader_of
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.libraries import names_in_file
from review_embeddings.pipeline.models.probe import PROBED, check_reproducible
from review_embeddings.pipeline.models.template import Template

if TYPE_CHECKING:
    import torch


class Encoder:
    """A loaded checkpoint that turns pixel values into embeddings and the logits of its head."""

    def __init__(
        self,
        model: Any,
        *,
        pooling: str,
        device: torch.device,
        arithmetic: Arithmetic,
        name: str,
        missing: set[str],
        with_head: bool = True,
    ) -> None:
        """``model`` has not run, is in float32 and is not to be used by others."""
        self._template = Template(model)
        self.device, self._arithmetic = device, arithmetic
        self._asked = pooling
        self._name = name
        self._missing = missing
        self._with_head = with_head
        self._names: dict[str, str] = {}
        self.exchange: Callable[[Path], Mapping[str, Any]] | None = None
        """See `LoadedModel.exchange`."""
        self._is_probed = False
        self.pooling = ""
        """The pooling that was taken; empty before the first images."""
        self._renew()

    def _renew(self) -> None:
        """Run a copy of the model from now on that has not run."""
        module = self._template.fresh(self.device, self._arithmetic.weights)
        self._reader = reader_of(module, self._missing)

    def cast(self, precision: str) -> None:
        """Compute in another precision (`Arithmetic.of`) with the weights that are taken next."""
        self._arithmetic = Arithmetic.of(precision)
        self._is_probed = False

    def take(self, weights: Mapping[str, torch.Tensor], device: torch.device, *, name: str) -> None:
        """Take over the weights of a model of the same kind, cast to the precision of this one.
        Nothing that was derived from other weights stays.

        Raises CheckpointError where the model cannot be copied.
        """
        if not self.can_take:
            raise CheckpointError(
                f"{name} cannot be embedded with the weights in memory: its kind of model cannot "
                f"be copied. Embed its saved checkpoints."
            )
        self.device, self._name = device, name
        self._template.take(weights, device, self._arithmetic.weights)
        self._renew()

    @property
    def can_take(self) -> bool:
        """Whether other weights can be taken."""
        return self._template.can_copy

    def holds(self, stored: Mapping[str, torch.Tensor]) -> bool:
        """Whether the weights of a file are all that this has: then those of files with the same
        names can be taken by `take_stored`."""
        model = self._template.model
        own = model.state_dict()
        self._names = names_in_file(model, own)
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

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pixel values (B, 3, height, width) to embeddings (B, D) and logits (B, outputs) or None;
        both float32.

        Raises CheckpointError where the model has no vector of the pooling that was asked for, or
        none that is the image's own.
        """
        import torch

        with torch.inference_mode():
            pixels = pixels.to(self.device, self._arithmetic.weights)
            if not self._is_probed:
                self._probe(pixels)
            features, embedding = self._embed(pixels)
            logits = features.logits if self._with_head else None
            return embedding, None if logits is None else logits.float()

    def _embed(self, pixels: torch.Tensor) -> tuple[Features, torch.Tensor]:
        with self._arithmetic.on(self.device):
            features = self._reader(pixels)
        self.pooling, vectors = features.pick(self._asked, name=self._name)
        return features, vectors.float()

    def _probe(self, pixels: torch.Tensor) -> None:
        """Check with the first images what has to hold for all."""

        def load() -> Callable[[torch.Tensor], torch.Tensor]:
            self._renew()
            return lambda some: self._embed(some)[1]

        with self._template.watched():
            kind = self._arithmetic.coarsest
            check_reproducible(load, pixels, kind=kind, name=self._name)
            self._reader.check(pixels[:PROBED], name=self._name)
        self._renew()
        self._is_probed = True


def load_encoder(
    checkpoint: Checkpoint, *, pooling: str, precision: str, device: str | None, with_head: bool
) -> Encoder:
    """Load a checkpoint's weights (safetensors only, no remote code) onto a device.

    Raises CheckpointError where the weights do not fit the configuration.
    """
    target = pick_device(device)
    name = f"Checkpoint {checkpoint.step} ({checkpoint.source})"
    path = Path(checkpoint.source)
    loaded = form_of(path, checkpoint.adapts).load(path, name, with_head=with_head)
    model = loaded.model.requires_grad_(False)
    encoder = Encoder(
        model,
        pooling=pooling,
        device=target,
        arithmetic=Arithmetic.of(precision),
        name=name,
        missing=loaded.missing,
        with_head=with_head,
    )
    encoder.exchange = loaded.exchange
    return encoder
