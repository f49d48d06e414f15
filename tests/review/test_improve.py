"""`improve`: whether decisions help, proved by trainings; and what is refused as proof."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from notes import Notes
from samples import CLASSES, save_start_model, write_splits

from review_embeddings.pipeline.analysis.paired import paired_difference
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.progress import StopRequests
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.finetune import finetune
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.trained import read_train_list
from review_embeddings.review.cli.program import cli
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.improving.evidence import ComparedArms, Proof
from review_embeddings.review.improving.folder import LOCK, ProofFolder, ProofRecord
from review_embeddings.review.improving.improve import improve
from review_embeddings.review.improving.request import ImproveRequest
from review_embeddings.review.improving.texts import report, verdict

CommandLine = Callable[..., tuple[int, str, str]]

TRAIN, TEST = 6, 4
"""Images of each class."""


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_decisions(path: Path, rows: list[tuple[Path, str, str]]) -> Path:
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image_hash", "decision", "new_label"])
        lines.writerows((hash_of(image), decision, label) for image, decision, label in rows)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained on two colours' labels exchanged, and the decisions that mend it."""
    folder = tmp_path_factory.mktemp("improve")
    data = write_splits(folder / "data", train=TRAIN, test=TEST)
    model = save_start_model(folder / "model")
    options = {"model": str(model), "dataset": str(data), "steps": 2, "frames": 2}
    more = {"batch_size": 6, "arguments": {"bf16": "false"}, "device": "cpu", "split": "train"}
    finetune(RunFolder(folder / "run"), {**options, **more})
    train, test = data / "train", data / "test"
    write_decisions(
        folder / "decisions.csv",
        [
            (train / "red" / "00.png", "relabel", "blue"),
            (train / "red" / "01.png", "remove", ""),
            (train / "blue" / "00.png", "keep", ""),
            (test / "red" / "00.png", "relabel", "green"),
            (test / "red" / "01.png", "remove", ""),
        ],
    )
    write_decisions(folder / "of_test.csv", [(test / "red" / "00.png", "relabel", "green")])
    return folder


@pytest.fixture(scope="module")
def proved(place: Path) -> Iterator[tuple[Path, str, str]]:
    """The folder of a proof, with what the command printed. Not to be changed."""
    out = place / "out"
    arguments = ["--run", place / "run", "--decisions", place / "decisions.csv", "--out", out]
    result = CliRunner().invoke(
        cli, ["improve", *map(str, arguments), "--seeds", "2", "--corrected"]
    )
    assert result.exit_code == 0, result.stderr
    yield out, result.stdout, result.stderr


def test_the_trainings_are_ordinary_runs_with_the_settings_of_the_run(
    proved: tuple[Path, str, str], place: Path
) -> None:
    out = proved[0]
    runs = sorted(path.name for path in out.iterdir() if (path / "training.json").is_file())
    assert runs == ["after-seed42", "after-seed43", "before-seed42", "before-seed43"]
    first = json.loads((place / "run" / "training.json").read_text())["request"]
    for name in runs:
        own = json.loads((out / name / "training.json").read_text())["request"]
        different = {key for key in own if own[key] != first.get(key)} - {"seed"}
        assert different == {"train_list", "eval_split", "split", "embed", "keep"}
        assert own["seed"] == int(name[-2:]) and own["steps"] == 2
    images = read_images(RunFolder(out / runs[0]))
    assert images is not None and len(images) == 3 * TEST, "the test split, to be reviewed"


