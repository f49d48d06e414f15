"""Reads decisions that were made in a spreadsheet or by a colleague."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.history import (
    History,
    last_decisions,
    latest_times,
    moment_of,
)
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import (
    TIME,
    Decision,
    check_text,
    new_request,
    now,
)
from review_embeddings.review.decisions.log import DecisionLog, Note, writing
from review_embeddings.review.decisions.newclasses import check_letters
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.reviewers import as_resolutions, have_several
from review_embeddings.review.exchange.formats import read_rows
from review_embeddings.review.exchange.outbox import read_outbox, take_outbox
from review_embeddings.review.lists.derived import (
    DECIDED_AT,
    DECISION,
    DISPUTED,
    NEW_LABEL,
    NOTE,
    REVIEWER,
)


@dataclass(frozen=True)
class Imported:
    """What became of the decisions of a file."""

    added: int
    known: int = 0
    """Which the run had already."""
    older: int = 0
    """Left out: the image was decided about later."""
    proposed: int = 0
    """Kept as proposals: somebody else had decided since, as the page would ask."""
    beside: int = 0
    """Kept, though somebody else decided about the image later: both stand in the file, and that
    one counts."""
    disputed: int = 0
    """Decisions of the file about images about which reviewers differ now."""
    refused: tuple[str, ...] = ()
    """Why messages of an outbox could not be taken, one sentence each."""


TEXTS = (NOTE, REVIEWER, NEW_LABEL)
"""Columns that hold text of people."""


def import_decisions(
    run: RunFolder, path: Path, reviewer: str, *, note: Note, new_classes: bool = False
) -> Imported:
    """Add the decisions of a file to those of a run: all of them or, where one row is wrong, none.

    What the run itself exported is taken back whatever became of its classes; with ``new_classes``
    any new label is, and the run has that class from then on. ``note`` is told of decisions of the
    run that cannot be read. Raises SettingsError, and BusyError where the run is being written to
    for long.
    """
    check_text("--reviewer", reviewer)
    reviewed, hashes = _reviewed(run)
    outbox = read_outbox(path)
    with writing(run, note) as writer:
        if outbox is not None:
            taken = take_outbox(outbox, run, reviewed, writer, reviewer, note)
            return Imported(
                taken.saved, taken.known, proposed=taken.left, refused=tuple(taken.refused)
            )
        lines = list(
            read_decisions(
                path, reviewed, reviewer, hashes, writer.history, new_classes=new_classes
            )
        )
        imported = _added(lines, writer, reviewer, _shown_disputed(path, hashes))
    if new_classes and reviewed.classes is not None:
        for name in dict.fromkeys(line.new_label for line in lines):
            if name is not None and name not in reviewed.classes:
                run.add_class(name)
    return imported


def _added(
    lines: Sequence[Decision], writer: DecisionLog, reviewer: str, shown: Collection[str]
) -> Imported:
    """Write what is new and not older than what its reviewer has decided; ``shown`` are the images
    of which the file says who decided what."""
    request, arrival = new_request(), Arrival(writer.history, reviewer)
    known = [line for line in lines if arrival.knows(line)]
    others = [line for line in lines if not arrival.knows(line)]
    older = [line for line in others if arrival.is_older(line)]
    added = [
        replace(arrival.as_made(line), request=request, proposal=arrival.is_beside(line))
        for line in others
        if not arrival.is_older(line)
    ]
    if have_several(writer.history.lines):
        added = as_resolutions(added, writer.history.by_image(), shown)
    written = writer.append(added)
    differing = writer.history.disputed()
    return Imported(
        len(written),
        len(known),
        len(older),
        beside=sum(line.proposal for line in written),
        disputed=sum(line.image_hash in differing for line in lines),
    )


def _reviewed(run: RunFolder) -> tuple[ReviewedImages, dict[str, int]]:
    """The images that can be decided about, and the id of each hash."""
    images, info = read_images(run), run.read_info()
    if images is None:
        raise RunError(f"Run {run} has no images yet. Run: {build_command(run)}")
    hashes: dict[str, int] = {}
    for image, image_hash in zip(images.ids.tolist(), images.hashes, strict=True):
        hashes.setdefault(image_hash, image)
    return ReviewedImages.of(images, () if info is None else info.added_classes), hashes


def _shown_disputed(path: Path, hashes: Mapping[str, int]) -> set[str]:
    """The images of a list of which it says who decided what: their hashes."""
    by_id = {str(image): image_hash for image_hash, image in hashes.items()}
    rows = [row for row in read_rows(path).rows if _cell(row, DISPUTED)]
    return {_cell(row, c.IMAGE_HASH) or by_id.get(_cell(row, c.IMAGE_ID), "") for row in rows}


def exported_lines(history: History) -> dict[tuple[str, str], Decision]:
    """The decisions of a run by what an exported row names of them: image and time."""
    return {
        (line.image_hash, line.time): line
        for line in history.lines
        if line.decision is not None and not line.proposal
    }


def filled_in(path: Path, history: History) -> list[int]:
    """Numbers of the rows of a list in which somebody wrote what the run does not know. Raises
    SettingsError where the list cannot be read."""
    listed, known = read_rows(path), exported_lines(history)
    current, differing = history.current(), history.disputed()
    numbers = []
    for number, row in zip(listed.numbers, listed.rows, strict=True):
        written = tuple(_cell(row, name).strip() for name in (DECISION, NEW_LABEL, NOTE))
        image = _cell(row, c.IMAGE_HASH)
        lines = [known.get((image, _cell(row, DECIDED_AT))), current.get(image)]
        if _cell(row, DISPUTED) and image in differing:
            lines = []  # it was written without a decision
        same = any(
            written == ((line.decision or ""), line.new_label or "", line.note.strip())
            for line in lines
            if line is not None
        )
        if any(written) and not same:
            numbers.append(number)
    return numbers


class Arrival:
    """What a decision of a file meets in the run."""

    def __init__(self, history: History, reviewer: str) -> None:
        self._reviewer = reviewer
        self._exported = exported_lines(history)
        self._last = last_decisions(history.lines)
        self._latest = latest_times(history.lines)
        self._by_image = history.by_image()

    def knows(self, line: Decision) -> bool:
        """Whether the run has it already of this reviewer, or nothing that it takes back."""
        last, own, exported = (
            self._last.get(line.image_hash),
            self._own(line),
            self._export_of(line),
        )
        if line.decision == UNDECIDED and own is None:
            if last is None or last.decision == UNDECIDED:
                return True
            return line.imported and exported is None and last.reviewer != line.reviewer
        if exported is not None and line.same_as(exported):
            return True
        return own is not None and line.same_as(own)

    def is_older(self, line: Decision) -> bool:
        """Whether somebody has decided about the image after the row was exported, or its reviewer
        after the time that it says. A row without a time is decided now."""
        last, own, exported = (
            self._last.get(line.image_hash),
            self._own(line),
            self._export_of(line),
        )
        if last is None or not line.imported:
            return False
        if exported is not None:
            return last.sequence > exported.sequence
        if last.reviewer == line.reviewer:
            return moment_of(line.time) < self._latest[line.image_hash]
        return own is not None and moment_of(line.time) < moment_of(own.time)

    def is_beside(self, line: Decision) -> bool:
        """Whether somebody else has decided about the image after the time that the row says: both
        are kept, and that one counts."""
        last = self._last.get(line.image_hash)
        if last is None or not line.imported or self._export_of(line) is not None:
            return False
        is_others = last.reviewer != line.reviewer and last.decision != UNDECIDED
        return is_others and moment_of(line.time) < self._latest[line.image_hash]

    def _own(self, line: Decision) -> Decision | None:
        """What the reviewer of a row has decided about its image."""
        about = self._by_image.get(line.image_hash)
        return None if about is None else about.of(self.as_made(line).reviewer)

    def as_made(self, line: Decision) -> Decision:
        """A row that was exported from this run and changed since is the importer's decision, made
        now."""
        if self._export_of(line) is None:
            return line
        return replace(line, reviewer=self._reviewer, time=now(), imported=False)

    def _export_of(self, line: Decision) -> Decision | None:
        return self._exported.get((line.image_hash, line.time))


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
    read: dict[tuple[str, str], Decision] = {}
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
            earlier = read.setdefault((line.image_hash, line.reviewer), line)
            if not replace(line, note="").same_as(replace(earlier, note="")):
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
    if when and not TIME.fullmatch(when):
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
    if not taken_back:
        check_letters(new_label, reviewed.classes or ())
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
    for name in TEXTS:
        check_text(name, _cell(row, name))
    return replace(line, imported=bool(_when(row)))


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
