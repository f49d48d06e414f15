"""Runs beside each other: every list and count is what pandas says of the two tables."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from samples import CLASSES
from tables import write_made_table

from review_embeddings import compare, unmatched_images
from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis import pairs
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.comparison.findings import RunComparison, compare_runs
from review_embeddings.review.comparison.frame import compared_frame
from review_embeddings.review.comparison.pairedruns import ComparedRun, PairedRuns, pair_runs
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.report.comparing.texts import as_text

CommandLine = Callable[..., tuple[int, str, str]]
STEP = 100


@pytest.fixture(scope="module")
def folders(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Copies of the finished run whose tables are written anew."""
    root = tmp_path_factory.mktemp("compared")
    return [RunFolder(Path(shutil.copytree(built_run, root / name))) for name in "abc"]


def made_run(run: RunFolder, letter: str, seed: int) -> ComparedRun:
    """A run with random labels, predictions and confidences, some of its images twice, some of its
    own, in an order of its own."""
    images, random = read_images(run), np.random.default_rng(seed)
    assert images is not None and images.classes is not None
    hashes = random.permutation(images.hashes).astype(object)
    hashes[random.random(36) < 0.2] = f"{letter}{seed}"
    hashes[random.random(36) < 0.2] = hashes[0]
    changed = replace(
        images,
        hashes=hashes.tolist(),
        labels=random.integers(-1, 3, 36).astype(np.int32),
        classes=random.permutation(images.classes).tolist(),
    )
    manifest = write_made_table(run, changed, [STEP], random)
    return ComparedRun(run, letter, changed, manifest, STEP)


def of_tables(runs: tuple[ComparedRun, ...]) -> pd.DataFrame:
    """The common images by pandas alone."""
    parts = []
    for run in runs:
        frame = table.read(run.run, checkpoints=[STEP])[
            ["image_hash", "image_id", "label", "prediction", "confidence"]
        ]
        frame = frame.astype({"label": object, "prediction": object})
        frame["copy"] = frame.groupby("image_hash").cumcount()
        parts.append(frame.set_index(["image_hash", "copy"]).add_suffix(f"_{run.letter}"))
    return pd.concat(parts, axis=1, join="inner").sort_values("image_id_A")


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 3))
def test_every_list_and_count_is_that_of_the_tables(
    folders: list[RunFolder], seed: int, count: int
) -> None:
    runs = tuple(
        made_run(run, letter, seed + number)
        for number, (run, letter) in enumerate(zip(folders[:count], "ABC", strict=False))
    )
    paired = PairedRuns(runs, pairs.match(*(one.images.hashes for one in runs)))
    expected = of_tables(runs)
    if expected.empty:
        return
    found = compare_runs(paired)
    letters = [one.letter for one in runs]
    last = letters[-1]

    known = expected[expected["label_A"].notna()]
    wrong = pd.DataFrame({one: known[f"prediction_{one}"] != known["label_A"] for one in letters})
    own = {
        one: expected[f"label_{one}"].notna()
        & (expected[f"prediction_{one}"] == expected[f"label_{one}"])
        for one in letters
    }
    own_wrong = {one: expected[f"label_{one}"].notna() & ~own[one] for one in letters}
    predicted = expected[[f"prediction_{one}" for one in letters]]
    lists = {
        "both-wrong": known[wrong.all(axis=1)],
        **{f"only-{one.lower()}": known[wrong[one] & (wrong.sum(axis=1) == 1)] for one in letters},
        "disagree": expected[predicted.nunique(axis=1) > 1],
        "fixed": expected[own_wrong["A"] & own[last]],
        "broken": expected[own["A"] & own_wrong[last]],
    }
    followed = known[known[f"label_{last}"].notna()]
    asked = {"disagree": expected, "fixed": followed, "broken": followed}
    assert found.common == len(expected) and found.judged == len(known)
    made = {one.key: one for one in found.lists}
    for key, frame in lists.items():
        if known.empty and key != "disagree":
            assert key not in made  # nothing can be judged
        else:
            assert sorted(made[key].ids) == frame["image_id_A"].tolist(), key
            share = made[key].share
            assert share is not None and share.total == len(asked.get(key, known)), key
    _check_numbers(found, known, wrong, expected)
    _check_frame(paired, expected, wrong)


