"""By which rules the images of a run are read: an older run keeps those that it was read by."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from review_embeddings.pipeline.csvfile import csv_rows
from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import RULES, open_dataset, source_signature
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.images.sources import FILES, FIRST_RULES, kind_of_folder
from review_embeddings.pipeline.run.bounded import read_bytes
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import NOTHING, DatasetReference
from review_embeddings.pipeline.stages.plan import why_images_stale
from review_embeddings.pipeline.stages.resolve import resolved
from review_embeddings.pipeline.stages.session import BuildSession

REREAD = "`build --reread`"

CHANGED = {FILES: (FIRST_RULES,), ".tar": (FIRST_RULES, 2)}
"""By what a folder holds its images in: the older rules that find others in it than today's."""


@dataclass(frozen=True)
class PlannedReading:
    """Whether the images of a run are read, and by which rules."""

    info: RunInfo
    reference: DatasetReference
    """The data set as it can be opened from here."""
    signature: str | None
    """Fingerprint of its files."""
    reason: str | None
    """Why they are read; None where those that are there are current."""


def plan_reading(
    run: RunFolder,
    info: RunInfo,
    images: RunImages | None,
    before: RunInfo | None,
    *,
    reread: bool,
) -> PlannedReading:
    """By the rules that the run was read by as long as its images stay; by those of now where they
    are read again. ``before`` is what the run folder says."""
    reference, signature = opened_reference(run, info)
    reason = why_images_stale(images, info, signature, before)
    if reread and images is not None:
        reason = "--reread"
    if reason is not None and images is not None and info.dataset.reading not in {None, RULES}:
        info = replace(info, dataset=replace(info.dataset, reading=None))
        reference, signature = opened_reference(run, info)
    return PlannedReading(info, reference, signature, reason)


def skipped_rows(run: RunFolder) -> int:
    """How many rows of the split could not be read; -1 where that is not known."""
    try:
        text = read_bytes(run.skipped).decode("utf-8", "replace")
    except (OSError, ValueError):
        return -1
    return sum(bool(row.get("image_id")) for row in csv_rows(text))


def note_better(session: BuildSession, info: RunInfo, images: RunImages) -> None:
    """Say what reading the images of an older run again would add."""
    reference, _ = opened_reference(session.run, info)
    if info.dataset.reading in {None, RULES}:
        return
    if info.dataset.reading == FIRST_RULES and any(
        re.fullmatch(r"-\d+", name) for name in images.classes or []
    ):
        session.progress.note(
            f"Labels below 0 are no label by today's rules of reading; {REREAD} reads anew"
        )
    kind = kind_of_folder(reference)
    if info.dataset.limit is not None or info.dataset.reading not in CHANGED.get(kind, ()):
        return
    column = NOTHING if reference.label_column == NOTHING else None
    now = replace(reference, reading=None, label_column=column, in_place=kind != FILES)
    try:
        opened = open_dataset(now)
    except DatasetError as error:
        session.progress.note(f"By today's rules of reading: {error}")
        return
    more = len(opened.rows) - len(images) - skipped_rows(session.run)
    if more or (opened.classes != images.classes and not opened.numbered):
        classes = "no classes" if opened.classes is None else f"{len(opened.classes)} classes"
        session.progress.note(
            f"Today's rules of reading find {len(opened.rows):,} images of {classes} in split "
            f"{opened.reference.split!r}, {more:+,} to those of this run; {REREAD} reads anew"
        )


def opened_reference(run: RunFolder, info: RunInfo) -> tuple[DatasetReference, str | None]:
    """The data set as it can be opened from here, and the fingerprint of its files."""
    reference = replace(info.dataset, source=resolved(run, info.dataset.source))
    return reference, source_signature(reference, run)
