"""What is missing or stale, and why: the only place that asks whether a result is current."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from review_embeddings.pipeline.images.runimages import RunImages, images_key
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.stages.stage import Job, Stage
from review_embeddings.pipeline.stages.state import (
    RunState,
    Source,
    StoredResult,
    labels_fingerprint,
)

NEW = "new"

WORDS = {
    "weights": "weights",
    "config": "the model's configuration",
    "processor": "image processor",
    "with_head": "whether the head is used",
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
    for name in names:
        if name not in state.stages:
            continue
        for step in state.steps_of(state.stages[name]):
            stage = state.stage(name, step)
            reason = why_stale(state, stage, step, before)
            if reason is not None:
                value = state.fingerprint_of(stage, step)
                yield before.add(Job(stage, step, value, reason, _seconds(state, stage)))


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
        lacking = sorted(set(stage.outputs) - stored.arrays)
        return f"lacks {', '.join(lacking)}" if lacking else None
    return _reason(state, stage, step, stored, before)


def _reason(state: RunState, stage: Stage, step: int, stored: StoredResult, before: Before) -> str:
    if changed := stored.metadata.get("key"):
        return _compared(state, stage, step, changed)
    if anew := _inputs_computed(state, stage, step, before):
        return f"{', '.join(anew)} computed anew"
    parts = state.parts(stage, step)
    if parts is not None:
        for name, old in _explanations(state, stage, parts, before):
            if fingerprint(**old) == stored.fingerprint:
                return name
    return "its inputs have changed"


def _compared(state: RunState, stage: Stage, step: int, key: Mapping[str, Any]) -> str:
    """Of embeddings, beside which is kept what they were computed from."""
    now = state.parts(stage, step) or {}
    changed = [word for name, word in WORDS.items() if now.get(name) != key.get(name)]
    if changed:
        return f"{', '.join(changed)} changed"
    return f"version {stage.version}"


def _inputs_computed(state: RunState, stage: Stage, step: int, before: Before) -> list[str]:
    """The stages whose results it takes and that are computed anew."""
    names = dict.fromkeys(
        source.name
        for source in map(Source.of, [*stage.identity.values(), *stage.inputs.values()])
        if source.name in state.stages and not state.stages[source.name].is_single
    )
    if stage.name == "table":
        names = dict.fromkeys(name for name in state.stages if name != "table")
    return [name for name in names if _is_anew(state, name, step, before)]


def _is_anew(state: RunState, name: str, step: int, before: Before) -> bool:
    whole = state.steps_of(state.stages[name])
    return (name, step) in before.computed or (
        step not in whole and any((name, one) in before.computed for one in whole)
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
    if signature not in {None, images.signature}:
        return "the data set's files have changed"
    return None


def _dataset_changes(info: RunInfo, before: RunInfo | None) -> str:
    if before is None:
        return ""
    old, new = asdict(before.dataset), asdict(info.dataset)
    return ", ".join(
        f"--{name.replace('_', '-')} {_shown(old[name])} -> {_shown(new[name])}"
        for name in old
        if old[name] != new[name]
    )


Change = tuple[str, Mapping[str, Any]]
"""What may have changed, and the parts of the fingerprint as they were before it."""


def _explanations(
    state: RunState, stage: Stage, parts: Mapping[str, Any], before: Before
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each combination of changes that may have happened, the simplest first."""
    changes = [*_setting_changes(state, stage, before), *_value_changes(parts, before)]
    changes += [*_version_changes(stage, parts)]
    for count in range(1, len(changes) + 1):
        for some in itertools.combinations(changes, count):
            old = dict(parts)
            for _, earlier in some:
                old.update(earlier)
            yield ", ".join(name for name, _ in some), old


def _setting_changes(state: RunState, stage: Stage, before: Before) -> Iterator[Change]:
    if before.info is None:
        return
    settings = {**stage.settings, "align_to": "align_to", "map": "map"}
    for key, name in settings.items():
        old, new = getattr(before.info.settings, name), getattr(state.settings, name)
        if old != new:
            option = f"--{name.replace('_', '-')}"
            yield f"{option} {_shown(old)} -> {_shown(new)}", {key: old}


def _shown(value: Any) -> str:
    return "none" if value in {None, False} else "on" if value is True else str(value)


def _value_changes(parts: Mapping[str, Any], before: Before) -> Iterator[Change]:
    images = before.images
    if images is None:
        return
    labels = labels_fingerprint(images)
    if "labels" in parts and parts["labels"] != labels:
        yield "labels changed", {"labels": labels}
    ids = [images.digest, images.ids.tolist()]
    if parts.get("images") not in (None, ids, images.digest):
        old = ids if isinstance(parts["images"], list) else images.digest
        yield "images changed", {"images": old}


def _version_changes(stage: Stage, parts: Mapping[str, Any]) -> Iterator[Change]:
    if "method" in parts:
        for version in range(1, stage.version):
            yield f"version {version} -> {stage.version}", {"method": version}
