"""What the embeddings of a checkpoint are computed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.pixels import Preprocessor
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.checkpoints import Checkpoint, FoundCheckpoints
from review_embeddings.pipeline.models.classnames import is_measurement, map_classes
from review_embeddings.pipeline.models.config import hub_config
from review_embeddings.pipeline.models.device import (
    AUTO_PRECISIONS,
    AUTOCAST,
    device_title,
    half_precision,
)
from review_embeddings.pipeline.models.faults import FAULTS, EmbeddingMethod, Fault, faults_of
from review_embeddings.pipeline.models.forms import config_of, form_of
from review_embeddings.pipeline.models.forms.stored import config_folder
from review_embeddings.pipeline.models.heads import (
    REGRESSION,
    SOFTMAX,
    Head,
    head_of,
    kind_of,
    problem_type_of,
)
from review_embeddings.pipeline.models.loader import config_fingerprint
from review_embeddings.pipeline.models.preprocessing import (
    ProcessorSettings,
    hub_settings,
    processor_file,
    read_settings,
)
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_weights
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN, RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.proof import ProofSubject, read_proof
from review_embeddings.pipeline.run.records import RecordError, record_of
from review_embeddings.pipeline.settings import AUTO
from review_embeddings.pipeline.stages.resolve import resolved
from review_embeddings.pipeline.stages.stage import ABSENT, Stage

NOT_IN_FINGERPRINT = frozenset({"processor_class", "checked"})
"""Parts of a key that are only kept."""


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
    mended: tuple[str, ...] = ()
    """Faults of earlier versions that results of this kind had; in the fingerprint where there are
    any, so that those results are stale."""
    processor_class: str | None = None
    """Class of the image processor; None where an earlier version did not keep it."""
    checked: tuple[str, ...] = ()
    """All faults of earlier versions that were mended when this was computed."""

    @property
    def probabilities(self) -> str | None:
        """The kind of head that gives them; None for none."""
        has_none = not self.with_head or self.head_kind == REGRESSION
        return None if has_none else self.head_kind or SOFTMAX

    @property
    def inputs(self) -> dict[str, Any]:
        """The values by their names in the fingerprint."""
        return {
            name: value for name, value in self.record.items() if name not in NOT_IN_FINGERPRINT
        }

    @property
    def record(self) -> dict[str, Any]:
        """The values by their names, as they are kept; without those that are not there."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in values.items() if value not in ABSENT}

    def fingerprint(self, stage: Stage, version: int | None = None) -> str:
        """Of the embeddings, as the stage computes them now or did in a version."""
        return fingerprint(**stage.parts(self.inputs, None, version))


