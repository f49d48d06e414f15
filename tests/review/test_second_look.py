"""A second look: nothing that the server of such a page gives away depends on what another reviewer
has decided about an image, before one has decided about it oneself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from decision_server import HEADERS, load_plugin, session_in
from starlette.testclient import TestClient

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.review.decisions.lines import Decision, as_line
from review_embeddings.review.decisions.log import read_history
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.page.frontend import ROUTES
from review_embeddings.review.page.page import page_for
from review_embeddings.review.page.server import Page

UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")

HOME = "http://127.0.0.1:8000"

IMAGES = (3, 7, 20)
"""About which another one has decided."""

VARIANTS: list[tuple[str, str | None, str, str]] = [
    ("keep", None, "", "ada"),
    ("remove", None, "blurry, out", "ada"),
    ("relabel", "red", "", "zoe"),
    ("unsure", None, "ask", "ada"),
]
"""What that may have been: the decision, a new label, a note, and who."""

READ = {
    "session": [""],
    "facts": [""],
    "hashes": [""],
    "decisions": ["?since=0", "?since=1600000000000000"],
    "lists": [""],
    "nearest": ["?row=0", "?row=2"],
    "values": ["?step=10"],
    "card": ["?row=0", "?row=1", "?row=2"],
    "image": ["/0", "/1?side=32"],
    "predictions": ["?step=10"],
    "accuracy": [""],
    "remaining": [f"?verdicts={'1.' * 30}"],
    "chances": [f"?verdicts={'1.' * 30}"],
    "anew": [""],
    "agreement": [""],
}
"""What is asked of each route; those that only write or let in are named below."""

WRITE = {"undo", "classes", "theme", "enter"}


def write_decisions(run: RunFolder, built: Built, variant: int, images: tuple[int, ...]) -> None:
    """Some images decided by another reviewer, and a saved list, at the same times whatever they
    are; the last image always the same."""
    made: list[Decision] = []
    for number, image in enumerate(images):
        kind = VARIANTS[0 if image == images[-1] else (variant + number) % len(VARIANTS)]
        decision, new_label, note, reviewer = kind
        made += ReviewedImages.of(built.images).decide(
            [image],
            decision,
            new_label=new_label,
            note=note,
            reviewer=reviewer,
            request=f"request {number}",
            time="2026-01-01T00:00:00.000000Z",
        )
    listed = ReviewedImages.of(built.images).decide(
        [images[variant % 2]], None, list_name=f"wrong {variant}", reviewer="ada", request="list"
    )
    first = 1_700_000_000_000_000
    lines = [replace(one, sequence=first + at) for at, one in enumerate([*made, *listed])]
    run.decisions.write_bytes(b"".join(map(as_line, lines)))


def second_look(built: Built, reviewer: str = "bob") -> Page:
    return page_for(built, reviewer=reviewer, second_look=True, note=print)


def routes_of(
    page: Page, folder: Path, patch: pytest.MonkeyPatch, revision: int
) -> tuple[TestClient, dict[str, Any]]:
    """The page's routes as its server has them, and all that they answer."""
    import numpy as np
    from fastapi import FastAPI

    folder.mkdir(exist_ok=True)
    (folder / "session.json").write_text(json.dumps(page.session))
    assert page.sample is not None
    np.save(folder / "places.npy", page.sample.positions)
    settings = {
        **(page.deciding or {}),
        "page": str(folder / "session.json"),
        "places": str(folder / "places.npy"),
    }
    patch.setenv("REVIEW_EMBEDDINGS_SESSION", session_in(folder, **settings))
    app = FastAPI()
    load_plugin().__activate__(app)
    anew = sys.modules["review_embeddings_plugin.anew"]
    patch.setattr(anew, "FIRST_WAIT", 60.0)  # an answer, however busy the machine is
    return TestClient(app, base_url=f"{HOME}/api/review/", headers=HEADERS), settings


def answers(client: TestClient, page: Page) -> dict[str, Any]:
    """What every route answers, and what the page is made of."""
    assert READ.keys() | WRITE == ROUTES.keys(), "a route is not looked at"
    table = (page.session or {})["table"]
    found: dict[str, Any] = {}
    for name, asked in READ.items():
        for path in asked:
            address = f"{ROUTES[name]}{path}"
            if name in {"values", "predictions", "anew"}:
                address += f"{'&' if '?' in address else '?'}table={table}"
            answer = client.get(address)
            assert answer.status_code in {200, 422}, (address, answer.text)
            found[address] = answer.content
    frame = page.frame.drop(columns="image")
    found["frame"] = frame.to_csv()
    found["categories"] = {
        name: [*frame[name].cat.categories] for name in frame if frame[name].dtype == "category"
    }
    found["lists"] = [asdict(one) for one in page.lists]
    found["layouts"] = [UUID.sub("", one.model_dump_json()) for one in page.layouts]
    found["session file"] = page.session
    found["deciding"] = page.deciding
    found["sample"] = (page.sample.title, page.sample.description) if page.sample else None
    return found


