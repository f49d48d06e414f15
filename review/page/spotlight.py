"""Spotlight, imported without those parts of it that a review does not use: they import torch,
transformers and other large libraries, which takes longer than all else together. And where it
makes folders that are not used here, but without which it cannot be started."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from review_embeddings.pipeline.run.temporary import working_folder
from review_embeddings.pipeline.settled import import_settled

PLUGINS_OF_SPOTLIGHT = (
    "renumics.spotlight.analysis.analyzers",
    "renumics.spotlight.embeddings.embedders",
)
"""Packages whose modules it imports, whichever there are: they look for issues and embed where it
is asked to, which a page of ours never does."""

OPTIONAL = "ray"
"""What it imports where it is installed, to know types of columns that a page never has."""

MESHES = "trimesh"
"""What it knows columns of meshes by, which a page never has; of it only the class is looked at."""


def import_spotlight() -> tuple[Any, Any]:
    """Import Spotlight without its advice to install analyzers that are not used here; the first
    import takes seconds."""
    os.environ["SPOTLIGHT_OPT_OUT"] = "true"
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from loguru import logger

        logger.disable("renumics.spotlight")
        if "renumics.spotlight" not in sys.modules:
            import_settled("datasets")  # it remembers which libraries there are
            with cache_somewhere(), _without_unused():
                import_settled("renumics.spotlight")
        from renumics import spotlight
    from renumics.spotlight.analysis.typing import DataIssue

    return spotlight, DataIssue


@contextlib.contextmanager
def _without_unused() -> Iterator[None]:
    """Let Spotlight find stand-ins with nothing in them."""
    meshes = ModuleType(MESHES)
    meshes.Trimesh = type("Trimesh", (), {})  # type: ignore[attr-defined]
    unused = {OPTIONAL: None, MESHES: meshes, **dict(map(_empty_package, PLUGINS_OF_SPOTLIGHT))}
    modules: dict[str, Any] = sys.modules  # None is Python's own way to say: not there
    new = {name: module for name, module in unused.items() if name not in modules}
    modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del modules[name]


def _empty_package(name: str) -> tuple[str, ModuleType]:
    package = ModuleType(name)
    package.__path__ = []
    return name, package


def application() -> Any:
    """What Spotlight's server process serves."""
    import_spotlight()
    from renumics.spotlight.app import SpotlightApp

    return SpotlightApp()


# -- folders that it makes

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
