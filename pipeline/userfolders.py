"""Where this program keeps what belongs to a person and to no run: each system has its own folders
for that, and XDG's variables name others."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "review-embeddings"

CACHE_VARIABLE = "REVIEW_EMBEDDINGS_CACHE"
"""Environment variable that names the folder of what may be deleted at any time."""


def config_folder() -> Path:
    """Choices such as layouts and colours: ``~/.config/review-embeddings`` on Linux."""
    import platformdirs

    return Path(platformdirs.user_config_dir(NAME, appauthor=False))


def cache_folder() -> Path:
    """Copies of runs in a store: ``~/.cache/review-embeddings`` on Linux.

    Where earlier versions have made that folder on a system that has another place, it stays in
    use: it may hold what is still to be sent.
    """
    import platformdirs

    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser()
    earlier = Path("~", ".cache", NAME).expanduser()
    found = Path(platformdirs.user_cache_dir(NAME, appauthor=False))
    return earlier if earlier.is_dir() and not found.is_dir() else found
