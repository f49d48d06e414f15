"""What the embeddings of a checkpoint are computed from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.checkpoints import Checkpoint, FoundCheckpoints
from review_embeddings.pipeline.models.classnames import is_measurement, map_classes
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.device import AUTO_PRECISIONS, fastest_precision
from review_embeddings.pipeline.models.forms import config_of
from review_embeddings.pipeline.models.heads import (
    REGRESSION,
    SOFTMAX,
    Head,
    head_of,
    kind_of,
    problem_type_of,
)
from review_embeddings.pipeline.models.loader import config_fingerprint
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_weights
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.records import RecordError, record_of
from review_embeddings.pipeline.settings import AUTO
from review_embeddings.pipeline.stages.resolve import resolved
from review_embeddings.pipeline.stages.stage import Stage

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class EmbeddingKey:
    """Everything that the embeddings of one checkpoint are computed from."""

    weights: str
    config: str
    processor: str
    with_head: bool
    images: str
    pooling: str
    precision: str
    head_kind: str | None = None
    """Of the head, where it is no softmax; ``regression`` for one without probabilities."""

    @property
    def probabilities(self) -> str | None:
        """The kind of head that gives them; None for none."""
        has_none = not self.with_head or self.head_kind == REGRESSION
        return None if has_none else self.head_kind or SOFTMAX

    @property
    def inputs(self) -> dict[str, Any]:
        """The values by their names in the fingerprint; those that are not there are no part of
        it."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def fingerprint(self, stage: Stage, version: int | None = None) -> str:
        """Of the embeddings, as the stage computes them now or did in a version."""
        return fingerprint(**stage.parts(self.inputs, None, version))


@dataclass(frozen=True)
class ProcessorSource:
    """Where to load an image processor from, and what tells it from others."""

    candidates: list[str]
    digest: str


@dataclass(frozen=True)
class Models:
    """The checkpoints of a run with what is said about embedding by them."""

    run: RunFolder
    info: RunInfo
    found: FoundCheckpoints
    device: str | None = None
    problem_type: str | None = None
    """What a model in memory says of its head; None for what the newest checkpoint says."""

    def key(self, step: int, images: RunImages) -> EmbeddingKey | None:
        """What a checkpoint's embeddings are computed from; of one whose weights are gone, what
        they were computed from. None where that is not known."""
        stored = self.run.result_metadata("embeddings", step)
        known = _known_key(stored)
        if step in self.found.steps:
            checkpoint = self.found.by_step(step)
            stamp = None
            if stored and known:
                stamp = WeightsStamp(known.weights, stored.get("weight_files") or [])
            return self.key_of(checkpoint, stamp_weights(checkpoint.source, stamp), images)
        if not known:
            return None
        return replace(
            known,
            images=images.digest,
            pooling=self.info.settings.pooling,
            precision=self.precision(step),
        )

    def key_of(
        self, checkpoint: Checkpoint, weights: WeightsStamp, images: RunImages
    ) -> EmbeddingKey:
        """The same of a checkpoint with these weights."""
        kind = self.head_kind(checkpoint, images)
        return EmbeddingKey(
            weights=weights.sha256,
            config=config_fingerprint(checkpoint.source),
            processor=self.processor_of(checkpoint).digest,
            with_head=kind is not None,
            images=images.digest,
            pooling=self.info.settings.pooling,
            precision=self.precision(checkpoint.step),
            head_kind=None if kind == SOFTMAX else kind,
        )

    def precision(self, step: int) -> str:
        """The arithmetic of a checkpoint's embeddings; where that is free, the one they have, the
        one that others have, the fastest."""
        if self.info.settings.precision != AUTO:
            return self.info.settings.precision
        own = self._stored_precision(step)
        others = (
            map(self._stored_precision, self.run.steps_with("embeddings")) if own is None else ()
        )
        return own or next(filter(None, others), None) or fastest_precision(self.device)

    def _stored_precision(self, step: int) -> str | None:
        """The one of `AUTO_PRECISIONS` in which a checkpoint's embeddings were computed; None where
        there are none or it was another."""
        known = _known_key(self.run.result_metadata("embeddings", step))
        return known.precision if known and known.precision in AUTO_PRECISIONS else None

    def head(self, checkpoint: Checkpoint, images: RunImages) -> Head | None:
        """The head to be used: none for a base model that was made for other classes, or for one
        output that measures something."""
        head = head_of(checkpoint, self._problem_type_of(checkpoint))
        if head is not None and is_measurement(head, images.classes):
            return None
        if head is not None and checkpoint.is_base:
            try:
                map_classes(head, images.classes, name="base")
            except CheckpointError:
                return None
        return head

    def head_kind(self, checkpoint: Checkpoint, images: RunImages) -> str | None:
        """The kind of the head with which a checkpoint is loaded, a regression's among them; None
        for none."""
        head = self.head(checkpoint, images)
        if head is not None or checkpoint.is_base:
            return None if head is None else head.kind
        kind = kind_of(checkpoint, self._problem_type_of(checkpoint))
        return None if kind is None else REGRESSION

    def _problem_type_of(self, checkpoint: Checkpoint) -> str | None:
        """What counts where a checkpoint does not say it."""
        return None if checkpoint.is_base else self._problem_type

    @cached_property
    def _problem_type(self) -> str | None:
        return self.problem_type or problem_type_of(self.found)

    def processor_of(self, checkpoint: Checkpoint) -> ProcessorSource:
        """Where a checkpoint's image processor comes from.

        The settings, its own folder, the run's folder, another checkpoint, or the model it was made
        from. The base model is preprocessed like the checkpoints, so that step 0 sees the same
        pixels.
        """
        named = self.info.settings.processor
        folders = self._processor_folders(checkpoint)
        for folder in folders:
            if file := _processor_file(Path(folder)):
                content = json.loads(file.read_text(encoding="utf-8"))
                digest = fingerprint(processor=_without_class_names(content))
                return ProcessorSource([str(file.parent)], digest)
        origin = str(config_of(checkpoint.source).get("_name_or_path") or "")
        names = [name for name in (checkpoint.source, origin) if name]
        names = folders if named is not None else names
        return ProcessorSource(names, fingerprint(processor=names))

    def _processor_folders(self, checkpoint: Checkpoint) -> list[str]:
        if self.info.settings.processor is not None:
            return [resolved(self.run, self.info.settings.processor)]
        own = [] if checkpoint.is_base else [checkpoint.source]
        others = [
            other.source
            for other in self.found.usable
            if not other.is_base and other is not checkpoint
        ]
        return [*own, str(self.run.checkpoint_root(self.info)), *others]

    def with_info(self, info: RunInfo) -> Models:
        """The same for other settings."""
        return replace(self, info=info)


def _known_key(stored: Mapping[str, Any] | None) -> EmbeddingKey | None:
    """What stored embeddings were computed from; None where that was not kept, or not as now."""
    try:
        return record_of(EmbeddingKey, stored["key"]) if stored and stored.get("key") else None
    except RecordError:
        return None


def _processor_file(folder: Path) -> Path | None:
    for name in PROCESSOR_FILES:
        if (folder / name).is_file():
            return folder / name
    config = read_config(str(folder)) if folder.is_dir() else {}
    return folder / "config.json" if is_timm(config) else None


def _without_class_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an image processor; of timm's config.json only the part that is about
    images."""
    if "pretrained_cfg" in content:
        return {"pretrained_cfg": content["pretrained_cfg"]}
    kinds = {"image_processor_type", "feature_extractor_type"}
    return {name: value for name, value in content.items() if name not in kinds}
