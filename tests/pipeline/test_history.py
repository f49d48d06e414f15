"""What the Trainer writes down is kept and shown, whenever it comes and whatever it holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from changes import changes, values
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline import table
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.trainerstate import (
    MAX_STEP,
    history_of,
    read_state,
    refreshed,
)
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import (
    CheckpointRecord,
    TrainingHistory,
    read_history,
    write_history,
)
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.training.curves import (
    CheckpointMetrics,
    accuracy_note,
    metrics_of,
    read_curves,
)
from review_embeddings.pipeline.training.log import TrainingLog
from review_embeddings.review.animation.filmdata import read_film_data
from review_embeddings.review.report.summary import as_html, as_text, summarize

STATE: dict[str, Any] = {
    "global_step": 20,
    "max_steps": 100,
    "epoch": 2.0,
    "best_global_step": 10,
    "best_model_checkpoint": "out/checkpoint-10",
    "log_history": [
        {"step": 5, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-4, "grad_norm": 1.5},
        {"step": 10, "epoch": 1.0, "eval_loss": 1.5, "eval_accuracy": 0.5, "eval_runtime": 3.0},
        {"step": 15, "epoch": 1.5, "loss": 1.0},
        {"step": 20, "epoch": 2.0, "train_loss": 1.4, "train_runtime": 9.0},
    ],
}


def write(folder: Path, state: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trainer_state.json").write_text(json.dumps(state))


def with_log(*entries: Any, **state: Any) -> dict[str, Any]:
    return {**STATE, "log_history": list(entries), **state}


# -- what a record says


def test_epoch_loss_and_metrics_of_a_step(tmp_path: Path) -> None:
    write(tmp_path, STATE)
    state = read_state(tmp_path / "trainer_state.json")
    assert state is not None and state.best_step == 10
    assert state.record_at(20) == CheckpointRecord(2.0, 1.0)
    metrics = {"eval_loss": 1.5, "eval_accuracy": 0.5}
    assert state.record_at(10) == CheckpointRecord(1.0, 2.0, metrics), "no time is a metric"
    assert state.record_at(4) == CheckpointRecord()


@pytest.mark.parametrize(
    "entry",
    [
        {"step": 10, "loss": None},
        {"step": 10, "loss": float("nan")},
        {"step": 10, "loss": float("inf")},
        {"step": 10, "loss": "0.2"},
        {"step": 10, "loss": True},
        {"step": 10, "loss": [0.2]},
        {"step": 10, "loss": 10**400},
        {"step": 10, "loss": 1e300},
        {"step": None, "loss": 0.2},
        {"step": "10", "loss": 0.2},
        {"step": -1, "loss": 0.2},
        {"step": 10**30, "loss": 0.2},
        {"step": [10], "loss": 0.2},
        {"loss": 0.2},
        None,
        [10, 0.2],
        "loss",
    ],
)
def test_a_loss_that_is_no_number_at_no_step_is_not_known(tmp_path: Path, entry: Any) -> None:
    write(tmp_path, with_log(entry))
    state = read_state(tmp_path / "trainer_state.json")
    assert state is not None
    assert state.record_at(20) == CheckpointRecord(epoch=2.0)


@pytest.mark.parametrize(
    ("name", "value", "best"),
    [
        ("best_global_step", 30, 10),  # the folder is what was saved
        ("best_model_checkpoint", None, 10),
        ("best_model_checkpoint", "C:\\out\\checkpoint-30\\", 30),
        ("best_model_checkpoint", "checkpoint-" + "9" * 5000, 10),
        ("best_model_checkpoint", 7, 10),
    ],
)
def test_which_checkpoint_is_the_best(tmp_path: Path, name: str, value: Any, best: int) -> None:
    write(tmp_path, {**STATE, name: value})
    state = read_state(tmp_path / "trainer_state.json")
    assert state is not None and state.best_step == best


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"a": ' + "9" * 5000])
def test_what_is_no_record_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "trainer_state.json").write_text(text)
    assert read_state(tmp_path / "trainer_state.json") is None
    assert refreshed(TrainingHistory(), tmp_path, ".").best is None


NUMBERS = st.floats() | st.integers(-(10**400), 10**400)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_record_whatever_it_holds_ends_a_run(data: st.DataObject) -> None:
    """What comes of it is finite, can be written and read again, and stays."""
    kind = data.draw(st.sampled_from(["changed", "value", "log"]))
    content: Any
    if kind == "changed":
        text = data.draw(changes(STATE)).text
    else:
        wild = data.draw(values | NUMBERS)
        log = with_log({"step": 10, "loss": wild}, wild, epoch=wild)
        content = wild if kind == "value" else log
        text = json.dumps(content).encode()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "checkpoint-20", {})
        (root / "checkpoint-20" / "trainer_state.json").write_bytes(text)
        shutil.copy(root / "checkpoint-20" / "trainer_state.json", root)
        found = find_checkpoints(root)
        history, run = found.history, RunFolder(root)
        write_history(run, history)
        assert read_history(run) == history
        json.dumps([history.rows(), history.at(20).epoch, history.at(20).loss], allow_nan=False)
        assert all(0 <= row["step"] <= MAX_STEP for row in history.rows())
        assert refreshed(history, root, "") is history, "nothing is read again"


# -- facts that come late


@pytest.fixture
def late(run_path: Path, image_folder: Path) -> tuple[RunFolder, Path]:
    """A run that was built while one record was not written yet, and the record."""
    record = run_path / "checkpoint-20" / "trainer_state.json"
    kept = record.rename(run_path / "late.json")
    request = Request(dataset={"source": str(image_folder), "split": "train", "limit": 12})
    build(RunFolder(run_path), request)
    return RunFolder(run_path), kept


def known(run: RunFolder, step: int) -> tuple[float | None, float | None]:
    manifest = table.read_manifest(run)
    assert manifest is not None
    one = manifest.checkpoints[manifest.steps.index(step)]
    return one.epoch, one.loss


def test_a_record_that_comes_late_is_shown_and_kept(late: tuple[RunFolder, Path]) -> None:
    run, record = late
    assert known(run, 20) == (None, None)
    embedded = {path: path.read_bytes() for path in run.path.glob("embeddings/*")}
    record.rename(run.path / "checkpoint-20" / "trainer_state.json")
    assert known(run, 20) == (0.4, 1.8), "without a build"
    rows = table.read(run, checkpoints=[20], columns=["epoch"])
    assert rows["epoch"].tolist() == [0.4] * 12
    jobs = [(job.stage.name, job.reason) for job in preview(run, Request())]
    assert jobs == [("table", "epoch or loss of a checkpoint became known")]
    built = build(run, Request())
    assert set(built.seconds) == {"table"}
    assert json.loads(run.table_manifest.read_text())["checkpoints"][1]["loss"] == 1.8
    assert {path: path.read_bytes() for path in run.path.glob("embeddings/*")} == embedded
    assert build(run, Request()).seconds == {}
    for folder in run.path.glob("checkpoint-*"):
        shutil.rmtree(folder)
    copied = build(run, Request())
    assert copied.seconds == {} and known(run, 20) == (0.4, 1.8)
    assert read_curves(run).loss == [(step, 2 - step / 100) for step in range(10, 101, 10)]


def test_a_run_of_before_shows_what_lies_beside_its_embeddings(
    late: tuple[RunFolder, Path],
) -> None:
    run, _ = late
    run.history.unlink()
    for folder in run.path.glob("checkpoint-*"):
        shutil.rmtree(folder)
    assert build(run, Request()).seconds == {} and known(run, 10) == (0.2, 1.9)


def test_a_record_is_replaced_by_that_of_another_training(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint-20", STATE)
    history = refreshed(TrainingHistory(), tmp_path, ".")
    write(tmp_path / "checkpoint-20", with_log(epoch=2.0))
    assert refreshed(history, tmp_path, ".").at(20) == CheckpointRecord(2.0, 1.0), "says less"
    write(tmp_path / "checkpoint-20", with_log(epoch=7.0))
    assert refreshed(history, tmp_path, ".").at(20) == CheckpointRecord(7.0)
    write(tmp_path / "other" / "checkpoint-40", with_log(global_step=40, epoch=4.0))
    other = refreshed(history, tmp_path / "other", "other")
    assert other.at(20) == CheckpointRecord() and other.rows() == []


def test_what_a_newer_version_keeps_is_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_history(run, TrainingHistory(root="."))
    content = json.loads(run.history.read_text())
    run.history.write_text(json.dumps({**content, "new": [1]}))
    write(tmp_path / "checkpoint-20", STATE)
    write_history(run, refreshed(read_history(run), tmp_path, "."))
    again = json.loads(run.history.read_text())
    assert again["new"] == [1] and again["checkpoints"]["20"]["loss"] == 1.0


def test_a_medium_that_cannot_be_written_to_is_read(
    late: tuple[RunFolder, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from review_embeddings.pipeline.errors import StorageError
    from review_embeddings.pipeline.stages import session

    run, _ = late
    before = run.history.read_bytes()
    run.history.unlink()

    def refused(*_: object) -> None:
        raise StorageError("read only")

    monkeypatch.setattr(session, "write_history", refused)
    assert build(run, Request()).seconds == {} and not run.history.exists()
    assert json.loads(before)["checkpoints"]["10"]["epoch"] == 0.2


# -- curves and metrics


def test_the_trainers_log_is_shown_where_nobody_logged_here(
    built_run: Path, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    folder = run.path / "checkpoint-100"
    state = json.loads((folder / "trainer_state.json").read_text())
    state["log_history"] += [
        {"step": 10, "eval_loss": 1.25, "eval_accuracy": 0.5},
        {"step": 100, "eval_loss": 0.75, "eval_accuracy": 0.875},
    ]
    state["best_global_step"] = 100
    (folder / "trainer_state.json").write_text(json.dumps(state))
    curves = read_curves(run)
    assert curves.loss[0] == (10, 1.9) and curves.loss[-1] == (100, 1.0)
    assert curves.accuracy == [(10, 0.5), (100, 0.875)]
    made, images = summarize(run, note=print)
    text = as_text(made)
    assert "1.900 at step 10, 1.000 at step 100" in text and "0.875 at step 100" in text
    assert "1.250 at step 10, 0.750 at step 100" in text and "the best is 100" in text
    assert "0.875</td>" in as_html(made, images)
    assert read_film_data(run).accuracy.tolist() == [[10, 0.5], [100, 0.875]]
    assert read_film_data(run, ["best"]).steps == [100]


def test_the_log_that_was_written_here_counts(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write(tmp_path / "checkpoint-20", STATE)
    write_history(run, refreshed(TrainingHistory(), tmp_path, "."))
    log = TrainingLog(run.log)
    log.begin(0)
    log.add(10, {"loss": 9.0, "eval_accuracy": 0.75})
    log.add(15, {"loss": 8.0})
    curves = read_curves(run)
    assert curves.loss == [(5, 2.0), (10, 9.0), (15, 8.0)]
    assert curves.accuracy == [(10, 0.75)] and curves.eval_loss == [(10, 1.5)]


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        ([{"eval_accuracy": 0.5}, {"eval_accuracy": 62.5}], [0.005, 0.625]),
        ([{"eval_acc": 0.5}, {"eval_Accuracy": 1.0}], [0.5, 1.0]),
        ([{"eval_balanced_accuracy": 0.5}, {"eval_top5_accuracy": 0.5}], []),
        ([{"eval_accuracy": -0.5}, {"eval_accuracy": 300}], []),
    ],
)
def test_only_an_accuracy_is_called_one(
    tmp_path: Path, logged: list[dict[str, float]], shown: list[float]
) -> None:
    entries = [{"step": step, **entry} for step, entry in enumerate(logged, 1)]
    write(tmp_path / "checkpoint-20", with_log(*entries))
    run = RunFolder(tmp_path)
    write_history(run, refreshed(TrainingHistory(), tmp_path, "."))
    assert [value for _, value in read_curves(run).accuracy] == shown


def test_the_accuracy_of_a_checkpoint_is_evaluated_or_of_the_reviewed_images(
    built_run: Path, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    rows = table.read(run, columns=["checkpoint", "label", "prediction"])
    right = rows["label"].astype(str) == rows["prediction"].astype(str)
    shares = right.groupby(rows["checkpoint"]).mean()
    log = TrainingLog(run.log)
    log.begin(0)
    log.add(20, {"eval_accuracy": 0.75, "eval_loss": 0.5})
    for stored in (True, False):
        manifest = table.read_manifest(run)
        assert manifest is not None
        metrics = metrics_of(run, manifest, read_curves(run), manifest.steps)
        assert metrics[20].accuracy == 0.75 and metrics[20].measured == "evaluation"
        assert metrics[20].eval_loss == 0.5 and metrics[20].accuracy_text == "0.750"
        for step in (10, 100):
            assert metrics[step].accuracy == pytest.approx(shares[step])
            assert metrics[step].measured == "reviewed images"
            assert metrics[step].accuracy_text.endswith("*")
        if stored:  # as a version before wrote it
            content = json.loads(run.table_manifest.read_text())
            del content["checksum"]
            shown = [one.pop("matched") for one in content["checkpoints"]]
            assert shown[0] == shares[10]
            run.table_manifest.write_text(json.dumps(content))


def test_only_reading_writes_nothing(built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    run.history.unlink()
    before = sorted(path for path in run.path.rglob("*"))
    summarize(run, note=print)
    read_film_data(run)
    assert history_of(run).at(20) == CheckpointRecord(0.4, 1.8)
    build(run, Request(only_read=True))
    assert sorted(path for path in run.path.rglob("*")) == before


def test_it_is_said_on_which_images_accuracies_were_measured() -> None:
    evaluated = CheckpointMetrics(None, 0.545, "evaluation")
    own = CheckpointMetrics(None, 0.52, "reviewed images")
    assert accuracy_note([CheckpointMetrics()]) == ""
    assert accuracy_note([evaluated, CheckpointMetrics()]) == "accuracy: training's evaluation"
    assert accuracy_note([own]) == "* of the reviewed images"
    assert accuracy_note([own, evaluated]).startswith("* of the reviewed images; the others")
