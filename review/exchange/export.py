"""Curated lists of images as files: which ones, in which order, with which columns."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.models.checkpoints import select
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.commandline import build_command, command_line
from review_embeddings.pipeline.run.files import storage_errors, whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import make_folder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table.formats import FORMATS
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.kinds import DECISIONS, LAST, LEAVE
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import Note
from review_embeddings.review.exchange import columns
from review_embeddings.review.exchange.formats import read_rows, write_list
from review_embeddings.review.exchange.forms import GAIN, ORDERS
from review_embeddings.review.exchange.imports import filled_in
from review_embeddings.review.exchange.sourcerows import ending_by_content
from review_embeddings.review.exchange.targets import check_target
from review_embeddings.review.lists import LISTS, ListDefinition, keys
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import choose
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    DISPUTED,
    IMAGE_FILE,
    LISTED_AS,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)
from review_embeddings.review.lists.gain import GROUPS, in_order_of_gain
from review_embeddings.review.lists.listed import LABELS
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.lists.refit import why_with_decisions, with_decisions

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TOP = 100
"""Undecided images after the decided ones, where no list is named."""

MAX_ROWS = 5
"""Filled-in rows that a message names."""

WORST, DECIDED = "worst", "decided"
"""The lists of which that consists."""


@dataclass(frozen=True)
class Selection:
    """Which images are wanted."""

    kind: str | None = None
    """Key of one of the `LISTS`; None for the decided ones and then the worst that nobody decided
    about."""
    saved: str | None = None
    """Name of a saved list, instead."""
    decided: tuple[str, ...] = ()
    """Only images with one of these decisions."""
    top: int | None = None
    """How many; None for as many as the list has of itself."""
    per_class: bool = False
    """``top`` of each class."""
    checkpoints: tuple[str, ...] = ()
    """One step (or first, last, best), or two for a list between two; none for the last, and the
    first and the last."""
    with_decisions: bool = False
    """Whether labels are ranked anew with what was decided so far."""
    order: str | None = None
    """One of `ORDERS`; None for that of the list."""
    disputed: str | None = None
    """What disputed images count as, one of `kinds.DISPUTED`; None to leave their decision empty,
    and to refuse what chooses or judges by it."""

    @property
    def definition(self) -> ListDefinition | None:
        """Of the list that is named."""
        return None if self.kind is None else LISTS[self.kind]


Chosen = Iterable[tuple[int, str]]
"""Rows of images among all, in order, and why each is listed."""


def export_list(
    run: RunFolder,
    history: History,
    selection: Selection,
    *,
    form: str,
    out: Path | None = None,
    copy: bool = False,
    note: Note = SILENT.note,
) -> tuple[int, int, Path]:
    """Write a list to ``out`` or into the run's exports; with ``copy`` the image files go into a
    folder beside it.

    Returns its images, how many of them are decided, and the file. Raises SettingsError, RunError
    and StorageError.
    """
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    path = _target(run, form, out, selection)
    _check_filled_in(run, path, history)
    made = make_list(run, images, history, selection)
    if copy:
        folder = path.with_name(f"{path.stem}-images")
        made = copy_images(made, images, folder, _copies_of(path, folder), note)
    write_list(made, path, form)
    _note_disputed(made, selection, note)
    return len(made), int((made[DECISION] != "").sum()), path


def _note_disputed(made: pd.DataFrame, selection: Selection, note: Note) -> None:
    """Tell where decisions were left empty."""
    count = int((made[DISPUTED] != "").sum())
    if count and selection.disputed is None:
        images = "1 image" if count == 1 else f"{count:,} images"
        note(
            f"Disputed: {images} of the list, whose decision is empty; the column {DISPUTED} says "
            f"who decided what (--disputed {LAST} takes the last decision)"
        )


def _check_filled_in(run: RunFolder, path: Path, history: History) -> None:
    """Raise SettingsError where a list would be overwritten in which somebody decided."""
    if not path.is_file() or not path.stat().st_size:
        return
    numbers = filled_in(path, history)
    if numbers:
        shown = ", ".join(map(str, numbers[:MAX_ROWS])) + (" …" if numbers[MAX_ROWS:] else "")
        raise SettingsError(
            f"{path} was filled in: {len(numbers):,} rows hold what the run does not know (row "
            f"{shown}). Import them: {command_line('import', path, '--run', run)}; or name another "
            f"file with --out."
        )


def default_name(selection: Selection) -> str:
    """What a list is called where nothing else is said: each list has another name."""
    parts = [selection.kind or ("" if selection.saved is None else f"saved-{selection.saved}")]
    parts += ["decided", *selection.decided] if selection.decided else []
    parts += ["checkpoint", *selection.checkpoints] if selection.checkpoints else []
    parts += ["per-class"] if selection.per_class else []
    parts += ["with-decisions"] if selection.with_decisions else []
    parts += ["by", selection.order] if selection.order else []
    parts += [f"disputed-{selection.disputed}"] if selection.disputed else []
    named = (
        [part for part in parts if part]
        if parts[0] or selection.decided
        else ["outliers", *(part for part in parts if part)]
    )
    return re.sub(r"[^\w.-]+", "_", "-".join(named))[:100]


def _target(run: RunFolder, form: str, out: Path | None, selection: Selection) -> Path:
    if form not in FORMATS:
        raise SettingsError(
            f"--format {form} is not known. Use one of {', '.join(FORMATS.names())}."
        )
    ending = FORMATS[form].ending
    path = out or run.exports / f"{default_name(selection)}{ending}"
    if path.suffix.lower() != ending:
        raise SettingsError(
            f"--out {path} does not end in {ending}, as --format {form} does. Change one of them."
        )
    check_target(run, path)
    return path


def make_list(
    run: RunFolder, images: RunImages, history: History, selection: Selection
) -> pd.DataFrame:
    """The list as a DataFrame. Raises SettingsError for what cannot be listed,
    RunError without a table."""
    manifest = table.read_manifest(run)
    if manifest is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    _check(selection, history)
    steps = _ends(selection, manifest)
    current, differing = _current(history, selection), history.disputed()
    candidates = read_candidates(
        run,
        images,
        [selection.definition or LISTS[WORST], LISTS[DECIDED], LISTS[GROUPS]],
        steps,
        decisions=history.current() if selection.disputed is None else current,
        disputed=differing,
        at_checkpoint=bool(selection.checkpoints),
    )
    if selection.with_decisions and not LISTS[LABELS].needs(candidates):
        candidates = with_decisions(run, images, manifest.steps, current, candidates)
    chosen = list(_choose(images, history, selection, candidates))
    frame = _exported_columns(run, steps[-1]).iloc[[row for row, _ in chosen]]
    frame = frame.reset_index(drop=True).assign(
        **{LISTED_AS: _texts([reason for _, reason in chosen])},
        **_decision_columns([current.get(images.hashes[row]) for row, _ in chosen]),
        **{DISPUTED: _texts([candidates.disputes.get(row) for row, _ in chosen])},
        **{IMAGE_FILE: _texts([None] * len(chosen))},
    )
    return frame[list(columns.list_names())]


def _current(history: History, selection: Selection) -> dict[str, Decision]:
    """The decisions that the list holds. Raises SettingsError where it would be made by one that is
    disputed."""
    if selection.decided or selection.with_decisions or selection.disputed is not None:
        return history.settled(selection.disputed)
    return history.settled(LEAVE)


def _check(selection: Selection, history: History) -> None:
    if selection.kind is not None and selection.kind not in keys():
        raise SettingsError(
            f"--list {selection.kind} is not known. Use one of {', '.join(keys())}."
        )
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
    if selection.with_decisions:
        _check_with_decisions(selection, history)
    if selection.order is not None:
        _check_order(selection)
    if selection.top is not None and selection.top < 1:
        raise SettingsError(f"--top {selection.top} is out of range. Use 1 or more.")


def _check_order(selection: Selection) -> None:
    if selection.order not in ORDERS:
        raise SettingsError(
            f"--order {selection.order} is not known. Use one of {', '.join(ORDERS)}."
        )
    known = [key for key in keys() if LISTS[key].by_suspicion]
    if selection.kind not in known:
        raise SettingsError(
            f"--order {selection.order} is for lists that are ordered by suspicion. Use it with "
            f"--list {', '.join(known)}."
        )


def _check_with_decisions(selection: Selection, history: History) -> None:
    if selection.kind != LABELS or selection.checkpoints or selection.decided:
        raise SettingsError(
            f"--with-decisions ranks the labels of all checkpoints that nobody decided about. Use "
            f"it with --list {LABELS}, without --checkpoint and --decided."
        )
    if not history.current():
        raise SettingsError("--with-decisions needs decisions, and there are none yet.")


def _ends(selection: Selection, manifest: table.Manifest) -> tuple[int, int]:
    """The earlier and the later checkpoint that the list is about."""
    steps, chosen = manifest.steps, list[int]()
    if selection.checkpoints:
        chosen = select(steps, selection.checkpoints, best=manifest.best)
    if len(chosen) > 2:
        raise SettingsError(
            "A list is of one checkpoint, or between two. Give --checkpoint once or twice."
        )
    if selection.definition is not None and selection.definition.between:
        return _two_ends(selection, steps, chosen)
    if len(chosen) == 2:
        between = ", ".join(key for key in keys() if LISTS[key].between)
        raise SettingsError(
            f"Two checkpoints make sense for a list between them only ({between}). Give one."
        )
    late = chosen[0] if chosen else steps[-1]
    return late, late


def _two_ends(selection: Selection, steps: Sequence[int], chosen: Sequence[int]) -> tuple[int, int]:
    if len(steps) < 2:
        raise SettingsError(
            f"--list {selection.kind} is between two checkpoints, and the table has one. Build it "
            f"with more."
        )
    early = chosen[0] if len(chosen) == 2 else steps[0]
    late = chosen[-1] if chosen else steps[-1]
    if early == late:
        raise SettingsError(
            f"--list {selection.kind} is between two checkpoints. Give --checkpoint twice, with "
            f"different ones."
        )
    return early, late


# -- which images


def _choose(
    images: RunImages, history: History, selection: Selection, candidates: Candidates
) -> Chosen:
    """The chosen images, in order, and why each is there."""
    among = None
    if selection.decided:
        among = np.isin(np.array(candidates.decisions, dtype=object), selection.decided)
    if selection.saved is not None:
        return _of_saved_list(images, history, selection.saved, among)
    if selection.kind is None and selection.decided:
        return _of_list(LISTS[DECIDED], candidates, among=among)
    if selection.kind is None:
        return _decided_then_worst(candidates, selection)
    definition = LISTS[selection.kind]
    lacking = definition.needs(candidates)
    if lacking:
        raise SettingsError(f"--list {definition.key} {lacking}")
    options: dict[str, Any] = {"top": selection.top, "per_class": selection.per_class}
    why = definition.reason
    if selection.with_decisions:
        among, why = ~candidates.decided, why_with_decisions
    rows = choose(definition, candidates, among=among, **options)
    if selection.order == GAIN:
        rows = in_order_of_gain(definition, images, candidates, rows)
    return [(row, why(candidates, row)) for row in rows.tolist()]


def _of_list(definition: ListDefinition, candidates: Candidates, **options: Any) -> Chosen:
    rows = choose(definition, candidates, **options).tolist()
    return [(row, definition.reason(candidates, row)) for row in rows]


def _decided_then_worst(candidates: Candidates, selection: Selection) -> Iterator[tuple[int, str]]:
    yield from _of_list(LISTS[DECIDED], candidates)
    yield from _of_list(
        LISTS[WORST],
        candidates,
        top=selection.top or DEFAULT_TOP,
        per_class=selection.per_class,
        among=~candidates.decided,
    )


def _of_saved_list(
    images: RunImages, history: History, name: str, among: NDArray[np.bool_] | None
) -> Iterator[tuple[int, str]]:
    rows: dict[str, int] = {}
    for row, image in enumerate(images.hashes):
        rows.setdefault(image, row)
    for image in history.saved_lists()[name]:
        if image in rows and (among is None or among[rows[image]]):
            yield rows[image], f"saved list {name}"


# -- columns of the list


def _exported_columns(run: RunFolder, step: int) -> pd.DataFrame:
    """What is known of every image: at one checkpoint, and over all of them."""
    exported = columns.of_table()
    frame = table.read(run, checkpoints=[step], columns=[column.name for column in exported])
    for column in exported:
        if column.kind in {"category", "string"}:
            values = frame[column.name].astype(object)
            frame[column.name] = _texts([None if value != value else value for value in values])
    return frame


def _decision_columns(decisions: Sequence[Decision | None]) -> Mapping[str, NDArray[Any]]:
    fields = {
        DECISION: "decision",
        NEW_LABEL: "new_label",
        NOTE: "note",
        REVIEWER: "reviewer",
        DECIDED_AT: "time",
    }
    return {
        column: _texts([None if line is None else getattr(line, name) for line in decisions])
        for column, name in fields.items()
    }


def _texts(values: Sequence[str | None]) -> NDArray[Any]:
    """A column of texts, empty for none."""
    column = np.empty(len(values), dtype=object)
    column[:] = ["" if value is None else value for value in values]
    return column


# -- copies of the images


def copy_images(
    frame: pd.DataFrame,
    images: RunImages,
    folder: Path,
    earlier: Mapping[Path, str] = MappingProxyType({}),
    note: Note = SILENT.note,
) -> pd.DataFrame:
    """Write the image files of a list into a folder and name them in its column ``image_file``.

    The names are the image's number and an ending by its contents: nothing of the data set's own
    names is in them. Those of an ``earlier`` list, given with their hashes, go; what others have
    put there stays, and SettingsError is raised where it would be in the way.
    """
    rows = {image: row for row, image in enumerate(images.ids.tolist())}
    wanted = {rows[image]: number for number, image in enumerate(frame[c.IMAGE_ID].tolist())}
    names: list[str | None] = [None] * len(frame)
    written: list[Path] = []
    with storage_errors(folder), contextlib.ExitStack() as unless_all:
        unless_all.callback(_remove_written, folder, written)
        make_folder(folder)
        for row, data in images.read_some(list(wanted)):
            path = folder / f"{int(images.ids[row]):07d}{ending_by_content(data) or '.bin'}"
            _check_free(path, data, earlier)
            if not path.exists():
                written.append(path)
            with whole_file(path) as temporary:
                temporary.write_bytes(data)
            names[wanted[row]] = f"{folder.name}/{path.name}"
        unless_all.pop_all()
        old = [path for path in earlier if f"{folder.name}/{path.name}" not in names]
        gone = [path for path in old if _is_copy(path, earlier[path])]
        for path in gone:
            storage.remove(path)
    if gone:
        note(f"{len(gone):,} images of the earlier list were deleted from {folder}")
    return frame.assign(**{IMAGE_FILE: _texts(names)})


def _copies_of(path: Path, folder: Path) -> dict[Path, str]:
    """The image files in a folder that an earlier list names, with their hashes."""
    try:
        rows = read_rows(path).rows if path.is_file() else []
    except SettingsError:  # no list: it names none
        return {}
    named = {str(row.get(IMAGE_FILE) or ""): str(row.get(c.IMAGE_HASH) or "") for row in rows}
    files = {PurePosixPath(name): image for name, image in named.items()}
    return {folder / one.name: files[one] for one in files if one.parts[:-1] == (folder.name,)}


def _is_copy(path: Path, image: str) -> bool:
    """Whether a file is the one with this hash."""
    whole = path.is_file() and not path.is_symlink()
    return whole and _hash(path.read_bytes()) == image


def _check_free(path: Path, data: bytes, earlier: Mapping[Path, str]) -> None:
    """Raise SettingsError where a file of somebody else is in the place of an image."""
    if not path.exists() and not path.is_symlink():
        return
    if not any(_is_copy(path, image) for image in (earlier.get(path), _hash(data)) if image):
        raise SettingsError(
            f"{path} is there already and is no image of an earlier list. Name another place with "
            f"--out, or move it away."
        )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _remove_written(folder: Path, written: list[Path]) -> None:
    """Remove new files, and the folder if nothing else is in it."""
    for path in written:
        storage.remove(path)
    with contextlib.suppress(OSError):
        folder.rmdir()
