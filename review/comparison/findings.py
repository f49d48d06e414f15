"""Works out what a comparison of runs says: accuracies and their differences with intervals, by
class too, how alike the embeddings are, and the lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis import pairs
from review_embeddings.pipeline.analysis.pairs import PairedCounts, Share
from review_embeddings.pipeline.stages.regime import stored_regime
from review_embeddings.review.comparison.pairedruns import ComparedRun, PairedRuns
from review_embeddings.review.lists import lists_of
from review_embeddings.review.lists.betweenruns import could_hold
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import made_list, offered
from review_embeddings.review.lists.derived import LETTERS

if TYPE_CHECKING:
    from review_embeddings.review.decisions.lines import Decision
    from review_embeddings.review.lists.beside import RunsBeside
    from review_embeddings.review.lists.definition import ListDefinition

SHOWN = 16
"""Images of each list that are shown."""

MAX_CLASSES = 8
"""Classes that a sentence names."""


@dataclass(frozen=True)
class RunNumbers:
    """One of the runs, as the page names it."""

    letter: str
    name: str
    path: str
    step: str
    """Its checkpoint, for people."""
    images: int
    common: float
    """Share of its images that all runs have, in [0, 1]."""
    unmatched: tuple[int, ...]
    """Ids of the images that not all runs have."""
    accuracy: Share | None
    """Of the common images, by the labels of A; None where nothing can be judged."""
    trained_on: int
    """How many of the common images it was trained on, as far as is known."""


@dataclass(frozen=True)
class AgainstFirst:
    """What is different between A and another run."""

    letter: str
    difference: PairedCounts | None
    """By the labels of A; None where nothing can be judged."""
    by_its_labels: PairedCounts | None
    """By the labels of the other run; None where these are the same, or nothing can be judged."""
    relabelled: int
    """Common images whose label differs."""
    same_prediction: Share | None
    """Common images that both predict alike; None without heads."""
    likeness: pairs.Likeness
    shared_neighbors: float
    """Mean share of the nearest images that both have, in [0, 1]."""
    shared_by_chance: float
    map_disparity: float
    """Of the two maps, the second turned onto the first, in [0, 1]; 0 is a perfect match."""


@dataclass(frozen=True)
class ClassRow:
    """One class of the labels of A."""

    name: str
    right: tuple[Share, ...]
    """Of each run."""
    difference: PairedCounts
    """From the first run to the last."""
    adjusted_p: float
    """McNemar's, corrected for the number of classes (Holm 1979)."""


@dataclass(frozen=True)
class ListedRow:
    """One image of a list."""

    row: int
    """Among the images of A."""
    image_id: int
    label: str
    reason: str
    """Why it is there, in a few words."""
    opinions: tuple[tuple[str, bool], ...]
    """What every run says of it, and whether that is right."""
    note: str
    """What the reason says beside the opinions."""
    decision: str
    """What was decided about it; empty for nothing."""


@dataclass(frozen=True)
class ComparedList:
    """One list."""

    key: str
    title: str
    description: str
    rows: tuple[int, ...]
    """All of its images, by their rows among those of A, in its order."""
    ids: tuple[int, ...]
    """What people call them."""
    first: tuple[ListedRow, ...]
    """The first of them."""
    share: Share | None
    """Of the images that it is about; None for a list that is cut."""
    same_as: str = ""
    """Key of a list before it of the same images; empty for none."""


@dataclass(frozen=True)
class RunComparison:
    """What the page says."""

    runs: tuple[RunNumbers, ...]
    match_by: str
    common: int
    recoded: int
    """Common images that are matched as copies with loss."""
    repeated: int
    """Common images that a run holds several times."""
    judged: int
    """Common images with a label in A that every run predicts."""
    pairs: tuple[AgainstFirst, ...]
    classes: tuple[ClassRow, ...]
    lists: tuple[ComparedList, ...]
    only_classes: dict[str, list[str]]
    """Classes of the labels that one run alone has, by its letter."""
    disagreement: float | None
    """Mean over the common images; None where not all runs have a head of one class an image."""
    notes: tuple[str, ...]
    """What a reader must know to read the numbers."""