def _check_numbers(
    found: RunComparison, known: pd.DataFrame, wrong: pd.DataFrame, expected: pd.DataFrame
) -> None:
    """Accuracies, the paired differences and those of each class."""
    for run in found.runs:
        if len(known):
            assert run.accuracy is not None
            assert run.accuracy.value == pytest.approx(1 - wrong[run.letter].mean())
        assert len(run.unmatched) == run.images - len(expected)
    for one in found.pairs:
        theirs = expected[f"label_{one.letter}"]
        relabelled = theirs.notna() & expected["label_A"].notna() & (theirs != expected["label_A"])
        assert one.relabelled == relabelled.sum()
        same = expected["prediction_A"] == expected[f"prediction_{one.letter}"]
        assert one.same_prediction is not None and one.same_prediction.count == same.sum()
        if len(known):
            crossed = pd.crosstab(wrong["A"], wrong[one.letter])
            counts = one.difference
            assert counts is not None and counts.total == len(known)
            assert counts.only_first == (~wrong["A"] & wrong[one.letter]).sum()
            assert counts.only_second == (wrong["A"] & ~wrong[one.letter]).sum()
            assert crossed.to_numpy().sum() == counts.total
        if one.by_its_labels is not None:
            some = expected[theirs.notna()]
            right = [
                some[f"prediction_{letter}"] == some[f"label_{one.letter}"]
                for letter in ("A", one.letter)
            ]
            assert one.by_its_labels.difference == pytest.approx(right[1].mean() - right[0].mean())
    by_class = (1 - wrong).groupby(known["label_A"]).sum()
    assert {one.name: [share.count for share in one.right] for one in found.classes} == {
        str(name): row.tolist() for name, row in by_class.iterrows()
    }


def _known(column: pd.Series[Any]) -> list[Any]:
    """The values; empty texts for those that there are not."""
    return ["" if pd.isna(value) else value for value in column]


def _check_frame(paired: PairedRuns, expected: pd.DataFrame, wrong: pd.DataFrame) -> None:
    """The DataFrame has the columns of all tables, in the order of A."""
    frame = compared_frame(paired, columns=["image_id", "label", "prediction"])
    assert frame.index.name == "image_hash"
    assert frame.index.tolist() == expected.index.get_level_values(0).tolist()
    for one in paired.runs:
        for name in ("image_id", "label", "prediction"):
            own = _known(expected[f"{name}_{one.letter}"])
            assert _known(frame[name + one.suffix]) == own
        judged = frame[f"wrong{one.suffix}"].dropna()
        assert judged.tolist() == wrong[one.letter].tolist()
    shares = []
    for one in paired.runs:
        stored = one.run.read_array("probabilities", STEP).astype(np.float64)
        named = pd.DataFrame(stored, columns=one.metadata["head"]["names"])[CLASSES]
        shares.append(named.to_numpy()[expected[f"image_id_{one.letter}"]])
    mean = np.mean(shares, axis=0)
    apart = np.mean([(own * np.log(own / mean)).sum(axis=1) for own in shares], axis=0)
    least = np.log(min(len(shares), len(CLASSES)))
    assert frame["disagreement"].to_numpy() == pytest.approx(apart / least, abs=1e-5)


