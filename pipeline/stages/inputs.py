"""Opens what a stage takes: arrays of other stages, and values of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import hash_ranks
from review_embeddings.pipeline.analysis.duplicates import Looks, shrunk
from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.engines.work import Input, StoredArray
from review_embeddings.pipeline.images.decode import decode, to_rgb
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.progress import Advance, Progress
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import make_folder
from review_embeddings.pipeline.stages.heads import (
    checkpoint_judges,
    stored_head,
    stored_probabilities,
)
from review_embeddings.pipeline.stages.regime import Regime
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import Stage
from review_embeddings.pipeline.stages.state import InputSource, RunState
from review_embeddings.pipeline.threads import chunks, in_threads

OF_A_CHECKPOINT = {"judges", "probabilities"}
"""Values of the run that are of a checkpoint each."""

SHRUNK_TOGETHER = 16
"""Files, which may be large, that are one piece of work of a thread."""


@dataclass(frozen=True)
class Inputs:
    """What the computation of a stage takes."""

    session: BuildSession
    state: RunState
    stage: Stage
    advance: Advance
    """Says how far it is."""

    @property
    def of_the_run(self) -> list[str]:
        """Keywords of the inputs that are of no checkpoint."""
        return [
            key
            for key, text in self.stage.inputs.items()
            if InputSource.of(text).name not in {*self.state.stages, *OF_A_CHECKPOINT}
        ]

    def of(self, step: int) -> dict[str, Any]:
        """All inputs for a checkpoint, by keyword."""
        return {
            key: self._input(InputSource.of(text), step) for key, text in self.stage.inputs.items()
        }

    def value(self, keyword: str) -> Any:
        """One that is of no checkpoint."""
        return self._input(InputSource.of(self.stage.inputs[keyword]), 0)

    def _input(self, source: InputSource, step: int) -> Any:
        if source.name not in self.state.stages:
            value = getattr(self, f"_{source.name}")
            return value(step)
        at, name = self.state.step_at(source, step), source.array or source.name
        stored = self.state.stored(source.name, at)
        assert stored is not None
        return StoredArray(self.session.run.reference, name, at, stored.fingerprint)

    # -- values of the run

    def _labels(self, step: int) -> NDArray[np.int32]:
        assert self.state.images.labels is not None
        return self.state.images.labels

    def _class_count(self, step: int) -> int:
        return len(self.state.images.classes or [])

    def _hashes(self, step: int) -> list[str]:
        return self.state.images.hashes

    def _hash_ranks(self, step: int) -> NDArray[np.int64]:
        return self._ranks

    @cached_property
    def _ranks(self) -> NDArray[np.int64]:
        return hash_ranks(self.state.images.hashes)

    def _image_ids(self, step: int) -> NDArray[np.int64]:
        return self.state.images.ids

    def _judged_as(self, step: int) -> NDArray[np.int32] | None:
        return judged_as(self.state, step)

    def _known_labels(self, step: int) -> NDArray[np.int32] | None:
        return known_labels(self.state)

    def _head_outputs(self, step: int) -> NDArray[Any] | None:
        return head_outputs(self.state, self.state.steps[-1])

    def _apart_weights(self, step: int) -> list[float]:
        stored = [self.state.stored("apart", one) for one in self.state.steps]
        return [1.0 if one is None else float(one.metadata["weight"]) for one in stored]

    def _files(self, step: int) -> Iterator[bytes]:
        return self.state.images.read_files()

    def _device(self, step: int) -> str | None:
        return self.session.request.device

    def _advance(self, step: int) -> Advance:
        return self.advance

    def _scratch(self, step: int) -> Path:
        return scratch_folder(self.session.run)

    def _pictures(self, step: int) -> Looks:
        session, images = self.session, self.state.images
        if session.looks is None or session.looks[0] is not images:
            read = pictures_of(images, session.progress)
            looks = Looks(read, len(images), scratch_folder(session.run))
            session.looks = images, session.stack.enter_context(looks)
        return session.looks[1]

    def _probabilities(self, step: int) -> ClassProbabilities | None:
        return class_probabilities(self.state, step)

    def _judges(self, step: int) -> CheckpointJudges:
        return checkpoint_judges(self.state.run, self.state.images, step)

    def _regime(self, step: int) -> Regime:
        return self.state.regime

    def _one_label(self, step: int) -> bool:
        return bool(self.state.settings.cross_validate) or not self.state.has_several_labels


class OpenedCheckpoints(Sequence[Mapping[str, Any]]):
    """The inputs of one checkpoint after the other, each opened when it is asked for."""

    def __init__(self, inputs: Inputs, steps: Sequence[int]) -> None:
        self._inputs, self._steps = inputs, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, position: Any) -> Any:
        inputs = self._inputs.of(self._steps[position])
        return {
            key: value.load() if isinstance(value, Input) else value
            for key, value in inputs.items()
        }


def scratch_folder(run: RunFolder) -> Path:
    """A folder for what is needed for a while and may be large."""
    make_folder(run.cache)
    return run.cache


def pictures_of(
    images: RunImages, progress: Progress
) -> Callable[[Sequence[int]], Iterator[tuple[int, Any]]]:
    """Reads RGB images by their positions in threads, shrunk to what is compared of them, and says
    how far it is."""

    def shrink(some: list[tuple[int, bytes]]) -> list[tuple[int, Any]]:
        return [(at, shrunk(to_rgb(decode(data), images.grey_rules))) for at, data in some]

    def read(positions: Sequence[int]) -> Iterator[tuple[int, Any]]:
        title, total = "Comparing pictures", len(positions)
        with progress.stage(title, total=total, unit="images") as advance:
            files = chunks(images.read_some(positions), SHRUNK_TOGETHER)
            for part in in_threads(shrink, files):
                yield from part
                advance(len(part))

    return read


def class_probabilities(state: RunState, step: int) -> ClassProbabilities | None:
    """A checkpoint's probabilities of the data set's classes; None without a head.

    With ``--cross-validate`` they are those of the leave-one-out judge instead.
    """
    folds = state.settings.cross_validate
    stored = stored_probabilities(state.run, state.images, folds, step)
    return None if stored is None else stored.of(slice(None))


def judged_as(state: RunState, step: int) -> NDArray[np.int32] | None:
    """The class of each image by which others are judged, shape (N,), -1 for none: its label or,
    where no image has one, what a checkpoint's head predicts. None without a head."""
    labels = known_labels(state)
    if labels is not None:
        return labels
    outputs = head_outputs(state, step)
    if outputs is None:
        return None
    predicted = np.asarray(outputs).argmax(axis=1)
    return np.unique(predicted, return_inverse=True)[1].astype(np.int32)


def known_labels(state: RunState) -> NDArray[np.int32] | None:
    """The labels, shape (N,), -1 without one; None where no image has one."""
    labels = state.images.labels
    return labels if labels is not None and (labels >= 0).any() else None


def head_outputs(state: RunState, step: int) -> NDArray[Any] | None:
    """All probabilities of a checkpoint's head, shape (N, O), memory-mapped; None without one, and
    where an image may have several classes."""
    metadata = state.run.result_metadata("embeddings", step)
    head = None if metadata is None else stored_head(metadata)
    if head is None or not head.is_of_one_label:
        return None
    return state.run.read_array("probabilities", step)