def compare_runs(
    paired: PairedRuns,
    decisions: Mapping[str, Decision] | None = None,
    *,
    beside: RunsBeside | None = None,
    shown: int = SHOWN,
) -> RunComparison:
    """Work out everything. ``decisions`` are shown beside the images, by image hash; ``beside``
    is that of the runs where it is known; ``shown`` is how many images of each list are named."""
    beside = paired.beside() if beside is None else beside
    judged = beside.judged[paired.rows(0)]
    right = beside.right[:, paired.rows(0)]
    against = tuple(_against(paired, number, judged) for number in range(1, len(paired.runs)))
    made = RunComparison(
        runs=tuple(_numbers(paired, number, right, judged) for number in range(len(paired.runs))),
        match_by=paired.match_by,
        common=len(paired),
        recoded=paired.recoded,
        repeated=paired.matching.repeated,
        judged=int(judged.sum()),
        pairs=against,
        classes=_classes(paired, right, judged),
        lists=_lists(paired, beside, decisions or {}, shown),
        only_classes={
            run.letter: names
            for number, run in enumerate(paired.runs)
            if (names := paired.classes_only_in(number))
        },
        disagreement=float(paired.disagreement.mean()) if paired.have_heads else None,
        notes=(),
    )
    paired.check_unchanged()
    return replace(made, notes=tuple(_notes(paired, made)))


