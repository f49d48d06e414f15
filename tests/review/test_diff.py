"""What is different between two data sets: by the content of their images, whatever holds them."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import encoded, picture

from review_embeddings.pipeline.images import reading
from review_embeddings.review.difference.compare import (
    ADDED,
    MOVED,
    RELABELLED,
    REMOVED,
    REPLACED,
    ComparedRow,
    Differences,
    compare,
)
from review_embeddings.review.difference.texts import markdown

CommandLine = Callable[..., tuple[int, str, str]]


def rows(*listed: tuple[str, str | None, str, str]) -> list[ComparedRow]:
    """Of (split, image, label, path), numbered inside their split."""
    counts: Counter[str] = Counter()
    made = []
    for split, image, label, path in listed:
        made.append(ComparedRow(split, counts[split], image, label, path))
        counts[split] += 1
    return made


def kinds(found: Differences) -> list[tuple[str, ...]]:
    return [one.kinds for one in found.rows]


# -- the comparison


def test_of_copies_as_many_are_matched_as_both_have() -> None:
    one = [("train", "a", "cat", "")]
    found = compare(rows(*3 * one), rows(*2 * one))
    assert kinds(found) == [(REMOVED,)] and found.rows[0].copy and found.same == 2
    found = compare(rows(*one), rows(*3 * one))
    assert kinds(found) == [(ADDED,), (ADDED,)] and all(row.copy for row in found.rows)


def test_a_copy_is_the_row_with_its_file_and_class_first() -> None:
    before = rows(("train", "a", "cat", "1.png"), ("train", "a", "dog", "2.png"))
    after = rows(("train", "a", "dog", "2.png"), ("train", "a", "cat", "1.png"))
    assert not compare(before, after)
    after = rows(("train", "a", "cat", "2.png"), ("train", "a", "dog", "1.png"))
    assert kinds(compare(before, after)) == [(RELABELLED,), (RELABELLED,)]
    assert not compare(before[1:], rows(("train", "a", "dog", "other.png")))


def test_a_copy_in_its_own_split_comes_before_one_that_moved() -> None:
    before = rows(("train", "a", "cat", ""), ("test", "a", "cat", ""))
    found = compare(before, rows(("train", "a", "dog", "")))
    assert kinds(found) == [(REMOVED,), (RELABELLED,)]
    assert found.rows[0].before is not None and found.rows[0].before.split == "test"


def test_an_image_can_be_moved_and_relabelled_at_once() -> None:
    found = compare(rows(("train", "a", "cat", "")), rows(("test", "a", "dog", "")))
    assert kinds(found) == [(RELABELLED, MOVED)]
    assert found.relabelled == {("cat", "dog"): 1} and found.moved == {("train", "test"): 1}


def test_a_file_name_says_that_an_image_has_changed_where_it_is_there_once() -> None:
    before = rows(("train", "a", "cat", "cat/1.png"), ("train", "b", "dog", "dog/1.png"))
    after = rows(("train", "c", "cat", "cat/1.png"), ("train", "b", "dog", "dog/1.png"))
    assert kinds(compare(before, after)) == [(REPLACED,)]
    bare = rows(("train", "c", "cat", "1.png"), ("train", "b", "dog", "1.png"))
    assert kinds(compare(before, bare)) == [(REMOVED,), (ADDED,)], "1.png is two files"
    bare = rows(("train", "c", "cat", "1.png"), ("train", "b", "dog", "2.png"))
    before = rows(("train", "a", "cat", "cat/1.png"), ("train", "b", "dog", "dog/2.png"))
    assert kinds(compare(before, bare)) == [(REPLACED,)]


def test_a_row_without_an_image_is_compared_like_any_other() -> None:
    before = rows(("train", None, "cat", ""), ("train", "a", "cat", "1.png"))
    assert not compare(before, before)
    found = compare(before, rows(("train", None, "cat", ""), ("train", None, "cat", "1.png")))
    assert kinds(found) == [(REPLACED,)]
    moved = compare(rows(("train", None, "cat", "")), rows(("test", None, "cat", "")))
    assert kinds(moved) == [(REMOVED,), (ADDED,)], "no image says that it is the same row"


listed = st.lists(
    st.builds(
        lambda split, image, label, path: (split, image, label, path),
        st.sampled_from(["train", "test"]),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(["cat", "dog", ""]),
        st.sampled_from(["", "1.png", "x/2.png"]),
    ),
    max_size=8,
)


@given(listed, listed)
def test_every_row_is_accounted_for_once(
    first: list[tuple[str, str | None, str, str]],
    second: list[tuple[str, str | None, str, str]],
) -> None:
    """Taking the differences out of the first and putting them in gives the second, in either
    direction; no image that both have is removed and added."""
    before, after = rows(*first), rows(*second)
    found = compare(before, after)
    olds = [one.before for one in found.rows if one.before is not None]
    news = [one.after for one in found.rows if one.after is not None]
    assert len(set(olds)) == len(olds) and len(set(news)) == len(news)
    assert content(before) - content(olds) == content(after) - content(news)
    assert content(before) - content(olds) + content(news) == content(after)
    assert found.same == len(before) - len(olds) == len(after) - len(news)
    lost = {one.before.image_hash for one in found.of(REMOVED) if one.before is not None}
    new = {one.after.image_hash for one in found.of(ADDED) if one.after is not None}
    assert not (lost & new) - {None}
    back = compare(after, before)
    assert (len(back.of(ADDED)), back.same) == (len(found.of(REMOVED)), found.same)
    assert not compare(before, before) and bool(found) == (
        content(before) != content(after) or found.before.keys() != found.after.keys()
    )
    for one in found.rows:
        copies = [row.image_hash for row in (after if one.after is None else before)]
        row = one.before or one.after
        assert row is not None
        if one.before is None or one.after is None:
            assert one.copy == (row.image_hash is not None and row.image_hash in copies)


def content(listed: list[ComparedRow]) -> Counter[tuple[str, str | None, str]]:
    return Counter((row.split, row.image_hash, row.label) for row in listed)


# -- data sets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits by two classes of four images."""
    root = tmp_path_factory.mktemp("first") / "data"
    for number in range(16):
        split, name = ("train", "test")[number % 2], ("cat", "=dog <b>")[number // 8]
        path = root / split / name / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number // 8, seed=number).save(path)
    return root


def as_other_kinds(folder: Path, out: Path) -> list[Path]:
    """The same data set as what `save_to_disk` writes, and as Parquet."""
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(out / "c"))
    loaded.save_to_disk(str(out / "disk"))
    for split, one in datasets.load_from_disk(str(out / "disk")).items():
        (out / "parquet").mkdir(exist_ok=True)
        one.to_parquet(str(out / "parquet" / f"{split}-00000-of-00001.parquet"))
    return [out / "disk", out / "parquet"]


