"""Embeds the images of a run with weights that are in memory, while the model that has them is
being trained.

The result is what `pipeline.stages.build` would compute from the saved checkpoint later: same
values, same fingerprint. The training is not touched: a second module of the same kind takes the
weights, and no random numbers are drawn.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.analysis.metrics import classification_metrics, cross_entropy
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.checkpoints import Checkpoint, FoundCheckpoints
from review_embeddings.pipeline.models.classnames import match_classes
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.heads import kind_of
from review_embeddings.pipeline.models.libraries import quiet_transformers, random_state_kept
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_content, stamp_weights
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.folder import WEIGHTS, RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.temporary import TEMPORARY_PREFIX
from review_embeddings.pipeline.settings import Request, check_settings
from review_embeddings.pipeline.stages.embedding import Embedding, embed
from review_embeddings.pipeline.stages.heads import stored_head
from review_embeddings.pipeline.stages.images import images_of
from review_embeddings.pipeline.stages.keys import Models
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.stages.resolve import resolve_info
from review_embeddings.pipeline.stages.session import BuildSession

if TYPE_CHECKING:
    import torch


class LiveEmbedding:
    """Writes embeddings and probabilities of one checkpoint after the other into a run folder."""

    def __init__(self, run: RunFolder, request: Request, progress: Progress) -> None:
        self._run = run
        self._request = request
        self._progress = progress
        self._info: RunInfo | None = None
        self._images: RunImages | None = None
        self._template: Checkpoint | None = None
        self._encoder: Encoder | None = None
        self._stamps_memory = False
        self._lock = ExitStack()

    @property
    def images(self) -> RunImages:
        """The images that are embedded; there once `prepare` was called."""
        assert self._images is not None
        return self._images

    def prepare(self, first: Checkpoint, model: Any) -> None:
        """Read and prepare the images, and load ``first``, a saved checkpoint of ``model``, to
        learn how it is loaded later.

        Its folder is needed, for configuration and image processor, as long as anything is
        embedded. Raises ReviewError.
        """
        self._lock.enter_context(self._run.embedding_lock())
        with ExitStack() as stack:
            session = self._session(stack)
            info = resolve_info(self._run, self._request)
            check_settings(info.settings)
            found = FoundCheckpoints([first], [])
            read = images_of(session, info, found, [first.step])
            info, self._images = read.info, read.images
            session.write_info(info)
        self._info, self._template = info, first
        if kind_of(first) is None:
            return  # loaded later as something else than what is trained: embedded from its file
        with random_state_kept():
            encoder = load_encoder(
                first, pooling=info.settings.pooling, precision="fp32", device="cpu", with_head=True
            )
        self._stamps_memory = _same_header(_serialised(model), Path(first.source) / WEIGHTS)
        self._encoder = encoder

    def close(self) -> None:
        """Let other processes embed again. The end of this one does so too."""
        self._lock.close()

    def embed(
        self, checkpoint: Checkpoint, model: Any, *, saved: bool, device: torch.device
    ) -> None:
        """Embed all images with the weights that ``model`` has now, unless the same result is there
        already.

        ``saved`` says that they lie in the checkpoint's folder. Raises ReviewError.
        """
        assert self._info is not None and self._template is not None
        described = checkpoint if saved else replace(checkpoint, source=self._template.source)
        found = FoundCheckpoints([described], [])
        with ExitStack() as stack, _full_precision():
            problem_type = getattr(model.config, "problem_type", None)
            models = Models(self._run, self._info, found, self._request.device, problem_type)
            stamp = self._stamp(checkpoint, model, saved)
            key = models.key_of(described, stamp, self.images)
            value = key.fingerprint(STAGES["embeddings"])
            if self._run.is_current("embeddings", checkpoint.step, value):
                return
            encoder = self._encoder
            if encoder is not None and not encoder.can_take:
                encoder = None
            if encoder is None and not saved:
                raise CheckpointError(
                    "models without a classification head of transformers are embedded from saved "
                    "checkpoints only."
                )

            def loaded(precision: str) -> Encoder:
                assert encoder is not None
                encoder.cast(precision)
                encoder.take(model.state_dict(), device, name=f"Checkpoint {checkpoint.step}")
                return encoder

            known = None if encoder is None else loaded
            embed(self._session(stack), Embedding(models, self.images, described, key, known))

    def _session(self, stack: ExitStack) -> BuildSession:
        """A build that waits for its turn to write."""
        return BuildSession(
            self._run, self._request, self._progress, stack, embedding_locked=True, wait=True
        )

    def _stamp(self, checkpoint: Checkpoint, model: Any, saved: bool) -> WeightsStamp:
        """The stamp that the weights have, or would have, as a file."""
        if saved:
            return stamp_weights(checkpoint.source)
        if self._stamps_memory:
            return stamp_content(_serialised(model) or b"")
        with (
            tempfile.TemporaryDirectory(
                dir=self._run.path, prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-"
            ) as folder,
            quiet_transformers(),
        ):
            model.save_pretrained(
                folder
            )  # saved under other names or in several files: only the files themselves tell
            return WeightsStamp(stamp_weights(folder).sha256, [])

    def metrics(self, step: int) -> dict[str, float]:
        """Loss and `classification_metrics` of a checkpoint on the embedded images that have a
        label; empty without labels, and where an image may have several, of which one is known."""
        labels, names = self.images.labels, self.images.classes
        metadata = self._run.result_metadata("embeddings", step) or {}
        head = stored_head(metadata) if metadata else None
        if labels is None or names is None or head is None or not head.is_of_one_label:
            return {}
        known = labels >= 0
        if not known.any():
            return {}
        outputs = match_classes(head, names, name=f"Checkpoint {step}").names
        true = np.array([outputs.index(name) for name in names])[labels[known]]
        probabilities = np.asarray(self._run.read_array("probabilities", step))[known]
        return {
            "loss": cross_entropy(true, probabilities),
            **classification_metrics(true, probabilities.argmax(axis=1)),
        }


def _serialised(model: Any) -> bytes | None:
    """The bytes of the safetensors file that ``save_pretrained`` would write; None where they are
    not known.

    Transformers may save weights under other names than the model has. What it does is not public,
    so the caller compares.
    """
    import safetensors.torch

    state = dict(model.state_dict())
    try:
        from transformers.core_model_loading import revert_weight_conversion

        state = revert_weight_conversion(model, state)
        content: bytes = safetensors.torch.save(
            {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
            {"format": "pt"},
        )
        return content
    except (ImportError, AttributeError, KeyError, TypeError, RuntimeError, ValueError):
        return None


def _same_header(content: bytes | None, file: Path) -> bool:
    """Whether a safetensors file has the same names, types, shapes and order as one in memory: then
    only the weights differ."""
    if content is None or not file.is_file():
        return False
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        return content[: 8 + length] == length.to_bytes(8, "little") + stream.read(length)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Full float32 products whatever the training has switched on, as later when the checkpoint is
    embedded from its file."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
