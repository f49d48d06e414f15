"""Reads from a run what its lists choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Settings
from review_embeddings.pipeline.stages.heads import head_judges_labels
from review_embeddings.pipeline.stages.regime import stored_regime
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.definition import ListDefinition

if TYPE_CHECKING:
    import pandas as pd

    from review_embeddings.review.decisions.lines import Decision
    from review_embeddings.review.decisions.reviewers import ImageDecisions


def read_candidates(
    run: RunFolder,
    images: RunImages,
    definitions: Iterable[ListDefinition],
    steps: tuple[int, int],
    *,
    decisions: Mapping[str, Decision],
    disputed: Mapping[str, ImageDecisions] | None = None,
    before: Mapping[str, float] | None = None,
    at_checkpoint: bool = False,
) -> Candidates:
    """Read what some lists need, between two checkpoints or at one that is named twice.

    ``decisions`` are those that hold, ``disputed`` those of disputed images and ``before`` the
    percentiles of an earlier run, by image hash; images that the earlier run did not have count as
    unchanged. Raises RunError where there is no table.
    """
    definitions = list(definitions)
    manifest, info = table.manifest_with(run, steps), run.read_info()
    first, last = steps
    late = _read(run, last, [*(name for one in definitions for name in one.columns)])
    early = None
    if first != last:
        early = _read(run, first, [name for one in definitions for name in one.first_columns])
    settings = Settings() if info is None else info.settings
    return Candidates(
        ids=images.ids,
        labels=images.label_names or [None] * len(images),
        decisions=[_decision_of(decisions, image_hash) for image_hash in images.hashes],
        late=late,
        last_step=last,
        early=early,
        first_step=None if early is None else first,
        several=len(manifest.steps) > 1,
        settings=settings,
        before=_percentiles(images, before, late) if before else None,
        at_checkpoint=at_checkpoint,
        regime=None if info is None else stored_regime(run, info, images),
        final_step=manifest.steps[-1],
        head_judges=_head_judges(run, manifest),
        run=str(run),
        disputes=_disputes(images, disputed or {}),
    )


def percentiles_of(runs: Iterable[RunFolder]) -> dict[str, float]:
    """How atypical each image was at the last checkpoint of some runs, by its hash; that of the
    later run where several have it."""
    known: dict[str, float] = {}
    for run in runs:
        manifest = table.read_manifest(run)
        if manifest is not None:
            last = table.read(
                run, checkpoints=[manifest.steps[-1]], columns=[c.IMAGE_HASH, c.OOD_PERCENTILE]
            )
            known |= dict(
                zip(last[c.IMAGE_HASH], last[c.OOD_PERCENTILE].astype(float), strict=True)
            )
    return known


def _head_judges(run: RunFolder, manifest: table.Manifest) -> bool:
    known = head_judges_labels(run, manifest.steps[-1])
    return bool(manifest.prediction_classes) if known is None else known


def _read(run: RunFolder, step: int, names: Iterable[str]) -> pd.DataFrame:
    return table.read(run, checkpoints=[step], columns=list(dict.fromkeys(names)) or [c.IMAGE_ID])


def _decision_of(decisions: Mapping[str, Decision], image_hash: str) -> str | None:
    line = decisions.get(image_hash)
    return None if line is None else line.decision


def _disputes(images: RunImages, disputed: Mapping[str, ImageDecisions]) -> dict[int, str]:
    if not disputed:
        return {}
    rows = ((row, disputed.get(image)) for row, image in enumerate(images.hashes))
    return {row: about.in_words for row, about in rows if about is not None}


def _percentiles(
    images: RunImages, before: Mapping[str, float], late: pd.DataFrame
) -> NDArray[np.float32]:
    now = late[c.OOD_PERCENTILE].to_numpy()
    known = [before.get(image, now[row]) for row, image in enumerate(images.hashes)]
    return np.array(known, dtype=np.float32)
