"""Spotlight's routes of the layout, answered by us: it keeps a changed one under a number of the
process, so that none outlives a page of a run that is watched, nor a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review_embeddings.pipeline.run.bounded import parse_json, read_json_file
from review_embeddings.review.page.frontend import (
    LAYOUT_NOTE_HEADER,
    WINDOW_HEADER,
    WINDOW_WIDTHS,
)
from review_embeddings.review.page.personal.layouts import PageLayouts
from review_embeddings.review.page.personal.layouttree import LayoutError, Tree
from review_embeddings.review.page.personal.preferences import MAX_BYTES, Preferences

ROUTE = "/api/layout/"

SIZES = tuple(str(size) for size in range(len(WINDOW_WIDTHS) + 1))
"""What `WINDOW_HEADER` may say."""


def add_layout_routes(app: Any, settings: Mapping[str, Any], preferences: Preferences) -> None:
    """Answer before Spotlight does."""
    own = read_json_file(Path(settings["layouts"]))
    layouts = PageLayouts(own, preferences)

    async def get_layout(request: Request) -> Response:
        columns = app.data_store.column_names if app.data_store else ()
        given = await run_in_threadpool(layouts.get, _size(request), columns)
        return JSONResponse(given.tree, headers={LAYOUT_NOTE_HEADER: quote(given.note)})

    async def put_layout(request: Request) -> Response:
        layout = await _layout_in(request)
        return await _answer(lambda: layouts.keep(_size(request), layout))

    async def reset_layout(request: Request) -> Response:
        return await _answer(lambda: layouts.reset(_size(request)))

    app.router.routes[:0] = [
        Route(ROUTE, get_layout, methods=["GET"]),
        Route(ROUTE, put_layout, methods=["PUT"]),
        Route(f"{ROUTE}reset", reset_layout, methods=["PUT"]),
    ]


async def _answer(work: Callable[[], Tree]) -> Response:
    try:
        return JSONResponse(await run_in_threadpool(work))
    except LayoutError:
        return JSONResponse({"error": "This is no layout."}, 400)


def _size(request: Request) -> int:
    size = request.headers.get(WINDOW_HEADER, "")
    return SIZES.index(size) if size in SIZES else len(SIZES) // 2


async def _layout_in(request: Request) -> object:
    """The layout of a message; None where it holds none."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            return None
    try:
        message = parse_json(bytes(body), MAX_BYTES)
    except ValueError:
        return None
    return message.get("layout") if isinstance(message, dict) else None
