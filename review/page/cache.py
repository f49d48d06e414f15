"""Where Spotlight makes folders that are not used here, but without which it cannot be started."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from review_embeddings.pipeline.run.temporary import working_folder

CACHE_VARIABLE, SETTINGS_VARIABLE = "XDG_CACHE_HOME", "XDG_CONFIG_HOME"

PREFIX = "review-embeddings-cache-"


def cache_environment(folder: Path) -> dict[str, str]:
    """What leads them into a folder of ours where the home cannot be written."""
    appdirs = importlib.import_module("appdirs")  # as Spotlight does
    needed = {
        CACHE_VARIABLE: Path(appdirs.user_cache_dir("spotlight", "renumics")),
        SETTINGS_VARIABLE: Path(appdirs.user_config_dir("spotlight", "renumics")),
    }
    ours = str(folder.absolute())
    return {name: ours for name, place in needed.items() if not _can_be_made(place)}


def _can_be_made(place: Path) -> bool:
    place = place.absolute()
    above = next(one for one in (place, *place.parents) if os.path.lexists(one))
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


@contextlib.contextmanager
def cache_somewhere() -> Iterator[None]:
    """Import Spotlight in here: they are made in a folder that goes again where they have to."""
    with working_folder(PREFIX) as folder:
        changed = cache_environment(folder)
        before = {name: os.environ[name] for name in changed if name in os.environ}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name in changed:
                os.environ.pop(name, None)
            os.environ.update(before)
