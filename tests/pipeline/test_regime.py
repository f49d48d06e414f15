"""Whether the reviewed images were trained on, how that is known, and what follows."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import DamagedError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.images.sources import names_evaluation, names_training
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.stages.regime import Regime, regime_of, stored_regime
from review_embeddings.pipeline.verify import verify
from review_embeddings.review.report.summary import summarize


@pytest.fixture
def finished(built_run: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(built_run, tmp_path / "finished")))


def known_of(run: RunFolder) -> tuple[RunInfo, RunImages]:
    info, images = run.read_info(), read_images(run)
    assert info is not None and images is not None
    return info, images


def sentence(run: RunFolder, *, split: str | None = "train", trained_on: str = "auto") -> str:
    info, images = known_of(run)
    dataset = replace(info.dataset, split=split)
    settings = replace(info.settings, trained_on=trained_on)
    return regime_of(run, replace(info, dataset=dataset, settings=settings), images).sentence


def stored(run: RunFolder) -> Regime:
    found = stored_regime(run, *known_of(run))
    assert found is not None
    return found


def write_hashes(run: RunFolder, hashes: list[str]) -> None:
    parquet.write_table(pa.table({"image_hash": hashes}), run.trained_images)


@pytest.mark.parametrize(
    ("split", "training", "evaluation"),
    [
        ("train", True, False),
        ("train_clean", True, False),
        ("cifar-training2", True, False),
        ("test", False, True),
        ("train_test", False, True),
        ("validation", False, True),
        ("all", False, False),
        ("trained", False, False),
    ],
)
def test_names_of_splits(split: str, training: bool, evaluation: bool) -> None:
    assert (names_training(split), names_evaluation(split)) == (training, evaluation)


def test_the_name_of_the_split_tells_where_nothing_else_does(finished: RunFolder) -> None:
    assert sentence(finished) == "trained on: the split is called train"
    assert sentence(finished, split="test") == "not trained on: the split is called test"
    unknown = "taken as not trained on: nothing tells whether they were"
    assert sentence(finished, split="all") == sentence(finished, split=None) == unknown


def test_a_base_model_alone_was_trained_on_nothing(finished: RunFolder) -> None:
    info, images = known_of(finished)
    dataset = replace(info.dataset, split="train")
    alone = replace(info, dataset=dataset, base="model", checkpoints="nowhere")
    assert regime_of(finished, alone, images).sentence.startswith("trained on"), (
        "it has later steps"
    )
    for step in finished.steps_with("embeddings"):
        (finished.path / "embeddings" / f"{step:06d}.json").unlink()
    without = "not trained on: there is no training, only the model before one"
    assert regime_of(finished, alone, images).sentence == without
    for other in (replace(alone, checkpoints="."), replace(alone, base=None)):
        assert regime_of(finished, other, images).sentence.startswith("trained on: the split")


def test_an_option_overrules(finished: RunFolder) -> None:
    write_hashes(finished, [])
    assert sentence(finished, trained_on="yes") == "trained on: --trained-on says so"
    assert sentence(finished, trained_on="no") == "not trained on: --trained-on says so"
    with pytest.raises(SettingsError, match="--trained-on maybe"):
        build(finished, Request(settings={"trained_on": "maybe"}))


def test_hashes_of_training_images_tell_more_than_a_name(finished: RunFolder) -> None:
    hashes = known_of(finished)[1].hashes
    write_hashes(finished, hashes)
    assert sentence(finished, split="test") == "trained on: by the hashes of the training images"
    write_hashes(finished, [*hashes[:9], "0" * 64])
    assert sentence(finished).startswith("9 of 36 trained on, each scored as what it is: by the")
    write_hashes(finished, ["0" * 64])
    assert sentence(finished) == "not trained on: by the hashes of the training images"
    finished.trained_images.write_bytes(b"PAR1 and no more")
    with pytest.raises(DamagedError, match="Delete it"):
        sentence(finished)
    assert [one.path for one in verify(finished).damaged] == [finished.trained_images]


def test_an_earlier_fine_tuning_tells_its_split(finished: RunFolder) -> None:
    source = known_of(finished)[0].dataset.source
    request = {"dataset": f"/elsewhere/{Path(source).name}", "train_split": "fitted"}
    finished.training.write_text(json.dumps({"format_version": 1, "request": request}))
    assert sentence(finished, split="fitted") == "trained on: the training was on split fitted"
    assert sentence(finished, split="all") == "not trained on: the training was on split fitted"
    other = json.dumps({"format_version": 1, "request": {**request, "dataset": "another"}})
    finished.training.write_text(other)
    assert sentence(finished, split="all").startswith("taken as not trained on")


def test_only_what_was_assumed_counts(finished: RunFolder) -> None:
    """The split is called train; saying so again changes nothing, the other word does."""
    assert preview(finished, Request(settings={"trained_on": "yes"})) == []
    before = table.read(finished, checkpoints=[100])
    assert stored(finished).sentence == "trained on: the split is called train", "as it was scored"
    built = build(finished, Request(settings={"trained_on": "no"}))
    assert set(built.seconds) == {"label_fit", "table"}
    assert stored(finished).sentence == "not trained on: --trained-on says so"
    after = table.read(finished, checkpoints=[100])
    assert after["label_score"].equals(before["label_score"])
    table.validate(table.read(finished))
    summary, _ = summarize(finished, note=lambda text: None)
    expected = "not trained on: --trained-on says so (--trained-on yes|no overrules)"
    assert dict(summary.properties)["regime"] == expected


def test_each_image_is_scored_as_what_it_is(finished: RunFolder) -> None:
    scores = {}
    for answer in ("yes", "no"):
        build(finished, Request(settings={"trained_on": answer}))
        scores[answer] = table.read(finished, checkpoints=[100])["trajectory_label_score"]
    hashes = known_of(finished)[1].hashes
    write_hashes(finished, hashes[:12])
    build(finished, Request(settings={"trained_on": "auto"}))
    frame = table.read(finished, checkpoints=[100])
    mixed = frame["trajectory_label_score"].to_numpy()
    write_hashes(finished, [])  # what is said stays as it was scored
    np.testing.assert_array_equal(stored(finished).trained_on, np.arange(36) < 12)
    assert stored(finished).of_image(12) == "not trained on: by the hashes of the training images"
    np.testing.assert_array_equal(mixed[:12], scores["yes"][:12])
    np.testing.assert_array_equal(mixed[12:], scores["no"][12:])
    ranks = frame["trajectory_label_rank"].to_numpy()
    assert sorted(ranks) == list(range(1, 37))
    for part in (slice(0, 12), slice(12, 36)):
        assert (np.argsort(ranks[part]) == np.argsort(mixed[part], kind="stable")).all()
