"""Killing `build` at any moment and starting it again ends in the same run folder as never killing
it."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from samples import CLASSES, picture, save_checkpoint

KILLS = 10
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


def command(run: Path, checkpoints: Path, data: Path) -> list[str]:
    program = "from review_embeddings.review.cli.main import main; main()"
    return [
        sys.executable,
        "-c",
        program,
        "build",
        "--run",
        str(run),
        "--checkpoints",
        str(checkpoints),
        "--dataset",
        str(data),
    ]


def results(run: Path) -> dict[str, bytes]:
    """Every byte of the table and of what it is made from, and nothing half written beside it."""
    paths = [
        path
        for name in RESULTS
        for path in ([run / name] if (run / name).is_file() else sorted((run / name).iterdir()))
    ]
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


def test_ten_kills_at_random_moments(tmp_path: Path) -> None:
    for step in STEPS:
        save_checkpoint(tmp_path / "trained" / f"checkpoint-{step}", seed=step, step=step)
    for row in range(450):
        folder = tmp_path / "data" / CLASSES[row % 3]
        folder.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(folder / f"{row:04d}.png")
    (tmp_path / "data" / "red" / "0005.png").write_bytes(b"not an image")

    whole, killed = (
        command(tmp_path / name, tmp_path / "trained", tmp_path / "data")
        for name in ("whole", "killed")
    )
    subprocess.run(whole, cwd=tmp_path, check=True, capture_output=True)
    expected = results(tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")
    started = time.monotonic()
    subprocess.run(
        whole, cwd=tmp_path, check=True, capture_output=True
    )  # now that the data set is in the library's cache
    seconds = time.monotonic() - started
    assert results(tmp_path / "whole") == expected

    moments = random.Random(0)
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(
            killed, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.3, 1.0) * seconds)
            assert (
                results(tmp_path / "killed") == expected
            )  # it had got to the end: on to the next one
            shutil.rmtree(tmp_path / "killed")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    subprocess.run(killed, cwd=tmp_path, check=True, capture_output=True)
    got = results(tmp_path / "killed")
    assert set(got) == set(expected)
    assert [name for name in expected if got[name] != expected[name]] == []
