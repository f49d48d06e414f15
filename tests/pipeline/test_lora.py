"""Fine-tuning with low-rank adapters: what is saved, how it goes on, what can be reviewed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import forks
from killing import at_step
from safetensors.torch import load_file
from samples import CLASSES, save_start_model, write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.encoder import load_encoder
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.training.finetune import FineTuned, finetune

peft = pytest.importorskip("peft")


@pytest.fixture(scope="session")
def start_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start_model(tmp_path_factory.mktemp("start") / "vit", dropout=0.1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("split") / "pictures", train=20, test=5)


OPTIONS: dict[str, Any] = {
    "steps": 8,
    "frames": 5,
    "batch_size": 8,
    "lora": 4,
    "arguments": {"learning_rate": "1e-2", "bf16": "false", "logging_steps": "1"},
}


Train = Callable[..., FineTuned]


@pytest.fixture(scope="session")
def train_in(start_model: Path, pictures: Path) -> Train:
    """A fine-tuning in a folder, changed by what is given."""

    def call(folder: Path, **changes: Any) -> FineTuned:
        stop = changes.pop("stop", lambda: False)
        options = {"model": str(start_model), "dataset": str(pictures), **OPTIONS, **changes}
        return finetune(RunFolder(folder), options, stop=stop, resume_seconds=0)

    return call


@pytest.fixture
def train(train_in: Train, tmp_path: Path) -> Train:
    return lambda name="run", **changes: train_in(tmp_path / name, **changes)


@pytest.fixture(scope="session")
def whole(train_in: Train, tmp_path_factory: pytest.TempPathFactory) -> FineTuned:
    """One that was never stopped, in a run whose table is built."""
    tuned = train_in(tmp_path_factory.mktemp("whole") / "run")
    build(tuned.run, Request())
    return tuned


def tensors_of(run: RunFolder, step: int) -> dict[str, torch.Tensor]:
    return dict(load_file(run.checkpoint(step) / "adapter_model.safetensors"))


def rows_of(run: RunFolder) -> list[dict[str, str]]:
    with run.log.open() as file:
        return list(csv.DictReader(file))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_a_run_of_adapters_can_be_reviewed_at_once(whole: FineTuned, start_model: Path) -> None:
    run = whole.run
    assert find_checkpoints(run.path).steps == [0, 2, 4, 6, 8]
    assert not list(run.path.rglob("model.safetensors"))
    assert (run.path / "adapter_model.safetensors").samefile(
        run.checkpoint(8) / "adapter_model.safetensors"
    )
    config = json.loads((run.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(start_model)
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert config["modules_to_save"] == ["classifier"]
    frame = table.read(run.path)
    assert not frame["prediction"].isna().any(), "step 0 has the initial head"
    last = frame[frame["checkpoint"] == 8]
    assert (last["prediction"].astype(str) == last["label"].astype(str)).mean() == pytest.approx(
        whole.metrics[8]["eval_accuracy"]
    )


def test_step_0_is_the_base_model(whole: FineTuned, start_model: Path) -> None:
    """The second matrix of an adapter begins at zero."""
    run = whole.run
    found = find_checkpoints(run.path)
    options: dict[str, Any] = {"pooling": "auto", "precision": "fp32", "device": "cpu"}
    pixels = torch.rand(2, 3, 16, 16)
    ours = load_encoder(found.by_step(0), with_head=True, **options).encode(pixels)[0]
    base = find_checkpoints(run.path, str(start_model)).by_step(0)
    assert base.is_base
    assert torch.equal(ours, load_encoder(base, with_head=False, **options).encode(pixels)[0])


def test_the_base_model_is_not_trained_and_the_head_comes_from_the_seed(
    whole: FineTuned, train: Train
) -> None:
    one, other = whole, train(seed=7, steps=1, frames=2)
    head = "base_model.model.classifier.weight"
    assert not tensors_of(one.run, 0)[head].equal(tensors_of(other.run, 0)[head])
    names = set(tensors_of(one.run, 8))
    assert all(".lora_" in name or ".classifier." in name for name in names)
    before, after = tensors_of(one.run, 0), tensors_of(one.run, 8)
    assert not any(before[name].equal(after[name]) for name in names)


def test_the_final_adapter_is_what_users_of_peft_expect(
    whole: FineTuned, start_model: Path
) -> None:
    from transformers import AutoConfig, AutoModelForImageClassification

    run = whole.run
    config = AutoConfig.from_pretrained(run.path)
    assert config.id2label == dict(enumerate(CLASSES))
    base = AutoModelForImageClassification.from_pretrained(start_model, config=config)
    model = peft.PeftModel.from_pretrained(base, run.path).eval()
    pixels = torch.rand(2, 3, 16, 16)
    encoder = load_encoder(
        find_checkpoints(run.path).by_step(8),
        pooling="auto", precision="fp32", device="cpu", with_head=True,
    )  # fmt: skip
    with torch.no_grad():
        true = model(pixel_values=pixels).logits.softmax(dim=-1)
    logits = encoder.encode(pixels)[1]
    assert logits is not None
    assert (logits.softmax(dim=-1) - true).abs().max() < 1e-6


def test_stopped_and_gone_on_gives_the_bits_of_one_that_was_never_stopped(
    whole: FineTuned, train: Train
) -> None:
    calls = iter(range(1000))
    stopped = train("halves", stop=lambda: next(calls) >= 4)
    assert not stopped.finished and stopped.steps == 5
    gone_on = train("halves")
    assert gone_on.finished
    assert rows_of(gone_on.run) == rows_of(whole.run)
    assert same(tensors_of(gone_on.run, 8), tensors_of(whole.run, 8))


def test_killed_and_started_again_is_a_run_that_was_never_killed(
    whole: FineTuned, train: Train, start_model: Path, pictures: Path, tmp_path: Path
) -> None:
    command: list[object] = ["finetune", "--model", start_model, "--dataset", pictures]
    command += ["--run", tmp_path / "killed", "--steps", 8, "--frames", 5, "--batch-size", 8]
    command += ["--lora", 4]
    for name, value in OPTIONS["arguments"].items():
        command += ["--set", f"{name}={value}"]
    with forks(tmp_path) as started:
        code, output = started.end_of(*command, patches=at_step(5))
    assert code == -9, output
    killed = train("killed").run
    assert rows_of(killed) == rows_of(whole.run)
    for step in (0, 2, 4, 6, 8):
        assert same(tensors_of(killed, step), tensors_of(whole.run, step))


@pytest.mark.parametrize("keep", ["all", "first,last"])
def test_embedding_while_training_changes_nothing_and_equals_embedding_later(
    whole: FineTuned, train: Train, keep: str
) -> None:
    without = whole
    live = train("live", embed=True, keep=keep)
    assert same(tensors_of(live.run, 8), tensors_of(without.run, 8))
    stored = {step: np.array(live.run.read_array("embeddings", step)) for step in (0, 2, 4, 6, 8)}
    fingerprints = {step: live.run.result_metadata("embeddings", step) for step in stored}
    build(live.run, Request())
    for step, array in stored.items():
        assert np.array_equal(array, without.run.read_array("embeddings", step)), step
        later, before = without.run.result_metadata("embeddings", step), fingerprints[step]
        assert later is not None and before is not None
        assert later["fingerprint"] == before["fingerprint"]
        assert live.run.result_metadata("embeddings", step) == fingerprints[step]


def test_batch_norms_are_saved_with_the_adapter(train: Train, tmp_path: Path) -> None:
    """A ResNet has no linear layer below the head: its convolutions are adapted."""
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessorPil

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(tmp_path / "resnet")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "resnet")
    tuned = train(model=str(tmp_path / "resnet"), steps=4, frames=2)
    names = tensors_of(tuned.run, 4)
    assert any("running_mean" in name for name in names)
    assert any("lora_A" in name for name in names)
    build(tuned.run, Request())
    last = table.read(tuned.run.path, checkpoints=[4])
    assert (last["prediction"].astype(str) == last["label"].astype(str)).mean() == pytest.approx(
        tuned.metrics[4]["eval_accuracy"]
    )


def test_other_options_than_before_are_refused(train: Train) -> None:
    train(steps=1, frames=2)
    with pytest.raises(SettingsError, match="another --lora: 4, not 8"):
        train(steps=1, frames=2, lora=8)


def test_what_cannot_be_trained_is_refused(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import MobileNetV2Config, MobileNetV2Model, ViTImageProcessorPil

    with pytest.raises(SettingsError, match="--lora 0 is out of range"):
        train(lora=0)
    mobile = tmp_path / "mobile"  # asks its convolutions for what peft's do not have
    MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.1)).save_pretrained(mobile)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(mobile)
    with pytest.raises(SettingsError, match="does not run with adapters"):
        train(model=str(mobile))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'review-embeddings\[peft\]'"):
        train()
