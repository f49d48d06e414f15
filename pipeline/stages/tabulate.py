"""Makes the long table of what the stages have stored: the last stage of a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.duplicates import group_duplicates
from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.analysis.outliers import (
    are_outliers,
    rank_scores,
    worst_count,
)
from review_embeddings.pipeline.analysis.project import AlignedRun
from review_embeddings.pipeline.analysis.trajectories import CheckpointValues, TrajectoryBuilder
from review_embeddings.pipeline.analysis.trust import MapTrust
from review_embeddings.pipeline.stages.heads import outputs_of_head, prediction_classes
from review_embeddings.pipeline.stages.inputs import class_probabilities
from review_embeddings.pipeline.stages.leaks import stored_leaks
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import ONCE, Job
from review_embeddings.pipeline.stages.state import RunState, checkpoint_record
from review_embeddings.pipeline.table.column import Per


def tabulate(session: BuildSession, state: RunState, job: Job) -> table.Manifest:
    """Align all checkpoints and write the table. Raises ReviewError."""
    assert job.fingerprint is not None
    session.begin_writing()
    leaks = stored_leaks(state) if state.settings.against else None
    with session.timed(job.stage.name, len(state.steps)):
        source = _Tables(state, job.stage.compute(**_maps(state)))
        return table.write(
            session.run,
            state.images,
            source.parts(),
            lambda: source.findings(leaks),
            fingerprint=job.fingerprint,
            align_to=state.align_to or state.settings.align_to,
            scaling=state.settings.scaling,
            kind=state.map,
            prediction_classes=source.classes,
        )


def _maps(state: RunState) -> dict[str, Any]:
    """What the alignment takes."""
    return {
        "maps": [state.run.read_array("projections", step) for step in state.steps],
        "align_to": state.align_to or state.settings.align_to,
        "scaling": state.settings.scaling,
        "shared_basis": map_kind(state.map).shared_basis,
    }


class _Tables:
    """The parts of a table, one checkpoint after the other, and what is known once all were
    there."""

    def __init__(self, state: RunState, aligned: AlignedRun) -> None:
        self._state, self._aligned = state, aligned
        self._stored = {step: _metadata(state, "embeddings", step) for step in state.steps}
        self.classes = prediction_classes(state.images, self._stored)
        labels = state.images.labels
        self._trajectories = TrajectoryBuilder(
            np.full(len(state.images), -1) if labels is None else labels, state.images.ids
        )

    def parts(self) -> Iterator[table.TablePart]:
        """One a checkpoint."""
        for position in range(len(self._state.steps)):
            part = self._part(position)
            self._trajectories.add(self._seen(part, first=position == 0))
            yield part

    def findings(self, leaks: table.Leaks | None) -> table.Findings:
        """What is known of each image over all checkpoints."""
        state = self._state
        copies = [
            state.run.read_array("duplicates", step)[1:]
            for step in state.steps_of(state.stages["duplicates"])
        ]
        return table.Findings(
            self._trajectories.finish(),
            group_duplicates(state.images.hashes, np.concatenate(copies)),
            leaks,
            _sourced(state, ONCE, "image"),
        )

    def _part(self, position: int) -> table.TablePart:
        state, step = self._state, self._state.steps[position]
        stored, alignment = self._stored[step], self._aligned.alignments[position]
        scores = np.asarray(state.run.read_array("outliers", step))
        ranking = rank_scores(scores)
        variance = _metadata(state, "projections", step)["explained_variance"]
        predictions, confidence = self._predictions(step)
        return table.TablePart(
            step=step,
            record=checkpoint_record(state, step, stored),
            predictions=predictions,
            confidence=confidence,
            points=self._aligned.points[position],
            scores=scores,
            rank=ranking.rank,
            percentile=ranking.percentile,
            dimension=stored["dimension"],
            explained_variance=None if variance is None else tuple(variance),
            scale=alignment.scale,
            disparity=alignment.disparity,
            trust=_trust(state, step),
            faults=state.faults(step),
            more=_sourced(state, step, "checkpoint-and-image"),
        )

    def _predictions(
        self, step: int
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.float32] | None]:
        """The predicted class of each image, as an index into all classes, and its probability;
        None without a head."""
        names = outputs_of_head(self._state.images, step, self._stored[step])
        if names is None or self.classes is None:
            return None, None
        index = {name: position for position, name in enumerate(self.classes)}
        outputs = np.array([index[name] for name in names], dtype=np.int32)
        probabilities = self._state.run.read_array("probabilities", step)
        best = probabilities.argmax(axis=1)
        confidence = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
        return outputs[best], confidence.clip(0.0, 1.0)

    def _seen(self, part: table.TablePart, *, first: bool) -> CheckpointValues:
        """What the trajectories take of a checkpoint; the first one has moved from nowhere."""
        state = self._state
        motion = None if first else state.run.read_array("motion", part.step)
        unlabelled = state.images.labels is None
        return CheckpointValues(
            step=part.step,
            percentile=part.percentile,
            outlier=are_outliers(part.percentile, worst_count(len(state.images))),
            neighbors=state.run.read_array("neighbors", part.step),
            moved=None if motion is None else motion[:, 0],
            kept=None if motion is None else motion[:, 1],
            apart=None if motion is None else motion[:, 2],
            probabilities=None if unlabelled else class_probabilities(state, part.step),
        )


def _metadata(state: RunState, name: str, step: int) -> Mapping[str, Any]:
    metadata = state.run.result_metadata(name, step)
    assert metadata is not None
    return metadata


def _sourced(state: RunState, step: int, per: Per) -> dict[str, NDArray[Any]]:
    """The values of all columns that are a stored array as it is, of the stages that this run has
    for the checkpoint."""
    values: dict[str, NDArray[Any]] = {}
    for stage in state.stages.values():
        if step in state.steps_of(stage) and stage.is_single == (per == "image"):
            read = partial(state.run.read_array, step=step)
            values.update(table.values_from(stage.name, per, read))
    return values


def _trust(state: RunState, step: int) -> MapTrust:
    metadata = _metadata(state, "trust", step)
    kept = np.array(state.run.read_array("trust", step))
    return MapTrust(kept, metadata["trustworthiness"], metadata["continuity"])
