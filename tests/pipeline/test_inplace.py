"""Images that stay where they are: the same run as from a copy, whatever they lie in; and what is
said when they are gone."""

import csv
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notes import Notes
from PIL import Image
from samples import CLASSES, encoded, picture, save_checkpoint
from shards import rows_a_shard

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import DatasetError, RunError
from review_embeddings.pipeline.images.dataset import open_dataset
from review_embeddings.pipeline.images.inplace import read_cells
from review_embeddings.pipeline.images.preview import shown_in_browser
from review_embeddings.pipeline.images.reading import ImageRecord, read_image
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages import images as build_module
from review_embeddings.pipeline.stages import reading
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.review.exchange.export import copy_images

FILES = [encoded(picture(row % 3, seed=row)) for row in range(20)]
BROKEN = (7, 13)
"""Images that cannot be read: no picture, and one that is cut off."""


def files() -> list[bytes]:
    made = list(FILES)
    made[7], made[13] = b"no image", made[13][:50]
    return made


def as_folder(path: Path) -> Path:
    for row, data in enumerate(files()):
        file = path / "test" / CLASSES[row % 3] / f"{row:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        (path / "train" / CLASSES[row % 3]).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path / "train" / CLASSES[row % 3] / file.name)
    return path


def as_parquet(path: Path, *, group: int = 3) -> Path:
    """Shards of two splits with row groups of a few rows."""
    features = datasets.Features(
        {"label": datasets.ClassLabel(names=CLASSES), "image": datasets.Image()}
    )
    cells = [{"bytes": data, "path": f"{row}.png"} for row, data in enumerate(files())]
    path.mkdir(parents=True)
    for name, part in (
        ("test-00000-of-00002", range(8)),
        ("test-00001-of-00002", range(8, 20)),
        ("train-00000-of-00001", range(3)),
    ):
        rows = datasets.Dataset.from_dict(
            {"image": [cells[row] for row in part], "label": [row % 3 for row in part]},
            features=features,
        )
        rows.to_parquet(str(path / f"{name}.parquet"), batch_size=group)
    return path


