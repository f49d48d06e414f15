"""Paths and texts with bytes that are no UTF-8, and digits that are no numbers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import CheckedParquet, add_checksums
from review_embeddings.pipeline.text import is_number
from review_embeddings.pipeline.verify import verify

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


def test_a_fingerprint_of_half_a_character_is_one_of_its_own() -> None:
    assert fingerprint(a=BYTE) != fingerprint(a="Müller")


def test_only_the_ten_digits_are_numbers() -> None:
    assert is_number("10")
    assert not any(map(is_number, ("²", "٣", "", "-1", "1.0")))
