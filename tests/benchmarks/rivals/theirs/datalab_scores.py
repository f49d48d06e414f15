"""cleanlab's Datalab on stored vectors and class probabilities: ``datalab_scores.py INPUTS OUT``.

Runs in an environment of its own, without ours. Prints the processor seconds after the imports.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from cleanlab.datalab.datalab import Datalab

ISSUES = ("label", "outlier", "near_duplicate")


def main(inputs: Path, out: Path) -> None:
    started = time.process_time()
    features, probabilities, labels = (
        np.load(inputs / f"{name}.npy") for name in ("embeddings", "probabilities", "labels")
    )
    lab = Datalab(data={"label": labels}, label_name="label", task="classification", verbosity=0)
    lab.find_issues(
        features=features, pred_probs=probabilities, issue_types={name: {} for name in ISSUES}
    )
    lab.get_issues().to_csv(out / "datalab.csv", index=False)
    print(json.dumps({"computing": time.process_time() - started}))


main(*map(Path, sys.argv[1:]))
