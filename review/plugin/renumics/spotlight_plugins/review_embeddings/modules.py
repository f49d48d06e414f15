"""Serves the page's ES modules: one route for all of them, and for the one that Python writes.

They are beside the ``main.js`` that Spotlight imports, so that they find each other by relative
names. They hold no data; the guard refuses pages of other origins, and no token is asked for,
because a browser cannot send one with an import.
"""

from __future__ import annotations

import hashlib
from typing import Any

from review_embeddings.review.page.frontend import frontend_modules

PLUGIN = "review_embeddings"
"""What Spotlight calls us: the name of this package in its namespace."""

ROUTE = f"/api/plugins/{PLUGIN}/{{module:path}}"

HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
"""A browser asks each time whether its copy is the current one: modules of two versions of this
program do not fit together."""


def add_module_route(app: Any) -> None:
    """Add the route before Spotlight's own for ``main.js``, which a browser may keep for long."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def get_module(request: Request) -> Response:
        name = request.path_params["module"]
        source = (await run_in_threadpool(frontend_modules)).get(name)
        if source is None:
            return Response("There is no such module.", 404, media_type="text/plain")
        tag = f'"{hashlib.sha256(source).hexdigest()[:32]}"'
        headers = HEADERS | {"ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(source, media_type="text/javascript", headers=headers)

    app.router.routes.insert(0, Route(ROUTE, get_module, methods=["GET"]))
