"""Who is let in: every route of the real Spotlight with every method, keys that are good once, and
what a browser is told to keep to itself."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from decision_server import HEADERS, SECRETS, TOKEN, session_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from review_embeddings.review.page import opening
from review_embeddings.review.page.entry import EntryControl, EntrySecrets, Offers
from review_embeddings.review.page.frontend import (
    PLUGIN_FOLDER,
    PREFIX,
    ROUTES,
    TOKEN_HEADER,
    handover_page,
)
from review_embeddings.review.page.spotlight import application, import_spotlight

HOME = "http://127.0.0.1:8000"
COOKIE = {"Cookie": HEADERS["Cookie"]}
OWN = HEADERS | {"Origin": HOME}
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"),
)
STRANGERS: tuple[dict[str, str], ...] = (
    {},
    {"Origin": HOME, "Sec-Fetch-Site": "same-origin"},
    {"Cookie": f"{SECRETS.cookie_name}=guess", TOKEN_HEADER: TOKEN, "Origin": HOME},
    {"Cookie": f"{SECRETS.cookie_name}=", TOKEN_HEADER: ""},
    {"Cookie": f"other={SECRETS.cookie}", TOKEN_HEADER: TOKEN},
    {"Authorization": f"Bearer {TOKEN}", TOKEN_HEADER: SECRETS.cookie},
)
"""What those send who have not the cookie."""

FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Host": "rebound.example:8000"},
    {"Host": ""},
)
"""What browsers send for pages of others, beside the cookie where they send it."""


@pytest.fixture(scope="module")
def client(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The real Spotlight with our plugin, not started: it has no table, but all routes."""
    import shutil

    folder = tmp_path_factory.mktemp("session")
    run = shutil.copytree(built_run, folder / "run")
    (folder / "session.json").write_text("{}")
    settings = {"run": str(run), "reviewer": "ada", "page": str(folder / "session.json")}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PLUGIN_FOLDER))
        patch.setenv("REVIEW_EMBEDDINGS_SESSION", session_in(folder, **settings))
        patch.setenv("SPOTLIGHT_OPT_OUT", "true")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import_spotlight()
            from renumics.spotlight import plugin_loader

            # It looks for plugins once a process, and other tests may have imported it before.
            patch.setattr(plugin_loader, "_plugins", None)
            app = application()
        yield TestClient(app, base_url=HOME, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def paths(client: TestClient) -> list[str]:
    """An address for every route: those that Spotlight describes, and those that it does not."""
    app: Any = client.app
    declared = {getattr(route, "path", "/") for route in app.router.routes} | set(
        app.openapi()["paths"]
    )
    found = {re.sub(r"\{[^}]*\}", "0", path) for path in declared}
    named = {PREFIX + name for name in ROUTES.values()}
    others = {"/", "/index.html", "/api/ws", "/static/main.js", "/static/style.css"}
    module = "/api/plugins/review_embeddings/main.js"
    return sorted(found | named | others | {module})


def test_all_routes_of_the_page_are_tried(paths: list[str]) -> None:
    for known in ("/", "/api/table/", "/api/layout/", "/api/issues/", "/static/main.js", "/docs"):
        assert known in paths
    assert len(paths) > 30


@pytest.mark.parametrize("headers", STRANGERS)
def test_without_the_cookie_there_is_the_handover_page_and_nothing_else(
    client: TestClient, paths: list[str], headers: dict[str, str]
) -> None:
    for path in paths:
        for method in METHODS:
            answer = client.request(method, path, headers=headers, follow_redirects=False)
            if (method, path) == ("GET", "/"):
                assert (answer.status_code, answer.text) == (200, handover_page())
            else:
                assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize("headers", FOREIGN)
def test_with_the_cookie_pages_of_others_get_nothing(
    client: TestClient, paths: list[str], headers: dict[str, str]
) -> None:
    for path in paths:
        for method in METHODS:
            answer = client.request(method, path, headers=OWN | headers, follow_redirects=False)
            assert answer.status_code == 403, (method, path)


def test_a_link_of_another_page_ends_at_the_handover_page_alone(
    client: TestClient, paths: list[str]
) -> None:
    link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for site in ("cross-site", "same-site"):
        for path in paths:
            headers = COOKIE | link | {"Sec-Fetch-Site": site}
            answer = client.get(path, headers=headers, follow_redirects=False)
            assert answer.status_code == (200 if path == "/" else 403), path
            assert path != "/" or answer.text == handover_page()


def test_writing_needs_the_token_besides_the_cookie_on_every_route(
    client: TestClient, paths: list[str]
) -> None:
    wrong: tuple[dict[str, str], ...] = (
        COOKIE,
        COOKIE | {"Origin": HOME},
        COOKIE | {"Origin": HOME, TOKEN_HEADER: "guess"},
        HEADERS,  # from no page at all
    )
    for path in paths:
        for method in set(METHODS) - {"GET", "HEAD"}:
            for headers in wrong:
                answer = client.request(method, path, headers=headers, follow_redirects=False)
                assert answer.status_code == 403, (method, path, headers)


def test_with_both_all_is_there_but_other_files(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/plugins/", "/api/review/facts"):
        assert client.get(path, headers=COOKIE).status_code == 200, path
        named = COOKIE | {"Sec-Fetch-Site": "same-origin"}
        assert client.get(path, headers=named).status_code == 200, path
    refused = client.post("/api/review/undo", json={"request": "never"}, headers=OWN)
    assert refused.status_code == 422, "asked, and there is nothing to undo"
    nameless = HEADERS | {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/review/undo", json={}, headers=nameless).status_code == 422
    for method, path in (("GET", "/api/browse/0"), ("POST", "/api/table/open/x.csv")):
        assert client.request(method, path, headers=OWN).status_code == 403


@given(
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
    st.sampled_from(METHODS),
    st.dictionaries(
        st.sampled_from(["Cookie", TOKEN_HEADER, "Origin", "Sec-Fetch-Site", "X-Forwarded-Host"]),
        st.sampled_from([HOME, "same-origin", "none", TOKEN, SECRETS.cookie, "a=b; c"]),
    ),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_way_of_writing_an_address_gets_round_it(
    client: TestClient, path: str, method: str, headers: dict[str, str]
) -> None:
    for begun in ("/", "/api/review/", "//", "/./", "/%2e/"):
        answer = client.request(
            method, f"{HOME}{begun}{path}", headers=headers, follow_redirects=False
        )
        allowed = method == "GET" and answer.text == handover_page()
        assert allowed or answer.status_code >= 400


@pytest.mark.parametrize("path", ["/api/ws", "/", "/api/review/facts"])
@pytest.mark.parametrize(
    "headers", [*STRANGERS, *(COOKIE | one for one in FOREIGN if "Sec-Fetch-Site" not in one)]
)
def test_a_websocket_needs_the_cookie_and_our_own_page(
    client: TestClient, path: str, headers: dict[str, str]
) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"ws://127.0.0.1:8000{path}", headers=headers),
    ):
        pass


def test_every_answer_forbids_other_pages_to_use_it(client: TestClient, paths: list[str]) -> None:
    for path in paths:
        for headers in ({}, COOKIE, {"Origin": "https://evil.example"}):
            answer = client.get(path, headers=headers, follow_redirects=False)
            given = answer.headers
            assert given["cross-origin-resource-policy"] == "same-origin", path
            assert given["cross-origin-opener-policy"] == "same-origin"
            assert given["x-content-type-options"] == "nosniff"
            assert given["x-frame-options"] == "DENY"
            assert given["referrer-policy"] == "no-referrer"
            policy = given["content-security-policy"]
            assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
            assert "script-src 'self' 'unsafe-inline'" not in policy
            own = path.startswith("/api/plugins/review_embeddings") and answer.status_code == 200
            assert given["cache-control"] == ("no-cache" if own else "no-store"), path


# -- keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    EntrySecrets("name", "cookie", "token", ("printed", "opened")).write(tmp_path)
    return tmp_path


def test_a_key_is_good_once_and_then_makes_one_new_address(folder: Path) -> None:
    entry, offers = EntryControl(folder), Offers(folder)
    firefox = "Mozilla/5.0 Gecko/20100101 Firefox/130.0"
    assert entry.admit("printed", is_known=False, agent=firefox).token == "token"
    assert offers.next() is None
    for _ in range(3):
        again = entry.admit("printed", is_known=False, agent="\x1b[2Jcurl")
        assert not again.is_let_in and not again.token and "used already" in again.reason
    offer = offers.next()
    assert offer is not None and offer.used.endswith("with Firefox") and offers.next() is None
    assert entry.admit(offer.key, is_known=False, agent="\x1b[2Jcurl").token == "token"
    entry.admit(offer.key, is_known=False, agent="")
    second = offers.next()
    assert second is not None and second.key != offer.key
    assert second.used.endswith("with another program"), "no text of whoever asks"
    assert entry.admit("opened", is_known=False, agent="").token == "token", "the other is good yet"


def test_who_was_let_in_goes_on_with_any_address_and_is_not_told_the_token(folder: Path) -> None:
    entry, offers = EntryControl(folder), Offers(folder)
    entry.admit("printed", is_known=False, agent="")
    for key in ("printed", "", "guess"):
        known = entry.admit(key, is_known=True, agent="")
        assert known.is_let_in and not known.token
    for key in ("", "guess", "\ud800"):
        assert not entry.admit(key, is_known=False, agent="").is_let_in
    assert offers.next() is None, "who guesses makes no addresses"


def test_a_cookie_alone_does_not_get_the_token(client: TestClient) -> None:
    """A server at another port of this host is sent the cookie."""
    answer = client.post("/api/review/enter", json={"key": ""}, headers=COOKIE | {"Origin": HOME})
    assert answer.status_code == 403 and TOKEN not in answer.text


def test_the_cookie_is_for_this_host_and_no_script(client: TestClient) -> None:
    key = SECRETS.keys[0]
    for headers in ({}, {"Origin": "https://evil.example"}):
        assert client.post("/api/review/enter", json={"key": key}, headers=headers).is_error
    answer = client.post("/api/review/enter", json={"key": key}, headers={"Origin": HOME})
    assert answer.json() == {"token": TOKEN}
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == SECRETS.cookie_name
    parts = {part.strip().lower() for part in rest.split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert not any(part.startswith(("domain", "max-age", "expires")) for part in parts)
    client.cookies.clear()


@pytest.mark.parametrize("body", [b"", b"[", b"[1]", b'{"key": 5}', b"\xff", b"{" * 10_000])
def test_whatever_is_sent_to_enter_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/review/enter", content=body, headers={"Origin": HOME})
    assert answer.status_code == 403


# -- files


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_files_of_a_session_are_the_owners_alone(folder: Path) -> None:
    entry = EntryControl(folder)
    for _ in range(2):
        entry.admit("printed", is_known=False, agent="")
    files = list(folder.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_browser_is_started_with_a_file_and_not_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import webbrowser
from review_embeddings.review.page import opening
from pathlib import Path
with opening.opened_in_browser({HOME + "/?token=a&b"!r}, Path({str(tmp_path)!r})):
    input()
"""
    browser = tmp_path / "a-browser"
    browser.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" > "$SEEN"; cp "${1#file://}" "$SEEN.html"\n'
        'stat -c %a "${1#file://}" > "$SEEN.mode"; echo done\n'
    )
    browser.chmod(0o755)
    home, seen = tmp_path / "home", tmp_path / "seen"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "SEEN": str(seen)}
    environment |= {"BROWSER": f"{browser} %s", "DISPLAY": ":77"}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as opener:
        assert opener.stdout is not None and opener.stdout.readline() == "done\n"
        opener.communicate("\n", timeout=30)
    given = seen.read_text()
    assert given.startswith(f"file://{home}/review-embeddings-") and "token" not in given
    assert f'url={HOME}/?token=a&amp;b"' in Path(f"{seen}.html").read_text()
    assert Path(f"{seen}.mode").read_text().strip() == "600"
    assert list(home.iterdir()) == [], "gone in the end"
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "none" / "there")
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    (tmp_path / "none").write_text("")
    with opening.opened_in_browser(HOME, tmp_path):  # where there is no home to write to
        assert [file.suffix for file in tmp_path.glob("review-*")] == [".html"]


def test_the_handover_page_holds_nothing_of_a_session() -> None:
    page = handover_page()
    for secret in (SECRETS.cookie, SECRETS.cookie_name, TOKEN, *SECRETS.keys):
        assert secret not in page
    assert "import " not in page.split("<script")[1].split("\n//")[0], "modules need the cookie"
    assert json.dumps(TOKEN_HEADER) in page
