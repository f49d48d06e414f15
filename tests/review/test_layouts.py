"""The layout that somebody arranged: kept for the person and the size of the window, given back
fitted to the page, and never in the way."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from decision_server import HEADERS, load_plugin, session_in
from fastapi import FastAPI
from starlette.testclient import TestClient

from review_embeddings.pipeline.userfolders import config_folder
from review_embeddings.review.page.frontend import WIDGETS
from review_embeddings.review.page.personal.layouts import PageLayout, PageLayouts
from review_embeddings.review.page.personal.layouttree import LayoutError
from review_embeddings.review.page.personal.preferences import Preferences

HOME = "http://127.0.0.1:8000"
SMALL, MEDIUM, LARGE = range(3)
COLUMNS = ("x_first", "y_first", "label")


def widget(kind: str, name: str | None = None, **config: object) -> dict[str, Any]:
    return {"kind": "widget", "type": kind, "name": name, "config": config or None}


def tab(*widgets: dict[str, Any], weight: float = 1) -> dict[str, Any]:
    return {"kind": "tab", "weight": weight, "children": list(widgets)}


def layout(*children: dict[str, Any]) -> dict[str, Any]:
    return {"orientation": "vertical", "children": list(children)}


MAP, REVIEW = WIDGETS["map0"], WIDGETS["review"]


def own(step: int = 0) -> dict[str, Any]:
    return layout(tab(widget(MAP, f"First: step {step}"), weight=40), tab(widget(REVIEW, "Review")))


ARRANGED = layout(tab(widget(MAP, "First: step 0"), weight=70), tab(widget(REVIEW, "My card")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "review-embeddings"


def layouts(folder: Path | None, step: int = 0) -> PageLayouts:
    return PageLayouts([own(step)] * 3, Preferences(folder))


def names(given: PageLayout) -> list[str]:
    return [one["name"] for part in given.tree["children"] for one in part["children"]]


def test_the_layout_is_ours_until_somebody_changes_it(folder: Path) -> None:
    assert layouts(folder).get(MEDIUM, COLUMNS) == PageLayout(own())
    layouts(folder).keep(MEDIUM, own())  # Spotlight sends it when a tab is looked at, too
    assert not folder.exists()


def test_a_changed_layout_is_that_of_later_reviews_in_windows_of_this_size(folder: Path) -> None:
    assert layouts(folder).keep(MEDIUM, ARRANGED) == ARRANGED
    assert layouts(folder).get(MEDIUM, COLUMNS).tree == ARRANGED
    assert layouts(folder).get(SMALL, COLUMNS).tree == layouts(folder).get(LARGE, ()).tree == own()


def test_a_reset_gives_ours_back_and_leaves_other_sizes(folder: Path) -> None:
    for size in (SMALL, MEDIUM):
        layouts(folder).keep(size, ARRANGED)
    assert layouts(folder).reset(MEDIUM) == own()
    assert layouts(folder).get(MEDIUM, COLUMNS).tree == own()
    assert layouts(folder).get(SMALL, COLUMNS).tree == ARRANGED


def test_arranging_it_as_it_was_forgets_it(folder: Path) -> None:
    layouts(folder).keep(MEDIUM, ARRANGED)
    layouts(folder).keep(MEDIUM, own())
    assert list(folder.iterdir()) == []


def test_in_another_run_our_panels_are_called_as_there_but_for_those_that_were_renamed(
    folder: Path,
) -> None:
    layouts(folder, step=0).keep(MEDIUM, ARRANGED)
    assert names(layouts(folder, step=35).get(MEDIUM, COLUMNS)) == ["First: step 35", "My card"]


def test_a_review_with_other_maps_has_a_layout_of_its_own(folder: Path) -> None:
    layouts(folder).keep(MEDIUM, ARRANGED)
    maps = [widget(WIDGETS[f"map{number}"], f"Map {number}") for number in range(2)]
    other = layout(tab(*maps), tab(widget(REVIEW, "Review")))
    assert PageLayouts([other], Preferences(folder)).get(MEDIUM, COLUMNS).tree == other


def test_what_a_review_lacks_is_left_out_and_said(folder: Path) -> None:
    plot = {"xAxisColumn": "x_first", "yAxisColumn": "y_first", "colorBy": "gone", "filter": False}
    kept = layout(
        tab(widget("scatterplot", "Here", **plot)),
        tab(
            widget("scatterplot", "Step 20", xAxisColumn="x_000020", yAxisColumn="y_000020"),
            widget("ReviewOfAnOlderVersion", "Old"),
        ),
        tab(
            widget("table", "Table", visibleColumns=["label", "gone"], sorting=[["gone", "ASC"]]),
            widget(
                "inspector",
                "Images",
                visibleColumns=4,
                views=[{"columns": ["gone"]}, {"columns": ["label", "gone"]}],
            ),
        ),
    )
    layouts(folder).keep(LARGE, kept)
    given = layouts(folder).get(LARGE, COLUMNS)
    assert given.tree["children"] == [
        tab(widget("scatterplot", "Here", **{**plot, "colorBy": None})),
        tab(
            widget("table", "Table", visibleColumns=["label"], sorting=[]),
            widget("inspector", "Images", visibleColumns=4, views=[{"columns": ["label", "gone"]}]),
        ),
    ]
    assert "panels that this review lacks: Step 20, Old." in given.note


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        "",
        '{"children": [{"kind": "tab", "children": [{"type": 3}]}]}',
        '{"children": [{"kind": "window"}]}',
        '{"children": [{"kind": "tab", "children": [], "weight": "wide"}]}',
        '{"children": [{"kind": "tab", "children": [{"type": "Gone", "name": "x"}]}]}',
        '{"orientation": "upwards", "children": []}',
        "[" * 100_000,
    ],
)
def test_a_kept_layout_that_is_none_is_not_in_the_way(folder: Path, content: str) -> None:
    layouts(folder).keep(MEDIUM, ARRANGED)
    (file,) = folder.iterdir()
    file.write_text(content, encoding="utf-8")
    assert layouts(folder).get(MEDIUM, COLUMNS).tree == own()


def test_an_older_layout_of_which_nothing_is_left_is_replaced_by_ours_which_is_said(
    folder: Path,
) -> None:
    layouts(folder).keep(MEDIUM, layout(tab(widget("ReviewOfAnOlderVersion", "Old"))))
    given = layouts(folder).get(MEDIUM, COLUMNS)
    assert given.tree == own() and "cannot be shown by this version" in given.note


def test_what_is_no_layout_is_not_kept(folder: Path) -> None:
    wrong: list[object] = [None, [], {"children": 3}, {"children": [{"kind": "tab"}]}]
    for none in wrong:
        with pytest.raises(LayoutError):
            layouts(folder).keep(MEDIUM, none)
    deep: dict[str, Any] = tab()
    for _ in range(100):
        deep = {"kind": "split", "weight": 1, "orientation": None, "children": [deep]}
    with pytest.raises(LayoutError):
        layouts(folder).keep(MEDIUM, layout(deep))
    assert not folder.exists()


def test_only_its_owner_can_read_what_is_kept(folder: Path) -> None:
    Preferences(folder).keep("theme", "dark")
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == "dark"


def test_reviews_at_the_same_time_do_not_lose_each_others_choices(folder: Path) -> None:
    chosen = [f"choice-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: Preferences(folder).keep(name, name), chosen))
    assert [Preferences(folder).get(name) for name in chosen] == chosen


def test_where_no_folder_can_be_made_choices_hold_in_this_review(
    folder: Path,
) -> None:
    folder.parent.mkdir()
    folder.write_text("a file")
    preferences = Preferences(folder)
    preferences.keep("theme", "dark")
    assert preferences.get("theme") == "dark"
    assert Preferences(folder).get("theme") is None


def test_the_folder_is_where_the_system_keeps_configurations(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if os.name != "nt" and os.uname().sysname == "Linux":
        assert config_folder() == tmp_path / "review-embeddings"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> TestClient:
    """Our plugin in a server that has Spotlight's routes of the layout already."""
    (tmp_path / "layouts.json").write_text(json.dumps([own(), own(), own()]))
    settings = {"layouts": str(tmp_path / "layouts.json"), "preferences": str(folder)}
    monkeypatch.setenv("REVIEW_EMBEDDINGS_SESSION", session_in(tmp_path, **settings))
    app = FastAPI()

    @app.get("/api/layout/")
    def spotlights_own() -> str:
        return "the old layout"

    app.data_store = None  # type: ignore[attr-defined]
    load_plugin().__activate__(app)
    return TestClient(app, base_url=HOME, headers={**HEADERS, "Origin": HOME})


