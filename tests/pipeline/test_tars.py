"""Tars as people make them: files of an example apart, links, names twice, cut off, odd labels."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet
from samples import encoded, picture

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset
from review_embeddings.pipeline.images.tarfiles import list_tar
from review_embeddings.pipeline.settings import DatasetReference

PNG = [encoded(picture(0, row)) for row in range(4)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def tar(folder: Path, *members: tuple[str, bytes | str], name: str = "x.tar") -> Path:
    """A tar of files, and of links where a text says where they lead."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / name, "w") as archive:
        for member, data in members:
            about = tarfile.TarInfo(member)
            if isinstance(data, str):
                about.type, about.linkname = tarfile.LNKTYPE, data
                archive.addfile(about)
            else:
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    return folder / name


def opened(folder: Path, **options: Any) -> OpenedDataset:
    return open_dataset(DatasetReference(str(folder), in_place=True, **options))


def labels_of(found: OpenedDataset) -> list[str | None]:
    assert found.labels is not None and found.classes is not None
    return [found.classes[code] if code >= 0 else None for code in found.labels.tolist()]


def reasons(found: OpenedDataset) -> dict[str, str]:
    return {one.name: one.reason for one in found.account.left_out}


def test_files_of_an_example_may_lie_apart(tmp_path: Path) -> None:
    """As `tar cf x.tar *.png *.cls` writes them (webdataset #140, ray #44068)."""
    images = [(f"{row}.png", PNG[row]) for row in range(3)]
    tar(tmp_path / "data", *images, ("0.cls", b"1"), ("1.cls", b"0"), ("2.cls", b"1"))
    assert labels_of(opened(tmp_path / "data")) == ["1", "0", "1"]


def test_the_last_of_two_files_of_one_name_counts(tmp_path: Path) -> None:
    """As when the tar is unpacked (webdataset #157)."""
    path = tar(tmp_path / "data", ("0.png", PNG[0]), ("0.cls", b"3"), ("0.png", PNG[1]))
    listing = list_tar(str(path))
    (members,) = listing.examples.values()
    with path.open("rb") as file:
        file.seek(members["png"].start)
        assert file.read(members["png"].size) == PNG[1]
    assert reasons(opened(tmp_path / "data")) == {
        "x.tar/0.png": "a later file of the tar has the same name"
    }


def test_links_and_keys_with_dots_in_their_folders(tmp_path: Path) -> None:
    """The keys as in huggingface/datasets #7150."""
    path = tar(tmp_path / "data", ("a/22.0/1.1.png", PNG[0]), ("b.c/2.1.png", "a/22.0/1.1.png"))
    examples = list_tar(str(path)).examples
    assert list(examples) == ["a/22.0/1", "b.c/2"] and list(examples["b.c/2"]) == ["1.png"]
    assert len({one["1.png"].start for one in examples.values()}) == 1


@pytest.mark.parametrize(("size", "rows"), [(2_600, 2), (2_000, 1), (1_536, 1)])
def test_a_tar_that_is_cut_off_is_read_as_far_as_it_goes(
    tmp_path: Path, size: int, rows: int
) -> None:
    """Within the second image, or its header, or before that."""
    path = tar(tmp_path / "data", ("0.png", PNG[0]), ("1.png", PNG[1]))
    path.write_bytes(path.read_bytes()[:size])
    found = opened(tmp_path / "data")
    assert len(found.rows) == rows and "cut off" in reasons(found)["x.tar"]


def test_tars_behind_each_other_are_said(tmp_path: Path) -> None:
    path = tar(tmp_path / "data", ("0.png", PNG[0]))
    path.write_bytes(path.read_bytes() * 2)
    assert reasons(opened(tmp_path / "data")) == {"x.tar": "what follows its end mark is not read"}


def test_labels_of_texts_and_files_that_cannot_be_parsed(tmp_path: Path) -> None:
    images = [(f"{row}.png", PNG[row]) for row in range(3)]
    tar(tmp_path / "cls", *images, ("0.cls", b"cat\n"), ("1.cls", b" 7"), ("2.cls", b""))
    assert labels_of(opened(tmp_path / "cls")) == ["cat", "7", None]
    tar(tmp_path / "txt", *images, ("0.label.txt", b"caf\xe9"), ("1.label.txt", b"b"))
    assert labels_of(opened(tmp_path / "txt")) == ["caf\xe9", "b", None]
    tar(tmp_path / "json", *images, ("0.json", b'{"label": "a"}'), ("1.json", b"{"))
    found = opened(tmp_path / "json")
    assert labels_of(found) == ["a", None, None]
    assert any("1.json" in note for note in found.account.notes)


def test_a_second_image_of_an_example_is_said(tmp_path: Path) -> None:
    first = [(f"{row}.png", PNG[0]) for row in range(5)]
    tar(tmp_path / "data", *first, ("6.png", PNG[1]), ("6.jpg", PNG[2]))
    assert list(reasons(opened(tmp_path / "data"))) == ["x.tar/6.jpg"]


def test_numbers_that_are_no_declared_class_end_with_their_count(tmp_path: Path) -> None:
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    schema = datasets.Features(kinds).arrow_schema
    cells = [{"bytes": data, "path": None} for data in PNG]
    table = pa.table({"image": cells, "label": [0, 7, 1, 9]}).cast(schema)
    parquet.write_table(table.replace_schema_metadata(schema.metadata), tmp_path / "x.parquet")
    for in_place in (False, True):
        reference = DatasetReference(str(tmp_path / "x.parquet"), in_place=in_place)
        with pytest.raises(DatasetError, match=r"2 of 4 labels .* 2 classes.*7, 9.*--ignore-label"):
            open_dataset(reference)
        ignoring = open_dataset(
            DatasetReference(reference.source, in_place=in_place, ignore_labels=True)
        )
        assert labels_of(ignoring) == ["a", None, "b", None]
        assert any("2 of 4 labels" in note for note in ignoring.account.notes)


def test_a_typing_error_is_no_column_that_other_splits_have(tmp_path: Path) -> None:
    for name in ("train", "test"):
        members = [("0.png", PNG[0])] + ([("0.cls", b"1")] if name == "train" else [])
        tar(tmp_path / "data", *members, name=f"{name}.tar")
    found = opened(tmp_path / "data", split="test", label_column="cls")
    assert found.labels is None and found.reference.label_column == "cls"
    with pytest.raises(DatasetError, match="no column 'cIs'"):
        opened(tmp_path / "data", split="test", label_column="cIs")
