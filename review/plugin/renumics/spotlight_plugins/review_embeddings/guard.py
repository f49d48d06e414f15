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

from review_embeddings.review.page.entry import Admission, EntryControl
from review_embeddings.review.page.frontend import (
    PREFIX,
    ROUTES,
    TOKEN_HEADER,
    TOKEN_PARAMETER,
    handover_page,
)

from .headers import SafeAnswer
from .requests import READING, Asked, Scope

START = "/"
"""Where the page is."""

ENTER = PREFIX + ROUTES["enter"]
"""Where the hand-over page exchanges the key of an address."""

CLOSED = ("/api/browse", "/api/table/open")
"""Routes of Spotlight that read files and open others; nothing of ours asks them."""

MAX_ENTER = 4096
"""Bytes of what the hand-over page sends."""

REFUSED = "This page answers only to itself."


class Guard:
    """Stands before all routes.

    Everything needs the session's cookie, what is not GET or HEAD the page's token besides. The
    hand-over page, the same for everybody, is all that others get. A page of another origin gets
    nothing but that, and not in a frame.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        entry: EntryControl,
        hosts: Collection[str] | None,
        secure: bool,
    ) -> None:
        """``hosts`` are the names under which the page is asked for, None for any; ``secure`` says
        that it is served by TLS."""
        self.app = app
        self.entry = entry
        self.hosts = hosts
        self.secure = secure

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(Asked.of(scope), scope, receive, SafeAnswer(send))
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Any, send: Any) -> None:
        asked = Asked.of(scope)
        if self._is_for_us(asked) and asked.is_own and self._is_let_in(asked):
            await self.app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    async def _http(self, asked: Asked, scope: Scope, receive: Any, send: Any) -> None:
        if not self._is_for_us(asked):
            answer = _refusal()
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
            answer = _refusal()
        await answer(scope, receive, send)

    def _is_for_us(self, asked: Asked) -> bool:
        return self.hosts is None or asked.has_host(self.hosts)

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
        admission = self.entry.admit(
            await _key(receive),
            is_known=self._is_let_in(asked) and self._has_token(asked),
            agent=asked.headers.get("user-agent", ""),
        )
        return self._answer(admission)

    def _answer(self, admission: Admission) -> Response:
        if not admission.is_let_in:
            return _refusal(admission.reason)
        answer = JSONResponse({"token": admission.token})
        if admission.token:
            answer.set_cookie(
                self.entry.cookie_name,
                self.entry.cookie,
                httponly=True,
                samesite="strict",
                secure=self.secure,
            )
        return answer


def _refusal(reason: str = REFUSED) -> Response:
    return JSONResponse({"error": reason}, 403)


async def _key(receive: Any) -> str:
    """The key in the body of a request; empty where it is anything else."""
    body = bytearray()
    while len(body) <= MAX_ENTER:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        content = json.loads(bytes(body[: MAX_ENTER + 1]))
    except (ValueError, RecursionError):
        return ""
    key = content.get("key") if isinstance(content, dict) else None
    return key if isinstance(key, str) else ""