def test_without_labels_right_and_wrong_are_not_known(folders: list[RunFolder]) -> None:
    runs = []
    for number, run in enumerate(folders[:2]):
        images = read_images(run)
        assert images is not None
        bare = replace(images, labels=None)
        manifest = write_made_table(run, bare, [STEP], np.random.default_rng(number))
        runs.append(ComparedRun(run, "AB"[number], bare, manifest, STEP))
    paired = PairedRuns(tuple(runs), pairs.match(*(one.images.hashes for one in runs)))
    found = compare_runs(paired)
    assert [one.key for one in found.lists] == ["disagree", "moved-apart"]
    assert found.pairs[0].difference is None and not found.classes
    assert "A has no labels" in found.notes[0]
    assert "wrong" not in as_text(found).replace("right and wrong", "")


def test_what_was_fixed_is_not_known_where_the_last_run_has_no_labels(
    folders: list[RunFolder],
) -> None:
    first = made_run(folders[0], "A", 0)
    bare = replace(first.images, labels=None)
    manifest = write_made_table(folders[1], bare, [STEP], np.random.default_rng(1))
    second = ComparedRun(folders[1], "B", bare, manifest, STEP)
    hashes = first.images.hashes
    found = compare_runs(PairedRuns((first, second), pairs.match(hashes, hashes)))
    keys = [one.key for one in found.lists]
    assert "only-b" in keys and not {"fixed", "broken"} & {*keys}, "none is not 0 %"
    assert "B has no labels, so that nothing can be said of what was fixed" in found.notes[1]


def test_without_heads_embeddings_are_compared_alone(
    two: tuple[RunFolder, RunFolder], review_embeddings: CommandLine
) -> None:
    for run in two:
        images, stored = read_images(run), np.array(run.read_array("embeddings", STEP))
        assert images is not None
        run.write_arrays(STEP, "none", {"embeddings": stored}, {"head": None, "dimension": 16})
        write_made_table(run, images, [STEP], np.random.default_rng(0), heads=False)
    paired = pair_runs([one.path for one in two])
    assert not paired.have_heads and np.isnan(paired.disagreement).all()
    found = compare_runs(paired)
    assert [one.key for one in found.lists] == ["moved-apart"]
    assert found.disagreement is None and found.pairs[0].same_prediction is None
    assert found.pairs[0].likeness.cka == pytest.approx(1)
    code, output, errors = review_embeddings("compare", *(one.path for one in two))
    assert code == 0 and "Each of A, B predicts no class" in output, errors
    assert compared_frame(paired)["wrong"].isna().all()


# -- runs as they are built


@pytest.fixture
def two(built_run: Path, tmp_path: Path) -> Iterator[tuple[RunFolder, RunFolder]]:
    copies = [RunFolder(Path(shutil.copytree(built_run, tmp_path / name))) for name in "ab"]
    yield copies[0], copies[1]


def test_checkpoints_of_a_run_are_compared_by_their_steps(built_run: Path) -> None:
    frame = compare(built_run, built_run, checkpoints=["first", 100], columns="prediction")
    ends = [table.read(built_run, checkpoints=[step])["prediction"] for step in (10, 100)]
    assert frame["prediction"].tolist() == ends[0].tolist()
    assert frame["prediction__b"].tolist() == ends[1].tolist()
    same = compare(built_run, built_run, columns=["x", "y"])
    assert (same["disagreement"] == 0).all() and (same["neighbors_shared__b"] == 1).all()
    assert same["moved_from_neighbors__b"].to_numpy() == pytest.approx(0, abs=1e-4)
    made = {one.key: one for one in compare_runs(pair_runs([built_run, built_run])).lists}
    assert not made["moved-apart"].rows, "rounding is no movement"
    assert same["x_aligned__b"].to_numpy() == pytest.approx(same["x"].to_numpy(), abs=1e-4)


def test_disagreement_is_that_of_the_stored_probabilities(built_run: Path) -> None:
    run = RunFolder(built_run)
    paired = pair_runs([run, run, run], checkpoints=["10", "20", "100"])
    stored = [run.read_array("probabilities", step) for step in (10, 20, 100)]
    assert paired.disagreement == pytest.approx(pairs.disagreement(stored), abs=1e-6)


