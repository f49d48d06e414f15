"""Every form of data set, found columns, labels of every kind, unreadable images, samples."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from samples import CLASSES, encoded, picture

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images import dataset, reading, writer
from review_embeddings.pipeline.images.dataset import open_dataset, source_signature
from review_embeddings.pipeline.images.decode import decode
from review_embeddings.pipeline.images.reading import ImageRecord, SkippedImage, read_image
from review_embeddings.pipeline.images.runimages import images_key, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.images.writer import writing_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.threads import worker_count


def cells(total: int) -> list[dict[str, object]]:
    return [{"bytes": encoded(picture(row % 3, seed=row)), "path": None} for row in range(total)]


def opened(source: object, **options: object) -> dataset.OpenedDataset:
    return open_dataset(DatasetReference(source=str(source), **options))  # type: ignore[arg-type]


def test_folder_of_images_by_class(image_folder: Path) -> None:
    found = opened(image_folder)
    assert found.reference.split == "train"
    assert (found.reference.image_column, found.reference.label_column) == ("image", "label")
    assert found.classes == CLASSES and found.labels is not None
    assert np.bincount(found.labels).tolist() == [12, 12, 12]


def test_test_split_first_and_slices(tmp_path: Path) -> None:
    for split, total in (("train", 6), ("test", 4)):
        for row in range(total):
            folder = tmp_path / split / CLASSES[row % 2]
            folder.mkdir(parents=True, exist_ok=True)
            picture(row % 2, seed=row).save(folder / f"{row}.png")
    assert opened(tmp_path).reference.split == "test"
    assert len(opened(tmp_path, split="train[:4]").rows) == 4
    with pytest.raises(DatasetError, match="no split 'dev'; it has 'train', 'test'"):
        opened(tmp_path, split="dev")


def test_parquet_as_the_hub_writes_it_and_with_plain_bytes(tmp_path: Path) -> None:
    hub = datasets.Dataset.from_dict(
        {"img": cells(5), "fine": [0, 1, 2, 0, 1]},
        features=datasets.Features(
            {"img": datasets.Image(), "fine": datasets.ClassLabel(names=CLASSES)}
        ),
    )
    hub.to_parquet(str(tmp_path / "hub.parquet"))
    found = opened(tmp_path / "hub.parquet")
    assert (found.reference.image_column, found.reference.label_column, found.classes) == (
        "img",
        "fine",
        CLASSES,
    )
    plain = pa.table(
        {"picture": [cell["bytes"] for cell in cells(4)], "label": ["b", "a", "b", None]}
    )
    parquet.write_table(plain, tmp_path / "plain.parquet")
    found = opened(tmp_path / "plain.parquet")
    assert found.reference.image_column == "picture" and found.classes == ["a", "b"]
    assert found.labels is not None and found.labels.tolist() == [1, 0, 1, -1]


def test_save_to_disk_with_and_without_splits(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict(
        {"image": cells(4)}, features=datasets.Features({"image": datasets.Image()})
    )
    rows.save_to_disk(str(tmp_path / "one"))
    assert opened(tmp_path / "one").labels is None
    datasets.DatasetDict({"train": rows, "validation": rows.select([0, 1])}).save_to_disk(
        str(tmp_path / "two")
    )
    assert opened(tmp_path / "two").reference.split == "validation"
    assert len(opened(tmp_path / "two", split="train").rows) == 4


def test_folder_with_a_data_set_card(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict(
        {"image": cells(4)}, features=datasets.Features({"image": datasets.Image()})
    )
    rows.to_parquet(str(tmp_path / "part-0.parquet"))
    card = (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: holdout\n    path: "
        "part-*.parquet\n---\n"
    )
    (tmp_path / "README.md").write_text(card)
    assert opened(tmp_path).reference.split == "holdout"


@pytest.mark.parametrize(
    ("values", "names", "codes"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], ["9", "10"], [1, 0, 1]),  # numbers by value, not as text
        ([2.0, None, 1.0], ["1", "2"], [1, -1, 0]),
        ([True, False, True], ["False", "True"], [1, 0, 1]),
        ([3, -1, 1], ["1", "3"], [1, -1, 0]),  # below 0: no label
        ([-1.0, 1.0, 0.0], ["0", "1"], [-1, 1, 0]),
        (["-1", "0", "x"], ["-1", "0", "x"], [0, 1, 2]),
        ([0.5, 1.0, 0.5], ["0.5", "1"], [0, 1, 0]),  # grades
    ],
)
def test_labels_of_any_kind(
    tmp_path: Path, values: list[object], names: list[str], codes: list[int]
) -> None:
    parquet.write_table(
        pa.table({"image": [cell["bytes"] for cell in cells(3)], "label": values}),
        tmp_path / "x.parquet",
    )
    found = opened(tmp_path / "x.parquet")
    assert found.classes == names
    assert found.labels is not None and found.labels.tolist() == codes


def test_measurements_are_no_labels(tmp_path: Path) -> None:
    table = pa.table(
        {"image": [cell["bytes"] for cell in cells(3)], "label": [0.13, 0.57, 2.0]},
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    found = opened(tmp_path / "x.parquet")
    assert found.classes is None and found.labels is None
    with pytest.raises(DatasetError, match="holds measurements, nearly all"):
        opened(tmp_path / "x.parquet", label_column="label")


def test_hidden_labels_count_as_none(tmp_path: Path) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)}
    )
    rows = datasets.Dataset.from_dict(
        {"image": cells(3), "label": [-1, 2, None]}, features=features
    )
    rows.save_to_disk(str(tmp_path / "data"))
    found = opened(tmp_path / "data")
    assert found.labels is not None and found.labels.tolist() == [-1, 2, -1]


def test_columns_that_are_not_there_or_not_clear(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "left": datasets.Image(),
            "right": datasets.Image(),
            "coarse": datasets.ClassLabel(names=["x"]),
            "fine": datasets.ClassLabel(names=["y"]),
            "many": datasets.Sequence(datasets.Value("int64")),
        }
    )
    content = {"left": cells(1), "right": cells(1), "coarse": [0], "fine": [0], "many": [[1, 2]]}
    datasets.Dataset.from_dict(content, features=features).save_to_disk(str(tmp_path / "data"))
    with pytest.raises(DatasetError, match="several image columns: 'left', 'right'"):
        opened(tmp_path / "data")
    with pytest.raises(DatasetError, match="several label columns: 'coarse', 'fine'"):
        opened(tmp_path / "data", image_column="left")
    assert opened(tmp_path / "data", image_column="left", label_column="none").labels is None
    with pytest.raises(DatasetError, match="no column 'top'; it has 'left', 'right'"):
        opened(tmp_path / "data", image_column="top")
    with pytest.raises(DatasetError, match="not one class an image"):
        opened(tmp_path / "data", image_column="left", label_column="many")
    with pytest.raises(DatasetError, match="holds .*not images"):
        opened(tmp_path / "data", image_column="many")


@pytest.mark.parametrize("source", ["/no/such/folder", "./nowhere"])
def test_a_path_that_is_not_there(source: str) -> None:
    with pytest.raises(DatasetError, match="is not there"):
        opened(source)


def test_a_hub_name_that_cannot_be_reached_and_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nobody/nothing is no path here and cannot be loaded"):
        opened("nobody/nothing")
    with pytest.raises(DatasetError, match="cannot be loaded"):
        opened(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DatasetError, match=r"is a \.txt file"):
        opened(tmp_path / "notes.txt")


def write(run: RunFolder, source: Path, **options: object) -> list[SkippedImage]:
    found = opened(source, **options)
    column = found.reference.image_column
    with writing_images(run, found, None) as writer:
        for row, cell in enumerate(found.rows[:][column]):
            writer.add(
                read_image(row, -1 if found.labels is None else int(found.labels[row]), cell)
            )
    return writer.skipped


def test_unreadable_images_are_skipped_with_the_reason(tmp_path: Path) -> None:
    files = [
        encoded(picture(0, 1)),
        b"no image at all",
        encoded(picture(1, 2))[:60],
        None,
        encoded(picture(2, 3)),
    ]
    rows = pa.table(
        {
            "image": [{"bytes": file, "path": f"{row}.png"} for row, file in enumerate(files)],
            "label": [0, 1, 2, 0, 1],
        }
    )
    parquet.write_table(
        rows.set_column(0, "image", pa.array([{"bytes": f, "path": None} for f in files])),
        tmp_path / "x.parquet",
    )
    run = RunFolder(tmp_path / "run")
    skipped = write(run, tmp_path / "x.parquet")
    assert [image.image_id for image in skipped] == [1, 2, 3]
    assert (
        skipped[2].reason == "no image in this row"
        and skipped[0].reason == "not an image of a known format"
    )
    images = read_images(run)
    assert images is not None and images.ids.tolist() == [0, 4] and images.label_names == ["0", "1"]
    assert images.read_bytes() == [files[0], files[4]]
    with run.skipped.open(newline="") as file:
        assert [line["image_id"] for line in csv.DictReader(file)] == ["1", "2", "3"]


def test_some_of_the_images_are_read_from_their_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ROW_GROUP", 4)
    parquet.write_table(pa.table({"image": cells(10)}), tmp_path / "x.parquet")
    run = RunFolder(tmp_path / "run")
    write(run, tmp_path / "x.parquet")
    images = read_images(run)
    assert images is not None and parquet.ParquetFile(run.images).num_row_groups == 3
    files = images.read_bytes()
    assert list(images.read_some([9, 0, 5, 4, 5])) == [
        (place, files[place]) for place in (0, 4, 5, 9)
    ]
    assert list(images.read_some([])) == []


def test_all_unreadable_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"image": [b"x", b"y"]}), tmp_path / "x.parquet")
    run = RunFolder(tmp_path / "run")
    with pytest.raises(DatasetError, match="None of the 2 images"):
        write(run, tmp_path / "x.parquet")
    assert not list((tmp_path / "run").glob("*"))


def test_hash_is_of_the_bytes_as_stored() -> None:
    import hashlib

    data = encoded(picture(0, 0))
    record = read_image(7, 0, {"bytes": data, "path": None})
    assert isinstance(record, ImageRecord)
    assert record.image_hash == hashlib.sha256(data).hexdigest() and record.preview is None


def test_previews_only_where_the_file_itself_would_not_do() -> None:
    def preview_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes | None:
        record = read_image(0, 0, {"bytes": encoded(image, kind, **options), "path": None})
        assert isinstance(record, ImageRecord)
        return record.preview

    assert preview_of(picture(0, 0)) is None and preview_of(picture(0, 0), "JPEG") is None
    large = preview_of(Image.new("RGB", (2000, 1000)), "JPEG")
    assert large is not None and decode(large).size == (512, 256)
    for odd in (Image.new("CMYK", (8, 8)), Image.fromarray(np.zeros((4, 4), np.uint16))):
        shown = preview_of(odd, "TIFF")
        assert shown is not None and decode(shown).format == "PNG"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = preview_of(Image.new("RGB", (20, 10)), "JPEG", exif=exif)
    assert turned is not None and decode(turned).size == (10, 20)


def test_few_decoded_images_wait_and_their_order_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4 x 4 pixels each, with room for 40 pixels: three at a time. One in the middle cannot be
    read, and is named in its place."""
    monkeypatch.setattr(reading, "DECODED_AT_ONCE", 40)
    files = [encoded(Image.new("L", (4, 4), 10 * number)) for number in range(8)]
    files[4] = b"no image"
    given = [(row, 0, {"bytes": data, "path": None}) for row, data in enumerate(files)]
    asked = []

    def prepare(images: list[Image.Image]) -> NDArray[Any]:
        asked.append(len(images))
        return np.array([image.getpixel((0, 0)) for image in images])

    ((records, batches),) = reading.read_all(given, Path(), prepare)
    assert asked == [3, 3, 1]
    assert [level for batch in batches for level in batch[:, 0].tolist()] == [
        *(0, 10, 20),
        *(30, 50, 60),
        70,
    ]
    assert [one.image_id for one in records] == list(range(8))
    assert [type(one) for one in records].index(SkippedImage) == 4
    assert all(one.rgb is None for one in records if isinstance(one, ImageRecord))
    ((records, batches),) = reading.read_all(given, Path(), None)
    assert len(records) == 8 and not batches