def without_revision(answer: object) -> object:
    """An answer without the time at which one has decided oneself."""
    return re.sub(rb"\b\d{16}\b", b"", answer) if isinstance(answer, bytes) else answer


def post(client: TestClient, path: str, message: Mapping[str, object]) -> Any:
    answer = client.post(ROUTES[path], json=message, headers={"Origin": HOME})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def built(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    import shutil

    copy = Path(shutil.copytree(built_run, tmp_path_factory.mktemp("second") / "run"))
    return build(RunFolder(copy), Request(wanted=["first", "last"]))


def test_nothing_depends_on_what_another_has_decided_before_one_has(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, after = [], []
    for variant in range(len(VARIANTS)):
        write_decisions(built.run, built, variant, IMAGES)
        page = second_look(built)
        assert page.frame["image_id"].tolist() == list(IMAGES)
        client, _ = routes_of(page, tmp_path / str(variant), monkeypatch, 0)
        seen.append(answers(client, page))
        message = {"request": "mine", "rows": [2], "decision": "unsure", "seen": 1, "client": "b"}
        saved = post(client, "decisions", message)
        assert (saved["saved"], saved["left"]) == (1, []), "nobody is asked about a hidden decision"
        rest = answers(client, page)
        changes = json.loads(rest.pop("decisions?since=0"))
        rest = {name: without_revision(one) for name, one in rest.items()}
        assert changes["rows"] == [2] and changes["disputed"] == [2]
        (row,) = changes["several"].values()
        assert {one["reviewer"]: one["decision"] for one in row} == {"ada": "keep", "bob": "unsure"}
        changes = {key: changes[key] for key in ("rows", "decisions", "several", "disputed")}
        times = {"time", "request"}
        changes["several"] = [[{k: v for k, v in one.items() if k not in times} for one in row]]
        rest.pop("decisions?since=1600000000000000")
        after.append({**rest, "changes": changes})
        undone = post(client, "undo", {"request": "mine", "client": "b"})
        assert undone["left"] == []
        assert json.loads(client.get("decisions?since=0").content)["decisions"] == ["undecided"]
    for one in seen[1:]:
        assert [name for name in one if one[name] != seen[0][name]] == []
    for one in after[1:]:
        assert {n: (one[n], after[0][n]) for n in one if one[n] != after[0][n]} == {}


def test_a_hidden_list_is_neither_named_nor_overwritten(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_decisions(built.run, built, 0, IMAGES)
    client, _ = routes_of(second_look(built), tmp_path / "page", monkeypatch, 0)
    body = {"request": "l", "rows": [0], "name": "wrong 0", "client": "b"}
    answer = client.post("lists", json=body, headers={"Origin": HOME})
    assert answer.status_code == 422 and "Use another name" in answer.json()["error"]
    post(client, "lists", {**body, "name": "mine"})
    assert [one["name"] for one in client.get("lists").json()["lists"]] == ["mine"]
    gone = {"request": "m", "name": "wrong 0", "remove": True, "client": "b"}
    answer = client.post("lists", json=gone, headers={"Origin": HOME})
    assert answer.status_code == 422 and "ada" not in answer.text
    assert {*read_history(built.run, print).saved_lists()} == {"mine", "wrong 0"}


def test_what_another_decided_cannot_be_taken_back_unseen(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_decisions(built.run, built, 1, IMAGES)
    before = read_history(built.run, print).current().keys()
    client, _ = routes_of(second_look(built), tmp_path / "page", monkeypatch, 0)
    post(client, "decisions", {"request": "u", "rows": [0, 1], "decision": "undecided"})
    assert read_history(built.run, print).current().keys() == before


def test_a_decision_that_was_made_blind_resolves_nothing(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_decisions(built.run, built, 0, IMAGES)
    for reviewer, row in (("bob", 0), ("carl", 0)):
        client, _ = routes_of(second_look(built, reviewer), tmp_path / reviewer, monkeypatch, 0)
        message = {"request": reviewer, "rows": [row], "decision": "remove", "seen": 1}
        post(client, "decisions", message)
    held = read_history(built.run, print)
    assert [one.in_words for one in held.disputed().values()] == [
        "ada: keep; bob: remove; carl: remove"
    ]
    message = {"request": "gives in", "rows": [row], "decision": "keep", "seen": 1}
    post(client, "decisions", message)
    assert read_history(built.run, print).lines[-1].resolves


def test_there_is_no_second_look_where_nobody_else_has_decided(built: Built) -> None:
    write_decisions(built.run, built, 0, IMAGES)
    with pytest.raises(SettingsError, match="nobody but ada has decided here"):
        second_look(built, "ada")


def test_a_second_look_of_the_first_images_says_of_how_many(built: Built) -> None:
    write_decisions(built.run, built, 0, IMAGES)
    page = page_for(built, reviewer="bob", second_look=True, rows=2, note=print)
    assert page.sample is not None and page.sample.positions.tolist() == [3, 7]
    assert "Showing the first 2 of 3 images that others" in page.sample.description
