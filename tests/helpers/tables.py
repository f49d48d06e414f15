"""Tables of made values, written into a run as a build writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.categories import GRAY, ISSUES, KINDS, LIVES, SCORED
from review_embeddings.pipeline.analysis.duplicates import Duplicates
from review_embeddings.pipeline.analysis.imagequality import IMAGE_QUALITY
from review_embeddings.pipeline.analysis.outliers import rank_scores
from review_embeddings.pipeline.analysis.trajectories import Trajectories
from review_embeddings.pipeline.analysis.trust import MapTrust
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import CheckpointRecord
from review_embeddings.pipeline.table import columns as c


def write_made_table(
    run: RunFolder,
    images: RunImages,
    steps: list[int],
    random: np.random.Generator,
    *,
    more: dict[str, Any] | None = None,
    heads: bool = True,
) -> table.Manifest:
    """Replace the table of a run by one of random values in the declared ranges, many of them
    equal; ``more`` are columns that are kept once an image. Without ``heads`` nothing is
    predicted."""
    return table.write(
        run,
        images,
        [
            part if heads else replace(part, predictions=None, confidence=None)
            for part in (_part(step, len(images), random) for step in steps)
        ],
        lambda: _findings(len(images), len(steps), random, more or {}),
        fingerprint=random.bytes(16).hex(),
        align_to="last",
        scaling="each",
        kind="pca",
        prediction_classes=images.classes if heads else None,
    )


def _share(random: np.random.Generator, total: int) -> NDArray[np.float32]:
    return (random.integers(0, 11, total) / 10).astype(np.float32)


def _rank(random: np.random.Generator, total: int) -> NDArray[np.int32]:
    return (random.permutation(total) + 1).astype(np.int32)


def _ranks_of(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    return rank_scores(scores).rank


def _part(step: int, total: int, random: np.random.Generator) -> table.TablePart:
    scores, label_score = _share(random, total), _share(random, total)
    ranking = rank_scores(scores)
    return table.TablePart(
        step=step,
        record=CheckpointRecord(),
        predictions=random.integers(0, 3, total).astype(np.int32),
        confidence=_share(random, total),
        points=random.integers(-5, 6, (total, 2)).astype(np.float32),
        scores=scores,
        rank=ranking.rank,
        percentile=ranking.percentile,
        dimension=16,
        explained_variance=None,
        scale=1.0,
        disparity=0.0,
        trust=MapTrust(_share(random, total), 1.0, 1.0),
        more={
            c.SELF_CONFIDENCE: _share(random, total),
            c.LABEL_SCORE: label_score,
            c.LABEL_RANK: _ranks_of(label_score),
            c.SUGGESTED_LABEL: random.integers(0, 3, total).astype(np.int32),
            c.LABEL_ISSUE: random.random(total) < 0.1,
        },
    )


def _findings(
    total: int, checkpoints: int, random: np.random.Generator, more: dict[str, Any]
) -> table.Findings:
    label_score = _share(random, total)
    trajectories = Trajectories(
        mean_percentile=100 * _share(random, total),
        consensus_rank=_rank(random, total),
        life=random.integers(0, len(LIVES), total).astype(np.int8),
        life_step=np.full(total, -1),
        drift=_share(random, total),
        drift_from_neighbors=_share(random, total),
        neighbors_kept=_share(random, total),
        neighbors_kept_ends=_share(random, total),
        label_mean=_share(random, total),
        label_variability=(_share(random, total) / 2).astype(np.float32),
        aum=_share(random, total) - 0.5,
        learnt_at=random.integers(-1, 3, total),
        forgotten=random.integers(0, 4, total).astype(np.int32),
        flips=random.integers(0, 4, total).astype(np.int32),
        correlation=np.ones((checkpoints, checkpoints)).tolist(),
        overlap=np.ones((checkpoints, checkpoints)).tolist(),
    )
    quality = _image_quality(total, random)
    leak = random.random(total) < 0.3
    return table.Findings(
        trajectories,
        Duplicates(_groups(total, random), random.integers(0, len(KINDS), total).astype(np.int8)),
        table.Leaks(
            np.where(leak, random.integers(0, 100, total), -1),
            np.where(leak, random.integers(1, len(KINDS), total), 0).astype(np.int8),
            np.where(leak, random.integers(-1, 3, total), -1).astype(np.int32),
            [None] * total,
        ),
        {
            **table.values_from("image_quality", "image", lambda name: quality),
            c.TRAJECTORY_LABEL_SCORE: label_score,
            c.TRAJECTORY_LABEL_RANK: _ranks_of(label_score),
            c.TRAJECTORY_SUGGESTED_LABEL: random.integers(0, 3, total).astype(np.int32),
            **more,
        },
    )


def _groups(total: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Pairs of images: the first of each is its own group."""
    group = np.full(total, -1)
    for first in range(0, total - 1, 2):
        if random.random() < 0.2:
            group[first : first + 2] = first
    return group


def _image_quality(total: int, random: np.random.Generator) -> NDArray[Any]:
    checked = np.zeros(total, dtype=IMAGE_QUALITY)
    for name in SCORED:
        checked[name] = _share(random, total)
    checked[GRAY] = random.random(total) < 0.1
    checked["issue"] = random.integers(ISSUES.index("none"), len(ISSUES), total)
    checked["rank"] = _rank(random, total)
    return checked
