"""What the forms of a cleaned data set carry: splits with other columns, names that `datasets`
takes for files, files that are no rows; and what `datasets` itself cannot load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet
from samples import encoded, picture

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.dataset import RULES, load_split, split_names
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.exchange.apply import ApplyRequest, apply
from review_embeddings.review.exchange.formcard import configurations
from review_embeddings.review.exchange.reports import summary

LABEL = datasets.ClassLabel(names=["zebra", "ant"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def save(folder: Path, **splits: dict[str, tuple[Any, list[Any]]]) -> RunFolder:
    """A `save_to_disk` data set, and a run that reviewed its first split."""
    made = {
        name: datasets.Dataset.from_dict(
            {column: values for column, (_, values) in columns.items()},
            features=datasets.Features({column: kind for column, (kind, _) in columns.items()}),
        )
        for name, columns in splits.items()
    }
    shards = {name: None if len(rows) else 1 for name, rows in made.items()}
    datasets.DatasetDict(made).save_to_disk(str(folder / "data"), num_shards=shards)
    return reviewed(folder, split=next(iter(splits)))


def reviewed(folder: Path, split: str) -> RunFolder:
    run = RunFolder(folder / "run")
    run.path.mkdir()
    source = str(folder / "data")
    reference = DatasetReference(
        source, split=split, image_column="image", label_column="label", reading=RULES
    )
    run.write_info(RunInfo(dataset=reference))
    return run


def images(count: int, start: int = 0) -> tuple[Any, list[Any]]:
    cells = [{"bytes": encoded(picture(0, start + row)), "path": None} for row in range(count)]
    return datasets.Image(), cells


@pytest.mark.parametrize("form", ["parquet", "folder"])
def test_splits_with_other_columns_load_at_once_and_each_as_it_is(
    tmp_path: Path, form: str
) -> None:
    seconds = datasets.Value("timestamp[s]")  # which Parquet does not know
    run = save(
        tmp_path,
        train={"image": images(2), "label": (LABEL, [0, 1])},
        test={"taken": (seconds, [7, 8]), "image": images(2, start=5)},
    )
    out = tmp_path / "out"
    text = summary(apply(run, out, ApplyRequest(form=form)))
    assert "load_dataset(DIR): all splits, null for what one lacks" in text
    assert "load_dataset(DIR, 'test'): test" in text
    together = datasets.load_dataset(str(out))
    assert {name: len(rows) for name, rows in together.items()} == {"train": 2, "test": 2}
    assert together["train"]["label"][:] == [0, 1] and together["test"]["label"][:] == [None, None]
    assert together["train"].features["label"].names == LABEL.names
    for split in ("train", "test"):
        source = datasets.load_from_disk(str(tmp_path / "data"))[split]
        exact = datasets.load_dataset(str(out), split, split=split)
        assert list(exact.features.items()) == list(source.features.items())
        others = [name for name in source.column_names if name != "image"]
        assert exact.select_columns(others)[:] == source.select_columns(others)[:]
    assert split_names(DatasetReference(str(out))) == ["train", "test"]
    test = load_split(DatasetReference(str(out), split="test")).rows
    assert test.features["taken"] == seconds and len(test) == 2


def test_columns_that_do_not_fit_together_have_no_default_configuration() -> None:
    number, text = ({"n": datasets.Value(kind)} for kind in ("int64", "string"))
    assert configurations({"a": number, "b": text, "c": number}) == {"a-c": ["a", "c"], "b": ["b"]}
    assert configurations({"a": number, "b": number}) == {"default": ["a", "b"]}
    ordered = {"a": {"x": 1, "y": 2}, "b": {"y": 2, "x": 1}}
    assert list(configurations(ordered)) == ["default", "a", "b"]
    folds = {f"fold{number}": {"n": 1} for number in range(30)}
    names = configurations({**folds, "test": {"m": 1}})
    assert list(names) == ["default", "fold0-and-29-more", "test"]


def test_a_folder_carries_columns_of_texts_that_are_called_like_files(tmp_path: Path) -> None:
    texts = datasets.Value("string")
    run = save(
        tmp_path,
        train={
            "image": images(2),
            "original_file_name": (texts, ["IMG_1.jpg", "IMG_2.jpg"]),
            "label": (LABEL, [0, 1]),
        },
    )
    apply(run, tmp_path / "out", ApplyRequest(form="folder"))
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train")
    assert loaded["original_file_name"][:] == ["IMG_1.jpg", "IMG_2.jpg"]
    assert loaded[0]["image"].size and loaded.features["label"] == LABEL


def test_datasets_takes_a_column_file_name_for_files_whatever_the_card_says(
    tmp_path: Path,
) -> None:
    """So that a folder with one is refused."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(encoded(picture(0, 1)))
    table = pa.table({"image_file_name": ["1.png"], "file_name": ["old.png"]})
    parquet.write_table(table, tmp_path / "x" / "metadata.parquet")
    features = [{"name": "image", "dtype": "image"}, {"name": "file_name", "dtype": "string"}]
    config = {"config_name": "default", "data_files": "**", "features": features}
    (tmp_path / "x" / "README.md").write_text(f"---\n{json.dumps({'configs': [config]})}\n---\n")
    loaded = datasets.load_dataset(str(tmp_path / "x"), split="train")
    loaded = loaded.cast_column("image", datasets.Image(decode=False))
    assert loaded[0] == {
        "image": {"bytes": None, "path": str(tmp_path / "x" / "old.png")},
        "file_name": None,
    }


