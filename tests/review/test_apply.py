"""A cleaned data set: exactly the decided changes, in every form, and the source untouched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from samples import encoded, picture, save_checkpoint

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.apply import ApplyRequest, apply
from review_embeddings.review.exchange.folderform import safe_name
from review_embeddings.review.exchange.reports import Applied

CommandLine = Callable[..., tuple[int, str, str]]
CLASSES = ["blue", "green", "red"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits with a further column; test rows 4 and 7 are exact copies, and row 2 stands in the
    train split too (its row 1)."""
    folder = tmp_path_factory.mktemp("source") / "data"
    features = datasets.Features(
        {
            "note": datasets.Value("string"),
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=CLASSES),
        }
    )

    def split(seeds: list[int]) -> datasets.Dataset:
        labels = [seed % 3 for seed in seeds]
        files = [
            {"bytes": encoded(picture(label, seed=seed)), "path": None}
            for seed, label in zip(seeds, labels, strict=True)
        ]
        return datasets.Dataset.from_dict(
            {"note": [f"=n{seed}" for seed in seeds], "image": files, "label": labels},
            features=features,
        )

    datasets.DatasetDict(
        {"train": split([30, 12, 31]), "test": split([10, 11, 12, 13, 14, 15, 16, 14, 18])}
    ).save_to_disk(str(folder))
    return folder


@pytest.fixture
def run(source: Path, tmp_path: Path) -> RunFolder:
    save_checkpoint(tmp_path / "run" / "checkpoint-10", seed=1, step=10)
    run = RunFolder(tmp_path / "run")
    build(run, Request(dataset={"source": str(source), "split": "test"}))
    return run


def clean(run: RunFolder, out: Path, form: str = "disk") -> Applied:
    """The test split itself, too."""
    return apply(run, out, ApplyRequest(form=form, clean_test=True))


def decide(run: RunFolder, ids: list[int], decision: str, **options: Any) -> None:
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        writer.append(ReviewedImages.of(images).decide(ids, decision, reviewer="ada", **options))


@pytest.fixture
def decided(run: RunFolder) -> RunFolder:
    decide(run, [0], "remove", note="=1+1")
    decide(run, [2], "remove")  # stands in the train split too
    decide(run, [1], "relabel", new_label="red")  # which it is already
    decide(run, [4], "duplicate")  # has a copy: one stays
    decide(run, [5], "duplicate")  # has none: the only one stays
    decide(run, [6], "unsure")
    decide(run, [3], "keep")
    return run


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_exactly_the_decided_changes_and_the_source_untouched(
    decided: RunFolder, source: Path, tmp_path: Path
) -> None:
    before = bytes_of(source)
    old = datasets.load_from_disk(str(source))
    applied = clean(decided, tmp_path / "cleaned")
    new = datasets.load_from_disk(str(tmp_path / "cleaned"))
    assert bytes_of(source) == before
    assert new["test"].features == old["test"].features
    assert new["test"]["note"][:] == ["=n11", "=n13", "=n14", "=n15", "=n16", "=n18"]
    assert new["train"]["note"][:] == ["=n30", "=n31"]
    labels = dict(zip(new["test"]["note"][:], new["test"]["label"][:], strict=True))
    assert labels == {"=n11": 2, "=n13": 1, "=n14": 2, "=n15": 0, "=n16": 1, "=n18": 0}
    raw = {
        split: old["test"].cast_column("image", datasets.Image(decode=False)) for split in ("test",)
    }["test"]
    kept = new["test"].cast_column("image", datasets.Image(decode=False))
    assert kept[0]["image"]["bytes"] == raw[1]["image"]["bytes"]
    assert (applied.removed, applied.duplicates) == (3, 1)
    with (tmp_path / "cleaned" / "changes.csv").open(newline="") as file:
        changes = list(csv.DictReader(file))
    assert [(row["split"], row["row"], row["change"]) for row in changes] == [
        ("train", "1", "removed"),
        ("test", "0", "removed"),
        ("test", "2", "removed"),
        ("test", "7", "duplicate"),
    ]
    assert changes[1]["note"] == "'=1+1"
    assert "test: 6 of 9 images" in (tmp_path / "cleaned" / "summary.txt").read_text()


def test_a_relabel_is_counted_by_old_and_new_class(run: RunFolder, tmp_path: Path) -> None:
    decide(run, [0, 3], "relabel", new_label="blue")  # 10 and 13 are green
    applied = clean(run, tmp_path / "cleaned")
    assert applied.relabelled == {("green", "blue"): 2}
    assert "green -> blue: 2" in (tmp_path / "cleaned" / "summary.txt").read_text()
    assert datasets.load_from_disk(str(tmp_path / "cleaned"))["test"]["label"][:4] == [0, 2, 0, 0]


@pytest.mark.parametrize("form", ["disk", "folder", "parquet"])
def test_every_form_loads_and_holds_the_same(decided: RunFolder, tmp_path: Path, form: str) -> None:
    decide(decided, [8], "relabel", new_label="green")  # 18 is blue
    out = tmp_path / "cleaned"
    clean(decided, out, form=form)
    new = (
        datasets.load_from_disk(str(out))
        if form == "disk"
        else datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    )
    assert {split: len(rows) for split, rows in new.items()} == {"train": 2, "test": 6}
    names = new["test"].features["label"].names
    labels = {row["note"]: names[row["label"]] for row in new["test"].remove_columns("image")}
    assert labels == {
        "=n11": "red",
        "=n13": "green",
        "=n14": "red",
        "=n15": "blue",
        "=n16": "green",
        "=n18": "green",
    }
    assert all(image.size == (16, 16) for image in new["test"]["image"][:])


