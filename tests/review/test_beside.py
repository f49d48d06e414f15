"""Other runs on the page of a run: their columns are those of their tables, their neighbours and
predictions those of the same image, and nothing is computed for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from samples import save_checkpoint

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.review.comparison.frame import compared_frame
from review_embeddings.review.comparison.pairedruns import PairedRuns, pair_runs
from review_embeddings.review.page.about.classes import predictions_at
from review_embeddings.review.page.beside.found import FoundFiles
from review_embeddings.review.page.beside.other import Beside
from review_embeddings.review.page.beside.pairing import beside_of, names_of
from review_embeddings.review.page.beside.shown import BesideFiles
from review_embeddings.review.page.card import Cards, CardSource
from review_embeddings.review.page.page import page_for
from review_embeddings.review.page.private import write_private_json
from review_embeddings.review.page.server import Page, write_beside
from review_embeddings.review.page.sessionfile import SessionFile

CommandLine = Callable[..., tuple[int, str, str]]

LACKING = ("blue/03.png", "red/00.png")
"""Images that the other run has not."""


@pytest.fixture(scope="module")
def other(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of another seed, whose head has the classes in another order, without two images and
    with one more before all others."""
    folder = tmp_path_factory.mktemp("other")
    images = Path(shutil.copytree(image_folder, folder / "images"))
    for name in LACKING:
        (images / name).unlink()
    content = (images / "green/05.png").read_bytes()
    (images / "blue/00a.png").write_bytes(content + b"\0")  # a file of its own
    for step in (20, 50):
        classes = ["red", "blue", "green"]
        save_checkpoint(
            folder / f"run/checkpoint-{step}", seed=7 + step, step=step, classes=classes
        )
    run = RunFolder(folder / "run")
    build(run, Request(dataset={"source": str(images), "split": "train"}))
    return run


@pytest.fixture(scope="module")
def built(built_run: Path, image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    copy = Path(shutil.copytree(built_run, tmp_path_factory.mktemp("own") / "run"))
    source = {"source": str(image_folder), "split": "train"}
    return build(RunFolder(copy), Request(dataset=source, wanted=("first", "last")))


@pytest.fixture(scope="module")
def paired(built: Built, other: RunFolder) -> PairedRuns:
    return pair_runs([built.run, other])


@pytest.fixture(scope="module")
def beside(paired: PairedRuns) -> Beside:
    return beside_of(paired)


@pytest.fixture(scope="module")
def page(built: Built, beside: Beside) -> Page:
    return page_for(built, beside=beside, note=print)


def test_the_frame_is_what_pandas_says_of_both_tables(
    page: Page, built: Built, other: RunFolder, paired: PairedRuns
) -> None:
    own = table.read(built.run, checkpoints=[100]).set_index("image_hash")
    theirs = table.read(other, checkpoints=[50]).set_index("image_hash")
    common = own.join(theirs, rsuffix="__b", how="inner")
    frame = page.frame
    assert len(frame) == len(common) == 34
    assert frame["image_id"].tolist() == common["image_id"].tolist()
    for name, column in (("ood", "ood_score"), ("rank", "ood_rank"), ("prediction", "prediction")):
        assert frame[f"{name}_last"].tolist() == common[column].tolist()
        assert frame[f"{name}_last__b"].tolist() == common[f"{column}__b"].tolist()
    assert (
        frame["image_id__b"].tolist()
        == common["image_id__b"].tolist()
        != common["image_id"].tolist()
    )
    right = [common[f"prediction{end}"].astype(str) == common["label"] for end in ("", "__b")]
    expected = np.select(
        [right[0] & right[1], right[1], right[0]],
        ["all right", "only A wrong", "only B wrong"],
        "all wrong",
    )
    assert frame["outcome"].tolist() == expected.tolist()
    worked_out = compared_frame(paired, columns=["label"])
    for name in ("disagreement", "neighbors_shared__b", "moved_from_neighbors__b"):
        np.testing.assert_array_equal(frame[name], worked_out[name])
    assert not {"decision__b", "new_label__b", "x_now__b", "image__b"} & set(frame.columns)


def test_who_was_trained_on_the_images_is_said(beside: Beside) -> None:
    """Both, by the name of their split."""
    said = "was trained on 34 of the 34 common images: how right it is about these says nothing of"
    assert beside.cautions == {one: f"{one} {said} others." for one in "AB"}
    other = replace(beside.others[0], verdict="B is better.")
    assert beside.judgement(other) == " ".join(["B is better.", *beside.cautions.values()])
    assert replace(beside, cautions={}).judgement(other) == "B is better."
    assert beside.judgement(beside.others[0]) == "", "nothing says so"


def test_the_lists_about_both_runs_come_first(page: Page) -> None:
    assert page.session is not None
    lists = page.session["lists"]
    compared = [one["key"] for one in lists if one["section"] == "A and B compared"]
    assert [one["key"] for one in lists[: len(compared)]] == compared
    assert page.session["open"] == compared[0]
    frame = page.frame
    only_b = next(one for one in lists if one["key"] == "only-b")
    outcome = np.asarray(frame["outcome"])
    assert sorted(only_b["rows"]) == np.flatnonzero(outcome == "only B wrong").tolist()


def test_maps_stand_in_the_order_of_the_runs_and_know_whose_they_are(page: Page) -> None:
    session = page.session
    assert session is not None
    assert session["maps"] == [10, "now", 100, 50]
    assert session["mapRuns"] == ["", "", "", "b"]
    assert [list(one) for one in session["mapColumns"]][-1] == ["x_000050__b", "y_000050__b"]
    assert [run["letter"] for run in session["runs"]] == ["A", "B"]
    assert "disparity" in session["runs"][1]["note"]
    x, y = (page.frame[name] for name in session["mapColumns"][-1])
    for values, axis in ((x, "x"), (y, "y")):
        low, high = session["extent"][axis]
        assert low <= np.percentile(values, 2) and np.percentile(values, 98) <= high


def test_a_run_beside_itself_lies_where_it_is(built: Built) -> None:
    copy = pair_runs([built.run, built.run])
    (twin,) = beside_of(copy).others
    last = table.read(built.run, checkpoints=[100], columns=["x", "y"]).to_numpy()
    np.testing.assert_allclose(twin.points, last, atol=1e-3)
    assert "disparity 0.00" in twin.note and "100 % of" in twin.note


def test_of_few_images_as_many_neighbours_are_named_as_they_have(paired: PairedRuns) -> None:
    few = replace(paired.matching, rows=paired.matching.rows[:, :5])
    (one,) = beside_of(PairedRuns(paired.runs, few)).others
    assert "of 4 neighbours shared" in one.note


def test_own_maps_are_turned_but_keep_their_shape(paired: PairedRuns, other: RunFolder) -> None:
    (one,) = beside_of(paired, own_maps=True).others
    own = table.read(other, checkpoints=[50], columns=["x", "y"]).to_numpy()[one.rows]
    lengths = [
        np.linalg.norm(points[:, None] - points[None], axis=2) for points in (one.points, own)
    ]
    ratio = lengths[0][lengths[1] > 0.1] / lengths[1][lengths[1] > 0.1]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-2)


