"""Says what a comparison of runs found: as tables and sentences that terminal and page share, as
lines for the terminal, and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from review_embeddings.pipeline.analysis.pairs import PairedCounts, Share
from review_embeddings.pipeline.text import visible
from review_embeddings.pipeline.textcolumns import INDENT, TextColumn, lay_out, wrapped
from review_embeddings.review.comparison.findings import (
    AgainstFirst,
    ClassRow,
    ComparedList,
    RunComparison,
)

NOTICED = 0.05
"""p value below which a difference is called one."""

P_OF_CLASSES = "p (Holm)"

CLASSES_SHOWN = 30
"""Classes that the terminal shows; of more those that changed most."""

UNMATCHED_SHOWN = 10
"""Images that not all runs have and that a line names."""

FORMULAS = (
    "Intervals are of 95 %: Wilson's for a share, Newcombe's hybrid score interval (1998, method "
    "10) for a difference between runs on the same images; p values are McNemar's exact test "
    "(scipy.stats.binomtest), those of classes corrected for their number (Holm). They say how "
    "much other images would change the numbers, not how much another seed would."
)


@dataclass(frozen=True)
class NumberTable:
    """A table of texts."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1
    """How many of the first columns are names; the others are numbers."""
    least: tuple[str, ...] = ()
    """Headings of the columns that go first where a terminal is too narrow."""
    note: str = ""


# -- numbers


def percent(value: float) -> str:
    """``91.2 %``."""
    return f"{100 * value:.1f} %"


def share_text(share: Share | None) -> str:
    """``91.2 % (90.6 to 91.7)``; empty for none."""
    if share is None or not share.total:
        return ""
    low, high = share.interval
    return f"{percent(share.value)} ({100 * low:.1f} to {100 * high:.1f})"


def points(value: float) -> str:
    """``+0.4``, in percentage points."""
    return f"{100 * value:+.1f}"


def difference_text(difference: PairedCounts) -> str:
    """``+0.4 (-0.2 to +1.0)``."""
    low, high = difference.interval
    return f"{points(difference.difference)} ({points(low)} to {points(high)})"


def p_text(p_value: float) -> str:
    """``0.012``, or ``< 0.0001``."""
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"


def verdict(first: str, other: str, difference: PairedCounts) -> str:
    """What the difference comes to, in a sentence."""
    low, high = difference.interval
    measured = (
        f"accuracy {points(difference.difference)} points (95 %: {points(low)} to {points(high)}; "
        f"p {_equals(p_text(difference.p_value))}) from {first} to {other}"
    )
    unequal = difference.only_first + difference.only_second
    counts = (
        f"of {unequal:,} images that one alone has right {difference.only_second:,} are {other}'s"
    )
    if not unequal:
        return f"No difference: {first} and {other} are right about the same images."
    if difference.p_value >= NOTICED:
        return f"No difference beyond chance: {measured}; {counts}."
    better = other if difference.difference > 0 else first
    return f"{better} is better: {measured}; {counts}."


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"


# -- tables and sentences


def sentences(found: RunComparison) -> Iterator[str]:
    """How the runs compare, one sentence for each with the first."""
    first = found.runs[0].letter
    for one in found.pairs:
        if one.difference is not None:
            yield verdict(first, one.letter, one.difference)
        if one.by_its_labels is not None:
            yield f"By the labels of {one.letter}: " + _lowered(
                verdict(first, one.letter, one.by_its_labels)
            )


def _lowered(sentence: str) -> str:
    return f"n{sentence[1:]}" if sentence.startswith("No ") else sentence


def matched_text(found: RunComparison) -> str:
    """How many images are common, and of how many."""
    how = "content" if found.match_by == "content" else "decoded pixels"
    if found.recoded:
        how += f" ({found.recoded:,} of them only as copies with loss)"
    shares = ", ".join(f"{percent(run.common)} of {run.letter}" for run in found.runs)
    return f"{found.common:,} common images by {how}: {shares}"


