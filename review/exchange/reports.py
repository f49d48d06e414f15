"""What is told of a cleaned data set: the sentences for the terminal and ``summary.txt``, the rows
of ``changes.csv``, and ``provenance.json``, which says where each change comes from."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.csvfile import csv_text
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.text import visible
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.lines import program_version
from review_embeddings.review.exchange.changes import (
    REMOVED,
    SECOND_COPY,
    Change,
    FoundChanges,
)
from review_embeddings.review.exchange.formcard import DEFAULT
from review_embeddings.review.exchange.sourcerows import name_inside, root_of
from review_embeddings.review.lists.derived import DECIDED_AT, NEW_LABEL, NOTE, REVIEWER

CHANGES_FILE, SUMMARY_FILE, PROVENANCE_FILE = "changes.csv", "summary.txt", "provenance.json"

CHANGES = (
    "split",
    "row",
    c.PATH,
    c.IMAGE_HASH,
    "change",
    c.LABEL,
    NEW_LABEL,
    REVIEWER,
    DECIDED_AT,
    NOTE,
)
"""Columns of ``changes.csv``."""

MAX_LEFT_OUT = 20
"""Files of the source that the summary names."""

MAX_NAMED = 5
"""Images that a line of the summary names; the others are counted."""


@dataclass(frozen=True)
class Snapshot:
    """Which state of the decisions was applied, whatever was decided since."""

    taken: str
    """When it was read. UTC, ISO 8601."""
    images: int
    """Decided ones."""
    digest: str | None
    """SHA-256 (hex) of the file; None where there was none."""
    last: str = ""
    """When the last of the decisions that count was made; empty where there is none."""

    @staticmethod
    def of(history: History) -> Snapshot:
        """What a history holds."""
        current = history.current().values()
        last = max((one.time for one in current), default="")
        return Snapshot(history.taken, len(current), history.digest, last)


@dataclass
class Applied:
    """What was or would be changed."""

    found: FoundChanges
    snapshot: Snapshot
    rows: dict[str, int] = field(default_factory=dict)
    """Rows of each split of the source."""
    kept: dict[str, int] = field(default_factory=dict)
    """Rows of each split of the cleaned data set."""
    origins: dict[str, str] = field(default_factory=dict)
    """Split of the source that each split of the cleaned data set comes from."""
    left: dict[str, str] = field(default_factory=dict)
    """Why a split stays as it is though decisions are about it."""
    missing: list[tuple[str, int, str, str]] = field(default_factory=list)
    """Split, row, file and reason of each row of the source whose image is not there."""
    unreadable: list[tuple[str, int, str, str]] = field(default_factory=list)
    """Split, row, file and reason of each row whose image is there and cannot be read; what is
    written has it as it is."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Files of the source that may be images and are no rows of it, with the reasons."""
    configurations: dict[str, list[str]] = field(default_factory=dict)
    """Splits of each configuration of a data set that is written as files."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Of the images of each split of the cleaned data set, in order."""
    undecided: bool = False
    """Whether there is no decision at all."""
    skipped: str = ""
    """Which decisions were left out because they cannot be read; empty where all can."""
    disputed: str = ""
    """How many images reviewers differ about, and what was done with them; empty for none."""

    @property
    def removed(self) -> int:
        return self.found.count(REMOVED)

    @property
    def duplicates(self) -> int:
        return self.found.count(SECOND_COPY)

    @property
    def relabelled(self) -> Counter[tuple[str, str]]:
        return self.found.relabelled

    @property
    def changes(self) -> list[dict[str, str]]:
        """A row for each image that is changed, with `CHANGES`."""
        return [change_row(change) for change in self.found.changes]

    def repeatable(self) -> Applied:
        """The same with the time of the last decision for that of reading them: the same decisions
        give the same reports."""
        return replace(self, snapshot=replace(self.snapshot, taken=self.snapshot.last))

    def for_everyone(self, root: str) -> Applied:
        """The same without reviewers, notes and places on this machine; ``root`` is what the paths
        of the data set's files begin with."""
        changes = [
            replace(
                one,
                path=name_inside(one.path, root),
                decision=replace(one.decision, reviewer="", note=""),
            )
            for one in self.found.changes
        ]
        missing = [(split, row, "", "no image") for split, row, _, _ in self.missing]
        unreadable = [(split, row, "", "not readable") for split, row, _, _ in self.unreadable]
        found = FoundChanges(changes, self.found.without_effect)
        skipped = "decisions that cannot be read" if self.skipped else ""
        left_out = dict.fromkeys((name_inside(one, root) for one in self.left_out), "no image")
        return replace(
            self,
            found=found,
            missing=missing,
            unreadable=unreadable,
            skipped=skipped,
            left_out=left_out,
        )


