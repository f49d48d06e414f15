"""What `tests.benchmarks.rivals` makes of its measurements, and when a page counts as painted."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.rivals.__main__ import Row, lost, shown
from tests.benchmarks.rivals.agreeing import in_both, overlap, spearman
from tests.benchmarks.rivals.inputs import copy_embedded
from tests.benchmarks.rivals.measuring import Measured, has_picture


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_plain_ground_is_no_picture_and_points_on_it_are() -> None:
    ground = np.full((100, 100, 3), 255)
    assert not has_picture(png(ground))
    few = ground.copy()
    few[0, :20] = np.arange(20)[:, None]  # 20 of 10,000 pixels
    assert not has_picture(png(few))
    two_colours = ground.copy()
    two_colours[:50] = 0
    assert not has_picture(png(two_colours))
    points = ground.copy()
    points[:2, :20] = np.arange(20)[:, None]
    assert has_picture(png(points))


def row(until: str, title: str, *found: tuple[float, float]) -> Row:
    return Row(until, title, "x 1", "y", [Measured(1.0, cpu, mib) for cpu, mib in found])


def test_a_row_is_the_median_of_its_rounds_and_tells_what_failed() -> None:
    rows = [row("scores", "ours", (1, 10), (9, 30), (2, 20)), row("scores", "other")]
    rows[1].failure = "ERROR: no\nwheel"
    lines = list(shown(rows))
    assert "| scores | ours (x 1) | 1.0 | 2.0 | 20.0 | 0.0 | 0.0 | y |" in lines
    assert "| scores | other (x 1) | – | – | – | – | – | ERROR: no wheel |" in lines


def test_it_is_said_where_ours_takes_more() -> None:
    rows = [
        row("scores", "ours, all", (6, 100)),
        row("scores", "other", (2, 200)),
        row("page again", "third", (1, 1)),
    ]
    assert list(lost(rows)) == ["scores: ours, all takes 3.0 times the processor seconds of other"]


def test_what_agrees_is_counted() -> None:
    first, second = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.9, 0.1, 0.8])
    assert in_both(first, second, worst=2) == "1 in both"
    taken = np.array([True, True, False]), np.array([True, False, False])
    assert overlap(*taken) == "ours 2, Datalab 1, 1 in both"
    assert spearman(first, first**3) == pytest.approx(1)


def test_only_what_was_embedded_last_is_copied(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for name in ("embeddings", "probabilities", "outliers"):
        (run / name).mkdir(parents=True)
        for step in ("000001", "000002"):
            (run / name / f"{step}.npy").touch()
    (run / "run.json").write_text("{}")
    (run / "decisions.jsonl").touch()
    copy_embedded(run, tmp_path / "bare")
    copied = {path.relative_to(tmp_path / "bare").as_posix() for path in tmp_path.glob("bare/**/*")}
    files = {"embeddings/000002.npy", "probabilities/000002.npy", "run.json"}
    assert copied == {"embeddings", "probabilities", *files}
    with pytest.raises(SystemExit, match="has no class probabilities"):
        copy_embedded(tmp_path / "bare" / "embeddings", tmp_path / "again")
