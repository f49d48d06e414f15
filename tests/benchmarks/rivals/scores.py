"""The scores of ours that Datalab computes too, and nothing else, from stored vectors and class
probabilities: ``python -m tests.benchmarks.rivals.scores INPUTS OUT``.

Prints the processor seconds after the imports.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from review_embeddings.pipeline.analysis.duplicates import _candidates
from review_embeddings.pipeline.analysis.labels import label_quality
from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.outliers import NEIGHBORS, ood_scores
from tests.benchmarks.ways import imported


def main(inputs: Path, out: Path) -> None:
    imported("cleanlab.outlier", "cleanlab.filter", "torch")
    started = time.process_time()
    vectors, probabilities, labels = (
        np.load(inputs / f"{name}.npy") for name in ("embeddings", "probabilities", "labels")
    )
    neighbors = nearest_neighbors(vectors, NEIGHBORS)
    quality = label_quality(labels, probabilities)
    near = _candidates(neighbors, [str(place) for place in range(len(vectors))])
    outliers = ood_scores(vectors, neighbors)
    np.savez(
        out / "ours.npz",
        outlier=outliers,
        label=quality.self_confidence,
        margin=quality.score,
        issue=quality.issue,
        near=near,
    )
    print(json.dumps({"computing": time.process_time() - started}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
