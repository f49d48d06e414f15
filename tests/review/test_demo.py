"""The demo as a person runs it on a fresh machine, up to the point where Spotlight would open."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.training.log import read_rows


def test_demo_makes_a_real_run(
    working_directory: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    program = [
        sys.executable,
        "-c",
        "from review_embeddings.review.cli.program import main; main()",
        "demo",
        "--no-serve",
    ]
    first = subprocess.run(program, cwd=working_directory, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    run = working_directory / "runs" / "demo"
    assert f"Run: {run.resolve()} (1,797 images x 13 checkpoints)" in first.stdout
    assert len(find_checkpoints(run).steps) == 13 and find_checkpoints(run).steps[0] == 0

    log = read_rows(run / "log.csv")
    assert [int(row["step"]) for row in log] == sorted({*range(10, 421, 10), *range(35, 421, 35)})
    assert float(log[-1]["loss"]) < 0.5 < float(log[0]["loss"])

    frame = table.read(run)
    table.validate(frame)
    assert len(frame) == 1797 * 13
    right = (
        (frame["prediction"].astype(str) == frame["label"].astype(str))
        .groupby(frame["checkpoint"])
        .mean()
    )
    assert right.iloc[0] < 0.3 and right.iloc[-1] > 0.9  # it has learnt the digits
    spread = (
        frame.groupby(["checkpoint", "label"], observed=True)[["x", "y"]]
        .mean()
        .groupby("checkpoint")
        .std()
        .mean(axis=1)
    )
    assert spread.iloc[-1] > 2 * spread.iloc[0]  # and the classes have come apart on the map

    code, _, again = review_embeddings("demo", "--no-serve")
    assert code == 0 and "Fine-tuning" not in again and "Embedding" not in again


def test_demo_does_not_write_over_another_run(
    built_run: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    before = sorted(built_run.rglob("*"))
    code, _, err = review_embeddings("demo", "--no-serve", "--run", built_run)
    assert code == 2 and "holds another run" in err and sorted(built_run.rglob("*")) == before


@pytest.mark.parametrize("held", ["cat.png", "photos/cat.png", "data/cat.png", "model.txt"])
def test_demo_is_not_made_among_other_things(
    held: str, tmp_path: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / held).parent.mkdir(exist_ok=True)
    (tmp_path / held).write_bytes(b"mine")
    code, _, err = review_embeddings("demo", "--no-serve", "--run", tmp_path)
    assert code == 2 and "holds other things already" in err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / held]
