"""Whether scores of ours and of Datalab agree where they mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORST = 100
"""Images whose order is compared by which of them are in both lists."""


def agreement(ours: Path, datalab: Path, built: Path) -> Iterator[tuple[str, str]]:
    """What was compared, and what was found, of the files that the scores were left in and of the
    run that was built."""
    import pandas as pd

    theirs = pd.read_csv(datalab)
    with np.load(ours) as found:
        own = {name: found[name] for name in found.files}
    outliers = theirs["outlier_score"].to_numpy()
    labels = theirs["label_score"].to_numpy()
    yield "outlier score, Spearman", f"{spearman(own['outlier'], outliers):.6f}"
    yield f"of the {WORST} most atypical images", in_both(own["outlier"], outliers)
    yield "self-confidence of the label, Spearman", f"{spearman(own['label'], labels):.6f}"
    issues = theirs["is_label_issue"].to_numpy(dtype=bool)
    yield "labels that the filters take for wrong", overlap(own["issue"], issues)
    margin = own["margin"]
    yield f"of the {WORST} labels most likely wrong, ours by margin", in_both(margin, labels)
    yield from of_the_run(built, own, theirs)


def of_the_run(built: Path, own: dict[str, Any], theirs: Any) -> Iterator[tuple[str, str]]:
    """The same of what `build` stored, and the copies, which are not the same by definition."""
    stored = {name: np.load(next((built / name).glob("*.npy"))) for name in ("outliers", "quality")}
    alike = np.array_equal(stored["outliers"], own["outlier"])
    margins = np.array_equal(stored["quality"]["score"], own["margin"])
    yield "build's outlier and label scores", "the same bits" if alike and margins else "DIFFER"
    copies = np.load(next((built / "duplicates").glob("*.npy")))[1:]
    near = theirs["is_near_duplicate_issue"].to_numpy(dtype=bool)
    both = int(near[np.unique(copies)].sum())
    yield (
        "near duplicates",
        f"Datalab {int(near.sum())} images by distance alone, ours {len(np.unique(copies))} "
        f"confirmed by their pixels, {both} in both",
    )


def spearman(first: NDArray[Any], second: NDArray[Any]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def in_both(first: NDArray[Any], second: NDArray[Any], worst: int = WORST) -> str:
    """How many of the lowest of one are among the lowest of the other."""
    lowest = [set(np.argsort(scores, kind="stable")[:worst].tolist()) for scores in (first, second)]
    return f"{len(lowest[0] & lowest[1])} in both"


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> str:
    """How many are in both of two sets, in words."""
    both = int((first & second).sum())
    return f"ours {int(first.sum())}, Datalab {int(second.sum())}, {both} in both"
