"""A cleaned data set: exactly the decided changes, in every form, and the source untouched."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet
from samples import encoded, picture, save_checkpoint

from review_embeddings.pipeline.errors import DatasetError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.apply import ApplyRequest, apply
from review_embeddings.review.exchange.changes import is_evaluation
from review_embeddings.review.exchange.folderform import FolderSplit, safe_name, write_folder
from review_embeddings.review.exchange.labelcolumn import label_column, relabelled, with_classes
from review_embeddings.review.exchange.reports import Applied, summary

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


def load(out: Path, form: str, work: Path) -> datasets.DatasetDict:
    if form == "disk":
        return datasets.load_from_disk(str(out))
    return datasets.load_dataset(str(out), cache_dir=str(work / "cache"))


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
    assert code == 2 and "among the files of the run" in errors


def test_where_it_may_not_write(
    decided: RunFolder, source: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    for out, said in (
        (source, "never changed"),
        (source / "inner", "never changed"),
        (decided.path, "among the files of the run"),
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
        "review_embeddings.review.exchange.apply.copy_groups",
        lambda run: {images.hashes[place]: "0" for place in (0, 1, 8)},
    )
    decide(run, marked, "duplicate")
    applied = clean(run, tmp_path / "cleaned")
    assert [int(change["row"]) for change in applied.changes] == gone and applied.duplicates == len(
        gone
    )


def test_groups_are_those_of_the_table(run: RunFolder) -> None:
    from review_embeddings.review.exchange.apply import copy_groups

    images = read_images(run)
    assert images is not None
    assert copy_groups(run)[images.hashes[4]] == "4" and images.hashes[4] == images.hashes[7]


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


# -- evaluation splits, where changes come from


def test_a_test_split_stays_as_it_is_with_its_cleaned_copy_beside_it(
    decided: RunFolder, source: Path, tmp_path: Path
) -> None:
    applied = apply(decided, tmp_path / "cleaned")
    old = datasets.load_from_disk(str(source))
    new = datasets.load_from_disk(str(tmp_path / "cleaned"))
    assert list(new) == ["train", "test", "test_cleaned"]
    assert new["test"].data.to_pylist() == old["test"].data.to_pylist()
    assert new["test_cleaned"]["note"][:] == ["=n11", "=n13", "=n14", "=n15", "=n16", "=n18"]
    assert applied.kept == {"train": 2, "test": 9, "test_cleaned": 6}
    told = (tmp_path / "cleaned" / "summary.txt").read_text()
    assert "test: 9 of 9 images (left as it is; test_cleaned is the cleaned one)" in told


def on_source(run: RunFolder, source: Path, into: Path) -> RunFolder:
    """A copy of the run that is about another folder."""
    again = RunFolder(Path(shutil.copytree(run.path, into)))
    info = again.read_info()
    assert info is not None
    again.write_info(replace(info, dataset=replace(info.dataset, source=str(source))))
    return again


@pytest.mark.parametrize("form", ["disk", "folder", "parquet"])
def test_applying_to_a_cleaned_copy_changes_nothing(
    decided: RunFolder, tmp_path: Path, form: str
) -> None:
    apply(decided, tmp_path / "first", ApplyRequest(form=form))
    again = on_source(decided, tmp_path / "first", tmp_path / "again")
    applied = apply(again, tmp_path / "second")
    assert applied.changes == []
    assert list(datasets.load_from_disk(str(tmp_path / "second"))) == [
        "train",
        "test",
        "test_cleaned",
    ]


def test_only_the_named_split_is_changed(
    decided: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, output, errors = review_embeddings(
        "apply", "--run", decided.path, "--out", tmp_path / "cleaned", "--split", "train"
    )
    assert code == 0 and "train: 2 of 3" in output and "test_cleaned" not in output, errors
    code, _, errors = review_embeddings(
        "apply", "--run", decided.path, "--dry-run", "--split", "tset"
    )
    assert code == 2 and "'train', 'test'" in errors


def test_provenance_says_which_decisions_of_whom(decided: RunFolder, tmp_path: Path) -> None:
    apply(decided, tmp_path / "cleaned", ApplyRequest(form="parquet"))
    told = json.loads((tmp_path / "cleaned" / "provenance.json").read_text())
    assert told["run"] == str(decided.path)
    assert told["decisions_sha256"] == hashlib.sha256(decided.decisions.read_bytes()).hexdigest()
    assert {change["reviewer"] for change in told["changes"]} == {"ada"}
    assert told["splits"]["test_cleaned"]["from"] == "test"
    assert (told["splits"]["test"]["rows"], told["splits"]["test_cleaned"]["rows"]) == (9, 6)


def test_decisions_without_effect_are_named_with_the_reason(run: RunFolder, tmp_path: Path) -> None:
    decide(run, [1], "duplicate")
    decide(run, [0], "relabel", new_label="green")  # which it is
    told = summary(clean(run, tmp_path / "cleaned"))
    assert "decisions without effect: 2" in told
    assert "a duplicate of which no other copy is known stays: 1" in told
    assert "it has that label already: 1" in told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("test", "Test", "validation", "val2", "dev", "test_seen")),
        *((name, False) for name in ("train", "fold1", "unlabeled", "test_cleaned", "contest")),
    ],
)
def test_evaluation_splits_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_evaluation(name) is expected


# -- the source


@pytest.mark.parametrize("name", ["data", "deep/down/data", "beans/train"])
def test_a_data_set_that_is_gone_is_not_taken_for_another_one(
    name: str, decided: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = on_source(decided, tmp_path, tmp_path / "again")
    info = again.read_info()
    assert info is not None
    again.write_info(replace(info, dataset=replace(info.dataset, source=name)))
    (tmp_path / "working" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "working")
    with pytest.raises(DatasetError, match="is not there any more"):
        apply(again, tmp_path / "out")


def test_a_data_set_without_the_images_of_the_run_is_refused(
    decided: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    again = on_source(decided, image_folder, tmp_path / "again")
    with pytest.raises(DatasetError, match="none of the 9 images of the run"):
        apply(again, tmp_path / "out")


def test_a_reviewed_slice_loses_its_second_copies(source: Path, tmp_path: Path) -> None:
    rows = datasets.load_from_disk(str(source))["test"]
    (tmp_path / "data").mkdir()
    rows.to_parquet(str(tmp_path / "data" / "train.parquet"))
    save_checkpoint(tmp_path / "run" / "checkpoint-10", seed=1, step=10)
    run = RunFolder(tmp_path / "run")
    build(run, Request(dataset={"source": str(tmp_path / "data"), "split": "train[:8]"}))
    decide(run, [4], "duplicate")
    assert [one["row"] for one in apply(run, None).changes] == ["7"]


@pytest.mark.parametrize("form", ["disk", "folder", "parquet"])
def test_rows_whose_file_is_missing_stay_without_an_image(
    form: str, run: RunFolder, source: Path, tmp_path: Path
) -> None:
    rows = datasets.load_from_disk(str(source))["test"]
    listed = rows.data.to_pylist()
    (tmp_path / "files").mkdir()
    for number, row in enumerate(listed):
        path = tmp_path / "files" / f"IMG {number}.png"
        if number != 8:
            path.write_bytes(row["image"]["bytes"])
        row["image"] = {"bytes": None, "path": str(path)}
    table = pa.Table.from_pylist(listed, schema=rows.features.arrow_schema)
    parquet.write_table(table, tmp_path / "train.parquet")
    again = on_source(run, tmp_path / "train.parquet", tmp_path / "again")
    decide(run, [0], "remove")
    shutil.copy(run.decisions, again.decisions)
    applied = apply(again, tmp_path / "out", ApplyRequest(form=form))
    assert [(split, row) for split, row, *_ in applied.missing] == [("train", 8)]
    assert "train, row 8: " in (tmp_path / "out" / "summary.txt").read_text()
    if form == "folder" and int(datasets.__version__.split(".")[0]) < 5:
        pytest.skip("datasets 4 cannot read a folder of images with a row that has none")
    new = load(tmp_path / "out", form, tmp_path)["train"]
    assert [image is not None for image in new["image"][:]] == [True] * 7 + [False]
    if form == "folder":
        names = {path.name for path in (tmp_path / "out").rglob("*.png")}
        assert names == {f"IMG {number}.png" for number in range(1, 8)}


@pytest.mark.parametrize(
    ("kind", "values", "new"),
    [("int64", [1, 2, 1, 2], 2), ("float32", [1.0, 2.0, 1.0, 2.0], 2.0)],
)
def test_numbers_are_relabelled_by_the_names_of_the_review(
    kind: str, values: list[Any], new: Any
) -> None:
    kinds = datasets.Features({"label": datasets.Value(kind), "note": datasets.Value("int64")})
    rows = datasets.Dataset.from_dict({"label": values, "note": [0] * 4}, features=kinds)
    labels = label_column(rows, "label")
    assert labels is not None
    named = labels.named_by({0: "ant", 1: "bee"}, ["ant", "bee", "cow"])
    assert (named.name_of(2), named.value_of("bee"), named.value_of("cow")) == ("ant", new, 3)
    assert labels.value_of("2") == new and relabelled(rows, labels, {0: new})["label"][0] == new


def test_new_classes_are_added_only_on_request(run: RunFolder, tmp_path: Path) -> None:
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        known = ReviewedImages.of(images)
        (line,) = known.decide([0], "relabel", new_label="red", reviewer="ada")
        writer.append([replace(line, new_label="pink")])
    with pytest.raises(SettingsError, match="'pink'.*--new-classes"):
        apply(run, None)
    apply(run, tmp_path / "out", ApplyRequest(new_classes=True, clean_test=True))
    new = datasets.load_from_disk(str(tmp_path / "out"))
    assert (
        new["test"].features["label"].names == [*CLASSES, "pink"] and new["test"]["label"][0] == 3
    )
    assert new["train"].features == new["test"].features


def test_classes_of_a_field_are_added_behind_the_others() -> None:
    """A label inside a column of structs, as in a tar's ``json.label``."""
    label = datasets.ClassLabel(names=["ant", "bee"])
    kinds = datasets.Features(
        {
            "note": datasets.Value("string"),
            "json": {"label": label, "by": datasets.Value("string")},
        }
    )
    cells = [{"label": 1, "by": "x"}, {"label": 0, "by": None}]
    rows = datasets.Dataset.from_dict({"note": ["a", "b"], "json": cells}, features=kinds)
    wider = with_classes(rows, "json.label", ["cow", "bee"])
    assert wider.features["json"]["label"].names == ["ant", "bee", "cow"]
    assert wider.column_names == ["note", "json"]
    labels = label_column(wider, "json.label")
    assert labels is not None and labels.value_of("cow") == 2
    assert relabelled(wider, labels, {1: 2})["json"][:] == [cells[0], {"label": 2, "by": None}]


