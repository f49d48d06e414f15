"""A run as a build sees it: what every input of a stage is, and what is stored of every result."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.analysis.neighbors import search_method
from review_embeddings.pipeline.images.runimages import RunImages, images_key, read_images
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.models.trainerstate import number_of
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import CheckpointRecord
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.records import record_of
from review_embeddings.pipeline.settings import Settings
from review_embeddings.pipeline.stages.heads import (
    changed_readings,
    has_head_record,
    prediction_classes,
)
from review_embeddings.pipeline.stages.keys import EmbeddingKey, Models
from review_embeddings.pipeline.stages.regime import Regime, regime_of
from review_embeddings.pipeline.stages.registry import BUILT_IN, STAGES, WITH_VERSION, map_stage
from review_embeddings.pipeline.stages.stage import ABSENT, ONCE, Stage


class _Unknown:
    """Stands for a value that is known only once something else was computed."""


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class InputSource:
    """What an input of a stage is called, taken apart: ``stage.array@which``."""

    name: str
    """Of a stage, or of a value of the run."""
    array: str | None
    """Of the stage, or part of the value; None for the whole."""
    which: str | None
    """``previous``, ``first``, ``last`` or ``all`` checkpoints; None for the same one."""

    @classmethod
    @cache
    def of(cls, text: str) -> InputSource:
        """From its text."""
        path, _, which = text.partition("@")
        name, _, array = path.partition(".")
        return cls(name, array or None, which or None)


@dataclass(frozen=True)
class StoredResult:
    """What is known of a result in the run folder."""

    fingerprint: str
    arrays: frozenset[str]
    metadata: Mapping[str, Any]
    """Whatever was kept beside the arrays."""


@dataclass(frozen=True)
class RunState:
    """The run folder, what it is made from, and the checkpoints that its table holds."""

    run: RunFolder
    info: RunInfo
    models: Models
    images: RunImages
    steps: tuple[int, ...] = ()
    """Checkpoints of the table, ascending."""
    piecemeal: bool = False
    """While checkpoints keep coming, what would be made again with each is left for later."""
    exact: bool = False
    """Whether neighbours are searched exactly whatever their number."""
    align_to: str | None = None
    """Reference of the alignment this time, whatever the settings say."""
    _keys: dict[int, EmbeddingKey | None] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Those that hold."""
        return self.info.settings

    def with_steps(self, steps: Sequence[int]) -> RunState:
        """The same run with these checkpoints in its table."""
        return replace(self, steps=tuple(steps))

    def altered(
        self, *, settings: Settings | None = None, images: RunImages | None = None
    ) -> RunState:
        """The same run with other settings or images."""
        info = self.info if settings is None else replace(self.info, settings=settings)
        return replace(
            self,
            info=info,
            models=self.models.with_info(info),
            images=images or self.images,
            _keys={},
        )

    # -- stages

    @cached_property
    def map(self) -> str:
        """The kind of map: one of all checkpoints would be made again while these keep coming."""
        kind = map_kind(self.settings.map)
        return "pca" if self.piecemeal and kind.of_all else kind.key

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """The stages that this run has, by name and in their order."""
        kind = map_kind(self.map)
        stages = [
            map_stage(kind) if stage.name == "projections" and kind.key != "pca" else stage
            for stage in STAGES
        ]
        return {stage.name: stage for stage in stages if all(map(self._has, stage.needs))}

    def _has(self, need: str) -> bool:
        if need == "labels":
            return self.images.labels is not None
        return bool(getattr(self.settings, need))

    def stage(self, name: str, step: int) -> Stage:
        """A stage as it computes for a checkpoint."""
        stage = self.stages[name]
        if name == "quality" and self.settings.cross_validate:
            return replace(stage, through=("judge",))
        if name == "quality":
            readings = self.readings(step)
            return replace(stage, hashed={"head": readings}) if readings else stage
        if name == "label_fit" and self.settings.cross_validate and self.has_several_labels:
            return replace(stage, hashed={"judged_by": self.settings.judged_by})
        return self._search(stage, step) if name == "neighbors" else stage

    def readings(self, step: int) -> list[str]:
        """See `changed_readings`: of what labels are judged by."""
        judges = self.images.labels is not None and not self.settings.cross_validate
        name = f"Checkpoint {step}"
        return changed_readings(self._head(step), self.images, judges=judges, name=name)

    @cached_property
    def has_several_labels(self) -> bool:
        """Whether an image may have several labels, as a head of the table's checkpoints says."""
        heads = map(self._head, self.steps)
        return any(head is not None and not head.is_of_one_label for head in heads)

    def _head(self, step: int) -> Head | None:
        """The head that the probabilities of a checkpoint are of, or will be."""
        stored = self.stored("embeddings", step)
        if stored is not None and stored.fingerprint == self.fingerprint("embeddings", step):
            head = stored.metadata["head"]
            return record_of(Head, head) if head and "probabilities" in stored.arrays else None
        found = self.models.found
        return self.models.head(found.by_step(step), self.images) if step in found.steps else None

    def _search(self, stage: Stage, step: int) -> Stage:
        """The search for neighbours that a checkpoint has or is to have.

        Its method is part of the fingerprint, but for an exact one. Results of before that rule
        say by their recall whether they are exact; exact ones serve everybody.
        """
        method = None if self.exact else search_method(len(self.images), device=self.models.device)
        stored = self.stored("neighbors", step)
        marked = replace(stage, hashed={"search": "exact"})
        if stored is not None and stored.fingerprint == self.fingerprint_of(marked, step):
            return marked
        if stored is not None and stored.fingerprint == self.fingerprint_of(stage, step):
            served = method is not None or stored.metadata.get("recall", 1.0) == 1.0
            return stage if served else marked
        return stage if method is None else replace(stage, hashed={"search": method})

    def steps_of(self, stage: Stage) -> list[int]:
        """The checkpoints that a stage has results for."""
        if stage.scope == "last":
            return self._last_with_weights(stage.name)
        steps = stage.steps(self.steps)
        return steps[:1] if stage.scope == "ends" and self.piecemeal else steps

    def _last_with_weights(self, name: str) -> list[int]:
        """The last checkpoint of the training whose weights are there, or a later one that has a
        current result."""
        found = self.models.found
        for step in reversed(self.steps):
            if step in found.steps and not found.by_step(step).is_base:
                return [step]
            stored = self.stored(name, step)
            if stored is not None and stored.fingerprint == self.fingerprint(name, step):
                return [step]
        return []

    def shape(self, step: int) -> tuple[int, ...]:
        """Of the embeddings of a checkpoint."""
        shape: tuple[int, ...] = self.run.read_array("embeddings", step).shape
        return shape

    # -- fingerprints

    def fingerprint(self, name: str, step: int) -> str | None:
        """Of the result that a stage is to have for a checkpoint; None where an input is not
        known."""
        return self.fingerprint_of(self.stage(name, step), step)

    def fingerprint_of(self, stage: Stage, step: int) -> str | None:
        """The same of a stage as it is given."""
        parts = self.parts(stage, step)
        return None if parts is None else fingerprint(**parts)

    def parts(self, stage: Stage, step: int) -> dict[str, Any] | None:
        """What the fingerprint of a result is of; None where an input is not known."""
        required = stage.identity
        identity = {
            key: InputSource.of(text) for key, text in {**required, **stage.optional}.items()
        }
        inputs = {key: self._identity_of(source, step) for key, source in identity.items()}
        inputs = {key: one for key, one in inputs.items() if key in required or one not in ABSENT}
        if any(value is UNKNOWN for value in inputs.values()):
            return None
        version = self.version(stage, step)
        return {**stage.parts(inputs, self.settings, version), **self._left_out(stage, step)}

    def _identity_of(self, source: InputSource, step: int) -> Any:
        if source.name not in self.stages or source.name in {"images", "pixels"}:
            return self.value(source, step)
        if source.which == "all":
            return self._identity_of_all(source.name)
        return self.fingerprint(source.name, self.step_at(source, step)) or UNKNOWN

    def _identity_of_all(self, name: str) -> Any:
        """Of the results of a stage for all checkpoints; asked for by each of them."""
        if name not in self._of_all:
            values = [self.fingerprint(name, step) for step in self.steps]
            self._of_all[name] = UNKNOWN if None in values else fingerprint(**{name: values})
        return self._of_all[name]

    @cached_property
    def _of_all(self) -> dict[str, Any]:
        return {}

    def _left_out(self, stage: Stage, step: int) -> dict[str, Any]:
        """Keys for inputs that the fingerprint leaves out because they follow from others: what
        tells their results from those of their first versions."""
        covered = {InputSource.of(text).name for text in stage.identity.values()}
        keys: dict[str, Any] = {}
        inputs = {**stage.inputs, **{name: name for name in stage.through}}
        for keyword, source in ((key, InputSource.of(text)) for key, text in inputs.items()):
            if source.name in self.stages and source.name not in covered:
                given = self.stage(source.name, self.step_at(source, step))
                if given.version > given.baseline or given.hashed:
                    keys[f"{keyword}_method"] = [given.version, dict(given.hashed)]
        return keys

    def step_at(self, source: InputSource, step: int) -> int:
        """The checkpoint that an input of a stage is of."""
        if self.stages[source.name].is_single:
            return ONCE
        if source.which in {"first", "last"}:
            return self.steps[0 if source.which == "first" else -1]
        return self.steps[self.steps.index(step) - 1] if source.which == "previous" else step

    def version(self, stage: Stage, step: int) -> int:
        """The version of a result: an older one for embeddings that cannot be computed again,
        because their weights are gone."""
        if stage.name != "embeddings" or step in self.models.found.steps:
            return stage.version
        key, stored = self.key(step), self.stored(stage.name, step)
        if key is None or stored is None:
            return stage.version
        older = range(1, stage.version)
        fits = (one for one in older if stored.fingerprint == key.fingerprint(stage, one))
        return next(fits, stage.version)

    def key(self, step: int) -> EmbeddingKey | None:
        """What a checkpoint's embeddings are computed from, or were where its weights are gone."""
        if step not in self._keys:
            self._keys[step] = self.models.key(step, self.images)
        return self._keys[step]

    def faults(self, step: int) -> list[str]:
        """What is wrong with the embeddings of a checkpoint that cannot be computed again: as far
        as that shows, and what the table says of it already."""
        if step in self.models.found.steps:
            return []
        found = [fault.reason for fault in self.models.stored_faults(step)]
        return list(dict.fromkeys([*self._faults_in_table.get(step, []), *found]))

    @cached_property
    def _faults_in_table(self) -> dict[int, list[str]]:
        manifest = table.read_manifest(self.run)
        return {} if manifest is None else {one.step: one.faults for one in manifest.checkpoints}

    def forget_key(self, step: int) -> None:
        """It may have changed: another precision was taken."""
        self._keys.pop(step, None)
        self._of_all.clear()

    # -- values of the run, as they count in fingerprints

    def value(self, source: InputSource, step: int) -> Any:
        """A value that is no result of a stage; `UNKNOWN` where it is not known yet."""
        if source.name == "checkpoint":
            key = self.key(step)
            return UNKNOWN if key is None else getattr(key, str(source.array))
        value = getattr(self, f"_{source.name}")
        return value() if callable(value) else value

    @cached_property
    def _labels(self) -> str | None:
        return labels_fingerprint(self.images)

    @cached_property
    def _images(self) -> str:
        return self.images.digest

    @cached_property
    def _image_ids(self) -> list[Any]:
        return [self._images, self.images.ids.tolist()]

    @cached_property
    def regime(self) -> Regime:
        """Which images the models were trained on."""
        return regime_of(self.run, self.info, self.images)

    def _trained_on(self) -> str | None:
        return self.regime.fingerprint

    def _dataset(self) -> str:
        return images_key(self.info.dataset)

    def _against(self) -> str:
        return str(self.settings.against)

    def _align_to(self) -> str:
        return self.align_to or self.settings.align_to

    def _map(self) -> str:
        return self.map

    def _columns(self) -> list[list[str]]:
        return [[column.name, column.kind] for column in table.COLUMNS]

    def _versions(self) -> dict[str, Any]:
        return table_versions(self)

    def _checkpoints(self) -> Any:
        stored = {step: self.stored("embeddings", step) for step in self.steps}
        rows = []
        for step, one in stored.items():
            if one is None or one.fingerprint != self.fingerprint("embeddings", step):
                return UNKNOWN
            record = checkpoint_record(self, step, one.metadata)
            rows.append([step, one.fingerprint, record.epoch, record.loss, *self.faults(step)])
        return rows

    def _prediction_classes(self) -> Any:
        stored = {step: self.stored("embeddings", step) for step in self.steps}
        known = {step: one.metadata for step, one in stored.items() if one is not None}
        return prediction_classes(self.images, known) if len(known) == len(stored) else UNKNOWN

    # -- what is stored

    def stored(self, name: str, step: int) -> StoredResult | None:
        """What the run folder has of a result; None where it is not complete."""
        if name == "table":
            return _stored_table(self.run)
        if name == "leaks" and read_images(against_run(self.run, self._against())) is None:
            return None
        metadata = self.run.result_metadata(name, step)
        if metadata is None or (name == "embeddings" and not has_head_record(metadata)):
            return None
        return StoredResult(metadata["fingerprint"], frozenset(metadata["arrays"]), metadata)


