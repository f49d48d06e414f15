"""Names and base paths of proxies, what environments say about themselves, and whom the guard lets
in for them. Codespaces, Colab and JupyterHub are stand-ins here: their variables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from decision_server import HEADERS, SECRETS, TOKEN, load_plugin, session_in
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.serving import whole_address
from review_embeddings.review.hosts.reach import Reach, reach_of
from review_embeddings.review.hosts.surroundings import browser_address
from review_embeddings.review.hosts.trusted import Trust, TrustedHost
from review_embeddings.review.hosts.tunnel import tunnel_command
from review_embeddings.review.page.address import Address
from review_embeddings.review.page.frontend import handover_page

PORT = 20123
OWN = f"http://127.0.0.1:{PORT}"

CODESPACES = {
    "CODESPACES": "true",
    "CODESPACE_NAME": "silver-lamp-x1",
    "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
}
HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada@x/"}
COLAB = {"COLAB_RELEASE_TAG": "release-colab-x"}
SPACE = f"silver-lamp-x1-{PORT}.app.github.dev"

# -- names


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("Hub.Example.org", "https://hub.example.org/"),
        ("hub.example.org:8443", "https://hub.example.org:8443/"),
        ("https://hub.example.org:443", "https://hub.example.org/"),
        ("http://hub.example.org/reviews", "http://hub.example.org/reviews/"),
        ("hub.example.org/user/ada@x/", "https://hub.example.org/user/ada@x/"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
        ("[FE80::1]:8443", "https://[fe80::1]:8443/"),
        ("10.0.0.5", "https://10.0.0.5/"),
    ],
)
def test_a_host_is_given_as_a_name_or_an_address(text: str, url: str) -> None:
    assert TrustedHost.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "*", "*.example.org", "https://", "ftp://a.example", "a b", "a.example:port"),
        *("a.example:99999", "ada@a.example", "a.example/?x", "a.example/#x", "a.example/../b/"),
        *(
            "a.example/x;y/",
            "a.example/api/",
            "a.example/static/",
            "a.example/\r\nx/",
            "a,b",
            "a;b",
        ),
        *("'self'", "a.example/x y/", "-a.example", "a.example\r\nSet-Cookie: x"),
    ],
)
def test_what_is_no_host_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match="--trusted-host"):
        Address(proxies=(text,)).check()


@given(st.text(max_size=30))
def test_no_text_gets_into_a_header(text: str) -> None:
    try:
        host = TrustedHost.parse(text)
    except SettingsError:
        return
    for sent in (*Trust((host,)).frame_ancestors[1:], host.path):
        assert sent.isascii() and not set(sent) & set(' ;\r\n\t"')


@pytest.mark.parametrize(
    ("text", "origins", "others"),
    [
        (
            "hub.example.org",
            ("https://hub.example.org", "http://hub.example.org", "https://hub.example.org:443"),
            ("https://hub.example.org:8443", "https://a.hub.example.org", "null", "", "file://"),
        ),
        (
            "https://hub.example.org:8443/a/",
            ("https://hub.example.org:8443",),
            ("http://hub.example.org:8443", "https://hub.example.org", "https://[::1"),
        ),
    ],
)
def test_an_origin_is_that_of_a_host(
    text: str, origins: tuple[str, ...], others: tuple[str, ...]
) -> None:
    host = TrustedHost.parse(text)
    assert all(map(host.has_origin, origins)) and not any(map(host.has_origin, others))


# -- environments


def reach(environment: Mapping[str, str], *hosts: str) -> Reach:
    return reach_of(
        f"{OWN}/", PORT, Address(proxies=hosts).trust, is_local=True, environment=environment
    )


def test_without_an_environment_the_page_is_on_this_machine() -> None:
    seen = browser_address(PORT, {})
    assert seen.url == f"http://localhost:{PORT}/" and not seen.trust and not seen.found
    assert reach({}) == Reach(f"{OWN}/", Trust(), ())


def test_codespaces_serve_a_port_as_a_host() -> None:
    found = reach(CODESPACES)
    assert found.url == f"https://{SPACE}/"
    assert [host.url for host in found.trust.hosts] == [found.url] and not found.trust.learns
    assert found.sentences == (f"GitHub Codespaces found: the page answers as {SPACE} too.",)
    for missing in CODESPACES:
        rest = {name: value for name, value in CODESPACES.items() if name != missing}
        assert reach(rest).url == f"{OWN}/"
    assert reach(CODESPACES | {"CODESPACE_NAME": "a b"}) == reach({})


def test_a_hub_serves_a_port_at_a_path_and_may_not_say_its_name() -> None:
    found = reach(HUB)
    assert found.url == f"/user/ada@x/proxy/{PORT}/" and found.trust.learns
    absolute = f"/user/ada@x/proxy/absolute/{PORT}/"
    assert found.trust.base_paths == (absolute, found.url)
    assert len(found.sentences) == 1 and "opened first is trusted" in found.sentences[0]
    named = reach(HUB, "hub.example.org")
    assert named.url == f"https://hub.example.org{found.url}" and not named.trust.learns
    assert named.trust.base_paths == (absolute, found.url)
    assert "trusted" not in named.sentences[0]
    assert whole_address(named.url) == named.url
    assert whole_address(found.url) == f"https://YOUR_HUB{found.url}"
    public = reach(HUB | {"JUPYTERHUB_PUBLIC_URL": "https://hub.example.org/user/ada@x/"})
    assert public.url == named.url and not public.trust.learns
    assert public.trust.base_paths == named.trust.base_paths


def test_colab_tells_a_notebook_what_a_port_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = reach(COLAB)
    assert outside.url == f"{OWN}/" and "show(RUN)" in outside.sentences[0]
    asked: list[str] = []

    def eval_js(script: str) -> str:
        asked.append(script)
        return f"https://{PORT}-m-s-abc.us-west1-0.prod.colab.dev"

    output = ModuleType("google.colab.output")
    output.eval_js = eval_js  # type: ignore[attr-defined]
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    found = reach(COLAB)
    assert asked == [f"google.colab.kernel.proxyPort({PORT})"]
    assert found.url == f"https://{PORT}-m-s-abc.us-west1-0.prod.colab.dev/"
    assert not found.trust.learns and "Google Colab found" in found.sentences[0]


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://code.example/proxy/{{port}}/", f"https://code.example/proxy/{PORT}/"),
        ("https://{{port}}--ada.coder.example", f"https://{PORT}--ada.coder.example/"),
        ("http://localhost:{{port}}/", f"{OWN}/"),
        ("./proxy/{{port}}", f"{OWN}/"),
        ("https://code.example/", f"{OWN}/"),
    ],
)
def test_code_in_a_browser_says_where_ports_are(template: str, url: str) -> None:
    assert reach({"VSCODE_PROXY_URI": template}).url == url


def test_whoever_is_logged_in_by_ssh_reads_the_command_of_the_tunnel() -> None:
    given = {"SSH_CONNECTION": "10.0.0.9 50422 10.0.0.5 22", "LOGNAME": "ada"}
    command = f"ssh -L {PORT}:127.0.0.1:{PORT} ada@10.0.0.5"
    assert tunnel_command(PORT, given) == command
    assert reach(given).sentences == (f"You are logged in by ssh. On your own machine: {command}",)
    other = {"SSH_CONNECTION": "fe80::9 50422 fe80::5 2222", "LOGNAME": "a b"}
    assert tunnel_command(PORT, other) == f"ssh -p 2222 -L {PORT}:127.0.0.1:{PORT} 'a b@fe80::5'"
    assert tunnel_command(PORT, {"SSH_CONNECTION": "x"}) is None
    assert len(reach(given | CODESPACES).sentences) == 1, "one way is enough"
    assert reach_of(OWN, PORT, Trust(), is_local=False, environment=given).sentences == ()


# -- the guard

Client = Callable[..., TestClient]


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A server of one route behind our guard, at the port, that trusts somebody."""
    from fastapi import FastAPI

    def made(trust: Trust = Trust()) -> TestClient:  # noqa: B008 - it does not change
        session = session_in(tmp_path, trust=trust.as_json)
        monkeypatch.setenv("REVIEW_EMBEDDINGS_SESSION", session)
        app = FastAPI()
        load_plugin().__activate__(app)
        app.add_api_route("/api/seen", lambda: "seen", methods=["GET", "POST"])

        async def socket(socket: WebSocket) -> None:
            await socket.accept()
            await socket.close()

        app.add_api_websocket_route("/api/ws", socket)
        return TestClient(app, base_url=OWN)

    return made


