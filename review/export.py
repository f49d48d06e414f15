"""Curated lists of images: which ones, in which order, written as CSV, Parquet, JSON or JSON Lines,
and read back.

The same run, decisions and options always give the same bytes.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline import storage, table
from pipeline.checkpoints import select
from pipeline.dataset import RunImages, read_images
from pipeline.errors import RunError, SettingsError
from pipeline.imagequality import FINE
from pipeline.runfolder import RunFolder, storage_errors, whole_file
from review.decisions import (
    DECISIONS,
    UNDECIDED,
    Decision,
    History,
    Judged,
    new_request,
    now,
    writing,
)
from review.lists import leak_order
from review.targets import check_target

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "jsonl": ".jsonl"}
"""Forms of a list and the endings of their files."""

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

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""

GUARD = "'"
"""Stands before such a cell, and before one that begins with it, so that it can be taken away
again."""


@dataclass(frozen=True)
class ListColumn:
    """One column of a list."""

    name: str
    kind: str
    """int, float, bool or text."""
    meaning: str


COLUMNS = (
    ListColumn("image_id", "int", "row of the data set's split"),
    ListColumn("image_hash", "text", "SHA-256 of the image's bytes; decisions are kept by it"),
    ListColumn(
        "path",
        "text",
        "the image's file, relative to the data set's folder; empty where the data set names none",
    ),
    ListColumn("label", "text", "the given label"),
    ListColumn(
        "decision", "text", "keep, relabel, remove, duplicate or unsure; empty where nobody decided"
    ),
    ListColumn("new_label", "text", "the right class, of a relabel"),
    ListColumn("note", "text", "what the reviewer wrote"),
    ListColumn("reviewer", "text", "who decided"),
    ListColumn("decided_at", "text", "when, UTC"),
    ListColumn("listed_as", "text", "why the image is in this list"),
    ListColumn("checkpoint", "int", "step of the checkpoint that the next eight columns are of"),
    ListColumn("prediction", "text", "the class it finds most probable"),
    ListColumn("confidence", "float", "its probability"),
    ListColumn(
        "ood_score", "float", "cleanlab's out-of-distribution score; lower is more atypical"
    ),
    ListColumn("ood_rank", "int", "place by it; 1 is the most atypical"),
    ListColumn("ood_percentile", "float", "that place in percent"),
    ListColumn(
        "label_score",
        "float",
        "cleanlab's label quality (normalised margin); lower is more likely wrong",
    ),
    ListColumn(
        "label_rank", "int", "place by it; 1 is the label most likely wrong; 0 without a label"
    ),
    ListColumn("suggested_label", "text", "the class that fits best"),
    ListColumn(
        "trajectory_label_score",
        "float",
        "label quality over all checkpoints of the table; lower is more likely wrong",
    ),
    ListColumn("trajectory_label_rank", "int", "place by it; 0 without label"),
    ListColumn(
        "duplicate_group",
        "int",
        "image_id of the first image of its group of copies; -1 for images that are there once",
    ),
    ListColumn("duplicate_kind", "text", "no, near or exact"),
    ListColumn("duplicate_labels_differ", "bool", "its copies have different labels"),
    ListColumn(
        "leak_of", "int", "row of the same image in the split named with --against; -1 for none"
    ),
    ListColumn("leak_kind", "text", "no, near or exact"),
    ListColumn("leak_label", "text", "its label there"),
    ListColumn("leak_path", "text", "its file there"),
    ListColumn(
        "image_issue",
        "text",
        "what is most wrong with the picture itself; not checked without --image-quality",
    ),
    ListColumn("image_issue_rank", "int", "place by it; 0 where not checked"),
    ListColumn(
        "outlier_life",
        "text",
        "never, passing, resolved, emergent or persistent, over all checkpoints of the table",
    ),
    ListColumn(
        "mean_percentile",
        "float",
        "mean of ood_percentile over all checkpoints of the table; lower is more atypical",
    ),
    ListColumn("consensus_rank", "int", "place by mean_percentile"),
    ListColumn("image_file", "text", "the copied image, with --images"),
)
"""Every column of a list, in order. The README's table comes from here."""