def test_a_data_set_without_splits_stays_one(run: RunFolder, source: Path, tmp_path: Path) -> None:
    rows = datasets.load_from_disk(str(source))["train"]
    rows.save_to_disk(str(tmp_path / "single"))
    again = on_source(run, tmp_path / "single", tmp_path / "again")
    decide(run, [2], "remove")
    shutil.copy(run.decisions, again.decisions)
    apply(again, tmp_path / "out")
    new = datasets.load_from_disk(str(tmp_path / "out"))
    assert isinstance(new, datasets.Dataset) and new["note"][:] == ["=n30", "=n31"]


def test_images_of_a_further_column_do_not_take_the_place_of_a_class(tmp_path: Path) -> None:
    files = [{"bytes": encoded(picture(0, seed=seed)), "path": None} for seed in range(2)]
    kinds = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    rows = datasets.Dataset.from_dict({"image": files[:1], "mask": files[1:]}, features=kinds)
    known = FolderSplit(rows, "image", ["mask-images"], [""], [".png"], [True])
    write_folder(tmp_path, known, known.rows.features)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert names == ["mask-images/0000000.png", "mask-images_/0000000.png"]


@pytest.mark.parametrize("form", ["folder", "parquet"])
def test_another_cleaned_data_set_is_not_taken_out_of_the_cache(
    run: RunFolder, tmp_path: Path, form: str
) -> None:
    clean(run, tmp_path / "one" / "cleaned", form)
    decide(run, [0], "remove")
    clean(run, tmp_path / "two" / "cleaned", form)
    cache = str(tmp_path / "cache")
    counts = [
        len(datasets.load_dataset(str(tmp_path / name / "cleaned"), cache_dir=cache)["test"])
        for name in ("one", "two")
    ]
    assert counts == [9, 8]


