"""Every file of a folder of images is a row or has a reason, and labels are what a person reads."""

import csv
import os
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from samples import encoded, picture

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images import walk as walking
from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset, source_signature
from review_embeddings.pipeline.images.reading import ImageRecord, read_image
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.images.splitwords import split_names_of
from review_embeddings.pipeline.images.writer import writing_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference

PNG = encoded(Image.new("RGB", (4, 4), "teal"))


def fill(root: Path, *names: str, data: bytes = PNG) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def opened(root: Path, **options: object) -> OpenedDataset:
    return open_dataset(DatasetReference(str(root), **options))  # type: ignore[arg-type]


def labels_of(found: OpenedDataset, root: Path) -> dict[str, str | None]:
    """The class of each file."""
    column = str(found.reference.image_column)
    paths = [cell["path"].removeprefix(f"{root.resolve()}/") for cell in found.rows[:][column]]
    if found.labels is None or found.classes is None:
        return dict.fromkeys(paths)
    names = [found.classes[label] if label >= 0 else None for label in found.labels]
    return dict(zip(paths, names, strict=True))


def by_folder(*names: str) -> dict[str, str | None]:
    return {name: name.split("/")[-2] for name in names}


def test_no_table_is_pickled_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which fails where pyarrow lies in a folder that is not called site-packages."""

    hashed: list[object] = []

    def remember(cls: type, value: object) -> str:
        hashed.append(value)
        return str(len(hashed))

    monkeypatch.setattr("datasets.fingerprint.Hasher.hash", classmethod(remember))
    root = fill(tmp_path, "a/1.png", "b/2.png")
    assert labels_of(opened(root), root) == by_folder("a/1.png", "b/2.png")
    assert not [value for value in hashed if isinstance(value, (pa.Table, datasets.table.Table))]


# -- splits and classes


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["Train", "TEST"], {"Train": "train", "TEST": "test"}),
        (["train", "unlabeled", "fold1"], {n: n for n in ("train", "unlabeled", "fold1")}),
        (
            ["images_train", "images_holdout"],
            {"images_train": "train", "images_holdout": "holdout"},
        ),
        (["train2017", "val2017"], {"train2017": "train", "val2017": "validation"}),
        (["train1", "train2"], {"train1": "train1", "train2": "train2"}),  # not one split
        (["bus", "car", "train"], None),
        (["lab coat", "test tube"], None),
        (["fold1", "fold2"], None),  # nothing says that they are folds of a data set
        ([], None),
    ],
)
def test_folders_are_splits_only_if_all_of_them_are(
    names: list[str], splits: dict[str, str] | None
) -> None:
    assert split_names_of(names) == splits


def test_a_class_may_be_called_train_and_a_file_too(tmp_path: Path) -> None:
    names = ["bus/1.png", "train/2.png", "test tube/train.png", "bus/ILSVRC_val_3.png"]
    found = opened(fill(tmp_path, *names))
    assert labels_of(found, tmp_path) == by_folder(*names)
    assert found.classes == ["bus", "test tube", "train"]
    assert any("--split-folders" in note for note in found.account.notes)


def test_either_reading_of_a_folder_can_be_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    found = opened(tmp_path)
    assert (found.reference.split, len(found.rows), found.classes) == ("test", 1, None)
    assert any("--no-split-folders" in note for note in found.account.notes)
    assert dict(found.account.elsewhere) == {"train": 2}
    as_classes = opened(tmp_path, split_folders=False)
    assert as_classes.classes == ["test", "train"] and len(as_classes.rows) == 3
    fill(tmp_path, "other/4.png")
    assert len(opened(tmp_path, split_folders=True, split="other").rows) == 1


def test_splits_have_the_same_classes_and_unlabelled_ones_have_none(tmp_path: Path) -> None:
    fill(tmp_path, "data/Train/a/1.png", "data/Train/b/2.png", "data/Test/b/3.png")
    fill(tmp_path, "data/unlabeled/x/4.png", "stray.png")
    found = opened(tmp_path)
    assert [one.name for one in found.account.left_out] == ["stray.png"]
    assert found.reference.split == "test" and found.classes == ["a", "b"]
    assert found.labels is not None and found.labels.tolist() == [1]
    assert opened(tmp_path, split="Train").reference.split == "train"
    other = opened(tmp_path, split="unlabeled")
    assert len(other.rows) == 1 and set(labels_of(other, tmp_path).values()) == {None}


def test_images_beside_the_folders_of_splits_are_left_out_with_the_reason(tmp_path: Path) -> None:
    found = opened(fill(tmp_path, "train/1.png", "test/2.png", "cover.jpg"), split_folders=True)
    assert [one.name for one in found.account.left_out] == ["cover.jpg"]
    assert "none of the folders of the splits" in found.account.left_out[0].reason


def test_nested_classes(tmp_path: Path) -> None:
    even = fill(tmp_path / "even", "pets/cat/1.png", "pets/dog/2.png", "wild/fox/3.png")
    assert opened(even).classes == ["cat", "dog", "fox"]
    assert opened(even, labels_from="top-folder").classes == ["pets", "wild"]
    uneven = fill(tmp_path / "uneven", "cat/1.png", "dog/black/2.png", "dog/white/3.png", "4.png")
    found = opened(uneven)
    expected = {"4.png": None, "cat/1.png": "cat"} | dict.fromkeys(
        ("dog/black/2.png", "dog/white/3.png"), "dog"
    )
    assert labels_of(found, uneven) == expected
    assert any("no label" in note for note in found.account.notes)
    assert opened(uneven, labels_from="none").classes is None


def test_digits_are_classes_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = opened(fill(tmp_path, *(f"{number}/a.png" for number in range(12))))
    assert found.classes == [str(number) for number in range(12)]


def test_a_card_names_splits_and_the_order_of_classes(tmp_path: Path) -> None:
    fill(tmp_path, "test_cleaned/zebra/1.png", "fold1/ant/2.png", "extra.png")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: test_cleaned\n    path: "
        "test_cleaned/**\n  - split: fold1\n    path: fold1/**\ndataset_info:\n  features:\n"
        "  - name: image\n    dtype: image\n  - name: label\n    dtype:\n      class_label:\n"
        "        names:\n          '0': zebra\n          '1': ant\n---\n"
    )
    found = opened(tmp_path, split="test_cleaned")
    assert found.classes == ["zebra", "ant"] and dict(found.account.elsewhere) == {"fold1": 1}
    assert [one.name for one in found.account.left_out] == ["extra.png"]


# -- which files


def test_endings_of_any_case_and_kind_and_files_without_one(tmp_path: Path) -> None:
    names = ["a/1.Jpeg", "a/2.pNg", "b/3.avif", "b/4", "b/5.v2", "a/6.heic"]
    fill(tmp_path, *names)
    fill(tmp_path, "b/7", "b/8.txt", data=b"no image")
    found = opened(tmp_path)
    assert labels_of(found, tmp_path) == by_folder(*names)
    assert found.account.others == 2


def test_linked_folders_hidden_ones_and_dead_links(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "cat/1.png", "__background__/2.png", ".cache/3.png")
    (root / "fox").symlink_to(fill(tmp_path / "store", "4.png"))
    (root / "cat" / "again").symlink_to(root)  # would go round for ever
    (root / "cat" / "above").symlink_to(tmp_path)
    (root / "cat" / "gone.png").symlink_to("/nowhere/x.png")
    os.mkfifo(root / "cat" / "pipe.png")
    found = opened(root)
    expected = {"cat/1.png": "cat", "__background__/2.png": "__background__", "fox/4.png": "fox"}
    assert labels_of(found, root) == expected
    assert {one.name: one.reason for one in found.account.left_out} == {
        ".cache/3.png": "in a hidden folder",
        "cat/gone.png": "a link to nothing",
        "cat/pipe.png": "not a regular file",
    }


@pytest.mark.parametrize("folder", ["birds [v2]", "a::b", "50 % off", "a*b?", "{x}", "Käfer ü"])
def test_paths_of_any_name_are_opened(tmp_path: Path, folder: str) -> None:
    root = fill(tmp_path / folder / "data", "owl/1 [a].png", "jay/b::c.png")
    found = opened(root)
    assert found.classes == ["jay", "owl"]
    for cell in found.rows[:]["image"]:
        assert isinstance(read_image(0, 0, cell), ImageRecord)


def test_names_that_are_no_utf_8_are_shown_escaped_and_read(tmp_path: Path) -> None:
    fill(tmp_path, "owl/1.png", "jay/2.png")
    Path(os.fsdecode(os.fsencode(tmp_path / "owl") + b"/caf\xe9.png")).write_bytes(PNG)
    found = opened(tmp_path)
    assert labels_of(found, tmp_path)["owl/caf\\xe9.png"] == "owl"
    cells = found.rows[:]["image"]
    assert all(isinstance(read_image(0, 0, cell), ImageRecord) for cell in cells)
    run = RunFolder(tmp_path.parent / "elsewhere")
    assert source_signature(DatasetReference(str(tmp_path)), run) is not None


def test_zip_files_are_looked_into(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in ("owl/1.png", "jay/2.png", "notes.txt"):
            archive.writestr(name, PNG)
    found = opened(tmp_path)
    assert found.classes == ["jay", "owl"]
    cells = found.rows[:]["image"]
    assert all(isinstance(read_image(0, 0, cell), ImageRecord) for cell in cells)


def test_runs_and_models_inside_the_folder_are_no_data(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png", "dog/2.png", "runs/a/checkpoint-10/model.safetensors")
    elsewhere = RunFolder(tmp_path.parent / "run")
    reference = DatasetReference(str(tmp_path))
    before = source_signature(reference, elsewhere)
    fill(tmp_path, "runs/a/run.json", "runs/a/exports/3.png")
    assert source_signature(reference, elsewhere) == before
    found = opened(tmp_path)
    assert found.classes == ["cat", "dog"] and len(found.rows) == 2
    assert any("runs/a" in note for note in found.account.notes)


def test_images_beside_parquet_files_are_left_out_with_the_reason(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = pa.table({"image": [encoded(picture(0, row)) for row in range(9)]})
    for name in ("a.parquet", "b_test.parquet"):
        parquet.write_table(rows, tmp_path / name)
    found = opened(fill(tmp_path, "assets/example.png"))
    assert len(found.rows) == 18, "a file is no split because of a word in its name"
    assert [one.name for one in found.account.left_out] == ["assets/example.png"]


def test_a_folder_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *(f"{number}/a.png" for number in range(5)))
    listed: list[str] = []
    scandir = os.scandir

    def counted(folder: str) -> object:
        listed.append(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    with walking.walked_once():
        source_signature(DatasetReference(str(tmp_path)), RunFolder(tmp_path.parent / "run"))
        opened(tmp_path)
        opened(tmp_path)
    assert len(listed) == len(set(listed)) == 6


# -- metadata


def test_metadata_that_names_some_of_the_files(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "metadata.csv").write_text(
        "file_name;label;seen\n1.png;NA;2020-01-02\n2.png;cat;\ngone.png;cat;\n"
    )
    found = opened(tmp_path)
    assert labels_of(found, tmp_path) == {"1.png": "NA", "2.png": "cat", "3.png": None}
    assert [one.name for one in found.account.left_out] == ["gone.png"]
    assert found.rows.column_names == ["image", "label", "seen"]


def test_rows_are_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    """As `datasets` has them; images that it does not name come last."""
    fill(tmp_path, "1.png", "2.png", "3.png", "4.png")
    (tmp_path / "metadata.csv").write_text("file_name,label\n3.png,a\n,b\n1.png,b\n3.png,c\n")
    found = opened(tmp_path)
    paths = [Path(cell["path"]).name for cell in found.rows[:]["image"]]
    assert paths == ["3.png", "1.png", "3.png", "2.png", "4.png"]
    assert found.rows["label"][:] == ["a", "b", "c", None, None]
    assert [(one.name, one.reason) for one in found.account.left_out] == [
        ("metadata.csv", "1 of its rows have no file_name")
    ]


def test_labels_are_those_of_metadata_or_of_folders_as_asked(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "a/1.png", "label": "x", "n": 1}\n{"file_name": "b/2.png", "label": "y"}\n'
    )
    found = opened(tmp_path)
    assert found.classes == ["x", "y"]
    assert any("--labels-from folder" in note for note in found.account.notes)
    assert opened(tmp_path, labels_from="folder").classes == ["a", "b"]
    assert opened(tmp_path, labels_from="none").classes is None
    with pytest.raises(DatasetError, match="no column 'file_name'"):
        (tmp_path / "metadata.jsonl").write_text('{"name": "1.png"}\n')
        opened(tmp_path)


def test_metadata_in_one_split_only(tmp_path: Path) -> None:
    fill(tmp_path, "train/1.png", "test/2.png")
    (tmp_path / "train" / "metadata.csv").write_text("file_name,label\n1.png,owl\n")
    assert opened(tmp_path, split="train").classes == ["owl"]
    assert set(labels_of(opened(tmp_path), tmp_path).values()) == {None}


def test_boxes_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    yolo = fill(tmp_path / "yolo", "images/train/1.png", "images/val/2.png")
    fill(yolo, "labels/train/1.txt", "labels/val/2.txt", data=b"0 1 1 1 1")
    found = opened(yolo)
    assert found.reference.split == "validation" and len(found.rows) == 1
    assert any("YOLO" in note for note in found.account.notes)
    coco = fill(tmp_path / "coco", "train2017/1.png", "val2017/2.png")
    fill(coco, "annotations/instances.json", data=b'{"images": [], "annotations": []}')
    assert any("COCO" in note for note in opened(coco).account.notes)


def test_what_is_beside_the_images_and_is_not_read_is_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "1.png", "2.png")
    fill(root, "more.tar.gz", "train.csv", "broken.zip", data=b"id,label\n1,cat\n")
    found = opened(root)
    assert any("more.tar.gz" in note for note in found.account.notes)
    assert any("train.csv" in note and "metadata.csv" in note for note in found.account.notes)
    assert [one.name for one in found.account.left_out] == ["broken.zip"]
    assert "not a zip" in found.account.left_out[0].reason
    fill(root, "metadata.csv", data=b"file_name,label\n1.png,cat\n2.png,dog\n")
    assert not any("train.csv" in note for note in opened(root).account.notes)


def test_metadata_beside_a_zip_file_of_the_images(tmp_path: Path) -> None:
    """As in huggingface/datasets #7337."""
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in ("1.png", "2.png"):
            archive.writestr(name, PNG)
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "label": "x"}\n{"file_name": "2.png", "label": "y"}\n'
    )
    assert opened(tmp_path).classes == ["x", "y"]


