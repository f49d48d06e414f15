"""Paths and texts with bytes that are no UTF-8, and digits that are no numbers."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from review_embeddings.pipeline import verify as verifying
from review_embeddings.pipeline.errors import (
    CheckpointError,
    DatasetError,
    SettingsError,
    StorageError,
)
from review_embeddings.pipeline.images.dataset import open_dataset
from review_embeddings.pipeline.images.metadata import is_metadata, read_metadata
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.images.walk import walk
from review_embeddings.pipeline.models.checkpoints import select
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.inside import open_alone
from review_embeddings.pipeline.run.parquets import CheckedParquet, add_checksums
from review_embeddings.pipeline.run.records import RecordError
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.text import is_number
from review_embeddings.pipeline.verify import verify
from review_embeddings.review.cli.program import cli
from review_embeddings.review.exchange.formats import read_rows

BYTE = os.fsdecode(b"M\xfcller")
"""As a path of an older system is called."""

STORED = Path(__file__).parents[1] / "data" / "format-1-complete"


def _folder(parent: Path) -> Path:
    folder = parent / BYTE
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this system has no such paths")
    return folder


def test_a_run_whose_path_is_no_utf8_is_read_and_is_not_damaged(tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(STORED, _folder(tmp_path) / "run")))
    assert read_images(run) is not None
    found = verify(run)
    assert found.unknown
    assert not [one for one in found.damaged if "checkpoint-" not in one.path.name]


def test_a_parquet_file_whose_path_is_no_utf8_is_written_and_read(tmp_path: Path) -> None:
    file = _folder(tmp_path) / "x.parquet"
    with for_arrow(file, "wb") as target:
        parquet.write_table(pa.table({"n": [1, 2]}), target)
    add_checksums(file)
    with CheckedParquet(file, "") as checked:
        assert checked.read()["n"].to_pylist() == [1, 2]


@pytest.mark.skipif(os.name == "nt", reason="a path can be anything there")
@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_what_no_file_can_be_called_is_no_path_in_a_run(name: str) -> None:
    with pytest.raises(RecordError, match="checkpoints is no path"):
        RunInfo(DatasetReference("x"), checkpoints=name).checked()
    with pytest.raises(RecordError, match=r"dataset\.source is no path"):
        RunInfo(DatasetReference(name)).checked()
    assert RunInfo(DatasetReference(BYTE)).checked()


def test_a_fingerprint_of_half_a_character_is_one_of_its_own() -> None:
    assert fingerprint(a=BYTE) != fingerprint(a="Müller")


def test_only_the_ten_digits_are_numbers() -> None:
    assert is_number("10")
    assert not any(map(is_number, ("²", "٣", "", "-1", "1.0")))


def test_a_data_set_whose_path_or_split_is_no_utf8_is_refused(tmp_path: Path) -> None:
    for reference in (
        DatasetReference(str(_folder(tmp_path))),
        DatasetReference(str(tmp_path), split=BYTE),
    ):
        with pytest.raises(DatasetError, match="no UTF-8"):
            open_dataset(reference)


def test_a_file_that_may_not_be_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(Path(shutil.copytree(STORED, tmp_path / "run")))

    def refused() -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(run.images))

    monkeypatch.setattr(verifying, "_all_checks", lambda run: [(run.images, refused)])
    found = verify(run)
    assert not found.damaged
    assert len(found.unreadable) == 1
    assert ".." not in found.unreadable[0].message.replace(str(run), "")
    result = CliRunner().invoke(cli, ["build", "--verify", "--run", str(run)])
    assert result.exit_code == 2
    assert "Files that cannot be read: 1." in result.output
    assert "damaged" not in result.output


def test_a_parquet_list_with_a_name_twice_or_a_time_out_of_range_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice, late = tmp_path / "twice.parquet", tmp_path / "late.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["x", "x"]), twice)
    parquet.write_table(pa.table({"decided_at": pa.array([2**62], pa.timestamp("ms"))}), late)
    with pytest.raises(SettingsError, match="several columns"):
        read_rows(twice)
    with pytest.raises(SettingsError, match="out of range"):
        read_rows(late)
    parquet.write_table(
        pa.table({"decided_at": pa.array([1], pa.timestamp("ms", "No/Zone"))}), late
    )
    for _ in ("with pytz where it is installed", "without"):
        with pytest.raises(SettingsError, match="unknown time zone"):
            read_rows(late)
        monkeypatch.setitem(sys.modules, "pytz", None)


def test_a_step_of_thousands_of_digits_is_not_there() -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint 9+…;"):
        select([1, 2], ["9" * 5000])


def test_metadata_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "metadata.jsonl"
    file.write_text('{"file_name": ' + "[" * 200_000 + "]" * 200_000 + "}")
    (entry,) = (one for one in walk(str(tmp_path)).entries if is_metadata(one))
    with pytest.raises(DatasetError, match="nested too deeply"):
        read_metadata([entry])


def test_decisions_are_not_added_to_a_file_of_two_names(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"")
    os.close(open_alone(file, os.O_WRONLY))
    os.link(file, tmp_path / "backup")
    with pytest.raises(StorageError, match="hard link"):
        open_alone(file, os.O_WRONLY)
