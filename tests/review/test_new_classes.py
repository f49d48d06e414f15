"""Classes that people add to a run: kept in run.json whatever else is written there, and taken by
the page, by import and by apply; no others are."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.identity import run_id
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import read_history
from review_embeddings.review.decisions.messages import OUTBOX
from review_embeddings.review.decisions.newclasses import check_class
from review_embeddings.review.decisions.session import DecisionSession
from review_embeddings.review.exchange.imports import Imported, import_decisions

CommandLine = Callable[..., tuple[int, str, str]]

INFO = RunInfo(DatasetReference("somewhere"), classes=["cat", "dog"])


def added(run: RunFolder) -> list[str]:
    info = run.read_info()
    assert info is not None
    return info.added_classes


# -- run.json


def test_a_class_stays_whatever_else_is_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(RunError, match=r"has no run\.json"):
        run.add_class("cow")
    run.write_info(INFO)
    before = json.loads(run.run_json.read_text())
    assert "new_classes" not in before
    started = run.read_info()  # as a training reads it when it begins
    assert started is not None
    run.add_class("cow")
    run.add_class("ant")
    run.add_class("cow")
    after = json.loads(run.run_json.read_text())
    assert after["new_classes"] == ["cow", "ant"]
    assert {name: after[name] for name in before if name != "checksum"} == {
        name: before[name] for name in before if name != "checksum"
    }
    run.write_info(replace(started, base="model"))
    assert added(run) == ["cow", "ant"]
    run.write_info(replace(started, classes=["ant", "cat", "dog"]))
    assert added(run) == ["cow"], "the data set has the other one now"
    run.write_info(started.with_source("moved"))
    assert added(run) == ["cow", "ant"], "what people decided stays, so do its classes"


def test_a_run_without_an_id_keeps_the_one_that_is_derived(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_info(INFO)
    content = json.loads(run.run_json.read_text())
    for name in ("id", "checksum"):
        content.pop(name, None)
    run.run_json.write_text(json.dumps(content))
    info = run.add_class("cow")
    assert info.id == run_id(run)


def test_classes_that_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_info(INFO)
    names = [f"class {number}" for number in range(8)]
    threads = [threading.Thread(target=run.add_class, args=(name,)) for name in names]
    threads.append(threading.Thread(target=run.write_info, args=(replace(INFO, base="b"),)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added(run)) == names


def test_a_build_leaves_them(run: RunFolder) -> None:
    run.add_class("pink")
    build(run, Request(settings={"align_to": "first"}))
    assert added(run) == ["pink"]


# -- names


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Cat", "differs from the class 'cat' by case or spaces only"),
        ("c a t", "differs from the class 'cat'"),
        ("\uff43at", "differs from the class 'cat'"),
        (" cow", "begins or ends with a space"),
        ("a\nb", "a character that is not shown"),
        ("", "Use 1 to 200"),
        ("x" * 201, "Use 1 to 200"),
        ("\ud83d", "no valid Unicode"),
    ],
)
def test_names_that_no_new_class_can_have(name: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        check_class(name, ["cat", "dog"])


def test_names_that_a_new_class_can_have() -> None:
    for name in ("cats", "cat_2", "a/b", "Kätzchen", "猫"):
        check_class(name, ["cat", "dog"])


# -- page, import, export, apply


def relabel(name: str, request: str, row: int = 0) -> dict[str, object]:
    return {"request": request, "rows": [row], "decision": "relabel", "new_label": name}


def test_a_page_takes_a_class_once_it_was_added(run: RunFolder) -> None:
    session, other = DecisionSession(run, "ada"), DecisionSession(run, "bob")
    with pytest.raises(SettingsError, match="'pink' is none of the classes"):
        session.decide(relabel("pink", "a"))
    assert session.add_class({"request": "b", "name": "pink"}).saved == 0
    assert session.add_class({"request": "b", "name": "pink"}).saved == 0
    with pytest.raises(SettingsError, match="differs from the class 'pink'"):
        session.add_class({"request": "c", "name": "Pink"})
    with pytest.raises(SettingsError, match="differs from the class 'red'"):
        session.add_class({"request": "c", "name": "RED"})
    with pytest.raises(SettingsError, match="unknown field"):
        session.add_class({"request": "c", "name": "x", "rows": [0]})
    assert session.decide(relabel("pink", "d")).saved == 1
    assert other.decide(relabel("pink", "e", 1)).saved == 1, "another review learns of it"
    for one in (session, other, DecisionSession(run, "cy")):
        assert one.metadata()["classes"] == ["blue", "green", "red", "pink"]
        one.close()
    assert added(run) == ["pink"]


def test_import_takes_those_and_adds_others_on_request(run: RunFolder, tmp_path: Path) -> None:
    images = read_images(run)
    assert images is not None
    first, second = images.ids[:2].tolist()
    file = tmp_path / "decided.csv"
    file.write_text(f"image_id,decision,new_label\n{first},relabel,pink\n")
    with pytest.raises(SettingsError, match="none of the classes"):
        import_decisions(run, file, "ada", note=print)
    run.add_class("pink")
    assert import_decisions(run, file, "ada", note=print) == Imported(1)
    file.write_text(f"image_id,decision,new_label\n{second},relabel,Pink\n")
    with pytest.raises(SettingsError, match="row 2: 'Pink' differs from the class 'pink'"):
        import_decisions(run, file, "ada", note=print, new_classes=True)
    file.write_text(f"image_id,decision,new_label\n{second},relabel,gold\n")
    assert import_decisions(run, file, "ada", note=print, new_classes=True) == Imported(1)
    assert added(run) == ["pink", "gold"]


def test_an_outbox_brings_its_classes_and_lists(run: RunFolder, tmp_path: Path) -> None:
    images = read_images(run)
    assert images is not None
    common = {"path": "lists", "time": "2026-01-01T00:00:00.000Z"}
    messages = [
        {"path": "classes", "time": common["time"], "request": "a", "name": "pink"},
        {
            "path": "decisions",
            "time": common["time"],
            "request": "b",
            "images": images.hashes[:1],
            "decision": "relabel",
            "new_label": "pink",
        },
        common | {"request": "c", "images": images.hashes[:2], "name": "odd"},
        common | {"request": "d", "name": "odd", "rename_to": "strange"},
        common | {"request": "e", "name": "odd", "remove": True},
    ]
    content = {"format": OUTBOX, "version": 1, "run": run_id(run), "messages": messages}
    file = tmp_path / "outbox.json"
    file.write_text(json.dumps(content))
    imported = import_decisions(run, file, "ada", note=print)
    assert len(imported.refused) == 1 and "no saved list odd any more" in imported.refused[0]
    history = read_history(run, print)
    assert [line.new_label for line in history.current().values()] == ["pink"]
    assert history.saved_lists() == {"strange": list(images.hashes[:2])}
    assert added(run) == ["pink"]


def test_what_was_relabelled_to_a_new_class_leaves_as_one(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    session = DecisionSession(run, "ada")
    session.add_class({"request": "a", "name": "pink"})
    session.decide(relabel("pink", "b"))
    session.change_list({"request": "c", "rows": [0, 3], "name": "odd"})
    session.change_list({"request": "d", "name": "odd", "rename_to": "strange ones"})
    session.close()
    code, _, errors = review_embeddings("export", "--run", run.path, "--saved", "strange ones")
    assert code == 0, errors
    with (run.exports / "saved-strange_ones.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["new_label"] for row in rows] == ["pink", ""]
    code, _, errors = review_embeddings("export", "--run", run.path, "--saved", "odd")
    assert code == 2 and "saved are strange ones" in errors
    code, output, _ = review_embeddings("summary", "--run", run.path)
    assert code == 0 and "pink (1 image)" in output
    out = tmp_path / "cleaned"
    code, _, errors = review_embeddings("apply", "--run", run.path, "--out", out)
    assert code == 0, errors
    cleaned = datasets.load_from_disk(str(out))["train"]
    assert cleaned.features["label"].names == ["blue", "green", "red", "pink"]
    assert cleaned["label"].count(3) == 1
    code, output, _ = review_embeddings("diff", run.path, out, "--split", "train")
    assert code == 0 and "classes only in the second: pink" in output
    assert "-> pink: 1" in output
    folder = tmp_path / "folder"
    code, _, errors = review_embeddings(
        "apply", "--run", run.path, "--out", folder, "--as", "folder"
    )
    assert code == 0 and len(list((folder / "train" / "pink").iterdir())) == 1, errors
