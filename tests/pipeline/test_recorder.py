"""`Recorder` in a plain training loop: what it writes, and that the training does not notice."""

from __future__ import annotations

import copy
import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from notes import Notes
from samples import CLASSES, write_splits
from torch import nn

from review_embeddings.pipeline import Recorder, RunFolder, build, read_table
from review_embeddings.pipeline.errors import (
    CheckpointError,
    DatasetError,
    ReviewError,
    SettingsError,
)
from review_embeddings.pipeline.run.history import read_history
from review_embeddings.pipeline.stages.embedding import embed_others
from review_embeddings.pipeline.training import recorder as recorders

STEPS = (0, 3, 6)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("recorded") / "pictures", train=4, test=4)


@pytest.fixture(scope="module")
def recorded(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of three steps, with its table; not to be changed."""
    run = tmp_path_factory.mktemp("recorded") / "run"
    trained(lambda: Recorder(run, pictures, split="test", transform=transform))
    build(run)
    return RunFolder(run)


def transform(image: Any) -> torch.Tensor:
    """As Resize, ToTensor and Normalize of torchvision."""
    pixels = np.array(image.resize((12, 12)))
    return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 - 0.5) / 0.25


def small_model(classes: int = 3) -> Any:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(6, classes),
    )


def trained(
    start: Callable[[], Any] | None = None,
    model: Any = None,
    steps: tuple[int, ...] = STEPS,
    first: int = 0,
) -> tuple[Any, list[Any]]:
    """A plain loop that draws random numbers of every kind; the model and all that it drew."""
    model = small_model() if model is None else model
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    recorder = None if start is None else start()
    drawn: list[Any] = []
    model.train()
    for step in range(first, max(steps) + 1):
        if recorder is not None and step in steps:
            recorder.record(step, model, epoch=step / 3, metrics={"val_loss": 1 / (step + 1)})
        images = torch.randn(8, 3, 12, 12) + np.random.rand() + random.random()
        loss: Any = nn.functional.cross_entropy(model(images), torch.randint(0, 3, (8,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        drawn.append(float(loss.detach()))
    if recorder is not None:
        recorder.close()
    return model, drawn


def test_a_training_is_the_same_bits_with_and_without(pictures: Path, tmp_path: Path) -> None:
    def start() -> Recorder:
        return Recorder(tmp_path / "run", pictures, split="test", transform=transform)

    model, drawn = trained(start)
    other, expected = trained()
    assert drawn == expected
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert all(module.training and not module._forward_hooks for module in model.modules())


def test_values_are_those_of_a_plain_forward_pass(pictures: Path, tmp_path: Path) -> None:
    from PIL import Image

    model, _ = trained()
    with Recorder(tmp_path / "run", pictures, split="test", transform=transform) as recorder:
        recorder.record(9, model)
    files = sorted((pictures / "test").rglob("*.png"))
    batch = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    model.eval()
    with torch.no_grad():
        features, likely = model[:-1](batch), model(batch).softmax(dim=1)
    build(tmp_path / "run")
    table = read_table(tmp_path / "run")
    assert np.allclose(np.stack(table["embedding"].tolist()), features, atol=1e-6)
    assert table["prediction"].tolist() == [CLASSES[at] for at in likely.argmax(dim=1)]
    assert np.allclose(table["confidence"], likely.max(dim=1).values, atol=1e-6)
    stored = RunFolder(tmp_path / "run").read_array("probabilities", 9)
    assert np.allclose(stored, likely, atol=1e-6)


def test_the_folder_is_a_run(recorded: RunFolder) -> None:
    assert build(recorded).seconds == {}  # all is there
    table = read_table(recorded.path)
    assert sorted(table["checkpoint"].unique()) == list(STEPS)
    assert sorted(table["epoch"].unique()) == [0, 1, 2]
    assert table["label"].tolist() == [name for name in CLASSES for _ in range(4)] * 3
    with recorded.log.open() as file:
        rows = {row["step"]: row["eval_loss"] for row in csv.DictReader(file)}
    assert rows == {"0": "1.0", "3": "0.25", "6": str(1 / 7)}
    metadata = recorded.result_metadata("embeddings", 3)
    assert metadata is not None and metadata["metrics"] == {"val_loss": 0.25}
    known = read_history(recorded).at(3)
    assert (known.epoch, known.metrics) == (1, {"eval_loss": 0.25})


def test_what_needs_weights_says_that_there_are_none(recorded: RunFolder, pictures: Path) -> None:
    from contextlib import ExitStack

    for options in (
        {"against": "train"},
        {"pooling": "mean"},
        {"base": str(pictures)},
        {"limit": 6},
        {"split": "train"},
    ):
        with pytest.raises(SettingsError, match=r"needs the weights .* it was recorded"):
            build(recorded, **options)
    with ExitStack() as stack, pytest.raises(CheckpointError, match="it was recorded"):
        embed_others(recorded, None, 3, [], stack)
    assert build(recorded).seconds == {}


def test_a_training_that_was_killed_goes_on(pictures: Path, tmp_path: Path) -> None:
    def start() -> Recorder:
        return Recorder(tmp_path / "run", pictures, split="test", transform=transform)

    model, _ = trained(start, steps=(0, 3))
    trained(start, model=model, steps=(3, 6), first=3)
    assert build(tmp_path / "run").manifest.steps == [0, 3, 6]


def test_a_repeated_step_replaces_and_its_results_are_made_anew(
    pictures: Path, tmp_path: Path
) -> None:
    model = small_model()
    recorder = Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    recorder.record(1, model)
    build(tmp_path / "run")
    before = read_table(tmp_path / "run")
    recorder.record(1, model)
    assert build(tmp_path / "run").seconds == {}  # the same values
    nn.init.normal_(model[0].weight)
    recorder.record(1, model, epoch=2, metrics={"loss": 3.0})
    recorder.close()
    assert "outliers" in build(tmp_path / "run").seconds
    after = read_table(tmp_path / "run")
    assert len(after) == len(before) and after["epoch"].unique().tolist() == [2]
    assert not np.allclose(
        np.stack(after["embedding"].tolist()), np.stack(before["embedding"].tolist())
    )


def test_with_another_transform_steps_are_recorded_anew(pictures: Path, tmp_path: Path) -> None:
    model = small_model()
    with Recorder(tmp_path / "run", pictures, split="test", transform=transform) as recorder:
        recorder.record(0, model)
        recorder.record(5, model)
    notes = Notes()
    brighter = Recorder(
        tmp_path / "run",
        pictures,
        split="test",
        transform=lambda image: transform(image) + 1,
        progress=notes,
    )
    assert [line for line in notes.lines if "another transform or other images (0, 5)" in line]
    brighter.record(0, model)
    brighter.close()
    built = build(tmp_path / "run")
    assert built.manifest.steps == [0]  # step 5 saw other pixels, and cannot be made again
    with pytest.raises(CheckpointError, match="recorded with others, and without its weights"):
        build(tmp_path / "run", checkpoint=5)
    fresh = Recorder(
        tmp_path / "fresh", pictures, split="test", transform=lambda image: transform(image) + 1
    )
    fresh.record(0, model)
    fresh.close()
    stored = [RunFolder(tmp_path / name).read_array("embeddings", 0) for name in ("run", "fresh")]
    assert np.array_equal(stored[0], stored[1])


def test_another_data_set_is_not_recorded_over_the_one_of_a_run(
    pictures: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    with Recorder(run.path, pictures, split="test", transform=transform) as recorder:
        recorder.record(0, small_model())
    before = run.run_json.read_bytes()
    other = write_splits(tmp_path / "other", train=2, test=2)
    for dataset, options, words in (
        (other, {"split": "test"}, rf"{pictures} \(split=test.* this Recorder has {other}"),
        (pictures, {"split": "train"}, r"\(split=test.* this Recorder has .*\(split=train"),
        (pictures, {"split": "test", "limit": 6}, r"limit=6\).* another run folder"),
    ):
        with pytest.raises(SettingsError, match=words):
            Recorder(run.path, dataset, transform=transform, **options)
    assert run.run_json.read_bytes() == before
    assert build(run.path).manifest.steps == [0]


def test_a_run_of_checkpoints_is_not_recorded_over(pictures: Path, tmp_path: Path) -> None:
    from samples import save_checkpoint

    save_checkpoint(tmp_path / "run" / "checkpoint-5", seed=1, step=5)
    build(tmp_path / "run", dataset=str(pictures), split="test")
    with pytest.raises(SettingsError, match=r"embeddings of checkpoints.* another run folder"):
        Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    assert build(tmp_path / "run").seconds == {}


def test_a_transform_with_two_results_writes_nothing(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="2 results for one image"):
        Recorder(
            tmp_path / "run",
            pictures,
            split="test",
            transform=lambda image: (transform(image), transform(image)),
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"split": "none"}, DatasetError, "no split"),
        ({"layer": "a", "features": print}, SettingsError, "not both"),
        ({"features": "backbone"}, SettingsError, "function"),
        ({"classes": ["a", "a", "b"]}, SettingsError, "twice"),
        ({"classes": ["a", "b"]}, CheckpointError, "tells 2 classes apart"),
        ({"transform": None}, SettingsError, "transform="),
        ({"batch_size": 0}, SettingsError, "whole number from 1"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(
    pictures: Path, tmp_path: Path, options: dict[str, Any], kind: type[ReviewError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        Recorder(tmp_path / "run", pictures, **{"split": "test", "transform": transform, **options})
    # and nothing stays locked
    Recorder(tmp_path / "run", pictures, split="test", transform=transform).close()


def test_a_torch_data_set_is_asked_for_by_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="folder or file of its images"):
        Recorder(tmp_path / "run", [1, 2], transform=transform)  # type: ignore[arg-type]  # the test


def test_the_size_of_batches_is_the_one_asked_for(pictures: Path, tmp_path: Path) -> None:
    model, sizes = small_model(), []
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    with Recorder(
        tmp_path / "run", pictures, split="test", transform=transform, batch_size=5
    ) as recorder:
        recorder.record(0, model)
    assert sizes[-3:] == [5, 5, 2]  # of 12 images


@pytest.mark.parametrize("step", [14.7, -1, "x", None, torch.tensor(0.5)])
def test_a_step_is_a_whole_number(pictures: Path, tmp_path: Path, step: Any) -> None:
    notes = Notes()
    with Recorder(
        tmp_path / "run", pictures, split="test", transform=transform, progress=notes
    ) as recorder:
        recorder.record(torch.tensor(3), small_model())  # type: ignore[arg-type]  # as some loops count
        recorder.record(step, small_model())
    assert RunFolder(tmp_path / "run").steps_with("embeddings") == [3]
    assert "whole numbers, counted from 0" in notes.lines[-1]


def test_classes_that_do_not_match_are_put_right_in_python(pictures: Path, tmp_path: Path) -> None:
    for classes in (["a", "b"], [CLASSES[1], CLASSES[0], "another"]):
        with pytest.raises(CheckpointError) as caught:
            Recorder(tmp_path / "run", pictures, split="test", transform=transform, classes=classes)
        assert "label_column='none'" in str(caught.value)
        assert "config.json" not in str(caught.value) and "--" not in str(caught.value)


class Dropping(nn.Module):
    """Drops values in evaluation too, as ``functional.dropout`` does unless it is told."""

    def forward(self, x: Any) -> Any:
        return nn.functional.dropout(x, 0.5)


class Counting(nn.Module):
    """Gives other values each time it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = torch.zeros(())

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x + self.calls


@pytest.mark.parametrize(
    ("position", "layer", "words"),
    [
        (5, Dropping(), "draws random numbers"),
        (7, Dropping(), "draws random numbers"),  # of the logits only
        (1, nn.BatchNorm2d(6, track_running_stats=False), "beside other images than alone"),
        (5, Counting(), "changes itself when it embeds"),
        (7, nn.BatchNorm1d(3, track_running_stats=False), "beside other images than alone"),
    ],
)
def test_values_that_are_not_the_images_own_are_told_once_and_not_stored(
    pictures: Path, tmp_path: Path, position: int, layer: nn.Module, words: str
) -> None:
    notes, parts = Notes(), list(small_model())
    parts[position : position + 1] = [layer]
    model = nn.Sequential(*parts)
    recorder = Recorder(
        tmp_path / "run", pictures, split="test", transform=transform, progress=notes
    )
    state = torch.get_rng_state()
    recorder.record(0, model)
    recorder.record(1, model)
    (line,) = [line for line in notes.lines if "switched off" in line]
    assert words in line and torch.equal(state, torch.get_rng_state())
    assert RunFolder(tmp_path / "run").steps_with("embeddings") == []


def test_probabilities_of_other_classes_are_left_out_and_that_is_said_once(
    pictures: Path, tmp_path: Path
) -> None:
    notes = Notes()
    recorder = Recorder(
        tmp_path / "run", pictures, split="test", transform=transform, progress=notes
    )
    for step in (0, 1):
        recorder.record(step, small_model(classes=7))
    recorder.close()
    (line,) = [line for line in notes.lines if "left out" in line]
    assert "gives 7 values and there are 3 classes" in line
    build(tmp_path / "run")
    table = read_table(tmp_path / "run")
    assert table["prediction"].isna().all() and len(table) == 24
    assert np.stack(table["embedding"].tolist()).shape[1] == 6


def test_named_outputs_may_stand_in_another_order(pictures: Path, tmp_path: Path) -> None:
    model = small_model()
    with Recorder(tmp_path / "plain", pictures, split="test", transform=transform) as recorder:
        recorder.record(0, model)
    names = [*CLASSES[::-1], "another"]
    wider = copy.deepcopy(model)
    wider[-1] = nn.Linear(6, 4)
    with torch.no_grad():
        wider[-1].weight[:3] = model[-1].weight.flip(0)
        wider[-1].bias[:3] = model[-1].bias.flip(0)
        wider[-1].weight[3], wider[-1].bias[3] = 0, -50
    with Recorder(
        tmp_path / "named", pictures, split="test", transform=transform, classes=names
    ) as recorder:
        recorder.record(0, wider)
    tables = []
    for name in ("plain", "named"):
        build(tmp_path / name)
        tables.append(read_table(tmp_path / name))
    assert tables[0]["prediction"].tolist() == tables[1]["prediction"].tolist()
    assert np.allclose(tables[0]["confidence"], tables[1]["confidence"], atol=1e-6)


def test_unlabelled_images_and_an_image_processor(pictures: Path, tmp_path: Path) -> None:
    from transformers import ViTImageProcessorPil

    processor = ViTImageProcessorPil(size={"height": 12, "width": 12})
    with Recorder(
        tmp_path / "run", pictures, split="test", processor=processor, label_column="none"
    ) as recorder:
        recorder.record(0, small_model())
    build(tmp_path / "run")
    table = read_table(tmp_path / "run")
    assert set(table["prediction"]) <= {"0", "1", "2"}


def test_a_cell_of_a_notebook_may_run_again(pictures: Path, tmp_path: Path) -> None:
    first = Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    second = Recorder(tmp_path / "run", pictures, split="test", transform=transform)
    first.record(0, small_model())
    second.record(1, small_model())
    assert RunFolder(tmp_path / "run").steps_with("embeddings") == [1]
    script = (
        "import sys; from review_embeddings.pipeline import Recorder\n"
        "from review_embeddings.pipeline.errors import BusyError\n"
        "import numpy as np\n"
        "try: Recorder(sys.argv[1], sys.argv[2], split='test', "
        "transform=lambda image: np.zeros((3, 4, 4), np.float32))\n"
        "except BusyError: print('busy')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "run"), str(pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "busy\n"
    second.close()


def test_pixels_that_were_deleted_are_made_again(pictures: Path, tmp_path: Path) -> None:
    import shutil

    run = RunFolder(tmp_path / "run")
    with Recorder(run.path, pictures, split="test", transform=transform) as recorder:
        recorder.record(0, small_model())
        shutil.rmtree(run.cache)
        recorder.record(1, small_model())
    assert np.array_equal(run.read_array("embeddings", 0), run.read_array("embeddings", 1))


def test_later_steps_of_an_earlier_training_are_named(pictures: Path, tmp_path: Path) -> None:
    for steps in ((0, 4), (2,)):
        notes = Notes()
        with Recorder(
            tmp_path / "run", pictures, split="test", transform=transform, progress=notes
        ) as recorder:
            for step in steps:
                recorder.record(step, small_model())
    assert [line for line in notes.lines if "1 later steps, from 4 to 4" in line]


@pytest.mark.parametrize(
    ("variables", "writes"),
    [
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "3"}, False),
        ({"RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"LOCAL_RANK": "1"}, False),
        ({"SLURM_PROCID": "2"}, False),
        ({}, True),
    ],
)
def test_only_the_first_process_writes(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    writes: bool,
) -> None:
    for name in recorders.RANKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with Recorder(tmp_path / "run", pictures, split="test", transform=transform) as recorder:
        recorder.record(0, small_model())
    assert (tmp_path / "run").exists() == writes


WRAPPED = """
import os, sys, torch
from pathlib import Path
sys.path[:0] = [str(Path(sys.argv[3]))]
from test_recorder import Recorder, small_model, trained, transform
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0", RANK="0", WORLD_SIZE="1")
torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0,
                                     world_size=1)
wrap = torch.nn.parallel.DistributedDataParallel
def start():
    return Recorder(Path(sys.argv[1]), sys.argv[2], split="test", transform=transform)
model, drawn = trained(start, model=wrap(small_model()))
other, expected = trained(None, model=wrap(small_model()))
assert drawn == expected, (drawn, expected)
torch.distributed.destroy_process_group()
"""


def test_a_model_of_distributed_training_is_recorded(
    pictures: Path, tmp_path: Path, recorded: RunFolder
) -> None:
    command = [sys.executable, "-c", WRAPPED, str(tmp_path / "run"), str(pictures)]
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(Path(__file__).parents[1] / "helpers")])
    done = subprocess.run(
        [*command, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    for step in STEPS:
        stored = RunFolder(tmp_path / "run").read_array("embeddings", step)
        assert np.allclose(stored, recorded.read_array("embeddings", step), atol=1e-6)


def test_compiled_and_half_precision_models_are_recorded(
    pictures: Path, tmp_path: Path, recorded: RunFolder
) -> None:
    def start() -> Recorder:
        return Recorder(tmp_path / "run", pictures, split="test", transform=transform)

    trained(start, model=torch.compile(small_model(), backend="eager"))
    for step in STEPS:
        stored = RunFolder(tmp_path / "run").read_array("embeddings", step)
        assert np.array_equal(stored, recorded.read_array("embeddings", step))
    with start() as recorder:
        recorder.record(0, small_model().to(torch.bfloat16))
    stored = RunFolder(tmp_path / "run").read_array("embeddings", 0)
    exact = recorded.read_array("embeddings", 0)
    assert np.allclose(stored, exact, atol=0.02) and not np.array_equal(stored, exact)


def test_checkpoints_that_lie_in_a_recorded_run_are_not_embedded_in_another_way(
    pictures: Path, tmp_path: Path
) -> None:
    from samples import save_checkpoint

    with Recorder(tmp_path / "run", pictures, split="test", transform=transform) as recorder:
        recorder.record(20, small_model())
        before = RunFolder(tmp_path / "run").read_array("embeddings", 20).copy()
    for step in (20, 40):
        save_checkpoint(tmp_path / "run" / f"checkpoint-{step}", seed=step, step=step)
    assert build(tmp_path / "run").manifest.steps == [20]
    assert np.array_equal(RunFolder(tmp_path / "run").read_array("embeddings", 20), before)


def test_an_empty_recorded_run_says_so(pictures: Path, tmp_path: Path) -> None:
    Recorder(tmp_path / "run", pictures, split="test", transform=transform).close()
    with pytest.raises(ReviewError, match="nothing was recorded yet"):
        build(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recorded"]
