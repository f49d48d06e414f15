"""Loads the checkpoints of a run one after the other for embedding, and reads the next one's
weights while one works.

Checkpoints of one training differ in nothing but their weights: these go into the module that is
there. Where anything else differs, a checkpoint is loaded anew.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.forms import config_of, form_of
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import safetensors_header
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import WEIGHTS

if TYPE_CHECKING:
    import torch

    Weights = dict[str, torch.Tensor]

VOLATILE_CONFIG = {
    "_name_or_path",
    "transformers_version",
    "dtype",
    "torch_dtype",
    "id2label",
    "label2id",
    "use_cache",
}
"""Entries of a model's config.json that do not change its embeddings."""


def config_fingerprint(source: str, base: str | None = None) -> str:
    """Fingerprint of what a model's config.json says about its embeddings, and what an adapter of
    ``base`` says."""
    config = config_of(source, base)
    return fingerprint(
        config={name: value for name, value in config.items() if name not in VOLATILE_CONFIG}
    )


class EncoderLoader:
    """Gives an encoder for each checkpoint; the one it gave before holds other weights from then
    on."""

    def __init__(self, device: str | None) -> None:
        """``device``: None for the best there is."""
        self._device = device
        self._pool = ThreadPoolExecutor(1)
        self._encoder: Encoder | None = None
        self._kind = ""
        self._latest: tuple[object, Encoder] | None = None
        self._ahead: tuple[Path, Future[Weights]] | None = None

    def close(self) -> None:
        """Let the weights go."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._encoder = self._ahead = self._latest = None

    def encoder(
        self, checkpoint: Checkpoint, *, pooling: str, precision: str, with_head: bool
    ) -> Encoder:
        """The checkpoint, loaded as `load_encoder` does, or as it was given last where the same is
        asked for again. Raises as that does."""
        key = (checkpoint, pooling, precision, with_head)
        if self._latest is None or self._latest[0] != key:
            self._latest = None
            self._latest = (key, self._loaded(*key))
        return self._latest[1]

    def _loaded(
        self, checkpoint: Checkpoint, pooling: str, precision: str, with_head: bool
    ) -> Encoder:
        path = Path(checkpoint.source)
        file = form_of(path, checkpoint.adapts).exchange_file(path) or path / WEIGHTS
        storage.fetch_all(file.parent, suffix=Path(WEIGHTS).suffix)
        header = _header(file)
        kind = fingerprint(
            config=config_fingerprint(checkpoint.source, checkpoint.adapts),
            base=checkpoint.adapts,
            header=header,
            pooling=pooling,
            precision=precision,
            head=with_head,
        )
        if header and self._encoder is not None and self._encoder.can_take and kind == self._kind:
            self._take(self._encoder, checkpoint, file)
            return self._encoder
        self._encoder = None  # its memory is needed for the next one
        encoder = load_encoder(
            checkpoint,
            pooling=pooling,
            precision=precision,
            device=self._device,
            with_head=with_head,
        )
        if header and (encoder.exchange or encoder.holds(self._weights(file))):
            self._encoder, self._kind = encoder, kind
        return encoder

    def _take(self, encoder: Encoder, checkpoint: Checkpoint, file: Path) -> None:
        """Put the weights of another checkpoint of the same kind into an encoder."""
        name = f"Checkpoint {checkpoint.step} ({checkpoint.source})"
        if encoder.exchange is None:
            encoder.take_stored(self._weights(file), name=name)
        else:
            encoder.take(encoder.exchange(Path(checkpoint.source)), encoder.device, name=name)

    def read_ahead(self, checkpoint: Checkpoint) -> None:
        """Begin to read the weights of the checkpoint that comes next."""
        file = Path(checkpoint.source) / WEIGHTS
        if self._encoder is not None and file.is_file():
            self._ahead = (file, self._pool.submit(_read, file))

    def _weights(self, file: Path) -> Weights:
        ahead, self._ahead = self._ahead, None
        return ahead[1].result() if ahead is not None and ahead[0] == file else _read(file)


def _read(file: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(file))


def _header(file: Path) -> str:
    """Names, types, shapes and offsets of the tensors of a safetensors file; empty where there is
    no such file."""
    if not file.is_file():
        return ""
    with suppress(ValueError):
        return safetensors_header(file).decode("utf-8", "replace")
    return ""
