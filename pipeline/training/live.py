"""Writes into a run folder what a training makes while it goes on: the way that is common to the
Trainer's callback and to `Recorder`, and what the callback embeds with.

The callback's result is what `pipeline.stages.build` would compute from the saved checkpoint later:
same values, same fingerprint. The training is not touched: a second module of the same kind takes
the weights, and no random numbers are drawn.
"""

from __future__ import annotations

import copy
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.analysis.metrics import classification_metrics, cross_entropy
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.checkpoints import (
    Checkpoint,
    FoundCheckpoints,
    with_form,
)
from review_embeddings.pipeline.models.classnames import match_classes
from review_embeddings.pipeline.models.device import Arithmetic
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.forms.adapters.folder import adapter_in
from review_embeddings.pipeline.models.forms.adapters.form import is_adapted
from review_embeddings.pipeline.models.heads import SOFTMAX, Head, kind_of
from review_embeddings.pipeline.models.libraries import quiet_transformers
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_content, stamp_weights
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.bounded import HEADER_LENGTH_BYTES, safetensors_header
from review_embeddings.pipeline.run.commandline import review_command
from review_embeddings.pipeline.run.folder import ADAPTER_WEIGHTS, WEIGHTS, RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.temporary import own_prefix
from review_embeddings.pipeline.settings import Request, check_settings
from review_embeddings.pipeline.stages.embedding import Embedding, ModelInMemory, embed
from review_embeddings.pipeline.stages.heads import stored_head
from review_embeddings.pipeline.stages.images import images_of, pixels_of
from review_embeddings.pipeline.stages.keys import EmbeddingKey, Models, ProcessorSource
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.stages.resolve import resolve_info
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.training.recording.undisturbed import full_precision

if TYPE_CHECKING:
    import torch

NO_CHECKPOINTS = FoundCheckpoints([], [])

NO_HEAD = (
    "What is saved has no classification head of the model: the adapter holds none, and that of "
    "its base model, if any, is for other classes. It is embedded without its predictions; "
    "modules_to_save of the adapter's configuration saves the head with it."
)
"""Of an adapter whose head is only in memory."""


def how_to_review(run: RunFolder) -> str:
    """What is there after a training, and the command that opens it."""
    count = len(run.steps_with("embeddings"))
    several = "s are" if count > 1 else " is"
    return f"{count:,} checkpoint{several} embedded. Review: {review_command(run, count)}"


class LiveRun:
    """A run folder with its images, which one process fills while a model is trained."""

    def __init__(self, run: RunFolder, request: Request, progress: Progress) -> None:
        self.run = run
        self.request = request
        self._progress = progress
        self._info: RunInfo | None = None
        self._images: RunImages | None = None
        self._lock = ExitStack()

    @property
    def info(self) -> RunInfo:
        """The contents of ``run.json``; there once `open` was called."""
        assert self._info is not None
        return self._info

    @property
    def images(self) -> RunImages:
        """The images that are embedded; there once `open` was called."""
        assert self._images is not None
        return self._images

    def open(
        self,
        found: FoundCheckpoints = NO_CHECKPOINTS,
        processor: ProcessorSource | None = None,
    ) -> None:
        """Read and preprocess the images, which from now on nobody else embeds.

        With ``processor``, which is in memory, the run is a recorded one. Raises ReviewError.
        """
        self._lock.enter_context(self.run.embedding_lock())
        with ExitStack() as stack:
            session = self.session(stack)
            info = resolve_info(self.run, self.request)
            check_settings(info.settings)
            info = replace(info, recorded=None if processor is None else processor.digest)
            read = images_of(session, info, found, found.steps, processor)
            if processor is not None:
                pixels_of(session, processor, read.images)
            session.write_info(read.info)
        self._info, self._images = read.info, read.images

    def restore_pixels(self, processor: ProcessorSource) -> None:
        """Preprocess the images again where the cache was deleted. Raises ReviewError."""
        with ExitStack() as stack:
            pixels_of(self.session(stack), processor, self.images)

    def close(self) -> None:
        """Let other processes embed again. The end of this one does so too."""
        self._lock.close()

    def write(self, embedding: Embedding) -> None:
        """Embed all images, in full precision, and store the result. Raises ReviewError."""
        with ExitStack() as stack, full_precision():
            embed(self.session(stack), embedding)

    def session(self, stack: ExitStack) -> BuildSession:
        """A build that waits for its turn to write."""
        return BuildSession(
            self.run, self.request, self._progress, stack, embedding_locked=True, wait=True
        )

    def metrics(self, step: int) -> dict[str, float]:
        """Loss and `classification_metrics` of a checkpoint on the embedded images that have a
        label; empty without labels, and where an image may have several, of which one is known."""
        labels, names = self.images.labels, self.images.classes
        metadata = self.run.result_metadata("embeddings", step) or {}
        head = stored_head(metadata) if metadata else None
        if labels is None or names is None or head is None or not head.is_of_one_label:
            return {}
        known = labels >= 0
        if not known.any():
            return {}
        outputs = match_classes(
            head, names, name=f"Checkpoint {step}", former=self.images.former
        ).names
        true = np.array([outputs.index(name) for name in names])[labels[known]]
        probabilities = np.asarray(self.run.read_array("probabilities", step))[known]
        return {
            "loss": cross_entropy(true, probabilities),
            **classification_metrics(true, probabilities.argmax(axis=1)),
        }


