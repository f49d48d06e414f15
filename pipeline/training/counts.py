"""What a review would find at a checkpoint, as numbers for whoever looks on at a training, such as
TensorBoard: they go through the Trainer's own callbacks, so that no service is known here.

Only what the embeddings of this checkpoint say is computed, and it is stored: a later build has it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from review_embeddings.pipeline.analysis.categories import EVEN
from review_embeddings.pipeline.models.libraries import import_transformers
from review_embeddings.pipeline.stages.execute import compute, folded
from review_embeddings.pipeline.stages.inputs import Inputs
from review_embeddings.pipeline.stages.keys import EmbeddingKey
from review_embeddings.pipeline.stages.plan import Before, plan
from review_embeddings.pipeline.stages.state import RunState
from review_embeddings.pipeline.training.live import Embedded, LiveRun

PREFIX = "review/"
"""Before the name of every number; ``log.csv`` has none of them."""

STAGES_OF_A_CHECKPOINT = ("neighbors", "outliers", "quality", "apart", "projections", "trust")
"""What is computed for the counts: of this checkpoint alone."""

MAX_IMAGES = 20_000
"""Of more images only the metrics are counted: neighbours would hold a training up for minutes."""

MAX_FRAMES = 8
"""Calls between the Trainer's handler of callbacks and the callback that it has called."""


def is_looked_on(args: Any) -> bool:
    """Whether the arguments of a training name a service that it reports to."""
    named = getattr(args, "report_to", None) or []
    return bool({*([named] if isinstance(named, str) else named)} - {"none"})


def counts_of(live: LiveRun, embedded: Embedded) -> dict[str, float]:
    """The counts of a checkpoint that is embedded, by their names: ``images``; with labels and a
    head ``loss``, ``accuracy`` and so on; ``suspected_labels``, where another class fits better;
    ``groups`` that stand apart and the images in them, ``kept_neighbors`` of the map, in [0, 1],
    and its ``trustworthiness``. Raises ReviewError."""
    step = embedded.step
    counts = {"images": float(len(live.images)), **live.metrics(step)}
    if len(live.images) <= MAX_IMAGES:
        counts |= _derived(live, embedded)
    return {f"{PREFIX}{name}": value for name, value in counts.items()}


def _derived(live: LiveRun, embedded: Embedded) -> dict[str, float]:
    """Those that follow from neighbours and map."""
    step = embedded.step
    with ExitStack() as stack:
        session = live.session(stack)
        keys: dict[int, EmbeddingKey | None] = {step: embedded.key}
        state = RunState(live.run, live.info, embedded.models, live.images, (step,), _keys=keys)
        wanted = [name for name in STAGES_OF_A_CHECKPOINT if _is_quick(state, name)]
        compute(session, state, list(plan(state, wanted, Before())))
        counts = {}
        if "quality" in state.stages:
            scores = live.run.read_array("quality", step)["score"]
            counts["suspected_labels"] = float((scores < EVEN).sum())  # NaN without a label
        if "trust" in wanted:
            metadata = live.run.result_metadata("trust", step) or {}
            counts["kept_neighbors"] = float(np.mean(live.run.read_array("trust", step)))
            counts["trustworthiness"] = float(metadata["trustworthiness"])
        groups = folded(Inputs(session, state, state.stages["groups"], lambda done: None))
        members = groups.arrays["groups"]["group"]
        members = members[members >= 0]
        counts["groups"] = float(len(np.unique(members)))
        counts["images_in_groups"] = float(len(members))
        return counts


def _is_quick(state: RunState, name: str) -> bool:
    """Whether a stage takes seconds: maps of other kinds than a PCA take minutes."""
    return name in state.stages and (name not in {"projections", "trust"} or state.map == "pca")


def report(numbers: Mapping[str, float], args: Any, state: Any, control: Any) -> None:
    """Have all callbacks of the Trainer log some numbers at this step; to be called by one of them.

    The Trainer's record of the training stays as it is.
    """
    handler = _calling_handler()
    if handler is not None and numbers:
        handler.on_log(args, state, control, {**numbers, "epoch": float(state.epoch or 0.0)})


def _calling_handler() -> Any:
    """The Trainer's handler of callbacks that has called one of them: it hands nobody itself, and
    the Trainer neither."""
    kind = import_transformers().trainer_callback.CallbackHandler
    frame = sys._getframe(1)
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        if isinstance(handler := frame.f_locals.get("self"), kind):
            return handler
        frame = frame.f_back  # type: ignore[assignment]
    return None