def test_the_same_images_are_the_same_whatever_holds_them(
    folder: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    kinds = [folder, *as_other_kinds(folder, tmp_path)]
    for one in kinds:
        for other in kinds:
            code, out, _ = review_embeddings("diff", one, other, "--exit-code")
            assert code == 0 and "There is no difference." in out and "same: 16" in out


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    """One image of each kind of difference."""
    new = Path(shutil.copytree(folder, tmp_path / "changed"))
    (new / "train/cat/00.png").unlink()
    (new / "train/cat/02.png").rename(new / "train/=dog <b>/02.png")
    (new / "test/cat/01.png").rename(new / "train/cat/01.png")
    picture(0, seed=99).save(new / "test/cat/03.png")
    shutil.copy(new / "test/cat/05.png", new / "test/cat/05 again.png")
    return new


def test_each_difference_is_found_listed_and_shown(
    folder: Path, changed: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    page, listing = tmp_path / "page.html", tmp_path / "list.csv"
    code, out, _ = review_embeddings(
        "diff", folder, changed, "--exit-code", "--out", listing, "--html", page
    )
    assert code == 3
    assert out.splitlines()[:10] == [
        "train: 8 -> 8 images",
        "test: 8 -> 8 images",
        "same: 12",
        "removed: 1",
        "added: 1 (of 1 the same image was there already)",
        "relabelled: 1",
        "  cat -> =dog <b>: 1",
        "image changed: 1",
        "moved: 1",
        "  test -> train: 1",
    ]
    with listing.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [one["change"] for one in found] == [
        "removed",
        "added",
        "relabelled",
        "image changed",
        "moved",
    ]
    assert found[2]["to_label"] == "'=dog <b>", "guarded against spreadsheets"
    text = page.read_text()
    assert "<b>x" not in text and "=dog &lt;b&gt;" in text
    assert text.count("<figure") == 5 and text.count("<img ") == 6, "two of the changed one"
    assert 'src="http' not in text and "<script" not in text


def test_no_more_is_decoded_than_is_shown(
    folder: Path,
    tmp_path: Path,
    review_embeddings: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 16 removed images two are shown, and none is opened where there is no page."""
    from review_embeddings.pipeline.images import decode
    from review_embeddings.review.difference import page as module

    (tmp_path / "empty/train/cat").mkdir(parents=True)
    picture(2, seed=50).save(tmp_path / "empty/train/cat/new.png")
    shown: list[bytes] = []

    def address(data: bytes) -> str:
        shown.append(data)
        return "data:,"

    monkeypatch.setattr(module, "picture_address", address)
    monkeypatch.setattr(decode, "decode", None)
    monkeypatch.setattr(reading, "decode", None)
    review_embeddings("diff", folder, tmp_path / "empty")
    assert shown == []
    page = tmp_path / "page.html"
    review_embeddings("diff", folder, tmp_path / "empty", "--html", page, "--thumbnails", 2)
    assert len(shown) == 3 and "(the first 2 of 16)" in page.read_text()


def test_a_run_means_its_images(
    built_run: Path, image_folder: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, out, _ = review_embeddings("diff", built_run, image_folder, "--exit-code")
    assert code == 0 and "same: 36" in out
    with_test = tmp_path / "more"
    shutil.copytree(image_folder, with_test / "train")
    shutil.copytree(image_folder, with_test / "test")
    code, out, err = review_embeddings("diff", built_run, with_test, "--exit-code")
    assert code == 0 and "has split 'train' alone; no other of" in err
    page = tmp_path / "page.html"
    (with_test / "train/red/00.png").unlink()
    code, out, _ = review_embeddings("diff", built_run, with_test, "--html", page)
    assert code == 0 and "removed: 1" in out and page.read_text().count("<img ") == 1
    code, _, err = review_embeddings("diff", built_run, with_test, "--key", "id")
    assert code == 2 and "is a run, which keeps no such column" in err


def saved(folder: Path, **columns: list[object]) -> Path:
    features = {"image": datasets.Image()}
    rows = datasets.Dataset.from_dict(
        {name: values for name, values in columns.items() if name != "seeds"}
        | {
            "image": [
                {"bytes": encoded(picture(0, seed=int(str(seed)))), "path": None}
                for seed in columns["seeds"]
            ]
        }
    )
    rows.cast_column("image", features["image"]).save_to_disk(str(folder))
    return folder


def test_a_key_says_which_image_has_changed(tmp_path: Path, review_embeddings: CommandLine) -> None:
    first = saved(tmp_path / "a", seeds=[1, 2, 3], id=["x", "y", "z"], sku=[1, 1, 2])
    second = saved(tmp_path / "b", seeds=[1, 4, 5], id=["x", "y", "w"], sku=[1, 1, 2])
    _, out, err = review_embeddings("diff", first, second)
    assert "image changed: 1" in out and "removed: 1" in out and "says column id" in err
    _, out, _ = review_embeddings("diff", first, second, "--key", "sku")
    assert "image changed: 1" in out, "sku 1 is there twice and says nothing"
    code, _, err = review_embeddings("diff", first, second, "--key", "none")
    assert code == 2 and "has no such column" in err


def test_numbers_are_the_classes_of_the_other_one(
    tmp_path: Path, folder: Path, review_embeddings: CommandLine
) -> None:
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache")
    )
    loaded.cast_column("label", datasets.Value("int64")).save_to_disk(str(tmp_path / "numbers"))
    code, _, err = review_embeddings("diff", folder, tmp_path / "numbers", "--exit-code")
    assert code == 0 and "are numbers: they are taken for the classes of" in err
    loaded.remove_columns("label").save_to_disk(str(tmp_path / "none"))
    code, out, err = review_embeddings("diff", folder, tmp_path / "none")
    assert code == 0 and "relabelled: not compared" in out and "has no labels" in err


def test_nothing_is_written_into_a_data_set(
    folder: Path, changed: Path, review_embeddings: CommandLine
) -> None:
    before = digests(folder)
    for option, name in (("--out", "list.csv"), ("--html", "page.html")):
        code, _, err = review_embeddings("diff", folder, changed, option, folder / name)
        assert code == 2 and "which is never changed" in err
    code, _, err = review_embeddings("diff", folder, changed, "--out", "list.txt")
    assert code == 2 and "is no list" in err
    code, _, err = review_embeddings("diff", folder, changed, "--split", "dev")
    assert code == 2 and "has no split 'dev'; it has 'train', 'test'" in err
    assert digests(folder) == before


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_names_in_markdown_are_nothing_but_names() -> None:
    found = compare(
        rows(("a|b", "x", "@ada`\n# x", "")), rows(("a|b", "x", "[link](http://x)", ""))
    )
    text = markdown(found)
    assert "`@ada' # x` -> `[link](http://x)`" in text and "| `a/b` | 1 | 1 |" in text
    assert json.dumps(text).count("`") % 2 == 0
