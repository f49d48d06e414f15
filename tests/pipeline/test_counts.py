"""What a review would find goes to whoever looks on at a training: read back from TensorBoard's own
files, without another bit of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from samples import save_start_model, write_splits

from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.training.counts import PREFIX, is_looked_on
from review_embeddings.pipeline.training.finetune import finetune
from review_embeddings.pipeline.training.log import COLUMNS, read_rows

NAMES = {
    "images",
    "loss",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "suspected_labels",
    "groups",
    "images_in_groups",
    "kept_neighbors",
    "trustworthiness",
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("counted") / "pictures", train=8, test=6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start_model(tmp_path_factory.mktemp("counted") / "vit")


def tuned(folder: Path, model: Path, pictures: Path, report_to: str) -> RunFolder:
    run = RunFolder(folder)
    options: dict[str, Any] = {
        "model": str(model),
        "dataset": str(pictures),
        "steps": 4,
        "frames": 3,
        "batch_size": 8,
        "embed": True,
        "seed": 3,
        "device": "cpu",
        "arguments": {"report_to": report_to, "logging_steps": 1},
    }
    assert finetune(run, options).finished
    return run


@pytest.fixture(scope="module")
def looked_on(tmp_path_factory: pytest.TempPathFactory, model: Path, pictures: Path) -> RunFolder:
    pytest.importorskip("tensorboard")
    return tuned(tmp_path_factory.mktemp("runs") / "looked on", model, pictures, "tensorboard")


def events(run: RunFolder) -> dict[str, dict[int, float]]:
    """The scalars that a real TensorBoard shows of our names, by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[str, dict[int, float]] = {}
    for file in run.path.rglob("events.out.tfevents.*"):
        read = EventAccumulator(str(file)).Reload()
        for tag in read.Tags()["scalars"]:
            _, _, name = tag.partition(PREFIX)
            if name:
                values = {one.step: one.value for one in read.Scalars(tag)}
                found.setdefault(name, {}).update(values)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_the_counts_of_every_checkpoint(looked_on: RunFolder) -> None:
    found = events(looked_on)
    assert set(found) == NAMES
    assert {tuple(sorted(values)) for values in found.values()} == {(0, 2, 4)}
    assert set(found["images"].values()) == {18}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_they_are_those_of_the_review(looked_on: RunFolder) -> None:
    found = events(looked_on)
    built = build(looked_on, Request())
    assert {"embeddings", "neighbors", "trust"}.isdisjoint(built.seconds), "it was stored"
    for one in built.manifest.checkpoints:
        assert found["kept_neighbors"][one.step] == pytest.approx(one.map_kept)
        assert found["trustworthiness"][one.step] == pytest.approx(one.trustworthiness)
        scores = looked_on.read_array("quality", one.step)["score"]
        assert found["suspected_labels"][one.step] == np.count_nonzero(scores < 0.5)


def test_the_training_is_the_same_and_so_is_its_log(
    looked_on: RunFolder, tmp_path: Path, model: Path, pictures: Path
) -> None:
    alone = tuned(tmp_path / "alone", model, pictures, "none")
    for step in (0, 2, 4):
        for name in ("model.safetensors", "trainer_state.json"):
            files = [run.checkpoint(step) / name for run in (looked_on, alone)]
            assert files[0].read_bytes() == files[1].read_bytes(), (step, name)
    assert alone.steps_with("neighbors") == [], "nobody would have waited for that"
    rows = [read_rows(run.log) for run in (looked_on, alone)]
    assert rows[0] == rows[1] and set(rows[0][0]) == set(COLUMNS)


def test_any_callback_of_a_script_gets_them(model: Path, pictures: Path, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    got: list[tuple[int, dict[str, float]]] = []

    class Service(TrainerCallback):  # type: ignore[misc]
        """Stands for what a service has in a Trainer."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if any(name.startswith(PREFIX) for name in logs):
                got.append((state.global_step, dict(logs)))

    trainer = _script(model, pictures, tmp_path / "out", Service(), [])
    trainer.train()
    assert [step for step, _ in got] == [0, 1, 2]
    assert {name.removeprefix(PREFIX) for name in got[0][1]} == NAMES | {"epoch"}
    assert not any(PREFIX in name for entry in trainer.state.log_history for name in entry)


def test_a_fault_in_counting_ends_neither_the_training_nor_the_embedding(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no counts")

    monkeypatch.setattr("review_embeddings.pipeline.training.callback.counts_of", broken)
    notes: list[str] = []
    trainer = _script(model, pictures, tmp_path / "out", None, notes)
    trainer.train()
    assert RunFolder(tmp_path / "out").steps_with("embeddings") == [0, 1, 2]
    (note,) = [note for note in notes if "no counts" in note]
    assert note.startswith("What is logged as review/… is switched off, and the training goes on")


class Noting(type(SILENT)):  # type: ignore[misc]
    """Keeps what people are told."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def note(self, text: str) -> None:
        self._notes.append(text)


def _script(model: Path, pictures: Path, out: Path, service: Any, notes: list[str]) -> Any:
    """A Trainer of somebody's script, with the callback."""
    from transformers import (
        AutoImageProcessor,
        AutoModelForImageClassification,
        Trainer,
        TrainingArguments,
    )

    from review_embeddings.pipeline.training.callback import EmbeddingCallback

    pytest.importorskip("tensorboard")
    processor = AutoImageProcessor.from_pretrained(model, backend="pil")
    side = processor.size.get("height") or processor.size.get("shortest_edge")
    sample = {"pixel_values": torch.zeros(3, side, side), "labels": 0}
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=2,
        save_steps=1,
        per_device_train_batch_size=2,
        report_to="tensorboard",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=AutoModelForImageClassification.from_pretrained(model, num_labels=3),
        args=arguments,
        train_dataset=[sample] * 8,
        processing_class=processor,
        callbacks=[service] if service else [],
    )
    trainer.add_callback(EmbeddingCallback(pictures, split="test", progress=Noting(notes)))
    return trainer


@pytest.mark.parametrize(
    ("named", "looked_on"),
    [([], False), (["none"], False), ("none", False), (["wandb"], True), ("trackio", True)],
)
def test_a_training_is_looked_on_where_it_reports_to_somebody(named: Any, looked_on: bool) -> None:
    class Arguments:
        report_to = named

    assert is_looked_on(Arguments()) is looked_on
