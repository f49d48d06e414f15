"""Opens the page in a browser without telling its address to anybody else: the browser is given a
file that only its owner can read and that goes on to the address, because all users of a machine
see what a program is started with.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from review_embeddings.pipeline.errors import StorageError
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.page.private import private_file

FILE_NAME = "review-embeddings-{random}.html"

PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={url}">
<title>Review</title>
<p><a href="{url}" rel="noreferrer">Open the review</a></p>
"""


def has_display() -> bool:
    """Whether a browser can open a window here; without one, a text browser would take over the
    terminal."""
    if system.is_windows() or system.is_mac():
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def opened_in_browser(url: str, folder: Path) -> Iterator[None]:
    """Open an address in the person's browser; the file that it goes through is deleted in the end.

    It lies in the home folder, under a name that is not hidden: browsers in a sandbox of their own
    (Snap, Flatpak) see no temporary and no hidden files. ``folder`` takes it where there is no home
    to write to.
    """
    file = _written(url, folder)
    try:
        threading.Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True).start()
        yield
    finally:
        file.unlink(missing_ok=True)


def _written(url: str, folder: Path) -> Path:
    name = FILE_NAME.format(random=secrets.token_hex(4))
    content = PAGE.format(url=html_text(url)).encode()
    for place in (Path.home(), folder):
        with contextlib.suppress(StorageError, OSError), private_file(place / name) as file:
            file.write(content)
            return place / name
    raise StorageError(
        f"The file for the browser can be written neither to your home nor {folder}."
    )
