"""What is missing or stale, and why: the only place that asks whether a result is current."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import RunImages, images_key
from review_embeddings.pipeline.models.faults import FAULTS
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.stages.stage import ONCE, Job, Stage
from review_embeddings.pipeline.stages.state import (
    InputSource,
    RunState,
    StoredResult,
    labels_fingerprint,
    with_records,
)

NEW = "new"

OPTIONS = {"class_names": "--classes", "reading": "rules of reading"}
"""Fields of a data set's reference that are not called as their options are."""

NOT_OF_TABLE = {"images", "pixels", "table"}
"""Stages whose results are no reason by themselves to write the table anew."""

WORDS = {
    "weights": "weights",
    "config": "the model's configuration",
    "processor": "image processor",
    "with_head": "whether the head is used",
    "head_kind": "the kind of the head",
    "images": "images",
    "pooling": "--pooling",
    "precision": "--precision",
}
"""What the parts of an embedding's fingerprint are called."""


@dataclass
class Before:
    """What a run was before, by which a reason is found for what has become stale."""

    info: RunInfo | None = None
    images: RunImages | None = None
    computed: set[tuple[str, int]] = field(default_factory=set)
    """Results that are computed anew."""

    def add(self, job: Job) -> Job:
        """Remember that this one is."""
        self.computed.add((job.stage.name, job.step))
        return job


def plan(state: RunState, names: Sequence[str], before: Before) -> Iterator[Job]:
    """Every result of some stages that is missing or stale, in the order of the stages."""
    for_table = [name for name in names if name in state.stages and state.stages[name].for_table]
    needless = for_table if for_table and table_is_current(state) else []
    for name in names:
        if name not in state.stages or name in needless:
            continue
        for step in state.steps_of(state.stages[name]):
            stage = state.stage(name, step)
            reason = why_stale(state, stage, step, before)
            if reason is not None:
                value = state.fingerprint_of(stage, step)
                yield before.add(Job(stage, step, value, reason, _seconds(state, stage)))


def table_is_current(state: RunState) -> bool:
    """Whether the table is what would be written: then nothing is needed that it alone takes."""
    stored = state.stored("table", ONCE) if state.steps else None
    return stored is not None and stored.fingerprint == state.fingerprint("table", ONCE)


def _seconds(state: RunState, stage: Stage) -> float | None:
    """Of one job."""
    if stage.seconds is None:
        return None
    count = len(state.steps_of(stage))
    return stage.seconds(len(state.images), count) / max(1, count) or None


def why_stale(state: RunState, stage: Stage, step: int, before: Before) -> str | None:
    """Why a result is computed; None where the one that is stored is current."""
    stored = state.stored(stage.name, step)
    if stored is None:
        return NEW
    value = state.fingerprint_of(stage, step)
    if value == stored.fingerprint:
        lacking = sorted({*stage.outputs, *stage.metadata} - {*stored.arrays, *stored.metadata})
        return f"lacks {', '.join(lacking)}" if lacking else None
    return _reason(state, stage, step, stored, before)


def _reason(state: RunState, stage: Stage, step: int, stored: StoredResult, before: Before) -> str:
    if known := stored.metadata.get("key"):
        return _compared(state, stage, step, known)
    if anew := _inputs_computed(state, stage, step, before):
        return f"{', '.join(anew)} computed anew"
    for reason, value in _explanations(state, stage, step, before):
        if value == stored.fingerprint:
            return reason
    return "its inputs have changed"


def _compared(state: RunState, stage: Stage, step: int, known: Mapping[str, Any]) -> str:
    """Of embeddings, beside which is kept what they were computed from."""
    key = state.key(step)
    now = {} if key is None else key.inputs
    changed = [word for name, word in WORDS.items() if now.get(name) != known.get(name)]
    reasons = [f"{', '.join(changed)} changed"] if changed else []
    reasons += [FAULTS[name].reason for name in _mended_since(now, known)]
    return "; ".join(reasons) or f"version {stage.version - 1} -> {stage.version}"