def test_images_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    """A file that is cut off, which the run has skipped, and in another split one that is none."""
    for split, label in itertools.product(("train", "test"), CLASSES):
        folder = tmp_path / "data" / split / label
        folder.mkdir(parents=True)
        for index in range(2):
            code = CLASSES.index(label)
            seed = 10 * code + index + 100 * (split == "test")
            (folder / f"{index}.png").write_bytes(encoded(picture(code, seed=seed)))
    cut = tmp_path / "data" / "test" / "blue" / "1.png"
    cut.write_bytes(cut.read_bytes()[:60])
    (tmp_path / "data" / "train" / "red" / "1.png").write_bytes(b"nothing")
    save_checkpoint(tmp_path / "run" / "checkpoint-10", seed=1, step=10)
    run = RunFolder(tmp_path / "run")
    build(run, Request(dataset={"source": str(tmp_path / "data"), "split": "test"}))
    applied = apply(run, tmp_path / "cleaned")
    found = {(split, Path(path).parent.name) for split, _, path, _ in applied.unreadable}
    assert found == {("test", "blue"), ("train", "red")}
    text = (tmp_path / "cleaned" / "summary.txt").read_text()
    assert "images that cannot be read, which are written as they are: 2" in text
    assert "blue/1.png" in text and "red/1.png" in text