def _stored_table(run: RunFolder) -> StoredResult | None:
    manifest = table.read_manifest(run)
    if manifest is None:
        return None
    files = [manifest.images, *(one.file for one in manifest.checkpoints)]
    whole = all(storage.exists(run.table / name) for name in files)
    return StoredResult(manifest.fingerprint, frozenset(), {}) if whole else None


def against_run(run: RunFolder, split: str) -> RunFolder:
    """The run inside a run that has the images of another split."""
    return RunFolder(run.path / f"against-{re.sub(r'[^A-Za-z0-9_.-]', '_', split)}")


def table_versions(state: RunState) -> dict[str, Any]:
    """Of all stages that a table is made of, with what tells results of one version apart."""
    versions: dict[str, Any] = {
        stage.name: stage.version for stage in STAGES if stage.name in WITH_VERSION
    }
    for stage in state.stages.values():
        if stage.name not in BUILT_IN:
            versions[stage.name] = [
                state.fingerprint(stage.name, step) for step in state.steps_of(stage)
            ]
    searches = [dict(state.stage("neighbors", step).hashed) for step in state.steps]
    if any(searches):
        versions["search"] = searches
    readings = [state.readings(step) for step in state.steps]
    return {**versions, "heads": readings} if any(readings) else versions


def labels_fingerprint(images: RunImages) -> str | None:
    """Of the labels and the classes; None for unlabelled data."""
    if images.labels is None:
        return None
    return fingerprint(labels=images.labels.tolist(), classes=images.classes)


def checkpoint_record(state: RunState, step: int, metadata: Mapping[str, Any]) -> CheckpointRecord:
    """What is known of a checkpoint beside its weights; what the history does not say is taken
    from beside its embeddings, where it was known when these were made."""
    known = state.models.found.history.at(step)
    return replace(
        known,
        epoch=number_of(metadata.get("epoch")) if known.epoch is None else known.epoch,
        loss=number_of(metadata.get("loss")) if known.loss is None else known.loss,
    )


def with_records(state: RunState, records: Mapping[int, CheckpointRecord]) -> RunState:
    """The same run with something else known of its checkpoints."""
    found = state.models.found
    by_step = {str(step): record for step, record in records.items()}
    history = replace(found.history, checkpoints=by_step)
    return replace(state, models=replace(state.models, found=replace(found, history=history)))
