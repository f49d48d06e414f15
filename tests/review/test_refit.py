"""Labels that are ranked anew with what was decided: by the same judges, fitted to other labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.regime import stored_regime
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.export import Selection, make_list
from review_embeddings.review.lists.refit import corrected_labels, fitted_anew

ANEW = Selection(kind="labels", with_decisions=True, top=36)


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))


def images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    assert images is not None
    return images


def decide(run: RunFolder, ids: list[int], decision: str, label: str | None = None) -> None:
    lines = ReviewedImages.of(images_of(run)).decide(ids, decision, new_label=label, reviewer="ada")
    with writing(run, print) as writer:
        writer.append(lines)


def exported(run: RunFolder, selection: Selection = ANEW) -> pd.DataFrame:
    return make_list(run, images_of(run), read_history(run, print), selection)


def test_what_counts_as_the_label_of_a_decided_image(run: RunFolder) -> None:
    images = images_of(run)
    assert images.labels is not None and images.classes == ["blue", "green", "red"]
    for number, decision in enumerate(("keep", "remove", "duplicate", "unsure")):
        decide(run, [int(images.ids[number])], decision)
    decide(run, [int(images.ids[4])], "relabel", "red")
    labels = corrected_labels(images, read_history(run, print).current())
    assert labels.tolist() == [images.labels[0], -1, -1, -1, 2, *images.labels[5:].tolist()]


def test_decisions_that_change_no_label_change_no_rank(run: RunFolder) -> None:
    images, steps = images_of(run), [10, 20, 100]
    decide(run, [int(one) for one in images.ids[:5]], "keep")
    labels = corrected_labels(images, read_history(run, print).current())
    info = run.read_info()
    assert info is not None
    regime = stored_regime(run, info, images)
    assert regime is not None and regime.trained_on.all()
    fit = fitted_anew(run, images, steps, labels, regime.trained_on)
    stored = table.read(run, checkpoints=[100])
    np.testing.assert_allclose(fit.score, stored["trajectory_label_score"], rtol=1e-6)
    assert fit.rank.tolist() == stored["trajectory_label_rank"].tolist()
    made = exported(run)
    ranks = made["trajectory_label_rank"].tolist()
    assert ranks == sorted(ranks) and len(made) == 31, "and what is decided is not listed"


def test_corrected_labels_change_what_is_listed_and_nothing_that_is_stored(run: RunFolder) -> None:
    images = images_of(run)
    kept = {path: path.read_bytes() for path in run.path.rglob("*.parquet")}
    assert images.label_names is not None
    reds = [int(images.ids[row]) for row, name in enumerate(images.label_names) if name == "red"]
    before = exported(run, Selection(kind="labels", top=36))
    decide(run, reds[:9], "relabel", "blue")
    made = exported(run)
    assert not set(made["image_id"]) & set(reds[:9]) and len(made) == 27
    order = [one for one in before["image_id"] if one not in reds[:9]]
    assert made["image_id"].tolist() != order, "the judge has other labels"
    assert exported(run).equals(made)
    assert made["listed_as"].str.endswith("with the decisions").all()
    assert {path: path.read_bytes() for path in kept} == kept


def test_where_it_makes_no_sense_it_is_refused(
    run: RunFolder, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    with pytest.raises(SettingsError, match="needs decisions, and there are none yet"):
        exported(run)
    for other in (
        Selection(kind="worst", with_decisions=True),
        Selection(with_decisions=True),
        Selection(kind="labels", with_decisions=True, checkpoints=("last",)),
    ):
        with pytest.raises(SettingsError, match="Use it with --list labels"):
            exported(run, other)
    decide(run, [int(images_of(run).ids[0])], "keep")
    code, output, errors = review_embeddings(
        "export", "--run", run.path, "--list", "labels", "--with-decisions", "--top", 5
    )
    assert code == 0 and "labels-with-decisions.csv" in output, errors
