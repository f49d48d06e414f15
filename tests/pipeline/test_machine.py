"""What the machine refuses becomes a sentence, whichever library says it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from failing import Failing

from review_embeddings.pipeline import machine
from review_embeddings.pipeline.errors import ReviewError, StorageError
from review_embeddings.pipeline.run.files import storage_errors, whole_file, whole_folder

WRITERS = """
import sqlite3, sys
from pathlib import Path
import numpy, pyarrow, pyarrow.parquet, safetensors.torch, torch
from PIL import Image

def file(library):
    folder = Path(sys.argv[1]) / library
    folder.mkdir()
    return folder / "file.png"

file("python").write_text("x")
numpy.save(file("numpy"), numpy.zeros(9))
pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), file("arrow"))
safetensors.torch.save_file({"a": torch.zeros(9)}, file("safetensors"))
torch.save({"a": torch.zeros(9)}, file("torch"))
Image.new("RGB", (9, 9)).save(file("pillow"))
sqlite3.connect(file("sqlite")).execute("create table a (b)")
"""


def test_calls_of_every_library_that_writes_are_seen(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    failing = Failing(tmp_path)
    failing.note_calls(place)
    program = [sys.executable, "-c", WRITERS, str(place)]
    subprocess.run(program, check=True, env={**os.environ, **failing.environment})
    failing.stop()
    wanted = {"python", "numpy", "arrow", "safetensors", "torch", "pillow", "sqlite"}
    for kind in ("open", "write"):
        calls = [call for call in failing.calls() if call.kind == kind]
        assert {Path(call.path).parent.name for call in calls} == wanted, kind


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """An error as it is when it was raised."""
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "number", "path"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC, None),
        (OSError(errno.EIO, "Input/output error", "/a/b"), errno.EIO, "/a/b"),
        (OSError(errno.EROFS, "Read-only", "/a/.writing-7-b", None, "/a/b"), errno.EROFS, "/a/b"),
        (OSError(errno.EMFILE, "Too many", "/a/.writing-0123abcd-7-b"), errno.EMFILE, "/a/b"),
        (Exception("I/O error: No space left on device (os error 28)"), errno.ENOSPC, None),
        (Exception("Disk quota exceeded (os error 122)"), errno.EDQUOT, None),
        (
            OSError("Failed to open local file '/a/t'. Detail: [errno 13] Permission denied"),
            errno.EACCES,
            "/a/t",
        ),
        (RuntimeError("database or disk is full"), errno.ENOSPC, None),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 6 vs 4"),
            None,
            None,
        ),
    ],
)
def test_what_libraries_say_is_understood(
    error: Exception, number: int | None, path: str | None
) -> None:
    for one in (error, raised(ValueError("other words"), error)):
        refusal = machine.refusal_in(one)
        assert refusal is not None and (refusal.number, refusal.path) == (number, path)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no space in this name"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        OSError(errno.EBADF, "Bad file descriptor"),
        OSError("cannot identify image file"),
        KeyError(28),
    ],
)
def test_other_errors_are_none_of_the_machine(error: Exception) -> None:
    assert machine.refusal_in(error) is None and machine.about_any(error) is None


def test_every_errno_of_files_has_a_sentence_that_names_file_and_reason() -> None:
    for number in machine.OF_FILES:
        for writing in (True, False):
            refusal = machine.Refusal(number)
            text = machine.sentence_about(refusal, "/a/b", writing=writing)
            assert "/a/b" in text and text.endswith((".", ")"))
            assert refusal.reason in text or "The disk is full" in text


def test_memory_that_does_not_suffice_is_no_fault_of_the_program() -> None:
    import pyarrow as pa
    import torch

    errors = [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        pa.lib.ArrowMemoryError("malloc of size 64 failed"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate "
                     "memory: you tried to allocate 4000000 bytes."),
    ]  # fmt: skip
    for error in errors:
        text = machine.about_any(raised(RuntimeError("in a stage"), error))
        assert text is not None and text.startswith("There is not enough memory")


def test_the_sentence_names_the_file_that_was_refused(tmp_path: Path) -> None:
    target = tmp_path / "run" / "table.parquet"
    with pytest.raises(StorageError, match=f"writing {target} "), whole_file(target) as temporary:
        raise OSError(errno.EIO, "Input/output error", str(temporary))
    elsewhere = pytest.raises(StorageError, match="/elsewhere/x cannot be read or written")
    with elsewhere, storage_errors(target):
        raise OSError(errno.EACCES, "Permission denied", "/elsewhere/x")
    assert not list(target.parent.iterdir())


def test_what_is_wrong_already_is_not_said_again(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="^First$"), storage_errors(tmp_path):
        raise StorageError("First") from OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(MemoryError), storage_errors(tmp_path):
        raise MemoryError


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "checkpoint"
    with whole_folder(target) as temporary:
        temporary.mkdir()
        (temporary / "old").touch()
    with pytest.raises(StorageError, match="disk is full"), whole_folder(target) as temporary:
        temporary.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [file.name for file in target.iterdir()] == ["old"]
    with whole_folder(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in target.iterdir()] == ["new"]
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint"]


def test_a_file_that_is_there_and_cannot_be_opened_is_not_said_to_lack(tmp_path: Path) -> None:
    """safetensors says so of every file that it cannot open."""
    path = tmp_path / "model.safetensors"
    assert machine.refusal_in(FileNotFoundError(f"No such file or directory: {path}")) is None
    path.touch()
    error = FileNotFoundError(f"No such file or directory: {path}")
    assert machine.refusal_in(error) == machine.Refusal(errno.EIO, str(path))
    with pytest.raises(StorageError, match="fails while reading or writing .*model.safetensors"):
        machine.raise_unavailable(error, tmp_path)