def change_row(change: Change) -> dict[str, str]:
    """A row of ``changes.csv``."""
    decision = change.decision
    values = (
        change.split,
        str(change.row),
        change.path,
        decision.image_hash,
        change.change,
        change.label,
        decision.new_label or "",
        decision.reviewer,
        decision.time,
        decision.note,
    )
    return dict(zip(CHANGES, values, strict=True))


def reports(
    applied: Applied,
    run: RunFolder,
    reference: DatasetReference,
    form: str,
    *,
    for_everyone: bool = False,
) -> dict[str, str]:
    """What lies beside the splits, by file name; ``for_everyone`` without reviewers, notes and
    places on this machine."""
    name = str(run)
    if for_everyone:
        local = root_of(reference.source) or Path(reference.source).is_absolute()
        applied, name = applied.for_everyone(root_of(reference.source)), ""
        if local or "://" in reference.source or Path(reference.source).exists():
            reference = replace(reference, source="")
    return {
        CHANGES_FILE: changes_csv(applied),
        SUMMARY_FILE: summary(applied),
        PROVENANCE_FILE: provenance(applied, name, reference, form),
    }


def changes_csv(applied: Applied) -> str:
    """The changes as a CSV file, cells that a spreadsheet would run made harmless."""
    rows = ([change[name] for name in CHANGES] for change in applied.changes)
    return csv_text([CHANGES, *rows], quoting=csv.QUOTE_ALL)


def summary(applied: Applied) -> str:
    """What was changed, in a few lines."""
    lines = [_split_line(applied, split) for split in applied.kept]
    lines += [
        f"removed: {applied.removed:,}",
        f"duplicates removed: {applied.duplicates:,}",
        f"relabelled: {applied.relabelled.total():,}",
    ]
    lines += [
        f"  {old or 'no label'} -> {new}: {count:,}"
        for (old, new), count in sorted(applied.relabelled.items())
    ]
    lines += _configurations(applied)
    lines += _without_effect(applied)
    lines += _missing(applied)
    lines += _unreadable(applied)
    lines += _left_out(applied)
    lines += [f"decisions: {applied.snapshot.images:,} images, as of {applied.snapshot.taken}"]
    lines += ["There is no decision: all is as it was."] if applied.undecided else []
    lines += [f"disputed: {applied.disputed}"] if applied.disputed else []
    lines += [f"left out: {applied.skipped}"] if applied.skipped else []
    return "\n".join(map(visible, lines)) + "\n"


def _split_line(applied: Applied, split: str) -> str:
    origin = applied.origins[split]
    line = f"{split}: {applied.kept[split]:,} of {applied.rows[origin]:,} images"
    reason = applied.left.get(split)
    if reason:
        return f"{line} ({reason})"
    return line if origin == split else f"{line} ({origin}, cleaned)"


