"""The callbacks in a Trainer script that is not ours."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from forked import forks
from samples import save_start_model, write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.training.faults import FaultSwitch
from review_embeddings.pipeline.training.live import how_to_review

SCRIPT = Path(__file__).parent / "trainer_script.py"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("script") / "pictures", train=8, test=4)


@pytest.fixture
def start(pictures: Path, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """The script with a model and an output folder, in a fork of its own."""
    with forks(tmp_path) as started:

        def call(model: Path, out: Path, *options: object) -> None:
            settings = {
                "model_name_or_path": model, "data": pictures, "output_dir": out,
                "remove_unused_columns": False, "per_device_train_batch_size": 8, "max_steps": 6,
                "save_steps": 2, "logging_steps": 1, "eval_strategy": "steps", "eval_steps": 3,
                "learning_rate": "1e-2", "use_cpu": True, "report_to": "none", "seed": 3,
            }  # fmt: skip
            words = [word for name, value in settings.items() for word in (f"--{name}", value)]
            code, output = started.end_of_script(SCRIPT, *words, *options)
            assert code == 0, output

        yield call


def test_one_added_line_makes_a_run_of_a_trainer_script(
    start: Callable[..., None], pictures: Path, tmp_path: Path
) -> None:
    model = save_start_model(tmp_path / "swin", "swin", dropout=0.3)
    start(model, tmp_path / "with")
    start(model, tmp_path / "without", "--review", "False")
    run = RunFolder(tmp_path / "with")
    assert run.steps_with("embeddings") == [0, 2, 4, 6]
    with run.log.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["step"] for row in rows if row["eval_accuracy"]] == ["3", "6"]
    # the same training as without the callback
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("with", "without")]
    assert weights[0] == weights[1]
    # what was embedded counts: building the table embeds nothing again, and the values are those of
    # the saved checkpoints
    built = build(run, Request())
    assert built.wanted == [0, 2, 4, 6]
    assert "embeddings" not in built.seconds
    other = RunFolder(tmp_path / "without")
    build(other, Request(dataset={"source": str(pictures), "split": "test"}))
    for step in (2, 4, 6):
        assert np.array_equal(
            run.read_array("embeddings", step), other.read_array("embeddings", step)
        )
    assert len(table.read(run.path)) == 4 * 12


@pytest.mark.parametrize(("count", "words"), [(1, "1 checkpoint is"), (3, "3 checkpoints are")])
def test_the_end_says_how_to_review_in_words_that_can_be_pasted(
    tmp_path: Path, count: int, words: str
) -> None:
    run = RunFolder(tmp_path / "my run")
    for step in range(count):
        run.write_arrays(step, "print", {"embeddings": np.zeros((1, 2), np.float32)}, {})
    ends = "--first --last" if count > 1 else "--last"
    command = f"review-embeddings {ends} --run '{run}'"
    assert how_to_review(run) == f"{words} embedded. Review: {command}"


class Heard(type(SILENT)):  # type: ignore[misc]
    """Progress of a host's own."""


def test_a_host_without_progress_of_its_own_is_told_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for progress in (SILENT, Heard()):
        FaultSwitch("The embedding", progress, lambda: None).note_at_end("Review: that")
    assert caplog.messages == ["Review: that"]


def test_a_resumed_script_goes_on_in_the_same_log(
    start: Callable[..., None], tmp_path: Path
) -> None:
    model = save_start_model(tmp_path / "vit")
    start(model, tmp_path / "out", "--max_steps", "4")
    begun = tmp_path / "out" / "checkpoint-2"
    start(model, tmp_path / "out", "--resume_from_checkpoint", begun)
    run = RunFolder(tmp_path / "out")
    with run.log.open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5", "6"]
    assert run.steps_with("embeddings") == [0, 2, 4, 6]


def test_without_an_image_processor_one_is_asked_for(pictures: Path, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForImageClassification, Trainer, TrainingArguments

    from review_embeddings.pipeline.errors import SettingsError
    from review_embeddings.pipeline.training.callback import EmbeddingCallback

    model = AutoModelForImageClassification.from_pretrained(
        save_start_model(tmp_path / "vit"), num_labels=3
    )
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    rows = load_dataset(str(pictures), split="train")
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        callbacks=[EmbeddingCallback(pictures, split="test")],
    )
    with pytest.raises(SettingsError, match="needs the image processor"):
        trainer.train()