@pytest.fixture
def source(page: Page, tmp_path: Path) -> CardSource:
    """What the server of the page makes its cards from."""
    assert page.session is not None and page.beside is not None and page.sample is not None
    assert page.run is not None
    write_private_json(tmp_path / "session.json", page.session)
    settings = write_beside(tmp_path, page.beside)
    cards = Cards(
        page.run,
        SessionFile(tmp_path / "session.json"),
        page.sample.positions,
        others=BesideFiles.of(settings),
        found=FoundFiles.of(settings),
    )
    return cards.source()


def test_a_card_says_what_both_runs_predict_and_their_neighbours(
    source: CardSource, page: Page, other: RunFolder, paired: PairedRuns
) -> None:
    frame = page.frame
    near = other.read_array("neighbors", 50)
    hashes = paired.runs[1].images.hashes
    own = [paired.runs[0].images.hashes[position] for position in paired.rows(0)]
    for row in range(len(frame)):
        first, second = source.card(row).ends
        assert (first.run, first.step, second.run, second.step) == ("", 100, "b", 50)
        assert first.prediction == frame["prediction_last"][row]
        assert second.prediction == frame["prediction_last__b"][row]
        assert second.outlier_rank == frame["rank_last__b"][row] <= second.images == 35
        _, theirs = source.nearest(row)
        position = hashes.index(own[row])
        expected = [hashes[one] for one in near[position] if hashes[one] in own]
        assert [own[one] for one in theirs["rows"]] == expected[: len(theirs["rows"])]
        assert theirs["run"] == "b"


def test_reasons_of_a_card_name_both_runs(source: CardSource, page: Page) -> None:
    row = int(np.flatnonzero(np.asarray(page.frame["outcome"]) == "only B wrong")[0])
    label, prediction = page.frame["label"][row], page.frame["prediction_last__b"][row]
    assert any(
        f"A: {label}" in one and f"B: {prediction}" in one for one in source.card(row).reasons
    )


def test_predictions_of_another_run_are_by_the_classes_of_the_page(
    source: CardSource, page: Page
) -> None:
    classes = source.shown.images.classes or []
    sent = np.frombuffer(predictions_at(source.shown_of("b"), 50, classes), "<i4")
    assert [classes[code] for code in sent] == page.frame["prediction_last__b"].tolist()


def test_runs_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / name) for name in ("a/run", "b/run", "b/other")]
    assert names_of(runs[1:]) == ["run", "other"]
    assert names_of(runs) == ["a/run", "b/run", "b/other"]


def test_what_cannot_be_compared_is_one_sentence(
    built: Built, other: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    run = ("--run", str(built.run.path), "--no-browser")
    (tmp_path / "empty").mkdir()
    for arguments, sentence in (
        (("--with", str(tmp_path / "empty")), "has no table yet"),
        (("--with", str(tmp_path / "none")), "There is no run"),
        (("--with", str(built.run.path)), "that is the run itself"),
        (("--with", str(other.path), "--long"), "Leave --watch, --long and --second-look out"),
        (("--own-maps",), "go with --with RUN"),
        (("--match", "pixels"), "go with --with RUN"),
    ):
        code, _, errors = review_embeddings(*run, *arguments)
        assert code == 2 and sentence in errors, (arguments, errors)
        assert "Traceback" not in errors


def test_few_common_images_are_asked_about(
    built: Built, image_folder: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    images = Path(shutil.copytree(image_folder, tmp_path / "images"))
    shutil.rmtree(images / "red")
    run = RunFolder(tmp_path / "few")
    save_checkpoint(run.path / "checkpoint-5", seed=1, step=5)
    build(run, Request(dataset={"source": str(images), "split": "train"}))
    code, printed, errors = review_embeddings(
        "--run", str(built.run.path), "--with", str(run.path), "--no-browser"
    )
    assert code == 2 and "24 of 36 images common (66.7 %)" in printed
    assert "Only 66.7 % of the images of A" in errors and "--yes" in errors