def entered(client: TestClient, address: str | None, **headers: str) -> Any:
    """The answer to who brings a good key, from an address as the browser sees it."""
    body = {"key": SECRETS.keys[0]} | ({} if address is None else {"address": address})
    return client.post("/api/review/enter", json=body, headers=headers)


def attributes(answer: Any) -> set[str]:
    """Those of the cookie."""
    assert answer.status_code == 200, answer.text
    return {part.strip() for part in answer.headers["set-cookie"].split(";")[1:]}


STRICT = {"HttpOnly", "Path=/", "SameSite=strict"}


def test_without_a_trusted_host_no_address_changes_the_cookie(guarded: Client) -> None:
    for address in ("https://127.0.0.1/a/", "https://hub.example.org/a/", "nonsense", "", None):
        assert attributes(entered(guarded(), address, Origin=OWN)) == STRICT
    client = guarded()
    assert client.get("/", headers={"Host": "hub.example.org"}).status_code == 403
    assert client.get("/a/").status_code == 403
    answer = client.get("/", headers={"Sec-Fetch-Site": "none"})
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["hub.example.org", f"127.0.0.1:{PORT}"])
def test_at_a_trusted_host_the_cookie_is_for_its_frames_and_its_path(
    guarded: Client, host: str
) -> None:
    trust = Address(proxies=("hub.example.org",)).trust
    origin = {"Origin": "https://hub.example.org", "Host": host, "Sec-Fetch-Site": "same-origin"}
    address = "https://hub.example.org/reviews/"
    third = {"HttpOnly", "SameSite=None", "Secure", "Partitioned"}
    assert attributes(entered(guarded(trust), address, **origin)) == {*third, "Path=/reviews/"}
    plain = {"Origin": "http://hub.example.org", "Host": host}
    answer = entered(guarded(trust), "http://hub.example.org/reviews/", **plain)
    assert attributes(answer) == {"HttpOnly", "Path=/reviews/", "SameSite=strict"}
    assert attributes(entered(guarded(trust), None, Origin=OWN)) == STRICT, "through a tunnel"
    for other in ("https://evil.example/", "https://hub.example.org:8443/", "https://a;b/"):
        assert attributes(entered(guarded(trust), other, **origin)) == STRICT


