"""Knows which large library is being imported, and how long imports took: they are no work, and a
person who waits for them is told so. Imports nothing itself."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from review_embeddings.pipeline.progress import activity

LIBRARIES = frozenset(
    {
        *("accelerate", "cleanlab", "cleanvision", "datasets", "huggingface_hub", "llvmlite"),
        *("matplotlib", "numba", "numpy", "openTSNE", "pacmap", "pandas", "peft", "pyarrow"),
        *("pymilvus", "pynndescent", "ray", "renumics", "scipy", "sklearn", "timm", "torch"),
        *("torchvision", "transformers", "umap"),
    }
)
"""Packages that take long to import."""

TITLES = {"renumics": "Spotlight", "sklearn": "scikit-learn", "umap": "umap-learn"}
"""What people call them, where that is another name."""

LARGEST = frozenset({"datasets", "ray", "renumics", "sklearn", "torch", "transformers"})
"""Those that are named beside the one that imports them."""


class _Observer:
    """Finds nothing itself: it looks on when a module of `LIBRARIES` is imported that no other one
    imports, on the thread that does."""

    def __init__(self) -> None:
        self.users = 0
        self._of_thread = threading.local()

    @property
    def seconds(self) -> float:
        """How long this thread has imported."""
        return float(getattr(self._of_thread, "seconds", 0.0))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find; None where this import is not looked at."""
        here = self._of_thread
        package = name.partition(".")[0]
        if package not in LIBRARIES or getattr(here, "is_looking", False):
            return None
        if (begun := getattr(here, "activity", None)) is not None:
            if name in LARGEST and name not in here.packages:
                here.packages.append(name)
                begun.text = _in_words(here.packages)
            return None
        here.is_looking = True
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None  # the import itself says why
        finally:
            here.is_looking = False
        if spec is not None:
            self._time(spec, package)
        return spec

    def _time(self, spec: ModuleSpec, package: str) -> None:
        """Have the module's execution timed, once."""
        loader, here = spec.loader, self._of_thread
        execute = getattr(loader, "exec_module", None)
        if execute is None or not hasattr(loader, "__dict__"):
            return

        def timed(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            started, here.packages = time.perf_counter(), [package]
            try:
                with activity(_in_words(here.packages)) as here.activity:
                    execute(module)
            finally:
                here.activity = None
                here.seconds = self.seconds + time.perf_counter() - started

        vars(loader)["exec_module"] = timed


def _in_words(packages: Sequence[str]) -> str:
    *others, last = (TITLES.get(name, name) for name in packages)
    return f"Loading {', '.join(others)} and {last}" if others else f"Loading {last}"


_observer = _Observer()
_guard = threading.Lock()


@contextmanager
def imports_observed() -> Iterator[None]:
    """Look on at imports until the context is left: they are activities, and are timed."""
    with _guard:
        _observer.users += 1
        if _observer.users == 1:
            sys.meta_path.insert(0, _observer)
    try:
        yield
    finally:
        with _guard:
            _observer.users -= 1
            if not _observer.users:
                sys.meta_path.remove(_observer)


def loading_seconds() -> float:
    """Seconds that the calling thread has imported libraries in, while that was looked at."""
    return _observer.seconds
