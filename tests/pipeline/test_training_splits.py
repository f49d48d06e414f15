"""The splits of a fine-tuning: read as they are read for a review, and as they were read before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from click.testing import CliRunner
from notes import Notes
from samples import encoded, picture, save_start_model

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.dataset import RULES
from review_embeddings.pipeline.images.sources import FIRST_RULES
from review_embeddings.pipeline.run.files import write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import as_json
from review_embeddings.pipeline.training.data import open_splits, review_request
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.resume import TrainingFile, resolve_options
from review_embeddings.review.cli.program import cli


def fill(root: Path, *names: str) -> Path:
    for row, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(picture(row % 3, row)))
    return root


def test_every_option_of_reading_is_one_of_a_fine_tuning(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "x/a/1.png", "x/b/2.png", "y/a/3.png", "y/b/4.png")
    request = FineTuning("model", str(root), train_split="x", split_folders=True, reading=RULES)
    splits = open_splits(request, Notes())
    assert (splits.classes, len(splits.rows), splits.review.reference.split) == (["a", "b"], 2, "x")
    asked = review_request(request, splits).dataset
    assert (asked["split_folders"], asked["reading"]) == (True, RULES)
    top = FineTuning("model", str(root), labels_from="top-folder", reading=RULES)
    assert open_splits(top, Notes()).classes == ["x", "y"]


def test_labels_that_are_no_class_end_a_fine_tuning_or_are_ignored(tmp_path: Path) -> None:
    labels = [1, 2, 3, 1]
    columns = {"image": [{"bytes": encoded(picture(0, row))} for row in labels], "label": labels}
    kinds = {"image": datasets.Image(), "label": datasets.Value("int64")}
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
    rows.to_parquet(str(tmp_path / "train.parquet"))
    given: dict[str, Any] = {"first_label": 1, "class_names": ["cat", "dog"], "reading": RULES}
    notes = Notes()
    request = FineTuning("model", str(tmp_path), ignore_labels=True, **given)
    splits = open_splits(request, notes)
    assert splits.classes == ["cat", "dog"] and splits.labels.tolist() == [0, 1, 0]
    assert any(
        "1 of 4 labels are none of the classes of --classes: 3" in one for one in notes.lines
    )


def test_a_split_without_the_column_of_labels_is_not_evaluated_on(tmp_path: Path) -> None:
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    cells = [{"bytes": encoded(picture(0, row)), "path": None} for row in range(4)]
    train = datasets.Dataset.from_dict(
        {"image": cells, "label": [0, 1, 0, 1]}, features=datasets.Features(kinds)
    )
    test = train.remove_columns("label").rename_column("image", "picture")
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(str(tmp_path / "data"))
    notes = Notes()
    splits = open_splits(FineTuning("model", str(tmp_path / "data"), reading=RULES), notes)
    assert splits.evaluation is None and splits.review.reference.split == "test"
    assert (splits.review.labels, splits.review.reference.image_column) == (None, "picture")
    assert any("'test' has no labels and is not evaluated on" in one for one in notes.lines)
    assert any("no column 'label', which other splits have" in one for one in notes.lines)


def test_a_training_goes_on_by_the_rules_that_it_began_with(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    options = {"model": "m", "dataset": "d", "labels_from": "none"}
    begun = resolve_options(run, options, resume=False)
    assert begun.reading == RULES
    run.path.mkdir()
    write_json(run.training, as_json(TrainingFile(begun)))
    assert resolve_options(run, options, resume=False) == begun
    content = json.loads(run.training.read_text())
    assert content["request"]["labels_from"] == "none" and "class_names" not in content["request"]
    del content["request"]["reading"]  # as a version wrote it that had the first rules only
    write_json(run.training, content)
    assert resolve_options(run, {}, resume=True).reading == FIRST_RULES
    with pytest.raises(SettingsError, match=r"another --classes: left out, not \['a', 'b'\]"):
        resolve_options(run, {**options, "class_names": ["a", "b"]}, resume=False)


@pytest.mark.parametrize(
    ("given", "epochs", "steps"),
    [({"epochs": 5.0}, 5.0, None), ({"steps": 12}, 3.0, 12), ({"embed": True}, 3.0, 8)],
)
def test_a_training_that_had_steps_is_made_longer_by_epochs(
    tmp_path: Path, given: dict[str, Any], epochs: float, steps: int | None
) -> None:
    """Without a word it would have stayed at its steps."""
    run = RunFolder(tmp_path)
    options = {"model": "m", "dataset": "d"}
    request = FineTuning("m", "d", steps=8)
    write_json(run.training, as_json(TrainingFile(request, 8)))
    resumed = resolve_options(run, given, resume=True)
    assert (resumed.epochs, resumed.steps) == (epochs, steps)
    for both in ({"epochs": 1.0, "steps": 2}, {"frames": 3, "save_steps": 2}):
        with pytest.raises(SettingsError, match=r"--\w+ and --[a-z-]+ exclude each other"):
            resolve_options(run, {**options, **both}, resume=False)


def test_the_command_takes_the_options_of_reading(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", *(f"{top}/{n}.png" for top in ("train", "bus") for n in "123"))
    model, run = save_start_model(tmp_path / "model"), tmp_path / "run"
    (tmp_path / "classes.txt").write_text("bus\ntrain\n")
    arguments = ["--dataset", root, "--model", model, "--run", run, "--steps", 1, "--eval-split"]
    arguments += ["none", "--no-split-folders", "--classes", tmp_path / "classes.txt"]
    done = CliRunner().invoke(cli, ["finetune", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    dataset = json.loads((run / "run.json").read_text())["dataset"]
    assert (dataset["split_folders"], dataset["class_names"]) == (False, ["bus", "train"])
    assert dataset["reading"] == RULES
    assert "Training on split 'train'" in done.stderr and ": 6 images" in done.stderr
