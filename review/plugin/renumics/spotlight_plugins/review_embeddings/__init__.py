"""Our part of Spotlight's server process: answers the page's questions about the session, keeps strangers out, and ends with
the process that started it. Spotlight finds it by its place in the namespace ``renumics.spotlight_plugins``.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__priority__ = 100

SESSION: dict[str, Any] = json.loads(os.environ.get("REVIEW_EMBEDDINGS_SESSION", "{}"))

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}

Scope = MutableMapping[str, Any]


def __activate__(app: Any) -> None:
    """Called by Spotlight before its server starts."""
    app.add_middleware(SameOrigin, loopback=bool(SESSION.get("loopback")))

    app.add_api_route("/api/review/session", session)
    if "parent" in SESSION and os.name != "nt":
        threading.Thread(target=end_with, args=(int(SESSION["parent"]),), daemon=True).start()


def session() -> dict[str, Any]:
    """What the page needs to know: its title, the images selected at first, the checkpoints of the slider, what is new."""
    page: dict[str, Any] = json.loads(Path(SESSION["page"]).read_text(encoding="utf-8")) if "page" in SESSION else {}
    return page


def end_with(parent: int) -> None:
    """End this server once the process that started it is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


class SameOrigin:
    """Refuses requests and WebSockets that a page of another origin makes, and, on loopback, foreign names for this machine.

    Spotlight itself answers anyone who finds the port; without this a web page open in the same browser could read the data.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], loopback: bool) -> None:
        self.app = app
        self.loopback = loopback

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] in {"http", "websocket"} and not self.allows(dict(scope["headers"])):
            await self._refuse(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def allows(self, headers: dict[bytes, bytes]) -> bool:
        """Whether the request comes from our own page or from no page at all."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.loopback and urlsplit(f"//{host}").hostname not in LOOPBACK_NAMES:
            return False
        origin = headers.get(b"origin")
        return origin is None or urlsplit(origin.decode("latin-1").lower()).netloc == host

    @staticmethod
    async def _refuse(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"This page answers only to itself."})
