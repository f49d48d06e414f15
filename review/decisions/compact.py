"""Makes ``decisions.jsonl`` short: lines that count for nothing any more go into a dated file
beside it. What counts, and which requests were written, stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import RecordError
from review_embeddings.pipeline.run.storage import is_address
from review_embeddings.review.decisions.kinds import UNDECIDED
from review_embeddings.review.decisions.lines import (
    PREFIX,
    UNDO,
    Compaction,
    Decision,
    as_line,
    now,
    read_line,
)
from review_embeddings.review.decisions.log import Note, writing
from review_embeddings.review.decisions.reviewers import have_several


@dataclass(frozen=True)
class Compacted:
    """What was done."""

    kept: int
    """Lines that stay."""
    moved: int
    file: Path | None
    """Where the moved ones are; None where none was."""


def compact(run: RunFolder, note: Note) -> Compacted:
    """Keep the last line of each image, reviewer and list, every line that cannot be read, and the
    names of all requests; move the rest.

    Raises BusyError while the run is open in a review, SettingsError for a run in a store.
    """
    if is_address(str(run)):
        raise SettingsError(
            f"{run} lies in a store, where nobody knows whether it is open in a review. Compact a "
            f"copy of it on this machine."
        )
    with run.review_lock(shared=False), writing(run, note) as log:
        if not run.decisions.is_file():
            return Compacted(0, 0, None)
        lines = [line for line in run.decisions.read_bytes().split(b"\n") if line.strip()]
        read = [_readable(line) for line in lines]
        kept = _kept(read)
        moved = [number for number in range(len(lines)) if number not in kept]
        if all(_is_heading(read[number]) for number in moved):
            return Compacted(len(lines), 0, None)
        last = log.history.lines[-1].sequence
        return _move(run, lines, read, moved, log.history.compacted, last)


def _readable(line: bytes) -> Decision | None:
    """A line; None for one that cannot be read."""
    try:
        return read_line(line)
    except RecordError:
        return None


def _is_heading(line: Decision | None) -> bool:
    return line is not None and line.compacted is not None


def _kept(lines: Sequence[Decision | None]) -> set[int]:
    """Positions of the lines that stay."""
    last: dict[object, int] = {}
    requests: dict[str, str] = {}
    for number, line in enumerate(lines):
        if line is None or line.compacted is not None:
            continue
        if line.list is not None:
            requests[line.list] = line.request
        if line.decision is not None:
            browser = line.client if line.proposal else None  # each may have its own
            last[line.image_hash, line.reviewer, browser, line.resolves] = number
    of_lists = {
        number
        for number, line in enumerate(lines)
        if line is not None and line.list is not None and requests[line.list] == line.request
    }
    unreadable = {number for number, line in enumerate(lines) if line is None}
    return {
        *last.values(),
        *of_lists,
        *unreadable,
        *_needed_to_take_back(lines, set(last.values())),
    }


def _needed_to_take_back(lines: Sequence[Decision | None], kept: set[int]) -> set[int]:
    """Positions of the lines without which one that takes a decision back would mean another one:
    that decision, and what its reviewer had decided before; none where there is one reviewer."""
    if not have_several(line for line in lines if line is not None):
        return set()
    undone = {
        (line.image_hash, line.reviewer, line.request.removeprefix(UNDO)): number
        for number in sorted(kept)
        if (line := lines[number]) is not None and line.request.startswith(UNDO)
    }
    needed, before = set(), dict[tuple[str, str], list[int]]()
    for number, line in enumerate(lines):
        if line is None or line.decision is None or line.proposal:
            continue
        made = before.setdefault((line.image_hash, line.reviewer), [])
        if (line.image_hash, line.reviewer, line.request) in undone:
            needed |= {number, *made[-1:]}
        elif number in kept and line.decision == UNDECIDED and not line.request.startswith(UNDO):
            needed |= {*made[-1:]}
        if made and line.request == UNDO + str(_request_of(lines[made[-1]])):
            made.pop()
        else:
            made.append(number)
    return needed


def _request_of(line: Decision | None) -> str | None:
    return None if line is None else line.request


def _move(
    run: RunFolder,
    lines: Sequence[bytes],
    read: Sequence[Decision | None],
    moved: Sequence[int],
    earlier: Compaction | None,
    last: int,
) -> Compacted:
    """Write the moved lines into a file of their own first, then the others in the place of all."""
    gone = set(moved)
    aside = _write_aside(run, b"".join(lines[number] + b"\n" for number in moved))
    written = _requests(earlier, (read[number] for number in moved))
    heading = as_line(_heading(Compaction(aside.name, last, written)))
    kept = [line for number, line in enumerate(lines) if number not in gone]
    with whole_file(run.decisions) as temporary:
        temporary.write_bytes(heading + b"".join(line + b"\n" for line in kept))
        shutil.copymode(run.decisions, temporary)
    return Compacted(len(kept), len(moved), aside)


def _requests(earlier: Compaction | None, lines: Iterable[Decision | None]) -> dict[str, list[str]]:
    """The images of each request that was moved, now or before."""
    written = {} if earlier is None else {name: [*seen] for name, seen in earlier.written.items()}
    for line in lines:
        if line is not None and line.compacted is None:
            written.setdefault(line.request, []).append(line.image_hash[:PREFIX])
    return written


def _heading(compaction: Compaction) -> Decision:
    """The line that stands for those that were moved; it is about no image."""
    return Decision(now(), "", "", -1, None, None, compacted=compaction)


def _write_aside(run: RunFolder, content: bytes) -> Path:
    """A new file of today's date; one that is there already with the same lines will do."""
    day, number = now()[:10], 1
    while True:
        path = run.moved_decisions(day if number == 1 else f"{day}-{number}")
        if not path.exists():
            with whole_file(path) as temporary:
                temporary.write_bytes(content)
            return path
        if path.read_bytes() == content:
            return path
        number += 1
