"""What looks on at a training never ends it: a fault at any call is told once and switches it
off."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from injection import FAULTS, Function, calls_noted, failing
from notes import Notes
from samples import CLASSES, need, tiny_vit, write_splits
from torch import nn

from review_embeddings.pipeline import EmbeddingCallback, LogCallback, Recorder, RunFolder
from review_embeddings.pipeline.errors import CheckpointError, ReviewError
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.training.faults import FaultSwitch
from review_embeddings.pipeline.training.live import NO_HEAD

ALL = bool(os.environ.get("REVIEW_EMBEDDINGS_ALL_FAULTS"))
"""Whether every function fails, and not one of `STRIDE`."""

STRIDE = 24

GIVES_BACK = ("undisturbed.py", "faults.py")
"""What gives everything back, and tells: were these at fault, nothing could."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("onlooking") / "pictures", train=1, test=1)


def chosen(seen: dict[Function, int]) -> list[tuple[Function, int, Callable[[], Exception]]]:
    """Functions, at their first or their last call, each with a fault."""
    functions = sorted(seen)
    tried = [
        (function, 1 if number % 2 else seen[function], FAULTS[number % len(FAULTS)])
        for number, function in enumerate(functions)
    ]
    assert len(tried) > 60
    return tried if ALL else tried[::STRIDE]


UNCLOSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Where the closing of a file is at fault, Python itself closes it and warns."""


# -- the recorder


def transform(image: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((4, 4)))).permute(2, 0, 1).float()


class Loop:
    """A training of three steps with dropout."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.Dropout(0.5), nn.Linear(4, 3))
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.drawn: list[float] = []

    def step(self) -> None:
        loss = self.model(torch.randn(2, 3, 4, 4)).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.drawn.append(float(loss.detach()))

    def run(self, record: Callable[[int, Any], None] = lambda step, model: None) -> list[float]:
        for step in range(3):
            record(step, self.model)
            self.step()
        return self.drawn


@UNCLOSED
def test_a_recorder_that_fails_anywhere_ends_no_training(pictures: Path, tmp_path: Path) -> None:
    def start(notes: Notes) -> Recorder:
        return Recorder(
            tmp_path / "run", pictures, split="test", transform=transform, progress=notes
        )

    expected = Loop().run()
    seen: dict[Function, int] = {}
    recorder = start(Notes())
    with calls_noted(seen, GIVES_BACK):
        recorder.record(7, Loop().model, 1.0, {"loss": 2.0})
    recorder.close()
    for function, call, fault in chosen(seen):
        notes = Notes()
        recorder = start(notes)
        with failing(function, call, fault) as failed:
            assert Loop().run(recorder.record) == expected
        if failed:
            _check_told(notes, function)
            start(Notes()).close()  # nothing is locked
        recorder.close()


