"""The package that people install: `review_embeddings.pipeline` makes the long table of a run,
`review_embeddings.review` lets a person look at it, decide and take the decisions away.

In a wheel both folders lie beside this file. In a checkout, and in an editable install of one, they
are the two folders at its top level. `pipeline` and `review` alone are second names of the same
modules, wherever no other module of that name comes first.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

ALIASES = ("pipeline", "review")
"""Rooms of this package that may be imported by their name alone."""

_CHECKOUT = Path(__file__).resolve().parents[2]
if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "pipeline" / "__init__.py").is_file():
    # First, so that tracebacks name the files of the two folders.
    __path__ = [str(_CHECKOUT), *__path__]


class _Alias:
    """Finds and loads ``pipeline.x`` and ``review.x``: as what the package holds, not once more."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for what is inside an alias that is ours; None for everything else."""
        room, _, inside = name.partition(".")
        if not inside or room not in ALIASES or sys.modules.get(room) is not _room(room):
            return None
        return ModuleSpec(name, self, is_package=False)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module that the package holds; importlib would write the alias into it."""
        module = importlib.import_module(f"{__name__}.{spec.name}")
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is executed twice."""
        module.__spec__ = self._own

    def get_code(self, name: str) -> CodeType | None:
        """What ``python -m`` runs."""
        spec = importlib.util.find_spec(f"{__name__}.{name}")
        loader = None if spec is None else spec.loader
        return loader.get_code(spec.name) if isinstance(loader, InspectLoader) and spec else None


def _room(name: str) -> ModuleType | None:
    return sys.modules.get(f"{__name__}.{name}")


def _folders_of_others(name: str) -> list[str]:
    """Folders of Python files without an ``__init__.py`` that have this name."""
    folders = [Path(entry or ".") / name for entry in sys.path]
    return [str(one) for one in folders if _is_namespace(one)]


def _is_namespace(folder: Path) -> bool:
    return any(folder.glob("*.py")) and not (folder / "__init__.py").exists()


def alias(name: str) -> None:
    """Let ``import pipeline`` (or ``review``) give the module that this package holds, unless a
    folder of Python files on the path has this name: such a namespace package is somebody else's,
    though the import system finds our file first."""
    if folders := _folders_of_others(name):
        sys.modules[name] = namespace = ModuleType(name)
        namespace.__path__ = folders
        return
    sys.modules[name] = importlib.import_module(f"{__name__}.{name}")
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())
