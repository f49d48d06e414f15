"""Reads names of folders and files as names of splits."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPELLINGS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
}
"""How splits are spelled, and what they are called."""

BESIDE = re.compile(
    r"(cv_?)?fold[-_ ]?\d+|dev|development|hold[-_ ]?out|unlabell?ed|extra|eval|evaluation"
)
"""Splits that are ones beside train or test only."""

_FILLERS = (
    "image images img imgs picture pictures photo photos data dataset set split splits jpeg jpegs "
    "jpg png"
)

FILLERS = frozenset(_FILLERS.split())
"""Words that may stand beside that of a split, as in ``images_train``."""

UNLABELLED = re.compile(r".*unlabell?ed.*")
"""Splits whose folders are no classes."""


FIRST = ("train", "validation", "test")
"""Splits that are listed before others."""


def in_order(splits: Iterable[str]) -> list[str]:
    """Each split once, the usual ones first."""
    return sorted(set(splits), key=lambda split: (*(split != one for one in FIRST), split))


def split_of(name: str) -> str | None:
    """The split that a folder's name means: ``test`` of ``Test`` or ``images_test``; None for
    another name, such as ``test tube``."""
    words = [word for word in re.split(r"[\W\d_]+", name.lower()) if word]
    words = [re.sub(r"(set|data|images|imgs|img)$", "", word) or word for word in words]
    others = [word for word in words if word not in FILLERS]
    return SPELLINGS.get(others[0]) if len(others) == 1 else None


def _beside(name: str) -> str | None:
    """The split of a name that is one beside train or test, as it is written."""
    words = [word for word in re.split(r"[-_ .]+", name.lower()) if word not in FILLERS]
    text = "_".join(words)
    return text if BESIDE.fullmatch(text) else None


def split_names_of(names: Iterable[str], *, forced: bool = False) -> dict[str, str] | None:
    """The split of each of these folders; None where they are not all splits.

    ``train``, ``test`` and ``val`` in any spelling are, and beside them folds, ``dev``,
    ``holdout`` and the like. Two that would have one name keep their own. ``forced`` takes every
    folder for a split.
    """
    found = {name: split_of(name) for name in names}
    if not found:
        return None
    known = any(found.values())
    splits = {name: split or _beside(name) for name, split in found.items()}
    if not forced and not (known and all(splits.values())):
        return None
    called = {name: split or name for name, split in splits.items()}
    taken = list(called.values())
    return {name: split if taken.count(split) == 1 else name for name, split in called.items()}
