"""The demo as a person runs it on a fresh machine, up to the point where Spotlight would open."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import small_demo
from forked import forks

from review_embeddings.pipeline import table
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.training.log import read_rows
from review_embeddings.review import demo

WHOLE = "REVIEW_EMBEDDINGS_WHOLE_DEMO" in os.environ

ENOUGH = {
    "sklearn.datasets:load_digits": "small_demo:load_enough_digits",
    "review_embeddings.review.demo:TRAINING": "small_demo:ENOUGH",
}

TRAINING = demo.TRAINING if WHOLE else small_demo.ENOUGH
IMAGES = 1797 if WHOLE else small_demo.ENOUGH_DIGITS


def test_demo_makes_a_real_run(tmp_path: Path) -> None:
    """By fewer digits and steps; all of them in `.ci/long demo`."""
    with forks(tmp_path) as started:
        patches = {} if WHOLE else ENOUGH
        code, output = started.end_of("demo", "--no-serve", patches=patches)
        assert code == 0, output
        run = tmp_path / "runs" / "demo"
        steps, save = int(str(TRAINING["steps"])), int(str(TRAINING["save_steps"]))
        saved = list(range(0, steps + 1, save))
        assert f"Run: {run.resolve()} ({IMAGES:,} images x {len(saved)} checkpoints)" in output
        assert find_checkpoints(run).steps == saved

        log = read_rows(run / "log.csv")
        logged = sorted({*range(10, steps + 1, 10), *saved[1:]})
        assert [int(row["step"]) for row in log] == logged
        assert float(log[-1]["loss"]) < 0.5 < float(log[0]["loss"])

        frame = table.read(run)
        table.validate(frame)
        assert len(frame) == IMAGES * len(saved)
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

        code, again = started.end_of("demo", "--no-serve", patches=patches)
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
