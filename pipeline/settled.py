"""Imports libraries that obey a file of the folder that a command is started in as if there were
none: the folder may be a run that somebody else has made."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NUMBA_FILE = ".numba_config.yaml"
"""What numba reads when it is imported, and again whenever it compiles; it can name a folder of
pickles that are loaded. The environment's variables still count."""

IGNORED = frozenset({NUMBA_FILE, "matplotlibrc"})
"""Files of the folder; those of the user's home and of the environment's variables still count."""

_lock = threading.RLock()


def import_settled(name: str) -> Any:
    """A module, imported without such files; what it imports counts too."""
    with files_ignored():
        return importlib.import_module(name)


@contextmanager
def files_ignored() -> Iterator[None]:
    """Let no library find such a file, by the name that it looks for, while it is imported.

    The folder itself is not changed: other threads may be using it.
    """
    with _lock:
        exists = os.path.exists
        os.path.exists = lambda path: path not in IGNORED and exists(path)
        try:
            yield
        finally:
            os.path.exists = exists
            _let_numba_forget()


def _let_numba_forget() -> None:
    """It would look for its file at every compilation."""
    config = sys.modules.get("numba.core.config")
    if getattr(config, "_config_fname", "") == NUMBA_FILE:
        vars(config)["_config_fname"] = ""