def test_neighbours_that_are_stored_are_those_that_would_be_found(built_run: Path) -> None:
    paired = pair_runs([built_run, built_run])
    near = pairs.neighbors_among(paired.embeddings(0))
    assert paired.neighbors(0).tolist() == near.tolist()


def encoded_again(source: Path, target: Path) -> None:
    """The same pictures in other files, all but six of them, and one that is new."""
    for number, file in enumerate(sorted(source.rglob("*.png"))):
        copy = target / file.relative_to(source).with_suffix(".webp")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if number >= 6:
            Image.open(file).save(copy, lossless=True)
    Image.new("RGB", (16, 16)).save(target / "red" / "new.webp", lossless=True)


def test_copies_that_were_encoded_again_are_matched_by_their_pixels(
    built_run: Path,
    trainer_output: Path,
    image_folder: Path,
    tmp_path: Path,
    review_embeddings: CommandLine,
) -> None:
    encoded_again(image_folder, tmp_path / "again")
    other = RunFolder(Path(shutil.copytree(trainer_output, tmp_path / "other")))
    build(other, Request(dataset={"source": str(tmp_path / "again"), "split": "train"}))
    with pytest.raises(SettingsError, match="no image in common.*--match pixels"):
        pair_runs([built_run, other])
    paired = pair_runs([built_run, other], match_by="pixels")
    assert len(paired) == 30 and len(paired.unmatched(0)) == 6 and len(paired.unmatched(1)) == 1
    first, second = (paired.column(run, "label").tolist() for run in (0, 1))
    assert first == second and not paired.recoded
    arguments = ("compare", built_run, other.path, "--match", "pixels", "--checkpoint", "first")
    code, output, errors = review_embeddings(*arguments)
    assert code == 2 and not output and "Only 83.3 % of the images of A" in errors, errors
    assert "--match lossy" in errors and "--match pixels" not in errors
    code, output, errors = review_embeddings(*arguments, "--yes")
    assert code == 0 and "30 common images by decoded pixels: 83.3 % of A" in output, errors
    assert "6 images of A are not common: 0, 1, 2, 3, 4, 5" in output
    listed = tmp_path / "unmatched.csv"
    code, output, errors = review_embeddings(*arguments, "--yes", "--unmatched", listed)
    assert code == 0 and "Wrote 7 images that not all runs have to" in output, errors
    rows = unmatched_images(built_run, other, match_by="pixels")
    assert rows["run"].tolist() == ["A"] * 6 + ["B"]
    assert rows["image_id"].tolist()[:6] == [*range(6)]
    assert pd.read_csv(listed).equals(rows)


