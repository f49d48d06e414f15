"""Puts a shared review together as one HTML file: its blob, the modules that show it, and a policy
under which nothing can be loaded from, or sent to, anywhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json

from review_embeddings.pipeline.text import html_text
from review_embeddings.review.page.frontend import frontend_modules
from review_embeddings.review.share.modules import import_map, name_of

ENTRY, GALLERY = "share/main.js", "gallery/main.js"
"""Export ``start(root, blobText, picturesText)``: for one run, and for several, whose blobs stand
one after the other with a space between them; ``picturesText()`` comes once the page is read."""

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
#root > .opening { padding: 1rem; }
"""
"""Until the modules have theirs."""

START = """
import { start } from "ENTRY";
const text = (id) => document.getElementById(id).textContent;
const read = new Promise((done) => {
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", done);
    else done();
});
start(document.getElementById("root"), text("blob"), () => read.then(() => text("pictures")));
"""

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
<script type="importmap">{imports}</script>
<script type="text/plain" id="blob">{blob}</script>
<script type="module" async>{start}</script>
<script type="text/plain" id="pictures">{pictures}</script>
</body>
</html>
"""


def shared_page(title: str, blob: str, pictures: str = "", entry: str = ENTRY) -> str:
    """The page of a blob as `Blob.text` gives it, and its pictures, which stand behind the script:
    it begins before they are read. ``title`` is plain text."""
    imports, start = _imports(entry), START.replace("ENTRY", name_of(entry))
    return PAGE.format(
        policy=html_text(policy(imports, start, STYLE)),
        title=html_text(title),
        style=STYLE,
        imports=imports,
        blob=blob,
        pictures=pictures,
        start=start,
    )


@functools.cache
def _imports(entry: str) -> str:
    """The import map as it stands in the page; one for all pages of a process."""
    addresses = import_map(entry, frontend_modules())
    return json.dumps({"imports": addresses}, ensure_ascii=False)


def policy(imports: str, start: str, style: str) -> str:
    """What the page may do: run what stands in it, show what it makes; nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(imports)} {_hash(start)} data:",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