def test_only_a_trusted_origin_writes_or_opens_the_websocket(guarded: Client) -> None:
    names = ("hub.example.org", "portal.example.org")
    for host in ("hub.example.org", f"127.0.0.1:{PORT}"):
        client = guarded(Address(proxies=names).trust)
        own = HEADERS | {"Host": host}
        hub = {"Origin": "https://hub.example.org", "Host": host}
        assert "Partitioned" in attributes(entered(client, "https://hub.example.org/", **hub))
        good = own | {"Origin": "https://hub.example.org"}
        assert client.post("/api/seen", headers=good).status_code == 200
        with client.websocket_connect("/api/ws", headers=good):
            pass
        for headers in (
            own | {"Origin": "https://portal.example.org"},  # which only shows it in a frame
            own | {"Origin": "https://evil.example"},
            own | {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
            own | {"Origin": "https://hub.example.org.evil.example"},
            own | {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
            good | {"Sec-Fetch-Site": "cross-site"},
            good | {"Sec-Fetch-Site": "same-site"},
            good | {"Host": "rebound.example"},
            good | {"Host": "rebound.example", "X-Forwarded-Host": "hub.example.org"},
            good | {"X-Review-Token": "guess"},
        ):
            assert client.post("/api/seen", headers=headers).status_code == 403, headers
            if headers.get("X-Review-Token") == TOKEN:
                with (
                    pytest.raises(WebSocketDisconnect),
                    client.websocket_connect("/api/ws", headers=headers),
                ):
                    pass


def test_codespaces_may_give_the_servers_own_address_as_the_origin(guarded: Client) -> None:
    """They change the origin to localhost and the port, and not the host."""
    client = guarded(browser_address(PORT, CODESPACES).trust)
    for host, port, status in ((SPACE, PORT, 200), (SPACE, PORT + 1, 403), ("a.b", PORT, 403)):
        headers = HEADERS | {"Host": host, "Origin": f"http://localhost:{port}"}
        assert client.post("/api/seen", headers=headers).status_code == status


def test_below_a_base_path_everything_is_there_with_it_or_without(guarded: Client) -> None:
    client = guarded(Address(proxies=("https://hub.example.org/user/a%40x/r/",)).trust)
    base = "/user/a%40x/r"
    for path in ("/api/seen", f"{base}/api/seen", "//api/seen", f"{base}//api/seen"):
        assert client.get(f"{OWN}{path}", headers=HEADERS).status_code == 200, path
    for path in (f"{base}r/api/seen", "/user/api/seen", f"/x{base}/api/seen", f"{base}{base}/"):
        assert client.get(f"{OWN}{path}", headers=HEADERS).status_code == 404, path
        assert client.get(f"{OWN}{path}").status_code == 403, path
    for path in ("/", base, f"{base}/", f"{base}/?token=x"):
        assert client.get(f"{OWN}{path}").text == handover_page(), path
    address = f"{OWN.replace('http', 'ws')}{base}/api/ws"
    with client.websocket_connect(address, headers=HEADERS | {"Origin": OWN}):
        pass


def test_a_frame_gets_the_page_only_where_somebody_is_trusted(guarded: Client) -> None:
    framed = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    }
    assert guarded().get("/", headers=framed).status_code == 403
    client = guarded(Address(proxies=("https://a.example:8443/x/", "b.example")).trust)
    answer = client.get("/", headers=framed)
    assert answer.text == handover_page() and "x-frame-options" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self' https://a.example:8443 b.example;" in policy
    for where in ("object", "embed", "image", "script", ""):
        assert client.get("/", headers=framed | {"Sec-Fetch-Dest": where}).status_code == 403
    assert client.get("/api/seen", headers=HEADERS | framed).status_code == 403


def test_the_host_at_which_a_hub_is_opened_first_is_trusted_and_no_other(guarded: Client) -> None:
    client = guarded(browser_address(PORT, HUB).trust)
    base = f"/user/ada@x/proxy/{PORT}/"
    hub = {"Origin": "https://hub.example.org", "Host": f"localhost:{PORT}"}
    same = {"Sec-Fetch-Site": "same-origin"}
    address = f"https://hub.example.org{base}"
    assert client.get("/", headers={"Host": "rebound.example"}).text == handover_page()
    guess = {"key": "guess", "address": "https://rebound.example/"}
    for body in (guess, guess | {"key": ""}):
        headers = {"Host": "rebound.example", "Origin": "https://rebound.example"}
        assert client.post("/api/review/enter", json=body, headers=headers).status_code == 403
    assert client.get("/api/seen", headers={"Host": "rebound.example"}).status_code == 403
    assert entered(client, address, **hub).status_code == 403, "from some page"
    third = {"HttpOnly", "SameSite=None", "Secure", "Partitioned", f"Path={base}"}
    assert attributes(entered(client, address, **hub, **same)) == third
    assert client.post("/api/seen", headers=HEADERS | hub).status_code == 200
    assert client.get("/", headers={"Host": "rebound.example"}).status_code == 403
    stranger = HEADERS | {"Origin": "https://evil.example", **same}
    assert client.post("/api/seen", headers=stranger).status_code == 403
    assert client.get("/", headers={"Host": "hub.example.org"}).text == handover_page()


def test_who_asks_for_another_name_reads_which_option_is_missing(guarded: Client) -> None:
    def refusal(host: str) -> str:
        answer = guarded().get("/", headers={"Host": host})
        assert answer.status_code == 403
        return str(answer.json()["error"])

    assert "--trusted-host hub.example.org" in refusal("Hub.example.org:8443")
    for host in ("<script>", "a b", "", "x" * 300):
        assert refusal(host) == "This page answers only to itself."


def test_who_opens_what_is_refused_reads_it_on_a_page(guarded: Client) -> None:
    browser = {"Accept": "text/html,*/*", "Sec-Fetch-Site": "none"}
    named = guarded().get("/", headers=browser | {"Host": "hub.example.org"})
    below = guarded().get("/reviews/", headers=browser)
    for answer, text in (
        (named, "--trusted-host hub.example.org"),
        (below, "--trusted-host NAME/PATH/"),
    ):
        assert answer.status_code == 403 and text in answer.text
        assert answer.text.startswith("<!doctype html>")
        assert answer.headers["x-frame-options"] == "DENY"
