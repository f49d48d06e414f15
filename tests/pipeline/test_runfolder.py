"""Files are written whole or not at all, one writer at a time, and a folder of another version is
not touched."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run import folder as runfolder
from review_embeddings.pipeline.run.files import fingerprint, whole_file
from review_embeddings.pipeline.run.folder import RunFolder, find_run, reference_to
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.temporary import TEMPORARY_PREFIX
from review_embeddings.pipeline.settings import DatasetReference


def test_run_json_round_trip(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.read_info() is None
    run.write_info(
        RunInfo(DatasetReference("somewhere", split="test"), classes=["ä", "b"], base="model")
    )
    info = run.read_info()
    assert (
        info is not None
        and info.dataset.split == "test"
        and info.classes == ["ä", "b"]
        and info.base == "model"
    )
    assert info.packages["numpy"] == np.__version__


def test_a_newer_format_is_refused_and_a_damaged_file_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.run_json.write_text(json.dumps({"format_version": runfolder.FORMAT_VERSION + 1}))
    with pytest.raises(RunError, match="Upgrade it"):
        run.read_info()
    run.run_json.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        run.read_info()
    run.run_json.write_text(json.dumps({"format_version": 1}))
    with pytest.raises(RunError, match="damaged"):
        run.read_info()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")
    with pytest.raises(KeyError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written")]
)
def test_a_full_or_read_only_disk(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(StorageError, match=words), whole_file(tmp_path / "x"):
        raise OSError(number, os.strerror(number))


def test_results_count_only_when_complete(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    run.write_arrays(20, "print", {"embeddings": array, "probabilities": array[:, :1]}, {"note": 1})
    assert run.is_current("embeddings", 20, "print") and not run.is_current(
        "embeddings", 20, "other"
    )
    assert run.steps_with("embeddings") == [20]
    np.testing.assert_array_equal(run.read_array("embeddings", 20), array)
    facts = run.result_metadata("embeddings", 20)
    assert facts is not None and facts["note"] == 1
    run.array("probabilities", 20).unlink()
    assert run.result_metadata("embeddings", 20) is None and run.steps_with("embeddings") == []


def test_too_few_rows_or_an_error_leave_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with (
        pytest.raises(ValueError, match="got 2 of its 3 rows"),
        run.writing(1, "p", {"e": ((3, 2), np.float32)}) as writer,
    ):
        writer.append("e", np.zeros((2, 2), np.float32))
    with (
        pytest.raises(ZeroDivisionError),
        run.writing(1, "p", {"e": ((3, 2), np.float32)}) as writer,
    ):
        writer.append("e", np.zeros((3, 2), np.float32))
        raise ZeroDivisionError
    with (
        pytest.raises(ValueError, match="do not fit"),
        run.writing(1, "p", {"e": ((3, 2), np.float32)}) as writer,
    ):
        writer.append("e", np.zeros((3, 3), np.float32))
    assert list((tmp_path / "e").iterdir()) == []


def test_one_writer_at_a_time_and_none_after_a_kill(tmp_path: Path) -> None:
    hold = "import sys; from pathlib import Path\n"
    hold += "from review_embeddings.pipeline.run.folder import RunFolder\n"
    hold += (
        f"with RunFolder(Path({str(tmp_path)!r})).lock(): print('held', flush=True); "
        f"sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with (
            pytest.raises(StorageError, match="being written by another"),
            RunFolder(tmp_path).lock(),
        ):
            pass
    finally:
        other.kill()
        other.communicate()
    dead, alive = (
        tmp_path / "embeddings" / f"{TEMPORARY_PREFIX}{process}-000020.npy"
        for process in (other.pid, os.getppid())
    )
    dead.parent.mkdir()
    for leftover in (dead, alive):
        leftover.write_bytes(b"half")
    with RunFolder(tmp_path).lock():
        assert not dead.exists()
        assert alive.exists(), "another process is writing this right now"


def test_the_run_that_is_meant(tmp_path: Path) -> None:
    assert find_run(tmp_path) is None
    for name, time in (("old", 1_000_000_000), ("new", 2_000_000_000), ("other", 2_100_000_000)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "other":
            (tmp_path / "runs" / name / "run.json").write_text("{}")
        os.utime(tmp_path / "runs" / name, (time, time))
    found = find_run(tmp_path)
    assert found is not None and found.path == tmp_path / "runs" / "new"
    (tmp_path / "checkpoint-5").mkdir()
    assert find_run(tmp_path) == RunFolder(tmp_path)


def test_references_inside_the_run_are_relative(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    assert reference_to(tmp_path / "run" / "data", run) == "data"
    assert reference_to(tmp_path / "elsewhere", run) == str(tmp_path / "elsewhere")


def test_fingerprints_tell_values_apart() -> None:
    assert fingerprint(a=1, b="x") == fingerprint(b="x", a=1)
    assert (
        len(
            {
                fingerprint(a=1),
                fingerprint(a="1"),
                fingerprint(b=1),
                fingerprint(a=[1]),
                fingerprint(a=None),
            }
        )
        == 5
    )