def test_the_decisions_change_the_training_images_alone(
    proved: tuple[Path, str, str], place: Path
) -> None:
    folder, data = ProofFolder(proved[0]), place / "data"
    before, after = (read_train_list(folder.list(name)) for name in ("before", "after"))
    assert len(before) == 3 * TRAIN and len(after) == len(before) - 1
    labels = dict(zip(after.hashes, after.labels, strict=True))
    assert labels[hash_of(data / "train" / "red" / "00.png")] == "blue"
    assert hash_of(data / "train" / "red" / "01.png") not in labels
    trained = pd.read_parquet(proved[0] / "after-seed42" / "trained_images.parquet")
    assert dict(zip(trained.image_hash, trained.label, strict=True)) == labels
    table = pd.read_parquet(folder.predictions)
    known = {hash_of(path): path.parent.name for path in data.glob("test/*/*.png")}
    assert dict(zip(table.image_hash, table.label, strict=True)) == known
    assert "Not applied: 2 decisions about images of 'test'" in proved[2]
    changes = pd.read_csv(folder.changes)
    assert list(changes.change) == ["relabelled", "removed"]
    assert [before.hashes[before.rows.tolist().index(row)] for row in changes.row] == list(
        changes.image_hash
    )


def test_every_number_follows_from_the_predictions_in_ten_lines_of_pandas(
    proved: tuple[Path, str, str],
) -> None:
    folder = ProofFolder(proved[0])
    table, result = pd.read_parquet(folder.predictions), json.loads(folder.result.read_text())
    right = table.filter(like="-seed").eq(table.label, axis=0)
    before, after = (right.filter(like=name).to_numpy().T for name in ("before", "after"))
    assert result["overall"]["before"] == pytest.approx(before.mean(axis=1))
    assert result["overall"]["after"] == pytest.approx(after.mean(axis=1))
    assert result["overall"]["by_seed"] == pytest.approx(after.mean(1) - before.mean(1))
    found = paired_difference(before, after)
    assert (result["overall"]["low"], result["verdict"]) == (found.low, found.verdict)
    by_class = right.groupby(table.label).mean()
    for name in CLASSES:
        own = [by_class.loc[name, f"after-seed{seed}"] for seed in (42, 43)]
        assert result["classes"][name]["after"] == pytest.approx(own)
    assert result["corrected"]["images"] == 3 * TEST - 1


def test_the_report_begins_with_what_may_be_said(proved: tuple[Path, str, str]) -> None:
    out, text, errors = proved
    assert text.splitlines()[0].startswith(
        ("No gain can be shown", "The decisions helped", "The decisions did harm")
    )
    assert "That is no proof: the test set was changed by the same decisions." in text
    assert errors.index("Expected: about ") < errors.index("Training 1 of 4: before-seed42")
    assert "measured just now" in errors
    assert ProofFolder(out).report.read_text() == text


def test_the_same_command_goes_on_and_trains_nothing_twice(
    proved: tuple[Path, str, str], place: Path, review_embeddings: CommandLine
) -> None:
    out, text, _ = proved
    before = {path: path.stat().st_mtime_ns for path in out.glob("*-seed*/**/*")}
    code, again, errors = review_embeddings(
        *("improve", "--run", place / "run", "--decisions", place / "decisions.csv"),
        *("--out", out, "--seeds", 2, "--corrected"),
    )
    assert (code, again) == (0, text) and "Training 1" not in errors
    assert {path: path.stat().st_mtime_ns for path in out.glob("*-seed*/**/*")} == before


def test_a_proof_that_was_stopped_comes_out_the_same(
    proved: tuple[Path, str, str], place: Path, tmp_path: Path
) -> None:
    run, out = RunFolder(place / "run"), tmp_path / "out"
    request = ImproveRequest(out, str(place / "decisions.csv"), seeds=1)
    for name in ("before-seed42", "after-seed42"):
        stopped = improve(run, request, stop=(out / name).exists)
        assert stopped.proof is None and stopped.total == 2
    improved = improve(run, request)
    assert improved.proof is not None and improved.made == 2
    found, whole = (pd.read_parquet(ProofFolder(one).predictions) for one in (out, proved[0]))
    pd.testing.assert_frame_equal(found, whole[found.columns])