# -- the promise

COUNT = int(os.environ.get("REVIEW_EMBEDDINGS_FOLDERS", "60"))
"""Generated folders; more in .ci/long."""

CLASS_NAMES = [
    "cat", "train", "Test", "val", "test tube", "0", "10", "Käfer", "猫", "a.b", "v1.2", "x y",
    "[a]", "a::b", "50%", "__background__", "unlabeled", "fold1", "none", "(no label)",
]  # fmt: skip

ENDINGS = [".png", ".JPG", ".Jpeg", ".avif", ".mpo", ".heic", ".tif", "", ".v2", ".webp"]

BY_NAME = {".png", ".JPG", ".Jpeg", ".avif", ".mpo", ".heic", ".tif", ".webp"}
"""Endings that make a candidate of a file whatever is in it."""

BROKEN = b"no image at all"


@st.composite
def folders(draw: st.DrawFn) -> dict[str, bytes]:
    """Files of a folder of images: classes, perhaps inside splits, and whatever lies beside."""
    few = st.lists(st.sampled_from(CLASS_NAMES), min_size=1, max_size=4, unique=True)
    classes = draw(few)
    tops = draw(st.sampled_from([[""], [""], ["Train/", "test/"], ["data/"], ["train/", "dev/"]]))
    files: dict[str, bytes] = {}
    for top in tops:
        for name in classes:
            inner = draw(st.sampled_from(["", "", "", "deep/"]))
            for number in range(draw(st.integers(1, 2))):
                ending = draw(st.sampled_from(ENDINGS))
                stem = draw(st.sampled_from(["a", "train", "x test", "é.1", ".b", "c[1]"]))
                data = draw(st.sampled_from([PNG, PNG, PNG, BROKEN if ending in BY_NAME else PNG]))
                files[f"{top}{name}/{inner}{stem}{number}{ending}"] = data
    for name in draw(st.lists(st.sampled_from(["s.png", "d/e.JPEG", ".h/i.png", "n.txt"]))):
        files[name] = BROKEN if name.endswith(".txt") else PNG
    if draw(st.booleans()):
        images = sorted(name for name in files if not name.endswith(".txt"))
        named = draw(st.lists(st.sampled_from(images), unique=True))
        rows = "".join(f'"{name}",{number}\n' for number, name in enumerate(named))
        files["metadata.csv"] = f"file_name,number\n{rows}".encode()
    return files