def unmatched_lines(found: RunComparison, limit: int | None = UNMATCHED_SHOWN) -> Iterator[str]:
    """The ids of the images that not all runs have, those of each run in a line; the first ones
    up to ``limit``."""
    several = False
    for run in found.runs:
        if run.unmatched:
            ids = ", ".join(map(str, run.unmatched[:limit]))
            rest = len(run.unmatched) - len(run.unmatched[:limit])
            more = f" and {rest:,} more" if rest else ""
            several |= rest > 0
            yield f"{len(run.unmatched):,} images of {run.letter} are not common: {ids}{more}"
    if several:
        yield "--unmatched FILE.csv lists all that are not common, --html shows their ids."


def runs_table(found: RunComparison) -> NumberTable:
    """The runs."""
    rows = tuple(
        (
            run.letter,
            run.name,
            run.step,
            f"{run.images:,}",
            f"{len(run.unmatched):,}",
            share_text(run.accuracy),
        )
        for run in found.runs
    )
    headings = ("", "run", "checkpoint", "images", "not common", "accuracy (95 %)")
    return NumberTable("Runs", headings, rows, 2)


def lists_table(found: RunComparison) -> NumberTable:
    """How many images are in each list."""
    titles = {one.key: _name(one) for one in found.lists}
    rows = tuple(
        (
            _name(one),
            f"{len(one.rows):,}",
            share_text(one.share),
            f"the same as: {titles[one.same_as]}" if one.same_as else "",
        )
        for one in found.lists
        if one.share is not None
    )
    return NumberTable("Images", ("", "images", "share (95 %)", " "), rows)


def _name(one: ComparedList) -> str:
    return one.title.partition(" (")[0]


def likeness_table(found: RunComparison) -> NumberTable:
    """How alike embeddings, maps and predictions are, and what chance would give."""
    several = len(found.pairs) > 1
    rows = [
        row
        for one in found.pairs
        for row in _likeness(f"{found.runs[0].letter} and {one.letter}: " * several, one)
    ]
    headings = ("", "found", "by chance", "a perfect match")
    return NumberTable("Embeddings", headings, tuple(rows))


def _likeness(names: str, one: AgainstFirst) -> Iterator[tuple[str, ...]]:
    like = one.likeness
    if one.same_prediction is not None:
        yield f"{names}same prediction", share_text(one.same_prediction), "", "100 %"
    yield f"{names}linear CKA", f"{like.cka:.2f}", f"{like.cka_by_chance:.2f}", "1"
    yield (
        f"{names}neighbours shared",
        percent(one.shared_neighbors),
        percent(one.shared_by_chance),
        "100 %",
    )
    yield (
        f"{names}disparity of the spaces",
        f"{like.disparity:.2f}",
        f"{like.disparity_by_chance:.2f}",
        "0",
    )
    yield f"{names}disparity of the maps", f"{one.map_disparity:.2f}", "", "0"


def classes_table(found: RunComparison, limit: int | None = None) -> NumberTable:
    """The accuracy of every class in every run, and the difference from the first to the last; of
    more classes than ``limit`` those that changed most."""
    letters = [run.letter for run in found.runs]
    ordered = sorted(found.classes, key=lambda one: -abs(one.difference.difference))
    kept = {one.name for one in ordered[:limit]}
    shown = [one for one in found.classes if one.name in kept]
    rest = len(found.classes) - len(shown)
    only = (f"only {letters[0]} right", f"only {letters[-1]} right")
    return NumberTable(
        "Classes",
        (
            "class",
            "images",
            *letters,
            f"{letters[0]} to {letters[-1]} (95 %)",
            *only,
            P_OF_CLASSES,
        ),
        tuple(_class_row(one) for one in shown),
        least=(P_OF_CLASSES, *only, "images"),
        note=f"{rest:,} classes that changed less are left out; the page has all." if rest else "",
    )


def _class_row(one: ClassRow) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.difference.total:,}",
        *(percent(share.value) for share in one.right),
        difference_text(one.difference),
        f"{one.difference.only_first:,}",
        f"{one.difference.only_second:,}",
        p_text(one.adjusted_p),
    )


# -- for the terminal