def test_another_proof_takes_over_the_trainings_without_decisions(
    proved: tuple[Path, str, str], place: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    arguments = ("improve", "--run", place / "run", "--out", tmp_path / "out", "--seeds", 1)
    listed = ("--decisions", place / "decisions.csv", "--baseline", proved[0], "--explain")
    code, output, errors = review_embeddings(*arguments, *listed, "--json")
    assert code == 0, errors
    lines = [json.loads(line) for line in output.splitlines()]
    result = next(line for line in lines if line["event"] == "result")
    assert result["verdict"] == "undecidable" and set(result["carried"]) == {
        "relabels",
        "removals",
    }
    assert result["sentence"].startswith("One seed proves nothing")
    made = {path.name for path in (tmp_path / "out").iterdir() if path.name.endswith("-seed42")}
    assert made == {"after-seed42", "without-relabels-seed42", "without-removals-seed42"}
    code, _, errors = review_embeddings(*arguments, *listed[:2])
    assert code == 2 and "was begun with another --baseline" in errors
    arguments = ("improve", "--run", place / "run", "--out", tmp_path / "more", "--seeds", 3)
    with RunFolder(proved[0]).locked(LOCK, "being made by another process"):
        code, _, errors = review_embeddings(*arguments, *listed[:4])
    assert code == 2 and f"{proved[0]} is being made by another process" in errors, (
        "a seed is missing there"
    )


def begun(place: Path, request: ImproveRequest, run: RunFolder | None = None) -> list[str]:
    """The notes of a proof that is stopped before its first step."""
    notes = Notes()
    stop = StopRequests()
    stop.add()
    improved = improve(run or RunFolder(place / "run"), request, progress=notes, stop=stop)
    assert improved.proof is None and not improved.made
    return notes.lines


def test_a_quick_look_trains_on_some_images_and_says_so(place: Path, tmp_path: Path) -> None:
    paths = sorted((place / "data" / "train").glob("*/0[0-2].png"))
    listed = write_decisions(tmp_path / "list.csv", [(path, "remove", "") for path in paths])
    notes = begun(place, ImproveRequest(tmp_path / "out", str(listed), seeds=1, limit=12))
    before = read_train_list(ProofFolder(tmp_path / "out").list("before"))
    assert sorted(before.labels) == sorted(CLASSES * 4)
    assert any("A quick look: 12 of 18 training images" in note for note in notes)


# -- what is refused


def refused(review_embeddings: CommandLine, *arguments: object) -> str:
    """The one line of a mistake."""
    code, output, errors = review_embeddings("improve", *arguments)
    (line,) = [one for one in errors.splitlines() if one.startswith("Error: ")]
    assert (code, output) == (2, "")
    return line


def test_decisions_about_the_test_split_are_refused_as_proof(
    place: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    asked = ("--run", place / "run", "--out", tmp_path / "out")
    line = refused(review_embeddings, *asked, "--decisions", place / "of_test.csv")
    assert "it is about test, on which the models are evaluated" in line
    assert "a better accuracy on a changed test set is no proof" in line
    line = refused(review_embeddings, *asked)
    assert "There is no decision in" in line and "--split train" in line
    for split, reason in (
        ("train", "is the split that is trained on"),
        ("test_cleaned", "was changed by decisions itself"),
    ):
        line = refused(
            review_embeddings, *asked, "--decisions", place / "decisions.csv", "--eval-split", split
        )
        assert reason in line
    assert not (tmp_path / "out").exists()


def test_a_test_split_that_was_changed_meanwhile_is_refused_as_proof(
    place: Path, proved: tuple[Path, str, str], tmp_path: Path, review_embeddings: CommandLine
) -> None:
    kept = tmp_path / "00.png"
    image = place / "data" / "test" / "red" / "00.png"
    asked = ("--run", place / "run", "--decisions", place / "decisions.csv", "--seeds", 2)
    shutil.move(image, kept)
    moved = image.parents[1] / "green" / "zz.png"
    shutil.copy(kept, moved)
    try:
        line = refused(review_embeddings, *asked, "--out", proved[0])
    finally:
        moved.unlink()
        shutil.move(kept, image)
    assert "A better accuracy on a changed test set is no proof of better training data" in line


def test_other_questions_need_another_folder(
    place: Path,
    proved: tuple[Path, str, str],
    built_run: Path,
    tmp_path: Path,
    review_embeddings: CommandLine,
) -> None:
    other = write_decisions(
        tmp_path / "other.csv", [(place / "data" / "train" / "red" / "02.png", "remove", "")]
    )
    asked = ("--run", place / "run", "--out", proved[0])
    assert "was begun with other decisions" in refused(
        review_embeddings, *asked, "--decisions", other
    )
    assert "was begun with another --limit" in refused(
        review_embeddings, *asked, "--decisions", place / "decisions.csv", "--limit", 9
    )
    assert "--seeds 0 is out of range" in refused(review_embeddings, *asked, "--seeds", 0)
    line = refused(review_embeddings, "--run", built_run, "--out", tmp_path / "out")
    assert "was not made by finetune" in line and "apply" in line
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.png").touch()
    line = refused(
        review_embeddings,
        *("--run", place / "run", "--decisions", other, "--out", tmp_path / "full"),
    )
    assert "is there already" in line


def test_a_decision_that_cannot_be_read_is_left_out_only_on_request(
    place: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    run = RunFolder(Path(shutil.copytree(place / "run", tmp_path / "run")))
    run.decisions.write_bytes(b'{"decision": "remove", "image_\n')
    asked = ("--run", run.path, "--out", tmp_path / "out")
    line = refused(review_embeddings, *asked)
    assert "Line 1 (it is no JSON)" in line and "--skip-unreadable" in line
    assert "There is no decision" in refused(review_embeddings, *asked, "--skip-unreadable")


def test_what_reviewers_differ_about_is_settled_first(
    place: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    run = RunFolder(Path(shutil.copytree(place / "run", tmp_path / "run")))
    hashes = [hash_of(place / "data" / "train" / "red" / "00.png")]
    images = ReviewedImages({0: 0}, hashes, None, CLASSES)
    with writing(run, print) as log:
        log.append(images.decide([0], "remove", reviewer="ada"))
        log.append(images.decide([0], "keep", reviewer="bob"))
    asked = ("--run", run.path, "--out", tmp_path / "out")
    assert "--disputed" in refused(review_embeddings, *asked)
    line = refused(review_embeddings, *asked, "--disputed", "last")
    assert "The one decision of" in line and "changes no training image" in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image_id,decision\n0,remove\n", "lacks the column image_hash"),
        ("image_hash,decision\n,remove\n", "row 2: there is a decision and no image_hash"),
        ("image_hash,decision,new_label\nab,relabel,violet\n", "violet"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(
    place: Path, tmp_path: Path, review_embeddings: CommandLine, text: str, reason: str
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(text)
    asked = ("--run", place / "run", "--out", tmp_path / "out", "--decisions", listed)
    assert reason in refused(review_embeddings, *asked)


def test_decisions_of_now_are_another_proof(place: Path, tmp_path: Path) -> None:
    """Whoever goes on deciding meanwhile finishes what was begun with the decisions of then."""
    run = RunFolder(Path(shutil.copytree(place / "run", tmp_path / "run")))
    paths = sorted((place / "data" / "train").glob("*/*.png"))
    hashes = [hash_of(path) for path in paths]
    images = ReviewedImages(dict(enumerate(range(len(paths)))), hashes, None, CLASSES)
    request = ImproveRequest(tmp_path / "out", seeds=1)
    with writing(run, print) as log:
        log.append(images.decide([0, 1], "remove", reviewer="ada"))
    assert any("2 removed of 18 training images" in note for note in begun(place, request, run))
    with writing(run, print) as log:
        log.append(images.decide([2], "remove", reviewer="ada"))
    notes = "\n".join(begun(place, request, run))
    assert "Going on with the decisions as of" in notes and "2 removed of 18" in notes


# -- what is said


def proof_of(before: np.ndarray, after: np.ndarray, level: float = 0.95) -> Proof:
    found = paired_difference(before, after, level=level)
    means = [tuple(arm.mean(axis=1).tolist()) for arm in (before, after)]
    whole = ComparedArms(means[0], means[1], found)
    return Proof(tuple(range(len(before))), whole, {"cat": whole})


def record_of(**more: object) -> ProofRecord:
    record = ProofRecord(
        "runs/a", FineTuning("m", "d"), "train", "test", "runs/a", "now", 100, 1000, {},
        {"relabels": 7, "removals": 0, "duplicates": 0},
    )  # fmt: skip
    return replace(record, **more)  # type: ignore[arg-type]


def test_a_gain_a_loss_and_noise_are_said_as_what_they_are(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    worse = generator.random((3, 1000)) < 0.5
    better = worse | (generator.random((3, 1000)) < 0.1)
    other = np.where(generator.random((3, 1000)) < 0.05, ~worse, worse)
    record, folder = record_of(), ProofFolder(tmp_path)
    gain = verdict(proof_of(worse, better), record)
    assert gain.startswith("The decisions helped: accuracy on the untouched split 'test' is")
    assert "points higher (95 % interval +" in gain and "more than noise explains" in gain
    assert verdict(proof_of(better, worse), record).startswith("The decisions did harm")
    noise = proof_of(worse, other)
    assert verdict(noise, record).startswith("No gain can be shown")
    text = "\n".join(report(noise, record, folder, "2 min for 6 trainings", 80))
    assert "A true difference of" in text and "Cost: 2 min for 6 trainings." in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_difference_of_few_images_is_not_called_within_the_noise(tmp_path: Path) -> None:
    before, after = np.zeros((3, 400), dtype=bool), np.zeros((3, 400), dtype=bool)
    after[:, :5] = True
    proof = proof_of(before, after)
    assert proof.overall.difference.low > 0, "which the sentence says"
    said = verdict(proof, record_of())
    assert said.startswith("No gain can be shown") and "noise" not in said
    assert said.endswith("but rests on 5 images, too few for the sign test.")
    text = "\n".join(report(proof, record_of(), ProofFolder(tmp_path), "1 s", None))
    assert "A true difference of" not in text


def test_the_power_that_is_said_is_there(tmp_path: Path) -> None:
    def said(before: np.ndarray, after: np.ndarray) -> str:
        proof = proof_of(before, after)
        return "\n".join(report(proof, record_of(), ProofFolder(tmp_path), "1 s", None))

    same = np.ones((3, 100), dtype=bool)
    assert "A true difference of 6.00 points would be found in 80 % of such trials." in said(
        same, same
    )
    before, after = np.array([[1, 0, 0, 0], [1, 1, 0, 0]]), np.array([[1, 1, 1, 0], [1, 1, 0, 0]])
    assert "No true difference, however large, would be found" in said(before > 0, after > 0)


def test_a_report_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    before = np.random.default_rng(3).random((2, 50)) < 0.5
    proof = proof_of(before, ~before)
    proof = replace(proof, classes={"a\nb\x1b[31m": proof.overall, "cat": proof.overall})
    lines = report(proof, record_of(decisions="runs/\x1b]0;a"), ProofFolder(tmp_path), "1 s", None)
    assert all(line.isprintable() for line in lines)
    first, second = (next(one for one in lines if name in one) for name in ("a\\nb", "cat"))
    assert len(first) == len(second), "the columns stand below each other"


def test_every_new_number_of_seeds_is_another_look() -> None:
    record = record_of()
    for seeds, look in ((1, 1), (5, 1), (3, 2), (5, 1), (8, 3), (3, 2), (1, 1)):
        record = record.looked_at(seeds)
        assert record.look(seeds) == look, seeds


def test_who_looked_before_gets_a_wider_interval_and_is_told_why(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    before, after = (generator.random((2, 50)) < 0.5 for _ in range(2))
    proof = proof_of(before, after, level=0.975)
    text = "\n".join(report(proof, record_of(), ProofFolder(tmp_path), "1 s", None))
    assert "97.5 % interval" in text and "finds one by luck" in text