def rows_and_skipped(root: Path, split: str, run: RunFolder) -> tuple[list[str], list[str]]:
    """The files of one split that are rows, and those that are skipped."""
    found = opened(root, split=split)
    column = str(found.reference.image_column)
    with writing_images(run, found, None) as writer:
        for row, cell in enumerate(found.rows[:][column]):
            label = -1 if found.labels is None else int(found.labels[row])
            writer.add(read_image(row, label, cell, root.resolve()))
    images = read_images(run)
    assert images is not None
    with run.skipped.open(newline="") as file:
        skipped = list(csv.DictReader(file))
    assert all(line["reason"] for line in skipped)
    return [str(path) for path in images.paths], [line["path"] for line in skipped]


@given(folders())
@settings(max_examples=COUNT, deadline=None)
def test_every_image_of_a_folder_is_a_row_or_has_a_reason(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as place:
        root = Path(place) / "data"
        for name, data in files.items():
            fill(root, name, data=data)
        expected = {name for name in files if not name.endswith((".txt", ".csv"))}
        first = opened(root)
        seen: list[str] = []
        left_out = {one.name for one in first.account.left_out}
        for split in [first.reference.split, *first.account.elsewhere]:
            found = opened(root, split=split)
            assert {one.name for one in found.account.left_out} == left_out
            seen += labels_of(found, root)
        assert len(seen) == len(set(seen)), "no file is two rows"
        assert set(seen) | left_out == expected and not set(seen) & left_out
        run = RunFolder(Path(place) / "run")
        inside = list(labels_of(first, root))
        try:
            rows, skipped = rows_and_skipped(root, str(first.reference.split), run)
        except DatasetError as error:
            assert str(error).startswith(("None of the", "The only image of")), "all are unreadable"
            assert all(files[name] == BROKEN for name in inside)
            return
        assert sorted([*rows, *skipped]) == sorted([*inside, *left_out])
        assert {name for name in inside if files[name] == PNG} == set(rows)


@given(st.lists(st.sampled_from(CLASS_NAMES), min_size=2, max_size=6, unique=True))
@settings(max_examples=40, deadline=None)
def test_labels_are_the_folders_a_person_sees(classes: list[str]) -> None:
    with TemporaryDirectory() as place:
        root = Path(place)
        names = [f"{name}/{number}.png" for name in classes for number in range(2)]
        fill(root, *names)
        found = opened(root, split_folders=False)
        assert labels_of(found, root) == by_folder(*names)
        if split_names_of(classes) is None:
            assert labels_of(opened(root), root) == by_folder(*names)


def test_a_configuration_of_a_card_may_be_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, "small/train/1.png", "small/test/2.png", "large/train/3.png")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: small\n  data_dir: small\n- config_name: large\n"
        "  data_dir: large\n---\n"
    )
    with pytest.raises(DatasetError, match="'small', 'large'.*--config"):
        opened(tmp_path)
    found = opened(tmp_path, config="small")
    assert found.reference.split == "test" and dict(found.account.elsewhere) == {"train": 1}
