"""What a page says of each checkpoint of a run as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import Manifest
from review_embeddings.pipeline.training.curves import metrics_of, read_curves


def checkpoints_of(
    run: RunFolder, manifest: Manifest, steps: Sequence[int]
) -> list[dict[str, Any]]:
    """What is known of each checkpoint as a whole: how well it does, how far its map can be
    trusted, and how its outliers agree with the others'."""
    metrics = metrics_of(run, manifest, read_curves(run, manifest), steps)
    keys = (
        "step",
        "name",
        "epoch",
        "loss",
        "explained_variance",
        "disparity",
        "map_kept",
        "trustworthiness",
        "continuity",
        "faults",
    )
    positions = [manifest.steps.index(step) for step in steps]
    found = []
    for number, position in enumerate(positions):
        one = {key: getattr(manifest.checkpoints[position], key) for key in keys}
        one |= asdict(metrics[manifest.steps[position]])
        correlation = manifest.rank_correlation[position]
        one["rank_correlation"] = [correlation[other] for other in positions]
        one["outliers_stay"] = (
            manifest.outlier_overlap[positions[number - 1]][position] if number else None
        )
        found.append(one)
    return found
