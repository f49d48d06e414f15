"""What the notebook has no way for: group score, label score over a run, the maps' tween, a shared
page, two runs beside each other. Beside each the way that people would take instead, where there is
one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ways import (
    CLASSES,
    Case,
    Seconds,
    Way,
    Work,
    embeddings,
    imported,
    pictures,
    probabilities,
)

FRONTEND = (
    Path(__file__).parents[2]
    / "review/plugin/renumics/spotlight_plugins/review_embeddings/frontend"
)

FRAMES = 300
"""Of a tween, all of which are computed."""

MAPS = 3
"""On the page."""


def hashes_of(case: Case) -> list[str]:
    return [f"{number:064x}" for number in range(case.images)]


def labels_of(case: Case) -> Any:
    return np.arange(case.images, dtype=np.int32) % CLASSES


def groups_ours(case: Case) -> Work:
    """From embeddings and neighbours that are there, as the stage finds them."""
    from review_embeddings.pipeline.analysis.apart import Samples, Space, hash_ranks
    from review_embeddings.pipeline.analysis.groups import (
        CheckpointApart,
        entropies,
        group_scores,
    )
    from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
    from review_embeddings.pipeline.analysis.outliers import NEIGHBORS

    imported("torch")
    labels, likely = labels_of(case), probabilities(case)
    ranks = hash_ranks(hashes_of(case))
    runs = [embeddings(case, step) for step in range(case.checkpoints)]
    near = [np.asarray(nearest_neighbors(one, NEIGHBORS).indices) for one in runs]

    def work() -> Any:
        found, rows = [], slice(0, case.images)
        for vectors, neighbors in zip(runs, near, strict=True):
            space = Space(vectors, labels, Samples.draw(labels, ranks, count=CLASSES))
            usual = space.own_class(rows, neighbors).usual()
            found.append(CheckpointApart(space.apart(rows, usual), neighbors, usual.weight))
        return group_scores(found, entropies(likely))

    return work


def groups_peer(case: Case) -> Work:
    """scikit-learn's local outlier factor of each checkpoint, which looks for its neighbours."""
    from sklearn.neighbors import LocalOutlierFactor

    runs = [np.array(embeddings(case, step)) for step in range(case.checkpoints)]
    return lambda: sum(-LocalOutlierFactor().fit(one).negative_outlier_factor_ for one in runs)


def judge_ours(case: Case) -> Work:
    """The judge of each checkpoint, fitted without each image in turn, and the score of all."""
    from review_embeddings.pipeline.analysis.judge import fit_judge, fixed_order
    from review_embeddings.pipeline.analysis.labelfit import CheckpointJudges, label_fit

    imported("torch", "scipy.linalg")
    labels, order = labels_of(case), fixed_order(hashes_of(case), labels_of(case))
    runs = [embeddings(case, step) for step in range(case.checkpoints)]

    def work() -> Any:
        fitted = [(fit_judge(one, labels, CLASSES, order), one) for one in runs]
        judges = [CheckpointJudges.of(judge, one, labels, None) for judge, one in fitted]
        return label_fit(judges, labels, CLASSES, order).score

    return work


def judge_peer(case: Case) -> Work:
    """As cleanlab's guide has it: logistic regression on the embeddings, five folds, of the last
    checkpoint alone, and cleanlab's score of what it says."""
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    labels, vectors = labels_of(case), np.array(embeddings(case, case.checkpoints - 1))

    def work() -> Any:
        model = LogisticRegression(max_iter=200)
        folds = min(5, case.images // CLASSES)
        likely = cross_val_predict(model, vectors, labels, cv=folds, method="predict_proba")
        return get_label_quality_scores(labels, likely)

    return work


def tween_ours(case: Case) -> Work:
    """Seconds of a tween's frames on all maps: what Node says of moving the points; nothing is
    drawn (`tests.benchmarks.maps` does)."""
    from playwright._impl._driver import compute_driver_executable

    driver = compute_driver_executable()
    node = str(driver[0] if isinstance(driver, tuple) else driver)
    script = Path(__file__).with_name("tween.js")
    module = case.work / "tween.mjs"  # no package says of the other one that it is a module
    module.write_bytes((FRONTEND / "maps/tween.js").read_bytes())
    (case.work / "run.mjs").write_bytes(script.read_bytes())
    command = [node, str(case.work / "run.mjs"), str(module), str(MAPS * case.images), str(FRAMES)]

    def work() -> Seconds:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return Seconds(float(done.stdout) / 1000)

    return work


def a_run(case: Case) -> Any:
    """A run with a table and without the weights that it would be of, made once."""
    import contextlib
    import sys

    from review_embeddings.pipeline.run.folder import RunFolder
    from tests.benchmarks.large import build_it, make

    with contextlib.redirect_stdout(sys.stderr):
        run = make(case.folder, case.images, case.checkpoints, min(case.dimension, 192))
        if not (run / "built").is_file():
            build_it(run)
            (run / "built").touch()
    return RunFolder(run)


def share_ours(case: Case) -> Work:
    """A shared page of a finished run."""
    from review_embeddings.review.share.make import share
    from review_embeddings.review.share.options import ShareSettings

    run = a_run(case)
    return lambda: share(run, case.work / "page.html", ShareSettings(max_mb=12)) and None


def compare_ours(case: Case) -> Work:
    """Two runs of the same images: rows, disagreement, spaces, movement, one plane for both."""
    from review_embeddings.pipeline.analysis import pairs
    from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors

    imported("torch", "scipy.linalg")
    first, second = embeddings(case, 0), embeddings(case, 1)
    hashes, likely = hashes_of(case), probabilities(case)
    near = np.asarray(nearest_neighbors(first, pairs.NEAR).indices)

    def work() -> Any:
        pairs.match(hashes, hashes[::-1])
        pairs.disagreement([likely, likely[::-1]])
        space = pairs.align_spaces(first, second)
        space.maps(first, second)
        return pairs.moved_between(space, first, second, near)

    return lambda: work() and None


def images_ceiling(case: Case) -> Work:
    """What Pillow and the memory allow on these cores: decoded and resized once by threads, and
    levels made floats for each checkpoint, nothing else."""
    import io

    import torch
    from PIL import Image

    from review_embeddings.pipeline.threads import chunks, in_threads

    files, size = pictures(case.images), (case.side, case.side)
    levels = torch.zeros((3, *size), dtype=torch.uint8)

    def resized(some: list[bytes]) -> None:
        for data in some:
            with Image.open(io.BytesIO(data)) as image:
                image.convert("RGB").resize(size, Image.Resampling.BILINEAR)

    def work() -> None:
        for _ in in_threads(resized, chunks(files, 64)):
            pass
        for _ in range(case.checkpoints * case.images):
            levels.float()

    return work


WAYS: dict[str, dict[str, Way]] = {
    "groups": {"ours": groups_ours, "peer": groups_peer},
    "judge": {"ours": judge_ours, "peer": judge_peer},
    "tween": {"ours": tween_ours},
    "share": {"ours": share_ours},
    "compare": {"ours": compare_ours},
}

MORE: dict[str, dict[str, Way]] = {"images": {"ceiling": images_ceiling}}
"""Further ways of stages that the notebook has, too."""