def _check_told(notes: Notes, function: Function) -> None:
    """A fault is told in one line, or was dealt with where it came up."""
    assert len(notes.faults) <= 1, (function, notes.faults)
    assert all("\n" not in line and "goes on" in line for line in notes.faults), function


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_full_disk_switches_the_recorder_off(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    notes = Notes()
    recorder = Recorder(
        tmp_path / "run", pictures, split="test", transform=transform, progress=notes
    )
    recorder.record(0, Loop().model)
    target = Path if name == "replace" else os

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(target, name, full)
        for step in (1, 2):
            recorder.record(step, Loop().model)
    recorder.record(3, Loop().model)
    assert len(notes.faults) == 1 and "The disk is full" in notes.faults[0]
    assert RunFolder(tmp_path / "run").steps_with("embeddings") == [0]


def test_a_folder_that_goes_and_a_model_that_fails_are_told(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(nn.Module):
        def forward(self, x: Any) -> Any:
            raise RuntimeError("no\nforward")

    recorder = Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    with caplog.at_level(logging.WARNING):
        for step in range(2):
            recorder.record(step, Failing())
    (line,) = [record.message for record in caplog.records]
    assert line == ("The recorder is switched off, and the training goes on: RuntimeError: no.")


def test_an_interrupt_is_no_fault(pictures: Path, tmp_path: Path) -> None:
    class Interrupted(nn.Module):
        def forward(self, x: Any) -> Any:
            raise KeyboardInterrupt

    model = Interrupted().train()
    recorder = Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    with recorder, pytest.raises(KeyboardInterrupt):
        recorder.record(0, model)
    assert model.training


def test_telling_may_fail_too(pictures: Path) -> None:
    class Broken(Notes):
        def note(self, text: str) -> None:
            raise BrokenPipeError

    def release() -> None:
        raise OSError

    switch = FaultSwitch("It", Broken(), release)
    with switch.guarded():
        raise KeyError
    assert switch.is_off
    with pytest.raises(ReviewError), FaultSwitch("It", Broken(), release).guarded(refuses=True):
        raise ReviewError("No.")


# -- the callback


class State(SimpleNamespace):
    """As much of a TrainerState as a callback sees."""

    def save_to_json(self, path: str) -> None:
        Path(path).write_text("{}")


class Training:
    """The calls of a Trainer to its callbacks, in their order, and a step between two of them."""

    def __init__(self, out: Path) -> None:
        from transformers import ViTForImageClassification, ViTImageProcessorPil

        torch.manual_seed(0)
        names = dict(enumerate(CLASSES))
        config = tiny_vit(
            id2label=names,
            label2id={name: at for at, name in names.items()},
            hidden_dropout_prob=0.5,
        )
        self.model = ViTForImageClassification(config).train()
        self.processor = ViTImageProcessorPil(size={"height": 16, "width": 16})
        self.args = SimpleNamespace(output_dir=str(out), device=torch.device("cpu"))
        self.state = State(
            is_world_process_zero=True, global_step=0, epoch=0.0, log_history=[{"loss": 1.0}]
        )
        torch.manual_seed(1)

    def run(self, callback: Any) -> list[float]:
        given = {"model": self.model, "processing_class": self.processor}
        drawn: list[float] = []
        with contextlib.suppress(ReviewError):  # refused before the first step
            callback.on_train_begin(self.args, self.state, None, **given)
        for step in (1, 2):
            with torch.enable_grad():
                images = torch.randn(2, 3, 16, 16, dtype=next(self.model.parameters()).dtype)
                drawn.append(float(self.model(images).logits.sum().detach()))
            self.state.global_step = step
            callback.on_log(self.args, self.state, None, logs={"loss": 1.0}, **given)
            callback.on_save(self.args, self.state, None, **given)
        callback.on_train_end(self.args, self.state, None, **given)
        return drawn


class SavedTraining(Training):
    """One that saves before it tells of it."""

    def run(self, callback: Any) -> list[float]:
        tells = callback.on_save

        def save(args: Any, state: Any, control: Any, **given: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self.model.save_pretrained(folder)
            self.processor.save_pretrained(folder)
            tells(args, state, control, **given)

        callback.on_save = save
        return super().run(callback)


@UNCLOSED
def test_a_callback_that_fails_anywhere_ends_no_training(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def callback(notes: Notes) -> EmbeddingCallback:
        return EmbeddingCallback(pictures, split="test", progress=notes)

    expected = Training(tmp_path / "none").run(LogCallback())
    seen: dict[Function, int] = {}
    training, notes = Training(out), Notes()
    onlooker = callback(notes)
    with calls_noted(seen, GIVES_BACK):
        assert training.run(onlooker) == expected
    assert not notes.faults and RunFolder(out).steps_with("embeddings") == [0, 1, 2]
    for function, call, fault in chosen(seen):
        training, notes = Training(out), Notes()
        onlooker = callback(notes)
        with failing(function, call, fault) as failed:
            assert training.run(onlooker) == expected, function
        assert training.model.training
        if failed:
            assert len(notes.faults) <= 2, (function, notes.faults)  # the log is another
            assert all("\n" not in line for line in notes.faults)
        with RunFolder(out).embedding_lock():
            pass  # nothing is locked


def plain_values(model: Any, processor: Any, pictures: Path) -> tuple[Any, Any]:
    """CLS tokens and probabilities of the images by a forward pass of a model of transformers."""
    from PIL import Image

    files = sorted((pictures / "test").rglob("*.png"))
    images = [Image.open(file).convert("RGB") for file in files]
    pixels = processor(images, return_tensors="pt")["pixel_values"]
    model = model.eval().float()
    with torch.no_grad():
        return model.vit(pixels).last_hidden_state[:, 0], model(pixels).logits.softmax(dim=1)


def distributed(model: Any) -> Any:
    store = vars(torch.distributed)["HashStore"]()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    return nn.parallel.DistributedDataParallel(model)


@pytest.mark.parametrize("kind", ["compiled", "distributed", "bf16"])
def test_wrapped_and_half_precision_models_are_embedded(
    pictures: Path, tmp_path: Path, kind: str
) -> None:
    wraps: dict[str, Callable[[Any], Any]] = {
        "compiled": lambda model: torch.compile(model, backend="eager"),
        "distributed": distributed,
        "bf16": lambda model: model.to(torch.bfloat16),
    }
    drawn = []
    for callbacks in (True, False):
        training, notes = Training(tmp_path / str(callbacks)), Notes()
        bare = training.model
        training.model = wraps[kind](bare)
        torch.manual_seed(1)
        callback = EmbeddingCallback(pictures, split="test", precision="fp32", progress=notes)
        drawn.append(training.run(callback if callbacks else LogCallback()))
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        assert not notes.faults and training.model.training
    assert drawn[0] == drawn[1]
    embeddings, probabilities = plain_values(bare, training.processor, pictures)
    run = RunFolder(tmp_path / "True")
    for step in (0, 1, 2):
        assert np.allclose(run.read_array("embeddings", step), embeddings, atol=1e-5)
        assert np.allclose(run.read_array("probabilities", step), probabilities, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_of_peft_is_embedded_with_its_adapter(pictures: Path, tmp_path: Path) -> None:
    need(find_spec("peft") is not None, "peft")
    import peft

    def adapted(training: Training) -> Any:
        settings = peft.LoraConfig(
            r=2,
            target_modules=["q_proj", "v_proj"],
            modules_to_save=["classifier"],
            init_lora_weights=False,
            lora_dropout=0.5,
        )
        return peft.get_peft_model(training.model, settings).train()

    drawn, states = [], []
    for callbacks in (True, False):
        training, notes = Training(tmp_path / str(callbacks)), Notes()
        training.model = adapted(training)
        before = {name: one.clone() for name, one in training.model.state_dict().items()}
        asks = [one.requires_grad for one in training.model.parameters()]
        torch.manual_seed(1)
        callback = EmbeddingCallback(pictures, split="test", progress=notes)
        drawn.append(training.run(callback if callbacks else LogCallback()))
        after = training.model.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert [one.requires_grad for one in training.model.parameters()] == asks
        assert not notes.faults and training.model.training
        states.append(after)
    assert drawn[0] == drawn[1]
    run = RunFolder(tmp_path / "True")
    assert run.steps_with("embeddings") == [0, 1, 2]
    assert (run.checkpoint(0) / "adapter_model.safetensors").is_file()
    merged = training.model.merge_and_unload()
    embeddings, probabilities = plain_values(merged, training.processor, pictures)
    assert np.allclose(run.read_array("embeddings", 2), embeddings, atol=1e-5)
    assert np.allclose(run.read_array("probabilities", 2), probabilities, atol=1e-5)


def test_a_log_that_cannot_be_written_ends_no_training_and_no_embedding(
    pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "log.csv").mkdir(parents=True)
    training, notes = Training(out), Notes()
    training.run(EmbeddingCallback(pictures, split="test", progress=notes))
    (line,) = notes.faults
    assert line.startswith("log.csv is switched off, and the training goes on")
    assert RunFolder(out).steps_with("embeddings") == [0, 1, 2]


def test_what_is_no_model_of_transformers_is_refused_before_the_first_step(
    pictures: Path, tmp_path: Path
) -> None:
    training = Training(tmp_path / "out")
    callback = EmbeddingCallback(pictures, split="test")
    with pytest.raises(ReviewError, match="pipeline.Recorder"):
        callback.on_train_begin(
            training.args,
            training.state,
            None,
            model=Loop().model,
            processing_class=training.processor,
        )
    with pytest.raises(ReviewError, match="--pooling middle"):
        EmbeddingCallback(pictures, pooling="middle")


def test_what_a_report_raises_is_meant(pictures: Path, tmp_path: Path) -> None:
    class PrunedTrialError(Exception):
        pass

    def report(metrics: dict[str, float]) -> None:
        raise PrunedTrialError

    training = Training(tmp_path / "out")
    with pytest.raises(PrunedTrialError):
        training.run(EmbeddingCallback(pictures, split="test", report=report))


# -- adapters that are saved in other ways


def adapted_as(training: Training, base: Path, name: str = "default", **options: Any) -> Any:
    """A model with three new outputs on a saved base model, its adapter at work."""
    import peft
    from transformers import ViTForImageClassification

    torch.manual_seed(4)
    names = dict(enumerate(CLASSES))
    model = ViTForImageClassification.from_pretrained(
        base, id2label=names, num_labels=len(names), ignore_mismatched_sizes=True
    )
    settings = peft.LoraConfig(
        r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, **options
    )
    training.model = peft.get_peft_model(model, settings, adapter_name=name).train()
    return training.model


def save_base(folder: Path, kind: str) -> Path:
    from transformers import ViTForImageClassification, ViTModel

    torch.manual_seed(3)
    model = (
        ViTModel(tiny_vit())
        if kind == "no head"
        else ViTForImageClassification(tiny_vit(num_labels=5))
    )
    model.save_pretrained(folder)
    return folder


def check_built_the_same(out: Path, pictures: Path, steps: list[int]) -> None:
    """A build of what was saved takes what was embedded for its own, and computes the same."""
    run, other = RunFolder(out), RunFolder(out.parent / "built")
    assert run.steps_with("embeddings") == steps
    for step in steps:
        shutil.copytree(run.checkpoint(step), other.checkpoint(step))
    request = Request(dataset={"source": str(pictures), "split": "test"}, device="cpu")
    assert build(other, request).wanted == steps
    for step in steps:
        one, two = (each.result_metadata("embeddings", step) for each in (run, other))
        assert one is not None and two is not None and one["fingerprint"] == two["fingerprint"]
        assert np.allclose(
            run.read_array("embeddings", step), other.read_array("embeddings", step), atol=1e-6
        )
    assert "embeddings" not in build(run, Request(device="cpu")).seconds


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["no head", "another head"])
def test_an_adapter_without_the_head_is_embedded_without_predictions(
    pictures: Path, tmp_path: Path, kind: str
) -> None:
    need(find_spec("peft") is not None, "peft")
    training, notes = SavedTraining(tmp_path / "out"), Notes()
    model = adapted_as(training, save_base(tmp_path / "base", kind))
    training.run(EmbeddingCallback(pictures, split="test", progress=notes))
    assert not notes.faults
    assert [line for line in notes.lines if "modules_to_save" in line] == [NO_HEAD]
    run = RunFolder(tmp_path / "out")
    embeddings, _ = plain_values(model.merge_and_unload(), training.processor, pictures)
    assert np.allclose(run.read_array("embeddings", 2), embeddings, atol=1e-5)
    metadata = run.result_metadata("embeddings", 2)
    assert metadata is not None and "probabilities" not in metadata["arrays"]
    check_built_the_same(tmp_path / "out", pictures, [0, 1, 2])


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", [Training, SavedTraining])
def test_an_adapter_under_a_name_of_its_own_is_embedded(
    pictures: Path, tmp_path: Path, kind: type[Training]
) -> None:
    need(find_spec("peft") is not None, "peft")
    training, notes = kind(tmp_path / "out"), Notes()
    base = save_base(tmp_path / "base", "another head")
    model = adapted_as(training, base, "mine", modules_to_save=["classifier"])
    training.run(EmbeddingCallback(pictures, split="test", progress=notes))
    assert not notes.faults
    run = RunFolder(tmp_path / "out")
    assert (run.checkpoint(0) / "mine" / "adapter_model.safetensors").is_file()
    if kind is SavedTraining:
        check_built_the_same(tmp_path / "out", pictures, [0, 1, 2])
    embeddings, probabilities = plain_values(model.merge_and_unload(), training.processor, pictures)
    for step in (0, 1, 2):
        assert np.allclose(run.read_array("embeddings", step), embeddings, atol=1e-5)
        assert np.allclose(run.read_array("probabilities", step), probabilities, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_that_cannot_be_loaded_is_embedded_as_it_is_in_memory(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(find_spec("peft") is not None, "peft")

    def refuse(*_: Any, **__: Any) -> None:
        raise CheckpointError("it does not fit.")

    monkeypatch.setattr("review_embeddings.pipeline.training.live.load_encoder", refuse)
    training, notes = SavedTraining(tmp_path / "out"), Notes()
    model = adapted_as(training, save_base(tmp_path / "base", "no head"))
    training.run(EmbeddingCallback(pictures, split="test", progress=notes))
    assert not notes.faults
    assert "The adapter is embedded as it is in memory: it does not fit." in notes.lines
    run = RunFolder(tmp_path / "out")
    embeddings, _ = plain_values(model.merge_and_unload(), training.processor, pictures)
    assert run.steps_with("embeddings") == [0, 1, 2]
    assert np.allclose(run.read_array("embeddings", 2), embeddings, atol=1e-5)