@dataclass(frozen=True)
class Embedded:
    """A checkpoint that was embedded, as a build sees it."""

    step: int
    models: Models
    key: EmbeddingKey


class LiveEmbedding:
    """Embeds, one checkpoint after the other, the weights that a Trainer's model has."""

    def __init__(self, run: RunFolder, request: Request, progress: Progress) -> None:
        self._live = LiveRun(run, request, progress)
        self._template: Checkpoint | None = None
        self._encoder: Encoder | None = None
        self._adapted_head: Head | None = None
        self._stamps_memory = False
        self._borrows_head = False
        self._embedded: Embedded | None = None

    @property
    def live(self) -> LiveRun:
        """The run folder that is filled."""
        return self._live

    @property
    def embedded(self) -> Embedded | None:
        """What was embedded last."""
        return self._embedded

    def prepare(self, first: Checkpoint, model: Any) -> list[str]:
        """Read and prepare the images, and load ``first``, a saved checkpoint of ``model``, to
        learn how it is loaded later. Gives what people should know.

        Its folder is needed, for configuration and image processor, as long as anything is
        embedded. Raises ReviewError.
        """
        is_readable = True
        if is_adapted(model):
            form = form_of(first.source)
            is_readable = form.problem(Path(first.source)) is None
            first = with_form(first, form) if is_readable else first
            self._borrows_head = first.borrows_head
            self._adapted_head = _head_in_memory(model.get_base_model())
        self._live.open(FoundCheckpoints([first], []))
        self._template = first
        if not is_readable:
            return []  # its base model was never saved: embedded as it is in memory
        if is_adapted(model):
            return self._prepare_adapter(first, model)
        if kind_of(first) is None:
            return []  # loaded later as something else than what is trained: embedded from its file
        self._encoder = self._load(first, with_head=True)
        self._stamps_memory = _same_header(_serialised(model), Path(first.source) / WEIGHTS)
        return []

    def _prepare_adapter(self, first: Checkpoint, model: Any) -> list[str]:
        """Load a saved adapter as a later build does: without a head that is in none of its files.
        One that cannot be loaded is embedded as it is in memory."""
        models = self._models(first, model)
        with_head = models.head_kind(first, self._live.images) is not None
        try:
            self._encoder = self._load(first, with_head=with_head)
        except CheckpointError as error:
            self._borrows_head = False
            return [f"The adapter is embedded as it is in memory: {error}"]
        adapted = self._adapted_head
        is_lost = adapted is not None and self._head_of(models, first) is not adapted
        notes = form_of(first.source).notes(Path(first.source)) if self._encoder.can_take else []
        return [*(f"The adapter: {note}" for note in notes), *([NO_HEAD] if is_lost else [])]

    def _load(self, checkpoint: Checkpoint, *, with_head: bool) -> Encoder:
        return load_encoder(
            checkpoint,
            pooling=self._live.info.settings.pooling,
            precision="fp32",
            device="cpu",
            with_head=with_head,
        )

    def _models(self, described: Checkpoint, model: Any) -> Models:
        live = self._live
        problem_type = getattr(model.config, "problem_type", None)
        found = FoundCheckpoints([described], [])
        return Models(live.run, live.info, found, live.request.device, problem_type)

    def _head_of(self, models: Models, described: Checkpoint) -> Head | None:
        """The head that is used: of an adapter the one in memory, unless a later build finds none
        of its size in the files."""
        head, adapted = models.head(described, self._live.images), self._adapted_head
        is_lost = self._borrows_head and (
            head is None or adapted is None or head.count != adapted.count
        )
        return head if is_lost or adapted is None else adapted

    def close(self) -> None:
        """Let other processes embed again, and go of the second module."""
        self._encoder = None
        self._live.close()

    def metrics(self, step: int) -> dict[str, float]:
        """As `LiveRun.metrics`."""
        return self._live.metrics(step)

    def embed(
        self, checkpoint: Checkpoint, model: Any, *, saved: bool, device: torch.device
    ) -> None:
        """Embed all images with the weights that ``model`` has now, unless the same result is there
        already.

        ``saved`` says that they lie in the checkpoint's folder. Raises ReviewError.
        """
        assert self._template is not None
        described = checkpoint if saved else replace(checkpoint, source=self._template.source)
        if self._borrows_head:
            described = with_form(described, form_of(described.source))
        models = self._models(described, model)
        with ExitStack() as stack:
            folder = self._saved_to(checkpoint, model, saved, stack)
            stamp = self._stamp(folder, model, saved)
            self._write(models, described, model, stamp, folder, saved=saved, device=device)

    def _write(
        self,
        models: Models,
        described: Checkpoint,
        model: Any,
        stamp: WeightsStamp,
        folder: Path,
        *,
        saved: bool,
        device: torch.device,
    ) -> None:
        live, step = self._live, described.step
        key = models.key_of(described, stamp, live.images)
        head = self._head_of(models, described)
        if head is not None and head is self._adapted_head:
            kind = None if head.kind == SOFTMAX else head.kind
            key = replace(key, with_head=True, head_kind=kind)
        self._embedded = Embedded(step, models, key)
        value = key.fingerprint(STAGES["embeddings"])
        if live.run.is_current("embeddings", step, value):
            return
        can_take = self._encoder is not None and self._encoder.can_take
        in_memory = is_adapted(model) or can_take
        if not in_memory and not saved:
            raise CheckpointError(
                "models without a classification head of transformers are embedded from saved "
                "checkpoints only."
            )

        def load(precision: str) -> Encoder:
            name = f"Checkpoint {step}"
            if is_adapted(model) and not can_take:
                return self._copied(model, precision, device, name, with_head=key.with_head)
            return self._loaded(model, folder, precision, device, name)

        processor = models.processor_of(described)
        memory = ModelInMemory(load, processor, head) if in_memory else None
        live.write(Embedding(models, live.images, described, key, memory))

    def _loaded(
        self, model: Any, folder: Path, precision: str, device: torch.device, name: str
    ) -> Encoder:
        """The second module with the weights of now; those of an adapter lie in ``folder``."""
        assert self._encoder is not None
        self._encoder.cast(precision)
        exchange = self._encoder.exchange
        state = model.state_dict() if exchange is None else exchange(folder)
        self._encoder.take(state, device, name=name)
        return self._encoder

    def _copied(
        self, model: Any, precision: str, device: torch.device, name: str, *, with_head: bool
    ) -> Encoder:
        """A copy of a model of PEFT in memory as what embeds images, its adapter at work and not
        merged."""

        second = copy.deepcopy(model.get_base_model()).float().requires_grad_(False)
        return Encoder(
            second,
            pooling=self._live.info.settings.pooling,
            device=device,
            arithmetic=Arithmetic.of(precision),
            name=name,
            missing=set(),
            with_head=with_head,
        )

    def _saved_to(self, checkpoint: Checkpoint, model: Any, saved: bool, stack: ExitStack) -> Path:
        """The folder with the weights as files: the checkpoint's, or one that ``stack`` deletes
        where only the files themselves tell what they are, for they have other names there, lie in
        several files, or are those of an adapter."""
        if saved or self._stamps_memory:
            return Path(checkpoint.source)
        temporary = tempfile.TemporaryDirectory(dir=self._live.run.path, prefix=own_prefix())
        folder = Path(stack.enter_context(temporary)) / f"checkpoint-{checkpoint.step}"
        with quiet_transformers():
            model.save_pretrained(folder)
        return folder

    def _stamp(self, folder: Path, model: Any, saved: bool) -> WeightsStamp:
        """The stamp that the weights have, or would have, as a file."""
        if self._stamps_memory and not saved:
            return stamp_content(_serialised(model) or b"")
        stamp = stamp_weights(str(folder))
        return stamp if saved else replace(stamp, files=[])


def _head_in_memory(model: Any) -> Head | None:
    return Head.of({**model.config.to_dict(), "architectures": [type(model).__name__]})


def is_saved(folder: Path) -> bool:
    """Whether the weights of a checkpoint lie in a folder."""
    adapter = adapter_in(folder) or folder
    return (folder / WEIGHTS).is_file() or (adapter / ADAPTER_WEIGHTS).is_file()


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
    header = safetensors_header(file)
    head = len(header).to_bytes(HEADER_LENGTH_BYTES, "little") + header
    return content[: len(head)] == head