def as_tars(
    path: Path,
    label: Callable[[int], tuple[str, bytes]] = lambda row: ("cls", str(row % 3).encode()),
) -> Path:
    path.mkdir(parents=True)
    for name, part in (
        ("test-0000", range(8)),
        ("test-0001", range(8, 20)),
        ("train-0000", range(3)),
    ):
        with tarfile.open(path / f"{name}.tar", "w") as archive:
            for row in part:
                for ending, data in (("png", files()[row]), label(row)):
                    about = tarfile.TarInfo(f"some/{row:04d}.{ending}")
                    about.size = len(data)
                    archive.addfile(about, io.BytesIO(data))
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    "folder": as_folder,
    "parquet": as_parquet,
    "tars": as_tars,
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints."""
    folder = tmp_path_factory.mktemp("trained")
    for step in (10, 20):
        save_checkpoint(folder / f"checkpoint-{step}", seed=step, step=step, classes=CLASSES)
    return folder


def made(run: Path, checkpoints: Path, source: object, **said: Any) -> Built:
    return build(
        RunFolder(run),
        Request(dataset={"source": str(source), **said}, checkpoints=str(checkpoints)),
    )


def in_run(run: Path) -> dict[str, Any]:
    """All that a run says of its images."""
    images = read_images(RunFolder(run))
    assert images is not None
    return {
        "ids": images.ids.tolist(),
        "hashes": images.hashes,
        "paths": images.paths,
        "labels": images.label_names,
        "bytes": images.read_bytes(),
        "shown": images.read_bytes(preview=True),
        "skipped": list(csv.reader(io.StringIO((run / "skipped.csv").read_text()))),
        "sizes": parquet.read_table(
            run / "images.parquet", columns=["width", "height"]
        ).to_pylist(),
    }


def same(one: Path, other: Path) -> None:
    assert in_run(one) == in_run(other)
    frame, expected = (table.read(run).drop(columns=["embedding"]) for run in (one, other))
    pd.testing.assert_frame_equal(frame, expected, rtol=0, atol=0)
    for step in (10, 20):
        vectors, wanted = (RunFolder(run).read_array("embeddings", step) for run in (one, other))
        np.testing.assert_array_equal(vectors, wanted)


@pytest.fixture
def small_shards() -> Iterator[None]:
    with rows_a_shard(images=4, pixels=4):
        yield


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "said",
    [{}, {"limit": 9}, {"label_column": "none", "split": "train"}],
    ids=["all", "sample", "unlabelled"],
)
def test_the_run_is_that_of_a_copy(
    kind: str,
    said: dict[str, Any],
    checkpoints: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = KINDS[kind](tmp_path / "data")
    made(tmp_path / "copied", checkpoints, source, **said)
    monkeypatch.setattr(
        datasets.DatasetBuilder, "download_and_prepare", None
    )  # nothing is converted
    made(tmp_path / "in-place", checkpoints, source, in_place=True, **said)
    same(tmp_path / "copied", tmp_path / "in-place")
    assert {"image", "preview"}.isdisjoint(
        parquet.read_schema(tmp_path / "in-place" / "images.parquet").names
    )
    assert not list((tmp_path / "in-place").glob("shards/*"))
    if not said:
        assert [line[0] for line in in_run(tmp_path / "in-place")["skipped"]] == [
            "image_id",
            *(str(row) for row in broken(kind)),
        ]
    assert made(tmp_path / "in-place", checkpoints, source).seconds == {}  # and it is remembered


def broken(kind: str) -> list[int]:
    """Rows of the images that cannot be read; folders are in the order of their names."""
    order = (
        sorted(range(20), key=lambda row: (CLASSES[row % 3], row))
        if kind == "folder"
        else list(range(20))
    )
    return sorted(order.index(row) for row in BROKEN)


def test_what_json_says_of_an_image(checkpoints: Path, tmp_path: Path) -> None:
    def described(row: int) -> tuple[str, bytes]:
        return "json", json.dumps(
            {"label": None if row == 4 else CLASSES[row % 3], "from": {"year": row}}
        ).encode()

    source = as_tars(tmp_path / "data", described)
    for name, in_place in (("copied", False), ("in-place", True)):
        built = made(tmp_path / name, checkpoints, source, in_place=in_place)
        assert built.info.dataset.label_column == "json.label" and built.info.classes == CLASSES
        assert built.images.label_names is not None and built.images.label_names[3:6] == [
            "blue",
            None,
            "red",
        ]
    same(tmp_path / "copied", tmp_path / "in-place")
    with pytest.raises(DatasetError, match="no column 'json.colour'; it has 'png', 'json'"):
        open_dataset(DatasetReference(str(source), label_column="json.colour", in_place=True))


def test_on_a_server(checkpoints: Path, tmp_path: Path) -> None:
    server = fsspec.filesystem("memory")
    for kind in KINDS:
        source = KINDS[kind](tmp_path / kind)
        for file in source.rglob("*.*"):
            server.pipe_file(f"/{kind}/{file.relative_to(source).as_posix()}", file.read_bytes())
        here, there = tmp_path / f"{kind}-here", tmp_path / f"{kind}-there"
        made(here, checkpoints, source, in_place=True)
        made(there, checkpoints, f"memory://{kind}", in_place=True)
        assert {**in_run(here), "paths": None, "skipped": None} == {
            **in_run(there),
            "paths": None,
            "skipped": None,
        }
        assert in_run(here)["skipped"][1][0] == in_run(there)["skipped"][1][0] != []
    assert made(there, checkpoints, f"memory://{kind}").seconds == {}
    server.pipe_file("/tars/test-0001.tar", server.cat_file("/tars/train-0000.tar"))
    with pytest.raises(DatasetError, match="has changed since"):
        in_run(there)
    assert len(made(there, checkpoints, f"memory://{kind}").images) == 7 + 3
    server.rm("/tars", recursive=True)
    assert (
        made(there, checkpoints, f"memory://{kind}").seconds == {}
    )  # what was computed can be looked at without the data
    found = open_dataset(
        DatasetReference("memory://parquet/test-00001-of-00002.parquet", in_place=True)
    )
    assert len(found.rows) == 12 and found.reference.split == "train"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_gone_or_has_changed(kind: str, checkpoints: Path, tmp_path: Path) -> None:
    source = KINDS[kind](tmp_path / "data")
    images = made(tmp_path / "run", checkpoints, source, in_place=True).images
    data = images.read_bytes()
    victim = {
        "folder": "test/blue/03.png",
        "parquet": "test-00001-of-00002.parquet",
        "tars": "test-0001.tar",
    }[kind]
    shutil.move(source / victim, tmp_path / "elsewhere")
    assert [one for _, one in images.take(np.arange(1)).read_some([0])] == data[
        :1
    ]  # what is left can be read
    with pytest.raises(
        DatasetError, match=f"{victim}.* cannot be read where it lies: .*No such file.*--dataset"
    ):
        images.read_bytes()
    other = (
        source
        / {
            "folder": "test/red/05.png",
            "parquet": "train-00000-of-00001.parquet",
            "tars": "train-0000.tar",
        }[kind]
    )
    shutil.copy(other, source / victim)
    with pytest.raises(
        DatasetError, match="has changed since.|has no row 3 any more: it has changed"
    ):
        images.read_bytes()
    built = made(tmp_path / "run", checkpoints, source)
    assert (
        built.seconds["images"] > 0 and in_run(tmp_path / "run")["hashes"] != images.hashes
    )  # a build sees it and reads again


def test_what_cannot_stay_where_it_is(tmp_path: Path) -> None:
    cells = {"image": [{"bytes": FILES[0], "path": None}]}
    rows = datasets.Dataset.from_dict(
        cells, features=datasets.Features({"image": datasets.Image()})
    )
    rows.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.csv").write_text("image\n1.png\n")
    for name in ("saved", "texts"):
        with pytest.raises(
            DatasetError,
            match="cannot be read in place: --in-place takes Parquet files, WebDataset tars",
        ):
            open_dataset(DatasetReference(str(tmp_path / name), in_place=True))
    source = as_tars(tmp_path / "tars")
    whole = (source / "test-0001.tar").read_bytes()
    (source / "test-0001.tar").write_bytes(gzip.compress(whole))
    with pytest.raises(
        DatasetError, match=r"test-0001.tar cannot be read where it lies.*not compressed"
    ):
        open_dataset(DatasetReference(str(source), in_place=True))
    with tarfile.open(source / "test-0001.tar", "w") as archive:
        for _ in range(2):
            archive.add(tmp_path / "texts" / "a.csv", "a.png")
    opened = open_dataset(DatasetReference(str(source), in_place=True))
    assert [one.name for one in opened.account.left_out] == ["test-0001.tar/a.png"]
    with pytest.raises(DatasetError, match=r"no split 'dev'; it has 'train', 'test'"):
        open_dataset(
            DatasetReference(str(as_folder(tmp_path / "folder")), split="dev", in_place=True)
        )


@pytest.mark.usefixtures("small_shards")
def test_pictures_are_prepared_again_from_where_they_lie(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_parquet(tmp_path / "data")
    before = in_run(made(tmp_path / "run", checkpoints, source, in_place=True).run.path)
    vectors = np.array(RunFolder(tmp_path / "run").read_array("embeddings", 20))
    shutil.rmtree(tmp_path / "run" / "cache")
    shutil.rmtree(tmp_path / "run" / "embeddings")
    assert set(made(tmp_path / "run", checkpoints, source).seconds) >= {"pixels", "embeddings"}
    assert in_run(tmp_path / "run") == before
    np.testing.assert_array_equal(RunFolder(tmp_path / "run").read_array("embeddings", 20), vectors)
    images = read_images(RunFolder(tmp_path / "run"))
    assert images is not None
    for folder in ("cache", "embeddings"):
        shutil.rmtree(tmp_path / "run" / folder)
    monkeypatch.setattr(
        build_module,
        "read_images",
        lambda run: replace(images, hashes=["0" * 64, *images.hashes[1:]]),
    )
    with pytest.raises(
        DatasetError, match="Image 0 of the run is not where it was, or has changed"
    ):
        made(tmp_path / "run", checkpoints, source)
    assert not list((tmp_path / "run").glob("shards/*"))


class StoppedError(Exception):
    """In place of a kill."""


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("cache_too", [True, False])
def test_what_was_read_is_not_read_again(
    cache_too: bool, checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_tars(tmp_path / "data")
    made(tmp_path / "whole", checkpoints, source, in_place=True)
    read, seen = reading.read_rows, list[int]()

    def noting(rows: slice, **inputs: Any) -> Any:
        seen.append(rows.start)
        return read(rows, **inputs)

    def stopping(rows: slice, **inputs: Any) -> Any:
        if len(seen) == 2:
            raise StoppedError
        return noting(rows, **inputs)

    monkeypatch.setattr(reading, "read_rows", stopping)
    with pytest.raises(StoppedError):
        made(tmp_path / "run", checkpoints, source, in_place=True)
    assert seen == [0, 4] and not (tmp_path / "run" / "images.parquet").exists()
    if not cache_too:
        shutil.rmtree(tmp_path / "run" / "cache")
    seen[:] = []
    monkeypatch.setattr(reading, "read_rows", noting)
    made(tmp_path / "run", checkpoints, source)
    assert seen == ([8, 12, 16] if cache_too else [0, 4, 8, 12, 16])
    same(tmp_path / "whole", tmp_path / "run")


def test_a_copy_after_all_and_back(checkpoints: Path, tmp_path: Path) -> None:
    source = as_parquet(tmp_path / "data")
    expected = in_run(made(tmp_path / "run", checkpoints, source).run.path)
    for in_place in (True, False):
        built = made(tmp_path / "run", checkpoints, source, in_place=in_place)
        assert set(built.seconds) == {"images"} and (built.images.column == "image") == in_place
        assert in_run(tmp_path / "run") == expected
        cached = list((tmp_path / "run" / "cache").rglob("*.bin"))
        assert len(cached) == 1 and (cached[0].parent.name == "cache") != in_place


def test_data_inside_the_run_folder_moves_with_it(checkpoints: Path, tmp_path: Path) -> None:
    source = as_parquet(tmp_path / "run" / "data")
    before = in_run(made(tmp_path / "run", checkpoints, source, in_place=True).run.path)
    shutil.move(tmp_path / "run", tmp_path / "moved")
    assert in_run(tmp_path / "moved") == before
    assert made(tmp_path / "moved", checkpoints, tmp_path / "moved" / "data").seconds == {}


def test_every_row_group_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = as_parquet(tmp_path / "data")
    places = open_dataset(DatasetReference(str(source), in_place=True)).rows.data.table
    read: list[int] = []
    original = parquet.ParquetFile.iter_batches

    def counting(self: Any, size: int, row_groups: list[int], columns: list[str]) -> Any:
        read.extend(row_groups)
        return original(self, size, row_groups, columns)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counting)
    assert [cell["bytes"] for cell in read_cells(places, "image")] == files()
    assert read == [0, 1, 2, 0, 1, 2, 3]
    read.clear()
    assert [cell["path"] for cell in read_cells(places.take([1, 2, 19]), "image")] == [
        "1.png",
        "2.png",
        "19.png",
    ]
    assert read == [0, 3]


def test_columns_of_bytes_and_of_paths(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(FILES[0])
    for cells, expected in (
        ([FILES[0], None], [{"bytes": FILES[0], "path": None}, {"bytes": None, "path": None}]),
        ([str(tmp_path / "a.png")], [{"bytes": None, "path": str(tmp_path / "a.png")}]),
    ):
        parquet.write_table(pa.table({"picture": cells}), tmp_path / "x.parquet")
        reference = DatasetReference(str(tmp_path / "x.parquet"), image_column="picture")
        copied, in_place = (
            open_dataset(replace(reference, in_place=here)) for here in (False, True)
        )
        assert list(read_cells(in_place.rows.data.table, "picture")) == expected
        assert [
            cell or {"bytes": None, "path": None} for cell in copied.rows[:]["picture"]
        ] == expected


def test_what_a_browser_is_shown_is_what_a_copy_has() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for image, kind, options in (
        (picture(0, 0), "PNG", {}),
        (Image.new("RGB", (2000, 1000)), "JPEG", {}),
        (Image.new("CMYK", (8, 8)), "TIFF", {}),
        (Image.new("P", (8, 8)), "GIF", {}),
        (Image.new("RGBA", (8, 8)), "WEBP", {}),
        (Image.new("RGB", (20, 10)), "JPEG", {"exif": exif}),
    ):
        data = encoded(image, kind, **options)
        record = read_image(0, 0, {"bytes": data, "path": None})
        assert isinstance(record, ImageRecord) and shown_in_browser(data) == (
            record.preview or data
        )


def test_tars_in_a_store(bucket: Any, checkpoints: Path, tmp_path: Path) -> None:
    store, name = bucket
    source = as_tars(tmp_path / "data")
    store.put(f"{source}/", f"{name}/data/", recursive=True)
    made(tmp_path / "local", checkpoints, source, in_place=True)
    made(tmp_path / "there", checkpoints, f"s3://{name}/data", in_place=True)
    one, other = (in_run(tmp_path / run) for run in ("local", "there"))
    assert one == other


def test_images_that_are_there_no_more_are_said_and_a_query_changes_nothing(
    checkpoints: Path, tmp_path: Path
) -> None:
    source = as_parquet(tmp_path / "data")
    built = made(tmp_path / "run", checkpoints, source, in_place=True)
    (source / "test-00001-of-00002.parquet").unlink()
    with pytest.raises(
        RunError,
        match=r"is not up to date: checkpoints, images or settings have changed. Run: "
        r"review-embeddings build",
    ):
        build(RunFolder(tmp_path / "run"), Request(only_read=True))
    assert len(table.read(tmp_path / "run", columns=["image_id"])) == 2 * len(built.images)
    listening = Notes()
    build(RunFolder(tmp_path / "run"), Request(), progress=listening)
    assert (
        "The data set has changed since: 18 images then, 7 now (11 pictures gone, 0 new)"
        in listening.lines
    )
    (source / "test-00000-of-00002.parquet").touch()  # read again, and nothing is different
    listening = Notes()
    build(RunFolder(tmp_path / "run"), Request(), progress=listening)
    assert any("Reviewing its split" in note for note in listening.lines)
    assert not any("has changed" in note for note in listening.lines)


def test_an_export_that_cannot_be_finished_leaves_no_pictures(
    checkpoints: Path, tmp_path: Path
) -> None:
    source = as_parquet(tmp_path / "data")
    built = made(tmp_path / "run", checkpoints, source, in_place=True)
    (source / "test-00001-of-00002.parquet").unlink()
    frame = pd.DataFrame({"image_id": built.images.ids})
    with pytest.raises(DatasetError, match="cannot be read where it lies"):
        copy_images(frame, built.images, tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def both_ways(source: Path, **options: Any) -> tuple[list[bytes], list[str | None]]:
    """The images and labels of a data set; the same whether it is copied or read in place."""
    found = []
    for in_place in (False, True):
        opened = open_dataset(DatasetReference(str(source), in_place=in_place, **options))
        column = str(opened.reference.image_column)
        cells = (
            opened.rows[:][column] if not in_place else read_cells(opened.rows.data.table, column)
        )
        records = [read_image(row, 0, cell) for row, cell in enumerate(cells)]
        data = [one.data if isinstance(one, ImageRecord) else b"" for one in records]
        names = [
            None if opened.labels is None or code < 0 else (opened.classes or [])[code]
            for code in ([-1] * len(data) if opened.labels is None else opened.labels.tolist())
        ]
        found.append((data, names))
    assert found[0] == found[1]
    return found[0]


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))


def test_shards_without_the_column_of_labels_and_of_other_types(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    shards: dict[str, Any] = {"a": None, "b": [1, 0], "c": ["0", "2"], "d": None}
    for name, labels in shards.items():
        cells = [{"bytes": data, "path": None} for data in FILES[:2]]
        columns: dict[str, Any] = {"image": pa.array(cells, kind)}
        if labels is not None:
            columns["label"] = labels
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    data, names = both_ways(tmp_path)
    assert data == FILES[:2] * 4
    assert names == [None, None, "1", "0", "0", "2", None, None]


def test_tars_that_mix_endings(tmp_path: Path) -> None:
    jpeg = encoded(picture(0, 1), "JPEG")
    members: dict[str, bytes] = {}
    for row in range(12):
        ending = ["png", "jpg", "JPEG", "webp"][row % 4]
        members[f"__{row:03d}.{ending}"] = FILES[row] if ending == "png" else jpeg
        members[f"__{row:03d}.cls"] = str(row % 2).encode()
    write_tar(tmp_path / "train-0.tar", members)
    data, labels = both_ways(tmp_path)
    assert data == [FILES[row] if row % 4 == 0 else jpeg for row in range(12)]
    assert labels == [str(row % 2) for row in range(12)]


def test_json_labels_of_mixed_type(tmp_path: Path) -> None:
    members: dict[str, bytes] = {}
    for row in range(12):
        label = row % 2 if row < 8 else str(row % 2)
        members[f"{row:03d}.png"] = FILES[row]
        members[f"{row:03d}.json"] = json.dumps({"label": label, "n": [row]}).encode()
    write_tar(tmp_path / "data" / "train-0.tar", members)
    _, labels = both_ways(tmp_path / "data")
    assert labels == [str(row % 2) for row in range(12)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["png", "jpg", "PNG"]),
            st.sampled_from([0, 1, "0", "1", "x", 1.0, None, -1]),
        ),
        min_size=1,
        max_size=9,
    ),
    st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_in_place_is_a_copy_whatever_lies_in_a_tar(
    rows: list[tuple[str, Any]], in_folder: bool
) -> None:
    with TemporaryDirectory() as place:
        members: dict[str, bytes] = {}
        for row, (ending, label) in enumerate(rows):
            members[f"{'d/' if in_folder else ''}{row:03d}.{ending}"] = FILES[row]
            members[f"{'d/' if in_folder else ''}{row:03d}.json"] = json.dumps(
                {"label": label}
            ).encode()
        write_tar(Path(place) / "x.tar", members)
        data, _ = both_ways(Path(place))
        assert data == FILES[: len(rows)]
