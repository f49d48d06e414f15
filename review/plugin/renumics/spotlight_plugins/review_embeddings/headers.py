"""What every answer of Spotlight's server says to browsers: that no page of another origin may load
or frame it, and where the page may load from. Knows no requests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import MutableMapping, Sequence
from typing import Any

Message = MutableMapping[str, Any]

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Of every answer, whatever the route says."""

CACHE = "no-store"
"""What a browser may keep of an answer that does not say it itself, as the modules do: they hold no
data."""

POLICY = (
    "default-src 'none'",
    "style-src 'self' 'unsafe-inline'",  # Spotlight writes its styles while it runs
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob: data:",
    "base-uri 'none'",
    "form-action 'none'",
)
"""Content-Security-Policy but for scripts and frames. An image cell with an address of the network
loads nothing."""

SCRIPTS = "script-src 'self' blob: 'unsafe-eval'"
"""Nothing of ours or Spotlight's evaluates text; programs that drive a browser do it."""

INLINE_SCRIPT = re.compile(rb"<script\b(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)

HANDLER = re.compile(rb"""<body\b[^>]*\bon\w+="([^"]*)\"""")
"""A handler in an attribute: Spotlight switches the browser's own menu off with one."""


NOBODY = "'none'"

NO_FRAMES = "X-Frame-Options"
"""Cannot name a host, and is left out where one may show the review in a frame."""


def policy(page: bytes = b"", frames: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of an answer: of its scripts, those run that stand in the page as
    it left the server, and no others; ``frames`` are the sources that may frame it."""
    hashes = [_hash(found) for found in INLINE_SCRIPT.findall(page)]
    if handlers := HANDLER.findall(page):
        hashes += ["'unsafe-hashes'", *map(_hash, handlers)]
    ancestors = f"frame-ancestors {' '.join(frames) or NOBODY}"
    return "; ".join([*POLICY, ancestors, " ".join([SCRIPTS, *hashes])])


def _hash(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


class SafeAnswer:
    """Sends an answer on with our headers; a page is held back until all of it is there, for its
    scripts."""

    def __init__(self, send: Any, frames: Sequence[str] = ()) -> None:
        """``frames`` are the sources that may show the answer in a frame."""
        self._send = send
        self._frames = frames
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if not _is_page(message):
                await self._begin()
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if not message.get("more_body"):
                await self._begin()
                await self._send({"type": "http.response.body", "body": bytes(self._page)})
        else:
            await self._send(message)

    async def _begin(self) -> None:
        start, self._start = self._start, None
        assert start is not None
        own = {**HEADERS, "Content-Security-Policy": policy(bytes(self._page), self._frames)}
        replaced = {name.lower().encode() for name in own}
        if self._frames:
            del own[NO_FRAMES]
        kept = [(name, value) for name, value in start["headers"] if name.lower() not in replaced]
        if b"cache-control" not in {name.lower() for name, _ in kept}:
            own["Cache-Control"] = CACHE
        added = [(name.lower().encode(), value.encode()) for name, value in own.items()]
        await self._send({**start, "headers": [*kept, *added]})


def _is_page(message: Message) -> bool:
    headers = {name.lower(): value for name, value in message["headers"]}
    return bool(headers.get(b"content-type", b"").startswith(b"text/html"))
