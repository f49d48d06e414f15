"""What a person chose for the page, such as its layout and its colours: small JSON files in the
user's configuration, which all reviews of this person share. Knows no page.

Each choice is a file of its own, written whole or not at all, so that reviews that run at the same
time do not lose each other's. Where nothing can be written they hold for this review.
"""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.inside import remove_file
from review_embeddings.review.page.private import write_private_json

MAX_BYTES = 1 << 20
"""Of a choice; no layout that a person arranges comes near it."""

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a choice may be called: it is the name of its file."""


class Preferences:
    """The choices of one person. Safe to be called from several threads."""

    def __init__(self, folder: Path | None) -> None:
        """``folder`` is made where there is something to keep; None keeps all in memory."""
        self._folder = folder
        self._unwritten: dict[str, Any] = {}
        self._guard = threading.Lock()

    def get(self, name: str) -> Any:
        """What was chosen; None where nothing was, or where it cannot be read."""
        with self._guard:
            if name in self._unwritten:
                return self._unwritten[name]
            return _read(self._file(name))

    def keep(self, name: str, value: Any) -> None:
        """Keep a choice in place of the one before; None forgets it."""
        file = self._file(name)
        with self._guard:
            self._unwritten[name] = value
            if file is None:
                return
            with contextlib.suppress(ReviewError, OSError):
                if value is None:
                    remove_file(file)
                else:
                    write_private_json(file, value)
                del self._unwritten[name]

    def _file(self, name: str) -> Path | None:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a choice")
        return self._folder / f"{name}.json" if self._folder else None


def _read(file: Path | None) -> Any:
    if file is None:
        return None
    try:
        return read_json_file(file, MAX_BYTES)
    except (OSError, ValueError):
        return None
