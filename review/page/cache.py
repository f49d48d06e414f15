"""Where Spotlight keeps a cache that is not used here, but without which it cannot be imported."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from review_embeddings.pipeline.run.temporary import working_folder

CACHE_VARIABLE = "XDG_CACHE_HOME"
PREFIX = "review-embeddings-cache-"


def cache_environment(folder: Path) -> dict[str, str]:
    """What leads the cache into a folder of ours where the home cannot be written."""
    appdirs = importlib.import_module("appdirs")  # as Spotlight does
    place = Path(appdirs.user_cache_dir("spotlight", "renumics")) / "external-data"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {CACHE_VARIABLE: str(folder.absolute())}
    return {} if os.access(place, os.W_OK | os.X_OK) else {CACHE_VARIABLE: str(folder.absolute())}


@contextlib.contextmanager
def cache_somewhere() -> Iterator[None]:
    """Import Spotlight in here: the cache is made in a folder that goes again where it has to."""
    with working_folder(PREFIX) as folder:
        changed, before = cache_environment(folder), os.environ.get(CACHE_VARIABLE)
        os.environ.update(changed)
        try:
            yield
        finally:
            if changed:
                os.environ.pop(CACHE_VARIABLE)
            if changed and before is not None:
                os.environ[CACHE_VARIABLE] = before
