"""A review behind a real nginx, below base paths and in frames of other hosts, in a real
browser."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import FLAGS
from deciding import PANEL, decided, opened, ready
from playwright.sync_api import Browser, BrowserContext, Frame, Page, WebSocket, sync_playwright
from proxies import (
    HUB_PREFIX,
    PORTAL,
    PROXY,
    STRANGER,
    STRIPPED,
    Proxy,
    free_port,
    nginx,
    nginx_program,
)
from samples import need
from serving import Serving, serving

pytestmark = pytest.mark.browser

HOSTS = ", ".join(f"MAP {name} 127.0.0.1" for name in (PROXY, PORTAL, STRANGER))

PROXY_FLAGS = [
    *FLAGS,
    f"--host-resolver-rules={HOSTS}",
    "--ignore-certificate-errors",
    "--disable-features=BlockInsecurePrivateNetworkRequests,LocalNetworkAccessChecks",
]

SHOWN_IN_A_FRAME = """(address) => {
    document.body.replaceChildren(
        Object.assign(document.createElement("iframe"), { src: address, width: 1500, height: 800 }),
    );
}"""


ASKED_BY_ITS_WINDOW = """async (home) => {
    const asked = (options) => fetch(`${home}api/table/`, { credentials: "include", ...options })
        .then((answer) => (answer.ok ? "ANSWERED" : "refused"), () => "refused");
    const socket = new Promise((done) => {
        const made = new WebSocket(`${home.replace("https", "wss")}api/ws`);
        made.onopen = () => done("OPEN");
        made.onerror = () => done("refused");
    });
    return [await asked({}), await asked({ method: "POST" }), await socket];
}"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    need(nginx_program() is not None, "nginx")
    need(shutil.which("openssl") is not None, "openssl")
    port, behind = free_port(), free_port()
    with nginx(tmp_path_factory.mktemp("nginx"), port, behind) as started:
        yield started


@pytest.fixture(scope="module")
def reviewed(
    built_run: Path, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A review that trusts the proxy and the portal, and finds the hub's base path by itself."""
    copy = shutil.copytree(built_run, tmp_path_factory.mktemp("proxied") / "run")
    home = proxy.at(PROXY, STRIPPED)
    trusted = ("--trusted-host", home, "--allow-host", f"{PORTAL}:{proxy.port}")
    options = ("--first", "--last", "--run", copy, "--no-browser", "--port", proxy.behind)
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUPYTERHUB_SERVICE_PREFIX", HUB_PREFIX)
            started = stack.enter_context(serving(*options, *trusted))
        assert "JupyterHub found" in started.output
        assert started.url == home, "the address that is printed is the proxy's"
        started.url = f"http://127.0.0.1:{proxy.behind}/"
        yield started


@pytest.fixture(scope="module")
def far_browser(chromium: str) -> Iterator[Browser]:
    """A person's browser, far away from the review."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=PROXY_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(far_browser: Browser) -> Iterator[BrowserContext]:
    """A profile of it with nothing in it."""
    with far_browser.new_context(ignore_https_errors=True) as made:
        yield made


def watched(context: BrowserContext) -> tuple[list[str], list[WebSocket]]:
    """What comes to nothing, and the websockets."""
    failed: list[str] = []
    sockets: list[WebSocket] = []
    context.on("response", lambda one: failed.append(one.url) if one.status >= 400 else None)
    context.on(  # a page that is loaded again ends what it was asking for
        "requestfailed",
        lambda one: None if one.failure == "net::ERR_ABORTED" else failed.append(one.url),
    )
    context.on("page", lambda page: page.on("websocket", lambda one: sockets.append(one)))
    return failed, sockets


def at_host(address: str, host_and_path: str) -> str:
    """The same key at another host."""
    return f"{host_and_path}?{address.partition('?')[2]}"


@pytest.mark.parametrize("is_passed_on", [False, True])
def test_a_person_decides_below_a_base_path(
    context: BrowserContext, proxy: Proxy, reviewed: Serving, is_passed_on: bool
) -> None:
    base = proxy.passed_on if is_passed_on else STRIPPED
    home = proxy.at(PROXY, base)
    failed, sockets = watched(context)
    page = opened(context, at_host(reviewed.address, home))
    assert page.url == home
    page.wait_for_function("""[...document.images].some(
        (image) => image.complete && image.naturalWidth > 0 && image.src.startsWith("blob:")
    )""")
    page.keyboard.press("r")
    page.wait_for_function(
        f"document.querySelector('{PANEL}').textContent.includes('1 of 36 decided')"
    )
    assert list(decided(page).values()) == ["remove"]
    page.keyboard.press("z")
    page.wait_for_function(f"document.querySelector('{PANEL}').textContent.includes('Taken back')")
    assert decided(page) == {}
    (socket,) = sockets
    assert socket.url == f"{home.replace('https', 'wss')}api/ws" and not socket.is_closed()
    page.reload()
    ready(page)
    assert failed == []
    (cookie,) = [one for one in context.cookies() if one["name"].startswith("review-embeddings-")]
    assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "None"
    assert cookie["path"] == base and cookie["expires"] == -1
    assert f"https://{PROXY}" in str(cookie.get("partitionKey", f"https://{PROXY}"))


def framed(context: BrowserContext, parent: str, address: str) -> tuple[Page, Frame]:
    """A page that shows an address in a frame, and what is in the frame."""
    page = context.new_page()
    page.goto(parent)
    page.evaluate(SHOWN_IN_A_FRAME, address)
    page.wait_for_function("window.frames.length === 1")
    frame = page.frames[1]
    frame.wait_for_load_state()
    return page, frame


@pytest.mark.parametrize("host", [PROXY, PORTAL])
def test_a_trusted_host_shows_it_in_a_frame(
    context: BrowserContext, proxy: Proxy, reviewed: Serving, host: str
) -> None:
    address = at_host(reviewed.address, proxy.at(PROXY, STRIPPED))
    page, frame = framed(context, proxy.at(host, "/frame"), address)
    frame.wait_for_selector(f"{PANEL} button[aria-keyshortcuts=k]:enabled")
    assert frame.url == proxy.at(PROXY, STRIPPED)
    frame.locator(f"{PANEL} button[aria-keyshortcuts=k]").click()
    frame.wait_for_function(f"/ decided/.test(document.querySelector('{PANEL}').textContent)")
    page.close()


def test_a_host_that_shows_it_in_a_frame_asks_it_nothing(
    context: BrowserContext, proxy: Proxy, reviewed: Serving
) -> None:
    """Its window has the cookie of the frame, as both are of one site."""
    home = proxy.at(PROXY, STRIPPED)
    page, frame = framed(context, proxy.at(PORTAL, "/frame"), at_host(reviewed.address, home))
    frame.wait_for_selector(f"{PANEL} button[aria-keyshortcuts=k]:enabled")
    assert page.evaluate(ASKED_BY_ITS_WINDOW, home) == ["refused", "refused", "refused"]


def test_no_other_host_shows_it_in_a_frame(
    context: BrowserContext, proxy: Proxy, reviewed: Serving
) -> None:
    home = proxy.at(PROXY, STRIPPED)
    opened(context, at_host(reviewed.address, home)).close()  # the cookie is there
    messages: list[str] = []
    context.on("console", lambda one: messages.append(one.text))
    for address in (home, f"{home}?token=guess"):
        page, frame = framed(context, proxy.at(STRANGER, "/frame"), address)
        assert frame.url.startswith("chrome-error://")
        page.close()
    assert any("frame-ancestors" in text for text in messages)
