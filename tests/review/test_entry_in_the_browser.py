"""Who gets in, in a real Spotlight in a real browser: the ways in which people open a review, and
what pages of others can do with one."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chromium import FLAGS
from playwright.sync_api import BrowserContext, Page, Request, Response, sync_playwright
from serving import Serving

pytestmark = pytest.mark.browser

FOREIGN_FLAGS = [
    *FLAGS,
    "--host-resolver-rules=MAP foreign.example 127.0.0.1, MAP rebound.example 127.0.0.1",
    "--disable-features=BlockInsecurePrivateNetworkRequests,LocalNetworkAccessChecks",
]

ATTACK = """async (home) => {
    const found = {};
    const late = () => new Promise((done) => setTimeout(() => done("nothing came"), 4000));
    const inTime = (promise) => Promise.race([promise, late()]);
    const loading = (kind, change) => inTime(new Promise((done) => {
        const node = Object.assign(document.createElement(kind), change);
        node.onload = () => done("LOADED");
        node.onerror = () => done("refused");
        document.body.append(node);
    }));
    const asked = (path, options) =>
        inTime(fetch(home + path, options).then(() => "ANSWERED", () => "refused"));
    const module = "api/plugins/review_embeddings/main.js";
    const image = "api/table/image/0?generation_id=1";
    found.image = await loading("img", { src: home + image });
    found.icon = await loading("img", { src: home + "static/spotlight.svg" });
    found.page = await loading("img", { src: home });
    found.module = await loading("script", { type: "module", src: home + module });
    found.script = await loading("script", { src: home + "static/main.js" });
    found.json = await loading("script", { src: home + "api/table/" });
    found.style = await loading("link", { rel: "stylesheet", href: home + "static/style.css" });
    found.object = await loading("object", { data: home });
    found.cors = await asked("api/table/", {});
    found.sent = await asked("api/table/", { credentials: "include" });
    found.opaque = await asked("api/table/", { mode: "no-cors", credentials: "include" });
    found.opaquePage = await asked("", { mode: "no-cors", credentials: "include" });
    found.posted = await asked("api/review/decisions",
        { mode: "no-cors", method: "POST", body: "{}", credentials: "include" });
    found.socket = await inTime(new Promise((done) => {
        const socket = new WebSocket(home.replace("http", "ws") + "api/ws");
        socket.onopen = () => done("OPEN");
        socket.onerror = () => done("refused");
    }));
    const frame = document.createElement("iframe");
    frame.src = home;
    await inTime(new Promise((done) => { frame.onload = done; document.body.append(frame); }));
    found.frame = frame.contentDocument ? "READ" : "closed";
    const opened = window.open(home);
    for (let tries = 0; tries < 100 && opened && !opened.closed; tries += 1) {
        await new Promise((done) => setTimeout(done, 50));
    }
    found.opened = !opened || opened.closed ? "cut off" : "HELD";
    return found;
}"""
"""What a page of another origin tries, and what came of it."""


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """The server of an attacker, at another port; notes the cookies that it is sent."""

    cookies: list[str] = []

    def do_GET(self) -> None:
        """An empty page."""
        self.cookies.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body></body>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of the other server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def context(chromium: str) -> Iterator[BrowserContext]:
    """A person's browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FOREIGN_FLAGS)
        yield browser.new_context(viewport={"width": 1600, "height": 900})
        browser.close()


def is_there(page: Page) -> None:
    """Wait for the review itself, with a panel in which one can decide."""
    page.wait_for_function("globalThis.spotlight && spotlight.useDataset.getState().length > 0")
    page.wait_for_selector("[data-test-tag=review-panel] button")
    page.wait_for_function("document.images.length > 0")


def test_the_ways_in_which_people_open_it(
    context: BrowserContext, served: Serving, elsewhere: int
) -> None:
    page = context.new_page()
    asked: list[Request] = []
    answers: list[Response] = []
    messages: list[str] = []
    context.on("request", lambda one: asked.append(one))
    context.on("response", lambda one: answers.append(one))
    page.on("console", lambda one: messages.append(one.text))
    page.goto(served.address)
    is_there(page)
    assert page.url == served.url, "nothing secret stays in the address"
    page.reload()
    is_there(page)
    page.goto(served.printed)  # the same address again, in the same browser
    is_there(page)
    tab = context.new_page()
    tab.goto(served.url)  # a second tab, from a bookmark
    is_there(tab)
    tab.goto(f"http://foreign.example:{elsewhere}/")
    tab.evaluate("(address) => { location.href = address; }", served.url)  # a link in a mail
    tab.wait_for_url(served.url)
    is_there(tab)
    assert tab.evaluate("window.opener") is None
    tab.close()
    (cookie,) = [one for one in context.cookies() if one["name"].startswith("review-embeddings-")]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["expires"] == -1
    assert cookie["value"] not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
    assert [answer.url for answer in answers if answer.status >= 400] == []
    assert [message for message in messages if "Security Policy" in message] == []
    referers = [one.headers.get("referer", "") for one in asked]
    assert not any("token" in referer for referer in referers)
    key = served.printed.partition("?token=")[2]
    assert [one.url for one in asked if key in one.url] == [served.printed] * 2


