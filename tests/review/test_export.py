"""Curated lists: which images, in which order, and back again."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anytext import is_unicode, texts
from hypothesis import example, given, settings
from hypothesis import strategies as st
from listing import candidates_of
from samples import write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.csvfile import guarded, unguarded
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.columns import list_names
from review_embeddings.review.exchange.export import Selection, default_name, export_list, make_list
from review_embeddings.review.exchange.formats import read_rows, write_list
from review_embeddings.review.exchange.imports import Imported, import_decisions
from review_embeddings.review.lists.choose import ready_made_lists

CommandLine = Callable[..., tuple[int, str, str]]


def images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    assert images is not None
    return images


def decide(run: RunFolder, ids: list[int], decision: str | None, **options: Any) -> None:
    with writing(run, print) as writer:
        writer.append(
            ReviewedImages.of(images_of(run)).decide(ids, decision, reviewer="ada", **options)
        )


def listed(run: RunFolder, **options: object) -> pd.DataFrame:
    return make_list(run, images_of(run), read_history(run, print), Selection(**options))  # type: ignore[arg-type]


def test_the_decided_ones_come_first_then_the_worst_undecided(run: RunFolder) -> None:
    whole = table.read(run, checkpoints=[100]).sort_values("ood_rank")
    worst = whole["image_id"].tolist()
    decide(run, [worst[3], worst[30]], "remove")
    decide(run, [worst[5]], "relabel", new_label="red", note="see")
    frame = listed(run, top=4)
    assert frame["image_id"].tolist() == [
        worst[3],
        worst[5],
        worst[30],
        worst[0],
        worst[1],
        worst[2],
        worst[4],
    ]
    assert frame["decision"].tolist() == ["remove", "relabel", "remove", "", "", "", ""]
    assert frame["new_label"].tolist()[1] == "red" and frame["note"].tolist()[1] == "see"
    assert frame["listed_as"].tolist()[:4] == [
        "decided: remove",
        "decided: relabel",
        "decided: remove",
        "worst at step 100",
    ]
    assert tuple(frame.columns) == list_names()
    np.testing.assert_array_equal(
        frame["ood_score"], whole.set_index("image_id").loc[frame["image_id"], "ood_score"]
    )


def test_consensus_is_the_mean_percentile_over_all_checkpoints(run: RunFolder) -> None:
    long = table.read(run, columns=["image_id", "ood_percentile"])
    means = (
        long.astype({"ood_percentile": float}).groupby("image_id")["ood_percentile"].mean().round(6)
    )
    frame = listed(run, kind="consensus", top=5)
    assert frame["image_id"].tolist() == means.sort_values(kind="stable").index[:5].tolist()
    np.testing.assert_allclose(frame["mean_percentile"], means[frame["image_id"]], rtol=1e-6)
    assert frame["consensus_rank"].tolist() == [1, 2, 3, 4, 5]


def test_resolved_and_new_between_two_checkpoints(run: RunFolder) -> None:
    ranks = {
        step: table.read(run, checkpoints=[step]).set_index("image_id")["ood_rank"]
        for step in (10, 100)
    }
    worst = {step: set(values.index[values <= 10]) for step, values in ranks.items()}
    resolved, new = (
        listed(run, kind=kind, top=10, checkpoints=("10", "100")) for kind in ("resolved", "new")
    )
    assert set(resolved["image_id"]) == worst[10] - worst[100]
    assert set(new["image_id"]) == worst[100] - worst[10]
    assert list(ranks[10][resolved["image_id"]]) == sorted(ranks[10][resolved["image_id"]])
    assert listed(run, kind="new", top=10)["image_id"].tolist() == new["image_id"].tolist(), (
        "first and last are meant where nothing is said"
    )


def test_per_class_takes_as_many_of_each(run: RunFolder) -> None:
    frame = listed(run, kind="worst", top=2, per_class=True)
    assert frame["label"].value_counts().to_dict() == {"blue": 2, "green": 2, "red": 2}
    assert frame["ood_rank"].is_monotonic_increasing


def test_a_saved_list_keeps_its_order(run: RunFolder) -> None:
    ids = images_of(run).ids.tolist()
    decide(run, [ids[7], ids[2], ids[30]], None, list_name="odd ones")
    frame = listed(run, saved="odd ones")
    assert frame["image_id"].tolist() == [ids[7], ids[2], ids[30]]
    assert set(frame["listed_as"]) == {"saved list odd ones"}


def test_only_some_decisions(run: RunFolder) -> None:
    ids = images_of(run).ids.tolist()
    decide(run, ids[:2], "remove")
    decide(run, ids[2:5], "unsure")
    assert sorted(listed(run, decided=("unsure",))["image_id"]) == ids[2:5]
    assert len(listed(run, kind="decided")) == 5
    by_rank = listed(run, kind="worst", top=36)
    removed = [
        image
        for image, decision in zip(by_rank["image_id"], by_rank["decision"], strict=True)
        if decision == "remove"
    ]
    assert (
        listed(run, kind="worst", decided=("remove",), top=1)["image_id"].tolist() == removed[:1]
    ), "the worst of the removed ones"
    assert set(listed(run, kind="consensus", decided=("remove",), top=2)["image_id"]) == set(
        ids[:2]
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "best"}, "--list best"),
        ({"saved": "nothing"}, "saved are none"),
        ({"decided": ("delete",)}, "--decided delete"),
        ({"top": 0}, "--top 0"),
        ({"kind": "worst", "saved": "odd ones"}, "Use one of them"),
        ({"kind": "new", "checkpoints": ("10",), "top": 3}, "between two checkpoints"),
        ({"kind": "worst", "checkpoints": ("10", "20")}, "Give one"),
        ({"checkpoints": ("10", "20", "100")}, "Give --checkpoint once or twice"),
    ],
)
def test_what_cannot_be_listed_is_refused(
    run: RunFolder, options: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        listed(run, **options)


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "jsonl"])
def test_every_form_comes_back_and_is_the_same_bytes_again(
    run: RunFolder, tmp_path: Path, form: str, review_embeddings: CommandLine
) -> None:
    ids = images_of(run).ids.tolist()
    decide(run, ids[:3], "remove", note="=HYPERLINK(1)\n'\"; <b>")
    decide(run, ids[3:5], "relabel", new_label="green")
    first = tmp_path / f"first.{form}"
    code, output, errors = review_embeddings(
        "export", "--run", run.path, "--format", form, "--out", first
    )
    assert code == 0 and "(5 decided)" in output, errors
    other = RunFolder(Path(shutil.copytree(run.path, tmp_path / "other")))
    other.decisions.unlink()
    code, output, errors = review_embeddings(
        "import", first, "--run", other.path, "--reviewer", "bob"
    )
    assert code == 0 and "Imported 5 decisions" in output, errors
    again = tmp_path / f"again.{form}"
    assert (
        review_embeddings("export", "--run", other.path, "--format", form, "--out", again)[0] == 0
    )
    assert first.read_bytes() == again.read_bytes()
    code, output, errors = review_embeddings("import", first, "--run", other.path)
    assert code == 0 and "Imported 0 decisions" in output and "5 were there already" in output


def test_images_are_copied_under_names_that_stay_in_the_folder(
    run: RunFolder, review_embeddings: CommandLine
) -> None:
    code, _, errors = review_embeddings(
        "export", "--run", run.path, "--top", "3", "--images", "--format", "json"
    )
    assert code == 0, errors
    rows = json.loads((run.exports / "outliers.json").read_text())
    files = dict(zip(images_of(run).ids.tolist(), images_of(run).read_bytes(), strict=True))
    for row in rows:
        assert (run.exports / row["image_file"]).read_bytes() == files[row["image_id"]]
        assert row["image_file"] == f"outliers-images/{row['image_id']:07d}.png"
    assert len(list((run.exports / "outliers-images").iterdir())) == 3


def test_cells_that_a_spreadsheet_would_run_are_made_harmless(
    run: RunFolder, tmp_path: Path
) -> None:
    decide(run, [int(images_of(run).ids[0])], "keep", note="=1+1")
    write_list(listed(run, kind="decided"), tmp_path / "list.csv", "csv")
    with (tmp_path / "list.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["note"] == "'=1+1"


@given(
    st.text(max_size=30)
    | st.sampled_from(["=1", "'=1", "''=1", "'", "-", "@x", "\t", "'hello", "+'="])
)
def test_a_harmless_cell_gives_the_text_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


words = texts(max_size=20) | st.sampled_from(
    ["=cmd|' /C calc'!A0", 'a,b;c\n"d"\r\n', "👩‍🎨", "'=x", "‮txt"]
)


@settings(max_examples=60, deadline=None)
@example(note="", reviewer="a", path="\udc80", label="b", form="json")
@example(note="", reviewer="a", path="", label="\ud800", form="jsonl")
@given(
    note=words,
    reviewer=words.filter(bool),
    path=words,
    label=words.filter(bool),
    form=st.sampled_from(["csv", "json", "jsonl"]),
)
def test_export_import_export_is_the_same_for_any_text(
    note: str, reviewer: str, path: str, label: str, form: str
) -> None:
    frame = pd.DataFrame(
        [
            dict.fromkeys(list_names(), "")
            | {
                "image_id": 7,
                "image_hash": "a" * 64,
                "checkpoint": 1,
                "ood_rank": 1,
                "consensus_rank": 1,
            }
        ]
    )
    frame = frame.assign(
        confidence=np.float32(0.1),
        ood_score=np.float32(1 / 3),
        ood_percentile=np.float32(2.5),
        mean_percentile=np.nan,
    )
    frame = frame.assign(
        label=label,
        path=path,
        decision="relabel",
        new_label=label,
        note=note,
        reviewer=reviewer,
        decided_at="2026-01-01T00:00:00Z",
    )[list(list_names())]
    judged = ReviewedImages({7: 0}, ["a" * 64], [label], [label])
    from review_embeddings.review.exchange.imports import read_decisions

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"list.{form}"
        write_list(frame, file, form)
        if not all(map(is_unicode, (note, reviewer, label))):
            with pytest.raises(SettingsError, match="no valid Unicode"):
                list(read_decisions(file, judged, "nobody", {"a" * 64: 7}))
            return
        (line,) = read_decisions(file, judged, "nobody", {"a" * 64: 7})
        assert (line.note, line.reviewer, line.new_label, line.time) == (
            note,
            reviewer,
            label,
            "2026-01-01T00:00:00Z",
        )
        again = frame.assign(
            new_label=line.new_label, note=line.note, reviewer=line.reviewer, decided_at=line.time
        )
        second = Path(folder) / f"again.{form}"
        write_list(again, second, form)
        assert second.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image_id,note\n1,x\n", "lacks the column decision"),
        ("decision\nkeep\n", r"lacks the column image_hash \(or image_id\)"),
        ("image_id,decision\n0,keep\n99999,keep\n", "row 3: Image 99999 is not in this run"),
        ("image_id,decision\n0,delete\n", "row 2: 'delete' is no decision"),
        (
            "image_id,decision,new_label\n0,relabel,purple\n",
            "row 2: 'purple' is none of the classes",
        ),
        ("image_id,decision\nfirst,keep\n", "row 2: 'first' is no image_id"),
        ("image_hash,decision\nabc,keep\n", "row 2: The image with hash abc"),
        ("image_id,decision\n1.5,keep\n", "row 2: '1.5' is no image_id"),
        (
            "image_id,decision\n1,keep\n2,keep\n1,remove\n",
            "row 4: an earlier row says something else",
        ),
        ("image_id,decision,new_label\n0,,red\n", "row 2: there is a new label and no decision"),
        ("image_id,decision,decided_at\n0,keep,yesterday\n", "row 2: decided_at 'yesterday'"),
        ('image_id,decision,note\n0,keep,"never closed\n1,keep,\n', "cannot be read"),
    ],
)
def test_a_file_with_a_mistake_is_refused_whole(
    run: RunFolder, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "decisions.csv"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        import_decisions(run, file, "ada", note=print)
    assert read_history(run, print).lines == []


def test_undecided_in_a_file_takes_a_decision_back(run: RunFolder, tmp_path: Path) -> None:
    ids = images_of(run).ids.tolist()
    decide(run, ids[:2], "remove")
    file = tmp_path / "back.csv"
    file.write_text(f"image_id,decision\n{ids[0]}.0,undecided\n{ids[5]},undecided\n")
    assert import_decisions(run, file, "bob", note=print) == Imported(1, 1)
    assert [line.image_id for line in read_history(run, print).current().values()] == [ids[1]]


def test_a_spreadsheet_with_semicolons_and_a_byte_order_mark_is_read(
    run: RunFolder, tmp_path: Path
) -> None:
    ids = images_of(run).ids.tolist()
    file = tmp_path / "decisions.csv"
    file.write_bytes(
        f"﻿image_id;decision;note\r\n{ids[4]};remove;zu dunkel\r\n{ids[5]};;\r\n".encode()
    )
    assert import_decisions(run, file, "ada", note=print) == Imported(1, 0)
    (line,) = read_history(run, print).lines
    assert (line.image_id, line.decision, line.note, line.reviewer) == (
        ids[4],
        "remove",
        "zu dunkel",
        "ada",
    )


def test_a_spreadsheets_unicode_text_with_tabs_and_other_headings_is_read(
    run: RunFolder, tmp_path: Path
) -> None:
    ids = images_of(run).ids.tolist()
    file = tmp_path / "decisions.csv"
    file.write_bytes(
        f"Image_ID\t Decision\tNote\r\n{ids[4]}\tkeep\tschön, hell; ja\r\n".encode("utf-16")
    )
    assert import_decisions(run, file, "ada", note=print) == Imported(1, 0)
    (line,) = read_history(run, print).lines
    assert (line.image_id, line.decision, line.note) == (ids[4], "keep", "schön, hell; ja")


def test_an_old_list_does_not_overrule_a_later_decision_and_a_changed_row_is_the_importers(
    run: RunFolder, tmp_path: Path
) -> None:
    ids = images_of(run).ids.tolist()
    decide(run, ids[:2], "keep")
    old = tmp_path / "old.csv"
    write_list(listed(run, kind="decided"), old, "csv")
    decide(run, ids[:1], "remove")
    assert import_decisions(run, old, "carl", note=print) == Imported(0, 2)
    with old.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[[row["image_id"] for row in rows].index(str(ids[1]))]["decision"] = "Unsure"
    with old.open("w", newline="") as file:
        writer = csv.DictWriter(file, list_names())
        writer.writeheader()
        writer.writerows(rows)
    assert import_decisions(run, old, "carl", note=print) == Imported(1, 1, disputed=1)
    current = {
        line.image_id: (line.decision, line.reviewer)
        for line in read_history(run, print).current().values()
    }
    assert current == {ids[0]: ("remove", "ada"), ids[1]: ("unsure", "carl")}


def test_numbers_are_written_with_no_more_digits_than_they_have(
    run: RunFolder, tmp_path: Path
) -> None:
    frame = listed(run, kind="worst", top=3)
    write_list(frame, tmp_path / "list.csv", "csv")
    with (tmp_path / "list.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["ood_percentile"] == "1.3888888"  # 100 x 0.5 / 36 as float32
    assert [np.float32(row["ood_score"]) for row in rows] == frame["ood_score"].tolist()


def test_a_list_takes_the_place_of_nothing_that_is_the_runs_or_the_data_sets(
    run: RunFolder, review_embeddings: CommandLine
) -> None:
    before = run.run_json.read_bytes()
    for out, form in (
        (run.run_json, "json"),
        (run.images, "parquet"),
        (run.decisions, "jsonl"),
        (run.path / "list.txt", "csv"),
    ):
        code, _, errors = review_embeddings(
            "export", "--run", run.path, "--format", form, "--out", out
        )
        assert code == 2 and "--out" in errors, out
    assert run.run_json.read_bytes() == before
    info = run.read_info()
    assert info is not None
    code, _, errors = review_embeddings(
        "export", "--run", run.path, "--out", Path(info.dataset.source) / "list.csv"
    )
    assert code == 2 and "never changed" in errors


@pytest.mark.parametrize(
    "command",
    [("export",), ("import", "list.csv"), ("apply", "--dry-run"), ("table", "--out", "t.csv")],
)
def test_a_run_that_is_not_there_is_not_advised_to_be_built(
    command: tuple[str, ...], tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, _, errors = review_embeddings(*command, "--run", tmp_path / "nowhere")
    assert code == 2 and "no such folder" in errors and not (tmp_path / "nowhere").exists()


def test_leaks_say_where_the_image_stands_and_under_which_label(
    run_path: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    data = write_splits(tmp_path / "data", train=12, test=8)
    shutil.copy(data / "train" / "red" / "05.png", data / "test" / "red" / "03.png")
    shutil.copy(
        data / "train" / "red" / "07.png", data / "test" / "blue" / "02.png"
    )  # blue here, red there
    shutil.copy(data / "test" / "green" / "01.png", data / "test" / "green" / "04.png")
    out = tmp_path / "list.json"

    def listed(*options: str) -> list[dict[str, object]]:
        code, _, errors = review_embeddings(
            "export", "--run", run_path, "--format", "json", "--out", out, *options
        )
        assert code == 0, errors
        rows: list[dict[str, object]] = json.loads(out.read_text())
        return rows

    assert (
        review_embeddings("build", "--run", run_path, "--dataset", data, "--split", "test")[0] == 0
    )
    code, _, errors = review_embeddings("export", "--run", run_path, "--list", "leaks")
    assert code == 2 and "--against train" in errors and errors.count("\n") == 1
    assert review_embeddings("build", "--run", run_path, "--against", "train")[0] == 0
    rows = listed("--list", "leaks")
    assert [
        (row["path"], row["leak_path"], row["label"], row["leak_label"], row["leak_kind"])
        for row in rows
    ] == [
        ("test/blue/02.png", "train/red/07.png", "blue", "red", "exact"),
        ("test/red/03.png", "train/red/05.png", "red", "red", "exact"),
    ]
    assert rows[0]["listed_as"] == f"also row {24 + 7} of train"
    assert listed("--list", "leaks", "--top", "1") == rows[:1]
    copies = listed("--list", "duplicates")
    assert [(row["path"], row["duplicate_labels_differ"]) for row in copies] == [
        ("test/green/01.png", False),
        ("test/green/04.png", False),
    ]
    assert listed("--list", "duplicates", "--top", "1") == copies[:1]
    candidates = candidates_of(RunFolder(run_path), 10, 100)
    lists = {made.title: made.rows for made in ready_made_lists(candidates)}
    assert lists["Leaks"] == [2, 16 + 3] and lists["Leaks with different labels"] == [2]


# -- lists that somebody filled in


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_a_list_that_was_filled_in_is_not_overwritten_until_it_is_imported(
    run: RunFolder, review_embeddings: CommandLine, form: str
) -> None:
    export = ("export", "--run", run.path, "--top", "3", "--format", form)
    assert review_embeddings(*export)[0] == 0
    path = run.exports / f"outliers.{form}"
    frame = pd.DataFrame(read_rows(path).rows)
    frame["decision"] = ["", "remove", ""]
    write_list(frame, path, form)
    before = path.read_bytes()
    code, _, errors = review_embeddings(*export)
    assert code == 2 and f"review-embeddings import {path} --run {run}" in errors
    assert path.read_bytes() == before
    assert review_embeddings("import", path, "--run", run.path)[0] == 0
    assert review_embeddings(*export)[0] == 0


def test_each_list_has_a_name_of_its_own() -> None:
    selections = [
        Selection(),
        Selection(kind="labels"),
        Selection(saved="my cats"),
        Selection(decided=("remove", "relabel")),
        Selection(kind="labels", checkpoints=("last",)),
        Selection(checkpoints=("20",), per_class=True),
    ]
    assert [default_name(one) for one in selections] == [
        "outliers",
        "labels",
        "saved-my_cats",
        "decided-remove-relabel",
        "labels-checkpoint-last",
        "outliers-checkpoint-20-per-class",
    ]


def test_an_import_without_notes_keeps_them(run: RunFolder, tmp_path: Path) -> None:
    image = int(images_of(run).ids[0])
    decide(run, [image], "keep", note="look at the ear")
    file = tmp_path / "decisions.csv"
    file.write_text(f"image_id,decision\n{image},remove\n")
    assert import_decisions(run, file, "bob", note=print) == Imported(1, 0, disputed=1)
    (line,) = read_history(run, print).current().values()
    assert (line.decision, line.note) == ("remove", "look at the ear")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("empty.csv", "", "is empty"),
        ("empty.jsonl", "", "is empty"),
        ("empty.json", "[]", "is empty"),
        ("columns.csv", "image_id,note\n", "lacks the column decision"),
        ("other.csv", "a,b\n", r"lacks the column image_hash \(or image_id\) and decision"),
    ],
)
def test_a_file_without_rows_is_refused_for_its_columns(
    run: RunFolder, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=said):
        import_decisions(run, tmp_path / name, "ada", note=print)


def test_rows_are_numbered_as_a_spreadsheet_shows_them(run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "decisions.csv"
    file.write_text('image_id,decision,note\n0,keep,"two\nlines"\n\n,,\n1,delete,\n')
    with pytest.raises(SettingsError, match="row 5: 'delete'"):
        import_decisions(run, file, "ada", note=print)


def test_what_the_run_exported_is_taken_back_though_the_classes_changed(
    run: RunFolder, tmp_path: Path
) -> None:
    image = int(images_of(run).ids[0])
    decide(run, [image], "relabel", new_label="red")
    file = tmp_path / "decided.csv"
    write_list(listed(run, kind="decided"), file, "csv")
    text = file.read_text().replace('"red"', '"crimson"')
    lines = run.decisions.read_text().replace('"red"', '"crimson"')
    lines = re.sub(r',\s*"checksum":\s*"[^"]*"', "", lines)  # as whoever edits a line does
    file.write_text(text)
    run.decisions.write_text(lines)  # decided when there was such a class
    assert import_decisions(run, file, "ada", note=print) == Imported(0, 1)
    fresh = tmp_path / "fresh.csv"
    fresh.write_text(f"image_id,decision,new_label\n{image},relabel,pink\n")
    with pytest.raises(SettingsError, match="none of the classes"):
        import_decisions(run, fresh, "ada", note=print)
    assert import_decisions(run, fresh, "ada", note=print, new_classes=True) == Imported(1, 0)


def test_images_of_others_are_neither_deleted_nor_replaced(run: RunFolder, tmp_path: Path) -> None:
    """A folder with pictures of somebody's own, named by numbers as cameras and crawlers do it."""
    history, path = read_history(run, print), tmp_path / "photos" / "list.csv"
    folder, notes = tmp_path / "photos" / "list-images", list[str]()
    mine = ["9000001.png", "9000002.jpg", "2024001.txt", "img_1.jpg"]
    folder.mkdir(parents=True)
    for name in mine:
        (folder / name).write_bytes(b"mine")

    def export(**options: Any) -> list[str]:
        chosen = Selection(kind="worst", **options)
        export_list(run, history, chosen, form="csv", out=path, copy=True, note=notes.append)
        return sorted({file.name for file in folder.iterdir()} - set(mine))

    first = export(top=3)
    assert len(first) == 3 and not notes
    assert export(top=1) == [next(name for name in first if name in path.read_text())]
    assert notes == [f"2 images of the earlier list were deleted from {folder}"]
    assert all((folder / name).read_bytes() == b"mine" for name in mine)
    (only,) = export(top=1)
    (folder / only).write_bytes(b"edited")
    with pytest.raises(SettingsError, match="is there already and is no image"):
        export(top=3)
    assert (folder / only).read_bytes() == b"edited", "and nothing else was written"
    assert {file.name for file in folder.iterdir()} == {*mine, only}


def test_a_list_whose_names_lead_elsewhere_deletes_nothing(run: RunFolder, tmp_path: Path) -> None:
    history, path = read_history(run, print), tmp_path / "list.csv"
    victim = tmp_path / "victim.png"
    data = images_of(run).read_bytes()[0]
    victim.write_bytes(data)
    image = images_of(run).hashes[0]
    names = ("../victim.png", str(victim), "list-images/../victim.png", "victim.png")
    rows = "".join(f"{image},{name}\n" for name in names)
    path.write_text(f"image_hash,image_file\n{rows}")
    (tmp_path / "list-images").mkdir()
    export_list(run, history, Selection(top=1), form="csv", out=path, copy=True)
    assert victim.read_bytes() == data
