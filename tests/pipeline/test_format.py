"""A run folder of format 1, frozen when it was introduced: every later version must open it without
its data and weights."""

import shutil
from pathlib import Path

import numpy as np

from pipeline import table
from pipeline.runfolder import RunFolder
from pipeline.stages import Request, build

FROZEN = Path(__file__).parents[1] / "data" / "format-1"


def test_a_run_of_format_1_opens(tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(FROZEN, tmp_path / "run")))
    kept = (
        "run.json",
        "images.parquet",
        "skipped.csv",
        "embeddings/*",
        "probabilities/*",
        "projections/*",
    )
    before = {path: path.read_bytes() for pattern in kept for path in run.path.glob(pattern)}
    built = build(run, Request(wanted=["last"]))
    assert built.wanted == [20] and built.manifest.steps == [0, 20], (
        "what the table held, it holds again"
    )
    assert set(built.seconds) == {
        "neighbors",
        "outliers",
        "trust",
        "quality",
        "motion",
        "duplicates",
        "table",
    }
    assert {path: path.read_bytes() for path in before} == before
    assert build(run, Request(wanted=["first", "last"])).seconds == {}
    frame = table.read(run)
    table.validate(frame)
    assert frame["label"].tolist() == ["blue", "blue", "green", "green", "red", "red"] * 2
    assert frame["ood_rank"].tolist() == [3, 4, 6, 5, 1, 2, 3, 4, 5, 6, 1, 2]
    np.testing.assert_allclose(frame["y"][:3], [2.481172, 0.888647, -1.929546], atol=1e-6)
    assert frame["embedding"][0].shape == (16,) and frame["image"][0][:4] == b"\x89PNG"
    assert "9.png,not an image of a known format" in run.skipped.read_text()
