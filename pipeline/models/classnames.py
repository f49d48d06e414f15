"""Finds the class of the data set that each output of a classification head stands for: by its name
where that can be told, by its number, or by the order of the classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.heads import YES_NO, Head, numbered_names, some_names

Way = Literal["name", "number", "order"]


@dataclass(frozen=True)
class ClassMatch:
    """The classes that a head's outputs stand for."""

    names: list[str]
    """One an output; all classes of the data set are among them."""
    way: Way
    """How they were found."""


@dataclass(frozen=True)
class Cures:
    """What a person changes where classes do not match, by the names that it has there."""

    names: str = "id2label of its config.json"
    dataset: str = "--dataset"
    labels: str = "--label-column"
    no_labels: str = "--label-column none"


OF_CHECKPOINTS = Cures()

NOT_RENAMED: Mapping[str, str] = {}


def map_classes(
    head: Head | None,
    classes: list[str] | None,
    *,
    name: str,
    cures: Cures = OF_CHECKPOINTS,
    former: Mapping[str, str] = NOT_RENAMED,
) -> list[str] | None:
    """The class that each output of a head stands for; None without a head. Arguments as those of
    `match_classes`; raises as it does."""
    if head is None:
        return None
    return match_classes(head, classes, name=name, cures=cures, former=former).names


def match_classes(
    head: Head,
    classes: list[str] | None,
    *,
    name: str,
    cures: Cures = OF_CHECKPOINTS,
    former: Mapping[str, str] = NOT_RENAMED,
) -> ClassMatch:
    """The same with the way it was found.

    By name where the head knows all classes of the data set, whatever their order, their case or
    what stands between their words; by number where the data set numbers its classes; by order
    where both have as many, and no name says otherwise. Raises CheckpointError, in which the
    checkpoint is called ``name``, where none of these holds. ``former`` is what classes that were
    renamed were called before: where the head does not know all names of now, those count.
    """
    if classes is None:
        return ClassMatch(head.names or [str(index) for index in range(head.count)], "name")
    if (named := _by_name(head, classes, name, cures)) is not None:
        return ClassMatch(named, "name")
    if former:
        before = [former.get(one, one) for one in classes]
        matched = match_classes(head, before, name=name, cures=cures)
        now = dict(zip(before, classes, strict=True))
        return ClassMatch([now.get(one, one) for one in matched.names], matched.way)
    if len(classes) < head.count and _are_numbers(classes, head.count):
        return ClassMatch([str(index) for index in range(head.count)], "number")
    if head.count == len(classes) and not _contradicts(head, classes):
        ordered = sorted(classes, key=natural_key) if head.in_natural_order else classes
        return ClassMatch(ordered, "order")
    raise CheckpointError(_refusal(head, classes, name, cures))


def is_measurement(
    head: Head, classes: list[str] | None, former: Mapping[str, str] = NOT_RENAMED
) -> bool:
    """Whether the only output of a head cannot be a yes to a class of the data set."""
    if head.kind != YES_NO:
        return False
    try:
        match_classes(head, classes, name="", former=former)
    except CheckpointError:
        return True
    return False


def natural_key(name: str) -> list[int | str]:
    """Sorts ``b2`` after ``a10`` and before ``b10``, as timm does."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]


def matched_before(head: Head, classes: list[str]) -> list[str] | None:
    """What `match_classes` was before it compared more than whole names; None for an error."""
    if head.names is not None and set(classes) <= set(head.names):
        return head.names
    return classes if head.count == len(classes) else None


def is_doubtful(head: Head, classes: list[str], match: ClassMatch) -> bool:
    """Whether a person should hear of the way: where both have names, or numbers that are not those
    of the outputs, or there is only a yes."""
    if match.way == "name":
        return False
    if match.way == "number" or head.names is not None or head.kind == YES_NO:
        return True
    numbers = [str(index) for index in range(head.count)]
    are_integers = all(re.fullmatch(r"-?\d+", one) for one in classes)
    return are_integers and classes not in (numbers, _from_one(numbers))


def _from_one(numbers: list[str]) -> list[str]:
    return [str(int(number) + 1) for number in numbers]


# -- by name


def _as_it_is(name: str) -> set[str]:
    return {name}


def _folded(name: str) -> set[str]:
    """Without case, and with one space for whatever stands between words."""
    return {re.sub(r"[\s_\-]+", " ", name).strip().casefold()}


def _synonyms(name: str) -> set[str]:
    """Of ``tench, Tinca tinca``: ImageNet's classes have several names each."""
    return {form for part in name.split(",") for form in _folded(part)}


FORMS_OF_NAMES: tuple[Callable[[str], set[str]], ...] = (_as_it_is, _folded, _synonyms)
"""What two names are compared by, one after the other."""


def _by_name(head: Head, classes: Sequence[str], name: str, cures: Cures) -> list[str] | None:
    """The names of the outputs, as the data set calls them where it knows them; None where the head
    does not know all classes. Raises CheckpointError where two outputs have the name of one."""
    known = head.names or numbered_names(head.count)
    for forms in FORMS_OF_NAMES:
        found = _positions(known, classes, forms)
        if head.kind == YES_NO and len(classes) == 2:
            found = _with_the_other(found)
        if all(found):
            _check_single(found, known, classes, name, cures)
            by_position = {positions[0]: one for positions, one in zip(found, classes, strict=True)}
            return _distinct([by_position.get(i, own) for i, own in enumerate(known)], by_position)
    return None