def _mended_since(now: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """The faults that stored embeddings have, by name."""
    return [name for name in now.get("mended", ()) if name not in known.get("checked", ())]


def _inputs_computed(state: RunState, stage: Stage, step: int, before: Before) -> list[str]:
    """The stages whose results it takes and that are computed anew."""
    names = dict.fromkeys(
        source.name
        for source in map(
            InputSource.of, [*stage.identity.values(), *stage.inputs.values(), *stage.through]
        )
        if source.name in state.stages and not state.stages[source.name].is_single
    )
    if stage.name == "table":
        names = dict.fromkeys(name for name in state.stages if name not in NOT_OF_TABLE)
    single = stage.is_single
    return [name for name in names if _is_anew(state, name, step, before, is_single=single)]


def _is_anew(state: RunState, name: str, step: int, before: Before, *, is_single: bool) -> bool:
    whole = state.steps_of(state.stages[name])
    return (name, step) in before.computed or (
        (is_single or step not in whole) and any((name, one) in before.computed for one in whole)
    )


def why_images_stale(
    images: RunImages | None, info: RunInfo, signature: str | None, before: RunInfo | None
) -> str | None:
    """Why the images of a run are read; None where those that are there are current.

    ``signature`` is that of the data set's files now, None where that cannot be told; ``before`` is
    what the run folder says.
    """
    if images is None:
        return NEW
    if images.key != images_key(info.dataset):
        return _dataset_changes(info, before) or "another data set"
    version = STAGES["images"].version
    if images.version != version:
        return f"version {images.version} -> {version}"
    if signature not in {None, images.signature}:
        return "the data set's files have changed"
    return None


def _dataset_changes(info: RunInfo, before: RunInfo | None) -> str:
    if before is None:
        return ""
    old, new = asdict(before.dataset), asdict(info.dataset)
    return ", ".join(
        f"{OPTIONS.get(name, '--' + name.replace('_', '-'))} {_shown(old[name])} -> "
        f"{_shown(new[name])}"
        for name in old
        if old[name] != new[name]
    )


Change = tuple[str, Callable[[RunState, Stage], tuple[RunState, Stage]]]
"""What may have changed, and how to get back to before it."""


def _explanations(
    state: RunState, stage: Stage, step: int, before: Before
) -> Iterator[tuple[str, str | None]]:
    """Each combination of changes that may have happened, the simplest first, with the fingerprint
    that the result had before them."""
    changes = [
        *_setting_changes(state, before),
        *_image_changes(state, before),
        *_record_changes(state, stage),
        *_version_changes(stage),
    ]
    for count in range(1, len(changes) + 1):
        for some in itertools.combinations(changes, count):
            earlier, as_it_was = state, stage
            for _, undo in some:
                earlier, as_it_was = undo(earlier, as_it_was)
            yield ", ".join(name for name, _ in some), earlier.fingerprint_of(as_it_was, step)


def _setting_changes(state: RunState, before: Before) -> Iterator[Change]:
    if before.info is None:
        return
    for name, new in asdict(state.settings).items():
        old = getattr(before.info.settings, name)
        if old != new:
            option = f"--{name.replace('_', '-')}"
            yield f"{option} {_shown(old)} -> {_shown(new)}", partial(_with_setting, name, old)


def _with_setting(name: str, value: Any, state: RunState, stage: Stage) -> tuple[RunState, Stage]:
    earlier = state.altered(settings=replace(state.settings, **{name: value}))
    return earlier, earlier.stages.get(stage.name, stage)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def _image_changes(state: RunState, before: Before) -> Iterator[Change]:
    old = before.images
    if old is None:
        return
    if labels_fingerprint(old) != labels_fingerprint(state.images):
        yield (
            "labels changed",
            lambda state, stage: (
                state.altered(images=replace(state.images, labels=old.labels, classes=old.classes)),
                stage,
            ),
        )
    if [old.digest, old.ids.tolist()] != [state.images.digest, state.images.ids.tolist()]:
        yield (
            "images changed",
            lambda state, stage: (
                state.altered(
                    images=replace(old, labels=state.images.labels, classes=state.images.classes)
                ),
                stage,
            ),
        )


def _record_changes(state: RunState, stage: Stage) -> Iterator[Change]:
    """The table has epoch and loss of each checkpoint, which may come after it."""
    if stage.name == "table":
        records = table.written_records(state.run)
        yield (
            "epoch or loss of a checkpoint became known",
            lambda state, stage: (with_records(state, records), stage),
        )


def _version_changes(stage: Stage) -> Iterator[Change]:
    for version in range(1, stage.version):
        yield f"version {version} -> {stage.version}", partial(_with_version, version)


def _with_version(version: int, state: RunState, stage: Stage) -> tuple[RunState, Stage]:
    return state, replace(stage, version=version)
