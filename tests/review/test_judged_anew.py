"""Labels that a page has judged anew with its decisions: the exported list, in rows of the page."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from pageroutes import page_routes

from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.threads import NewestWork
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.export import Selection, make_list
from review_embeddings.review.lists.listed import ANEW


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    assert images is not None
    return images


def relabel(run: RunFolder, count: int) -> list[int]:
    """Decide that the first red images are blue; their ids."""
    images = images_of(run)
    names = enumerate(images.label_names or [])
    ids = [int(images.ids[row]) for row, name in names if name == "red"][:count]
    lines = ReviewedImages.of(images).decide(ids, "relabel", new_label="blue", reviewer="ada")
    with writing(run, print) as writer:
        writer.append(lines)
    return ids


def test_the_page_gets_the_list_that_is_exported(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    decided = relabel(run, 9)
    stored = {path: path.read_bytes() for path in run.path.rglob("*.parquet")}
    table_name = client.get("session").json()["table"]
    answer = client.get(f"anew?table={table_name}").json()
    while "list" not in answer:
        assert answer["judging"] == 36 - 9
        answer = client.get(f"anew?table={table_name}&revision={answer['revision']}").json()
    made = answer["list"]
    selection = Selection(kind="labels", with_decisions=True)
    exported = make_list(run, images_of(run), read_history(run, print), selection)
    ids = images_of(run).ids
    assert (
        len(made["rows"])
        and [int(ids[row]) for row in made["rows"]] == exported["image_id"].tolist()
    )
    assert not {int(ids[row]) for row in made["rows"]} & set(decided)
    assert made["key"] == made["again"] == ANEW
    assert made["title"] == "Labels most likely wrong, judged anew with 9 decisions"
    why = {row: text for text, rows in made["why"] for row in rows}
    assert [why[row] for row in made["rows"]] == exported["listed_as"].tolist()
    suggested = {row: name for name, rows in made["suggested"] for row in rows}
    assert all(f"better: {name}" in why[row] for row, name in suggested.items())
    command = made["command"]["command"]
    assert command.endswith("--list labels --with-decisions") and str(run.path) in command
    assert {path: path.read_bytes() for path in stored} == stored
    again = client.get(f"anew?table={table_name}").json()
    assert again == answer, "deterministic, and kept until other decisions hold"


def test_with_other_decisions_it_is_made_anew(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    asked = f"anew?table={client.get('session').json()['table']}"
    titles = []
    for count in (1, 3):
        relabel(run, count)
        answer = client.get(asked).json()
        while "list" not in answer:
            answer = client.get(f"{asked}&revision={answer['revision']}").json()
        titles.append(answer["list"]["title"].rpartition(" with ")[2])
    assert titles == ["1 decision", "3 decisions"]


def test_what_cannot_be_judged_is_one_sentence(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    table_name = client.get("session").json()["table"]
    assert client.get("anew?table=other").status_code == 409
    assert client.get("anew").status_code == 409
    assert client.get(f"anew?table={table_name}&revision=x").status_code == 400
    relabel(run, 1)
    client.get("card?row=0")
    run.array("embeddings", 100).unlink()
    for _ in range(2):
        answer = client.get(f"anew?table={table_name}")
        assert answer.status_code in {422, 503}, answer.text
        assert json.loads(answer.text)["error"].count("\n") == 0


def test_only_the_newest_work_is_kept_and_no_failure() -> None:
    work: NewestWork[int] = NewestWork()
    go_on = threading.Event()
    assert work.done("slow", lambda: int(go_on.wait(60)), 0.01) is None
    assert work.has("slow") and not work.has("other")
    go_on.set()
    assert work.done("slow", lambda: 2, 60) == 1, "it was begun already"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            work.done("bad", lambda: 1 // 0, 60)
    assert work.done("bad", lambda: 3, 60) == 3
    with pytest.raises(TimeoutError):
        work.done("late", lambda: (_ for _ in ()).throw(TimeoutError()), 60)
