"""Decides which requests Spotlight's server answers: none of another page, and on our own routes
only those with the token. Knows addresses and headers, not what is asked for."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from review_embeddings.review.page.frontend import PREFIX, TOKEN_HEADER
from review_embeddings.review.page.server import LOOPBACK

Scope = MutableMapping[str, Any]


class Guard:
    """Refuses what a page of another origin asks and, on loopback, foreign names for this machine;
    our own routes need the token.

    Spotlight itself answers anyone who finds the port; without this a web page open in the same
    browser could read the data.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], loopback: bool, token: str) -> None:
        self.app = app
        self.loopback = loopback
        self.token = token

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] in {"http", "websocket"} and not self.allows(scope):
            await self._refuse(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def allows(self, scope: Scope) -> bool:
        """Whether the request comes from our own page or from no page at all and, for our routes,
        from somebody who has the token."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.loopback and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return False
        origin = headers.get(b"origin")
        same = origin is not None and urlsplit(origin.decode("latin-1").lower()).netloc == host
        if origin is not None and not same:
            return False
        if not scope["path"].startswith(PREFIX):
            return True
        if scope.get("method", "GET") != "GET" and not same:
            return False
        return self._has_token(headers)

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        given = headers.get(TOKEN_HEADER.lower().encode(), b"")
        return bool(self.token) and hmac.compare_digest(given, self.token.encode())

    @staticmethod
    async def _refuse(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b"This page answers only to itself."})
