"""The package that people install: from the checkpoints of a fine-tuning and a data set to a table
of embeddings, a review of the images, and decisions that are taken away.

    from review_embeddings import EmbeddingCallback, Recorder, build, compare, read_table, show
    from review_embeddings import unmatched_images

`EmbeddingCallback` makes any Trainer script leave a run that can be reviewed, `Recorder` any other
training loop; `build` brings the table of a run up to date, `show` opens the review, `read_table`
gives the table and what was decided as one DataFrame, `compare` two runs beside each other,
`unmatched_images` what not both have.
`review_embeddings.pipeline` has what belongs to the table, `review_embeddings.review` what belongs
to the review.

In a wheel both folders lie beside this file. In a checkout, and in an editable install of one, they
are the two folders at its top level. `pipeline` and `review` alone are second names of the same
modules, wherever nobody else has a module of that name.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

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
        from importlib.abc import InspectLoader  # with half of the standard library behind it

        spec = importlib.util.find_spec(f"{__name__}.{name}")
        loader = None if spec is None else spec.loader
        return loader.get_code(spec.name) if isinstance(loader, InspectLoader) and spec else None


def _room(name: str) -> ModuleType | None:
    return sys.modules.get(f"{__name__}.{name}")


def alias(name: str) -> None:
    """Let ``import pipeline`` (or ``review``) give the module that this package holds, unless there
    is another one of this name on the path: the import system finds our file first where it stands
    further ahead, or where theirs is a folder without ``__init__.py``."""
    if (spec := _of_others(name)) is not None:
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        if spec.loader is not None:
            spec.loader.exec_module(module)
        return
    sys.modules[name] = importlib.import_module(f"{__name__}.{name}")
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())


def _of_others(name: str) -> ModuleSpec | None:
    """The module of this name that is somebody else's; None where there is none. A module or a
    package comes before folders without ``__init__.py``, as everywhere."""
    found = [PathFinder.find_spec(name, [entry]) for entry in sys.path]
    modules = [one for one in found if one is not None and one.origin is not None]
    theirs = [one for one in modules if not _is_alias(str(one.origin))]
    folders = [str(Path(entry or ".") / name) for entry in sys.path]
    if not theirs and (namespaces := [one for one in folders if _is_namespace(Path(one))]):
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = namespaces
        return spec
    return theirs[0] if theirs else None


def _is_alias(file: str) -> bool:
    """Whether a module of one of our names is ours: of this, or of another copy of the package."""
    try:
        return "from review_embeddings import alias" in Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _is_namespace(folder: Path) -> bool:
    """Whether it holds modules or packages, and is none itself."""
    found = (one for pattern in ("*.py", "*/*.py") for one in folder.glob(pattern))
    return next(found, None) is not None and not (folder / "__init__.py").exists()


def _warn_of_strangers(folder: Path) -> None:
    """Log a sentence where another distribution has put a file in the place of one of ours; once,
    and not in the processes that this one starts."""
    files = [folder / f"{name}.py" for name in ALIASES]
    strangers = [one for one in files if one.is_file() and not _is_alias(str(one))]
    process = sys.modules.get("multiprocessing.process")
    if strangers and (process is None or process.current_process().name == "MainProcess"):
        import logging

        logging.getLogger(__name__).warning(
            "%s is of another distribution: `import %s` gives that. Import %s.%s instead.",
            strangers[0],
            strangers[0].stem,
            __name__,
            strangers[0].stem,
        )


importlib.import_module(f"{__name__}.pipeline.loghandler").set_up(__name__)
_warn_of_strangers(Path(__file__).resolve().parents[1])


if TYPE_CHECKING:
    from review_embeddings.pipeline.api import build
    from review_embeddings.pipeline.training.callback import EmbeddingCallback
    from review_embeddings.pipeline.training.recorder import Recorder
    from review_embeddings.review.comparison.frame import compare, unmatched_images
    from review_embeddings.review.decided import read_table
    from review_embeddings.review.session import Review, show

__all__ = [
    "EmbeddingCallback",
    "Recorder",
    "Review",
    "build",
    "compare",
    "read_table",
    "show",
    "unmatched_images",
]

if not TYPE_CHECKING:  # of names that are not offered a type checker shall know nothing
    from review_embeddings.pipeline.lazy import offer

    __getattr__, __dir__ = offer(
        __name__,
        {
            "pipeline.api": ["build"],
            "pipeline.training.callback": ["EmbeddingCallback"],
            "pipeline.training.recorder": ["Recorder"],
            "review.comparison.frame": ["compare", "unmatched_images"],
            "review.session": ["Review", "show"],
            "review.decided": ["read_table"],
        },
    )
