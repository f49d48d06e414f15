"""Reads what the page has to know of its run, again whenever a page followed another one."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        """That of what the server was started with."""
        return cls(Path(settings["page"]) if "page" in settings else None)

    def read(self) -> dict[str, Any]:
        """Its content; not to be changed. Raises OSError where the file is gone."""
        if self._path is None:
            return {}
        with self._guard:
            mark = mark_of(self._path)
            if mark != self._mark:
                self._content = json.loads(self._path.read_text(encoding="utf-8"))
                self._mark = mark
            return self._content