def test_applying_twice_is_applying_once(decided: RunFolder, tmp_path: Path) -> None:
    clean(decided, tmp_path / "first")
    decided_again = RunFolder(Path(shutil.copytree(decided.path, tmp_path / "again")))
    info = decided_again.read_info()
    assert info is not None
    from dataclasses import replace

    decided_again.write_info(
        replace(info, dataset=replace(info.dataset, source=str(tmp_path / "first")))
    )
    applied = clean(decided_again, tmp_path / "second")
    assert applied.changes == []
    one, two = (datasets.load_from_disk(str(tmp_path / name)) for name in ("first", "second"))
    assert all(one[split].to_dict() == two[split].to_dict() for split in ("train", "test"))


def test_dry_run_writes_nothing(
    decided: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, output, errors = review_embeddings(
        "apply", "--run", decided.path, "--dry-run", "--out", tmp_path / "cleaned"
    )
    assert code == 0 and "removed: 3" in output and "Nothing was written" in output, errors
    assert not (tmp_path / "cleaned").exists()
    code, _, errors = review_embeddings(
        "apply", "--run", decided.path, "--dry-run", "--out", decided.path
    )
    assert code == 2 and "is there already" in errors


def test_where_it_may_not_write(
    decided: RunFolder, source: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    for out, said in (
        (source, "never changed"),
        (source / "inner", "never changed"),
        (decided.path, "is there already"),
    ):
        with pytest.raises(SettingsError, match=said):
            clean(decided, out)
    code, _, errors = review_embeddings("apply", "--run", decided.path)
    assert code == 2 and "There is no --out" in errors
    code, _, errors = review_embeddings(
        "apply", "--run", decided.path, "--out", tmp_path / "c", "--as", "zip"
    )
    assert code == 2 and "--as zip" in errors
    code, _, errors = review_embeddings("apply", "--run", decided.path, "--out", "/proc/cleaned")
    assert code == 2 and "/proc/cleaned cannot be written to" in errors


def test_an_image_folder_is_cleaned_too(built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    decide(run, [0, 1], "remove")
    decide(run, [2], "relabel", new_label="red")
    for form in ("disk", "folder", "parquet"):
        out = tmp_path / form
        clean(run, out, form=form)
        new = (
            datasets.load_from_disk(str(out))
            if form == "disk"
            else datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
        )
        assert len(new["train"]) == 34


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b\\c", "..", "", "\x00\n", "<script>", "con:", "x" * 300, "‮abc"]
)
def test_class_names_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / safe_name(name)
    assert folder.parent == tmp_path and folder.resolve().parent == tmp_path.resolve()
    folder.mkdir()


@pytest.mark.parametrize(
    ("marked", "gone"),
    [([1], [1]), ([0], [0]), ([0, 1], [0, 1]), ([0, 1, 8], [1, 8]), ([0, 8], [0, 8])],
    ids=[
        "one of three",
        "the first of them",
        "two of three",
        "all three: the first stays",
        "two, the one between stays",
    ],
)
def test_of_near_copies_one_stays(
    run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    marked: list[int],
    gone: list[int],
) -> None:
    images = read_images(run)
    assert images is not None
    monkeypatch.setattr(
        "review_embeddings.review.exchange.apply._groups",
        lambda run: {images.hashes[place]: "0" for place in (0, 1, 8)},
    )
    decide(run, marked, "duplicate")
    applied = clean(run, tmp_path / "cleaned")
    assert [int(change["row"]) for change in applied.changes] == gone and applied.duplicates == len(
        gone
    )


def test_groups_are_those_of_the_table(run: RunFolder) -> None:
    from review_embeddings.review.exchange.apply import _groups

    images = read_images(run)
    assert images is not None
    assert _groups(run)[images.hashes[4]] == "4" and images.hashes[4] == images.hashes[7]


@pytest.mark.parametrize("form", ["disk", "folder"])
def test_images_that_were_read_in_place_and_a_label_in_json(form: str, tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "test-0000.tar", "w") as archive:
        for row in range(6):
            facts = json.dumps({"label": CLASSES[row % 3], "year": 2000 + row}).encode()
            for ending, data in (("png", encoded(picture(row % 3, seed=row))), ("json", facts)):
                about = tarfile.TarInfo(f"{row:03d}.{ending}")
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    save_checkpoint(tmp_path / "run" / "checkpoint-10", seed=1, step=10)
    run = RunFolder(tmp_path / "run")
    build(run, Request(dataset={"source": str(tmp_path / "tars"), "in_place": True}))
    decide(run, [0], "remove")
    decide(run, [1], "relabel", new_label="red")
    before = bytes_of(tmp_path / "tars")
    applied = clean(run, tmp_path / "cleaned", form=form)
    assert (applied.removed, applied.relabelled) == (1, {("green", "red"): 1}) and bytes_of(
        tmp_path / "tars"
    ) == before
    if form == "disk":
        new = datasets.load_from_disk(str(tmp_path / "cleaned"))["test"]
        assert [(row["label"], row["year"]) for row in new["json"]][:2] == [
            ("red", 2001),
            ("red", 2002),
        ]
    else:
        assert {
            path.parent.name for path in (tmp_path / "cleaned" / "test").glob("*/*.png")
        } == set(CLASSES)
