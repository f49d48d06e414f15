"""Serves the page's maps without Spotlight and without a review, over made-up points, which
`maps.js` beside this file makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from review_embeddings.review.page.frontend import frontend_modules

HERE = Path(__file__).parent

SCRIPTS = {
    "/tests/maps.js": HERE / "maps.js",
    "/tests/fakes.js": HERE.parent / "frontend" / "fakes.js",
    "/tests/random.js": HERE.parent / "frontend" / "random.js",
}

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Maps</title>
<link rel="icon" href="data:,">
<style>
html { color-scheme: light dark; font-family: sans-serif }
body { margin: 0; height: 100vh; display: flex; flex-direction: column }
main { flex: 1; display: flex; min-height: 0 }
.map { flex: 1; min-width: 0; border-right: 1px solid #c3ccd5 }
</style>
<script type="importmap">{"imports": {"page/": "/page/"}}</script>
<div id="bar"></div>
<main><div class="map"></div><div class="map"></div><div class="map"></div></main>
<div style="height: 40%" id="below"></div>
<script type="module" src="/tests/maps.js"></script>
</html>
"""


class Handler(BaseHTTPRequestHandler):
    """Serves the page, the modules and the fakes of their tests."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        content: bytes | None
        if path.startswith("/page/"):
            content = frontend_modules().get(path.removeprefix("/page/"))
        elif path in SCRIPTS:
            content = SCRIPTS[path].read_bytes()
        else:
            content = PAGE.encode() if path == "/" else None
        kind = "text/html" if path == "/" else "text/javascript"
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serving_maps(port: int = 0) -> Iterator[str]:
    """The address of the page, for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