@pytest.mark.parametrize("groups", [0, 1])
def test_datasets_loads_no_file_without_rows(tmp_path: Path, groups: int) -> None:
    """So that a split without rows is refused, but for --as disk."""
    table = pa.table({"n": pa.array([], pa.int64())})
    with parquet.ParquetWriter(tmp_path / "x.parquet", table.schema) as file:
        for _ in range(groups):
            file.write_table(table)
    with pytest.raises((ValueError, datasets.exceptions.DatasetGenerationError)):
        datasets.load_dataset("parquet", data_files=str(tmp_path / "x.parquet"))


def test_datasets_gives_all_splits_of_a_configuration_the_same_columns(tmp_path: Path) -> None:
    """So that splits with other columns have configurations of their own."""
    files = {}
    for name, column in (("a", "n"), ("b", "m")):
        files[name] = str(tmp_path / f"{name}.parquet")
        parquet.write_table(pa.table({column: [1]}), files[name])
    with pytest.raises(datasets.exceptions.DatasetGenerationError):
        datasets.load_dataset("parquet", data_files=files)


@pytest.mark.parametrize("form", ["parquet", "folder"])
def test_a_split_without_rows_is_refused_with_the_form_that_carries_it(
    tmp_path: Path, form: str
) -> None:
    run = save(
        tmp_path,
        train={"image": images(2), "label": (LABEL, [0, 1])},
        test={"image": images(0), "label": (LABEL, [])},
    )
    with pytest.raises(SettingsError, match="split 'test' has no rows.*Use --as disk"):
        apply(run, tmp_path / "out", ApplyRequest(form=form))
    assert not (tmp_path / "out").exists()
    apply(run, tmp_path / "out")
    assert len(datasets.load_from_disk(str(tmp_path / "out"))["test"]) == 0


def test_files_of_the_source_that_are_no_rows_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for row in range(3):
        (folder / f"{row}.png").write_bytes(encoded(picture(0, row)))
    (folder / "metadata.csv").write_text("file_name,label\n0.png,a\n1.png,b\ngone.png,a\n")
    run = reviewed(tmp_path, "train")
    text = summary(apply(run, None, ApplyRequest(dry_run=True)))
    assert (
        "no rows, which are left out: 1\n  gone.png: named by metadata.csv, and not there" in text
    )
    written = summary(apply(run, tmp_path / "out"))
    assert (tmp_path / "out" / "summary.txt").read_text() == written
    assert "gone.png: named by metadata.csv" in written
