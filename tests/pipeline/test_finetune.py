"""Fine-tuning: what it leaves in the run folder, how it goes on, what it refuses."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from forked import forks
from hypothesis import given
from hypothesis import strategies as st
from killing import EACH_STATE, at_step
from notes import Notes
from safetensors.torch import load_file
from samples import (
    CLASSES,
    PAINTING_STYLES,
    need,
    picture,
    save_start_model,
    write_paintings,
    write_splits,
)

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import (
    CheckpointError,
    DatasetError,
    RunError,
    SettingsError,
    StorageError,
    TrainingError,
)
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.device import has_bf16
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.regime import read_trained_images, regime_of
from review_embeddings.pipeline.training.finetune import FineTuned, finetune
from review_embeddings.pipeline.training.log import COLUMNS
from review_embeddings.pipeline.training.schedule import kept_steps, steps_an_epoch

Rows = list[dict[str, str]]


@pytest.fixture(scope="session")
def start_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start_model(tmp_path_factory.mktemp("start") / "vit")


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_paintings(tmp_path_factory.mktemp("paintings") / "set")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("split") / "pictures", train=20, test=5)


@pytest.fixture
def train(start_model: Path, pictures: Path, tmp_path: Path) -> Callable[..., FineTuned]:
    """A fine-tuning of the tiny ViT on three colours, 8 steps of 8, changed by what is given."""

    def call(
        name: str = "run",
        *,
        resume: bool = False,
        reread: bool = False,
        stop: Callable[[], bool] = lambda: False,
        **said: Any,
    ) -> FineTuned:
        base: dict[str, Any] = {
            "model": str(start_model),
            "dataset": str(pictures),
            "steps": 8,
            "frames": 5,
            "batch_size": 8,
        }
        base["arguments"] = {"learning_rate": "1e-2", "bf16": "false", "logging_steps": "1"}
        asked = said if resume else {**base, **said}
        return finetune(
            RunFolder(tmp_path / name),
            asked,
            resume=resume,
            reread=reread,
            stop=stop,
            resume_seconds=0,
        )

    return call


def rows_of(run: RunFolder) -> Rows:
    with run.log.open() as file:
        return list(csv.DictReader(file))


def weights_of(run: RunFolder, step: int) -> dict[str, Any]:
    return dict(load_file(run.checkpoint(step) / "model.safetensors"))


# -- what is left in the run folder


def test_a_run_is_left_that_can_be_reviewed_at_once(train: Callable[..., FineTuned]) -> None:
    tuned = train()
    assert tuned.finished
    assert tuned.frames == [0, 2, 4, 6, 8]
    found = find_checkpoints(tuned.run.path)
    assert found.steps == [0, 2, 4, 6, 8]
    assert not found.skipped
    built = build(tuned.run, Request())  # knows its data set and its split
    assert built.info.dataset.split == "test"
    assert len(built.images) == 15
    frame = table.read(tuned.run.path)
    assert set(frame["prediction"].cat.categories) == set(CLASSES)
    last = frame[frame["checkpoint"] == 8]
    assert (last["prediction"].astype(str) == last["label"].astype(str)).mean() == pytest.approx(
        tuned.metrics[8]["eval_accuracy"]
    )


def test_what_a_training_embeds_is_read_once_and_not_again_by_build(
    train: Callable[..., FineTuned], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is evaluated by what is embedded, too."""
    opened, read_bytes = Counter[str](), Path.read_bytes

    def counted(path: Path) -> bytes:
        opened[str(path)] += 1
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    run = train(steps=4, frames=3, embed=True).run
    reviewed = [str(file) for file in (pictures / "test").rglob("*.png")]
    assert len(reviewed) == 15 and {opened[file] for file in reviewed} == {1}
    build(run, Request())
    assert {opened[file] for file in reviewed} == {1}


