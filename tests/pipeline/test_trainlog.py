"""log.csv: fixed columns, one row a step, nothing lost by a kill and nothing twice after going
on."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.run import checksums
from review_embeddings.pipeline.run.checksums import checksum_of
from review_embeddings.pipeline.training.log import COLUMNS, TrainingLog, read_rows

HEADER = ",".join(COLUMNS) + ",checksum"


def test_rows_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = TrainingLog(path)
    log.begin(0)
    log.add(0, {"eval_loss": 2.5, "eval_runtime": 3.0, "epoch": 0.0})
    log.add(10, {"loss": 2.0, "grad_norm": 1.5, "learning_rate": 0.1, "epoch": 0.5})
    log.add(10, {"eval_accuracy": 0.25, "epoch": 0.5})  # the evaluation of the same step
    log.add(20, {"train_runtime": 12.0, "epoch": 1.0})  # nothing that has a column
    rows = ["0,0.0,,,,2.5,,,,", "10,0.5,2.0,0.1,1.5,,0.25,,,"]
    checked = [f"{row},{checksum_of(row.encode())}" for row in rows]
    assert path.read_text().splitlines() == [HEADER, *checked]


def test_a_changed_row_is_told_or_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte of a log, each with two other values."""
    path, heard = tmp_path / "log.csv", list[str]()
    monkeypatch.setattr(checksums, "_listener", heard.append)
    log = TrainingLog(path)
    log.begin(0)
    for step in (0, 10, 20):
        log.add(step, {"loss": 1.25, "eval_accuracy": 0.5, "epoch": step / 10})
    whole, data = read_rows(path), path.read_bytes()
    assert not heard
    changed = tmp_path / "changed.csv"
    for place in range(len(data)):
        for flipped in (1, 64):
            heard.clear()
            checksums.forget()
            one = bytes([data[place] ^ flipped])
            changed.write_bytes(data[:place] + one + data[place + 1 :])
            assert read_rows(changed) == whole or heard, (place, one)


def test_a_log_of_before_has_no_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, heard = tmp_path / "log.csv", list[str]()
    monkeypatch.setattr(checksums, "_listener", heard.append)
    path.write_text(",".join(COLUMNS) + "\n0,0.0,,,,2.5,,,,\n10,0.5,2.0,,,,,,,\n20,1.0")
    assert [(row["step"], row["loss"]) for row in read_rows(path)] == [("0", ""), ("10", "2.0")]
    log = TrainingLog(path)
    log.begin(10)
    log.add(10, {"eval_loss": 1.0})
    assert [row["eval_loss"] for row in read_rows(path)] == ["2.5", "1.0"] and not heard


def test_going_on_takes_back_what_comes_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = TrainingLog(path)
    log.begin(0)
    for step in (10, 20, 30):
        log.add(step, {"loss": step / 10})
    with path.open("a") as file:
        file.write("40,0.5,1")  # cut off by a crash
    again = TrainingLog(path)
    again.begin(20)
    again.add(20, {"eval_loss": 9.0})  # belongs to the row that is there
    again.add(30, {"loss": 7.0})
    assert [(row["step"], row["loss"], row["eval_loss"]) for row in read_rows(path)] == [
        ("10", "1.0", ""),
        ("20", "2.0", "9.0"),
        ("30", "7.0", ""),
    ]
    new = TrainingLog(path)
    new.begin(0)
    assert read_rows(path) == [] and path.read_text() == HEADER + "\n"


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 80))
def test_killed_anywhere_and_gone_on_gives_the_same_rows(
    tmp_path_factory: object, gaps: list[int], cut: int
) -> None:
    """Whatever of the last line is on disk, going on from the last whole step gives the log of a
    run that was never killed."""
    path = tmp_path_factory.mktemp("log") / "log.csv"  # type: ignore[attr-defined]
    steps = [sum(gaps[: place + 1]) for place in range(len(gaps))]

    def train(log: TrainingLog, after: int) -> None:
        for step in (step for step in steps if step > after):
            log.add(step, {"loss": 1 / step, "epoch": step / 3})
            log.add(step, {"eval_loss": 2 / step})

    log = TrainingLog(path)
    log.begin(0)
    train(log, 0)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(HEADER) + 1, len(whole) - cut)])
    rows = read_rows(path)
    checkpoint = int(rows[-2]["step"]) if len(rows) > 1 else 0
    again = TrainingLog(path)
    again.begin(checkpoint)
    train(again, checkpoint)
    assert path.read_bytes() == whole