@pytest.mark.parametrize("host", ["foreign.example", "127.0.0.1", "localhost"])
def test_a_page_of_another_origin_gets_nothing_of_it(
    context: BrowserContext, served: Serving, elsewhere: int, host: str
) -> None:
    page = context.new_page()
    answers: list[tuple[str, int]] = []
    page.on("response", lambda one: answers.append((one.url, one.status)))
    # The window that it opens ends with the browser: Chromium may never answer that it is closed.
    page.goto(f"http://{host}:{elsewhere}/")
    found: dict[str, Any] = page.evaluate(ATTACK, served.url)
    assert not [what for what, came in found.items() if re.fullmatch(r"[A-Z]+", came)], found
    assert found["opened"] == "cut off"
    assert not [frame.url for frame in page.frames if frame.url.startswith(served.url)]
    assert {status for url, status in answers if url.startswith(served.url)} == {403}


def test_another_name_for_this_machine_gets_nothing(
    context: BrowserContext, served: Serving
) -> None:
    page = context.new_page()
    port = served.url.rstrip("/").rsplit(":", 1)[1]
    answer = page.goto(f"http://rebound.example:{port}/")
    assert answer is not None and answer.status == 403
    page.close()


def test_the_cookie_that_a_server_at_another_port_is_sent_does_not_write(
    context: BrowserContext, served: Serving, elsewhere: int
) -> None:
    """Cookies ignore ports, which is why writing needs the token besides."""
    from serving import ask

    page = context.new_page()
    Elsewhere.cookies.clear()
    page.goto(f"http://127.0.0.1:{elsewhere}/")
    page.reload()
    page.close()
    stolen = next(cookie for cookie in Elsewhere.cookies if "review-embeddings-" in cookie)
    headers = {"Cookie": stolen, "Origin": served.url.rstrip("/")}
    for path in ("api/review/decisions", "api/review/undo", "api/review/enter"):
        status, content, _ = ask(served.url + path, "POST", {"key": "", "request": "a"}, **headers)
        assert status == 403 and b"token" not in content


def test_an_address_that_somebody_else_used_first_is_noticed(
    context: BrowserContext, served: Serving
) -> None:
    browser = context.browser
    assert browser is not None
    served.own  # noqa: B018 - somebody else, without a browser
    with browser.new_context() as own:
        page = own.new_page()
        page.goto(served.url)
        page.wait_for_selector("text=Open the address that the terminal printed")
        page.goto(served.printed)
        page.wait_for_selector("text=was used already")
        page.goto(served.address)  # what the terminal shows now
        is_there(page)
    assert "Ctrl-C" in served.output and "with Chrome" in served.output


def test_headers_that_proxies_send_change_nothing(served: Serving) -> None:
    """Anybody can send them; nor is a host trusted because they name it."""
    from serving import ask

    forwarded = {
        "X-Forwarded-Host": "hub.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/reviews/",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "host=hub.example.org;proto=https",
    }
    for host in ("hub.example.org", "rebound.example"):
        for more in ({}, forwarded):
            status, content, _ = ask(served.url, **{"Host": host, **more})
            assert status == 403 and f"--trusted-host {host}".encode() in content
    foreign = {"Origin": "https://hub.example.org", "Sec-Fetch-Site": "same-origin"}
    path = f"{served.url}api/review/decisions"
    assert ask(path, "POST", {}, **served.own.headers | foreign | forwarded)[0] == 403
    own = {"Cookie": served.own.cookie}
    for path in ("", "api/table/", "api/review", "reviews/api/table/"):
        plain, spoofed = ask(served.url + path, **own), ask(served.url + path, **own, **forwarded)
        assert spoofed[:2] == plain[:2]
        assert spoofed[2].get("location") == plain[2].get("location")
