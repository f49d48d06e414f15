"""What a killed process left behind goes with the next one that writes the same; nothing else
does."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.temporary import (
    FOREIGN_SECONDS,
    TEMPORARY_PREFIX,
    remove_leftovers,
    temporary_path,
    working_folder,
    writer_prefix,
)


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_leftovers_of_the_same_target_go_and_no_others(tmp_path: Path, dead: int) -> None:
    own = f"{TEMPORARY_PREFIX}{writer_prefix()}{dead}-"
    left = [f"{own}list.csv", f"{TEMPORARY_PREFIX}{dead}-list.csv"]
    kept = [
        f"{own}other.csv",  # of another target
        f"{TEMPORARY_PREFIX}{writer_prefix()}{os.getppid()}-list.csv",  # being written
        f"{TEMPORARY_PREFIX}01234567-{dead}-list.csv",  # on another machine
        f"{TEMPORARY_PREFIX}list.csv",
        f"{TEMPORARY_PREFIX}notes-list.csv",
        f"{TEMPORARY_PREFIX}-{dead}-list.csv",
        f"x{own}list.csv",
        "list.csv.bak",
    ]
    for name in (*left, *kept):
        (tmp_path / name).write_text("half")
    with whole_file(tmp_path / "list.csv") as path:
        path.write_text("whole")
    assert names(tmp_path) == {*kept, "list.csv"}


def test_a_folder_that_a_killed_process_wrote_goes_whole(tmp_path: Path, dead: int) -> None:
    left = tmp_path / f"{TEMPORARY_PREFIX}{writer_prefix()}{dead}-clean"
    (left / "train").mkdir(parents=True)
    (left / "train" / "0.png").write_bytes(b"picture")
    (tmp_path / "mine").mkdir()
    (tmp_path / f"{TEMPORARY_PREFIX}{writer_prefix()}{dead}-link").symlink_to(tmp_path / "mine")
    for name in ("clean", "link"):
        temporary_path(tmp_path / name)
    assert names(tmp_path) == {"mine"}, "the link, and not what it leads to"


def test_what_another_machine_left_goes_when_it_is_old(tmp_path: Path, dead: int) -> None:
    path = tmp_path / f"{TEMPORARY_PREFIX}01234567-{dead}-list.csv"
    path.write_text("half")
    remove_leftovers(tmp_path)
    assert path.exists()
    long_ago = time.time() - FOREIGN_SECONDS - 1
    os.utime(path, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["a" * 250 + ".csv", "é" * 120, "a\nb", "[x]*.csv"])
def test_names_that_are_long_or_odd_have_temporary_ones(tmp_path: Path, name: str) -> None:
    with whole_file(tmp_path / name) as path:
        path.write_text("whole")
    assert names(tmp_path) == {name}


def test_the_folder_of_a_killed_review_goes_with_the_next_one(
    tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"review-x-{writer_prefix()}{dead}-abcdefgh"
    alive = tmp_path / f"review-x-{writer_prefix()}{os.getppid()}-abcdefgh"
    mine = [tmp_path / "review-x-mine", tmp_path / f"review-x-{dead}"]
    for folder in (left, alive, *mine):
        folder.mkdir()
        (folder / "session.json").write_text("{}")
    (tmp_path / f"review-x-{writer_prefix()}{dead}-file").write_text("no folder")
    with working_folder("review-x-") as folder:
        assert folder.parent == tmp_path and folder.is_dir()
        assert not left.exists() and alive.is_dir() and all(one.is_dir() for one in mine)
    assert not folder.exists() and len(names(tmp_path)) == 4
