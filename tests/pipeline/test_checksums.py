"""Stored files carry checksums: what is read is what was written, or the file is named."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from review_embeddings.pipeline.engines.shards import Shards
from review_embeddings.pipeline.engines.work import Result
from review_embeddings.pipeline.errors import DamagedError, RunError
from review_embeddings.pipeline.images.normalisation import Normalisation
from review_embeddings.pipeline.images.pixels import PixelFile, PixelWriter
from review_embeddings.pipeline.run import checksums, folder
from review_embeddings.pipeline.run.checksums import (
    BlockChecksums,
    check,
    checksum_of,
    file_checksum,
    with_checksum,
)
from review_embeddings.pipeline.run.files import (
    check_files,
    read_json,
    write_checksums,
    write_json,
)
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.parquets import CheckedParquet, add_checksums
from review_embeddings.pipeline.settings import DatasetReference


def damage(path: Path, place: int, flip: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= flip
    path.write_bytes(data)
    checksums.forget()  # the clock of the file system may be coarser than this


def test_a_checksum_is_that_of_xxh3() -> None:
    assert checksum_of(b"") == "xxh3:2d06800538d394c2", "as the paper of XXH3 and its tools have it"
    assert checksum_of(b"a") != checksum_of(b"b")


def test_every_byte_of_an_array_counts(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    arrays: dict[str, NDArray[Any]] = {
        "neighbors": np.arange(6).reshape(3, 2),
        "distances": np.ones((3, 2), np.float32),
    }
    run.write_arrays(20, "f", arrays, {"recall": 1.0})
    for name in arrays:
        path = run.array(name, 20)
        whole = path.read_bytes()
        np.testing.assert_array_equal(run.read_array(name, 20), arrays[name])
        for place in range(len(whole)):
            damage(path, place)
            with pytest.raises(DamagedError, match=f"{name}/000020.npy is damaged"):
                run.read_array(name, 20)
            path.write_bytes(whole)
        path.unlink()
        with pytest.raises(DamagedError, match="it is not there"):
            run.read_array(name, 20)
        path.write_bytes(whole)


def test_what_was_checked_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "a", list[Path]()
    path.write_bytes(b"abc")
    stored = file_checksum(path)

    def counted(path: Path, ranges: object) -> str:
        read.append(path)
        return checksum_of(path.read_bytes())

    monkeypatch.setattr(checksums, "file_checksum", counted)
    check(path, stored, "")
    check(path, stored, "")
    assert len(read) == 1
    os.utime(path, (1, 1))
    check(path, stored, "")
    assert len(read) == 2
    check(path, None, "")
    check(path, "later:1", "")
    assert len(read) == 2, "without one that this version knows"


def test_results_of_before_have_no_checksums(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_arrays(0, "f", {"outliers": np.array([0.5, 0.25])}, {})
    marker = run.array("outliers", 0).with_suffix(".json")
    content = json.loads(marker.read_text())
    del content["checksum"], content["checksums"]
    marker.write_text(json.dumps(content))
    damage(run.array("outliers", 0), -1)
    assert run.is_current("outliers", 0, "f") and run.read_array("outliers", 0)[0] == 0.5
    damage(run.array("outliers", 0), 0)
    with pytest.raises(DamagedError, match="build --run .* --verify"):
        run.read_array("outliers", 0)


# -- JSON

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(content=st.dictionaries(st.text(max_size=5), values, max_size=5), chance=st.randoms())
def test_what_json_holds_counts_and_not_how_it_is_laid_out(
    tmp_path_factory: pytest.TempPathFactory,
    content: dict[str, object],
    chance: random.Random,
) -> None:
    path = tmp_path_factory.getbasetemp() / "content.json"
    content.pop("checksum", None)
    content.pop("format_version", None)
    write_json(path, content)
    assert read_json(path) == content
    shuffled = list(json.loads(path.read_text()).items())
    chance.shuffle(shuffled)
    path.write_text(json.dumps(dict(shuffled)))
    assert read_json(path) == content
    written = {**with_checksum(content), "more": 1}
    path.write_text(json.dumps(written))
    with pytest.raises(DamagedError, match="its checksum is another one"):
        read_json(path)


def test_every_byte_of_a_json_file_counts(tmp_path: Path) -> None:
    path, content = tmp_path / "a.json", {"loss": 0.25, "steps": [10, 20], "name": "cat"}
    write_json(path, content)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for flip in (1, 4, 32):
            damage(path, place, flip)
            try:
                read = read_json(path)
            except RunError as error:
                assert "a.json" in str(error)
            else:
                unknown = {name: one for name, one in read.items() if name not in content}
                assert {name: read[name] for name in content} == content, (place, flip, unknown)
            path.write_bytes(whole)


def test_a_file_that_people_edit_counts_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = list[str]()
    monkeypatch.setattr(checksums, "_listener", heard.append)
    run = RunFolder(tmp_path)
    run.write_info(RunInfo(DatasetReference("somewhere", split="test")))
    run.read_info()
    assert heard == []
    run.run_json.write_text(run.run_json.read_text().replace('"test"', '"train"'))
    info = run.read_info()
    run.read_info()
    assert info is not None and info.dataset.split == "train"
    assert len(heard) == 1 and "run.json is not as review-embeddings wrote it" in heard[0]
    run.write_info(info)
    assert run.read_info() == info and len(heard) == 1, "written again, it is as it was written"


# -- Parquet


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    path = tmp_path / "images.parquet"
    table = pa.table({"id": [1, 2, 3, 4], "name": ["a", "b", None, "d"]})
    schema = table.schema.with_metadata({"classes": '["cat"]'})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in (0, 2):
            writer.write_table(table.cast(schema).slice(start, 2))
        writer.add_key_value_metadata({"deep": "2"})
    return path


def test_checksums_change_nothing_of_a_parquet_file(checked: Path) -> None:
    before, metadata = parquet.read_table(checked), parquet.read_metadata(checked).metadata
    add_checksums(checked)
    assert parquet.read_table(checked).equals(before), "as any other reader sees it"
    after = parquet.read_metadata(checked).metadata
    kept = {key: one for key, one in metadata.items() if key != b"ARROW:schema"}
    assert kept.items() <= after.items()
    with CheckedParquet(checked, "") as file:
        assert file.verify() and file.read(["name", "id"]).select(["id", "name"]).equals(before)


def test_every_byte_of_a_parquet_file_counts(checked: Path) -> None:
    add_checksums(checked)
    whole, table = checked.read_bytes(), parquet.read_table(checked)
    same = 0
    for place in range(len(whole)):
        damage(checked, place, 1 << place % 8)
        try:
            with CheckedParquet(checked, "Delete it.") as file:
                assert file.read().equals(table), place
                same += 1
        except DamagedError as error:
            assert "images.parquet is damaged" in str(error) and "Delete it." in str(error)
        checked.write_bytes(whole)
    assert same < 40, "few bytes of it say nothing"


def test_only_what_is_read_is_checked(checked: Path) -> None:
    add_checksums(checked)
    column = parquet.read_metadata(checked).row_group(1).column(1)
    start = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
    damage(checked, start + column.total_compressed_size - 1)
    with CheckedParquet(checked, "") as file:
        assert file.read(["id"])["id"].to_pylist() == [1, 2, 3, 4]
        assert [batch["name"].to_pylist() for batch in file.batches(0, ["name"], 9)] == [["a", "b"]]
        with pytest.raises(DamagedError):
            list(file.batches(1, ["name"], 9))
        with pytest.raises(DamagedError):
            file.verify()


def test_parquet_files_of_before_have_no_checksums(checked: Path) -> None:
    with CheckedParquet(checked, "") as file:
        assert not file.verify() and file.read(["id"])["id"].to_pylist() == [1, 2, 3, 4]
    checked.write_bytes(checked.read_bytes()[:-9])
    with pytest.raises(DamagedError):
        CheckedParquet(checked, "")


# -- what is made anew


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 30))
def test_blocks_are_those_of_the_bytes_however_they_come(parts: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK", size)
        blocks = BlockChecksums()
        for part in parts:
            blocks.update(memoryview(part))
        data = b"".join(parts)
        expected = [checksum_of(data[at : at + size]) for at in range(0, len(data), size)]
        assert blocks.texts == expected


def test_preprocessed_images_are_checked_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "BLOCK", 24)  # two images of 3 x 2 x 2 levels
    normalisation = Normalisation([1 / 255] * 3, [0.0] * 3)
    writer = PixelWriter(tmp_path / "pixels.bin", normalisation)
    levels = np.arange(60, dtype=np.uint8).reshape(5, 3, 2, 2)
    writer.add(levels[:3])
    writer.add(levels[3:])
    writer.finish("images")
    blocks = tuple(read_json(tmp_path / "pixels.json")["blocks"])
    file = PixelFile(tmp_path / "pixels.bin", (5, 3, 2, 2), normalisation, blocks)
    assert len(blocks) == 3 and (file.rows(1, 5) == levels[1:]).all()
    damage(file.path, 30)
    assert (file.rows(0, 2) == levels[:2]).all() and (file.rows(4, 5) == levels[4:]).all()
    with pytest.raises(DamagedError, match="pixels.bin is damaged"):
        file.rows(1, 3)


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_info(RunInfo(DatasetReference("d")))
    shards = Shards(str(tmp_path), "key")
    shards.write((0, 2), Result({"scores": np.array([0.5, 0.25])}, {"recall": 1.0}))
    assert shards.has((0, 2)) and shards.read((0, 2)).arrays["scores"].tolist() == [0.5, 0.25]
    damage(shards.path((0, 2), "scores"), -3)
    assert not shards.has((0, 2))


def test_the_files_of_a_full_state_are_checked(tmp_path: Path) -> None:
    for name in ("optimizer.pt", "scheduler.pt"):
        (tmp_path / name).write_bytes(name.encode())
    check_files(tmp_path, "")
    write_checksums(tmp_path)
    check_files(tmp_path, "")
    damage(tmp_path / "scheduler.pt", 0)
    with pytest.raises(DamagedError, match="scheduler.pt is damaged.*Delete it"):
        check_files(tmp_path, "Delete it.")


# -- build --verify


def test_verify_names_each_damaged_file_and_what_brings_it_back(
    built_run: Path, tmp_path: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    import shutil

    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    code, output, errors = review_embeddings("build", "--verify", "--run", run.path)
    assert code == 0 and "stored files are as they were written" in output, errors
    damage(run.array("outliers", 20), -1)
    damage(run.array("embeddings", 10), -5)
    damage(next(run.table.glob("000100-*.parquet")), 100)
    damage(run.images, 400)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    code, output, errors = review_embeddings("build", "--verify", "--run", run.path)
    assert code == 2 and "Damaged files: 4." in errors
    for name, cure in (
        ("outliers/000020.npy", "outliers/000020.json; `review-embeddings build"),
        ("embeddings/000010.npy", "embeds it again where the weights of checkpoint 10"),
        ("table/000100-", "writes it again"),
        ("images.parquet", "read from the data set again"),
    ):
        line = next(line for line in errors.splitlines() if f"{name}" in line)
        assert "is damaged" in line and cure in line
    assert before == {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    run.array("outliers", 20).with_suffix(".json").unlink()
    run.array("embeddings", 10).with_suffix(".json").unlink()
    shutil.rmtree(run.table)
    run.images.unlink()
    for arguments in (["build"], ["build", "--verify"]):
        code, _, errors = review_embeddings(*arguments, "--run", run.path)
        assert code == 0, errors


def test_an_array_that_is_written_anew_while_it_is_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    run.write_arrays(0, "f", {"outliers": np.array([0.5])}, {})
    late = [True]

    def stored_then_written(run: RunFolder, name: str, step: int) -> str | None:
        found = read(run, name, step)
        if late.pop() if late else False:
            run.write_arrays(0, "g", {"outliers": np.array([0.25])}, {})
        return found

    read = folder._stored_checksum
    monkeypatch.setattr(folder, "_stored_checksum", stored_then_written)
    assert run.read_array("outliers", 0).tolist() == [0.25]


def test_who_reads_a_table_while_it_is_written_anew_goes_on_with_the_one_before(
    built_run: Path, tmp_path: Path
) -> None:
    import shutil

    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    before = table.read(run, columns=["image_id", "checkpoint", "x"])
    reading = table.iterate(run, columns=["image_id", "checkpoint", "x"])
    parts = [next(reading)[1]]
    build(run, Request(settings={"scaling": "common"}))
    parts += [part for _, part in reading]
    joined = np.concatenate([part["x"].to_numpy() for part in parts])
    assert (joined == before["x"].to_numpy()).all(), "none of the parts is of the new one"
    after = table.read(run, columns=["image_id", "checkpoint", "x"])
    assert (after["x"].to_numpy() != joined).any()
    build(run, Request(settings={"align_to": "first"}))
    files = len(list(run.table.glob("*.parquet")))
    assert files == 2 * 4, "this table and the one before, and none of earlier ones"
