"""Puts a shared review together as one HTML file: its blob, the modules that show it, and a policy
under which nothing can be loaded from, or sent to, anywhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence

from review_embeddings.pipeline.text import html_text
from review_embeddings.review.page.frontend import frontend_modules
from review_embeddings.review.share.blob import Blob
from review_embeddings.review.share.modules import joined

ENTRY, GALLERY = "share/main.js", "gallery/main.js"
"""Export ``start(root, texts)``: for one run, and for several, whose blobs stand one after the
other with a space between them."""

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
#root > .opening { padding: 1rem; }
"""
"""Until the modules have theirs."""

START = """
const text = (id) => document.getElementById(id).textContent;
const isRead = (next) => document.readyState !== "loading" || next && document.getElementById(next);
const read = (next) => new Promise((done) => {
    if (isRead(next)) return done();
    const end = () => isRead(next) && done(observer.disconnect());
    const observer = new MutationObserver(end);
    observer.observe(document.body, { childList: true });
    addEventListener("DOMContentLoaded", end);
});
ENTRY.start(document.getElementById("root"), {
    first: text("first"),
    rest: () => read("pictures").then(() => text("rest")),
    pictures: () => read().then(() => text("pictures")),
});
"""
"""Behind the modules. What is read is known by what stands behind it."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="review-embeddings">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="root"><div class="opening"><h1>{title}</h1><p>Opening …</p></div></div>
<noscript>This page needs JavaScript.</noscript>
<script type="text/plain" id="first">{first}</script>
<script type="module" async>{code}</script>
<script type="text/plain" id="rest">{rest}</script>
<script type="text/plain" id="pictures">{pictures}</script>
</body>
</html>
"""


def shared_page(title: str, blobs: Sequence[Blob], pictures: str = "", entry: str = ENTRY) -> str:
    """The page of some blobs, and pictures as `Blob.pictures_text` gives them. What is seen first
    stands before the script, which begins before the rest is read. ``title`` is plain text."""
    texts = [blob.texts() for blob in blobs]
    code = _code(entry)
    return PAGE.format(
        policy=html_text(policy(code, STYLE)),
        title=html_text(title),
        style=STYLE,
        first=" ".join(first for first, _ in texts),
        rest=" ".join(rest for _, rest in texts),
        pictures=pictures,
        code=code,
    )


@functools.cache
def _code(entry: str) -> str:
    """The script of the page; one for all pages of a process."""
    return joined(entry, frontend_modules()) + START


def policy(code: str, style: str) -> str:
    """What the page may do: run what stands in it, show what it makes; nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(code)}",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
