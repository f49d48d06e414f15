"""Run folders that came from somebody else: links, names that lead elsewhere, absurd files."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from review_embeddings.pipeline.errors import DamagedError, ReviewError, RunError, StorageError
from review_embeddings.pipeline.images import opening
from review_embeddings.pipeline.images.opening import check_followed, follow
from review_embeddings.pipeline.images.preview import NOTHING, RASTER, for_viewers
from review_embeddings.pipeline.images.reading import SkippedImage, read_image
from review_embeddings.pipeline.models.forms.looks import first_bytes
from review_embeddings.pipeline.run import bounded, storage
from review_embeddings.pipeline.run.bounded import (
    TooLargeError,
    open_parquet,
    parse_json,
    read_bytes,
    read_npy,
    read_parquet,
    safetensors_header,
)
from review_embeddings.pipeline.run.checksums import KIND, check, file_checksum
from review_embeddings.pipeline.run.files import whole_file, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import (
    OF_A_RUN,
    check_trained_into,
    is_within,
    make_folder,
    open_inside,
    remove_file,
    remove_tree,
    within,
)
from review_embeddings.pipeline.run.temporary import remove_leftovers, temporary_path
from review_embeddings.pipeline.stages.registry import STAGES
from review_embeddings.pipeline.training.log import TrainingLog
from review_embeddings.review.decisions.log import writing


@dataclass(frozen=True)
class Planted:
    """A run folder of a stranger, and what lies outside of it."""

    run: RunFolder
    outside: Path
    """A folder with ``kept.txt`` and ``inner/kept.txt``."""

    def untouched(self) -> bool:
        files = {
            path.relative_to(self.outside).as_posix(): path.read_bytes()
            for path in self.outside.rglob("*")
            if path.is_file()
        }
        return files == {"kept.txt": b"kept", "inner/kept.txt": b"kept"}


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    for folder in (outside, outside / "inner"):
        (folder / "kept.txt").write_bytes(b"kept")
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.run_json.write_text("{}")
    return Planted(run, outside)


# -- links

FOLDERS = ("embeddings", "cache", "resume", "shards", "exports", "table")

WRITES: dict[str, Callable[[Path], object]] = {
    "a whole file": lambda path: write_json(path, {}),
    "a temporary file": temporary_path,
    "a folder": lambda path: make_folder(path / "x"),
    "a file deleted": storage.remove,
    "a folder deleted": lambda path: storage.remove_folder(path.parent / "inner"),
    "a file opened": lambda path: os.close(open_inside(path, os.O_WRONLY | os.O_CREAT)),
    "a file removed": remove_file,
    "a tree removed": lambda path: remove_tree(path.parent / "inner"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("depth", [1, 2])
def test_nothing_is_written_or_deleted_through_a_linked_folder(
    planted: Planted, write: Callable[[Path], object], depth: int
) -> None:
    folder = planted.run.path.joinpath(*("embeddings", "deep")[:depth])
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(planted.outside)
    with pytest.raises(StorageError, match="is a link in a run folder"):
        write(folder / "kept.txt")
    assert planted.untouched() and folder.is_symlink()


@pytest.mark.parametrize("name", [".lock", ".embedding.lock", ".decisions.lock", ".training.lock"])
def test_no_lock_is_taken_through_a_link(planted: Planted, name: str) -> None:
    (planted.run.path / name).symlink_to(planted.outside / "kept.txt")
    locks = {
        ".lock": planted.run.lock,
        ".embedding.lock": planted.run.embedding_lock,
        ".decisions.lock": planted.run.decision_lock,
        ".training.lock": planted.run.training_lock,
    }
    with pytest.raises(StorageError, match="is a link in a run folder"), locks[name]():
        pass
    assert planted.untouched()


def test_the_watched_run_is_not_asked_through_a_link(planted: Planted) -> None:
    (planted.run.path / ".training.lock").symlink_to(planted.outside / "kept.txt")
    with pytest.raises(StorageError, match="is a link in a run folder"):
        planted.run.is_trained_into()
    assert planted.untouched()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_of_results_is_refused_before_any_work(planted: Planted, name: str) -> None:
    (planted.run.path / name).symlink_to(planted.outside)
    refused = pytest.raises(StorageError, match=f"{name} is a link in a run folder")
    with refused, planted.run.lock():
        pass
    assert planted.untouched()


def test_every_folder_of_results_is_one_of_those() -> None:
    names = {name for one in STAGES for name in (one.name, *one.outputs)}
    assert {one for one in names if not OF_A_RUN.fullmatch(one)} <= {"images", "pixels"}
    assert all(map(OF_A_RUN.fullmatch, FOLDERS))


def test_decisions_and_what_was_cut_off_are_not_added_through_links(planted: Planted) -> None:
    for name in ("decisions.jsonl", "decisions.torn"):
        (planted.run.path / name).symlink_to(planted.outside / "kept.txt")
    for _ in range(2):
        refused = pytest.raises(StorageError, match="is a link in a run folder")
        with refused, writing(planted.run, lambda text: None):
            pass
        planted.run.decisions.unlink()
        planted.run.decisions.write_bytes(b'{"torn')
    assert planted.untouched()


def test_the_log_does_not_grow_through_a_link(planted: Planted) -> None:
    log = TrainingLog(planted.run.log)
    log.begin(0)
    planted.run.log.unlink()
    planted.run.log.symlink_to(planted.outside / "kept.txt")
    with pytest.raises(StorageError, match="is a link in a run folder"):
        log.add(1, {"loss": 1.0})
    assert planted.untouched()


def test_a_linked_file_is_replaced_and_what_it_points_to_stays(planted: Planted) -> None:
    planted.run.skipped.symlink_to(planted.outside / "kept.txt")
    temporary = planted.run.path / f".writing-{os.getpid()}-skipped.csv"
    temporary.symlink_to(planted.outside / "kept.txt")
    with whole_file(planted.run.skipped) as path:
        path.write_text("new")
    assert planted.run.skipped.read_text() == "new" and not planted.run.skipped.is_symlink()
    assert planted.untouched()


def test_links_that_look_like_leftovers_go_and_nothing_behind_them(planted: Planted) -> None:
    for name, target in (("a", planted.outside), ("b", planted.outside / "kept.txt")):
        (planted.run.path / f".writing-1-{name}").symlink_to(target)
    with planted.run.lock():
        pass
    remove_leftovers(planted.run.path)
    assert planted.untouched()


@pytest.mark.parametrize(
    "name", ["config.json", "checkpoint-10", "checkpoint-10/x", "resume", "resume/a/b"]
)
def test_a_training_is_refused_where_its_libraries_would_write_through_a_link(
    planted: Planted, name: str
) -> None:
    link = planted.run.path / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(planted.outside / "kept.txt" if "." in name else planted.outside)
    with pytest.raises(StorageError, match="is a link in a run folder"):
        check_trained_into(planted.run.path)


def test_a_link_to_the_whole_run_and_links_around_it_are_followed(planted: Planted) -> None:
    link = planted.outside.parent / "link"
    link.symlink_to(planted.run.path.parent)
    write_json(link / "run" / "exports" / "x.json", {})
    os.close(open_inside(link / "run" / "new.txt", os.O_WRONLY | os.O_CREAT))
    assert (planted.run.exports / "x.json").is_file() and planted.untouched()
    (planted.run.path / "checkpoint-10").symlink_to(planted.outside)
    with planted.run.lock():  # the weights of a checkpoint are only read
        pass


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(planted: Planted) -> None:
    os.mkfifo(planted.run.decisions)
    with pytest.raises(ReviewError), writing(planted.run, lambda text: None):
        pass
    with pytest.raises(OSError, match="no regular file"):
        read_bytes(planted.run.decisions)


# -- names

ELSEWHERE = [
    "../x", "a/../../x", "/etc/x", "..", ".", "", "a//b", "C:/x", "C:x", "..\\x", "\\\\host\\x",
    "a\x00b", "./x",
]  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_of_a_manifest_does_not_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    assert not is_within(name)
    with pytest.raises(ValueError, match="leads out of the run folder"):
        within(tmp_path, name)


@settings(deadline=None)
@given(name=st.text(max_size=12))
def test_what_is_within_a_folder_stays_there_on_every_system(name: str) -> None:
    from pathlib import PurePosixPath, PureWindowsPath

    if is_within(name):
        assert PurePosixPath("/run", name).is_relative_to("/run")
        assert PureWindowsPath("D:/run", name).is_relative_to("D:/run")
        assert ".." not in name.replace("\\", "/").split("/")


@pytest.mark.parametrize("key", ["source", "checkpoints"])
def test_a_relative_path_of_run_json_does_not_lead_out_of_it(tmp_path: Path, key: str) -> None:
    content = {"format_version": 1, "dataset": {"source": "data"}, "checkpoints": "."}
    part = content["dataset"] if key == "source" else content
    part[key] = "x/../../other"  # type: ignore[index]
    run = RunFolder(tmp_path)
    run.run_json.write_text(json.dumps(content))
    with pytest.raises(RunError, match="leads out of the run folder"):
        run.read_info()


# -- sizes


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b'{"a":' * 100_000, b"[]," * (2 << 20), b"1," * (5 << 20), b"9" * 10_000],
    ids=["deep lists", "deep objects", "many objects", "many values", "a long number"],
)
def test_absurd_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(data)


def test_json_files_have_a_largest_size_which_is_looked_at_first(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # takes no space
    with pytest.raises(TooLargeError):
        read_bytes(file)
    with pytest.raises(RunError, match="cannot be read"):
        RunFolder(tmp_path).read_info()


def npy(path: Path, header: str, size: int = 0) -> Path:
    text = header.encode() + b" " * (118 - len(header)) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(size))
    return path


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 768), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "__import__('os').abort()",
        "{'descr': '<f4'}",
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_absurd_and_pickled_arrays_are_refused(tmp_path: Path, header: str, mapped: bool) -> None:
    with pytest.raises(ValueError):
        read_npy(npy(tmp_path / "x.npy", header, 8), mapped=mapped)


def test_a_damaged_array_of_a_run_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    path = run.array("embeddings", 10)
    path.parent.mkdir()
    npy(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", 8)
    with pytest.raises(RunError, match="000010.npy is damaged"):
        run.read_array("embeddings", 10)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    for array in (np.eye(3, dtype=np.float16), np.zeros((0, 4)), np.array([("a", 1)], "U3,i8")):
        np.save(tmp_path / "x.npy", array)
        assert (read_npy(tmp_path / "x.npy") == array).all()
    assert not read_npy(tmp_path / "x.npy", mapped=True).flags.writeable


def test_a_header_longer_than_its_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="cut off or too long"):
        safetensors_header(file)


@pytest.mark.parametrize("columns", [None, ["text"]])
def test_a_table_whose_few_texts_stand_for_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str] | None
) -> None:
    monkeypatch.setattr(bounded, "MAX_TEXT_BYTES", 1 << 20)
    table = pa.table({"n": list(range(5000)), "text": ["x" * 1000] * 5000})
    parquet.write_table(table, tmp_path / "x.parquet", compression="zstd")
    assert (tmp_path / "x.parquet").stat().st_size < 60_000
    with pytest.raises(TooLargeError, match="would become 5,000,000 bytes"):
        read_parquet(tmp_path / "x.parquet", columns)


def test_a_table_with_more_rows_than_bytes_or_that_unpacks_too_far_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"n": np.zeros(300_000, np.int8)}), file)
    assert file.stat().st_size < 200_000
    with pytest.raises(TooLargeError, match="300,000 rows"):
        open_parquet(file).__enter__()
    monkeypatch.setattr(bounded, "MIN_CHECKED_BYTES", 0)
    parquet.write_table(
        pa.table({"n": [bytes(1_000_000)]}), file, compression="zstd", use_dictionary=False
    )
    with pytest.raises(TooLargeError, match="would become"):
        read_parquet(file)


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    names = pa.array(["a", None, "a", "é"])
    table = pa.table(
        {"n": [1, 2, 3, 4], "s": names, "b": pa.array([b"x", b"", None, b"x"]), "k": names}
    ).set_column(3, "k", names.dictionary_encode())
    parquet.write_table(table, tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet").to_pydict() == table.to_pydict()
    assert read_parquet(tmp_path / "x.parquet").schema.types == table.schema.types
    assert read_parquet(tmp_path / "x.parquet", ["s"]).column_names == ["s"]


# -- what is given to viewers, and fetched


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_of_browsers_go_to_viewers_as_they_are(kind: str) -> None:
    assert for_viewers(picture(kind)) == picture(kind)


@pytest.mark.parametrize(
    "data", [picture("EPS"), b"%!PS-Adobe\n(run) (x) run", b"<svg onload='x'/>", b"", b"GIF"]
)
def test_what_would_start_a_program_or_is_no_picture_reaches_no_viewer(data: bytes) -> None:
    assert for_viewers(data) == NOTHING and RASTER.match(NOTHING)
    assert Image.open(io.BytesIO(NOTHING)).size == (1, 1)


def test_other_pictures_are_drawn_anew_for_viewers() -> None:
    assert for_viewers(picture("TIFF")).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1:1/x.png", "https://host/x.png", "file:///etc/passwd", "ssh://host/x",
        "zip://x.png::http://host/x.zip", "simplecache::http://host/x", "memory://other/x.png",
        "memory://data-2/x.png", "memory://data/x::http://host/x",
    ],
)  # fmt: skip
def test_no_address_is_fetched_because_a_cell_names_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_OPENED", set())
    follow("memory://data")
    with pytest.raises(OSError, match="nothing is fetched"):
        check_followed(path)
    skipped = read_image(0, 0, {"bytes": None, "path": path})
    assert isinstance(skipped, SkippedImage) and "nothing is fetched" in skipped.reason


def test_what_lies_below_the_address_of_the_data_set_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_OPENED", set())
    follow("s3://bucket/data/")
    follow("user/name")
    for path in (
        "hf://datasets/user/name@main/x.png",
        "s3://bucket/data/x.png",
        "zip://a/b.png::s3://bucket/data/x.zip",
        "/a::b.png",
    ):
        check_followed(path)


def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading: list[Callable[[Path], object]] = [
        *(read_npy, file_checksum, safetensors_header, lambda path: read_npy(path, mapped=True)),
        lambda path: open_parquet(path).__enter__(),
    ]
    for read in reading:
        with pytest.raises(OSError, match="no regular file"):
            read(pipe)
    with pytest.raises(DamagedError, match="no regular file. Bring it back."):
        check(pipe, f"{KIND}00", "Bring it back.")
    assert first_bytes(pipe, 4) == b""
