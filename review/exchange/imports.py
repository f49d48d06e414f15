"""Reads decisions that were made in a spreadsheet or by a colleague."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.log import Decision, Note, new_request, now, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.columns import list_names
from review_embeddings.review.exchange.formats import read_rows
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)


def import_decisions(run: RunFolder, path: Path, reviewer: str, *, note: Note) -> tuple[int, int]:
    """Add the decisions of a file to those of a run: all of them or, where one row is wrong, none.

    Returns how many were added and how many said what the run knew already; ``note`` is told of
    decisions of the run that cannot be read. Raises SettingsError,
    and BusyError while the run is open in a review.
    """
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no images yet. Run: review-embeddings build --run {run}")
    hashes: dict[str, int] = {}
    for image, image_hash in zip(images.ids.tolist(), images.hashes, strict=True):
        hashes.setdefault(image_hash, image)
    lines = list(read_decisions(path, ReviewedImages.of(images), reviewer, hashes))
    with writing(run, note) as writer:
        request = new_request()
        exported = {
            (line.image_hash, line.time): line
            for line in writer.history.lines
            if line.decision is not None
        }
        current = writer.history.current()
        new = [
            replace(line, request=request)
            for read in lines
            if (line := _as_new(read, exported, current, reviewer)) is not None
        ]
        return len(writer.append(new)), len(lines) - len(new)


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
    path: Path, reviewed: ReviewedImages, reviewer: str, hashes: Mapping[str, int]
) -> Iterator[Decision]:
    """The decisions in a list, from a file written here, by a spreadsheet or by somebody else.

    It must name images (``image_hash`` or ``image_id``) and decisions (``decision``, and
    ``new_label`` for a relabel); ``note``, ``reviewer`` and ``decided_at`` are kept where they are
    there. Rows without a decision are passed over, ``undecided`` takes one back. ``hashes`` gives
    the image id of each hash. Raises SettingsError that names the row for whatever is wrong in it.
    """
    rows = read_rows(path)
    columns = set(rows[0]) if rows else set(list_names())
    missing = [name for name in (DECISION,) if name not in columns]
    if not columns & {c.IMAGE_ID, c.IMAGE_HASH}:
        missing.insert(0, f"{c.IMAGE_HASH} (or {c.IMAGE_ID})")
    if missing:
        raise SettingsError(
            f"{path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(sorted(columns))}. Add it."
        )
    read: dict[str, Decision] = {}
    for number, row in enumerate(rows, start=1):
        decision = _cell(row, DECISION).strip().lower()
        if not decision:
            if _cell(row, NEW_LABEL):
                raise SettingsError(
                    f"{path}, row {number}: there is a new label and no decision. Write relabel. "
                    f"Nothing was imported."
                )
            continue
        when = _cell(row, DECIDED_AT)
        if when and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", when):
            raise SettingsError(
                f"{path}, row {number}: decided_at {when!r} is no time such as {now()}. Nothing "
                f"was imported."
            )
        try:
            image = _image_of(row, reviewed, hashes)
            new_label = _cell(row, NEW_LABEL) or None
            (line,) = reviewed.decide(
                [image],
                decision,
                new_label=new_label,
                note=_cell(row, NOTE),
                reviewer=_cell(row, REVIEWER) or reviewer,
                time=when or None,
            )
        except SettingsError as error:
            raise SettingsError(f"{path}, row {number}: {error} Nothing was imported.") from error
        if line.image_hash in read and not _same(
            replace(line, note=""), replace(read[line.image_hash], note="")
        ):
            raise SettingsError(
                f"{path}, row {number}: an earlier row says something else of the same image. "
                f"Nothing was imported."
            )
        read[line.image_hash] = line
        yield line


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
