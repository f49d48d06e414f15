"""The benchmarks' table: which targets are missed, what the machine would allow, what is measured
once only."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.table import Row, State, Target, markdown

MACHINE = {"float32": 1e9, "copy": 1e9}


def test_a_target_is_missed_by_the_ratio_or_by_the_seconds() -> None:
    assert not Target(times=3).is_missed(1.0, 3.0) and Target(times=3).is_missed(1.0, 2.9)
    assert Target(seconds=0.5).is_missed(0.6, None) and not Target(seconds=0.5).is_missed(0.5, None)
    assert not Target().is_missed(9.0, 1.0) and not Target(times=3).is_missed(1.0, None)


def test_lines_by_hand() -> None:
    found = {"notebook": 2.0, "ours": 1.0, "ceiling": 0.5}
    judged = {"ours": 0.05, "peer": 0.1}
    rows = [Row("images", 1000, 1, 768, 224, found), Row("judge", 1000, 5, 100, 224, judged)]
    table = markdown(rows, MACHINE).splitlines()
    assert table[2] == (
        "| images to what the model takes, 1,000 x 1 | 1 s | 2 s (2.0x) |  | 0.5 s (50%) "
        "| 3x **missed** |"
    )
    assert table[3].endswith("| 50 ms |  | 0.1 s (2.0x) | 0.2 s (400%) |  |")
    assert "cleanlab's guide" in table[-1]


def test_what_was_measured_is_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two rounds of two ways, of which the first sitting ends in the second round."""
    calls = list[str]()

    def measure(stage: str, way: str, folder: Path, options: Any) -> dict[str, float]:
        calls.append(way)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return {"seconds": float(len(calls)), "processor": 0.0, "mib": 0.0}

    monkeypatch.setattr(benchmarks, "measure", measure)
    options = {"images": 40, "run": None}

    def sit() -> list[Any]:
        row = Row("groups", 40, 1, 16, 28)
        state = State(tmp_path / "state.jsonl")
        return list(benchmarks.compare(row, tmp_path, options, 2, state, "seconds"))

    with pytest.raises(KeyboardInterrupt):
        sit()
    assert calls == ["ours", "ours", "peer", "ours", "peer"]  # the first one warms up
    with (tmp_path / "state.jsonl").open("a") as file:
        file.write('{"key": "half a li')  # killed while it was written
    found = sit()
    assert calls[5:] == ["ours", "peer"]
    assert [(way, seconds) for way, seconds, *_ in found] == [("ours", 3.0), ("peer", 5.0)]
    assert sit() == found and len(calls) == 7