def _numbers(
    paired: PairedRuns, number: int, right: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> RunNumbers:
    run = paired.runs[number]
    summary = next(one for one in run.manifest.checkpoints if one.step == run.step)
    total = int(judged.sum())
    return RunNumbers(
        run.letter,
        str(run.run) if _is_ambiguous(paired, run) else run.name,
        str(run.run),
        summary.name,
        len(run.images),
        paired.share(number),
        tuple(run.images.ids[paired.unmatched(number)].tolist()),
        Share(int(right[number].sum()), total) if total else None,
        trained_on(paired, number),
    )


def _is_ambiguous(paired: PairedRuns, run: ComparedRun) -> bool:
    """Whether another of the runs has the same name in another folder."""
    return any(
        other.name == run.name and other.run.path.resolve() != run.run.path.resolve()
        for other in paired.runs
    )


def trained_on(paired: PairedRuns, number: int) -> int:
    """How many of the common images a run was trained on, as far as the run says."""
    run = paired.runs[number]
    info = run.run.read_info()
    regime = None if info is None else stored_regime(run.run, info, run.images)
    return 0 if regime is None else int(regime.trained_on[paired.rows(number)].sum())


def about_training(letter: str, trained: int, common: int) -> str:
    """What a reader must know of a run that was trained on so many of the common images; empty
    where it was on none."""
    if not trained:
        return ""
    return (
        f"{letter} was trained on {trained:,} of the {common:,} common images: how right it is "
        f"about these says nothing of others."
    )


def _against(paired: PairedRuns, number: int, judged: NDArray[np.bool_]) -> AgainstFirst:
    labels, predictions = paired.labels, paired.predictions
    both = (predictions[0] >= 0) & (predictions[number] >= 0)
    alike = both & (predictions[0] == predictions[number])
    differ = (labels[0] >= 0) & (labels[number] >= 0) & (labels[0] != labels[number])
    near = paired.neighbors(0).shape[1]
    return AgainstFirst(
        paired.runs[number].letter,
        _difference(paired, number, labels[0], judged),
        _difference(paired, number, labels[number], both) if differ.any() else None,
        int(differ.sum()),
        Share(int(alike.sum()), int(both.sum())) if both.any() else None,
        paired.space(number).likeness,
        float(paired.shared_neighbors(number).mean()),
        near / max(1, len(paired) - 1),
        paired.map_fit(number).disparity,
    )


def _difference(
    paired: PairedRuns, number: int, labels: NDArray[np.int64], known: NDArray[np.bool_]
) -> PairedCounts | None:
    """From the first run to another, by some labels, of the images where these are known."""
    some = known & (labels >= 0)
    if not some.any():
        return None
    first, other = (paired.predictions[one][some] == labels[some] for one in (0, number))
    return PairedCounts.of(first, other)


def _classes(
    paired: PairedRuns, right: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> tuple[ClassRow, ...]:
    """The classes that have judged images, in their order."""
    rows = []
    for code, name in enumerate(paired.label_classes):
        some = judged & (paired.labels[0] == code)
        if some.any():
            of_class = right[:, some]
            shares = tuple(Share(int(one.sum()), int(some.sum())) for one in of_class)
            rows.append((name, shares, PairedCounts.of(of_class[0], of_class[-1])))
    adjusted = pairs.holm([difference.p_value for _, _, difference in rows])
    return tuple(ClassRow(*row, p) for row, p in zip(rows, adjusted, strict=True))


def _lists(
    paired: PairedRuns, beside: RunsBeside, decisions: Mapping[str, Decision], shown: int
) -> tuple[ComparedList, ...]:
    """All lists that the runs have something for, also empty ones; ``shown`` images of each."""
    candidates = candidates_of(paired, beside, decisions)
    made: list[ComparedList] = []
    for definition in lists_of("compare"):
        if not offered(definition, candidates):
            continue
        found = made_list(definition, candidates, candidates.worst)
        same = (one.key for one in made if found.rows and {*one.rows} == {*found.rows})
        made.append(
            ComparedList(
                definition.key,
                found.title,
                found.description,
                tuple(found.rows),
                tuple(candidates.ids[found.rows].tolist()),
                tuple(_listed(definition, candidates, row) for row in found.rows[:shown]),
                _share(definition, beside, len(found.rows)),
                next(same, ""),
            )
        )
    return tuple(made)


def candidates_of(
    paired: PairedRuns, beside: RunsBeside, decisions: Mapping[str, Decision]
) -> Candidates:
    """What the lists choose from: the images of A, and what all runs say of them."""
    import pandas as pd

    run = paired.runs[0]
    held = [decisions.get(one) for one in run.images.hashes]
    return Candidates(
        ids=run.images.ids,
        labels=run.images.label_names or [None] * len(run.images),
        decisions=[None if line is None else in_words(line) for line in held],
        late=pd.DataFrame(index=range(len(run.images))),
        last_step=run.step,
        several=False,
        run=str(run.run),
        beside=beside,
    )


def in_words(line: Decision) -> str:
    """``relabel to cat``."""
    return f"{line.decision} to {line.new_label}" if line.new_label else str(line.decision)


def _listed(definition: ListDefinition, candidates: Candidates, row: int) -> ListedRow:
    beside, reason = candidates.beside, definition.reason(candidates, row)
    assert beside is not None, "the lists are about several runs"
    return ListedRow(
        row,
        int(candidates.ids[row]),
        candidates.labels[row] or "",
        reason,
        tuple(
            (beside.opinion(run, row), bool(beside.right[run, row])) for run in range(len(beside))
        ),
        reason.removeprefix(beside.opinions(row)).strip(" ;()"),
        candidates.decisions[row] or "",
    )


def _share(definition: ListDefinition, beside: RunsBeside, count: int) -> Share | None:
    """Of the images that could be in a list; None for one that is cut."""
    if definition.size != "all":
        return None
    return Share(count, int(could_hold(definition.key, beside).sum()))


def _notes(paired: PairedRuns, made: RunComparison) -> Iterator[str]:
    """What a reader must know to read the numbers."""
    first, *others = made.runs
    if made.repeated:
        yield (
            f"{made.repeated:,} common images are there several times in a run: copies are matched "
            f"in their order."
        )
    lacking = [run.letter for run in paired.runs if (paired.predictions[_at(run)] < 0).all()]
    if lacking:
        yield f"{_all(lacking)} predicts no class, so that nothing can be said of right and wrong."
    elif (paired.labels[0] < 0).all():
        yield f"{first.letter} has no labels, so that nothing can be said of right and wrong."
    elif not paired.have_heads:
        yield "Not all heads say one class an image, so that probabilities are not compared."
    if (paired.labels[0] >= 0).any() and (paired.labels[-1] < 0).all():
        last = made.runs[-1].letter
        yield f"{last} has no labels, so that nothing can be said of what was fixed or broken."
    for one in made.pairs:
        if one.relabelled:
            yield (
                f"{one.relabelled:,} common images have another label in {one.letter}: right and "
                f"wrong are by the labels of {first.letter}, for all runs."
            )
    for letter, names in made.only_classes.items():
        yield f"Only {letter} has {_classes_named(names)}."
    for run in (first, *others):
        if caution := about_training(run.letter, run.trained_on, made.common):
            yield caution


def _at(run: ComparedRun) -> int:
    return LETTERS.index(run.letter)


def _all(letters: Sequence[str]) -> str:
    return f"Run {letters[0]}" if len(letters) == 1 else f"Each of {', '.join(letters)}"


def _classes_named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_CLASSES])
    rest = f" and {len(names) - MAX_CLASSES:,} more" if len(names) > MAX_CLASSES else ""
    return f"class {shown}" if len(names) == 1 else f"classes {shown}{rest}"