def test_the_images_that_are_learnt_from_are_kept_by_hash(
    train: Callable[..., FineTuned], pictures: Path
) -> None:
    run = train(steps=2, frames=2).run
    files = sorted((pictures / "train").rglob("*.png"))
    kept = parquet.read_table(run.trained_images).to_pydict()
    assert sorted(zip(kept["image_hash"], kept["label"], strict=True)) == sorted(
        (hashlib.sha256(file.read_bytes()).hexdigest(), file.parent.name) for file in files
    )
    info = build(run, Request()).info
    images = read_images(run)
    assert images is not None
    assert regime_of(run, info, images).sentence.startswith("not trained on: by the hashes")
    built = build(run, Request(dataset={"split": "train"}))
    assert regime_of(run, built.info, built.images).trained_on.all()
    run.trained_images.unlink()  # of a training that an earlier version began
    train(resume=True, steps=4)
    assert len(read_trained_images(run) or []) == 60


def test_checkpoints_hold_weights_only_and_one_full_state_is_kept(
    train: Callable[..., FineTuned],
) -> None:
    run = train().run
    assert sorted(file.name for file in run.checkpoint(4).iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "trainer_state.json",
    ]
    assert [folder.name for folder in run.resume.iterdir()] == ["checkpoint-8"]
    assert (run.resume / "checkpoint-8" / "optimizer.pt").is_file()
    assert not list(run.path.rglob("training_args.bin"))
    assert json.loads((run.checkpoint(0) / "config.json").read_text())["id2label"] == {
        "0": "blue",
        "1": "green",
        "2": "red",
    }


def test_the_final_model_lies_in_the_run_folder_without_a_second_copy(
    train: Callable[..., FineTuned],
) -> None:
    run = train().run
    assert (run.path / "model.safetensors").samefile(run.checkpoint(8) / "model.safetensors")
    from transformers import AutoModelForImageClassification

    assert AutoModelForImageClassification.from_pretrained(run.path).config.label2id == {
        "blue": 0,
        "green": 1,
        "red": 2,
    }


def test_the_log_has_a_row_a_step_and_always_the_same_columns(
    train: Callable[..., FineTuned],
) -> None:
    run = train().run
    rows = rows_of(run)
    assert [int(row["step"]) for row in rows] == list(range(9))
    assert tuple(rows[0]) == (*COLUMNS, "checksum")
    assert rows[0]["eval_accuracy"] and not rows[0]["loss"]
    assert rows[8]["eval_accuracy"] and rows[8]["loss"] and rows[8]["grad_norm"]
    assert not rows[5]["eval_accuracy"]
    assert float(rows[8]["epoch"]) == 1.0
    assert (
        float(rows[1]["learning_rate"]) == 0.0
    )  # linear warm-up over a tenth of the steps begins at 0
    assert max(float(row["learning_rate"]) for row in rows[1:]) == pytest.approx(1e-2)


def test_metrics_are_those_of_scikit_learn_on_the_evaluation_split(
    train: Callable[..., FineTuned],
) -> None:
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    tuned = train()
    build(tuned.run, Request())
    for step in (0, 8):
        frame = table.read(tuned.run.path, checkpoints=[step])
        true, predicted = frame["label"].astype(str), frame["prediction"].astype(str)
        expected = {
            "eval_accuracy": accuracy_score(true, predicted),
            "eval_precision": precision_score(true, predicted, average="macro", zero_division=0),
            "eval_recall": recall_score(true, predicted, average="macro", zero_division=0),
            "eval_f1": f1_score(true, predicted, average="macro", zero_division=0),
        }
        assert {name: tuned.metrics[step][name] for name in expected} == pytest.approx(expected)


def test_the_head_comes_from_the_seed(train: Callable[..., FineTuned]) -> None:
    one, same, other = (
        train("one", steps=1, frames=2),
        train("same", steps=1, frames=2),
        train("other", steps=1, frames=2, seed=1),
    )
    head = "classifier.weight"
    assert weights_of(one.run, 0)[head].equal(weights_of(same.run, 0)[head])
    assert weights_of(one.run, 1)[head].equal(weights_of(same.run, 1)[head])
    assert not weights_of(one.run, 0)[head].equal(weights_of(other.run, 0)[head])


