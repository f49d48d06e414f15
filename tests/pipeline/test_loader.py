"""Checkpoints that differ in their weights alone share a module, and nobody can tell by the
results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from samples import save_checkpoint, tiny_vit

from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.models import loader
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.loader import EncoderLoader

PIXELS = Pixels(np.random.default_rng(0).normal(size=(6, 3, 16, 16)).astype(np.float32), None)


def embedded(encoder: Encoder) -> np.ndarray:
    rows = []
    for part in encode_all(encoder, PIXELS, batch_size=4, name="it"):
        assert part.probabilities is not None
        rows.append(np.concatenate([part.embeddings, part.probabilities], axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_to_the_last_bit_as_loaded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    checkpoints = [
        Checkpoint(step, str(save_checkpoint(tmp_path / f"{step}", seed=step, step=step)))
        for step in (10, 20, 30)
    ]
    save_checkpoint(
        tmp_path / "40", seed=40, step=40, classes=["a", "b"]
    )  # another head: cannot share
    checkpoints.append(Checkpoint(40, str(tmp_path / "40")))
    settings: dict[str, Any] = {"pooling": "auto", "precision": precision, "with_head": True}
    fresh = [
        embedded(load_encoder(checkpoint, device="cpu", **settings)) for checkpoint in checkpoints
    ]
    assert not np.array_equal(fresh[0], fresh[1])
    loads: list[int] = []
    whole = load_encoder

    def counting(checkpoint: Checkpoint, **options: Any) -> Encoder:
        loads.append(checkpoint.step)
        return whole(checkpoint, **options)

    monkeypatch.setattr(loader, "load_encoder", counting)
    reads: list[Path] = []
    read = loader._read

    def noting(file: Path) -> dict[str, Any]:
        reads.append(file)
        return read(file)

    monkeypatch.setattr(loader, "_read", noting)
    shared = EncoderLoader("cpu")
    for place, checkpoint in enumerate(checkpoints):
        encoder = shared.encoder(checkpoint, **settings)
        if place + 1 < len(checkpoints):
            shared.read_ahead(checkpoints[place + 1])
        np.testing.assert_array_equal(embedded(encoder), fresh[place])
    shared.close()
    assert loads == [10, 40]
    assert [file.parent.name for file in reads] == [
        "10",
        "20",
        "30",
        "40",
    ]  # each once, though 20 and 30 were read ahead


def test_a_module_with_more_than_its_file_is_not_shared(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for step in (1, 2):
        transformers.ViTForImageClassification(tiny_vit()).save_pretrained(tmp_path / f"{step}")
    settings: dict[str, Any] = {
        "pooling": "cls",
        "precision": "fp32",
        "with_head": False,
    }  # the file has a head that is not loaded
    shared = EncoderLoader("cpu")
    first, second = (
        shared.encoder(Checkpoint(step, str(tmp_path / f"{step}")), **settings) for step in (1, 2)
    )
    assert first is not second
    shared.close()
