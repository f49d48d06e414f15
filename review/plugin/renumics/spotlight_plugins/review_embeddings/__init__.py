"""Our part of Spotlight's server process: answers the page's questions about the session, takes its
decisions, keeps strangers out, and ends with the process that started it. Spotlight finds it by its
place in the namespace ``renumics.spotlight_plugins``.
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from review_embeddings.pipeline.errors import ReviewError, SettingsError
from review_embeddings.review.decisions.session import (
    DecisionSession,
    ReadOnlyError,
    open_session,
    shown_rows,
)
from review_embeddings.review.page.nearest import nearest_images
from review_embeddings.review.page.slider import values_at

__priority__ = 100

SESSION: dict[str, Any] = json.loads(os.environ.get("REVIEW_EMBEDDINGS_SESSION", "{}"))

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}

PREFIX = "/api/review/"
"""Where our routes are."""

TOKEN_HEADER = b"x-review-token"

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a message: the row numbers of two million images."""

Scope = MutableMapping[str, Any]


def __activate__(app: Any) -> None:
    """Called by Spotlight before its server starts."""
    app.add_middleware(
        Guard, loopback=bool(SESSION.get("loopback")), token=str(SESSION.get("token", ""))
    )
    deciding = open_session(SESSION)
    app.add_api_route(f"{PREFIX}session", session)
    if deciding is not None:
        _add_decision_routes(app, deciding)
    if "parent" in SESSION and os.name != "nt":
        threading.Thread(target=end_with, args=(int(SESSION["parent"]),), daemon=True).start()


def session() -> dict[str, Any]:
    """What the page needs to know: its title, the images selected at first, the checkpoints of the
    slider, what is new."""
    page: dict[str, Any] = (
        json.loads(Path(SESSION["page"]).read_text(encoding="utf-8")) if "page" in SESSION else {}
    )
    return page


def _add_decision_routes(app: Any, deciding: DecisionSession) -> None:
    places = shown_rows(SESSION)

    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    async def get_facts(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(deciding.metadata))

    async def get_changes(request: Request) -> JSONResponse:
        since = request.query_params.get("since", "0")
        if not since.isdigit() or len(since) > 12:
            return JSONResponse({"error": "since is no revision."}, 400)
        return JSONResponse(asdict(await run_in_threadpool(deciding.changes, int(since))))

    def writes(work: Callable[[object], int]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def route(request: Request) -> JSONResponse:
            try:
                message = json.loads(await _body(request))
                return JSONResponse({"saved": await run_in_threadpool(work, message)})
            except _TooLargeError:
                return JSONResponse(
                    {"error": f"The message is larger than {MAX_BODY >> 20} MB."}, 413
                )
            except (UnicodeDecodeError, ValueError, RecursionError):
                return JSONResponse({"error": "The message is no JSON."}, 400)
            except ReadOnlyError as error:
                return JSONResponse({"error": str(error)}, 409)
            except SettingsError as error:
                return JSONResponse({"error": str(error)}, 422)
            except ReviewError as error:  # a full disk: the page keeps the decision and tries again
                return JSONResponse({"error": str(error)}, 507)

        return route

    async def get_nearest(request: Request) -> JSONResponse:
        row = request.query_params.get("row", "")
        if not row.isdigit() or len(row) > 12:
            return JSONResponse({"error": "row is no row."}, 400)
        shown = session().get("shown", [])
        try:
            ends = (shown[0], shown[-1]) if shown else ()
            return JSONResponse(
                await run_in_threadpool(
                    nearest_images, Path(SESSION["run"]), int(row), ends, places
                )
            )
        except ReviewError as error:
            return JSONResponse({"error": str(error)}, 422)

    async def get_values(request: Request) -> Response:
        step, table = (request.query_params.get(name, "") for name in ("step", "table"))
        if not step.isdigit() or len(step) > 12:
            return JSONResponse({"error": "step is no step."}, 400)
        try:
            values = await run_in_threadpool(
                values_at, Path(SESSION["run"]), int(step), table, places
            )
        except ReviewError as error:
            return JSONResponse({"error": str(error)}, 422)
        return Response(values, media_type="application/octet-stream")

    app.add_route(f"{PREFIX}nearest", get_nearest, ["GET"])
    app.add_route(f"{PREFIX}values", get_values, ["GET"])
    app.add_route(f"{PREFIX}facts", get_facts, ["GET"])
    app.add_route(f"{PREFIX}decisions", get_changes, ["GET"])
    app.add_route(f"{PREFIX}decisions", writes(deciding.decide), ["POST"])
    app.add_route(f"{PREFIX}lists", writes(deciding.save_list), ["POST"])
    app.add_route(f"{PREFIX}undo", writes(deciding.undo), ["POST"])


class _TooLargeError(Exception):
    """A message is larger than any that the page sends."""


async def _body(request: Any) -> bytes:
    """The body of a request, never more than `MAX_BODY` of it."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise _TooLargeError
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY:
            raise _TooLargeError
    return bytes(content)


def end_with(parent: int) -> None:
    """End this server once the process that started it is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


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
        if self.loopback and urlsplit(f"//{host}").hostname not in LOOPBACK_NAMES:
            return False
        origin = headers.get(b"origin")
        same = origin is not None and urlsplit(origin.decode("latin-1").lower()).netloc == host
        if origin is not None and not same:
            return False
        if not scope["path"].startswith(PREFIX):
            return True
        if scope.get("method", "GET") != "GET" and not same:
            return False
        return bool(self.token) and hmac.compare_digest(
            headers.get(TOKEN_HEADER, b""), self.token.encode()
        )

    @staticmethod
    async def _refuse(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await send(
            {
                "type": "http.response.start",
                "status": 403,
                "headers": [(b"content-type", b"text/plain")],
            }
        )
        await send({"type": "http.response.body", "body": b"This page answers only to itself."})