def test_copies_with_loss_are_matched_on_request_and_counted(
    built_run: Path,
    trainer_output: Path,
    image_folder: Path,
    tmp_path: Path,
    review_embeddings: CommandLine,
) -> None:
    for number, file in enumerate(sorted(image_folder.rglob("*.png"))):
        copy = tmp_path / "again" / file.relative_to(image_folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            Image.open(file).save(copy.with_suffix(".jpg"), quality=70 + number % 25)
        else:
            shutil.copy(file, copy)
    other = RunFolder(Path(shutil.copytree(trainer_output, tmp_path / "other")))
    build(other, Request(dataset={"source": str(tmp_path / "again"), "split": "train"}))
    assert len(pair_runs([built_run, other], match_by="pixels")) == 18
    paired = pair_runs([built_run, other], match_by="lossy")
    assert (len(paired), paired.recoded) == (36, 18)
    paths = [one.images.paths for one in paired.runs]
    first, second = (
        [Path(own[row] or "").with_suffix("") for row in paired.rows(run).tolist()]
        for run, own in enumerate(paths)
    )
    assert first == second and len({*first}) == 36
    arguments = ("compare", built_run, other.path, "--checkpoint", "first")
    code, output, errors = review_embeddings(*arguments, "--match", "lossy")
    assert code == 0 and "(18 of them only as copies with loss)" in output, errors


def test_the_command_says_what_the_frame_does(
    two: tuple[RunFolder, RunFolder], tmp_path: Path, review_embeddings: CommandLine
) -> None:
    first, second = two
    images = read_images(first)
    assert images is not None
    with writing(first, print) as log:
        log.append(ReviewedImages.of(images).decide([*range(36)], "remove", reviewer="ada"))
    page, listed = tmp_path / "page.html", tmp_path / "rows.csv"
    arguments = ("compare", first.path, second.path, "--checkpoint", "first", "--checkpoint")
    code, output, errors = review_embeddings(*arguments, "last", "--html", page, "--out", listed)
    assert code == 0, errors
    frame = compare(first, second, checkpoints=["first", "last"])
    both = int((frame["wrong"] & frame["wrong__b"]).sum())
    assert re.search(rf"Wrong in all runs +{both} ", output)
    assert "36 common images by content: 100.0 % of A, 100.0 % of B" in output
    assert "  remove" in output  # what was decided in A
    assert pd.read_csv(listed)["prediction__b"].tolist() == frame["prediction__b"].tolist()
    html = page.read_text()
    assert f"Wrong in all runs ({both})" in html and "decided: remove" in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    code, output, errors = review_embeddings(*arguments, "last", "--json")
    found: dict[str, Any] = json.loads(output)
    assert found["common"] == 36 and found["lists"][0]["count"] == both
    assert found["runs"][1]["accuracy"]["count"] == int((~frame["wrong__b"]).sum())


def test_names_are_no_html_and_no_mathematics(
    built_run: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    name = "<b>$\\frac$&\u4e2d"
    copy, page = shutil.copytree(built_run, tmp_path / name), tmp_path / "page.html"
    code, _, errors = review_embeddings("compare", built_run, copy, "--html", page, "--images", 0)
    assert code == 0, errors
    html = page.read_text(encoding="utf-8")
    assert "<b>$" not in html and "&lt;b&gt;$" in html


def test_decisions_of_the_other_run_are_read_only_where_they_are_asked_for(
    two: tuple[RunFolder, RunFolder], review_embeddings: CommandLine
) -> None:
    first, second = two
    images = read_images(second)
    assert images is not None
    with writing(second, print) as log:
        log.append(ReviewedImages.of(images).decide([*range(36)], "unsure", reviewer="bo"))
    arguments = ("compare", first.path, second.path, "--checkpoint", "first")
    assert "unsure" not in review_embeddings(*arguments)[1]
    assert "unsure" in review_embeddings(*arguments, "--decisions-from", second.path)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name two"),
        (("RUN",), "name two"),
        (("RUN", "RUN", "--checkpoint", "7"), "no checkpoint 7"),
        (("RUN", "RUN", "--checkpoint", "0-100"), "name one"),
        (("RUN", "RUN", *3 * ("--checkpoint", "last")), "3 checkpoints for 2 runs"),
        (("RUN", "EMPTY"), "has no table yet"),
        (("RUN", "NONE"), "There is no run"),
        (("RUN", "RUN", "--out", "list.txt"), "is no list"),
        (("RUN", "RUN", "--decisions-from", "RUN"), "there are no decisions"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    built_run: Path,
    working_directory: Path,
    review_embeddings: CommandLine,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (working_directory / "EMPTY").mkdir()
    named = [str(built_run) if one == "RUN" else one for one in arguments]
    code, output, errors = review_embeddings("compare", *named)
    assert code == 2 and message in errors and not output
    assert len(errors.strip().splitlines()) == 1


def test_a_checkpoint_that_is_not_there_is_a_fault_of_the_run(built_run: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint 7"):
        compare(built_run, built_run, checkpoints=7)
