"""Reads decisions that were made in a spreadsheet or by a colleague."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import Decision, new_request, now
from review_embeddings.review.decisions.log import Note, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.formats import read_rows
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)


def import_decisions(
    run: RunFolder, path: Path, reviewer: str, *, note: Note, new_classes: bool = False
) -> tuple[int, int]:
    """Add the decisions of a file to those of a run: all of them or, where one row is wrong, none.

    What the run itself exported is taken back whatever became of its classes; with ``new_classes``
    any new label is. Returns how many were added and how many said what the run knew already;
    ``note`` is told of decisions of the run that cannot be read. Raises SettingsError, and
    BusyError while the run is open in a review.
    """
    reviewed, hashes = _reviewed(run)
    with writing(run, note) as writer:
        lines = list(
            read_decisions(
                path, reviewed, reviewer, hashes, writer.history, new_classes=new_classes
            )
        )
        request = new_request()
        exported = exported_lines(writer.history)
        current = writer.history.current()
        new = [
            replace(line, request=request)
            for read in lines
            if (line := _as_new(read, exported, current, reviewer)) is not None
        ]
        return len(writer.append(new)), len(lines) - len(new)


def _reviewed(run: RunFolder) -> tuple[ReviewedImages, dict[str, int]]:
    """The images that can be decided about, and the id of each hash."""
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no images yet. Run: review-embeddings build --run {run}")
    hashes: dict[str, int] = {}
    for image, image_hash in zip(images.ids.tolist(), images.hashes, strict=True):
        hashes.setdefault(image_hash, image)
    return ReviewedImages.of(images), hashes


def exported_lines(history: History) -> dict[tuple[str, str], Decision]:
    """The decisions of a run by what an exported row names of them: image and time."""
    return {
        (line.image_hash, line.time): line for line in history.lines if line.decision is not None
    }


def filled_in(path: Path, history: History) -> list[int]:
    """Numbers of the rows of a list in which somebody wrote what the run does not know. Raises
    SettingsError where the list cannot be read."""
    listed, known = read_rows(path), exported_lines(history)
    current = history.current()
    numbers = []
    for number, row in zip(listed.numbers, listed.rows, strict=True):
        written = tuple(_cell(row, name).strip() for name in (DECISION, NEW_LABEL, NOTE))
        image = _cell(row, c.IMAGE_HASH)
        lines = [known.get((image, _cell(row, DECIDED_AT))), current.get(image)]
        same = any(
            written == ((line.decision or ""), line.new_label or "", line.note.strip())
            for line in lines
            if line is not None
        )
        if any(written) and not same:
            numbers.append(number)
    return numbers


def _as_new(
    line: Decision,
    written: Mapping[tuple[str, str], Decision],
    current: Mapping[str, Decision],
    reviewer: str,
) -> Decision | None:
    """A decision of a file as it is to be added; None for one that is known or older than what is
    known.

    A row that was exported from this run and changed since is the importer's decision, made now.
    """
    known = current.get(line.image_hash)
    exported = written.get((line.image_hash, line.time))
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
    path: Path,
    reviewed: ReviewedImages,
    reviewer: str,
    hashes: Mapping[str, int],
    history: History | None = None,
    *,
    new_classes: bool = False,
) -> Iterator[Decision]:
    """The decisions in a list, from a file written here, by a spreadsheet or by somebody else.

    It must name images (``image_hash`` or ``image_id``) and decisions (``decision``, and
    ``new_label`` for a relabel); ``note``, ``reviewer`` and ``decided_at`` are kept where they are
    there, and without a column of notes the note that ``history`` has. Rows without a decision are
    passed over, ``undecided`` takes one back. ``hashes`` gives the image id of each hash. Raises
    SettingsError that names the row for whatever is wrong in it.
    """
    listed = read_rows(path)
    _check_columns(path, listed.columns)
    history = history or History()
    exported, current = exported_lines(history), history.current()
    read: dict[str, Decision] = {}
    for number, row in zip(listed.numbers, listed.rows, strict=True):
        try:
            if not _is_decided(row):
                continue
            image = _image_of(row, reviewed, hashes)
            before = exported.get((reviewed.hashes[reviewed.positions[image]], _when(row)))
            allowed = _allowed(reviewed, row, before, new_classes=new_classes)
            line = _decision_of(row, image, allowed, reviewer)
            if NOTE not in listed.columns and line.image_hash in current:
                line = replace(line, note=current[line.image_hash].note)
            earlier = read.setdefault(line.image_hash, line)
            if not _same(replace(line, note=""), replace(earlier, note="")):
                raise SettingsError("an earlier row says something else of the same image.")
        except SettingsError as error:
            raise SettingsError(f"{path}, row {number}: {error} Nothing was imported.") from error
        yield line


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in (DECISION,) if name not in columns]
    if not {c.IMAGE_ID, c.IMAGE_HASH} & set(columns):
        missing.insert(0, f"{c.IMAGE_HASH} (or {c.IMAGE_ID})")
    if missing:
        raise SettingsError(
            f"{path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(sorted(columns))}. Add it."
        )


def _is_decided(row: Mapping[str, Any]) -> bool:
    if _cell(row, DECISION).strip():
        return True
    if _cell(row, NEW_LABEL):
        raise SettingsError("there is a new label and no decision. Write relabel.")
    return False


def _when(row: Mapping[str, Any]) -> str:
    when = _cell(row, DECIDED_AT)
    if when and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", when):
        raise SettingsError(f"decided_at {when!r} is no time such as {now()}.")
    return when


def _allowed(
    reviewed: ReviewedImages,
    row: Mapping[str, Any],
    before: Decision | None,
    *,
    new_classes: bool,
) -> ReviewedImages:
    """The images with the new label of the row among the classes, where it may be new."""
    new_label = _cell(row, NEW_LABEL)
    taken_back = before is not None and before.new_label == new_label
    if not new_label or not (new_classes or taken_back) or new_label in (reviewed.classes or ()):
        return reviewed
    return replace(reviewed, classes=[*(reviewed.classes or ()), new_label])


def _decision_of(
    row: Mapping[str, Any], image: int, reviewed: ReviewedImages, reviewer: str
) -> Decision:
    (line,) = reviewed.decide(
        [image],
        _cell(row, DECISION).strip().lower(),
        new_label=_cell(row, NEW_LABEL) or None,
        note=_cell(row, NOTE),
        reviewer=_cell(row, REVIEWER) or reviewer,
        time=_when(row) or None,
    )
    return line


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value != value else str(value)


def _image_of(row: Mapping[str, Any], reviewed: ReviewedImages, hashes: Mapping[str, int]) -> int:
    """The image that a row is about: by its content, else by its number."""
    if image_hash := _cell(row, c.IMAGE_HASH):
        if image_hash not in hashes:
            raise SettingsError(f"The image with hash {image_hash[:16]}… is not in this run.")
        return hashes[image_hash]
    text = _cell(row, c.IMAGE_ID)
    try:
        number = float(text)  # spreadsheets write 7.0
        image = int(number)
        if number != image:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{text!r} is no image_id.") from error
    if image not in reviewed.positions:
        raise SettingsError(f"Image {image} is not in this run.")
    return image
