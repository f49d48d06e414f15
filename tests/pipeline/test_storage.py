"""A run folder in a real S3-compatible store (moto's server): built, continued, reviewed and
exported there, from more than one machine."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import BusyError, SettingsError, StorageError
from review_embeddings.pipeline.progress import SILENT, Advance
from review_embeddings.pipeline.run import copies, lease, storage
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.userfolders import CACHE_VARIABLE
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import read_history, writing


def files(bucket: Any) -> set[str]:
    store, name = bucket
    store.invalidate_cache()
    return {path.removeprefix(f"{name}/runs/new/") for path in store.find(f"{name}/runs/new")}


def weights_in(run: RunFolder) -> list[str]:
    return sorted(path.parent.name for path in run.path.glob("*/*.safetensors"))


def same(one: Path, other: RunFolder) -> None:
    pd.testing.assert_frame_equal(
        table.read(one).drop(columns=["embedding"]), table.read(other).drop(columns=["embedding"])
    )
    for step in RunFolder(one).steps_with("embeddings"):
        np.testing.assert_array_equal(
            RunFolder(one).read_array("embeddings", step), other.read_array("embeddings", step)
        )


def test_built_there_and_the_same_on_another_machine_which_brings_only_what_it_needs(
    bucket: Any,
    machine: Callable[[str], None],
    trainer_output: Path,
    image_folder: Path,
    built_run: Path,
    tmp_path: Path,
) -> None:
    store, name = bucket
    address, trained = f"s3://{name}/runs/new", f"s3://{name}/trained"
    said = {"source": str(image_folder), "split": "train"}
    for step in (10, 20):
        store.put(
            f"{trainer_output}/checkpoint-{step}/",
            f"{name}/trained/checkpoint-{step}/",
            recursive=True,
        )
    assert len(build(run_at(address), Request(dataset=said, checkpoints=trained)).wanted) == 2
    before = {file for file in files(bucket) if file.endswith(".parquet")} - {"images.parquet"}
    store.put(
        f"{trainer_output}/checkpoint-100/", f"{name}/trained/checkpoint-100/", recursive=True
    )  # the training goes on
    built = build(run_at(address), Request())
    assert str(built.run) == address
    same(built_run, built.run)
    assert before <= set(files(bucket)), "somebody may still read the table of before"
    there = {
        file for file in files(bucket) if not file.startswith("duplicates/000020")
    } - before  # which was the last one for a while
    here = {
        path.relative_to(built_run).as_posix() for path in built_run.rglob("*") if path.is_file()
    }
    assert there == {
        name
        for name in here
        if not name.startswith(("checkpoint-", ".")) and not name.endswith(".bin")
    }
    machine("second")
    run = run_at(address)
    brought = {
        path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()
    }
    assert "table/manifest.json" in brought and not any(
        name.endswith((".npy", ".parquet")) for name in brought
    )
    assert build(run, Request(wanted=["first", "last"])).seconds == {}  # nothing is done again
    same(built_run, run)
    (tmp_path / "elsewhere").mkdir()
    assert run_at(address).read_info() == run.read_info()


def test_checkpoints_in_the_store_are_brought_when_they_are_embedded_and_not_before(
    bucket: Any,
    machine: Callable[[str], None],
    trainer_output: Path,
    image_folder: Path,
    built_run: Path,
) -> None:
    store, name = bucket
    store.put(str(trainer_output) + "/", f"{name}/runs/new/", recursive=True)
    address = f"s3://{name}/runs/new"
    run = run_at(address)
    assert not weights_in(run)
    build(run, Request(dataset={"source": str(image_folder), "split": "train"}, wanted=["20"]))
    assert weights_in(run) == ["checkpoint-20"]
    build(run, Request())
    same(built_run, run)
    machine("second")
    run = run_at(address)
    assert build(run, Request()).seconds == {}  # known by size and time, none is read again
    assert not weights_in(run)
    weights = trainer_output / "checkpoint-100" / "model.safetensors"
    time.sleep(1.1)  # the store tells times by the second
    store.put_file(
        str(trainer_output / "checkpoint-10" / "model.safetensors"),
        f"{name}/runs/new/checkpoint-100/model.safetensors",
    )
    try:
        run = run_at(address)
        build(run, Request())
        np.testing.assert_array_equal(
            run.read_array("embeddings", 10), run.read_array("embeddings", 100)
        )
    finally:
        store.put_file(str(weights), f"{name}/runs/new/checkpoint-100/model.safetensors")


def test_killed_in_between_and_continued_on_another_machine(
    bucket: Any,
    machine: Callable[[str], None],
    trainer_output: Path,
    image_folder: Path,
    built_run: Path,
) -> None:
    address = f"s3://{bucket[1]}/runs/new"
    program = (
        "import sys; from review_embeddings.review.cli.program import main; "
        "sys.argv = ['review-embeddings', *sys.argv[1:]]; main()"
    )
    arguments = [
        "build",
        "--run",
        address,
        "--dataset",
        image_folder,
        "--split",
        "train",
        "--checkpoints",
        trainer_output,
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while "embeddings/000010.json" not in files(bucket) and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert "table/manifest.json" not in files(bucket)
    machine("second")
    run = run_at(address)
    there = run.steps_with("embeddings")
    assert 10 in there
    built = build(
        run,
        Request(
            dataset={"source": str(image_folder), "split": "train"}, checkpoints=str(trainer_output)
        ),
    )
    assert built.work["embeddings"] == 36 * (
        3 - len(there)
    )  # what was there was not computed again
    same(built_run, run)


def test_one_writer_among_machines_and_a_lock_that_was_left_behind_ends(
    bucket: Any, machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{bucket[1]}/runs/new"
    run = run_at(address)
    store, name = bucket
    with run.lock():
        machine("second")
        busy = (
            r"Run s3://.*/runs/new is being written by another review-embeddings \(process \d+ on"
        )
        with pytest.raises(BusyError, match=busy), run_at(address).lock():
            pass
        with run_at(address).decision_lock():  # another matter
            pass
    with run_at(address).lock():
        pass
    assert not store.find(f"{name}/runs/new")
    lock = f"{name}/runs/new/.lock"
    store.pipe_file(lock, json.dumps({"host": "elsewhere", "process": 1, "token": "x"}).encode())
    with pytest.raises(BusyError, match="process 1 on elsewhere"), run_at(address).lock():
        pass
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    time.sleep(2.1)
    with run_at(address).lock():
        assert json.loads(store.cat_file(lock))["host"] != "elsewhere"


def test_a_renewed_lock_does_not_end(
    bucket: Any, machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.2)
    monkeypatch.setattr(socket, "gethostname", lambda: "first")
    address = f"s3://{bucket[1]}/runs/new"
    with run_at(address).lock():
        machine("second")
        monkeypatch.setattr(socket, "gethostname", lambda: "second")
        time.sleep(3)  # the store tells times by the second
        with pytest.raises(BusyError, match="on first"), run_at(address).lock():
            pass


def decision(image: str, request: str) -> Decision:
    return Decision(
        image_hash=image,
        image_id=0,
        decision="remove",
        label=None,
        reviewer="me",
        time="2026-01-01T00:00:00Z",
        request=request,
    )


def test_decisions_are_in_the_store_before_they_count_and_none_is_lost(
    bucket: Any, machine: Callable[[str], None]
) -> None:
    address = f"s3://{bucket[1]}/runs/new"
    store, name = bucket
    with writing(run_at(address), print) as writer:
        writer.append([decision("a", "1")])
        assert store.cat_file(f"{name}/runs/new/decisions.jsonl").count(b"\n") == 1
    machine("second")
    with writing(run_at(address), print) as writer:
        assert [line.image_hash for line in writer.history.lines] == ["a"]
        writer.append([decision("b", "2")])
    machine("first")  # has one line of its own that did not get there, as after a power cut
    behind = storage.here(address) / "decisions.jsonl"
    with behind.open("ab") as file:
        from review_embeddings.review.decisions.lines import as_line

        file.write(as_line(decision("c", "3")))
    assert [line.image_hash for line in read_history(run_at(address), print).lines] == [
        "a",
        "b",
        "c",
    ]
    machine("third")
    assert [line.image_hash for line in read_history(run_at(address), print).lines] == [
        "a",
        "b",
        "c",
    ]


def test_a_decision_that_cannot_be_stored_is_not_said_to_be(
    bucket: Any, machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_at(f"s3://{bucket[1]}/runs/new")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Access Denied")

    with writing(run, print) as writer:
        writer.append([decision("a", "1")])
        with monkeypatch.context() as patch:
            copy = storage.copy_of(run.decisions)
            assert copy is not None
            patch.setattr(copy._store, "put_file", refuse)
            with pytest.raises(
                StorageError, match=r"decisions\.jsonl is refused \(Access Denied\.\)"
            ):
                writer.append([decision("b", "2")])
        assert [line.image_hash for line in read_history(run, print).lines] == ["a"]
        writer.append([decision("b", "2")])
    assert bucket[0].cat_file(f"{bucket[1]}/runs/new/decisions.jsonl").count(b"\n") == 2


def test_the_commands_work_on_it(
    bucket: Any,
    machine: Callable[[str], None],
    built_run: Path,
    review_embeddings: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    store, name = bucket
    copied = Path(shutil.copytree(built_run, tmp_path / "copied"))
    shutil.rmtree(copied / "cache", ignore_errors=True)
    store.put(f"{copied}/", f"{name}/runs/new/", recursive=True)
    address = f"s3://{name}/runs/new"
    machine("second")
    code, out, err = review_embeddings("export", "--run", address, "--top", 5)
    assert code == 0, err
    assert out == f"Wrote 5 images (0 decided) to {address}/exports/outliers.csv\n"
    listed = store.cat_file(f"{name}/runs/new/exports/outliers.csv").decode()
    assert listed.count("\n") == 6
    filled = tmp_path / "filled.csv"
    image = table.read(built_run, columns=["image_id", "image_hash"]).iloc[0]
    filled.write_text(f"image_id,image_hash,decision\n{image.image_id},{image.image_hash},remove\n")
    assert review_embeddings("import", filled, "--run", address)[0] == 0
    machine("third")
    assert "1 decided" in review_embeddings("export", "--run", address, "--decided", "remove")[1]
    assert review_embeddings("summary", "--run", address)[0] == 0
    page = tmp_path / "page.html"
    assert review_embeddings("share", "--run", address, "--out", page)[0] == 0
    code, out, err = review_embeddings("animate", "--run", address, "--frame", "last")
    assert code == 0 and store.exists(f"{name}/runs/new/exports/frame-000100.png"), err
    code, out, err = review_embeddings(
        "similar", "--run", address, "--image", "3", "--top", "2", "--checkpoint", "last"
    )
    assert code == 2 and "index" in err  # not indexed yet
    code, _, err = review_embeddings("index", "--run", address, "--checkpoint", "last")
    assert code == 0, err
    assert (
        review_embeddings(
            "similar", "--run", address, "--image", "3", "--top", "2", "--checkpoint", "last"
        )[0]
        == 0
    )
    assert not [path for path in files(bucket) if "milvus" in path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s3://there-is-no-such-bucket/run", "there is no such bucket"),
        ("nonsense://bucket/run", "no address that can be opened (Protocol not known: nonsense.)"),
        ("s3://", "names no folder in a store"),
        ("s3://bucket", "names no folder in a store"),
        ("http://127.0.0.1:1/bucket/run", "names no folder in a store that can be written to"),
        ("s3:/bucket/run", "Write s3://bucket/run for that of a store"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    machine: Callable[[str], None],
    review_embeddings: Callable[..., tuple[int, str, str]],
    name: str,
    message: str,
) -> None:
    code, _, err = review_embeddings("export", "--run", name)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_a_store_that_does_not_answer(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    machine("second")
    with pytest.raises(StorageError, match="cannot be reached"):
        run_at("s3://bucket/run")


def test_without_the_package_it_is_said_which(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(SettingsError, match=r"pip install 'review-embeddings\[s3\]'"):
        run_at("s3://bucket/run")


def test_what_is_written_to_this_machine_takes_no_address(
    machine: Callable[[str], None],
    built_run: Path,
    review_embeddings: Callable[..., tuple[int, str, str]],
) -> None:
    for arguments in (
        ("export", "--run", built_run, "--out", "s3://bucket/list.csv"),
        ("table", "--run", built_run, "--out", "s3://bucket/table.csv"),
        ("demo", "--run", "s3://bucket/demo", "--no-serve"),
    ):
        code, _, err = review_embeddings(*arguments)
        assert code == 2
        assert "must be on this machine, not in a store" in err
    code, _, err = review_embeddings("--watch", "--run", "s3://bucket/run")
    assert code == 2
    assert "--watch looks on in a folder of this machine" in err


def test_it_is_told_how_much_of_a_large_file_is_there(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int]] = []

    class Listening:
        @contextmanager
        def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
            counts: list[int] = []
            yield counts.append
            assert unit == "MB"
            told.append((f"{title}, {total} MB", sum(counts)))

        def note(self, text: str) -> None: ...
        def latest(self, text: str) -> None: ...

    monkeypatch.setattr(copies, "_listener", SILENT)  # as it was, afterwards
    copies.report_to(Listening())
    run = run_at(f"s3://{bucket[1]}/runs/new")
    run.write_arrays(20, "print", {"embeddings": np.zeros((5000, 1000), dtype=np.float32)}, {})
    run.array("embeddings", 20).unlink()
    assert run.read_array("embeddings", 20).shape == (5000, 1000)
    assert told == [("Storing 000020.npy, 20 MB", 20), ("Fetching 000020.npy, 20 MB", 20)]


def test_a_folder_of_copies_that_cannot_be(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(
        SettingsError, match=r"can be no copy of s3://.* REVIEW_EMBEDDINGS_CACHE=DIR"
    ):
        run_at(f"s3://{bucket[1]}/run")
