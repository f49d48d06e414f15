"""Reads what the page has to know of its run, again whenever a page followed another one. It is
kept in memory: cleaners delete temporary files that are some days old."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.checksums import mark_of


class SessionFile:
    """The session of the page that is shown now. Safe to be asked from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Without a path it is empty."""
        self._path = path
        self._guard = threading.Lock()
        self._mark: tuple[Any, ...] | None = None
        self._content: dict[str, Any] = {}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> SessionFile:
        """That of what the server was started with, read at once."""
        file = cls(Path(settings["page"]) if "page" in settings else None)
        file.read()
        return file

    def read(self) -> dict[str, Any]:
        """Its content, as it was last where the file is gone; not to be changed."""
        with self._guard:
            if self._path is not None:
                try:
                    self._renew(self._path)
                except OSError:
                    if self._mark is None:
                        raise
            return self._content

    def _renew(self, path: Path) -> None:
        mark = mark_of(path)
        if mark != self._mark:
            self._content = read_json_file(path)
            self._mark = mark
