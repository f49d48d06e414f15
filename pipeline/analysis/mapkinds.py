"""Which kinds of map there are: each is declared once, by its key, its function and what it needs.

No numeric library is imported here, so that settings and command line can name every kind; the
functions are imported when a map is computed (`maps.compute_map`, `maps.compute_maps`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.registry import Registry


class Scope(Enum):
    """Which embeddings a map is computed from."""

    CHECKPOINT = "checkpoint"
    """Those of one checkpoint."""
    ALL = "all"
    """Those of all checkpoints together, so that one more checkpoint changes every map."""


@dataclass(frozen=True)
class Cost:
    """About how many seconds a map takes on two idle cores."""

    once: float
    """Once a process, such as compiling a library."""
    per_checkpoint: float
    per_image: float
    """A checkpoint and an image that is mapped."""

    def seconds(self, images: int, checkpoints: int) -> float:
        """Of so many mapped images at so many checkpoints."""
        return self.once + checkpoints * (self.per_checkpoint + self.per_image * images)


@dataclass(frozen=True)
class MapKind:
    """A way to turn embeddings into 2-D coordinates."""

    key: str
    """How options, run.json and fingerprints name it."""
    function: str | Callable[..., Any]
    """``function(embeddings)`` of one checkpoint, or ``function(read, steps, advance)`` of all of
    them; ``module:name`` to import it when it is called. With a `cap` it takes that by this
    name."""
    description: str
    """One phrase for help texts."""
    scope: Scope = Scope.CHECKPOINT
    cap: int | None = None
    """Images above which a seeded sample of this size is mapped and the others are placed between
    their nearest mapped images; None for a kind that maps all."""
    cost: Cost | None = None
    """None for a kind that is fast."""
    shared_basis: bool = False
    """Whether all its maps stand in one basis, so that they are not aligned by Procrustes
    analysis."""
    one_dimension: bool = False
    """Whether the embeddings of all checkpoints must have the same dimension."""
    library: str | None = None
    """Module that comes with the package's extra of the kind's key; None where none is needed."""

    @property
    def of_all(self) -> bool:
        """Whether a new checkpoint changes the maps of all others."""
        return self.scope is Scope.ALL

    def check_installed(self) -> None:
        """Raise SettingsError with what to install where its library is not there."""
        if self.library is not None and find_spec(self.library) is None:
            raise SettingsError(
                f"--map {self.key} needs {self.library}, which is not installed. Run: pip install "
                f"'review-embeddings[{self.key}]'"
            )

    def estimated_seconds(self, images: int, checkpoints: int) -> float:
        """About how long the maps of so many checkpoints take; 0 for a kind that is fast."""
        if self.cost is None:
            return 0.0
        mapped = images if self.cap is None else min(images, self.cap)
        return self.cost.seconds(mapped, checkpoints)


MAP_KINDS: Registry[MapKind] = Registry("kind of map", lambda kind: kind.key)
"""Every kind, the default first."""

_ANALYSIS = "review_embeddings.pipeline.analysis"

_COMPILING = 30.0
"""Seconds until umap-learn or pacmap has compiled itself."""


def map_kind(key: str) -> MapKind:
    """The kind of this key. Raises SettingsError where there is none."""
    if key not in MAP_KINDS:
        raise SettingsError(f"--map {key} is not known. Use one of {', '.join(MAP_KINDS.names())}.")
    return MAP_KINDS[key]


def has_shared_basis(key: str) -> bool:
    """Whether maps of this kind stand in one basis; not assumed of a kind that is not known here,
    such as one of a newer version."""
    return key in MAP_KINDS and MAP_KINDS[key].shared_basis


# The costs were measured at 300 to 10,000 images on two cores.
for _kind in (
    MapKind("pca", f"{_ANALYSIS}.project:project", "PCA of each checkpoint"),
    MapKind(
        "shared-pca",
        f"{_ANALYSIS}.maps:shared_pca",
        "PCA of all checkpoints, in whose basis nothing is turned",
        Scope.ALL,
        shared_basis=True,
        one_dimension=True,
    ),
    MapKind(
        "umap",
        f"{_ANALYSIS}.maps:umap_of_one",
        "UMAP of each checkpoint",
        cap=20_000,
        cost=Cost(_COMPILING, 2.0, 1e-3),
    ),
    MapKind(
        "aligned-umap",
        f"{_ANALYSIS}.maps:aligned_umap",
        "UMAP of all checkpoints, each image held near itself",
        Scope.ALL,
        cap=5_000,
        cost=Cost(_COMPILING, 4.0, 4.5e-3),
    ),
    MapKind(
        "pacmap",
        f"{_ANALYSIS}.maps:pacmap_of_one",
        "PaCMAP of each checkpoint",
        cap=20_000,
        cost=Cost(_COMPILING, 0.1, 4e-4),
        library="pacmap",
    ),
    MapKind(
        "tsne",
        f"{_ANALYSIS}.maps:tsne_of_one",
        "t-SNE of each checkpoint",
        cap=20_000,
        cost=Cost(3.0, 1.0, 3.7e-3),
        library="openTSNE",
    ),
):
    MAP_KINDS.add(_kind)