def test_threads_are_as_many_as_the_cores_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5, 6}, raising=False)
    assert worker_count() == 3


def test_images_inside_an_archive(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("a.png", encoded(picture(1, 1)))
    record = read_image(0, 0, {"bytes": None, "path": f"zip://a.png::{tmp_path / 'images.zip'}"})
    assert isinstance(record, ImageRecord) and record.rgb is not None
    assert record.rgb.size == (16, 16)
    missing = read_image(0, 0, {"bytes": None, "path": str(tmp_path / "gone.png")})
    assert isinstance(missing, SkippedImage) and "No such file" in missing.reason


def test_signature_sees_a_changed_file(image_folder: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    reference = DatasetReference(source=str(tmp_path / "x"))
    assert source_signature(reference, run) is None
    elsewhere = RunFolder(tmp_path / "run")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("1")
    before = source_signature(reference, elsewhere)
    (tmp_path / "x" / "a").write_text("12")
    assert before is not None and source_signature(reference, elsewhere) != before
    assert source_signature(reference, run) is None  # inside the run folder: it is copied with it


def test_balanced_sample_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, -1], dtype=np.int32)
    chosen = balanced_sample(labels, 10, 7, seed=0)
    assert sorted(labels[chosen].tolist()) == [-1, 0, 0, 0, 1, 1, 2]
    assert chosen.tolist() == sorted(chosen.tolist())
    assert balanced_sample(labels, 10, 7, seed=0).tolist() == chosen.tolist()
    assert balanced_sample(labels, 10, None, seed=0).tolist() == list(range(10))


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 5))
def test_balanced_sample_is_as_even_as_it_can_be(values: list[int], limit: int, seed: int) -> None:
    labels = np.array(values, dtype=np.int32)
    chosen = balanced_sample(labels, len(values), limit, seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(limit, len(values))
    counts = {label: int((labels[chosen] == label).sum()) for label in set(values)}
    most = max(counts.values())
    for label, count in counts.items():
        assert count >= most - 1 or count == values.count(label)


def test_key_of_the_images_is_kept(tmp_path: Path, image_folder: Path) -> None:
    run = RunFolder(tmp_path / "run")
    write(run, image_folder)
    metadata = parquet.read_metadata(run.images).metadata
    assert json.loads(metadata[b"classes"]) == CLASSES
    images = read_images(run)
    assert images is not None and images.key == images_key(opened(image_folder).reference)


@pytest.mark.parametrize("deep", [False, True])
def test_images_of_deep_grey_say_by_which_rules_they_are_shown(tmp_path: Path, deep: bool) -> None:
    values = np.array([[0, 4095]], dtype=np.uint16)
    data = encoded(Image.fromarray(values), "TIFF") if deep else encoded(picture(0, 1))
    parquet.write_table(pa.table({"image": [data]}), tmp_path / "x.parquet")
    run = RunFolder(tmp_path / "run")
    write(run, tmp_path / "x.parquet")
    images = read_images(run)
    assert images is not None and images.deep == (2 if deep else None)
    first = replace(images, deep=None)
    assert (first.digest != images.digest) is deep, "what was computed by the first rule is another"


def test_a_saved_split_without_rows_does_not_hide_the_others(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict(
        {"image": cells(4)}, features=datasets.Features({"image": datasets.Image()})
    )
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(str(tmp_path / "data"))
    empty = tmp_path / "data" / "test"
    for file in empty.glob("*.arrow"):
        file.unlink()
    state = json.loads((empty / "state.json").read_text())
    (empty / "state.json").write_text(json.dumps(state | {"_data_files": []}))
    found = opened(tmp_path / "data")
    assert (found.reference.split, len(found.rows)) == ("train", 4)
    assert len(opened(tmp_path / "data", split="train[:3]").rows) == 3
    assert len(opened(tmp_path / "data", split="test").rows) == 0