def test_spotlights_own_routes_keep_the_layout_by_the_size_of_the_window(
    client: TestClient,
) -> None:
    def get(size: str) -> Any:
        return client.get("/api/layout/", headers={"X-Review-Window": size}).json()

    body, size = {"layout": ARRANGED}, {"X-Review-Window": "2"}
    assert client.put("/api/layout/", json=body, headers=size).json() == ARRANGED
    assert get("2") == ARRANGED
    assert get("0") == get("1") == get("7") == get("") == own()
    assert client.put("/api/layout/reset", headers=size).json() == own()
    assert get("2") == own()


def test_what_is_no_layout_is_refused(client: TestClient) -> None:
    for content in (b"{", b'{"layout": 3}', b"[]", b" " * (2 << 20)):
        assert client.put("/api/layout/", content=content).status_code == 400


def test_a_sentence_about_the_layout_goes_with_it(client: TestClient, folder: Path) -> None:
    preferences = Preferences(folder)
    preferences.keep("layout-1-maps-1", layout(tab(widget("ReviewOfAnOlderVersion", "Ä"))))
    answer = client.get("/api/layout/", headers={"X-Review-Window": "1"})
    assert answer.headers["x-review-layout-note"].startswith("Your%20layout%20cannot%20be")


def test_the_colours_are_remembered(client: TestClient, folder: Path) -> None:
    assert "theme" not in client.get("/api/review/session").json()
    assert client.post("/api/review/theme", json="dark").status_code == 200
    assert client.get("/api/review/session").json()["theme"] == "dark"
    assert Preferences(folder).get("theme") == "dark"
    for none in ("../x", 3, None, "a" * 21):
        assert client.post("/api/review/theme", json=none).status_code == 400
    assert client.post("/api/review/theme", json="").status_code == 200
    assert "theme" not in client.get("/api/review/session").json()