@dataclass(frozen=True)
class ProcessorSource:
    """Where to load an image processor from, and what tells it from others."""

    candidates: list[str]
    digest: str
    """With the class where another class with the same settings could give other pixels."""
    settings: ProcessorSettings | None = None
    """None where it is loaded by the name of a model."""
    given: Preprocessor | None = None
    """The processor itself, where it is in memory and in no folder."""

    def load(self) -> Preprocessor:
        """The processor. Raises CheckpointError where none of the candidates has one."""
        return self.given or load_processor(self.candidates)

    @property
    def class_name(self) -> str:
        """Of the image processor; empty where that is not known."""
        return "" if self.settings is None else self.settings.class_name

    def digest_as_stored(self, stored: EmbeddingKey | None, *, unnamed: bool) -> str:
        """The digest of stored results where these were made by an image processor that gives the
        same pixels, this one's otherwise; ``unnamed`` says whether results of a version that told
        no classes apart count as those of this one."""
        settings = self.settings
        if settings is None or stored is None:
            return self.digest
        if stored.processor == settings.class_digest:
            return stored.processor
        if stored.processor != settings.digest:
            return self.digest
        made_by = stored.processor_class
        same = unnamed if made_by is None else settings.gives_pixels_of(made_by)
        return stored.processor if same else self.digest


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
            weights = stamp_weights(checkpoint.source, stamp, base=checkpoint.adapts)
            return self.key_of(checkpoint, weights, images, stored=known)
        if not known:
            return None
        if self.info.recorded:
            return replace(known, images=images.digest, processor=self.info.recorded)
        return replace(
            known,
            images=images.digest,
            pooling=self.info.settings.pooling,
            precision=self.precision(step),
        )

    def key_of(
        self,
        checkpoint: Checkpoint,
        weights: WeightsStamp,
        images: RunImages,
        *,
        stored: EmbeddingKey | None = None,
    ) -> EmbeddingKey:
        """The same of a checkpoint with these weights; ``stored`` is the key of results that are
        there, whatever they were computed from."""
        processor = self.processor_of(checkpoint)
        config = _config_of(checkpoint)
        settings = processor.settings or hub_settings(processor.candidates)
        kind = self.head_kind(checkpoint, images)
        method = EmbeddingMethod(config, settings, self.info.settings.pooling)
        faulty = stored is not None and bool(faults_of(method, stored.checked))
        return EmbeddingKey(
            weights=weights.sha256,
            config=config_fingerprint(checkpoint.source, checkpoint.adapts),
            processor=processor.digest_as_stored(
                stored, unnamed=faulty or self._is_usual(processor.settings)
            ),
            with_head=kind is not None,
            images=images.digest,
            pooling=self.info.settings.pooling,
            precision=self.precision(checkpoint.step),
            head_kind=None if kind == SOFTMAX else kind,
            mended=_mended(method, stored),
            processor_class=processor.class_name,
            checked=FAULTS.names(),
        )

    def stored_faults(self, step: int) -> list[Fault]:
        """What is wrong with the stored embeddings of a checkpoint whose weights are gone, as far
        as a configuration and an image processor are still there that have their fingerprints."""
        stored = _known_key(self.run.result_metadata("embeddings", step))
        if stored is None or step in self.found.steps:
            return []
        return faults_of(self._method_of(stored), stored.checked)

    def _method_of(self, stored: EmbeddingKey) -> EmbeddingMethod:
        """By what results were computed, of which only the key is there."""
        folders = self._folders_left
        configs = (config for config, value in folders.configs if value == stored.config)
        processors = (
            one for one in folders.processors if stored.processor in {one.digest, one.class_digest}
        )
        return EmbeddingMethod(next(configs, {}), next(processors, None), stored.pooling)

    @cached_property
    def _folders_left(self) -> _FoldersLeft:
        root = self.run.checkpoint_root(self.info)
        named = [self.info.base, self.info.settings.processor]
        others = [resolved(self.run, name) for name in named if name is not None]
        return _FoldersLeft.of([*map(str, root.glob(CHECKPOINT_PATTERN)), str(root), *others])

    def precision(self, step: int) -> str:
        """The arithmetic of a checkpoint's embeddings: of those that may be, the one they have, the
        one that others have, that of a proof, float32. Nothing in a run is of two of them."""
        asked = self.info.settings.precision
        if asked == "fp32":
            return asked
        may = AUTO_PRECISIONS if asked == AUTO else (asked, asked + AUTOCAST)
        found = self._stored_precision(step)
        if found not in may:
            others = map(self._stored_precision, self.run.steps_with("embeddings"))
            found = next((one for one in others if one in may), None)
        if found is None and asked != AUTO:
            return half_precision(asked, self.device)
        return found or self._proven_precision

    def _stored_precision(self, step: int) -> str | None:
        """The one in which a checkpoint's embeddings were computed; None where there are none."""
        known = _known_key(self.run.result_metadata("embeddings", step))
        return None if known is None else known.precision

    @property
    def _proven_precision(self) -> str:
        """What a proof says of these models on this device; float32 where there is none."""
        proof = read_proof(self.run)
        if proof is None or proof.about != self.proof_subject:
            return "fp32"
        return proof.taken

    @cached_property
    def proof_subject(self) -> ProofSubject:
        """The architecture and the device that a proof has to be of."""
        first = self.found.usable[0] if self.found.usable else None
        config = "" if first is None else config_fingerprint(first.source, first.adapts)
        return ProofSubject(config, self.info.settings.pooling, device_title(self.device))

    def head(self, checkpoint: Checkpoint, images: RunImages) -> Head | None:
        """The head to be used: none that is a base model's and was made for other classes, and none
        with one output that measures something."""
        head = head_of(checkpoint, self._problem_type_of(checkpoint))
        if head is not None and is_measurement(head, images.classes, images.former):
            return None
        if head is not None and not checkpoint.has_own_head:
            try:
                map_classes(head, images.classes, name="base", former=images.former)
            except CheckpointError:
                return None
        return head

    def head_kind(self, checkpoint: Checkpoint, images: RunImages) -> str | None:
        """The kind of the head with which a checkpoint is loaded, a regression's among them; None
        for none."""
        head = self.head(checkpoint, images)
        if head is not None or not checkpoint.has_own_head:
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
            if own := form_of(folder).processor_settings(Path(folder)):
                settings = ProcessorSettings(own, "")
                return ProcessorSource([folder], settings.digest, settings)
            if file := processor_file(Path(folder)):
                settings = read_settings(file)
                by_class = not settings.is_plain or self._has_rival(settings)
                digest = settings.class_digest if by_class else settings.digest
                return ProcessorSource([str(file.parent)], digest, settings)
        origin = str(config_of(checkpoint.source, checkpoint.adapts).get("_name_or_path") or "")
        names = [name for name in (checkpoint.source, origin) if name]
        names = names if checkpoint.adapts is None else [checkpoint.adapts]
        names = folders if named is not None else names
        return ProcessorSource(names, fingerprint(processor=names))

    def _processor_folders(self, checkpoint: Checkpoint) -> list[str]:
        if self.info.settings.processor is not None:
            return [resolved(self.run, self.info.settings.processor)]
        source = Path(checkpoint.source)
        own = [] if checkpoint.is_base else [str(source), str(config_folder(source))]
        others = [
            other.source
            for other in self.found.usable
            if not other.is_base and other is not checkpoint
        ]
        bases = dict.fromkeys(one.adapts for one in self.found.usable if one.adapts is not None)
        return [*own, str(self.run.checkpoint_root(self.info)), *others, *bases]

    def _is_usual(self, settings: ProcessorSettings | None) -> bool:
        """Whether no other class is to be expected with the settings."""
        return settings is None or (settings.belongs_to_class and not self._has_rival(settings))

    def _has_rival(self, settings: ProcessorSettings) -> bool:
        """Whether the run has another class of image processors with the same settings that gives
        other pixels."""
        others = self._classes.get(settings.digest, set())
        return not all(settings.gives_pixels_of(other) for other in others)

    @cached_property
    def _classes(self) -> dict[str, set[str]]:
        """The classes of the run's image processors by their settings."""
        named = self.info.settings.processor is not None
        folders = [] if named else [one.source for one in self.found.usable if not one.is_base]
        found: dict[str, set[str]] = {}
        for one in _processors_in(map(Path, folders)):
            found.setdefault(one.digest, set()).add(one.class_name)
        return found

    def with_info(self, info: RunInfo) -> Models:
        """The same for other settings."""
        return replace(self, info=info)


