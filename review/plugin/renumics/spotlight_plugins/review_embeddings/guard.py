"""Decides which requests Spotlight's server answers: all of our own page to who was let in, the
hand-over page to others, nothing else to anybody. Does not know what is asked for.

Spotlight itself answers anyone who finds the port: other users of the machine, and web pages that
are open in the same browser.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from review_embeddings.review.hosts.trusted import HOST_NAME, Trust, TrustedHost
from review_embeddings.review.page.entry import Admission, EntryControl
from review_embeddings.review.page.frontend import (
    PREFIX,
    ROUTES,
    TOKEN_HEADER,
    TOKEN_PARAMETER,
    handover_page,
    refusal_page,
)

from .headers import SafeAnswer
from .requests import READING, Asked, Scope, without_base

START = "/"
"""Where the page is."""

ENTER = PREFIX + ROUTES["enter"]
"""Where the hand-over page exchanges the key of an address."""

CLOSED = ("/api/browse", "/api/table/open")
"""Routes of Spotlight that read files and open others; nothing of ours asks them."""

MAX_ENTER = 4096
"""Bytes of what the hand-over page sends."""

MAX_NAME = 254
"""Characters of the name of a host."""

REFUSED = "This page answers only to itself."

NO_PAGE = (
    "There is nothing here. Open the address that the terminal printed. Where a proxy serves the "
    "page below a path and passes the path on, start the review with --trusted-host NAME/PATH/."
)

OTHER_NAME = (
    "This page does not answer as {name}. Where a proxy serves it so, start the review with "
    "--trusted-host {name}."
)


class Guard:
    """Stands before all routes.

    Everything needs the session's cookie, what is not GET or HEAD the page's token besides. The
    hand-over page, the same for everybody, is all that others get. A page of another origin gets
    nothing but that, and not in a frame, unless it is at a host that is trusted.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        entry: EntryControl,
        hosts: Collection[str] | None,
        secure: bool,
        trust: Trust,
    ) -> None:
        """``hosts`` are the names under which the page is asked for, None for any; ``secure`` says
        that it is served by TLS; ``trust`` names the proxies that serve it."""
        self.app = app
        self.entry = entry
        self.hosts = hosts
        self.secure = secure
        self.trust = trust
        self.opened: tuple[TrustedHost, ...] = ()
        """Where browsers have the page: other hosts that are trusted only show it in a frame."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        scope = without_base(scope, self.trust)
        origins = self.trust.hosts if scope["path"] == ENTER else self.opened
        asked = Asked.of(scope, self.trust, origins)
        if asked.is_websocket:
            await self._websocket(asked, scope, receive, send)
        else:
            answer = SafeAnswer(send, self.trust.frame_ancestors)
            await self._http(asked, scope, receive, answer)

    async def _websocket(self, asked: Asked, scope: Scope, receive: Any, send: Any) -> None:
        if self._is_for_us(asked) and asked.is_own and self._is_let_in(asked):
            await self.app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    async def _http(self, asked: Asked, scope: Scope, receive: Any, send: Any) -> None:
        if not self._is_for_us(asked):
            answer = _closed(asked, _why_not(asked.host))
        elif self._is_handed_over(asked):
            answer = HTMLResponse(handover_page())
        elif not asked.is_own:
            answer = _refusal()
        elif asked.path == ENTER:
            answer = await self._enter(asked, receive)
        elif self._may(asked):
            await self.app(scope, receive, send)
            return
        else:
            answer = _closed(asked, REFUSED if self._is_let_in(asked) else NO_PAGE)
        await answer(scope, receive, send)

    def _is_for_us(self, asked: Asked) -> bool:
        return self.hosts is None or self.trust.learns or asked.has_host(self.hosts)

    def _is_let_in(self, asked: Asked) -> bool:
        return self.entry.has_cookie(asked.cookies(self.entry.cookie_name))

    def _is_handed_over(self, asked: Asked) -> bool:
        """Whether the page is opened by who is not known yet, or brings the key of an address, or
        follows a link of another page: a strict cookie is not sent then, but when our own page
        goes on."""
        if asked.path != START or asked.method != "GET" or not asked.is_opened:
            return False
        is_known = asked.is_own and self._is_let_in(asked)
        return not is_known or asked.has_parameter(TOKEN_PARAMETER)

    def _may(self, asked: Asked) -> bool:
        """Whether somebody may ask a route of the page."""
        if not self._is_let_in(asked) or asked.path.startswith(CLOSED):
            return False
        return asked.method in READING or (asked.is_surely_own and self._has_token(asked))

    def _has_token(self, asked: Asked) -> bool:
        return self.entry.has_token(asked.headers.get(TOKEN_HEADER.lower(), ""))

    async def _enter(self, asked: Asked, receive: Any) -> Response:
        """Exchange the key of an address for the cookie, and say the token."""
        if asked.method != "POST" or not asked.is_surely_own:
            return _refusal()
        key, address = await _key(receive)
        admission = self.entry.admit(
            key,
            is_known=self._is_let_in(asked) and self._has_token(asked),
            agent=asked.headers.get("user-agent", ""),
        )
        return self._answer(admission, address or f"{asked.headers.get('origin', '')}/")

    def _answer(self, admission: Admission, address: str) -> Response:
        if not admission.is_let_in:
            return _refusal(admission.reason)
        answer = JSONResponse({"token": admission.token})
        if admission.token:
            host = self.trust.seen_at(address)
            if host is not None:
                self.trust = self.trust.with_learned(host)
                self.opened = tuple({*self.opened, host})
            answer.headers["Set-Cookie"] = self._cookie(host)
        return answer

    def _cookie(self, host: TrustedHost | None) -> str:
        """What lets in: on this machine strictly its own page alone, at a trusted ``host`` with
        TLS also that page in a frame, below its path."""
        path, scheme = ("/", "") if host is None else (host.path, host.scheme)
        parts = [f"{self.entry.cookie_name}={self.entry.cookie}", "HttpOnly", f"Path={path}"]
        if scheme == "https":
            parts += ["SameSite=None", "Secure", "Partitioned"]
        else:
            parts += ["SameSite=strict", *(["Secure"] if self.secure else [])]
        return "; ".join(parts)


def _why_not(name: str | None) -> str:
    """Why a request to another name is refused; no text but that of a name is repeated."""
    is_name = name is not None and len(name) < MAX_NAME and HOST_NAME.fullmatch(name)
    return OTHER_NAME.format(name=name) if is_name else REFUSED


def _closed(asked: Asked, reason: str) -> Response:
    """A refusal, as a page where a person opened something."""
    if asked.is_opened and "text/html" in asked.headers.get("accept", ""):
        return HTMLResponse(refusal_page(reason), 403)
    return _refusal(reason)


def _refusal(reason: str = REFUSED) -> Response:
    return JSONResponse({"error": reason}, 403)


async def _key(receive: Any) -> tuple[str, str]:
    """The key in the body of a request, and the address at which the browser has the page; empty
    where they are anything else."""
    body = bytearray()
    while len(body) <= MAX_ENTER:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        content = json.loads(bytes(body[: MAX_ENTER + 1]))
    except (ValueError, RecursionError):
        return "", ""
    given = content if isinstance(content, dict) else {}
    key, address = given.get("key"), given.get("address")
    return key if isinstance(key, str) else "", address if isinstance(address, str) else ""
