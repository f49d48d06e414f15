"""A run keeps the images that it was read with, though the rules of reading get better."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from notes import Notes
from samples import encoded, picture, save_checkpoint

from review_embeddings.pipeline.images.dataset import RULES, OpenedDataset, open_dataset
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages import rules
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview


@pytest.fixture
def old_run(tmp_path: Path) -> RunFolder:
    """Of a folder of which the first rules see 4 of 6 images."""
    names = ["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png", "dog/5.Png", "cat/6.avif"]
    for row, name in enumerate(names):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(row % 3, row)))
    run = RunFolder(tmp_path / "run")
    save_checkpoint(run.path / "checkpoint-10", seed=1, step=10, classes=["cat", "dog"])
    build(run, Request(dataset={"source": str(tmp_path / "data"), "reading": 1}))
    content = json.loads(run.run_json.read_text())
    for name in ("reading", "split_folders", "labels_from", "first_label", "class_names"):
        content["dataset"].pop(name, None)  # as a version wrote it that had none of them
    run.run_json.write_text(json.dumps(content))
    return run


def paths_of(run: RunFolder) -> list[str | None]:
    images = read_images(run)
    assert images is not None
    return images.paths


def test_an_older_run_keeps_its_images_and_says_what_it_lacks(old_run: RunFolder) -> None:
    before = old_run.images.read_bytes()
    notes = Notes()
    assert build(old_run, Request(), progress=notes).seconds == {}
    assert old_run.images.read_bytes() == before and len(paths_of(old_run)) == 4
    said = [text for text in notes.lines if "--reread" in text]
    assert len(said) == 1 and "6 images of 2 classes" in said[0] and "+2" in said[0]
    assert preview(old_run, Request()) == []


def test_reread_reads_by_the_rules_of_now(old_run: RunFolder) -> None:
    jobs = preview(old_run, Request(reread=True))
    assert (jobs[0].stage.name, jobs[0].reason) == ("images", "--reread")
    notes = Notes()
    build(old_run, Request(reread=True), progress=notes)
    assert len(paths_of(old_run)) == 6
    assert any("4 images then, 6 now" in text for text in notes.lines)
    info = old_run.read_info()
    assert info is not None and info.dataset.reading == RULES
    notes = Notes()
    assert build(old_run, Request(), progress=notes).seconds == {}
    assert not any("--reread" in text for text in notes.lines)
    assert "images" in build(old_run, Request(reread=True)).seconds


def test_an_older_run_is_read_by_the_rules_of_now_where_it_must_be_read(
    old_run: RunFolder, tmp_path: Path
) -> None:
    (tmp_path / "data" / "cat" / "7.png").write_bytes(encoded(picture(0, 7)))
    build(old_run, Request())
    assert len(paths_of(old_run)) == 7


def test_a_run_of_the_rules_before_keeps_its_rows_of_tars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    names = ["cat", "dog"]
    with tarfile.open(tmp_path / "data" / "x.tar", "w") as archive:
        for row in range(2):
            for name, data in (
                (f"{row}.png", encoded(picture(row, row))),
                (f"{row}.cls", names[row].encode()),
            ):
                about = tarfile.TarInfo(name)
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    run = RunFolder(tmp_path / "run")
    save_checkpoint(run.path / "checkpoint-10", seed=1, step=10, classes=names)
    build(run, Request(dataset={"source": str(tmp_path / "data"), "reading": 2}))
    notes = Notes()
    assert build(run, Request(), progress=notes).seconds == {}
    assert not any("--reread" in text for text in notes.lines), "today's rules find the same"

    def with_another_class(reference: DatasetReference) -> OpenedDataset:
        opened = open_dataset(reference)
        return replace(opened, classes=[*(opened.classes or []), "fox"])

    monkeypatch.setattr(rules, "open_dataset", with_another_class)
    assert build(run, Request(), progress=notes).seconds == {}
    said = [text for text in notes.lines if "--reread" in text]
    assert len(said) == 1 and "2 images of 3 classes" in said[0] and "+0" in said[0]
    build(run, Request(reread=True), progress=notes)
    reread = run.read_info()
    assert reread is not None and reread.dataset.reading == RULES
