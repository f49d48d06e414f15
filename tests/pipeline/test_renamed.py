"""Classes that a data set renames after a run was made of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from notes import Notes

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.classnames import map_classes, match_classes
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table import read

Rename = Callable[[str, str], None]


@pytest.fixture
def renaming(run_path: Path, image_folder: Path, tmp_path: Path) -> tuple[RunFolder, Rename]:
    """A run of its own data set, and what renames one of its classes."""
    data = Path(shutil.copytree(image_folder, tmp_path / "pictures"))
    for step in (20, 100):
        shutil.rmtree(run_path / f"checkpoint-{step}")
    run = RunFolder(run_path)
    build(run, Request(dataset={"source": str(data)}))

    def rename(old: str, new: str) -> None:
        (data / old).rename(data / new)

    return run, rename


def predictions(run: RunFolder) -> dict[str, str]:
    table = read(run, columns=[c.IMAGE_HASH, c.PREDICTION])
    return dict(zip(table[c.IMAGE_HASH], table[c.PREDICTION].astype(str), strict=True))


@pytest.mark.parametrize("in_place", [False, True])
def test_heads_follow_classes_that_were_renamed_whatever_their_order(
    renaming: tuple[RunFolder, Rename], in_place: bool
) -> None:
    run, rename = renaming
    request = Request(dataset={"in_place": True} if in_place else {})
    build(run, request)
    before = predictions(run)
    now = {"blue": "zaffiro", "green": "verde", "red": "red"}  # red is the first one then
    rename("blue", "azzurro")
    rename("green", "verde")
    build(run, request)
    rename("azzurro", "zaffiro")
    assert next(job.stage.name for job in preview(run, request)) == "images"
    notes = Notes()
    build(run, request, progress=notes)
    assert "'verde' was 'green', 'zaffiro' was 'blue'" in "\n".join(notes.lines)
    assert predictions(run) == {name: now[one] for name, one in before.items()}
    assert list(preview(run, request)) == []


def test_a_class_of_other_pictures_is_not_one_that_was_renamed(
    renaming: tuple[RunFolder, Rename],
) -> None:
    run, rename = renaming
    rename("red", "blau")
    rename("green", "red")  # its pictures are those of another class that there still is
    with pytest.raises(CheckpointError, match="the others cannot be told"):
        build(run, Request())


def test_names_of_now_count_before_former_ones() -> None:
    head = Head(["a", "b", "c"], 3)
    former = {"x": "b"}
    assert map_classes(head, ["x", "c", "a"], name="h", former=former) == ["a", "x", "c"]
    own = Head(["a", "x", "b"], 3)  # the head was given the new name since
    assert match_classes(own, ["a", "b", "x"], name="h", former={"x": "c"}).names == own.names
    with pytest.raises(CheckpointError, match="tells 2 classes apart"):
        map_classes(Head(["a", "b"], 2), ["x", "y", "z"], name="h", former=former)
