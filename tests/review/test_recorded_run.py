"""A run that a `Recorder` made, before every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from review_embeddings.pipeline import Recorder, RunFolder
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.settings import Request
from review_embeddings.review.page.watch import Watcher

Command = Callable[..., tuple[int, str, str]]


def transform(image: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1).float() / 255


def model_of(step: int) -> nn.Module:
    torch.manual_seed(step)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.fixture
def recorder(tmp_path: Path, image_folder: Path) -> Recorder:
    return Recorder(tmp_path / "run", image_folder, split="train", transform=transform)


def test_watching_shows_each_step_as_it_is_recorded(recorder: Recorder, tmp_path: Path) -> None:
    watcher = Watcher(RunFolder(tmp_path / "run"), Request(), SILENT, probe=10)
    for step in (0, 5):
        recorder.record(step, model_of(step))
        built = watcher.wait() if step == 0 else watcher.look()
        assert built is not None and built.manifest.steps[-1] == step
    recorder.close()


def test_every_command_takes_it(
    recorder: Recorder, tmp_path: Path, image_folder: Path, review_embeddings: Command
) -> None:
    for step in (0, 5):
        recorder.record(step, model_of(step), metrics={"val_loss": 1.0})
    recorder.close()
    run = str(tmp_path / "run")
    for command in (
        ["build"],
        ["build", "--dry-run"],
        ["table", "--out", str(tmp_path / "all.parquet")],
        ["export", "--list", "worst"],
        ["animate", "--max-mb", "1"],
        ["summary"],
    ):
        code, out, err = review_embeddings(*command, "--run", run)
        assert code == 0, (command, out, err)
    picture = next(image_folder.rglob("*.png"))
    for command in (["similar", str(picture)], ["build", "--against", "train"]):
        code, _, err = review_embeddings(*command, "--run", run)
        assert code == 2 and "needs the weights of a model" in err and "it was recorded" in err
        assert err.count("\n") == 1
