"""The page's ES modules: their own tests, run by Node; what they share with Python; how they are
served."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from decision_server import HEADERS, load_plugin, session_in
from nodetests import run_node_tests
from starlette.testclient import TestClient

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.kinds import DECISIONS
from review_embeddings.review.page.frame import wide_frame
from review_embeddings.review.page.frontend import (
    COLUMNS,
    CONSTANTS_MODULE,
    FRONTEND_FOLDER,
    NOW_COLUMNS,
    ROUTES,
    constants_module,
    frontend_modules,
    shared_constants,
)

HOME = "http://127.0.0.1:8000"
MODULES = "/api/plugins/review_embeddings/"

ENTRIES = ("main.js", "blob/open.js", "share/main.js", "gallery/main.js")
"""Modules that a page begins with: in Spotlight, and without a server."""

PURE = ("core", "dom", "maps", "views")
"""Folders whose modules know neither React nor Spotlight."""

SOURCES = {
    file.relative_to(FRONTEND_FOLDER).as_posix(): file.read_text(encoding="utf-8")
    for file in sorted(FRONTEND_FOLDER.rglob("*.js"))
}


def code_of(source: str) -> str:
    """A module without its comments."""
    return re.sub(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", "", source, flags=re.DOTALL)


def strings_of(value: object) -> Iterator[str]:
    """The strings of a constant, not the names by which it holds them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings_of(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from strings_of(part)


def changed(value: Any) -> Any:
    """A constant of the same shape in which every string and every number is another."""
    if isinstance(value, str):
        return f"{value}~"
    if isinstance(value, dict):
        named = {changed(name) if name in DECISIONS else name: value[name] for name in value}
        return {name: changed(part) for name, part in named.items()}
    if isinstance(value, (list, tuple)):
        return [changed(part) for part in value]
    return value + 1


def test_the_modules_pass_their_own_tests(tmp_path: Path) -> None:
    constants = tmp_path / CONSTANTS_MODULE
    constants.write_text(constants_module(), encoding="utf-8")
    done = run_node_tests(constants)
    assert done.returncode == 0, done.stdout + done.stderr


def test_with_other_constants_the_page_is_another(tmp_path: Path) -> None:
    """The same tests pass: what they name comes from Python, in the modules and in the tests."""
    constants = tmp_path / CONSTANTS_MODULE
    constants.write_text(constants_module(changed(shared_constants())), encoding="utf-8")
    done = run_node_tests(constants)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_shared_constant_is_spelled_in_the_javascript() -> None:
    constants = shared_constants()
    keys, routes = (set(strings_of(constants[name])) for name in ("DECISION_KEYS", "ROUTES"))
    words = set(strings_of(constants)) - keys  # a letter may be anything
    protocol = "core/messages.js"  # knows the keys of its JSON
    for name, source in SOURCES.items():
        code = code_of(source)
        imported = re.sub(r'from "[^"]*"', "", code)
        literals = set(re.findall(r"[\"'`]([^\"'`\n]*)[\"'`]", imported))
        free = routes if name not in {"server.js", protocol} else set()
        css = {"none"} if name.endswith("styles.js") else set()
        assert not literals & (words - free - css), name
        spelled = {word for word in words if "_" in word and re.search(rf"\b{word}\b", code)}
        assert not spelled or name == protocol, (name, spelled)
        assert not re.search(r"max(Length|_length)\W*\d", code), name


def test_types_of_the_constants_are_those_of_the_constants() -> None:
    declared = (FRONTEND_FOLDER / "constants.d.ts").read_text(encoding="utf-8")
    names = re.findall(r"export const (\w+):", declared)
    assert names == list(shared_constants())
    for name, value in shared_constants().items():
        given = re.search(rf"export const {name}:(.*?);", declared, flags=re.DOTALL)
        assert given is not None
        one = value[0] if isinstance(value, (list, tuple)) else value
        kind = "number" if isinstance(one, (int, float)) else "string"
        assert re.search(rf"\b{kind}\b", given[1]), name
        if "Record<" in given[1] and "Record<string" not in given[1]:
            listed = set(re.findall(r'"(\w+)"', given[1]))
            parts = value if isinstance(value, dict) else {}
            assert listed >= set(parts), name


def test_every_shared_constant_is_used_by_a_module() -> None:
    for name in shared_constants():
        assert any(re.search(rf"\b{name}\b", code_of(source)) for source in SOURCES.values()), name


def test_the_columns_that_the_page_knows_are_those_of_the_frame(built_run: Path) -> None:
    images = read_images(RunFolder(built_run))
    assert images is not None
    frame = wide_frame(RunFolder(built_run), images, [10, 20, 100]).frame
    where_asked_for = {"leak_label", "image_issue"}
    assert {*COLUMNS.values(), *NOW_COLUMNS} - where_asked_for <= set(frame.columns)
    assert where_asked_for <= {column.name for column in table.COLUMNS}
    ends = shared_constants()["ENDS"]
    assert set(strings_of(ends)) <= {*frame.columns, "prediction_first", "prediction_last"}


def test_what_draws_and_decides_knows_neither_react_nor_spotlight() -> None:
    for name, source in SOURCES.items():
        if name.split("/")[0] in PURE:
            code = code_of(source)
            assert not re.search(r"\bReact\b|\bspotlight\b|useDataset", code), name
            if not name.startswith("views/"):
                assert not re.search(
                    r"\b(document|window|location|sessionStorage|localStorage|fetch)\b", code
                ), name


def test_every_module_is_small_and_says_what_it_is() -> None:
    for name, source in SOURCES.items():
        lines = source.splitlines()
        assert len(lines) <= 250 and max(map(len, lines)) <= 100, name
        assert lines[0].startswith("// ") and lines[1].startswith("// "), name


def test_every_import_is_a_module_that_is_served_and_every_module_is_imported() -> None:
    modules, found, waiting = frontend_modules(), set(), [*ENTRIES]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for target in re.findall(r'^(?:import|\}) .*?from "(.*)";', modules[name].decode(), re.M):
            assert target.startswith("."), "relative, so that nothing has to resolve names"
            parts: list[str] = []
            for part in (PurePosixPath(name).parent / target).parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            waiting.append("/".join(parts))
    assert found == set(modules)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TestClient:
    """Our plugin in a server that has a route for ``main.js`` already, as Spotlight's has."""
    from fastapi import FastAPI

    monkeypatch.setenv("REVIEW_EMBEDDINGS_SESSION", session_in(tmp_path))
    app = FastAPI()

    @app.get("/api/plugins/{name:str}/main.js")
    def spotlights_own(name: str) -> str:
        return f"the old {name}"

    load_plugin().__activate__(app)
    return TestClient(app, base_url=HOME, headers=HEADERS)


def test_the_session_says_which_table_the_run_has_now(
    built_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it a page knows that the run was built again since it was opened."""
    from fastapi import FastAPI

    run = Path(shutil.copytree(built_run, tmp_path / "run"))
    session = session_in(tmp_path, run=str(run), reviewer="ada")
    monkeypatch.setenv("REVIEW_EMBEDDINGS_SESSION", session)
    app = FastAPI()
    load_plugin().__activate__(app)
    client = TestClient(app, base_url=HOME, headers=HEADERS)
    manifest = table.read_manifest(RunFolder(run))
    assert manifest is not None
    address = f"/api/review/{ROUTES['session']}"
    assert client.get(address).json() == {"built": manifest.fingerprint}
    shutil.rmtree(run / "table")
    assert client.get(address).json() == {"built": None}


def test_modules_are_served_as_javascript_and_only_kept_while_they_are_current(
    client: TestClient,
) -> None:
    for name, source in frontend_modules().items():
        answer = client.get(MODULES + name)
        assert answer.status_code == 200 and answer.content == source, name
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": answer.headers["etag"]}
        again = client.get(MODULES + name, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
        other = client.get(MODULES + name, headers={"If-None-Match": '"another"'})
        assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "../__init__.py",
        "..%2f__init__.py",
        "%2e%2e/guard.py",
        "core/../../guard.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "types.d.ts",
        "core",
        "core/",
        "main.js/",
        "none.js",
        "core\\page.js",
        "main.js%00",
    ],
)
def test_nothing_but_the_modules_is_served(client: TestClient, path: str) -> None:
    assert client.get(MODULES + path).status_code == 404


def test_pages_of_others_get_no_module(client: TestClient) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert client.get(f"{MODULES}main.js", headers=headers).status_code == 403
    assert client.get(f"{MODULES}main.js", headers={"Origin": HOME}).status_code == 200
    assert client.post(f"{MODULES}main.js", headers={"Origin": HOME}).status_code == 405
    for path in (f"{MODULES}main.js", f"/api/review/{ROUTES['session']}"):
        assert client.get(path, headers={"Cookie": ""}).status_code == 403


def test_the_type_checker_is_pinned_and_its_lock_names_no_registry() -> None:
    folder = Path(__file__).parents[2] / ".ci"
    wanted = json.loads((folder / "package.json").read_text())["devDependencies"]
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("resolved" not in package for package in lock.values())
    assert all("integrity" in package for path, package in lock.items() if path)