def _configurations(applied: Applied) -> list[str]:
    """How splits with other columns are loaded."""
    if len(applied.configurations) < 2:
        return []
    lines = ["splits differ in their columns, so that there are configurations:"]
    for name, splits in applied.configurations.items():
        call = "load_dataset(DIR)" if name == DEFAULT else f"load_dataset(DIR, {name!r})"
        what = "all splits, null for what one lacks" if name == DEFAULT else ", ".join(splits)
        lines.append(f"  {call}: {what}")
    return lines


def _without_effect(applied: Applied) -> list[str]:
    """The decisions that change nothing, by reason, with the first images."""
    images: dict[str, list[str]] = {}
    for image, reason in applied.found.without_effect.items():
        images.setdefault(reason, []).append(image[:12])
    if not images:
        return []
    lines = [f"decisions without effect: {len(applied.found.without_effect):,}"]
    for reason, some in images.items():
        more = f" and {len(some) - MAX_NAMED:,} more" if len(some) > MAX_NAMED else ""
        lines.append(f"  {reason}: {len(some):,} ({', '.join(some[:MAX_NAMED])}{more})")
    return lines


def _missing(applied: Applied) -> list[str]:
    """The rows that have no image; they stay without one."""
    if not applied.missing:
        return []
    lines = [f"rows without an image, which stay so: {len(applied.missing):,}"]
    for split, row, path, reason in applied.missing:
        lines.append(f"  {split}, row {row}: {f'{path}: ' if path else ''}{reason}")
    return lines


def _unreadable(applied: Applied) -> list[str]:
    """The rows whose image cannot be read, the first ones by name."""
    if not applied.unreadable:
        return []
    count = len(applied.unreadable)
    lines = [f"images that cannot be read, which are written as they are: {count:,}"]
    for split, row, path, reason in applied.unreadable[:MAX_LEFT_OUT]:
        lines.append(f"  {split}, row {row}: {f'{path}: ' if path else ''}{reason}")
    more = count - MAX_LEFT_OUT
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def _left_out(applied: Applied) -> list[str]:
    """The files of the source that are no rows."""
    if not applied.left_out:
        return []
    lines = [f"files of the source that are no rows, which are left out: {len(applied.left_out):,}"]
    named = list(applied.left_out.items())[:MAX_LEFT_OUT]
    lines += [f"  {name}: {reason}" for name, reason in named]
    more = len(applied.left_out) - len(named)
    return [*lines, f"  and {more:,} more, which skipped.csv of the run names"] if more else lines


def provenance(applied: Applied, run: str, reference: DatasetReference, form: str) -> str:
    """Which decisions, by whom, from which run, about which images (JSON)."""
    content: dict[str, Any] = {
        "format": 1,
        "made_by": f"review-embeddings {program_version()}",
        "run": run,
        "decisions_sha256": applied.snapshot.digest,
        "decisions_as_of": applied.snapshot.taken,
        "dataset": {
            "source": reference.source,
            "config": reference.config,
            "revision": reference.revision,
            "reviewed_split": reference.split,
        },
        "written_as": form,
        "splits": {
            split: {
                "from": applied.origins[split],
                "rows_before": applied.rows[applied.origins[split]],
                "rows": rows,
                "images_sha256": applied.hashes[split],
            }
            for split, rows in applied.kept.items()
        },
        "changes": applied.changes,
        "without_effect": applied.found.without_effect,
        "left_out": applied.skipped,
        **({"disputed": applied.disputed} if applied.disputed else {}),
    }
    return json.dumps(content, indent=1, ensure_ascii=True) + "\n"


def is_cleaned(folder: Path) -> bool:
    """Whether a folder holds a data set that was cleaned, in whichever form."""
    return all((folder / name).is_file() for name in (CHANGES_FILE, PROVENANCE_FILE))


def digest_of(hashes: Mapping[int, str | None]) -> str:
    """SHA-256 of the hashes of images in order, one a line; an empty line for none."""
    return hashlib.sha256("\n".join(one or "" for one in hashes.values()).encode()).hexdigest()