def as_text(found: RunComparison, width: int | None = None) -> str:
    """The comparison for a terminal of some width; without one its lines are as long as they
    are."""
    wide = width or sys.maxsize
    lines = [*_laid(runs_table(found), width), "", *wrapped(matched_text(found), wide)]
    for sentence in (*sentences(found), *found.notes, *unmatched_lines(found)):
        lines += wrapped(visible(sentence), wide)
    tables = (lists_table(found), likeness_table(found), classes_table(found, CLASSES_SHOWN))
    for one in tables:
        if one.rows:
            lines += ["", *_laid(one, width), *wrapped(one.note, wide) * bool(one.note)]
    for listed in found.lists:
        if listed.rows and not listed.same_as:
            lines += ["", *wrapped(listed.title, wide), *_images(listed, width)]
    return "\n".join([*lines, "", *wrapped(FORMULAS, wide)]) + "\n"


def _laid(shown: NumberTable, width: int | None) -> list[str]:
    """A table in columns; names go on in the next line, numbers end below each other."""
    cells = [*zip(*shown.rows, strict=True)]
    columns = [
        TextColumn(
            visible(heading),
            [visible(cell) for cell in own],
            right=number >= shown.names,
            wraps=number < shown.names,
            dispensable=shown.least.index(heading) if heading in shown.least else None,
        )
        for number, (heading, own) in enumerate(zip(shown.headings, cells, strict=True))
    ]
    laid = lay_out(columns, width)
    return [*laid.heading, *laid.rows, *([laid.about_left_out()] if laid.left_out else [])]


def _images(listed: ComparedList, width: int | None) -> list[str]:
    """The first images of a list, further in than its title."""
    rows = [(str(one.image_id), one.label, one.reason, one.decision) for one in listed.first]
    columns = [
        TextColumn("", [visible(cell) for cell in cells], right=number == 0, wraps=True)
        for number, cells in enumerate(zip(*rows, strict=True))
    ]
    room = None if width is None else width - len(INDENT)
    return [f"{INDENT}{line}" for line in lay_out(columns, room).rows]


# -- as JSON


def as_json(found: RunComparison) -> dict[str, Any]:
    """The comparison for programs."""
    return {
        "runs": [{**asdict(run), "accuracy": share_json(run.accuracy)} for run in found.runs],
        "match": found.match_by,
        "common": found.common,
        "matched_with_loss": found.recoded,
        "repeated": found.repeated,
        "judged": found.judged,
        "disagreement": found.disagreement,
        "against_first": [_pair_json(one) for one in found.pairs],
        "classes": [_class_json(one) for one in found.classes],
        "lists": [_list_json(one) for one in found.lists],
        "only_classes": found.only_classes,
        "notes": list(found.notes),
    }


def _class_json(one: ClassRow) -> dict[str, Any]:
    return {
        "name": one.name,
        "right": [share.count for share in one.right],
        **difference_json(one.difference),
        "adjusted_p_value": one.adjusted_p,
    }


def _list_json(one: ComparedList) -> dict[str, Any]:
    return {
        "key": one.key,
        "title": one.title,
        "count": len(one.rows),
        "share": share_json(one.share),
        "same_as": one.same_as or None,
        "images": list(one.ids),
        "first": [asdict(row) for row in one.first],
    }


def share_json(share: Share | None) -> dict[str, Any] | None:
    """A share with its interval."""
    if share is None or not share.total:
        return None
    low, high = share.interval
    return {
        "count": share.count,
        "total": share.total,
        "value": share.value,
        "low": low,
        "high": high,
    }


def difference_json(difference: PairedCounts) -> dict[str, Any]:
    """The four counts of a difference, its interval and McNemar's p value."""
    low, high = difference.interval
    return {
        **asdict(difference),
        "difference": difference.difference,
        "low": low,
        "high": high,
        "p_value": difference.p_value,
    }


def _pair_json(one: AgainstFirst) -> dict[str, Any]:
    both = {"difference": one.difference, "difference_by_its_labels": one.by_its_labels}
    return {
        "letter": one.letter,
        **{name: None if own is None else difference_json(own) for name, own in both.items()},
        "relabelled": one.relabelled,
        "same_prediction": share_json(one.same_prediction),
        **asdict(one.likeness),
        "shared_neighbors": one.shared_neighbors,
        "shared_neighbors_by_chance": one.shared_by_chance,
        "map_disparity": one.map_disparity,
    }
