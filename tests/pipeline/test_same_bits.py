"""The same command gives the same bits on a machine that is busy with other work."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from forked import Forks, forks
from samples import save_start_model, write_splits

from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.encoder import load_encoder

THREADS = {"OMP_NUM_THREADS": "2"}
"""More than one, since threads that wait for each other are what a busy machine delays."""

COMPUTED = ("embeddings", "probabilities", "neighbors", "distances", "outliers", "projections")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Forks]:
    with forks(tmp_path, **THREADS) as parent:
        yield parent


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """A loop that never rests on each core, for as long as this process is there."""
    loop = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
    cores = range(os.cpu_count() or 1)
    loops = [subprocess.Popen([sys.executable, "-c", loop]) for _ in cores]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def bits(run: Path) -> dict[str, bytes]:
    """Arrays with what they were computed from, and the weights that were trained."""
    files = [file for name in COMPUTED for file in sorted((run / name).iterdir())]
    files += sorted(run.glob("checkpoint-*/model.safetensors"))
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def test_embedding_and_all_behind_it(
    started: Forks, trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    def build(name: str) -> dict[str, bytes]:
        data = ["--checkpoints", trainer_output, "--dataset", image_folder]
        started.run("build", "--run", tmp_path / name, *data)
        return bits(tmp_path / name)

    idle = build("idle")
    with busy():
        assert build("busy") == idle


def test_training(started: Forks, tmp_path: Path) -> None:
    model, data = save_start_model(tmp_path / "vit"), write_splits(tmp_path / "data", train=6)

    def finetune(name: str) -> tuple[str, dict[str, bytes]]:
        options = ["--steps", 2, "--frames", 2, "--batch-size", 4, "--embed"]
        run = tmp_path / name
        started.run("finetune", "--dataset", data, "--model", model, "--run", run, *options)
        return (run / "log.csv").read_text(), bits(run)

    idle = finetune("idle")
    assert idle[1]
    with busy():
        assert finetune("busy") == idle


@pytest.mark.parametrize("size", [1, 3, 5])
def test_smaller_batches_change_the_last_digits_at_most(trainer_output: Path, size: int) -> None:
    checkpoint = find_checkpoints(trainer_output).usable[0]
    encoder = load_encoder(
        checkpoint, pooling="auto", precision="fp32", device="cpu", with_head=False
    )
    pixels = torch.rand(10, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    whole = encoder.encode(pixels)[0]
    parts = torch.cat([encoder.encode(part)[0] for part in torch.split(pixels, size)])
    assert float((parts - whole).abs().max()) <= 1e-5 * float(whole.abs().max())