def _positions(
    known: Sequence[str], classes: Sequence[str], forms: Callable[[str], set[str]]
) -> list[list[int]]:
    """The outputs that have a name of each class."""
    outputs: dict[str, set[int]] = {}
    for position, own in enumerate(known):
        for form in forms(own):
            outputs.setdefault(form, set()).add(position)
    return [sorted(set().union(*(outputs.get(form, ()) for form in forms(one)))) for one in classes]


def _with_the_other(found: list[list[int]]) -> list[list[int]]:
    """Of two classes, one of which is called as yes is: the other one is no."""
    if found in ([[], [1]], [[1], []]):
        return [positions or [0] for positions in found]
    return found


def _check_single(
    found: Sequence[Sequence[int]],
    known: Sequence[str],
    classes: Sequence[str],
    name: str,
    cures: Cures,
) -> None:
    for positions, one in zip(found, classes, strict=True):
        if len(positions) > 1:
            raise CheckpointError(
                f"{name} has several outputs that may stand for the class {one!r}: "
                f"{', '.join(f'{i} ({known[i]})' for i in positions)}. Give them names of their "
                f"own in {cures.names}, or leave the labels out with {cures.no_labels}."
            )
    taken = Counter(position for positions in found for position in positions)
    twice = next((position for position, count in taken.items() if count > 1), None)
    if twice is not None:
        raise CheckpointError(
            f"{name} has one output {known[twice]!r} for several classes of the data set "
            f"({some_names(classes)}). Give the outputs the data set's names in {cures.names}, "
            f"or leave the labels out with {cures.no_labels}."
        )


def _distinct(names: list[str], by_position: dict[int, str]) -> list[str]:
    """The same where an output that is none of the data set's classes is called like one."""
    classes = set(by_position.values())
    return [
        f"{own} ({index})" if index not in by_position and own in classes else own
        for index, own in enumerate(names)
    ]


# -- by number and by order


def _are_numbers(classes: Sequence[str], count: int) -> bool:
    """Whether all classes are numbers of outputs, in their order."""
    numbers = [int(one) for one in classes if re.fullmatch(r"0|[1-9]\d{0,8}", one)]
    return len(numbers) == len(classes) and numbers == sorted(numbers) and numbers[-1] < count


def _contradicts(head: Head, classes: Sequence[str]) -> bool:
    """Whether an output has the name of a class that stands elsewhere in the order."""
    found = _positions(head.names or [], classes, _folded)
    return any(positions and index not in positions for index, positions in enumerate(found))


def _refusal(head: Head, classes: Sequence[str], name: str, cures: Cures) -> str:
    cure = (
        f"Name the data set or label column it was trained on with {cures.dataset} or "
        f"{cures.labels}, or leave the labels out with {cures.no_labels}."
    )
    own = some_names(head.names) if head.names else ""
    if head.count == len(classes):
        return (
            f"{name} calls its classes {own}, the data set {some_names(classes)}: some are the "
            f"same, in another order, and the others cannot be told. Give the outputs the data "
            f"set's names in {cures.names}. {cure}"
        )
    shown = f" ({own})" if own else ""
    return (
        f"{name} tells {head.count} classes apart{shown}, the data set has {len(classes)} "
        f"({some_names(classes)}). {cure}"
    )


def notes_of(
    heads: Mapping[str, Head | None],
    classes: list[str] | None,
    former: Mapping[str, str] = NOT_RENAMED,
) -> Iterator[str]:
    """What a person should hear of the heads of checkpoints, by their names, each once for all that
    it is true of. Raises as `match_classes`."""
    checkpoints: dict[str, list[str]] = {}
    for name, head in heads.items():
        if head is None or classes is None:
            continue
        if is_measurement(head, classes, former):
            checkpoints.setdefault(_measures(classes), []).append(name)
            continue
        match = match_classes(head, classes, name=name, former=former)
        if is_doubtful(head, classes, match):
            checkpoints.setdefault(_doubt(head, classes, match), []).append(name)
    for text, names in checkpoints.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        yield f"{names[0]}{more} {text}"


def _measures(classes: Sequence[str]) -> str:
    return (
        f"has one output, the data set {len(classes)} classes ({some_names(classes)}): it is taken "
        f"for a measurement and no class; the labels are judged by those of the nearest images."
    )


def _doubt(head: Head, classes: Sequence[str], match: ClassMatch) -> str:
    if match.way == "number":
        return (
            f"has {head.count} outputs, the data set classes {some_names(classes)}: they are taken "
            f"for the numbers of its outputs."
        )
    if head.kind == YES_NO:
        return (
            f"has one output{f' ({(head.names or [])[1]})' if head.names else ''}: its sigmoid is "
            f"taken for the probability of {match.names[1]!r}, against {match.names[0]!r}."
        )
    own = some_names(head.names) if head.names else f"0 to {head.count - 1}"
    return (
        f"calls its classes {own}, the data set {some_names(classes)}: they are matched by their "
        f"order."
    )
