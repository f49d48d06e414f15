"""Killing `build` at any moment and starting it again ends in the same run folder as never killing
it."""

import os
import random
import shutil
import time
from pathlib import Path

from forked import forks
from samples import CLASSES, picture, save_checkpoint

KILLS = int(os.environ.get("REVIEW_EMBEDDINGS_KILLS", "30"))
IMAGES = 150
STEPS = (0, 10, 20)

RESULTS = (
    "images.parquet",
    "skipped.csv",
    "embeddings",
    "probabilities",
    "neighbors",
    "distances",
    "outliers",
    "projections",
    "trust",
    "quality",
    "motion",
    "duplicates",
    "table",
)


def results(run: Path) -> dict[str, bytes]:
    """Every byte of the table and of what it is made from, and nothing half written beside it."""
    paths = [
        path
        for name in RESULTS
        for path in ([run / name] if (run / name).is_file() else sorted((run / name).iterdir()))
    ]
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


def test_kills_at_random_moments(tmp_path: Path) -> None:
    for step in STEPS:
        save_checkpoint(tmp_path / "trained" / f"checkpoint-{step}", seed=step, step=step)
    for row in range(IMAGES):
        folder = tmp_path / "data" / CLASSES[row % 3]
        folder.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(folder / f"{row:04d}.png")
    (tmp_path / "data" / "red" / "0005.png").write_bytes(b"not an image")

    def command(name: str) -> list[object]:
        data = ["--checkpoints", tmp_path / "trained", "--dataset", tmp_path / "data"]
        return ["build", "--run", tmp_path / name, *data]

    with forks(tmp_path) as started:
        started.run(*command("whole"))
        expected = results(tmp_path / "whole")
        shutil.rmtree(tmp_path / "whole")
        # now that the data set is in the library's cache, and the parent has imported everything
        seconds = started.run(*command("whole"))
        assert results(tmp_path / "whole") == expected
        moments = random.Random(0)
        kills = 0
        while kills < KILLS:
            began = time.monotonic()
            if started.run_for(moments.uniform(0, 1) * seconds, *command("killed")):
                kills += 1
            else:  # it had got to the end: on to the next one
                # The first runs are slower, and moments after the end are of no use.
                seconds = min(seconds, max(1.0, time.monotonic() - began))
                assert results(tmp_path / "killed") == expected
                shutil.rmtree(tmp_path / "killed")
        started.run(*command("killed"))
    got = results(tmp_path / "killed")
    assert set(got) == set(expected)
    assert [name for name in expected if got[name] != expected[name]] == []
