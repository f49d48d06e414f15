"""Makes class indices of what a column of labels says, and finds the class of each number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.settings import DatasetReference

NUMBER = re.compile(r"0|[1-9]\d{0,8}")
"""A text that is a number of a class."""

NEGATIVE = re.compile(r"-[1-9]\d*")
"""What means no label among numbers."""

MAX_LISTED = 4
"""Labels that a message lists."""

NO_CLASS = -1


@dataclass(frozen=True)
class Labels:
    """The labels of all rows."""

    codes: NDArray[np.int32] | None
    """Shape (N,): index of the class of each row, -1 without one; None for unlabelled data."""
    classes: list[str] | None
    """Names of the classes; None for unlabelled data."""
    numbered: bool = False
    """Whether the classes are numbers, which may be those of a head's outputs."""
    notes: tuple[str, ...] = ()
    """What a person should hear of them."""


UNLABELLED = Labels(None, None)


def read_labels(feature: Any, column: str, values: list[Any], *, ignore: bool = False) -> Labels:
    """The labels that a column holds, in the data set's order of classes.

    Names that are not declared are sorted: numbers by value, anything else as text. A whole number
    below 0, NaN, None and an empty text mean that there is no label; where no row has one, the data
    is unlabelled. Raises DatasetError for what is no class, unless that is to ``ignore``.
    """
    import datasets

    if isinstance(feature, datasets.ClassLabel):
        return _declared(feature, column, values, ignore=ignore)
    if any(isinstance(value, (list, dict, bytes)) for value in values):
        raise DatasetError(
            f"Column {column!r} holds {feature}, not one class an image. Name another with "
            f"--label-column, or 'none' for no labels."
        )
    texts = [_text_of(value) for value in values]
    if _are_values(text for text in texts if text is not None):
        texts = [None if NEGATIVE.fullmatch(text or "") else text for text in texts]
    present = {text for text in texts if text is not None}
    if not present:
        return UNLABELLED
    numbered = all(NUMBER.fullmatch(text) for text in present)
    if present <= {"False", "True"} and any(isinstance(value, bool) for value in values):
        present = {"False", "True"}
    ordered = sorted(present, key=_order(present))
    index = {text: position for position, text in enumerate(ordered)}
    codes = [NO_CLASS if text is None else index[text] for text in texts]
    return Labels(np.array(codes, dtype=np.int32), ordered, numbered)


def _declared(feature: Any, column: str, values: list[Any], *, ignore: bool) -> Labels:
    """The labels of a column whose classes are declared."""
    names = [str(name) for name in feature.names]
    codes = [NO_CLASS if value is None or value < 0 else value for value in values]
    unknown = Counter(code for code in codes if code >= len(names))
    if not unknown:
        return Labels(np.array(codes, dtype=np.int32), names)
    text = (
        f"{unknown.total():,} of {len(values):,} labels of column {column!r} are none of its "
        f"{len(names)} classes, which number from 0 to {len(names) - 1}: {_few(sorted(unknown))}"
    )
    if not ignore:
        raise DatasetError(
            f"{text}. Declare the classes that are missing, name another column with "
            f"--label-column, or leave such labels out with --ignore-labels."
        )
    known = [NO_CLASS if code in unknown else code for code in codes]
    notes = (f"{text}; these images count as unlabelled",)
    return Labels(np.array(known, dtype=np.int32), names, notes=notes)


def _few(labels: Sequence[Any]) -> str:
    more = " ..." if len(labels) > MAX_LISTED else ""
    return ", ".join(map(str, labels[:MAX_LISTED])) + more


def _text_of(value: Any) -> str | None:
    """A label as text: 2 and 2.0 are the same; None for no label."""
    if value is None or value != value or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _order(texts: Iterable[str]) -> Any:
    """By what labels are sorted: their values where all are numbers."""
    return (lambda text: (float(text), text)) if _are_values(texts) else str


def _are_values(texts: Iterable[str]) -> bool:
    """Whether all are numbers."""
    try:
        return all(float(text) == float(text) for text in texts)
    except ValueError:
        return False


# -- numbers of classes


def number_labels(
    labels: Labels, names: Sequence[str], reference: DatasetReference, *, of: str
) -> tuple[Labels, list[str]]:
    """The labels as indices into ``names``, with what a person should hear of it.

    By name where all are among them; a number is that of a class otherwise, counted from
    ``first_label``. ``of`` says whose classes they are. Raises DatasetError for numbers from 1 on
    where nothing says what 1 is, and for labels that are no class, unless they are to be ignored.
    """
    if labels.codes is None or labels.classes is None:
        return labels, []
    listed = list(names)
    if set(labels.classes) <= set(listed):
        return _mapped(labels, [listed.index(one) for one in labels.classes], listed), []
    if not labels.numbered:
        positions = [listed.index(one) if one in listed else NO_CLASS for one in labels.classes]
    else:
        numbers = [int(one) for one in labels.classes]
        _check_first(numbers, listed, reference, of)
        first = reference.first_label or 0
        inside = range(first, first + len(listed))
        positions = [number - first if number in inside else NO_CLASS for number in numbers]
    notes = _unknown(labels, positions, listed, reference, of)
    return _mapped(labels, positions, listed), notes


def _mapped(labels: Labels, positions: Sequence[int], names: list[str]) -> Labels:
    assert labels.codes is not None
    table = np.array([*positions, NO_CLASS], dtype=np.int32)  # -1 is the last
    return replace(labels, codes=table[labels.codes], classes=names, numbered=False)


def _check_first(
    numbers: Sequence[int], names: Sequence[str], reference: DatasetReference, of: str
) -> None:
    count = len(names)
    if reference.first_label is None and min(numbers) == 1 and max(numbers) == count:
        raise DatasetError(
            f"The labels of {reference.source} are 1 to {count}, and {of} number from 0 to "
            f"{count - 1}. Say what label 1 is: --first-label 1 for the first of them, "
            f"--first-label 0 for the second."
        )


def _unknown(
    labels: Labels,
    positions: Sequence[int],
    names: Sequence[str],
    reference: DatasetReference,
    of: str,
) -> list[str]:
    """What is said of labels that are no class, if there are any."""
    assert labels.codes is not None and labels.classes is not None
    counts = Counter(labels.codes.tolist())
    unknown = [
        index for index, position in enumerate(positions) if position == NO_CLASS and counts[index]
    ]
    total = sum(counts[index] for index in unknown)
    if not total:
        return []
    shown = _few([labels.classes[index] for index in unknown])
    text = f"{total:,} of {len(labels.codes):,} labels are none of {of}: {shown}"
    if reference.ignore_labels:
        return [f"{text}; these images count as unlabelled"]
    raise DatasetError(
        f"{text}. The classes are {_few(names)}. Name another column with --label-column, or leave "
        f"such labels out with --ignore-labels."
    )