def _config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    source = checkpoint.source
    return config_of(source, checkpoint.adapts) or hub_config(source)


def _known_key(stored: Mapping[str, Any] | None) -> EmbeddingKey | None:
    """What stored embeddings were computed from; None where that was not kept, or not as now."""
    try:
        return record_of(EmbeddingKey, stored["key"]) if stored and stored.get("key") else None
    except RecordError:
        return None


def _mended(method: EmbeddingMethod, stored: EmbeddingKey | None) -> tuple[str, ...]:
    """The faults of earlier versions that count in a fingerprint; those of the stored results
    where these have none."""
    if stored is not None and not faults_of(method, stored.checked):
        return stored.mended
    return tuple(fault.name for fault in faults_of(method))


@dataclass(frozen=True)
class _FoldersLeft:
    """What the folders of a run say about its models, whether or not their weights are there."""

    configs: list[tuple[Mapping[str, Any], str]]
    """With their fingerprints."""
    processors: list[ProcessorSettings]

    @classmethod
    def of(cls, sources: Sequence[str]) -> _FoldersLeft:
        """Read some folders, and models of the Hub's cache; what cannot be read is not there."""
        folders = [Path(source) for source in sources]
        return cls(list(_configs_in(sources)), list(_processors_in(folders)))


def _configs_in(sources: Iterable[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for source in sources:
        try:
            yield config_of(source) or hub_config(source), config_fingerprint(source)
        except (ValueError, AttributeError):
            continue


def _processors_in(folders: Iterable[Path]) -> Iterator[ProcessorSettings]:
    for folder in folders:
        try:
            if file := processor_file(folder):
                yield read_settings(file)
        except (CheckpointError, ValueError, TypeError):
            continue
