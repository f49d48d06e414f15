"""The long table as people get it, its declaration, and its export."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from samples import CLASSES

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run.folder import RunFolder


def test_key_is_unique_and_complete_in_order(built_run: Path) -> None:
    frame = table.read(built_run)
    assert list(frame.columns) == list(table.COLUMNS.names())
    assert len(frame) == 36 * 3
    assert frame["checkpoint"].tolist() == [10] * 36 + [20] * 36 + [100] * 36
    assert frame["image_id"].tolist() == list(range(36)) * 3
    table.validate(frame)


def test_types_are_as_declared(built_run: Path) -> None:
    frame = table.read(built_run)
    kinds = {column.name: column.kind for column in table.COLUMNS}
    text = str(pd.Series(["text"]).dtype)  # object, and str from pandas 3 on
    for name, kind in kinds.items():
        expected = {"string": text, "vector": "object", "bytes": "object"}.get(kind, kind)
        assert str(frame[name].dtype) == expected, name
    assert (
        list(frame["label"].cat.categories) == list(frame["prediction"].cat.categories) == CLASSES
    )


def test_embeddings_are_read_only_views_and_images_one_object(built_run: Path) -> None:
    frame = table.read(built_run)
    first = frame["embedding"][0]
    assert (
        first.dtype == np.float32
        and first.shape == (16,)
        and not first.flags.owndata
        and not first.flags.writeable
    )
    np.testing.assert_array_equal(
        np.stack(frame["embedding"][36:72].tolist()),
        np.load(RunFolder(built_run).array("embeddings", 20)),
    )
    assert frame["image"][5] is frame["image"][36 + 5] is frame["image"][72 + 5]


def test_predictions_follow_from_the_probabilities(built_run: Path) -> None:
    frame = table.read(built_run, checkpoints=[20])
    probabilities = np.load(RunFolder(built_run).array("probabilities", 20))
    assert [CLASSES[best] for best in probabilities.argmax(1)] == frame["prediction"].tolist()
    np.testing.assert_allclose(frame["confidence"], probabilities.max(1))


def test_some_checkpoints_and_columns(built_run: Path) -> None:
    frame = table.read(str(built_run), checkpoints=[100, 10], columns=["y", "embedding", "label"])
    assert list(frame.columns) == ["y", "embedding", "label"] and len(frame) == 72
    assert list(table.read(built_run, columns=["image"]).columns) == ["image"]
    with pytest.raises(SettingsError, match="no column 'z'"):
        table.read(built_run, columns=["z"])
    with pytest.raises(RunError, match="no checkpoint 11; it has 10, 20, 100"):
        table.read(built_run, checkpoints=[11])
    with pytest.raises(RunError, match="no table yet"):
        table.read(built_run.parent)


def test_every_rule_of_the_declaration_is_checked(built_run: Path) -> None:
    frame = table.read(built_run).drop(columns=["embedding", "image"])
    broken = {
        "same image_id": pd.concat([frame, frame.iloc[:1]]),
        "not complete": frame.iloc[1:],
        "missing values": frame.assign(ood_score=frame["ood_score"].where(frame.index != 3)),
        "outside": frame.assign(x=frame["x"] + 6),
        "unknown": frame.assign(extra=1),
    }
    for message, wrong in broken.items():
        with pytest.raises(RunError, match=message):
            table.validate(wrong)


def test_manifest_says_what_was_done_to_each_checkpoint(built_run: Path) -> None:
    manifest = table.read_manifest(RunFolder(built_run))
    assert manifest is not None and manifest.steps == [10, 20, 100]
    last = manifest.checkpoints[-1]
    assert (last.epoch, last.loss, last.dimension) == (2.0, 1.0, 16)
    assert (
        last.disparity == pytest.approx(0, abs=1e-9)
        and last.scale > 0
        and last.explained_variance is not None
        and 0 < sum(last.explained_variance) <= 1
    )


def test_export_for_other_tools(built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(built_run)
    assert table.export(run, tmp_path / "all.parquet") == 108
    exported = parquet.read_table(tmp_path / "all.parquet")
    assert exported.column_names == list(table.COLUMNS.names())
    assert exported.schema.field("embedding").type == pa.list_(pa.float32(), 16)
    frame = table.read(built_run)
    np.testing.assert_array_equal(
        np.stack(exported.to_pandas()["embedding"].tolist()),
        np.stack(frame["embedding"].tolist()),
    )
    assert exported.column("image").to_pylist() == frame["image"].tolist()
    assert (
        table.export(
            run, tmp_path / "some.csv", checkpoints=[20, 100], columns=["image_id", "x", "label"]
        )
        == 72
    )
    read_back = pd.read_csv(tmp_path / "some.csv")
    assert list(read_back.columns) == ["image_id", "x", "label"] and len(read_back) == 72


def test_export_refuses_what_it_cannot_write(built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(built_run)
    with pytest.raises(SettingsError, match="must be one of .csv, .parquet, .json, .jsonl"):
        table.export(run, tmp_path / "all.xlsx")
    with pytest.raises(SettingsError, match="A CSV file cannot hold embedding"):
        table.export(run, tmp_path / "all.csv", columns=["embedding"])
    with pytest.raises(SettingsError, match="no column"):
        table.export(run, tmp_path / "all.csv", columns=["nope"])
    assert list(tmp_path.iterdir()) == []
