"""Curated lists of images: which ones, in which order, with which columns."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.categories import FINE
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.models.checkpoints import select
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import storage_errors, whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import DECISIONS, History
from review_embeddings.review.exchange.columns import NAMES, TEXTS
from review_embeddings.review.exchange.formats import FORMATS, ending_of, write_list
from review_embeddings.review.exchange.targets import check_target
from review_embeddings.review.lists.lists import leak_order

if TYPE_CHECKING:
    import pandas as pd


LISTS = (
    "worst",
    "consensus",
    "labels",
    "duplicates",
    "leaks",
    "pictures",
    "resolved",
    "new",
    "decided",
)
"""Most atypical at a checkpoint; over all; labels most likely wrong; copies; in the other split
too; poor as pictures; no longer or newly atypical; with a decision."""

DEFAULT_TOP = 100


@dataclass(frozen=True)
class Selection:
    """Which images are wanted."""

    kind: str | None = None
    """One of `LISTS`; None for the decided ones and then the worst that nobody decided about."""
    saved: str | None = None
    """Name of a saved list, instead."""
    decided: tuple[str, ...] = ()
    """Only images with one of these decisions."""
    top: int | None = None
    per_class: bool = False
    """``top`` of each class."""
    checkpoints: tuple[str, ...] = ()
    """One step (or first, or last), or two for resolved and new; none for the last, and the first
    and the last."""


def export_list(
    run: RunFolder,
    history: History,
    selection: Selection,
    *,
    form: str,
    out: Path | None = None,
    copy: bool = False,
) -> tuple[int, int, Path]:
    """Write a list to ``out`` or into the run's exports; with ``copy`` the image files go into a
    folder beside it.

    Returns its images, how many of them are decided, and the file. Raises SettingsError, RunError
    and StorageError.
    """
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no table yet. Run: review-embeddings build --run {run}")
    if form not in FORMATS:
        raise SettingsError(f"--format {form} is not known. Use one of {', '.join(FORMATS)}.")
    path = out or run.exports / f"outliers{FORMATS[form]}"
    if path.suffix.lower() != FORMATS[form]:
        raise SettingsError(
            f"--out {path} does not end in {FORMATS[form]}, as --format {form} does. Change one of "
            f"them."
        )
    check_target(run, path)
    made = make_list(run, images, history, selection)
    if copy:
        made = copy_images(made, images, path.with_name(f"{path.stem}-images"))
    write_list(made, path, form)
    return len(made), int((made["decision"] != "").sum()), path


def make_list(
    run: RunFolder, images: RunImages, history: History, selection: Selection
) -> pd.DataFrame:
    """The list as a DataFrame with `COLUMNS`. Raises SettingsError for what cannot be listed,
    RunError without a table."""
    manifest = table.read_manifest(run)
    if manifest is None:
        raise RunError(f"Run {run} has no table yet. Run: review-embeddings build --run {run}")
    _check(selection, history)
    early, late = _ends(selection, manifest.steps)
    facts = _facts(run, images, late)
    places, reasons = _choose(run, images, history, selection, facts, early, late)
    frame = facts.iloc[places].reset_index(drop=True)
    frame["listed_as"] = reasons
    current = history.current()
    decisions = [current.get(image) for image in frame["image_hash"]]
    for name, attribute in (
        ("decision", "decision"),
        ("new_label", "new_label"),
        ("note", "note"),
        ("reviewer", "reviewer"),
    ):
        frame[name] = _texts(
            [None if said is None else getattr(said, attribute) for said in decisions]
        )
    frame["decided_at"] = _texts([None if said is None else said.time for said in decisions])
    frame["image_file"] = _texts([None] * len(frame))
    return frame[list(NAMES)]


def _texts(values: Sequence[str | None]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = ["" if value is None else value for value in values]
    return column


def _check(selection: Selection, history: History) -> None:
    if selection.kind is not None and selection.kind not in LISTS:
        raise SettingsError(f"--list {selection.kind} is not known. Use one of {', '.join(LISTS)}.")
    unknown = next((name for name in selection.decided if name not in DECISIONS), None)
    if unknown is not None:
        raise SettingsError(
            f"--decided {unknown} is no decision. Use some of {', '.join(DECISIONS)}."
        )
    if selection.kind is not None and selection.saved is not None:
        raise SettingsError("--list and --saved are two ways to say which images. Use one of them.")
    saved = history.saved_lists()
    if selection.saved is not None and selection.saved not in saved:
        raise SettingsError(
            f"--saved {selection.saved}: there is no such list; saved are "
            f"{', '.join(sorted(saved)) or 'none'}. Name one of them."
        )
    if selection.top is not None and selection.top < 1:
        raise SettingsError(f"--top {selection.top} is out of range. Use 1 or more.")


def _ends(selection: Selection, steps: Sequence[int]) -> tuple[int, int]:
    """The earlier and the later checkpoint that the list is about."""
    chosen = select(steps, selection.checkpoints) if selection.checkpoints else []
    if len(chosen) > 2:
        raise SettingsError(
            "A list is of one checkpoint, or between two. Give --checkpoint once or twice."
        )
    if selection.kind in {"resolved", "new"}:
        early, late = (
            (chosen[0], chosen[-1])
            if len(chosen) == 2
            else (steps[0], chosen[0] if chosen else steps[-1])
        )
        if len(steps) < 2:
            raise SettingsError(
                f"--list {selection.kind} is between two checkpoints, and the table has one. Build "
                f"it with more."
            )
        if early == late:
            raise SettingsError(
                f"--list {selection.kind} is between two checkpoints. Give --checkpoint twice, "
                f"with different ones."
            )
        return early, late
    if len(chosen) == 2:
        raise SettingsError(
            "Two checkpoints make sense for --list resolved and --list new only. Give one."
        )
    late = chosen[0] if chosen else steps[-1]
    return late, late


def _facts(run: RunFolder, images: RunImages, late: int) -> pd.DataFrame:
    """What is known about every image: at one checkpoint, and over all of them."""
    import pandas as pd

    at_checkpoint = [
        "prediction",
        "confidence",
        "ood_score",
        "ood_rank",
        "ood_percentile",
        "label_score",
        "label_rank",
        "suggested_label",
    ]
    over_all = [
        "trajectory_label_score",
        "trajectory_label_rank",
        "duplicate_group",
        "duplicate_kind",
        "duplicate_labels_differ",
        "leak_of",
        "leak_kind",
        "leak_label",
        "leak_path",
        "image_issue",
        "image_issue_rank",
        "outlier_life",
        "mean_percentile",
        "consensus_rank",
    ]
    part = table.read(run, checkpoints=[late], columns=[*at_checkpoint, *over_all])
    facts: dict[str, Any] = {
        "image_id": images.ids,
        "image_hash": _texts(images.hashes),
        "path": _texts(images.paths),
        "label": _texts(images.label_names or [None] * len(images)),
        "checkpoint": np.full(len(images), late),
    }
    for name in (*at_checkpoint, *over_all):
        values = part[name]
        facts[name] = (
            _texts([None if value != value else value for value in values.astype(object)])
            if name in TEXTS
            else values.to_numpy()
        )
    return pd.DataFrame(facts)


def _choose(
    run: RunFolder,
    images: RunImages,
    history: History,
    selection: Selection,
    facts: pd.DataFrame,
    early: int,
    late: int,
) -> tuple[list[int], list[str]]:
    """Places of the chosen images, in order, and why each is there."""
    current = history.current()
    said = [current[image].decision if image in current else None for image in images.hashes]
    ranks = facts["ood_rank"].to_numpy()
    order = np.argsort(ranks, kind="stable")
    decided = [int(place) for place in order if said[place] is not None]
    if selection.saved is not None:
        members = history.saved_lists()[selection.saved]
        first_place: dict[str, int] = {}
        for place, image in enumerate(images.hashes):
            first_place.setdefault(image, place)
        places = [first_place[image] for image in members if image in first_place]
        chosen = [(place, f"saved list {selection.saved}") for place in places]
    elif selection.kind == "decided" or (selection.kind is None and selection.decided):
        chosen = [(place, f"decided: {said[place]}") for place in decided]
    elif selection.kind is None:
        undecided = [int(place) for place in order if said[place] is None]
        chosen = [(place, f"decided: {said[place]}") for place in decided]
        chosen += [(place, f"worst at step {late}") for place in _top(undecided, facts, selection)]
    elif selection.kind in {"worst", "consensus", "labels", "pictures"}:
        by, why = _order_of(selection, facts, late)
        places = [
            int(place)
            for place in _ranked(by)
            if not selection.decided or said[place] in selection.decided
        ]
        chosen = [
            (place, why or str(facts["image_issue"][place]))
            for place in _top(places, facts, selection)
        ]
    elif selection.kind == "duplicates":
        group = facts["duplicate_group"].to_numpy()
        places = [int(place) for place in np.argsort(group, kind="stable") if group[place] >= 0]
        chosen = [
            (place, f"{facts['duplicate_kind'][place]} duplicate")
            for place in _top(places, facts, selection, every=True)
        ]
    elif selection.kind == "leaks":
        info = run.read_info()
        if info is None or info.settings.against is None:
            raise SettingsError(
                "--list leaks needs another split to look in. Run: review-embeddings build "
                "--against train (with --run)."
            )
        leak = facts["leak_of"].to_numpy()
        order = leak_order(facts)
        places = [int(place) for place in np.argsort(order, kind="stable") if leak[place] >= 0]
        chosen = [
            (place, f"also row {leak[place]} of {info.settings.against}")
            for place in _top(places, facts, selection, every=True)
        ]
    else:
        chosen = _changed(run, selection, facts, ranks, early, late)
    if selection.decided:
        chosen = [(place, why) for place, why in chosen if said[place] in selection.decided]
    return [place for place, _ in chosen], [why for _, why in chosen]


def _order_of(selection: Selection, facts: pd.DataFrame, late: int) -> tuple[NDArray[Any], str]:
    """Ranks that a list of the worst goes by, and why an image is in it; SettingsError where there
    are none.

    Of poor pictures the reason is each one's own, and those with nothing wrong have no rank.
    """
    if selection.kind == "worst":
        return facts["ood_rank"].to_numpy(), f"worst at step {late}"
    if selection.kind == "consensus":
        return facts["consensus_rank"].to_numpy(), "worst over all checkpoints"
    if selection.kind == "pictures":
        rank = facts["image_issue_rank"].to_numpy()
        if not rank.any():
            raise SettingsError(
                "--list pictures needs the images to be looked at once. Run: review-embeddings "
                "build --image-quality (with --run)."
            )
        return np.where(facts["image_issue"] == FINE, 0, rank), ""
    over_all, at_step = facts["trajectory_label_rank"].to_numpy(), facts["label_rank"].to_numpy()
    if not at_step.any():
        raise SettingsError(
            "--list labels is about labels, and this data set has none. Use another list."
        )
    if over_all.any() and not selection.checkpoints:
        return over_all, "label fits worst over all checkpoints"
    return at_step, f"label fits worst at step {late}"


def _ranked(ranks: NDArray[Any]) -> list[int]:
    """Places by rank, 1 first; rank 0 is no rank."""
    return [int(place) for place in np.argsort(ranks, kind="stable") if ranks[place] > 0]


def _changed(
    run: RunFolder,
    selection: Selection,
    facts: pd.DataFrame,
    ranks: NDArray[Any],
    early: int,
    late: int,
) -> list[tuple[int, str]]:
    """Images among the worst at one of two checkpoints and not at the other, the furthest risen or
    fallen first."""
    before = table.read(run, checkpoints=[early], columns=["ood_rank"])["ood_rank"].to_numpy()
    was, is_now = (_among_worst(values, facts, selection) for values in (before, ranks))
    if selection.kind == "resolved":
        places = np.flatnonzero(was & ~is_now)
        return [
            (int(place), f"resolved between step {early} and {late}")
            for place in places[np.argsort(before[places], kind="stable")]
        ]
    places = np.flatnonzero(~was & is_now)
    return [
        (int(place), f"new between step {early} and {late}")
        for place in places[np.argsort(ranks[places], kind="stable")]
    ]


def _top(
    places: Sequence[int], facts: pd.DataFrame, selection: Selection, *, every: bool = False
) -> list[int]:
    """The first ``top`` of the ordered places, or of each class; where no number was said,
    `DEFAULT_TOP`, or with ``every`` all."""
    top = selection.top or (len(places) if every else DEFAULT_TOP)
    if not selection.per_class:
        return list(places[:top])
    labels, counts, chosen = facts["label"].to_numpy(), dict[str, int](), []
    for place in places:
        counts[labels[place]] = counts.get(labels[place], 0) + 1
        if counts[labels[place]] <= top:
            chosen.append(place)
    return chosen


def _among_worst(
    ranks: NDArray[Any], facts: pd.DataFrame, selection: Selection
) -> NDArray[np.bool_]:
    mask = np.zeros(len(ranks), dtype=bool)
    mask[_top(np.argsort(ranks, kind="stable").tolist(), facts, selection)] = True
    return mask


def copy_images(frame: pd.DataFrame, images: RunImages, folder: Path) -> pd.DataFrame:
    """Write the image files of a list into a folder and name them in its column ``image_file``.

    The names are the image's number and an ending by its contents: nothing of the data set's own
    names is in them.
    """
    places = {image: place for place, image in enumerate(images.ids.tolist())}
    wanted = {places[image]: number for number, image in enumerate(frame["image_id"].tolist())}
    names: list[str | None] = [None] * len(frame)
    written: list[Path] = []
    with storage_errors(folder), contextlib.ExitStack() as unless_all:
        unless_all.callback(_take_back, folder, written)
        folder.mkdir(parents=True, exist_ok=True)
        for place, data in images.read_some(list(wanted)):
            path = folder / f"{int(images.ids[place]):07d}{ending_of(data)}"
            if not path.exists():
                written.append(path)
            with whole_file(path) as temporary:
                temporary.write_bytes(data)
            names[wanted[place]] = f"{folder.name}/{path.name}"
        unless_all.pop_all()
        for file in folder.iterdir():  # of an earlier list
            if re.fullmatch(r"\d{7}\.\w+", file.name) and f"{folder.name}/{file.name}" not in names:
                file.unlink()
    return frame.assign(image_file=_texts(names))


def _take_back(folder: Path, written: list[Path]) -> None:
    """Remove new files, and the folder if nothing else is in it."""
    for path in written:
        storage.remove(path)
    with contextlib.suppress(OSError):
        folder.rmdir()