def test_limit_takes_as_many_of_each_class(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    from review_embeddings.pipeline.training.images import LabelledImages

    original = LabelledImages.augmented

    def noting(images: LabelledImages, *rest: Any, **options: Any) -> Any:
        seen.append(images.labels)
        return original(images, *rest, **options)

    monkeypatch.setattr(LabelledImages, "augmented", noting)
    train(limit=9, steps=1, frames=2)
    assert np.bincount(seen[0]).tolist() == [3, 3, 3]


# -- while it trains


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_embedding_while_training_changes_nothing_and_equals_embedding_later(
    train: Callable[..., FineTuned], tmp_path: Path, kind: str
) -> None:
    model = save_start_model(
        tmp_path / kind, kind, dropout=0.3
    )  # dropout would tell if random numbers were drawn
    without = train("without", model=str(model))
    live = train("live", model=str(model), embed=True, keep="first,last")
    assert [row["loss"] for row in rows_of(live.run)] == [
        row["loss"] for row in rows_of(without.run)
    ]
    assert all(
        weights_of(live.run, 8)[name].equal(tensor)
        for name, tensor in weights_of(without.run, 8).items()
    )
    assert find_checkpoints(live.run.path).steps == [0, 8]
    later = build(without.run, Request())
    for step in later.wanted:
        for name in ("embeddings", "probabilities"):
            assert np.array_equal(
                live.run.read_array(name, step), without.run.read_array(name, step)
            ), (name, step)
        kept = [run.result_metadata("embeddings", step) for run in (live.run, without.run)]
        assert kept[0] is not None and kept[1] is not None
        assert kept[0]["fingerprint"] == kept[1]["fingerprint"]
        assert (kept[0]["epoch"], kept[0]["loss"]) == (kept[1]["epoch"], kept[1]["loss"])
    again = build(live.run, Request())
    assert again.wanted == [0, 2, 4, 6, 8]
    assert "embeddings" not in again.seconds, "nothing may be embedded a second time"


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_checkpoints_that_are_not_kept_are_never_written(
    train: Callable[..., FineTuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from transformers import PreTrainedModel

    model = save_start_model(tmp_path / kind, kind)
    written: list[Path] = []
    original = PreTrainedModel.save_pretrained

    def save(self: Any, folder: Any, *arguments: Any, **options: Any) -> None:
        written.append(Path(folder))
        original(self, folder, *arguments, **options)

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", save)
    from review_embeddings.pipeline.training import trainer

    monkeypatch.setattr(trainer.PlanCallback, "_is_due", lambda self: False)
    run = train(model=str(model), embed=True, keep="first,last").run
    assert [path.name.rpartition("-")[2] for path in written] == ["0", "8", "8"]
    assert written[-1].parent == run.resume / ".writing"
    assert run.steps_with("embeddings") == [0, 2, 4, 6, 8]
    assert find_checkpoints(run.path).steps == [0, 8]


def test_where_the_embedded_split_is_evaluated_its_metrics_come_with_every_frame(
    train: Callable[..., FineTuned],
) -> None:
    live = train("live", embed=True)
    assert sorted(live.metrics) == [0, 2, 4, 6, 8]
    plain = train("plain")
    assert sorted(plain.metrics) == [0, 8]
    for step in (0, 8):
        assert live.metrics[step] == pytest.approx(
            {name: plain.metrics[step][name] for name in live.metrics[step]}, rel=1e-5
        )
    evaluated = [row["step"] for row in rows_of(live.run) if row["eval_f1"]]
    assert evaluated == ["0", "2", "4", "6", "8"]


def test_a_probe_is_a_sample_balanced_over_the_classes(train: Callable[..., FineTuned]) -> None:
    tuned = train(embed=True, probe=6)
    built = build(tuned.run, Request())
    assert built.images.labels is not None
    assert np.bincount(built.images.labels).tolist() == [2, 2, 2]
    assert len(tuned.metrics) == 2, "a sample is not the evaluation split"


def test_the_best_may_be_by_another_metric(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1 is made to be best at step 2, accuracy at step 6."""
    from review_embeddings.pipeline.training import fit as training

    values = iter([(0.1, 0.1), (0.2, 0.9), (0.3, 0.2), (0.9, 0.3), (0.4, 0.4)])

    def metrics(*_: object) -> dict[str, float]:
        accuracy, f1 = next(values)
        return {"accuracy": accuracy, "precision": 0.0, "recall": 0.0, "f1": f1}

    monkeypatch.setattr(training, "classification_metrics", metrics)
    arguments = {"learning_rate": 1e-2, "bf16": False, "metric_for_best_model": "f1"}
    tuned = train(keep="first,last", load_best=True, arguments=arguments)
    assert tuned.best_step == 2
    assert find_checkpoints(tuned.run.path).steps == [0, 2, 8]
    assert (tuned.run.path / "model.safetensors").samefile(
        tuned.run.checkpoint(2) / "model.safetensors"
    )


@pytest.mark.parametrize("embed", [False, True])
def test_the_best_checkpoint_is_kept_and_becomes_the_model(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch, embed: bool
) -> None:
    """The accuracy is made to be best at step 4."""
    from review_embeddings.pipeline.training import fit as training
    from review_embeddings.pipeline.training import live as looking_on

    values = iter([0.1, 0.3, 0.9, 0.5, 0.6])

    def metrics(*_: object) -> dict[str, float]:
        return {"accuracy": next(values), "precision": 0.0, "recall": 0.0, "f1": 0.0}

    monkeypatch.setattr(training, "classification_metrics", metrics)
    monkeypatch.setattr(looking_on, "classification_metrics", metrics)
    tuned = train(embed=embed, keep="first,last", load_best=True)
    assert tuned.best_step == 4
    assert find_checkpoints(tuned.run.path).steps == [0, 4, 8]
    assert (tuned.run.path / "model.safetensors").samefile(
        tuned.run.checkpoint(4) / "model.safetensors"
    )


# -- stopped, killed, resumed


def test_stopped_in_good_order_and_gone_on_by_the_same_command(
    train: Callable[..., FineTuned],
) -> None:
    whole = train("whole", embed=True)
    calls = iter(range(1000))
    stopped = train("halves", embed=True, stop=lambda: next(calls) >= 4)
    assert not stopped.finished
    assert stopped.steps == 5
    assert build(stopped.run, Request()).wanted == [0, 2, 4], "what is there can be reviewed"
    gone_on = train("halves", embed=True)
    assert gone_on.finished
    assert rows_of(gone_on.run) == rows_of(whole.run)
    assert all(
        weights_of(gone_on.run, 8)[name].equal(tensor)
        for name, tensor in weights_of(whole.run, 8).items()
    )


def test_a_finished_run_can_be_made_longer(train: Callable[..., FineTuned]) -> None:
    short = train()
    assert train().steps == 8, "the same again has nothing to do"
    written = json.loads(short.run.training.read_text())
    newer = {**written, "host": "h", "request": {**written["request"], "ema": 0.9}}
    short.run.training.write_text(json.dumps(newer))
    longer = train(resume=True, steps=12, save_steps=4)
    kept = json.loads(short.run.training.read_text())
    assert (kept["host"], kept["request"]["ema"], kept["request"]["steps"]) == ("h", 0.9, 12)
    assert list(kept) == [*list(written)[:-1], "host", "checksum"], "behind the rest"
    assert longer.finished
    assert find_checkpoints(short.run.path).steps == [0, 2, 4, 6, 8, 12]
    assert [int(row["step"]) for row in rows_of(short.run)] == list(range(13))


def test_the_embedded_images_are_read_again_where_that_is_asked_for(
    train: Callable[..., FineTuned],
) -> None:
    run = train(steps=1, frames=2, embed=True).run
    written = run.images.stat().st_mtime_ns
    train(resume=True, steps=2, frames=2)
    assert run.images.stat().st_mtime_ns == written
    train(resume=True, steps=3, frames=2, reread=True)
    assert run.images.stat().st_mtime_ns > written
    with pytest.raises(SettingsError, match="--reread goes with --embed"):
        train("other", reread=True)


def test_other_settings_are_refused_and_nothing_is_lost(train: Callable[..., FineTuned]) -> None:
    run = train().run
    before = rows_of(run)
    with pytest.raises(SettingsError, match="another --seed: 42, not 7"):
        train(seed=7)
    with pytest.raises(SettingsError, match="another --image-size: left out, not 32"):
        train(resume=True, image_size=32)
    assert rows_of(run) == before
    with pytest.raises(RunError, match="no fine-tuning that could go on"):
        train("nothing", resume=True)


def test_another_run_is_not_written_over(train: Callable[..., FineTuned], run_path: Path) -> None:
    with pytest.raises(RunError, match="holds another run"):
        train(run_path.name)


def test_killed_and_started_again_is_a_run_that_was_never_killed(
    start_model: Path, pictures: Path, tmp_path: Path
) -> None:
    command = ["--model", start_model, "--dataset", pictures, "--steps", 12, "--frames", 7]
    command += ["--batch-size", 8, "--embed", "--keep", "first,last", "--set", "learning_rate=1e-2"]
    command += ["--set", "bf16=false", "--set", "logging_steps=1"]

    def start(name: str, patches: dict[str, str]) -> int:
        code, output = started.end_of(
            "finetune", *command, "--run", tmp_path / name, patches=patches
        )
        assert code in (0, -9), output
        return code

    with forks(tmp_path) as started:
        assert start("whole", EACH_STATE) == 0
        for step in (1, 7):
            name = f"killed-{step}"
            assert [start(name, patches) for patches in (at_step(step), EACH_STATE)] == [-9, 0]
    whole, *killed = (RunFolder(tmp_path / name) for name in ("whole", "killed-1", "killed-7"))
    steps = build(whole, Request()).wanted
    assert steps == [0, 2, 4, 6, 8, 10, 12]
    for run in killed:
        assert [int(row["step"]) for row in rows_of(run)] == list(range(13))
        assert rows_of(run) == rows_of(whole) and build(run, Request()).wanted == steps
        for step in steps:
            np.testing.assert_array_equal(
                run.read_array("embeddings", step), whole.read_array("embeddings", step)
            )


# -- the painting-style data set


@pytest.mark.parametrize("kind", ["vit", "swin", "timm"])
def test_paintings_with_the_command_of_the_published_example(
    paintings: Path,
    tmp_path: Path,
    kind: str,
    review_embeddings: Callable[..., tuple[int, str, str]],
) -> None:
    if kind == "timm":
        need(_has_timm(), "timm with a torchvision that fits torch (pip install .[timm])")
    model = save_start_model(tmp_path / kind, kind)
    code, output, errors = review_embeddings(
        "finetune", "--dataset", paintings, "--config", "full", "--model", model, "--run",
        tmp_path / "run", "--epochs", 4,
        "--eval-split", "validation", "--set", "learning_rate=2e-2", "--set",
        "per_device_train_batch_size=32", "--load-best", "--debug",
    )  # fmt: skip
    assert code == 0, errors
    assert "best" in output
    run = RunFolder(tmp_path / "run")
    rows = rows_of(run)
    steps = int(rows[-1]["step"])
    assert steps == 4 * steps_an_epoch(_count(paintings, "train"), 32, 1, 1)
    assert len(find_checkpoints(run.path).steps) == 11
    assert float(rows[-1]["epoch"]) == 4.0
    accuracies = [float(row["eval_accuracy"]) for row in rows if row["eval_accuracy"]]
    assert len(accuracies) == 11
    assert max(accuracies) > accuracies[0] + 0.1
    code, output, errors = review_embeddings(
        "build", "--run", run.path, "--checkpoint", "first", "--checkpoint", "last", "--debug"
    )
    assert code == 0, errors
    frame = table.read(run.path)
    assert len(frame) == 2 * _count(paintings, "test")
    assert list(frame["label"].cat.categories) == PAINTING_STYLES


def _has_timm() -> bool:
    try:
        import timm  # noqa: F401
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return True


def _count(paintings: Path, split: str) -> int:
    import pyarrow.parquet as parquet

    return int(parquet.ParquetFile(paintings / "full" / f"{split}.parquet").metadata.num_rows)


# -- what is refused


def write_images(folder: Path, labels: dict[str, int], size: int = 16) -> Path:
    for place, (name, count) in enumerate(labels.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture(place % 3, seed=100 * place + number, size=size).save(
                folder / name / f"{number}.png"
            )
    return folder


def test_one_class_is_refused(train: Callable[..., FineTuned], tmp_path: Path) -> None:
    import datasets

    rows = {"image": [picture(0, seed=seed) for seed in range(4)], "label": [1] * 4}
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])}
    )
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DatasetError, match=r"one class only \(b\)"):
        train(dataset=str(tmp_path / "one"))


def test_a_data_set_without_labels_is_refused(
    train: Callable[..., FineTuned], tmp_path: Path
) -> None:
    import datasets

    datasets.Dataset.from_dict({"image": [picture(0, seed=1)]}).cast_column(
        "image", datasets.Image()
    ).save_to_disk(str(tmp_path / "bare"))
    with pytest.raises(DatasetError, match="has no labels"):
        train(dataset=str(tmp_path / "bare"))


def test_numbers_that_are_no_classes_are_refused(
    train: Callable[..., FineTuned], tmp_path: Path
) -> None:
    import datasets

    rows = datasets.Dataset.from_dict(
        {"image": [picture(0, seed=seed) for seed in range(4)], "label": [0.1, 1.7, 2.2, 0.4]}
    )
    rows.cast_column("image", datasets.Image()).save_to_disk(str(tmp_path / "floats"))
    with pytest.raises(DatasetError, match="has no labels"):
        train(dataset=str(tmp_path / "floats"))
    with pytest.raises(DatasetError, match="holds measurements"):
        train(dataset=str(tmp_path / "floats"), label_column="label")


def test_a_split_that_is_not_there_names_the_option(train: Callable[..., FineTuned]) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'; it has 'train', 'test'.*--eval-split"):
        train(eval_split="dev")
    with pytest.raises(DatasetError, match="--train-split"):
        train(train_split="holdout")


def test_classes_that_a_split_lacks_are_said_and_do_not_stop(
    start_model: Path, tmp_path: Path
) -> None:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])}
    )

    def split(labels: list[int]) -> datasets.Dataset:
        return datasets.Dataset.from_dict(
            {"image": [picture(label, seed=label) for label in labels], "label": labels},
            features=features,
        )

    datasets.DatasetDict({"train": split([0, 1] * 4), "test": split([0, 1, 2])}).save_to_disk(
        str(tmp_path / "data")
    )
    notes = Notes()
    said = {
        "model": str(start_model),
        "dataset": str(tmp_path / "data"),
        "steps": 2,
        "frames": 2,
        "batch_size": 4,
    }
    assert finetune(RunFolder(tmp_path / "run"), said, progress=notes).finished
    assert any("No training images of 1 of 3 classes: c" in note for note in notes.lines)


def test_images_of_unequal_size_are_refused_where_the_processor_leaves_them_so(
    tmp_path: Path,
) -> None:
    from transformers import ViTImageProcessorPil

    model = save_start_model(tmp_path / "model")
    ViTImageProcessorPil(do_resize=False).save_pretrained(model)
    data = write_images(tmp_path / "data" / "train", {"a": 3, "b": 3})
    picture(0, seed=9, size=24).save(data / "a" / "9.png")
    with pytest.raises(DatasetError, match=r"different sizes \(16x16, 24x24\).*--image-size"):
        finetune(
            RunFolder(tmp_path / "run"),
            {"model": str(model), "dataset": str(data.parent), "steps": 1},
        )


def test_another_image_size_is_interpolated_or_refused(train: Callable[..., FineTuned]) -> None:
    tuned = train(image_size=32, steps=1, frames=2)
    assert json.loads((tuned.run.checkpoint(1) / "preprocessor_config.json").read_text())[
        "size"
    ] == {"height": 32, "width": 32}
    built = build(tuned.run, Request())
    assert built.wanted == [0, 1]
    with pytest.raises(SettingsError, match="does not take images of 4x4"):
        train("small", image_size=4)


def test_models_that_are_none_are_refused(train: Callable[..., FineTuned], tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        vocab_size=10,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(CheckpointError, match="is a bert model, which cannot classify images"):
        train(model=str(tmp_path / "bert"))
    with pytest.raises(CheckpointError, match="is not there"):
        train(model="./nowhere")
    with pytest.raises(CheckpointError, match="cannot be had from the Hub.*model folder"):
        train(model="somebody/some-model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no config.json"):
        train(model=str(tmp_path / "empty"))


def test_a_model_without_image_processor_is_refused(
    train: Callable[..., FineTuned], tmp_path: Path
) -> None:
    model = save_start_model(tmp_path / "model")
    (model / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="no image processor"):
        train(model=str(model))


def test_a_loss_that_is_not_finite_stops_and_keeps_what_is_there(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch
) -> None:
    from review_embeddings.pipeline.training.trainer import CheckpointTrainer

    original = CheckpointTrainer.compute_loss

    def broken(self: Any, *arguments: Any, **options: Any) -> Any:
        loss = original(self, *arguments, **options)
        return loss * float("nan") if self.model.training and self.state.global_step == 4 else loss

    monkeypatch.setattr(CheckpointTrainer, "compute_loss", broken)
    with pytest.raises(TrainingError, match="not finite at step 5.*up to step 4"):
        train(arguments={"learning_rate": 1e-2, "bf16": False, "logging_steps": 3})


@pytest.mark.parametrize("embed", [False, True])
def test_too_little_memory_halves_the_batch_and_accumulates(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch, embed: bool
) -> None:
    from review_embeddings.pipeline.training.trainer import CheckpointTrainer

    original = CheckpointTrainer.training_step
    sizes = []

    def small(self: Any, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        if len(inputs["labels"]) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        sizes.append(len(inputs["labels"]))
        return original(self, model, inputs, *arguments, **options)

    monkeypatch.setattr(CheckpointTrainer, "training_step", small)
    tuned = train(batch_size=16, steps=3, frames=2, embed=embed)
    assert tuned.finished
    assert set(sizes) <= {4, 3, 2, 1}
    assert len(sizes) == 3 * 4
    monkeypatch.setattr(
        CheckpointTrainer, "training_step", lambda *a, **o: (_ for _ in ()).throw(MemoryError())
    )
    with pytest.raises(TrainingError, match="single image"):
        train("never", batch_size=2)


def test_a_start_that_does_not_fit_the_disk_is_refused_with_the_numbers(
    train: Callable[..., FineTuned], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(
        StorageError, match="5 checkpoints of .* kB.*1.00 kB are free.*--keep first,last"
    ):
        train()


def test_two_trainings_do_not_write_one_run(
    train: Callable[..., FineTuned], tmp_path: Path
) -> None:
    with (
        RunFolder(tmp_path / "run").training_lock(),
        pytest.raises(StorageError, match="already being trained"),
    ):
        train()


# -- counting


@given(
    images=st.integers(1, 300),
    batch=st.integers(1, 40),
    accumulation=st.integers(1, 5),
)
def test_an_epoch_sees_every_image_once(images: int, batch: int, accumulation: int) -> None:
    steps = steps_an_epoch(images, batch, 1, accumulation)
    assert (steps - 1) * batch * accumulation < images <= steps * batch * accumulation


def test_steps_of_several_processes_by_hand() -> None:
    assert steps_an_epoch(50_000, 32, 1, 1) == 1563
    assert steps_an_epoch(50_000, 32, 4, 1) == 391
    assert steps_an_epoch(100, 32, 1, 1, drop_last=True) == 3
    assert steps_an_epoch(10, 32, 8, 4) == 1


def test_what_is_kept() -> None:
    frames = [0, 20, 40, 50]
    assert kept_steps("all", frames) == frames
    assert kept_steps("first, last", frames) == [0, 50]
    assert kept_steps("40", frames) == [40]
    for wrong in ("30", "", "best"):
        with pytest.raises(SettingsError, match="--keep"):
            kept_steps(wrong, frames)


def test_bf16_is_used_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("asks about the CPU")
    monkeypatch.setattr(
        torch.cpu,
        "get_capabilities",
        lambda: {"avx512_bf16": False, "amx_bf16": False},
        raising=False,
    )
    assert not has_bf16()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert has_bf16()


def test_a_full_state_is_kept_between_checkpoints_that_are_far_apart(
    train: Callable[..., FineTuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at step 7 of 8, with checkpoints at the ends only: not all is lost."""
    from review_embeddings.pipeline.training import trainer

    monkeypatch.setattr(trainer, "RESUME_SHARE", 1e9)  # however long writing it takes
    calls = iter(range(100))

    def kill() -> bool:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        train("run", frames=2, stop=kill)
    (state,) = (tmp_path / "run" / "resume").iterdir()
    assert state.name == "checkpoint-6"
    whole, gone_on = train("whole", frames=2), train("run", frames=2)
    assert rows_of(gone_on.run) == rows_of(whole.run)
    assert all(
        weights_of(gone_on.run, 8)[name].equal(tensor)
        for name, tensor in weights_of(whole.run, 8).items()
    )


def test_what_the_trainer_refuses_is_a_mistake_and_no_fault(
    train: Callable[..., FineTuned],
) -> None:
    with pytest.raises(SettingsError, match="The Trainer cannot begin.*nothing-of-the-kind"):
        train(arguments={"report_to": "nothing-of-the-kind"})
    with pytest.raises(SettingsError, match="The Trainer cannot begin"):
        train(arguments={"lr_scheduler_type": "cosine_with_min_lr"})  # needs a lowest rate
    assert train(arguments={"lr_scheduler_type": "cosine"}).finished, (
        "what was refused has not claimed the folder"
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"arguments": {"learning_rate": "-1"}}, "learning_rate=-1.0 is out of range"),
        ({"arguments": {"gradient_accumulation_steps": 0}}, "gradient_accumulation_steps=0"),
        ({"arguments": {"weight_decay": -1}}, "weight_decay"),
        ({"arguments": {"dataloader_num_workers": -1}}, "dataloader_num_workers"),
        ({"seed": -1}, "--seed -1"),
        ({"limit": 2}, "--limit 2 is less than one image for each of the 3 classes"),
        (
            {"load_best": True, "arguments": {"metric_for_best_model": "auc"}},
            "metric_for_best_model=auc",
        ),
    ],
)
def test_numbers_that_make_no_training_are_refused_and_leave_nothing(
    train: Callable[..., FineTuned], tmp_path: Path, said: dict[str, Any], message: str
) -> None:
    with pytest.raises((SettingsError, DatasetError), match=message):
        train(**said)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_made_shorter(train: Callable[..., FineTuned]) -> None:
    train()
    with pytest.raises(SettingsError, match="is at step 8 already, and 4 were asked for"):
        train(resume=True, steps=4)


def test_losses_since_the_last_row_of_the_log_are_not_lost_by_a_stop(
    train: Callable[..., FineTuned],
) -> None:
    arguments = {"learning_rate": "1e-2", "bf16": "false", "logging_steps": "3"}
    whole = train("whole", frames=2, arguments=arguments)
    calls = iter(range(100))
    assert train("halves", frames=2, arguments=arguments, stop=lambda: next(calls) >= 3).steps == 4
    halves = train("halves", frames=2, arguments=arguments)
    assert rows_of(halves.run) == rows_of(whole.run)
    assert [row["step"] for row in rows_of(whole.run)] == ["0", "3", "6", "8"]