NAMES = tuple(column.name for column in COLUMNS)
TEXTS = frozenset(column.name for column in COLUMNS if column.kind == "text")


def as_markdown() -> str:
    """The columns as the README shows them."""
    rows = [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in COLUMNS]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])


# -- which images


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


# -- files


def write_list(frame: pd.DataFrame, out: Path, form: str) -> None:
    """Write a list in one of `FORMATS`, whole or not at all. Raises StorageError where it cannot be
    written."""
    with whole_file(out) as temporary:
        if form == "parquet":
            frame.to_parquet(temporary, index=False, compression="zstd")
        else:
            temporary.write_bytes(_as_text(frame, form).encode("utf-8", "surrogatepass"))


def _as_text(frame: pd.DataFrame, form: str) -> str:
    records = [
        {name: _plain(value) for name, value in zip(NAMES, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    if form == "json":
        return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
    if form == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(NAMES)
    for record in records:
        writer.writerow(
            [
                "" if value is None else guarded(value) if isinstance(value, str) else value
                for value in record.values()
            ]
        )
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """A number or text as JSON has it; the shortest digits that give the same float32, null for a
    gap."""
    if isinstance(value, (np.floating, float)):
        return None if np.isnan(value) else float(str(np.float32(value)))
    return value.item() if isinstance(value, np.generic) else value


def guarded(text: str) -> str:
    """A CSV cell that no spreadsheet runs as a formula; `unguarded` gives it back."""
    return GUARD + text if text.startswith((*FORMULA, GUARD)) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given. A single quote that a person wrote before other text
    stays."""
    return text[1:] if text.startswith(GUARD) and text[1:].startswith((*FORMULA, GUARD)) else text


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


def ending_of(data: bytes) -> str:
    """The ending of an image file, by its contents."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        known = {"JPEG": ".jpg", "TIFF": ".tif"}
        return known.get(str(image.format), f".{str(image.format).lower()}")


# -- reading back


def import_decisions(run: RunFolder, path: Path, reviewer: str) -> tuple[int, int]:
    """Add the decisions of a file to those of a run: all of them or, where one row is wrong, none.

    Returns how many were added and how many said what the run knew already. Raises SettingsError,
    and BusyError while the run is open in a review.
    """
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no images yet. Run: review-embeddings build --run {run}")
    hashes: dict[str, int] = {}
    for image, image_hash in zip(images.ids.tolist(), images.hashes, strict=True):
        hashes.setdefault(image_hash, image)
    lines = list(read_decisions(path, Judged.of(images), reviewer, hashes))
    with writing(run) as writer:
        request = new_request()
        told = {
            (line.image_hash, line.time): line
            for line in writer.history.lines
            if line.decision is not None
        }
        current = writer.history.current()
        new = [
            replace(line, request=request)
            for read in lines
            if (line := _as_new(read, told, current, reviewer)) is not None
        ]
        return len(writer.append(new)), len(lines) - len(new)


def _as_new(
    line: Decision,
    told: Mapping[tuple[str, str], Decision],
    current: Mapping[str, Decision],
    reviewer: str,
) -> Decision | None:
    """A decision of a file as it is to be added; None for one that is known or older than what is
    known.

    A row that was exported from this run and changed since is the importer's decision, made now.
    """
    known, exported = current.get(line.image_hash), told.get((line.image_hash, line.time))
    if known is None and line.decision == UNDECIDED:
        return None
    if (known is not None and _same(line, known)) or (
        exported is not None and _same(line, exported)
    ):
        return None
    if exported is not None:
        return replace(line, reviewer=reviewer, time=now())
    return None if known is not None and line.time < known.time else line


def _same(one: Decision, other: Decision) -> bool:
    return (one.decision, one.new_label, one.note) == (other.decision, other.new_label, other.note)


def read_decisions(
    path: Path, judged: Judged, reviewer: str, hashes: Mapping[str, int]
) -> Iterator[Decision]:
    """The decisions in a list, from a file written here, by a spreadsheet or by somebody else.

    It must name images (``image_hash`` or ``image_id``) and decisions (``decision``, and
    ``new_label`` for a relabel); ``note``, ``reviewer`` and ``decided_at`` are kept where they are
    there. Rows without a decision are passed over, ``undecided`` takes one back. ``hashes`` gives
    the image id of each hash. Raises SettingsError that names the row for whatever is wrong in it.
    """
    rows = _read_rows(path)
    columns = set(rows[0]) if rows else set(NAMES)
    missing = [name for name in ("decision",) if name not in columns]
    if not columns & {"image_id", "image_hash"}:
        missing.insert(0, "image_hash (or image_id)")
    if missing:
        raise SettingsError(
            f"{path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(sorted(columns))}. Add it."
        )
    said: dict[str, Decision] = {}
    for number, row in enumerate(rows, start=1):
        decision = _cell(row, "decision").strip().lower()
        if not decision:
            if _cell(row, "new_label"):
                raise SettingsError(
                    f"{path}, row {number}: there is a new label and no decision. Write relabel. "
                    f"Nothing was imported."
                )
            continue
        when = _cell(row, "decided_at")
        if when and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", when):
            raise SettingsError(
                f"{path}, row {number}: decided_at {when!r} is no time such as {now()}. Nothing "
                f"was imported."
            )
        try:
            image = _image_of(row, judged, hashes)
            new_label = _cell(row, "new_label") or None
            (line,) = judged.decide(
                [image],
                decision,
                new_label=new_label,
                note=_cell(row, "note"),
                reviewer=_cell(row, "reviewer") or reviewer,
                time=when or None,
            )
        except SettingsError as error:
            raise SettingsError(f"{path}, row {number}: {error} Nothing was imported.") from error
        if line.image_hash in said and not _same(
            replace(line, note=""), replace(said[line.image_hash], note="")
        ):
            raise SettingsError(
                f"{path}, row {number}: an earlier row says something else of the same image. "
                f"Nothing was imported."
            )
        said[line.image_hash] = line
        yield line


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value != value else str(value)


def _image_of(row: Mapping[str, Any], judged: Judged, hashes: Mapping[str, int]) -> int:
    """The image that a row is about: by its content, else by its number."""
    if image_hash := _cell(row, "image_hash"):
        if image_hash not in hashes:
            raise SettingsError(f"The image with hash {image_hash[:16]}… is not in this run.")
        return hashes[image_hash]
    text = _cell(row, "image_id")
    try:
        number = float(text)  # spreadsheets write 7.0
        image = int(number)
        if number != image:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{text!r} is no image_id.") from error
    if image not in judged.places:
        raise SettingsError(f"Image {image} is not in this run.")
    return image


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise SettingsError(
            f"{path} is not there. Give a file with decisions: {', '.join(FORMATS.values())}."
        )
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            import pyarrow.parquet as parquet

            rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
            return rows
        data = path.read_bytes()
        wide = data.startswith(
            (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        )  # how spreadsheets write "Unicode text"
        text = data.decode("utf-16") if wide else data.decode("utf-8-sig", "surrogatepass")
        if ending == ".json":
            rows = json.loads(text)
        elif ending == ".jsonl":
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        elif ending == ".csv":
            rows = _read_csv(text)
        else:
            raise SettingsError(
                f"{path} is not of a known kind. Give one of {', '.join(FORMATS.values())}."
            )
    except (ValueError, OSError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}. Give a file such as `review-embeddings export` "
            f"writes."
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError(
            f"{path} holds no list of rows. Give a file such as `review-embeddings export` writes."
        )
    return rows


def _read_csv(text: str) -> list[dict[str, Any]]:
    """Rows of a CSV file; commas, semicolons or tabs, as spreadsheets of many countries write them;
    headings in any case."""
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True
    )
    return [
        {
            name.strip().lower(): unguarded(value or "")
            for name, value in row.items()
            if name is not None
        }
        for row in reader
    ]
