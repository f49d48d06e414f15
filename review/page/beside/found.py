"""Carries what runs say of the same images from the program that compares them to the server of the
page, as plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.review.lists.beside import RunsBeside
from review_embeddings.review.lists.definition import LISTS, ImageList

CLASSES = "classes"
"""The only field that is no array of numbers."""

COMPARED = frozenset(one.key for one in LISTS if "compare" in one.surfaces)
"""Keys of the lists that are about several runs."""


OPINIONS = COMPARED - {"moved-apart"}
"""Of them those whose reason is what each run predicts."""


def without_repeats(keys: Sequence[str]) -> list[str]:
    """Keys of the lists of an image, of those that give the same reason the most telling one."""
    same = [key for key in keys if key in OPINIONS]
    best = max(same, key=lambda key: LISTS[key].strength, default="")
    return [key for key in keys if key not in OPINIONS or key == best]


def arrays_of(found: RunsBeside) -> dict[str, NDArray[Any]]:
    """Its arrays by name."""
    return {one.name: getattr(found, one.name) for one in fields(found) if one.name != CLASSES}


@dataclass(frozen=True)
class FoundFiles:
    """Where they are."""

    classes: tuple[str, ...]
    path: str

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> FoundFiles | None:
        """Those of what the server was started with; None where no runs are compared."""
        found = settings.get("found")
        return None if found is None else cls(tuple(found["classes"]), found["path"])

    def read(self) -> RunsBeside:
        """What was written."""
        with np.load(Path(self.path), allow_pickle=False) as arrays:
            return RunsBeside(classes=self.classes, **arrays)


def compared_first(lists: Iterable[ImageList], names: str) -> list[ImageList]:
    """The lists about several runs before the others, under a heading with their ``names``."""
    made = list(lists)
    about = [replace(one, section=names) for one in made if one.key in COMPARED]
    return [*about, *(one for one in made if one.key not in COMPARED)]
